//! What lies where in Messages requests, answers and events.

use crate::base::json::{Members, elements};
use crate::base::tree::Tree;
use crate::protocol::anthropic::usage;
use crate::protocol::error;
use crate::protocol::tap::{self, Ask, AskError, Facts, Kind, Seen, flag_field, string_field};

pub(super) fn request(text: &str, members: &Members) -> Result<Ask, AskError> {
    Ok(Ask {
        model: string_field(text, members, "model")?,
        stream: flag_field(text, members, "stream")?,
        wants_usage: true,
        session: tap::session(text, members),
    })
}

/// How the block begins that says who pays (SPEC 8.8).
pub(super) const ATTRIBUTION: &str = "x-anthropic-billing-header:";

/// Claude Code's first system block varies with each run; it is of use to Anthropic alone and
/// spoils the prompt cache of everyone else (SPEC 8.8).
pub(super) fn without_attribution(text: &str, members: &Members) -> Option<(&'static str, String)> {
    let system = members.get(text, "system")?;
    if !system.contains(ATTRIBUTION) {
        return None;
    }
    let blocks = elements(system).ok()?;
    let first = system.get(blocks.first()?.clone())?;
    let said = Members::read(first).ok()?.string(first, "text")?;
    if !said.trim_start().starts_with(ATTRIBUTION) {
        return None;
    }
    let rest = blocks.get(1).and_then(|second| system.get(second.start..)).unwrap_or("]");
    Some(("system", format!("[{rest}")))
}

pub(super) fn whole(text: &str, facts: &mut Facts) -> Seen {
    let answer = match tap::read(text) {
        Ok(answer) => answer,
        Err(kind) => {
            facts.finished = kind == Kind::Content;
            return Seen::plain(kind);
        }
    };
    if answer.has("error") {
        facts.error = Some(error::of_value(&answer));
        return Seen::plain(Kind::Failure);
    }
    if !answer.has("content") {
        return Seen::plain(Kind::Unknown);
    }
    take_usage(&answer, facts);
    facts.finished = true;
    facts.incomplete = is_incomplete(&answer);
    Seen { model: tap::place(text, &answer, &["model"]), ..Seen::plain(Kind::Content) }
}

pub(super) fn frame(event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
    let told = match tap::read(text) {
        Ok(told) => told,
        // OpenRouter ends this stream as it ends Chat's.
        Err(_) if text.trim() == "[DONE]" => return Seen::plain(Kind::Unknown),
        Err(kind) => return Seen::plain(kind),
    };
    match told.text("type").or(event).unwrap_or_default() {
        "message_start" => {
            told.get("message").into_iter().for_each(|message| take_usage(message, facts));
            Seen { model: tap::place(text, &told, &["message", "model"]), ..Seen::plain(Kind::Opening) }
        }
        "content_block_start" => Seen::plain(block_kind(&told)),
        "content_block_delta" => {
            let words = told.get("delta").and_then(|delta| WORDS.iter().find_map(|name| delta.get(name)));
            Seen { words: words.and_then(|words| tap::words(text, words)), ..Seen::plain(Kind::Content) }
        }
        "content_block_stop" => Seen::plain(Kind::Opening),
        "message_delta" => {
            take_usage(&told, facts);
            Seen::plain(message_delta(&told, facts))
        }
        "message_stop" => {
            facts.finished = true;
            Seen::plain(Kind::Last)
        }
        "ping" => Seen::plain(Kind::Beat),
        "error" => {
            facts.error = Some(error::of_value(&told));
            facts.finished = true;
            Seen::plain(Kind::Failure)
        }
        _ => Seen::plain(Kind::Unknown),
    }
}

/// What grows in a delta.
const WORDS: [&str; 3] = ["text", "thinking", "partial_json"];

/// The start of reasoning or of a call is news; the start of a text is not yet.
fn block_kind(told: &Tree<'_>) -> Kind {
    let is_text = told.get("content_block").is_some_and(|block| block.text("type") == Some("text"));
    if is_text { Kind::Opening } else { Kind::Content }
}

fn message_delta(told: &Tree<'_>, facts: &mut Facts) -> Kind {
    let Some(delta) = told.object("delta") else {
        return Kind::Broken;
    };
    if !delta.has("stop_reason") {
        return Kind::Usage;
    }
    facts.finished = true;
    facts.incomplete = is_incomplete(delta);
    Kind::End
}

fn is_incomplete(ended: &Tree<'_>) -> bool {
    matches!(ended.text("stop_reason"), Some("max_tokens" | "refusal" | "model_context_window_exceeded"))
}

fn take_usage(told: &Tree<'_>, facts: &mut Facts) {
    told.get("usage").into_iter().for_each(|counts| usage::take(&mut facts.usage, counts));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_tells_its_story() {
        let mut facts = Facts::default();
        let mut kind = |text: &str| frame(None, text, &mut facts).kind;
        let start = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,
            "cache_read_input_tokens":40,"cache_creation_input_tokens":10,"output_tokens":1}}}"#;
        assert_eq!(kind(start), Kind::Opening);
        assert_eq!(
            kind(r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#),
            Kind::Opening
        );
        assert_eq!(
            kind(r#"{"type":"content_block_start","content_block":{"type":"thinking"}}"#),
            Kind::Content
        );
        assert_eq!(kind(r#"{"type":"ping"}"#), Kind::Beat);
        assert_eq!(
            kind(r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}"#),
            Kind::Content
        );
        assert_eq!(
            kind(
                r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":7}}"#
            ),
            Kind::End
        );
        assert_eq!(kind(r#"{"type":"message_stop"}"#), Kind::Last);
        assert_eq!(kind(r#"{"type":"new_thing"}"#), Kind::Unknown);
        assert_eq!(frame(Some("ping"), "{}", &mut Facts::default()).kind, Kind::Beat);
        assert_eq!(kind("{"), Kind::Broken);
        assert!(facts.finished && facts.incomplete);
        assert_eq!((facts.usage.input, facts.usage.output), (Some(55), Some(7)));
    }

    #[test]
    fn an_error_event_has_the_status_of_its_type() {
        let mut facts = Facts::default();
        let text = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(frame(Some("error"), text, &mut facts).kind, Kind::Failure);
        assert_eq!(facts.error.unwrap().status, Some(529));
    }
}

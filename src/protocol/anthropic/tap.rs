//! What lies where in Messages requests, answers and events.

use crate::base::json::{Members, elements};
use crate::protocol::anthropic::usage;
use crate::protocol::error;
use crate::protocol::tap::{self, Ask, AskError, Facts, Kind, Seen, flag_field, inner_range, string_field};

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
    let Ok(members) = Members::read(text) else {
        return Seen::plain(Kind::Broken);
    };
    if members.has(text, "error") {
        facts.error = Some(error::read(text));
        return Seen::plain(Kind::Failure);
    }
    if !members.has(text, "content") {
        return Seen::plain(Kind::Unknown);
    }
    take_usage(members.get(text, "usage"), facts);
    facts.finished = true;
    facts.incomplete = is_incomplete(members.get(text, "stop_reason"));
    Seen { kind: Kind::Content, model: members.range(text, "model") }
}

pub(super) fn frame(event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
    let Ok(members) = Members::read(text) else {
        // OpenRouter ends this stream as it ends Chat's.
        let kind = if text.trim() == "[DONE]" { Kind::Unknown } else { Kind::Broken };
        return Seen::plain(kind);
    };
    let named = members.string(text, "type");
    match named.as_deref().or(event).unwrap_or_default() {
        "message_start" => {
            if let Some((inner, message)) = members.object(text, "message") {
                take_usage(message.get(inner, "usage"), facts);
            }
            Seen { kind: Kind::Opening, model: inner_range(text, &members, "message", "model") }
        }
        "content_block_start" => Seen::plain(block_kind(text, &members)),
        "content_block_delta" => Seen::plain(Kind::Content),
        "content_block_stop" => Seen::plain(Kind::Opening),
        "message_delta" => {
            take_usage(members.get(text, "usage"), facts);
            Seen::plain(message_delta(text, &members, facts))
        }
        "message_stop" => {
            facts.finished = true;
            Seen::plain(Kind::Last)
        }
        "ping" => Seen::plain(Kind::Beat),
        "error" => {
            facts.error = Some(error::read(text));
            facts.finished = true;
            Seen::plain(Kind::Failure)
        }
        _ => Seen::plain(Kind::Unknown),
    }
}

/// The start of reasoning or of a call is news; the start of a text is not yet.
fn block_kind(text: &str, members: &Members) -> Kind {
    let block = members.object(text, "content_block").and_then(|(inner, block)| block.string(inner, "type"));
    if block.as_deref() == Some("text") { Kind::Opening } else { Kind::Content }
}

fn message_delta(text: &str, members: &Members, facts: &mut Facts) -> Kind {
    let Some((inner, delta)) = members.object(text, "delta") else {
        return Kind::Broken;
    };
    if !delta.has(inner, "stop_reason") {
        return Kind::Usage;
    }
    facts.finished = true;
    facts.incomplete = is_incomplete(delta.get(inner, "stop_reason"));
    Kind::End
}

fn is_incomplete(reason: Option<&str>) -> bool {
    matches!(reason, Some("\"max_tokens\"" | "\"refusal\"" | "\"model_context_window_exceeded\""))
}

fn take_usage(text: Option<&str>, facts: &mut Facts) {
    text.into_iter().for_each(|text| usage::take(&mut facts.usage, text));
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

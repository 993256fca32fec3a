//! What lies where in Responses requests, answers and events.

use crate::base::json::Members;
use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::error::{self, ProviderError};
use crate::protocol::tap::{self, Ask, AskError, Facts, Kind, Seen, flag_field, string_field};

pub(super) fn request(text: &str, members: &Members) -> Result<Ask, AskError> {
    Ok(Ask {
        model: string_field(text, members, "model")?,
        stream: flag_field(text, members, "stream")?,
        wants_usage: true,
        session: tap::session(text, members),
    })
}

pub(super) fn whole(text: &str, facts: &mut Facts) -> Seen {
    let answer = match tap::read(text) {
        Ok(answer) => answer,
        Err(kind) => {
            facts.finished = kind == Kind::Content;
            return Seen::plain(kind);
        }
    };
    let status = answer.text("status");
    if status == Some("failed")
        || (answer.has("error") && !answer.has("id"))
        || (!answer.has("output") && error::is_bare(&answer))
    {
        facts.error = Some(error::of_value(&answer));
        return Seen::plain(Kind::Failure);
    }
    if !answer.has("output") {
        return Seen::plain(Kind::Unknown);
    }
    response(&answer, facts);
    facts.finished = true;
    facts.incomplete = status == Some("incomplete");
    Seen { model: tap::place(text, &answer, &["model"]), ..Seen::plain(Kind::Content) }
}

pub(super) fn frame(event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
    let told = match tap::read(text) {
        Ok(told) => told,
        // Some servers end the stream as Chat does.
        Err(_) if text.trim() == "[DONE]" => return Seen::plain(Kind::Last),
        Err(kind) => return Seen::plain(kind),
    };
    if let Some(number) = told.count("sequence_number") {
        facts.sequence = facts.sequence.max(number.saturating_add(1));
    }
    let answer = told.object("response");
    let kind = match told.text("type").or(event).unwrap_or_default() {
        "response.created" | "response.in_progress" | "response.queued" => Kind::Opening,
        "response.output_item.added" => item_kind(&told),
        "response.content_part.added" | "response.reasoning_summary_part.added" => Kind::Opening,
        "response.completed" => Kind::Last,
        "response.incomplete" => {
            facts.incomplete = true;
            Kind::Last
        }
        "response.failed" => {
            facts.finished = true;
            failure(answer, facts)
        }
        "error" | "response.error" => Kind::Failure,
        "keepalive" | "ping" => Kind::Beat,
        name if name.starts_with("response.") => Kind::Content,
        _ if told.has("error") => Kind::Failure,
        // Events have a dot in their names.
        name if !name.contains('.') && error::is_bare(&told) => Kind::Failure,
        _ => Kind::Unknown,
    };
    if kind == Kind::Failure {
        facts.error = Some(error::of_value(answer.unwrap_or(&told)));
    }
    match answer {
        Some(answer) => response(answer, facts),
        None if kind == Kind::Last => return Seen::plain(Kind::Broken),
        None => {}
    }
    facts.finished |= kind == Kind::Last;
    Seen { model: tap::place(text, &told, &["response", "model"]), ..Seen::plain(kind) }
}

/// An answer that failed. Azure says why in an event of its own, which follows.
fn failure(answer: Option<&Tree<'_>>, facts: &mut Facts) -> Kind {
    if answer.is_none_or(|answer| answer.has("error")) {
        return Kind::Failure;
    }
    let message = "the answer failed, and nothing says why".to_owned();
    facts.error = Some(ProviderError { message, ..ProviderError::default() });
    Kind::Unknown
}

/// The start of reasoning or of a call is news; the start of a message is not yet.
fn item_kind(told: &Tree<'_>) -> Kind {
    let is_message = told.get("item").is_some_and(|item| item.text("type") == Some("message"));
    if is_message { Kind::Opening } else { Kind::Content }
}

fn response(answer: &Tree<'_>, facts: &mut Facts) {
    if facts.id.is_none() {
        facts.id = answer.text("id").map(str::to_owned);
    }
    if let Some(usage) = answer.get("usage").and_then(usage) {
        facts.usage = usage;
    }
}

/// The counts of a usage.
pub(super) fn usage(usage: &Tree<'_>) -> Option<Usage> {
    usage.counts(COUNTS).map(in_neutral_words)
}

const COUNTS: [&str; 5] = [
    "input_tokens",
    "output_tokens",
    "input_tokens_details.cached_tokens",
    "input_tokens_details.cache_write_tokens",
    "output_tokens_details.reasoning_tokens",
];

fn in_neutral_words([input, output, cached, cache_write, reasoning]: [Option<u64>; 5]) -> Usage {
    Usage { input, cached, cache_write, output, reasoning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: Kind) -> Facts {
        let mut facts = Facts::default();
        assert_eq!(frame(None, text, &mut facts).kind, kind, "{text}");
        facts
    }

    #[test]
    fn events_are_told_apart() {
        let facts = check(
            r#"{"type":"response.created","sequence_number":0,"response":{"id":"r1","model":"m","usage":null}}"#,
            Kind::Opening,
        );
        assert_eq!((facts.id.as_deref(), facts.sequence), (Some("r1"), 1));
        check(r#"{"type":"response.output_item.added","item":{"type":"message"}}"#, Kind::Opening);
        check(r#"{"type":"response.output_item.added","item":{"type":"function_call"}}"#, Kind::Content);
        check(r#"{"type":"response.output_text.delta","delta":"x"}"#, Kind::Content);
        check(r#"{"type":"keepalive","sequence_number":3}"#, Kind::Beat);
        check(r#"{"type":"codex.rate_limits","detail":"x"}"#, Kind::Unknown);
        for failure in [
            r#"{"type":"response.error","code":"x","message":"m"}"#,
            r#"{"error":{"message":"m"}}"#,
            r#"{"detail":"m"}"#,
            r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#,
        ] {
            assert_eq!(check(failure, Kind::Failure).error.unwrap().message, "m");
        }
        // Azure: the event after it tells.
        let silent = r#"{"type":"response.failed","response":{"status":"failed","error":null}}"#;
        assert!(check(silent, Kind::Unknown).error.is_some());
        check(r#"{"type":"response.completed"}"#, Kind::Broken);
        let facts = check(
            r#"{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"m"}}}"#,
            Kind::Failure,
        );
        assert_eq!(facts.error.unwrap().status, Some(500));
        let facts = check(
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#,
            Kind::Failure,
        );
        assert_eq!(facts.error.unwrap().status, Some(429));
    }

    #[test]
    fn the_end_tells_the_usage() {
        let text = r#"{"type":"response.incomplete","response":{"id":"r","model":"m","output":[],
            "usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,
            "output_tokens_details":{"reasoning_tokens":2}}}}"#;
        let mut facts = Facts::default();
        let seen = frame(None, text, &mut facts);
        assert_eq!(&text[seen.model.unwrap()], "\"m\"");
        assert!(facts.finished && facts.incomplete);
        assert_eq!(
            (facts.usage.input, facts.usage.cached, facts.usage.reasoning),
            (Some(9), Some(4), Some(2))
        );
    }
}

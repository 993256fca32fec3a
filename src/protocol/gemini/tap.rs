//! What lies where in Gemini answers and chunks.

use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::error;
use crate::protocol::tap::{self, Facts, Kind, Seen};

pub(super) fn whole(text: &str, facts: &mut Facts) -> Seen {
    let seen = frame(text, facts);
    facts.finished |= matches!(seen.kind, Kind::Content | Kind::Opening | Kind::End | Kind::Usage);
    seen
}

pub(super) fn frame(text: &str, facts: &mut Facts) -> Seen {
    let chunk = match tap::read(text) {
        Ok(chunk) => chunk,
        Err(kind) => return Seen::plain(kind),
    };
    if chunk.has("error") {
        facts.error = Some(error::of_value(&chunk));
        facts.finished = true;
        return Seen::plain(Kind::Failure);
    }
    let usage = chunk.get("usageMetadata").and_then(|usage| usage.counts(COUNTS));
    usage.into_iter().for_each(|later| update(&mut facts.usage, later));
    let candidates = match chunk.get("candidates") {
        None | Some(Tree::Null) => [].as_slice(),
        Some(Tree::List(candidates)) if candidates.iter().all(is_candidate) => candidates,
        Some(_) => return Seen::plain(Kind::Broken),
    };
    let kind = if candidates.iter().any(|candidate| ends(candidate, facts)) {
        Kind::End
    } else if candidates.iter().flat_map(parts).any(says_something) {
        Kind::Content
    } else if !candidates.is_empty() {
        Kind::Opening
    } else if chunk.get("promptFeedback").is_some_and(|feedback| feedback.has("blockReason")) {
        facts.finished = true;
        facts.incomplete = true;
        Kind::End
    } else if usage.is_some() {
        Kind::Usage
    } else {
        Kind::Unknown
    };
    let words = match candidates {
        [only] if kind == Kind::Content => match parts(only) {
            [part] => part.get("text"),
            _ => None,
        },
        _ => None,
    };
    Seen {
        kind,
        model: tap::place(text, &chunk, &["modelVersion"]),
        words: words.and_then(|words| tap::words(text, words)),
    }
}

/// An object with a content that has parts, and a reason that is a text, if it has them.
fn is_candidate(candidate: &Tree<'_>) -> bool {
    let is_reason = |reason: &Tree<'_>| matches!(reason, Tree::Null | Tree::Text(_));
    let has_parts = |content: &Tree<'_>| match content {
        Tree::Null => true,
        Tree::Object(_) => matches!(content.get("parts"), None | Some(Tree::Null | Tree::List(_))),
        Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => false,
    };
    candidate.is_object()
        && candidate.get("finishReason").is_none_or(is_reason)
        && candidate.get("content").is_none_or(has_parts)
}

fn parts<'c, 't>(candidate: &'c Tree<'t>) -> &'c [Tree<'t>] {
    candidate.get("content").and_then(|content| content.list("parts")).unwrap_or_default()
}

fn ends(candidate: &Tree<'_>, facts: &mut Facts) -> bool {
    let reason = candidate.text("finishReason").unwrap_or_default();
    if matches!(reason, "" | "FINISH_REASON_UNSPECIFIED") {
        return false;
    }
    facts.finished = true;
    facts.incomplete |= reason != "STOP";
    true
}

/// Is a part more than an empty text?
fn says_something(part: &Tree<'_>) -> bool {
    match part {
        Tree::Object(members) => match members.as_slice() {
            [] => false,
            [(name, value)] => name != "text" || value.as_text() != Some(""),
            [_, ..] => true,
        },
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => true,
    }
}

/// What a later usage says replaces what it repeats.
pub(super) fn take_usage(known: &mut Usage, usage: &Tree<'_>) {
    usage.counts(COUNTS).into_iter().for_each(|later| update(known, later));
}

const COUNTS: [&str; 5] = [
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
];

/// Thoughts are counted apart from the words, and may be told in an earlier chunk alone.
fn update(known: &mut Usage, [prompt, tool_use, cached, candidates, thoughts]: [Option<u64>; 5]) {
    let sum = |a: Option<u64>, b: Option<u64>| {
        (a.is_some() || b.is_some()).then(|| a.unwrap_or(0).saturating_add(b.unwrap_or(0)))
    };
    let words = known.output.map(|sum| sum.saturating_sub(known.reasoning.unwrap_or(0)));
    known.input = sum(prompt, tool_use).or(known.input);
    known.cached = cached.or(known.cached);
    known.reasoning = thoughts.or(known.reasoning);
    known.output = sum(candidates.or(words), known.reasoning);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: Kind) -> Facts {
        let mut facts = Facts::default();
        assert_eq!(frame(text, &mut facts).kind, kind, "{text}");
        facts
    }

    #[test]
    fn chunks_are_told_apart() {
        check(
            r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}"#,
            Kind::Opening,
        );
        check(r#"{"candidates":[{"content":{"parts":[{"text":"x"}],"role":"model"}}]}"#, Kind::Content);
        check(
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s"}]}}]}"#,
            Kind::Content,
        );
        check(r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}"#, Kind::Content);
        assert!(check(r#"{"candidates":[{"content":{},"finishReason":"STOP"}]}"#, Kind::End).finished);
        assert!(check(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, Kind::End).incomplete);
        check(r#"{"candidates":"x"}"#, Kind::Broken);
        check(r#"{"candidates":[{"content":{"parts":3}}]}"#, Kind::Broken);
        let twice = r#"{"candidates":[{"content":{"parts":[]},"content":{"parts":[{"text":"x"}]}}]}"#;
        check(twice, Kind::Content);
        check(r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#, Kind::Failure);
    }

    #[test]
    fn thoughts_are_output() {
        let text = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,
            "candidatesTokenCount":5,"thoughtsTokenCount":2}}"#;
        let usage = check(text, Kind::Usage).usage;
        assert_eq!((usage.input, usage.output, usage.reasoning), (Some(9), Some(7), Some(2)));
    }
}

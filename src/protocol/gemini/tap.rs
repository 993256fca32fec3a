//! What lies where in Gemini answers and chunks.

use crate::base::counts::counts;
use crate::base::json::{Members, elements};
use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::error;
use crate::protocol::tap::{Facts, Kind, Seen, objects, string_field};

pub(super) fn whole(text: &str, facts: &mut Facts) -> Seen {
    let seen = frame(text, facts);
    facts.finished |= matches!(seen.kind, Kind::Content | Kind::Opening | Kind::End | Kind::Usage);
    seen
}

pub(super) fn frame(text: &str, facts: &mut Facts) -> Seen {
    let Ok(members) = Members::read(text) else {
        return Seen::plain(Kind::Broken);
    };
    if members.has(text, "error") {
        facts.error = Some(error::read(text));
        facts.finished = true;
        return Seen::plain(Kind::Failure);
    }
    let usage = members.get(text, "usageMetadata").and_then(|usage| counts(usage, COUNTS));
    usage.into_iter().for_each(|later| update(&mut facts.usage, later));
    let blocked = members
        .object(text, "promptFeedback")
        .is_some_and(|(inner, feedback)| feedback.has(inner, "blockReason"));
    let candidates = members.get(text, "candidates").map(Candidate::list);
    let kind = match candidates {
        Some(None) => Kind::Broken,
        Some(Some(candidates)) if !candidates.is_empty() => {
            if candidates.iter().any(|candidate| candidate.ends(facts)) {
                Kind::End
            } else if candidates.iter().any(Candidate::says_something) {
                Kind::Content
            } else {
                Kind::Opening
            }
        }
        _ if blocked => {
            facts.finished = true;
            facts.incomplete = true;
            Kind::End
        }
        _ if usage.is_some() => Kind::Usage,
        _ => Kind::Unknown,
    };
    Seen { kind, model: members.range(text, "modelVersion") }
}

/// One of the answers.
struct Candidate<'a> {
    parts: Vec<&'a str>,
    finish_reason: Option<String>,
}

impl<'a> Candidate<'a> {
    /// Those of a chunk; `None` when they are not what they must be.
    fn list(text: &'a str) -> Option<Vec<Self>> {
        objects(text)?.iter().map(|members| Self::read(text, members)).collect()
    }

    /// Reads one, which lies in the text of all of them.
    fn read(text: &'a str, members: &Members) -> Option<Self> {
        let is_there = |value: &&str| *value != "null";
        let mut parts = Vec::new();
        if let Some(content) = members.get(text, "content").filter(is_there) {
            let inner = Members::read(content).ok()?;
            if let Some(list) = inner.get(content, "parts").filter(is_there) {
                parts.extend(elements(list).ok()?.into_iter().filter_map(|place| list.get(place)));
            }
        }
        Some(Self { parts, finish_reason: string_field(text, members, "finishReason").ok()? })
    }

    fn ends(&self, facts: &mut Facts) -> bool {
        let Some(reason) =
            self.finish_reason.as_deref().filter(|reason| *reason != "FINISH_REASON_UNSPECIFIED")
        else {
            return false;
        };
        facts.finished = true;
        facts.incomplete |= reason != "STOP";
        true
    }

    fn says_something(&self) -> bool {
        self.parts.iter().any(|part| *part != "{}" && !is_empty_text(part))
    }
}

fn is_empty_text(part: &str) -> bool {
    let Ok(members) = Members::read(part) else {
        return false;
    };
    members.get(part, "text") == Some("\"\"") && members.iter(part).count() == 1
}

/// What a later usage, that was read already, says replaces what it repeats.
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

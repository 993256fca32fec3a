//! What lies where in Chat requests, answers and chunks.

use crate::base::counts::counts;
use crate::base::json::Members;
use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::error::{self, ProviderError};
use crate::protocol::tap::{self, Ask, AskError, Facts, Kind, Seen, flag_field, objects, string_field};

pub(super) fn request(text: &str, members: &Members) -> Result<Ask, AskError> {
    let options = members.object(text, "stream_options");
    Ok(Ask {
        model: string_field(text, members, "model")?,
        stream: flag_field(text, members, "stream")?,
        wants_usage: options
            .is_some_and(|(inner, options)| options.get(inner, "include_usage") == Some("true")),
        session: tap::session(text, members),
    })
}

pub(super) fn whole(text: &str, facts: &mut Facts) -> Seen {
    let seen = chunk(text, facts);
    // A whole answer is at its end, whatever its choices say.
    if matches!(seen.kind, Kind::Content | Kind::Opening | Kind::End | Kind::Usage) {
        facts.finished = true;
    }
    seen
}

pub(super) fn frame(event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
    if text.trim() == "[DONE]" {
        facts.finished = true;
        return Seen::plain(Kind::Last);
    }
    let seen = chunk(text, facts);
    // Chat names no events, but for what breaks them off.
    if event == Some("error") && seen.kind != Kind::Failure {
        return unseen(error::read(text), facts);
    }
    seen
}

/// An error that OpenAI's SDKs know.
fn fails(error: ProviderError, facts: &mut Facts) -> Seen {
    facts.error = Some(error);
    facts.finished = true;
    Seen::plain(Kind::Failure)
}

/// One that they do not: they look for the member `error` of a chunk.
fn unseen(error: ProviderError, facts: &mut Facts) -> Seen {
    facts.is_unseen = true;
    fails(error, facts)
}

fn chunk(text: &str, facts: &mut Facts) -> Seen {
    let Ok(members) = Members::read(text) else {
        return Seen::plain(Kind::Broken);
    };
    if members.has(text, "error") {
        return fails(error::read(text), facts);
    }
    if !members.has(text, "choices") && error::is_bare(text, &members) {
        return unseen(error::read(text), facts);
    }
    let choices = members.get(text, "choices").map(Choice::list);
    let all = || choices.iter().flatten().flatten();
    if let Some(error) = all().find_map(Choice::failure) {
        return unseen(error, facts);
    }
    // Moonshot counts in the choice.
    let counted = members.get(text, "usage").or_else(|| all().find_map(|choice| choice.get("usage")));
    let usage = counted.and_then(usage);
    if let Some(usage) = usage {
        facts.usage = usage;
    }
    let kind = match choices {
        Some(Some(choices)) if choices.is_empty() && usage.is_some() => Kind::Usage,
        Some(Some(choices)) => {
            choices.iter().map(|choice| choice.kind(facts)).max_by_key(rank).unwrap_or(Kind::Opening)
        }
        Some(None) => Kind::Broken,
        None if usage.is_some() => Kind::Usage,
        None => Kind::Unknown,
    };
    Seen { kind, model: members.range(text, "model") }
}

/// Of several choices the one that has gone farthest tells what the chunk is.
fn rank(kind: &Kind) -> u8 {
    match kind {
        Kind::End => 2,
        Kind::Content => 1,
        _ => 0,
    }
}

/// One of the answers, where it lies in the text of all of them.
struct Choice<'a> {
    text: &'a str,
    members: Members,
    finish_reason: Option<String>,
}

/// Why an answer that ends for that reason is none: the provider failed at it.
pub(super) fn failure(reason: &str) -> Option<&'static str> {
    match reason {
        // OpenRouter
        "error" => Some(r#"{"message":"the provider failed in the midst of its answer","code":502}"#),
        // DeepSeek
        "insufficient_system_resource" => {
            Some(r#"{"message":"the provider has not the resources to end its answer","code":503}"#)
        }
        // Z.ai
        "network_error" | "abort" => Some(r#"{"message":"the provider broke off its answer","code":502}"#),
        _ => None,
    }
}

impl<'a> Choice<'a> {
    /// Those of a chunk; `None` when they are not what they must be.
    fn list(text: &'a str) -> Option<Vec<Self>> {
        objects(text)?.into_iter().map(|members| Self::read(text, members)).collect()
    }

    fn read(text: &'a str, members: Members) -> Option<Self> {
        let finish_reason = string_field(text, &members, "finish_reason").ok()?;
        Some(Self { text, members, finish_reason })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.members.get(self.text, name).filter(|value| *value != "null")
    }

    fn failure(&self) -> Option<ProviderError> {
        let told = self.get("error").filter(|error| !matches!(*error, "{}" | "\"\"" | "false"));
        told.or_else(|| failure(self.finish_reason.as_deref()?)).map(error::read)
    }

    fn kind(&self, facts: &mut Facts) -> Kind {
        if let Some(reason) = self.finish_reason.as_deref() {
            facts.finished = true;
            facts.incomplete |= matches!(reason, "length" | "content_filter");
            return Kind::End;
        }
        let spoken = ["delta", "message"].into_iter().any(|name| self.get(name).is_some_and(says_something));
        // Of the older `/completions`.
        let goes_on = self.get("text").is_some_and(|text| text != "\"\"");
        if spoken || goes_on { Kind::Content } else { Kind::Opening }
    }
}

/// Has a delta anything but a role and empty values?
fn says_something(delta: &str) -> bool {
    let Ok(members) = Members::read(delta) else {
        return false;
    };
    let empty = |value: &str| matches!(value, "null" | "\"\"" | "[]" | "{}");
    members.iter(delta).any(|(name, value)| name != "role" && !delta.get(value).is_some_and(empty))
}

/// The counts in the text of a usage.
pub(super) fn usage(text: &str) -> Option<Usage> {
    counts(text, COUNTS).map(in_neutral_words)
}

/// The same of what was read already.
pub(super) fn usage_of(usage: &Tree<'_>) -> Option<Usage> {
    usage.counts(COUNTS).map(in_neutral_words)
}

const COUNTS: [&str; 8] = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_cache_hit_tokens",
    "prompt_tokens_details.cached_tokens",
    "prompt_tokens_details.cache_write_tokens",
    "completion_tokens_details.reasoning_tokens",
    "cached_tokens",
];

/// xAI counts reasoning beside `completion_tokens`, everybody else among them: the sum tells.
fn in_neutral_words(counts: [Option<u64>; 8]) -> Usage {
    let [input, output, total, hit, cached, cache_write, reasoning, moonshot] = counts;
    let both = output.zip(reasoning).map(|(output, reasoning)| output.saturating_add(reasoning));
    let sum = both.zip(input).map(|(both, input)| both.saturating_add(input));
    let output = if sum.is_some() && sum == total { both } else { output };
    Usage { input, cached: cached.or(hit).or(moonshot), cache_write, output, reasoning }
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
    fn chunks_are_told_apart() {
        check(
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}"#,
            Kind::Opening,
        );
        check(r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#, Kind::Content);
        check(r#"{"choices":[{"delta":{"reasoning_content":"x"}}]}"#, Kind::Content);
        check(r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, Kind::Content);
        assert!(check(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Kind::End).finished);
        assert!(check(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#, Kind::End).incomplete);
        assert!(check("[DONE]", Kind::Last).finished);
        check(r#"{"choices":[{"delta":{},"delta":{"content":"x"},"finish_reason":null}]}"#, Kind::Content);
        check(r#"{"choices":[],"prompt_filter_results":[]}"#, Kind::Opening);
        check(r#"{"choices":null,"x":1}"#, Kind::Opening);
        check("{\"choices\":[{\"delta\":", Kind::Broken);
        check(r#"{"choices":3}"#, Kind::Broken);
        check(r#"{"x":1}"#, Kind::Unknown);
        for failure in [
            r#"{"error":{"message":"m","code":503}}"#,
            r#"{"object":"error","message":"m","type":"InternalServerError","code":503}"#,
            r#"{"message":"m","code":503}"#,
            r#"{"code":503,"msg":"m","success":false}"#,
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error","error":{"code":503,"message":"m"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
        ] {
            assert_eq!(check(failure, Kind::Failure).error.unwrap().status, Some(503));
        }
        for (failure, message) in [
            (r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"m"}}"#, "m"),
            (r#"{"error_code":17,"error_msg":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"{"detail":[{"loc":["body"],"msg":"m","type":"value_error"}]}"#, "body: m"),
            (r#"{"success":false,"errors":[{"code":3,"message":"m"}],"result":null}"#, "m"),
            (r#"{"choices":[{"finish_reason":"error"}]}"#, "the provider failed in the midst of its answer"),
            (r#"{"choices":[{"finish_reason":"abort"}]}"#, "the provider broke off its answer"),
            (r#"{"choices":[{"finish_reason":"network_error"}]}"#, "the provider broke off its answer"),
        ] {
            assert_eq!(check(failure, Kind::Failure).error.unwrap().message, message);
        }
        check(r#"{"message":"m","type":"notice","code":7}"#, Kind::Unknown);
        check(r#"{"success":true,"errors":[],"detail":null}"#, Kind::Unknown);
        let mut facts = Facts::default();
        assert_eq!(frame(Some("error"), r#"{"message":"m"}"#, &mut facts).kind, Kind::Failure);
        assert_eq!(facts.error.unwrap().message, "m");
        let good = r#"{"choices":[{"delta":{"content":"x"}}],"base_resp":{"status_code":0,"status_msg":""}}"#;
        check(good, Kind::Content);
        check(r#"{"choices":null,"base_resp":{"status_code":0}}"#, Kind::Opening);
        for error in ["null", "{}", "\"\"", "false"] {
            check(
                &format!(r#"{{"choices":[{{"delta":{{"content":"x"}},"error":{error}}}]}}"#),
                Kind::Content,
            );
        }
    }

    #[test]
    fn usage_is_read_in_both_dialects() {
        let text = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,
            "prompt_cache_hit_tokens":4,"completion_tokens_details":{"reasoning_tokens":2}}}"#;
        let usage = check(text, Kind::Usage).usage;
        assert_eq!(
            (usage.input, usage.cached, usage.output, usage.reasoning),
            (Some(9), Some(4), Some(5), Some(2))
        );
    }

    #[test]
    fn moonshot_counts_in_the_choice() {
        let text = r#"{"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":8,
            "completion_tokens":3,"total_tokens":11,"cached_tokens":4}}]}"#;
        let usage = check(text, Kind::End).usage;
        assert_eq!((usage.input, usage.cached, usage.output), (Some(8), Some(4), Some(3)));
    }

    #[test]
    fn reasoning_beside_the_answer_is_part_of_the_output() {
        for (completion, total, output) in [(14, 374, 39), (14, 349, 14), (39, 374, 39)] {
            let text = format!(
                r#"{{"choices":[],"usage":{{"prompt_tokens":335,"completion_tokens":{completion},
                    "total_tokens":{total},"completion_tokens_details":{{"reasoning_tokens":25}}}}}}"#
            );
            let usage = check(&text, Kind::Usage).usage;
            assert_eq!((usage.output, usage.reasoning), (Some(output), Some(25)), "{text}");
        }
    }

    #[test]
    fn a_request_is_asked_only_what_it_says() {
        let read = |text: &str| request(text, &Members::read(text).unwrap());
        let ask = read(r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#).unwrap();
        assert!(ask.stream && ask.wants_usage && ask.model.as_deref() == Some("m"));
        assert_eq!(read(r#"{"model":null}"#).unwrap(), Ask::default());
        assert_eq!(read(r#"{"model":7}"#).unwrap_err().field, "model");
        assert_eq!(read(r#"{"stream":"yes"}"#).unwrap_err().field, "stream");
    }
}

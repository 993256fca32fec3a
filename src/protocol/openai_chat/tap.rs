//! What lies where in Chat requests, answers and chunks.

use crate::base::json::Members;
use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::error::{self, ProviderError};
use crate::protocol::tap::{self, Ask, AskError, Facts, Kind, Seen, flag_field, string_field};

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
    let chunk = match tap::read(text) {
        Ok(chunk) => chunk,
        Err(kind) => return Seen::plain(kind),
    };
    if chunk.has("error") {
        return fails(error::of_value(&chunk), facts);
    }
    if !chunk.has("choices") && error::is_bare(&chunk) {
        return unseen(error::of_value(&chunk), facts);
    }
    let choices = match chunk.get("choices") {
        None => None,
        Some(Tree::Null) => Some([].as_slice()),
        Some(Tree::List(choices)) if choices.iter().all(is_choice) => Some(choices.as_slice()),
        Some(_) => return Seen::plain(Kind::Broken),
    };
    let all = || choices.into_iter().flatten();
    if let Some(error) = all().find_map(failure_in) {
        return unseen(error, facts);
    }
    // Moonshot counts in the choice.
    let usage = [&chunk].into_iter().chain(all()).find_map(|place| usage(place.get("usage")?));
    if let Some(usage) = usage {
        facts.usage = usage;
    }
    let kind = match choices {
        Some([]) | None if usage.is_some() => Kind::Usage,
        None => Kind::Unknown,
        Some(choices) => {
            choices.iter().map(|choice| kind(choice, facts)).max_by_key(rank).unwrap_or(Kind::Opening)
        }
    };
    let words = match choices {
        Some([only]) if kind == Kind::Content => only.get("delta").and_then(|delta| delta.get("content")),
        Some(_) | None => None,
    };
    Seen {
        kind,
        model: tap::place(text, &chunk, &["model"]),
        words: words.and_then(|words| tap::words(text, words)),
    }
}

/// Of several choices the one that has gone farthest tells what the chunk is.
fn rank(kind: &Kind) -> u8 {
    match kind {
        Kind::End => 2,
        Kind::Content => 1,
        _ => 0,
    }
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

/// An object whose finish reason, if it has one, is a text.
fn is_choice(choice: &Tree<'_>) -> bool {
    let is_reason = |reason: &Tree<'_>| matches!(reason, Tree::Null | Tree::Text(_));
    choice.is_object() && choice.get("finish_reason").is_none_or(is_reason)
}

fn finish_reason<'c>(choice: &'c Tree<'_>) -> Option<&'c str> {
    choice.text("finish_reason").filter(|reason| !reason.is_empty())
}

fn failure_in(choice: &Tree<'_>) -> Option<ProviderError> {
    match choice.get("error") {
        Some(error) if !error.is_empty() && *error != Tree::Bool(false) => Some(error::of_value(error)),
        Some(_) | None => failure(finish_reason(choice)?).map(error::read),
    }
}

fn kind(choice: &Tree<'_>, facts: &mut Facts) -> Kind {
    if let Some(reason) = finish_reason(choice) {
        facts.finished = true;
        facts.incomplete |= matches!(reason, "length" | "content_filter");
        return Kind::End;
    }
    let spoken = ["delta", "message"].into_iter().any(|name| choice.get(name).is_some_and(says_something));
    // Of the older `/completions`.
    let goes_on = choice.get("text").is_some_and(|text| !text.is_empty());
    if spoken || goes_on { Kind::Content } else { Kind::Opening }
}

/// Has a delta anything but a role and empty values?
fn says_something(delta: &Tree<'_>) -> bool {
    match delta {
        Tree::Object(members) => members.iter().any(|(name, value)| name != "role" && !value.is_empty()),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => false,
    }
}

/// The counts of a usage.
pub(super) fn usage(usage: &Tree<'_>) -> Option<Usage> {
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

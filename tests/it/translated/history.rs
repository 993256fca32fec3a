//! The history of a conversation gives the same bytes in every turn, which the providers' prompt
//! caches need (SPEC 8.8).

use llmgate::protocol::Protocol;
use serde_json::Value;

use crate::support::crossing::{self, pairs};
use crate::support::fixtures;

/// Where a protocol's request holds its conversation, and what a target's cache holds before it.
fn places(protocol: Protocol) -> (&'static str, &'static [&'static str]) {
    match protocol {
        Protocol::OpenaiChat => ("messages", &["tools"]),
        Protocol::OpenaiResponses => ("input", &["instructions", "tools", "prompt_cache_key"]),
        Protocol::Anthropic => ("messages", &["system", "tools"]),
        Protocol::Gemini => ("contents", &["systemInstruction", "tools"]),
    }
}

/// Did the model make this turn or item?
fn is_models(entry: &Value) -> bool {
    let by_role = matches!(entry["role"].as_str(), Some("assistant" | "model"));
    let kind = entry["type"].as_str().unwrap_or_default();
    by_role || kind == "reasoning" || kind.ends_with("_call")
}

/// The earlier requests of a conversation: one for each answer of the model that is in it.
fn earlier(protocol: Protocol, request: &Value) -> Vec<Value> {
    let (field, _) = places(protocol);
    let Some(entries) = request[field].as_array() else { return Vec::new() };
    let answers = (1..entries.len()).filter(|at| is_models(&entries[*at]) && !is_models(&entries[at - 1]));
    answers
        .map(|at| {
            let mut before = request.clone();
            before[field] = entries[..at].to_vec().into();
            before
        })
        .collect()
}

/// Cache marks move on with the conversation; that is what they are for.
fn without_marks(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.remove("cache_control");
            map.values_mut().for_each(|inner| *inner = without_marks(inner.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| *inner = without_marks(inner.take())),
        _ => {}
    }
    value
}

fn carried(from: Protocol, to: Protocol, request: &Value) -> Value {
    let (body, _) = crossing::carry(from, to, &request.to_string());
    without_marks(serde_json::from_str(&body).unwrap())
}

/// Two turns of one session as its agent sent them, the earlier one first.
const SESSIONS: [(Protocol, &str, &str); 6] = [
    (Protocol::Anthropic, "claude_code_first_turn", "claude_code_system_turn"),
    (Protocol::OpenaiResponses, "codex_additional_tools_first_turn", "codex_additional_tools"),
    (Protocol::OpenaiResponses, "codex_namespace_first_turn", "codex_namespace"),
    (Protocol::Gemini, "gemini_cli_first_turn", "gemini_cli_tool"),
    (Protocol::OpenaiChat, "opencode_reasoning_first_turn", "opencode_reasoning"),
    (Protocol::OpenaiChat, "qwen_first_turn", "qwen_parallel_reasoning"),
];

#[test]
fn agents_next_turns_begin_with_the_bytes_of_the_first() {
    for (from, first, second) in SESSIONS {
        let all = fixtures::all("requests", from.name());
        let named = |name: &str| -> Value {
            let fixture = all.iter().find(|fixture| fixture.case == name);
            serde_json::from_str(&fixture.unwrap_or_else(|| panic!("no {name}")).text).unwrap()
        };
        for to in Protocol::ALL {
            let (first, second) = (carried(from, to, &named(first)), carried(from, to, &named(second)));
            begins_with(&first, &second, to, &format!("{} to {}", from.name(), to.name()));
        }
    }
}

/// Does a later request begin with all of an earlier one?
#[track_caller]
fn begins_with(first: &Value, second: &Value, to: Protocol, place: &str) {
    let (field, heads) = places(to);
    for head in heads {
        assert_eq!(first[head], second[head], "{place}: {head}");
    }
    let (was, is) = (first[field].to_string(), second[field].to_string());
    assert!(was != is && is.starts_with(was.trim_end_matches(']')), "{place}\n{was}\n{is}");
}

#[test]
fn a_later_turn_begins_with_the_bytes_of_the_earlier_ones() {
    let mut compared = 0;
    for (from, to) in pairs() {
        for fixture in fixtures::all("requests", from.name()) {
            let request: Value = serde_json::from_str(&fixture.text).unwrap();
            let whole = carried(from, to, &request);
            for before in earlier(from, &request) {
                let place = format!("{} to {}", fixture.name, to.name());
                let before = carried(from, to, &before);
                let (field, heads) = places(to);
                // Without tools, those that the history calls are declared for Anthropic.
                let offers = !request["tools"].is_null();
                for head in heads.iter().copied().filter(|head| offers || *head != "tools") {
                    let (was, is) = (before[head].to_string(), whole[head].to_string());
                    // Tools that a search finds later are added behind the others.
                    let grown = fixture.text.contains("defer_loading");
                    let begins = is.starts_with(was.trim_end_matches("]}]").trim_end_matches(']'));
                    assert!(was == is || (grown && begins), "{place}: {head}\n{was}\n{is}");
                }
                let (was, is) = (before[field].to_string(), whole[field].to_string());
                assert!(is.starts_with(was.trim_end_matches(']')), "{place}: {field}\n{was}\n{is}");
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    for (from, to) in pairs() {
        for fixture in fixtures::all("requests", from.name()) {
            let (first, _) = crossing::carry(from, to, &fixture.text);
            let (second, _) = crossing::carry(from, to, &fixture.text);
            assert_eq!(first, second, "{} to {}", fixture.name, to.name());
        }
    }
}

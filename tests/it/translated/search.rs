//! A vendor's web search at a target of another vendor (SPEC 8.5): offered where the target is known
//! to have one of its own, told as a loss elsewhere.

use llmgate::ir::loss::{Losses, Severity};
use llmgate::protocol::Protocol;
use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use llmgate::protocol::dialect::Dialect;
use serde_json::{Value, json};

use crate::support::crossing::{dialect, read, write_for};

/// A request of a protocol with these tools.
fn request(from: Protocol, tools: &Value) -> Value {
    match from {
        C => {
            json!({"messages": [{"role": "user", "content": "ping"}], "tools": tools, "web_search_options": {}})
        }
        R => json!({"input": "ping", "tools": tools}),
        A => json!({"max_tokens": 99, "messages": [{"role": "user", "content": "ping"}], "tools": tools}),
        G => json!({"contents": [{"parts": [{"text": "ping"}]}], "tools": tools}),
    }
}

/// The search as a protocol's clients offer it; Chat's is no tool.
fn offered(from: Protocol) -> Vec<Value> {
    match from {
        C => vec![],
        R => vec![json!({"type": "web_search", "external_web_access": true, "search_context_size": "low"})],
        A => vec![json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8})],
        G => vec![json!({"googleSearch": {}})],
    }
}

/// The same at a target.
fn declared(to: Protocol) -> Value {
    match to {
        C => Value::Null,
        R => json!({"type": "web_search"}),
        A => json!({"type": "web_search_20250305", "name": "web_search"}),
        G => json!({"googleSearch": {}}),
    }
}

fn function(from: Protocol) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    match from {
        C => json!({"type": "function", "function": {"name": "f", "parameters": schema}}),
        R => json!({"type": "function", "name": "f", "parameters": schema}),
        A => json!({"name": "f", "input_schema": schema}),
        G => json!({"functionDeclarations": [{"name": "f", "parameters": schema}]}),
    }
}

/// The tools that a target gets, and what was lost.
fn carry(from: Protocol, to: Protocol, asked: &Value, search: bool) -> (Vec<Value>, Losses) {
    let (request, mut losses) = read(from, &asked.to_string());
    let (body, lost) = write_for(&request, to, &Dialect { search, ..dialect(to) });
    losses.append(lost);
    let body: Value = serde_json::from_str(&body).unwrap();
    (body["tools"].as_array().cloned().unwrap_or_default(), losses)
}

fn worst(losses: &Losses) -> Option<Severity> {
    losses.iter().map(|loss| loss.severity).filter(|severity| *severity > Severity::Hint).max()
}

fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    let all = Protocol::ALL.into_iter();
    all.flat_map(|from| [R, A, G].map(|to| (from, to))).filter(|(from, to)| from != to)
}

#[test]
fn it_is_searched_where_the_target_can() {
    for (from, to) in pairs() {
        let asked = request(from, &offered(from).into());
        let (tools, losses) = carry(from, to, &asked, true);
        assert_eq!((tools, worst(&losses)), (vec![declared(to)], None), "{from:?} {to:?}");
        let (tools, losses) = carry(from, to, &asked, false);
        let expected = if from == C { Severity::Degrade } else { Severity::Refuse };
        assert_eq!((tools, worst(&losses)), (vec![], Some(expected)), "{from:?} {to:?}");
    }
}

#[test]
fn it_stands_beside_functions() {
    for (from, to) in pairs() {
        let mut tools = offered(from);
        tools.push(function(from));
        let asked = request(from, &tools.into());
        let (with, losses) = carry(from, to, &asked, true);
        // Gemini before 3 refuses both together.
        let (count, lost) = if to == G { (1, Some(Severity::Degrade)) } else { (2, None) };
        assert_eq!((with.len(), worst(&losses)), (count, lost), "{from:?} {to:?} {with:?}");
        assert_eq!(with.contains(&declared(to)), to != G);
        let (without, losses) = carry(from, to, &asked, false);
        assert_eq!((without.len(), worst(&losses)), (1, Some(Severity::Degrade)), "{from:?} {to:?}");
    }
}

#[test]
fn chat_has_none() {
    for from in [R, A, G] {
        let (tools, losses) = carry(from, C, &request(from, &offered(from).into()), true);
        assert_eq!((tools, worst(&losses)), (vec![], Some(Severity::Refuse)), "{from:?}");
    }
}

#[test]
fn where_is_searched_and_for_whom_goes_along() {
    let place = json!({"type": "approximate", "city": "Bern", "country": "CH"});
    let responses =
        json!({"type": "web_search", "filters": {"allowed_domains": ["a.ch"]}, "user_location": place});
    let anthropic = json!({"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.ch"],
        "user_location": place});
    for (from, asked, to, expected) in [(R, &responses, A, &anthropic), (A, &anthropic, R, &responses)] {
        let (tools, losses) = carry(from, to, &request(from, &json!([asked])), true);
        assert_eq!((tools, worst(&losses)), (vec![expected.clone()], None));
        let (tools, losses) = carry(from, G, &request(from, &json!([asked])), true);
        assert_eq!((tools, worst(&losses)), (vec![declared(G)], Some(Severity::Degrade)));
    }
    let mut chat = request(C, &json!([]));
    chat["web_search_options"] =
        json!({"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}});
    let (tools, _) = carry(C, A, &chat, true);
    assert_eq!(tools[0]["user_location"], json!({"type": "approximate", "city": "Bern"}));
}

#[test]
fn what_another_vendor_cannot_promise_is_told() {
    let blocks = json!([{"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["b.ch"]}]);
    let (_, losses) = carry(A, R, &request(A, &blocks), true);
    assert_eq!(losses.first_of(Severity::Degrade).unwrap().path, "tools[0].blocked_domains");
    // What was stored of the web alone: OpenAI has that, nobody else.
    let stored = json!([{"type": "web_search", "external_web_access": false}, function(R)]);
    let (tools, losses) = carry(R, A, &request(R, &stored), true);
    assert_eq!((tools.len(), worst(&losses)), (1, Some(Severity::Degrade)));
}

#[test]
fn a_function_of_that_name_leaves_no_room() {
    let own = json!({"type": "function", "name": "web_search", "parameters": {"type": "object"}});
    let (tools, losses) = carry(R, A, &request(R, &json!([own, {"type": "web_search"}])), true);
    assert_eq!((tools.len(), worst(&losses)), (1, Some(Severity::Degrade)));
}

/// Anthropic wants the functions of a history declared, and could call them again.
#[test]
fn calls_of_a_history_leave_no_room_where_no_function_is_offered() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let asked = json!({"input": [call, result], "tools": offered(R)});
    let (_, losses) = carry(R, A, &asked, true);
    assert_eq!(worst(&losses), Some(Severity::Refuse));
}

#[test]
fn claude_code_may_name_it_as_its_choice() {
    let mut asked = request(A, &offered(A).into());
    asked["tool_choice"] = json!({"type": "tool", "name": "web_search"});
    let (tools, losses) = carry(A, R, &asked, true);
    assert_eq!((tools, worst(&losses)), (vec![declared(R)], None));
}

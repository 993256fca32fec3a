//! Calls and results in odd places: whatever a history looks like, each call has one result right
//! behind it, and it is its own (SPEC 8.2).

use llmgate::protocol::Protocol::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use serde_json::{Value, json};

use crate::support::crossing;

fn call(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
}

fn result(id: &str, said: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": said})
}

fn message(role: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "content": text})
}

/// What was called and what it gave, in the order of the wire: `call`, or a result's text.
fn told(target: Protocol, body: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut told = Vec::new();
    match target {
        OpenaiResponses => panic!("the client's own"),
        OpenaiChat => {
            for message in list(&body["messages"]) {
                told.extend(list(&message["tool_calls"]).iter().map(|_| "call".to_owned()));
                told.extend((message["role"] == "tool").then(|| text(&message["content"])));
                told.extend((message["role"] == "user").then(|| "-".to_owned()));
            }
        }
        Anthropic => {
            for block in list(&body["messages"]).iter().flat_map(|message| list(&message["content"])) {
                match block["type"].as_str() {
                    Some("tool_use") => told.push("call".to_owned()),
                    Some("tool_result") => told.push(text(&block["content"][0]["text"])),
                    _ => told.push("-".to_owned()),
                }
            }
        }
        Gemini => {
            for part in list(&body["contents"]).iter().flat_map(|content| list(&content["parts"])) {
                if part.get("functionCall").is_some() {
                    told.push("call".to_owned());
                } else if let Some(response) = part.get("functionResponse") {
                    told.push(text(&response["response"]["output"]));
                } else {
                    told.push("-".to_owned());
                }
            }
        }
    }
    // What else was said counts only between a call and its result.
    let results = told.iter().enumerate().filter(|(_, said)| *said != "call" && *said != "-");
    for (at, said) in results {
        assert_ne!(told[at - 1], "-", "{said} does not follow its call: {body}");
    }
    told.into_iter().filter(|said| said != "-").collect()
}

#[test]
fn each_call_has_its_own_result_behind_it() {
    const NONE: &str = "[no output recorded]";
    let user = || message("user", "go on");
    let rows: [(&str, Vec<Value>, &[&str]); 7] = [
        (
            "an id again, without a result",
            vec![user(), call("a"), result("a", "1"), user(), call("a"), user()],
            &["call", "1", "call", NONE],
        ),
        (
            "an id again, the first without a result",
            vec![user(), call("a"), user(), call("a"), result("a", "2"), user()],
            &["call", NONE, "call", "2"],
        ),
        ("a result before its call", vec![result("a", "1"), call("a"), user()], &["call", NONE]),
        (
            "a late result",
            vec![
                user(),
                call("a"),
                call("b"),
                result("a", "1"),
                message("assistant", "x"),
                result("b", "2"),
                user(),
            ],
            &["call", "call", "1", "2"],
        ),
        (
            "words between call and result",
            vec![user(), call("a"), message("assistant", "x"), call("b"), result("b", "2"), result("a", "1")],
            &["call", "call", "1", "2"],
        ),
        ("two results", vec![user(), call("a"), result("a", "1"), result("a", "2")], &["call", "1"]),
        (
            "one id twice at once",
            vec![user(), call("a"), call("a"), result("a", "1"), user(), result("a", "2")],
            &["call", "call", "1", "2"],
        ),
    ];
    for (name, input, expected) in rows {
        for target in [OpenaiChat, Anthropic, Gemini] {
            let request = json!({"model": "m", "input": input, "tools": [{"type": "function", "name": "f"}]});
            let (body, _) = crossing::carry(OpenaiResponses, target, &request.to_string());
            let body = serde_json::from_str(&body).unwrap();
            assert_eq!(told(target, &body), expected, "{name}, {}: {body}", target.name());
        }
    }
}

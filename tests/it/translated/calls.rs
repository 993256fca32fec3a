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

/// Kimi's ids hold dots and colons, which Anthropic refuses, and some servers give one id to several
/// calls. A client sends an id back to any target of its own protocol, also one that gets its bytes
/// as they are.
#[test]
fn an_id_of_an_answer_fits_the_protocol_of_its_client() {
    let of_call = |number: u32, id: &str| {
        let function = json!({"name": "f", "arguments": "{}"});
        json!({"index": number, "id": id, "type": "function", "function": function})
    };
    let (kimi, long) = ("functions.f:0", "x".repeat(80));
    let calls: Vec<Value> =
        (0..).zip(["call_1", kimi, &long, kimi]).map(|(number, id)| of_call(number, id)).collect();
    let choice = |name: &str, end: Value| json!({"index": 0, name: {"role": "assistant", "tool_calls": calls}, "finish_reason": end});
    let whole = json!({"id": "c", "model": "m", "choices": [choice("message", json!("tool_calls"))]});
    let chunk = json!({"id": "c", "model": "m", "choices": [choice("delta", json!("tool_calls"))]});
    for (client, expected) in [
        (OpenaiChat, ["call_1", kimi, &long, "functions.f:0_2"]),
        (Gemini, ["call_1", kimi, &long, "functions.f:0_2"]),
        (OpenaiResponses, ["call_1", kimi, "call_6adea74572a74465", "functions.f:0_2"]),
        (Anthropic, ["call_1", "call_4be0e962e9dcd7b8", &long, "call_4be0e962e9dcd7b8_2"]),
    ] {
        let crossing = crossing::crossing(OpenaiChat, client, crossing::answer(Vec::new()));
        let bytes = format!("data: {chunk}\n\ndata: [DONE]\n\n");
        let streamed = crossing::stream(&crossing, [bytes.as_bytes()]).text();
        let whole = crossing.whole(&whole.to_string()).unwrap().body;
        for answer in [streamed, whole] {
            let places = expected.map(|id| answer.find(&format!("\"{id}\"")));
            assert!(places.is_sorted() && places[0].is_some(), "{}: {answer}", client.name());
            let is_refused = client == Anthropic && answer.contains(kimi);
            assert!(!is_refused && (client != OpenaiResponses || !answer.contains(&long)), "{answer}");
        }
    }
}

//! A loop of tool calls whose reasoning state belongs to a provider of one protocol and travels
//! through a client of another.

use llmgate::ir::loss::Severity;
use llmgate::protocol::Protocol;
use llmgate::translate::pipe::StreamEnd;
use serde_json::{Value, json};

use crate::support::crossing::{self, PROVIDER, crossing, dialect, function, model, pairs};
use crate::support::sdk;

/// An answer with state, whole and as a stream, and the text of the state that must come back.
struct Origin {
    protocol: Protocol,
    whole: String,
    stream: String,
    /// What the request that follows must hold, byte for byte.
    state: &'static [&'static str],
}

fn origins() -> [Origin; 3] {
    [anthropic(), responses(), gemini()]
}

fn anthropic() -> Origin {
    let thinking = json!({"type": "thinking", "thinking": "Let me see.", "signature": "RXRoaW5r+/8="});
    let hidden = json!({"type": "redacted_thinking", "data": "RXNlY3JldA=="});
    let call = |id: &str, n: u32| json!({"type": "tool_use", "id": id, "name": "look", "input": {"n": n}});
    let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [thinking, hidden, {"type": "text", "text": "Looking."}, call("toolu_1", 1), call("toolu_2", 2)],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 7}});
    let mut events = vec![json!({"type": "message_start", "message": {"id": "msg_1", "model": "m",
        "usage": {"input_tokens": 9, "output_tokens": 1}}})];
    let blocks: [(Value, Vec<Value>); 5] = [
        (
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            vec![
                json!({"type": "thinking_delta", "thinking": "Let me "}),
                json!({"type": "thinking_delta", "thinking": "see."}),
                json!({"type": "signature_delta", "signature": "RXRoaW5r+/8="}),
            ],
        ),
        (hidden, vec![]),
        (json!({"type": "text", "text": ""}), vec![json!({"type": "text_delta", "text": "Looking."})]),
        (
            json!({"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
            vec![json!({"type": "input_json_delta", "partial_json": "{\"n\":1}"})],
        ),
        (
            json!({"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}),
            vec![json!({"type": "input_json_delta", "partial_json": "{\"n\":2}"})],
        ),
    ];
    for (index, (block, deltas)) in blocks.into_iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        events.extend(
            deltas
                .into_iter()
                .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}}),
    );
    events.push(json!({"type": "message_stop"}));
    Origin {
        protocol: Protocol::Anthropic,
        whole: whole.to_string(),
        stream: frames(&events),
        state: &[
            r#"{"type":"thinking","thinking":"Let me see.","signature":"RXRoaW5r+/8="}"#,
            r#"{"type":"redacted_thinking","data":"RXNlY3JldA=="}"#,
        ],
    }
}

fn responses() -> Origin {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Let me see."}],
        "encrypted_content": "Z0FBQUFBQm+/8="});
    let call = |id: &str, n: u32| {
        json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "look",
            "arguments": format!("{{\"n\":{n}}}"), "status": "completed"})
    };
    let text = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Looking.", "annotations": []}]});
    let output = [reasoning, text, call("call_1", 1), call("call_2", 2)];
    let whole = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": output,
        "usage": {"input_tokens": 9, "output_tokens": 7}});
    let mut events =
        vec![json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "output": []}})];
    for (index, item) in output.iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": whole}));
    Origin {
        protocol: Protocol::OpenaiResponses,
        whole: whole.to_string(),
        stream: frames(&events),
        state: &[
            r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"Let me see."}],"encrypted_content":"Z0FBQUFBQm+/8="}"#,
        ],
    }
}

fn gemini() -> Origin {
    let parts = [
        json!({"text": "Let me see.", "thought": true}),
        json!({"text": "Looking."}),
        json!({"functionCall": {"id": "g1", "name": "look", "args": {"n": 1}}, "thoughtSignature": "Q2lrQg+/8="}),
        json!({"functionCall": {"id": "g2", "name": "look", "args": {"n": 2}}}),
    ];
    let chunk = |parts: &[Value], end: bool| {
        let mut chunk = json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
            "modelVersion": "m", "responseId": "r1"});
        if end {
            chunk["candidates"][0]["finishReason"] = json!("STOP");
            chunk["usageMetadata"] = json!({"promptTokenCount": 9, "candidatesTokenCount": 7});
        }
        chunk
    };
    let count = parts.len();
    let chunks: Vec<Value> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| chunk(std::slice::from_ref(part), at + 1 == count))
        .collect();
    Origin {
        protocol: Protocol::Gemini,
        whole: chunk(&parts, true).to_string(),
        stream: frames(&chunks),
        state: &[
            r#"{"functionCall":{"id":"g1","name":"look","args":{"n":1}},"thoughtSignature":"Q2lrQg+/8="}"#,
        ],
    }
}

fn frames(events: &[Value]) -> String {
    let frame = |event: &Value| match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(frame).collect()
}

/// The client's next request, after an answer that came whole and after one that was streamed.
fn next_requests(origin: &Origin, client: Protocol) -> [String; 2] {
    let crossing = crossing(origin.protocol, client, crossing::answer(vec![function("look")]));
    let whole = crossing.whole(&origin.whole).unwrap();
    let streamed = crossing::stream(&crossing, origin.stream.as_bytes().chunks(7));
    assert_eq!(streamed.end, Ok(StreamEnd::Finished));
    let answers = [sdk::answer(client, &whole.body), sdk::streamed_answer(client, &streamed.text())];
    answers.map(|answer| sdk::next_request(client, &answer))
}

/// Every origin with every client that has a field for the state of others.
fn loops() -> Vec<(Origin, Protocol)> {
    let clients = Protocol::ALL.into_iter().filter(|client| client.codec().wire().carries_state());
    let all = clients.flat_map(|client| origins().map(|origin| (origin, client)));
    all.filter(|(origin, client)| origin.protocol != *client).collect()
}

#[test]
fn state_comes_back_to_its_origin_byte_for_byte() {
    for (origin, client) in loops() {
        for (request, form) in next_requests(&origin, client).iter().zip(["whole", "streamed"]) {
            let (body, losses) = crossing::carry(client, origin.protocol, request);
            let place = format!("{} through {} {form}", origin.protocol.name(), client.name());
            for state in origin.state {
                assert_eq!(body.matches(state).count(), 1, "{place}: {body}");
            }
            assert!(!crossing::lines(&losses).contains("foreign"), "{place}: {}", crossing::lines(&losses));
            assert!(!body.contains("TEdDMX"), "{place}: a carrier goes upstream: {body}");
            if origin.protocol == Protocol::Anthropic {
                // Else it would answer 400, or not think.
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(body["messages"][1]["content"][0]["type"], "thinking", "{place}: {body}");
                assert_eq!(body["thinking"]["type"], "adaptive", "{place}: {body}");
            }
        }
    }
}

#[test]
fn state_is_left_out_for_another_provider_with_a_loss() {
    for (origin, client) in loops() {
        for request in next_requests(&origin, client) {
            for target in Protocol::ALL.into_iter().filter(|target| *target != client) {
                let mut other = dialect(target);
                other.provider = "elsewhere".to_owned();
                let (request, mut losses) = crossing::read(client, &request);
                let (body, lost) = crossing::write_for(&request, target, &other);
                losses.append(lost);
                let place =
                    format!("{} through {} to {}", origin.protocol.name(), client.name(), target.name());
                for secret in ["RXRoaW5r", "RXNlY3JldA", "Z0FBQUFBQm", "Q2lrQg", "TEdDMX"] {
                    assert!(!body.contains(secret), "{place}: {body}");
                }
                let told = losses
                    .iter()
                    .any(|loss| loss.severity == Severity::Degrade && loss.why.contains("foreign reasoning"));
                assert!(told, "{place}: {}", crossing::lines(&losses));
                assert!(body.contains("Looking.") && body.contains("look"), "{place}: {body}");
            }
        }
    }
}

#[test]
fn visible_reasoning_goes_to_chat_targets_with_the_calls() {
    for (origin, client) in loops() {
        // Gemini's clients send no thoughts back.
        if client == Protocol::Gemini {
            continue;
        }
        for request in next_requests(&origin, client) {
            let (body, _) = crossing::carry(client, Protocol::OpenaiChat, &request);
            let body: Value = serde_json::from_str(&body).unwrap();
            let place = format!("{} through {}: {body}", origin.protocol.name(), client.name());
            assert_eq!(body["messages"][1]["reasoning_content"], "Let me see.", "{place}");
            assert_eq!(body["messages"][1]["tool_calls"].as_array().map(Vec::len), Some(2), "{place}");
        }
    }
}

#[test]
fn every_carrier_names_where_it_came_from() {
    use llmgate::ir::carrier::State;
    for (from, to) in pairs().filter(|(from, to)| from != to && to.codec().wire().carries_state()) {
        let Some(origin) = origins().into_iter().find(|origin| origin.protocol == from) else { continue };
        let crossing = crossing(from, to, crossing::answer(vec![function("look")]));
        let body = crossing.whole(&origin.whole).unwrap().body;
        let carriers: Vec<State> =
            body.split('"').filter(|text| text.starts_with("TEdDMX")).filter_map(State::unpack).collect();
        assert!(!carriers.is_empty(), "{} to {}", from.name(), to.name());
        for carrier in carriers {
            assert_eq!(
                (carrier.origin.as_str(), carrier.provider.as_str(), carrier.model.as_str()),
                (from.name(), PROVIDER, model(from)),
                "{body}"
            );
        }
    }
}

/// A Gemini client that sends back all that it got, thoughts and all (google-genai).
#[test]
fn reasoning_between_calls_comes_back_between_them_and_thoughts_are_told_once() {
    let thinking = json!({"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"});
    let hidden = json!({"type": "redacted_thinking", "data": "c2VjcmV0"});
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {}});
    let content = json!([thinking, used("toolu_1"), hidden, used("toolu_2")]);
    let anthropic = json!({"type": "message", "content": content, "stop_reason": "tool_use"});
    let thought = |n: u32| json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": n.to_string()});
    let called =
        |id: &str| json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"});
    let output = json!([thought(1), called("call_1"), thought(2), called("call_2")]);
    let responses = json!({"id": "resp_1", "status": "completed", "output": output});
    let message = json!({"role": "assistant", "content": null, "reasoning_content": "Let me see.", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]});
    let chat = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    for (origin, whole, field, expected) in [
        (Protocol::Anthropic, anthropic, "/messages/1/content", content),
        (Protocol::OpenaiResponses, responses, "/input", output),
        (Protocol::OpenaiChat, chat, "/messages/1", message),
    ] {
        let crossing = crossing(origin, Protocol::Gemini, crossing::answer(vec![function("look")]));
        let answer: Value = serde_json::from_str(&crossing.whole(&whole.to_string()).unwrap().body).unwrap();
        let content = answer["candidates"][0]["content"].clone();
        let results: Vec<Value> = content["parts"].as_array().unwrap().iter().filter_map(|part| {
            let call = part.get("functionCall")?;
            Some(json!({"functionResponse": {"id": call["id"], "name": "look", "response": {"output": "seen"}}}))
        }).collect();
        let request = json!({"contents": [{"role": "user", "parts": [{"text": "Look."}]}, content,
            {"role": "user", "parts": results}]});
        let (body, losses) = crossing::carry(Protocol::Gemini, origin, &request.to_string());
        let body: Value = serde_json::from_str(&body).unwrap();
        let mut sent = body.pointer(field).unwrap().clone();
        if origin == Protocol::OpenaiResponses {
            sent = sent.as_array().unwrap().get(1..5).unwrap().into();
        }
        assert_eq!(sent, expected, "{}", origin.name());
        assert_eq!(crossing::lines(&losses), "", "{}", origin.name());
    }
}

/// What a Chat server thought between its calls has one place at a Gemini client, and stays words.
#[test]
fn words_of_reasoning_in_pieces_stay_words() {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let call = |index: u32, id: &str| json!({"tool_calls": [{"index": index, "id": id, "function": {"name": "look", "arguments": "{}"}}]});
    let chunks = [
        delta(json!({"reasoning_content": "One. "})),
        delta(call(0, "c1")),
        delta(json!({"reasoning_content": "Two."})),
        delta(call(1, "c2")),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    let stream = frames(&chunks);
    let client = Protocol::Gemini;
    let crossing = crossing(Protocol::OpenaiChat, client, crossing::answer(vec![function("look")]));
    let streamed = crossing::stream(&crossing, [stream.as_bytes()]);
    let request = sdk::next_request(client, &sdk::streamed_answer(client, &streamed.text()));
    let (body, _) = crossing::carry(client, Protocol::OpenaiChat, &request);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["messages"][1]["reasoning_content"], "One. Two.", "{body}");
    assert_eq!(body["messages"][1]["reasoning_details"], Value::Null, "{body}");
}

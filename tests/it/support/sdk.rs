//! What an agent does with an answer: it gathers it, puts it in its history, adds the results of
//! its tools and asks again.

use llmgate::base::sse::FrameReader;
use llmgate::protocol::Protocol;
use serde_json::{Map, Value, json};

/// The part of a whole answer that goes into the history.
pub(crate) fn answer(client: Protocol, body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    match client {
        Protocol::OpenaiChat => body["choices"][0]["message"].clone(),
        Protocol::OpenaiResponses => body["output"].clone(),
        Protocol::Anthropic => body["content"].clone(),
        Protocol::Gemini => body["candidates"][0]["content"]["parts"].clone(),
    }
}

/// The same of a stream.
pub(crate) fn streamed_answer(client: Protocol, text: &str) -> Value {
    let mut reader = FrameReader::new(1 << 20);
    reader.push(text.as_bytes());
    let mut events = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let Some(text) = frame.text().filter(|text| text != "[DONE]") else { continue };
        events.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    match client {
        Protocol::OpenaiChat => chat(&events),
        Protocol::OpenaiResponses => {
            let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
            done.map(|event| event["item"].clone()).collect()
        }
        Protocol::Anthropic => anthropic(&events),
        Protocol::Gemini => {
            let parts = events
                .iter()
                .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().cloned());
            parts.flatten().collect()
        }
    }
}

fn chat(events: &[Value]) -> Value {
    let mut message = Map::from_iter([("role".to_owned(), json!("assistant"))]);
    let mut calls: Vec<Value> = Vec::new();
    for delta in events.iter().map(|event| &event["choices"][0]["delta"]) {
        for name in ["content", "reasoning_content", "refusal"] {
            if let Some(text) = delta[name].as_str() {
                append(message.entry(name).or_insert_with(|| json!("")), text);
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap() as usize;
            if index == calls.len() {
                let mut call = call.clone();
                call.as_object_mut().unwrap().remove("index");
                calls.push(call);
            } else {
                append(
                    &mut calls[index]["function"]["arguments"],
                    call["function"]["arguments"].as_str().unwrap(),
                );
            }
        }
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    message.into()
}

fn anthropic(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        if event["type"] == "content_block_start" {
            blocks.push(event["content_block"].clone());
            inputs.push(String::new());
        }
        let delta = &event["delta"];
        let (name, text) = match delta["type"].as_str() {
            Some("text_delta") => ("text", &delta["text"]),
            Some("thinking_delta") => ("thinking", &delta["thinking"]),
            Some("signature_delta") => ("signature", &delta["signature"]),
            Some("input_json_delta") => {
                inputs.last_mut().unwrap().push_str(delta["partial_json"].as_str().unwrap());
                continue;
            }
            _ => continue,
        };
        append(&mut blocks.last_mut().unwrap()[name], text.as_str().unwrap());
    }
    for (block, input) in blocks.iter_mut().zip(inputs).filter(|(_, input)| !input.is_empty()) {
        block["input"] = serde_json::from_str(&input).unwrap();
    }
    blocks.into()
}

fn append(value: &mut Value, more: &str) {
    *value = json!(format!("{}{more}", value.as_str().unwrap_or_default()));
}

/// The request that follows an answer with calls of `look`: history, answer, a result for each.
pub(crate) fn next_request(client: Protocol, answer: &Value) -> String {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let body = match client {
        Protocol::OpenaiChat => {
            let mut messages = vec![json!({"role": "user", "content": "Look."}), answer.clone()];
            let calls = answer["tool_calls"].as_array().unwrap().iter();
            messages.extend(
                calls.map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "seen"})),
            );
            let tools = json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
            json!({"model": "asked-name", "messages": messages, "tools": tools, "reasoning_effort": "high"})
        }
        Protocol::OpenaiResponses => {
            let mut input = vec![json!({"role": "user", "content": "Look."})];
            input.extend(answer.as_array().unwrap().iter().cloned());
            let calls = answer.as_array().unwrap().iter().filter(|item| item["type"] == "function_call");
            input.extend(calls.map(
                |call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}),
            ));
            let tools = json!([{"type": "function", "name": "look", "parameters": schema}]);
            json!({"model": "asked-name", "input": input, "tools": tools, "store": false, "reasoning": {"effort": "high"}})
        }
        Protocol::Anthropic => {
            let calls = answer.as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
            let results: Vec<Value> = calls
                .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "seen"}))
                .collect();
            let messages = json!([{"role": "user", "content": "Look."}, {"role": "assistant", "content": answer},
                {"role": "user", "content": results}]);
            let tools = json!([{"name": "look", "input_schema": schema}]);
            json!({"model": "asked-name", "max_tokens": 4096, "messages": messages, "tools": tools,
                "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}})
        }
        Protocol::Gemini => {
            // Gemini CLI sends no thoughts back, but for the signatures of other parts.
            let told: Vec<Value> =
                answer.as_array().unwrap().iter().filter(|part| part["thought"] != true).cloned().collect();
            let calls = told.iter().filter_map(|part| part.get("functionCall"));
            let results: Vec<Value> = calls
                .map(|call| {
                    json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "seen"}}})
                })
                .collect();
            let contents = json!([{"role": "user", "parts": [{"text": "Look."}]}, {"role": "model", "parts": told},
                {"role": "user", "parts": results}]);
            let tools = json!([{"functionDeclarations": [{"name": "look", "parametersJsonSchema": schema}]}]);
            json!({"contents": contents, "tools": tools, "generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}})
        }
    };
    body.to_string()
}

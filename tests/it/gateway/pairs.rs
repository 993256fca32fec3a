//! Every client at every other protocol's provider: whole, streamed, refused, cut.

use llmgate::protocol::tap::Facts;

use serde_json::{Value, json};

use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, told};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// Every client with every provider of another protocol.
fn pairs() -> impl Iterator<Item = (&'static Lane, &'static Lane)> {
    let other = |client: &'static Lane| LANES.iter().filter(move |lane| lane.protocol != client.protocol);
    LANES.iter().flat_map(move |client| other(client).map(move |target| (client, target)))
}

#[test]
fn a_whole_answer_crosses() {
    for (client, target) in pairs() {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
        let names = format!("{} -> {}: {}", client.name, target.name, answer.text());
        assert_eq!(answer.status(), 200, "{names}");
        let mut facts = Facts::default();
        client.protocol.codec().tap_whole(&answer.text(), &mut facts);
        assert!(facts.finished && answer.text().contains("pong") && answer.text().contains(ASKED), "{names}");
        assert_eq!((facts.usage.input, facts.usage.output), (Some(9), Some(2)), "{names}");
        let received = provider.received();
        assert_eq!(received.path, target.upstream_path(UPSTREAM));
        assert!(received.text().contains("ping"));
    }
}

#[test]
fn a_stream_crosses() {
    for (client, target) in pairs() {
        let provider = Provider::with(Reply::sse([target.streamed_pong(UPSTREAM)]));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let stream = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest();
        let names = format!("{} -> {}: {stream}", client.name, target.name);
        let facts = told(client.protocol, &stream);
        assert!(facts.finished && facts.error.is_none() && stream.contains("pong"), "{names}");
        assert_eq!(provider.received().path, target.upstream_stream_path(UPSTREAM));
    }
}

#[test]
fn a_cut_stream_is_told_as_an_error_in_the_clients_protocol() {
    for (client, target) in pairs() {
        let cut = [target.opening(UPSTREAM), target.content(UPSTREAM)];
        let provider = Provider::with(Reply::sse(cut));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let stream = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest();
        let error = told(client.protocol, &stream)
            .error
            .unwrap_or_else(|| panic!("{} -> {}", client.name, target.name));
        assert!(error.message.contains("ended before"), "{stream}");
        assert!(
            !stream.contains("[DONE]")
                && !stream.contains("message_stop")
                && !stream.contains("response.completed")
        );
    }
}

#[test]
fn an_error_has_the_clients_shape_and_the_providers_words() {
    for (client, target) in pairs() {
        let body = r#"{"error":{"message":"slow down please","type":"x","code":429}}"#;
        let provider = Provider::with(Reply::json(429, body).header("retry-after", "7"));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("7")), "{}", answer.text());
        assert!(client.error_message(&answer.json()).contains("slow down please"));
    }
}

#[test]
fn an_error_without_words_is_told_by_its_status() {
    for (client, target) in pairs() {
        let provider = Provider::with(Reply::whole(500, "text/plain", ""));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
        assert_eq!(answer.status(), 500, "{}", answer.text());
        let message = client.error_message(&answer.json());
        assert!(message.ends_with("answered with status 500 and no text"), "{message}");
    }
}

/// JavaScript cuts texts between the halves of a surrogate pair, and writes half of one as an escape.
#[test]
fn half_a_surrogate_pair_breaks_nothing() {
    let half = |text: String, word: &str| text.replace(word, &format!("{word}\\ud83d"));
    for (client, target) in pairs() {
        let provider = Provider::with(Reply::json(200, &half(target.pong(UPSTREAM), "pong")));
        provider.will(Reply::sse([half(target.streamed_pong(UPSTREAM), "pong")]));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let place = format!("{} to {}", client.name, target.name);
        let whole = proxy.post(&client.path(ASKED), &half(client.ping(ASKED), "ping"));
        assert!(whole.text().contains("pong\u{fffd}"), "{place}: {}", whole.text());
        assert!(provider.received().text().contains("ping\u{fffd}"), "{place}");
        let stream = proxy.post(&client.stream_path(ASKED), &half(client.streamed_ping(ASKED), "ping"));
        client.is_one(&stream.text(), "pong\u{fffd}");
    }
}

/// A failure inside a choice is one of the provider: the next target is asked.
#[test]
fn a_failed_choice_of_chat_is_a_failure() {
    let target = LANES.iter().find(|lane| lane.name == "openai-chat").unwrap();
    let ends = r#""finish_reason":"error","error":{"code":502,"message":"an unparseable call"}"#;
    let whole =
        format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{{"content":""}},{ends}}}]}}"#);
    let stream = format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"\"}},{ends}}}]}}\n\n"
    );
    for client in &LANES {
        let provider = Provider::with(Reply::json(200, &whole));
        provider.will(Reply::sse([stream.clone()]));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answers = [
            proxy.post(&client.path(ASKED), &client.ping(ASKED)),
            proxy.post(&client.stream_path(ASKED), &client.streamed_ping(ASKED)),
        ];
        for answer in answers {
            assert_eq!(answer.status(), 502, "{}: {}", client.name, answer.text());
            assert!(
                client.error_message(&answer.json()).contains("an unparseable call"),
                "{}",
                answer.text()
            );
        }
    }
}

/// A call that Gemini's model could not write is no answer, and the client is told why.
#[test]
fn a_failed_call_of_gemini_is_told_in_its_words() {
    let (client, target) = (lane("openai-chat"), lane("gemini"));
    let ends = r#""finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"an unparseable call""#;
    let whole = format!(r#"{{"candidates":[{{"index":0,{ends}}}]}}"#);
    let provider = Provider::with(Reply::json(200, &whole));
    provider.will(Reply::sse([format!("data: {whole}\n\n")]));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let answers = [
        proxy.post(&client.path(ASKED), &client.ping(ASKED)),
        proxy.post(&client.stream_path(ASKED), &client.streamed_ping(ASKED)),
    ];
    for answer in answers {
        assert_eq!(answer.status(), 502, "{}", answer.text());
        assert!(answer.text().contains("MALFORMED_FUNCTION_CALL: an unparseable call"), "{}", answer.text());
    }
}

#[test]
fn what_cannot_be_carried_is_refused_before_any_call() {
    let provider = Provider::start();
    let target = LANES.iter().find(|lane| lane.name == "anthropic").unwrap();
    let proxy = Proxy::start(&target.config(&provider.url()));
    let body = r#"{"model":"m","input":"ping","previous_response_id":"resp_1"}"#;
    let answer = proxy.post("/v1/responses", body);
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json()["error"]["code"], "unsupported_parameter");
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("previous_response_id cannot be carried to up/m: it refers to"), "{message}");
    assert!(provider.is_idle());
}

/// Anthropic's SDKs then send the whole conversation again, or go on without a thread.
#[test]
fn a_thread_that_the_target_does_not_hold_is_refused_in_the_words_of_anthropic() {
    let provider = Provider::start();
    let continued = r#"{"type":"continue","previous_message_id":"msg_1"}"#;
    let begun = r#"{"type":"create"}"#;
    let missing = json!({"error_code": "thread_not_found"});
    let unsupported = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    for (compat, thread, status, details) in [
        ("max", continued, 404, &missing),
        ("strict", continued, 404, &missing),
        ("strict", begun, 400, &unsupported),
    ] {
        let config = format!("{}\ncompat: {compat}\n", lane("openai-chat").config(&provider.url()));
        let proxy = Proxy::start(&config);
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"thread":{thread},"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        let answer = proxy.post("/v1/messages", &body);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.json()["error"]["details"], *details, "{}", answer.text());
    }
    assert!(provider.is_idle());
}

fn lane(name: &str) -> &'static Lane {
    LANES.iter().find(|lane| lane.name == name).unwrap()
}

#[test]
fn reasoning_comes_back_to_a_chat_provider_from_a_client_that_drops_it() {
    let (client, target) = (lane("gemini"), lane("openai-chat"));
    let first = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": null, "reasoning_content": "thinking hard",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }}]});
    let provider = Provider::with(Reply::json(200, &first.to_string()));
    provider.will(Reply::json(200, &target.pong(UPSTREAM)));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let go = json!({"role": "user", "parts": [{"text": "go"}]});
    let tools = json!([{"functionDeclarations": [{"name": "f", "parameters": {"type": "object"}}]}]);
    let ask = |contents: Value| json!({"contents": contents, "tools": tools}).to_string();
    let answer = proxy.post(&client.path(ASKED), &ask(json!([go]))).json();
    let mut content = answer["candidates"][0]["content"].clone();
    // Gemini CLI sends no thoughts back, but for the signatures of calls.
    content["parts"].as_array_mut().unwrap().retain(|part| part["thought"] != true);
    let id = content["parts"][0]["functionCall"]["id"].clone();
    let result = json!({"functionResponse": {"id": id, "name": "f", "response": {"output": "ok"}}});
    let second = ask(json!([go, content, {"role": "user", "parts": [result]}]));
    assert_eq!(proxy.post(&client.path(ASKED), &second).status(), 200);
    provider.received();
    let sent = provider.received().json();
    assert_eq!(sent["messages"][1]["reasoning_content"], "thinking hard", "{sent}");
}

#[test]
fn a_tool_is_called_by_the_name_it_was_offered_with() {
    let (client, target) = (lane("openai-chat"), lane("anthropic"));
    let name = "mcp.server/tool with a name that is longer than sixty-four characters allow";
    let tools = json!([{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}]);
    let ask = |stream: bool| {
        let go = json!({"role": "user", "content": "go"});
        json!({"model": ASKED, "messages": [go], "tools": tools, "stream": stream}).to_string()
    };
    let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
    let proxy = Proxy::start(&target.config(&provider.url()));
    assert_eq!(proxy.post(&client.path(ASKED), &ask(false)).status(), 200);
    let fitted = provider.received().json()["tools"][0]["name"].as_str().unwrap().to_owned();
    assert_ne!(fitted, name);

    let call = json!({"type": "tool_use", "id": "toolu_1", "name": fitted, "input": {}});
    let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [call],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
    provider.will(Reply::json(200, &whole.to_string()));
    let answer = proxy.post(&client.path(ASKED), &ask(false)).json();
    assert_eq!(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], name, "{answer}");

    let start = json!({"type": "content_block_start", "index": 0, "content_block": call});
    let start = format!("event: content_block_start\ndata: {start}\n\n");
    let frames = [target.opening(UPSTREAM), start, target.ending(UPSTREAM)];
    provider.will(Reply::sse(frames));
    let stream = proxy.stream(&client.stream_path(ASKED), &ask(true)).rest();
    assert!(stream.contains(name) && !stream.contains(&fitted), "{stream}");
}

#[test]
fn state_of_a_stream_is_remembered_too() {
    let (client, target) = (lane("openai-chat"), lane("anthropic"));
    let whole = json!([
        {"type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    ]);
    let block = |index: usize, block: &Value, delta: &Value| {
        [
            json!({"type": "content_block_start", "index": index, "content_block": block}),
            json!({"type": "content_block_delta", "index": index, "delta": delta}),
            json!({"type": "content_block_stop", "index": index}),
        ]
    };
    let events = [
        block(
            0,
            &json!({"type": "thinking", "thinking": "hm", "signature": ""}),
            &json!({"type": "signature_delta", "signature": "c2lnbmF0dXJl"}),
        ),
        block(1, &whole[1], &json!({"type": "input_json_delta", "partial_json": "{}"})),
    ];
    let events = events
        .iter()
        .flatten()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    let provider =
        Provider::with(Reply::sse([target.opening(UPSTREAM), events.collect(), target.ending(UPSTREAM)]));
    provider.will(Reply::json(200, &target.pong(UPSTREAM)));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let go = json!({"role": "user", "content": "go"});
    let body =
        json!({"model": ASKED, "messages": [go], "tools": tools, "reasoning_effort": "high", "stream": true});
    proxy.stream(&client.stream_path(ASKED), &body.to_string()).rest();
    let call = json!({"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let said = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let result = json!({"role": "tool", "tool_call_id": "toolu_1", "content": "ok"});
    let body =
        json!({"model": ASKED, "messages": [go, said, result], "tools": tools, "reasoning_effort": "high"});
    assert_eq!(proxy.post(&client.path(ASKED), &body.to_string()).status(), 200);
    provider.received();
    let sent = provider.received().json();
    assert_eq!(sent["messages"][1]["content"], whole, "{sent}");
}

#[test]
fn state_is_remembered_for_chat_clients() {
    let (client, target) = (lane("openai-chat"), lane("anthropic"));
    let first = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
    ], "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
    let provider = Provider::with(Reply::json(200, &first.to_string()));
    provider.will(Reply::json(200, &target.pong(UPSTREAM)));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let ask = |messages: Value| {
        json!({"model": ASKED, "messages": messages, "tools": tools,
        "reasoning_effort": "high"})
    };
    let go = json!({"role": "user", "content": "go"});
    let answer = proxy.post(&client.path(ASKED), &ask(json!([go])).to_string()).json();
    let said = answer["choices"][0]["message"].clone();
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let second = ask(json!([go, said, result("toolu_1"), result("toolu_2")])).to_string();
    assert_eq!(proxy.post(&client.path(ASKED), &second).status(), 200);
    provider.received();
    let sent = provider.received().json();
    assert_eq!(sent["messages"][1]["content"], first["content"], "each where it was: {sent}");
}

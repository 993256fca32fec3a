//! Losses as clients meet them, and what is bounded or put right on the way.

use llmgate::ir::loss::Severity;
use llmgate::protocol::Protocol;
use llmgate::translate::framing::Framing;
use llmgate::translate::pipe::{PipeError, StreamPipe};
use serde_json::{Value, json};

use crate::support::crossing::{self, crossing, function};
use crate::support::lane::{ASKED, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// A request of each protocol with something that no other protocol carries.
fn with_unknown(client: &Lane) -> String {
    let mut body: Value = serde_json::from_str(&client.ping(ASKED)).unwrap();
    body["moon_phase"] = json!("full");
    body.to_string()
}

#[test]
fn max_warns_and_strict_refuses_before_any_call() {
    for client in Protocol::ALL.map(lane) {
        for target in Protocol::ALL.map(lane).into_iter().filter(|target| target.protocol != client.protocol)
        {
            let place = format!("{} to {}", client.name, target.name);
            let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let answer = proxy.post(&client.path(ASKED), &with_unknown(client));
            assert_eq!(answer.status(), 200, "{place}: {}", answer.text());
            let warning = answer.header("x-llmgate-warning").unwrap_or_default();
            assert!(
                warning.starts_with("moon_phase: ") || warning.starts_with("moonPhase: "),
                "{place}: {warning}"
            );

            let provider = Provider::start();
            let proxy = Proxy::start(&target.config_with(&provider.url(), "", "compat: strict"));
            let answer = proxy.post(&client.path(ASKED), &with_unknown(client));
            assert_eq!(answer.status(), 400, "{place}: {}", answer.text());
            let message = client.error_message(&answer.json());
            assert!(message.contains("moon"), "{place}: {message}");
            assert!(provider.is_idle(), "{place}");
        }
    }
}

/// Requests with an unknown member at every place that has one, so that each is told apart.
fn unknown_deep_inside() -> [(Protocol, Value); 4] {
    let png = "iVBORw0KGgo=";
    [
        (
            Protocol::OpenaiChat,
            json!({
                "messages": [
                    {"role": "system", "content": [{"type": "text", "text": "s", "moon1": 1}]},
                    {"role": "user", "content": [
                        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{png}"), "moon2": 1}},
                        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "moon3": 1}},
                    ]},
                    {"role": "assistant", "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "moon4": 1}}]},
                    {"role": "tool", "tool_call_id": "c", "content": "ok"},
                ],
                "tools": [
                    {"type": "function", "function": {"name": "f"}, "moon5": 1},
                    {"type": "custom", "custom": {"name": "g", "moon6": 1}},
                ],
                "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "moon7": 1}},
            }),
        ),
        (
            Protocol::OpenaiResponses,
            json!({
                "input": "x",
                "tools": [{"type": "namespace", "name": "n", "description": "All of them.", "moon1": 1,
                    "tools": [{"type": "function", "name": "f"}]}],
                "text": {"format": {"type": "text", "moon2": 1}},
            }),
        ),
        (
            Protocol::Anthropic,
            json!({"max_tokens": 9, "messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png, "moon1": 1}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d", "moon2": 1}},
            ]}]}),
        ),
        (
            Protocol::Gemini,
            json!({
                "systemInstruction": {"role": "user", "parts": [{"text": "s"}], "moon1": 1},
                "contents": [
                    {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": png, "moon2": 1}}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}, "moon3": 1}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "ok"}}}]},
                ],
            }),
        ),
    ]
}

#[test]
fn what_is_not_known_deep_inside_is_told_too() {
    for (protocol, body) in unknown_deep_inside() {
        let (request, losses) = protocol.codec().wire().decode_request(&body.to_string()).unwrap();
        assert!(!request.turns.is_empty(), "{}", protocol.name());
        let told: Vec<&str> = losses
            .iter()
            .filter(|loss| loss.severity == Severity::Degrade)
            .map(|loss| loss.path.as_str())
            .collect();
        let places = body.to_string().matches("moon").count();
        assert_eq!(told.len(), places, "{}: {told:?}", protocol.name());
        assert!(told.iter().all(|path| path.contains("moon")), "{}: {told:?}", protocol.name());
    }
}

#[test]
fn instructions_that_are_no_text_are_told() {
    let picture = json!({"type": "image_url", "image_url": {"url": "https://x.example/y.png"}});
    let body = json!({"messages": [
        {"role": "system", "content": [{"type": "text", "text": "s"}, picture, {"type": "hologram"}]},
        {"role": "user", "content": "x"},
    ]});
    let (request, losses) = Protocol::OpenaiChat.codec().wire().decode_request(&body.to_string()).unwrap();
    assert_eq!(request.system, ["s"]);
    let told: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(told, ["messages[0].content[2].type", "messages[0].content"]);
}

#[test]
fn what_a_whole_answer_loses_is_told_like_what_its_request_lost() {
    let (client, target) = (lane(Protocol::OpenaiChat), lane(Protocol::Gemini));
    let image = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "here"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]},
        "finishReason": "STOP"}]});
    let provider = Provider::with(Reply::json(200, &image.to_string()));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let answer = proxy.post(&client.path(ASKED), &with_unknown(client));
    let told = answer.head.headers.iter().filter(|(name, _)| name == "x-llmgate-warning");
    let told: Vec<&str> = told.map(|(_, value)| value.as_str()).collect();
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "here");
    assert!(
        matches!(told[..], [request, answer] if request.contains("moon") && answer.contains("image")),
        "{told:?}"
    );
}

#[test]
fn what_a_stream_loses_is_counted() {
    let (client, target) = (lane(Protocol::OpenaiChat), lane(Protocol::Anthropic));
    let cited =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}"#;
    let cited = format!("event: content_block_delta\ndata: {cited}\n\n");
    let parts =
        [target.opening(UPSTREAM), target.content(UPSTREAM), cited.repeat(2), target.ending(UPSTREAM)];
    let provider = Provider::with(Reply::sse(parts));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let answer = proxy.post(&client.stream_path(ASKED), &client.streamed_ping(ASKED));
    client.is_one_pong(&answer.text());
    let status = proxy.settled(1);
    assert_eq!(status["recent"][0]["losses"], 1, "{status:#}");
    assert_eq!(status["losses"]["citations: another protocol has no place for it"], 1, "{status:#}");
}

#[test]
fn a_wrong_mime_type_is_put_right_wherever_it_came_from() {
    const JPEG: &str = "/9j/4AAQSkZJRg==";
    let cases = [
        (
            Protocol::OpenaiChat,
            json!({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{JPEG}")}}]}]}),
        ),
        (
            Protocol::OpenaiResponses,
            json!({"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": format!("data:image/png;base64,{JPEG}")}]}]}),
        ),
        (
            Protocol::Anthropic,
            json!({"max_tokens": 9, "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": JPEG}}]}]}]}),
        ),
        (
            Protocol::Gemini,
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": JPEG}}]}]}),
        ),
    ];
    for (from, request) in cases {
        for to in Protocol::ALL.into_iter().filter(|to| *to != from) {
            let (body, losses) = crossing::carry(from, to, &request.to_string());
            let place = format!("{} to {}: {body}", from.name(), to.name());
            assert!(body.contains("image/jpeg") && !body.contains("image/png"), "{place}");
            let told = losses.iter().any(|loss| {
                loss.severity == Severity::Degrade && loss.why == "named image/png, but is image/jpeg"
            });
            assert!(told, "{place}");
        }
    }
}

#[test]
fn an_address_that_others_cannot_read_is_refused() {
    for url in ["gs://bucket/a.png", "s3://bucket/a.png", "file:///etc/a.png"] {
        let chat = json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]});
        let responses =
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]});
        let source = json!({"type": "url", "url": url});
        let anthropic = json!({"max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]});
        let gemini = json!({"contents": [{"parts": [{"fileData": {"fileUri": url}}]}]});
        for (from, request) in Protocol::ALL.into_iter().zip([chat, responses, anthropic, gemini]) {
            for to in Protocol::ALL.into_iter().filter(|to| *to != from) {
                let (_, losses) = crossing::carry(from, to, &request.to_string());
                let refused = losses.first_of(Severity::Refuse).is_some();
                assert!(refused, "{url}, {} to {}", from.name(), to.name());
            }
        }
    }
}

/// SPEC 8.4: a name that a target does not take is fitted, told, and restored.
#[test]
fn a_name_that_does_not_fit_is_told_and_restored() {
    let name = "mcp.server/tool with a name that is longer than sixty-four characters allow";
    let tool = json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let request = json!({"messages": [{"role": "user", "content": "hi"}], "tools": [tool]}).to_string();
    for to in [Protocol::OpenaiResponses, Protocol::Anthropic, Protocol::Gemini] {
        let (request, _) = crossing::read(Protocol::OpenaiChat, &request);
        let (body, losses) = crossing::write(&request, to);
        assert!(!body.contains(name), "{body}");
        let told = losses.first_of(Severity::Degrade).unwrap();
        assert_eq!(told.path, format!("tools.{name}"));
        let (offered, _) = crossing::read(to, &body);
        let crossing = crossing(to, Protocol::OpenaiChat, crossing::answer(request.tools));
        assert_eq!(crossing.names.original(&offered.tools[0].name), name, "{}", to.name());
    }
}

/// SPEC 8.8: Claude Code's first block says who pays; nothing else that looks like it goes.
#[test]
fn the_attribution_block_goes_and_nothing_like_it() {
    const HEAD: &str = "x-anthropic-billing-header: cc_version=2;";
    let block = |text: &str| json!({"type": "text", "text": text});
    let cases = [
        (json!([block(HEAD), block("Be kind.")]), "hi", 0),
        (json!([block("Be kind."), block(HEAD)]), "hi", 1),
        (json!(HEAD), "hi", 1),
        (json!([block("Be kind.")]), HEAD, 1),
        (json!([block(HEAD)]), HEAD, 1),
    ];
    for (system, said, left) in cases {
        let request =
            json!({"max_tokens": 9, "system": system, "messages": [{"role": "user", "content": said}]});
        for to in Protocol::ALL.into_iter().filter(|to| *to != Protocol::Anthropic) {
            let (body, _) = crossing::carry(Protocol::Anthropic, to, &request.to_string());
            assert_eq!(body.matches(HEAD).count(), left, "{request} to {}: {body}", to.name());
        }
    }
}

/// Calls that come mixed wait for their turn, but not without end (SPEC 8.11).
#[test]
fn what_waits_for_its_turn_is_bounded() {
    const LIMIT: usize = 4000;
    let chunk = |index: u32, arguments: &str, id: Value| {
        let call = json!({"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        let choice = json!({"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    for to in [Protocol::Anthropic, Protocol::OpenaiResponses, Protocol::Gemini] {
        let crossing = crossing(Protocol::OpenaiChat, to, crossing::answer(vec![function("f")]));
        let mut pipe = StreamPipe::translated(&crossing, LIMIT, Framing::Events);
        pipe.push(chunk(0, "{\"a\":\"", json!("c0")).as_bytes());
        pipe.push(chunk(1, "{\"a\":\"", json!("c1")).as_bytes());
        let mut out = Vec::new();
        let met = (0..1000).find_map(|_| {
            pipe.push(chunk(1, &"x".repeat(100), Value::Null).as_bytes());
            std::iter::from_fn(|| pipe.pull(&mut out).transpose()).find_map(Result::err)
        });
        assert_eq!(met, Some(PipeError::FrameTooLong), "{}", to.name());
        assert!(out.len() < 4 * LIMIT, "{}", to.name());
    }
}

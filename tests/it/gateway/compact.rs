//! A conversation is shortened: `/responses/compact` and Codex's `compaction_trigger`. A target that
//! speaks Responses gets it as it came, another is asked for a summary.

use llmgate::protocol::Protocol;
use serde_json::{Value, json};

use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Received, Reply};
use crate::support::proxy::Proxy;

const BODY: &str = r#"{"model":"asked-name","input":[{"role":"user","content":"long"}],"odd":1}"#;

#[test]
fn a_native_target_shortens_the_conversation() {
    let told = format!(
        r#"{{"id":"resp_1","object":"response.compaction","model":"{UPSTREAM}","output":[{{"type":"compaction","encrypted_content":"x"}}],"usage":{{"input_tokens":9,"output_tokens":3}}}}"#
    );
    let provider = Provider::with(Reply::json(200, &told));
    let proxy = Proxy::start(&lane(Protocol::OpenaiResponses).config(&provider.url()));
    let answer = proxy.post("/openai/v1/responses/compact", BODY);
    assert_eq!((answer.status(), answer.text()), (200, told.replace(UPSTREAM, ASKED)));
    assert_eq!(answer.header("x-llmgate-input-tokens"), Some("9"));
    let received = provider.received();
    assert_eq!(received.path, "/v1/responses/compact");
    assert_eq!(received.text(), BODY.replace(ASKED, UPSTREAM));
}

#[test]
fn the_demo_does_so_too() {
    let proxy = Proxy::start_demo();
    let told = proxy.post("/v1/responses/compact", BODY).json();
    let [message, item] = told["output"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&told["object"], &item["type"]), (&"response.compaction".into(), &"compaction".into()));
    assert_eq!(message["content"], "long");
}

/// The conversation of [`BODY`] with the item that asks for its summary.
const TRIGGER: &str = r#"{"model":"asked-name","stream":STREAM,"input":[{"role":"user","content":"long"},{"type":"compaction_trigger"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"text":{"format":{"type":"json_object"}}}"#;

fn others() -> impl Iterator<Item = &'static Lane> {
    LANES.iter().filter(|lane| lane.protocol != Protocol::OpenaiResponses)
}

fn trigger(stream: bool) -> String {
    TRIGGER.replace("STREAM", if stream { "true" } else { "false" })
}

/// The only compaction item of a response.
#[track_caller]
fn item(response: &Value) -> Value {
    let output = response["output"].as_array().unwrap();
    let [item] = output.as_slice() else { panic!("{response}") };
    assert_eq!(item["type"], "compaction", "{response}");
    assert!(item["id"].as_str().unwrap().starts_with("cmp_"), "{response}");
    item.clone()
}

/// Is it an ordinary request that asks for a summary, and no call of a tool?
#[track_caller]
fn is_asked_for_a_summary(received: &Received) {
    let text = received.text();
    let place = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} is not in {text}"));
    assert!(place("long") < place("replaced by a summary"), "{text}");
    assert!(!text.contains("compaction") && !text.contains("json_object"), "{text}");
    assert!(!text.contains("application/json"), "{text}");
    let body = received.json();
    let choice = [
        &body["tool_choice"],
        &body["tool_choice"]["type"],
        &body["toolConfig"]["functionCallingConfig"]["mode"],
    ];
    let has_tools = text.contains("\"tools\"");
    assert!(!has_tools || choice.iter().any(|choice| **choice == "none" || **choice == "NONE"), "{text}");
}

#[test]
fn another_target_is_asked_for_a_summary() {
    for target in others() {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answer = proxy.post("/v1/responses/compact", BODY);
        let told = answer.json();
        assert_eq!((answer.status(), &told["object"]), (200, &"response.compaction".into()), "{told}");
        assert!(told["id"].as_str().unwrap().starts_with("resp_") && told["created_at"].is_u64(), "{told}");
        assert!(told["usage"]["input_tokens"].is_u64(), "{told}");
        let [message, item] = told["output"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!(message, &json!({"role": "user", "content": "long"}));
        assert_eq!(item["type"], "compaction");
        let received = provider.received();
        assert_eq!(received.path, target.upstream_path(UPSTREAM));
        is_asked_for_a_summary(&received);
    }
}

#[test]
fn the_users_messages_stay_beside_the_summary() {
    let target = lane(Protocol::OpenaiChat);
    let cases = [
        (json!("long"), json!([{"type": "message", "role": "user", "content": "long"}])),
        (
            json!([{"role": "developer", "content": "be brief"}, {"type": "message", "role": "user", "content": "a"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "o"},
                {"role": "user", "content": [{"type": "input_text", "text": "d", "odd": 1}]}]),
            json!([{"type": "message", "role": "user", "content": "a"},
                {"role": "user", "content": [{"type": "input_text", "text": "d", "odd": 1}]}]),
        ),
    ];
    for (input, kept) in cases {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let body = json!({"model": ASKED, "input": input});
        let told = proxy.post("/v1/responses/compact", &body.to_string()).json();
        let output = told["output"].as_array().unwrap();
        let (item, before) = output.split_last().unwrap();
        assert_eq!((&json!(before), &item["type"]), (&kept, &"compaction".into()));
    }
}

#[test]
fn a_trigger_is_answered_with_exactly_one_item() {
    let client = lane(Protocol::OpenaiResponses);
    for target in others() {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        provider.will(Reply::sse([target.streamed_pong(UPSTREAM)]));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let whole = proxy.post(&client.path(ASKED), &trigger(false)).json();
        is_asked_for_a_summary(&provider.received());
        assert_eq!((&whole["object"], &whole["status"]), (&"response".into(), &"completed".into()));
        let summary = item(&whole)["encrypted_content"].clone();

        let stream = proxy.post(&client.stream_path(ASKED), &trigger(true)).text();
        is_asked_for_a_summary(&provider.received());
        let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        let events: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.completed",
        ];
        assert_eq!(kinds, expected, "{stream}");
        let told = item(&events[4]["response"]);
        assert_eq!((&told, &told["encrypted_content"]), (&events[3]["item"], &summary));
        assert!(events.iter().zip(0..).all(|(event, number)| event["sequence_number"] == number), "{stream}");
    }
}

#[test]
fn a_summary_goes_wherever_the_conversation_goes() {
    let client = lane(Protocol::OpenaiResponses);
    let maker = lane(Protocol::Anthropic);
    let provider = Provider::with(Reply::json(200, &maker.pong(UPSTREAM)));
    let proxy = Proxy::start(&maker.config(&provider.url()));
    let made = item(&proxy.post(&client.path(ASKED), &trigger(false)).json());
    let asked = json!({"model": ASKED, "input": [
        {"role": "user", "content": "before"}, made, {"role": "user", "content": "after"}]});
    for target in &LANES {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        let proxy = Proxy::start(&target.config_with(&provider.url(), "", "compat: strict"));
        let answer = proxy.post(&client.path(ASKED), &asked.to_string());
        assert_eq!((answer.status(), answer.header("x-llmgate-warning")), (200, None), "{}", answer.text());
        let text = provider.received().text();
        let place = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} is not in {text}"));
        assert!(place("before") < place("Summary of the conversation"), "{text}");
        assert!(place("pong") < place("after") && !text.contains("compaction"), "{text}");
    }
}

#[test]
fn an_answer_without_a_summary_is_a_failure() {
    let client = lane(Protocol::OpenaiResponses);
    let target = lane(Protocol::OpenaiChat);
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let whole = json!({"id": "x", "object": "chat.completion", "model": UPSTREAM, "choices": [{"index": 0,
        "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
    let provider = Provider::with(Reply::json(200, &whole.to_string()));
    provider.will(Reply::json(200, &whole.to_string()));
    provider.will(Reply::sse([target.opening(UPSTREAM), target.ending(UPSTREAM)]));
    let proxy = Proxy::start(&target.config(&provider.url()));
    let answer = proxy.post(&client.path(ASKED), &trigger(false));
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert!(client.error_message(&answer.json()).contains("a summary"), "{}", answer.text());
    let answer = proxy.post("/v1/responses/compact", BODY);
    assert_eq!(answer.status(), 502, "{}", answer.text());
    let answer = proxy.post(&client.stream_path(ASKED), &trigger(true));
    if answer.status() == 200 {
        client.told_in_stream(&answer.text());
    }
}

//! Counts of input tokens: asked of the target, or estimated.

use serde_json::{Value, json};

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// A path that counts, the body of a request, and the member of the answer.
fn counting(protocol: Protocol) -> (String, String, &'static str) {
    let text = "x".repeat(1200);
    match protocol {
        Protocol::Anthropic => {
            let body = json!({"model": ASKED, "messages": [{"role": "user", "content": text}]});
            ("/anthropic/v1/messages/count_tokens?beta=true".into(), body.to_string(), "input_tokens")
        }
        Protocol::OpenaiResponses => {
            let body = json!({"model": ASKED, "input": text});
            ("/openai/v1/responses/input_tokens".into(), body.to_string(), "input_tokens")
        }
        Protocol::Gemini => {
            let body = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
            (format!("/gemini/v1beta/models/{ASKED}:countTokens"), body.to_string(), "totalTokens")
        }
        Protocol::OpenaiChat => panic!("Chat has no count"),
    }
}

const COUNTERS: [Protocol; 3] = [Protocol::Anthropic, Protocol::OpenaiResponses, Protocol::Gemini];

#[test]
fn a_target_of_the_clients_protocol_counts_itself() {
    for protocol in COUNTERS {
        let (path, body, member) = counting(protocol);
        let told = json!({ member: 4711, "unknown": {"kept": true} }).to_string();
        let provider = Provider::with(Reply::json(200, &told));
        let proxy = Proxy::start(&lane(protocol).config(&provider.url()));
        let answer = proxy.post(&path, &body);
        assert_eq!((answer.status(), answer.text()), (200, told));
        let received = provider.received();
        let (name, before) = lane(protocol).credential;
        assert_eq!(received.header(name), Some(format!("{before}{KEY}").as_str()));
        match protocol {
            Protocol::Gemini => assert!(received.path.ends_with(&format!("/models/{UPSTREAM}:countTokens"))),
            _ => assert_eq!(received.json()["model"], UPSTREAM),
        }
    }
}

#[test]
fn whatever_goes_wrong_with_a_count_an_estimate_answers() {
    for protocol in COUNTERS {
        let (path, body, member) = counting(protocol);
        let expected = if protocol == Protocol::Anthropic { 400 } else { 300 };
        let provider = Provider::start();
        provider.will(Reply::json(404, "{\"error\":{\"message\":\"no such thing\"}}"));
        provider.will(Reply::json(200, "{\"surprise\":1}"));
        provider.will(Reply::whole(200, "text/html", "<html>"));
        provider.will(Reply::json(429, "{}"));
        let proxy = Proxy::start(&lane(protocol).config(&provider.url()));
        for _ in 0..4 {
            let answer = proxy.post(&path, &body);
            assert_eq!((answer.status(), &answer.json()[member]), (200, &json!(expected)));
            provider.received();
        }
    }
}

#[test]
fn a_tiny_text_is_a_token_at_least() {
    let factor = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1}}"#;
    for protocol in COUNTERS {
        let (path, body, member) = counting(protocol);
        let tiny = body.replace(&"x".repeat(1200), "hi");
        let provider = Provider::with(Reply::json(200, factor));
        let proxy = Proxy::start(&lane(Protocol::OpenaiChat).config(&provider.url()));
        let count = || proxy.post(&path, &tiny).json()[member].clone();
        assert_eq!(count(), 1, "{path}");
        // What it reports of a long one is less than was estimated: the estimates sink with it.
        let long = json!({"model": ASKED, "messages": [{"role": "user", "content": "x".repeat(1200)}]});
        assert_eq!(proxy.post("/openai/v1/chat/completions", &long.to_string()).status(), 200);
        assert_eq!(count(), 1, "{path}");
    }
}

#[test]
fn for_a_target_of_another_protocol_the_estimate_answers_at_once() {
    for protocol in COUNTERS {
        let (path, body, member) = counting(protocol);
        for target in LANES.iter().filter(|lane| lane.protocol != protocol) {
            let provider = Provider::start();
            let proxy = Proxy::start(&target.config(&provider.url()));
            let expected = if target.protocol == Protocol::Anthropic { 400 } else { 300 };
            let answer = proxy.post(&path, &body);
            assert_eq!((answer.status(), &answer.json()[member]), (200, &json!(expected)));
            assert!(provider.is_idle());
        }
    }
}

#[test]
fn the_configuration_says_how_many_characters_make_a_token() {
    let (path, body, _) = counting(Protocol::Anthropic);
    let chat = lane(Protocol::OpenaiChat);
    let config = chat.config_with(
        "http://127.0.0.1:1",
        &format!("models: {{{UPSTREAM}: {{chars_per_token: 2}}}}"),
        "",
    );
    assert_eq!(Proxy::start(&config).post(&path, &body).json()["input_tokens"], 600);
}

#[test]
fn a_whole_request_may_be_counted_for_gemini() {
    let (path, body, _) = counting(Protocol::Gemini);
    let inner: Value = serde_json::from_str(&body).unwrap();
    let body =
        json!({"generateContentRequest": {"model": "models/x", "contents": inner["contents"]}}).to_string();
    let proxy = Proxy::start(&lane(Protocol::OpenaiChat).config("http://127.0.0.1:1"));
    assert_eq!(proxy.post(&path, &body).json()["totalTokens"], 300);
}

#[test]
fn what_is_no_request_or_leads_nowhere_is_told() {
    let proxy = Proxy::start(&lane(Protocol::OpenaiChat).config("http://127.0.0.1:1"));
    let path = "/v1/messages/count_tokens";
    assert_eq!(proxy.post(path, "[]").status(), 400);
    let wrong = format!("{{\"model\":\"{ASKED}\",\"messages\":7}}");
    assert!(proxy.post(path, &wrong).text().contains("messages"));
    let lost = proxy.post(path, "{\"model\":\"nobody\",\"messages\":[]}");
    assert!(lost.status() == 404 || lost.status() == 200, "{}", lost.text());
    assert_eq!(proxy.get(path).status(), 405);
}

//! Paths that belong to no protocol: the request tells which one it speaks (SPEC 3.1).

use serde_json::Value;

use crate::support::lane::{ASKED, LANES, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

#[test]
fn a_request_is_known_by_what_it_says() {
    // A request, a header that tells what it is, and the protocol it is known for.
    let requests = [
        (
            r#"{"model":"asked-name","messages":[{"role":"user","content":"ping"}],"max_tokens":5}"#,
            None,
            "openai-chat",
        ),
        (r#"{"model":"asked-name","input":"ping"}"#, None, "openai-responses"),
        (
            r#"{"model":"asked-name","messages":[{"role":"user","content":"ping"}],"max_tokens":5,"system":"s"}"#,
            None,
            "anthropic",
        ),
        (
            r#"{"model":"asked-name","messages":[{"role":"user","content":"ping"}],"max_tokens":5}"#,
            Some(("anthropic-version", "2023-06-01")),
            "anthropic",
        ),
        (r#"{"model":"asked-name","contents":[{"role":"user","parts":[{"text":"ping"}]}]}"#, None, "gemini"),
        (
            r#"{"contents":[{"role":"user","parts":[{"text":"ping"}]}],"model":"asked-name","stream":false}"#,
            None,
            "gemini",
        ),
    ];
    for path in ["/v1", "/v1/", "/route?x=1"] {
        for (body, header, name) in requests {
            let lane = LANES.iter().find(|lane| lane.name == name).unwrap();
            let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = proxy.ask("POST", path, header.as_slice(), body);
            assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)), "{name} {body}");
            let received = provider.received();
            assert!(received.path.starts_with(&lane.upstream_path(UPSTREAM)), "{}", received.path);
            let sent = received.json();
            if name == "gemini" {
                assert_eq!((&sent["model"], &sent["stream"]), (&Value::Null, &Value::Null));
            } else {
                assert_eq!(sent["model"], UPSTREAM);
            }
        }
    }
}

#[test]
fn a_gemini_request_says_in_its_body_that_it_wants_a_stream() {
    let lane = &LANES[3];
    let provider = Provider::with(Reply::sse([lane.streamed_pong(UPSTREAM)]));
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let body =
        r#"{"model":"asked-name","stream":true,"contents":[{"role":"user","parts":[{"text":"ping"}]}]}"#;
    let told = proxy.stream("/v1?alt=sse", body).rest();
    lane.is_one_pong(&told);
    let received = provider.received();
    assert_eq!(received.path, lane.upstream_stream_path(UPSTREAM));
    assert_eq!(received.text(), r#"{"contents":[{"role":"user","parts":[{"text":"ping"}]}]}"#);
}

#[test]
fn what_is_none_is_refused_as_chat() {
    let proxy = Proxy::start_demo();
    for (method, body, status) in
        [("POST", "no json", 400), ("POST", "[]", 400), ("GET", "", 405), ("POST", "{\"messages\":7}", 404)]
    {
        let answer = proxy.ask(method, "/v1", &[], body);
        assert_eq!(answer.status(), status, "{method} {body}");
        assert!(answer.json()["error"]["message"].is_string());
    }
}

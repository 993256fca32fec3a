//! What passes: whole answers and streams, requests, names, usage, limits.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

#[test]
fn a_whole_answer_passes_with_the_clients_name() {
    for lane in &LANES {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.text(), lane.pong(ASKED));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        for (name, value) in [
            ("x-llmgate-model", ASKED),
            ("x-llmgate-provider", "up"),
            ("x-llmgate-target", "up/up-model-1"),
            ("x-llmgate-attempts", "1"),
            ("x-llmgate-input-tokens", "9"),
            ("x-llmgate-output-tokens", "2"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{} {name}", lane.name);
        }
        assert!(answer.header("x-llmgate-request-id").is_some());
        let received = provider.received();
        assert_eq!(received.method, "POST");
        assert_eq!(received.path, lane.upstream_path(UPSTREAM));
        assert_eq!(received.text(), lane.ping(UPSTREAM));
    }
}

#[test]
fn a_stream_passes_with_the_clients_name() {
    for lane in &LANES {
        let provider = Provider::with(Reply::sse([lane.streamed_pong(UPSTREAM)]));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.rest(), lane.streamed_pong(ASKED));
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(stream.head.header(name), Some(value), "{} {name}", lane.name);
        }
        let received = provider.received();
        assert_eq!(received.path, lane.upstream_stream_path(UPSTREAM));
        let sent = lane.streamed_ping(UPSTREAM);
        let wanted = match lane.protocol {
            Protocol::OpenaiChat => {
                let end = sent.rfind('}').unwrap();
                format!("{},\"stream_options\":{{\"include_usage\":true}}}}", &sent[..end])
            }
            _ => sent,
        };
        assert_eq!(received.text(), wanted);
    }
}

#[test]
fn a_usage_chunk_is_hidden_unless_the_client_asked_for_it() {
    let lane = lane(Protocol::OpenaiChat);
    let usage =
        format!("data: {{\"model\":\"{ASKED}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":9}}}}\n\n");
    let ending = lane.ending(ASKED).replace("data: [DONE]", &format!("{usage}data: [DONE]"));
    let streamed = [lane.opening(ASKED), lane.content(ASKED), ending].concat();
    for (options, wanted) in [
        ("", streamed.replace(&usage, "")),
        (",\"stream_options\":{\"include_usage\":false}", streamed.replace(&usage, "")),
        (",\"stream_options\":{\"include_usage\": true}", streamed.clone()),
    ] {
        let provider = Provider::with(Reply::sse([streamed.as_bytes()]));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let body =
            lane.streamed_ping(ASKED).replace("\"stream\": true", &format!("\"stream\": true{options}"));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &body);
        assert_eq!(stream.rest(), wanted, "{options}");
        assert_eq!(provider.received().json()["stream_options"]["include_usage"], true, "{options}");
    }
}

#[test]
fn gemini_without_events_gives_an_array() {
    let lane = lane(Protocol::Gemini);
    let provider = Provider::with(Reply::sse([lane.streamed_pong(UPSTREAM)]));
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let path = lane.stream_path(ASKED).replace("?alt=sse", "");
    let answer = proxy.post(&path, &lane.ping(ASKED));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let list = answer.json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert_eq!(list[1]["candidates"][0]["content"]["parts"][0]["text"], "pong");
    assert_eq!(list[1]["modelVersion"], ASKED);
    assert_eq!(provider.received().path, lane.upstream_stream_path(UPSTREAM));
}

#[test]
fn a_query_passes_without_the_clients_key() {
    for lane in &LANES {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let path = format!("{}?beta=true&key=secret-of-client&x=a%20b", lane.path(ASKED));
        assert_eq!(proxy.post(&path, &lane.ping(ASKED)).status(), 200);
        let received = provider.received();
        assert_eq!(received.path, format!("{}?beta=true&x=a%20b", lane.upstream_path(UPSTREAM)));
    }
    let lane = lane(Protocol::Gemini);
    let provider = Provider::with(Reply::sse([lane.streamed_pong(UPSTREAM)]));
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let path = format!("{}&key=secret&x=1", lane.stream_path(ASKED));
    proxy.stream(&path, &lane.ping(ASKED)).rest();
    assert_eq!(provider.received().path, format!("{}&x=1", lane.upstream_stream_path(UPSTREAM)));
}

#[test]
fn the_attribution_block_goes_to_nobody_else() {
    let lane = lane(Protocol::Anthropic);
    let block = r#"{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1; cch=1"}"#;
    let body = |system: &str| {
        lane.ping(UPSTREAM).replace("\"max_tokens\"", &format!("\"system\":{system},\"max_tokens\""))
    };
    let sent = body(&format!("[{block},{{\"type\":\"text\", \"text\":\"Be kind.\"}}]"));
    for (setting, wanted) in [
        ("auto", body("[{\"type\":\"text\", \"text\":\"Be kind.\"}]")),
        ("\"true\"", body("[{\"type\":\"text\", \"text\":\"Be kind.\"}]")),
        ("\"false\"", sent.clone()),
    ] {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let models = format!("models: {{{UPSTREAM}: {{strip_billing: {setting}}}}}").replace('"', "");
        let proxy = Proxy::start(&lane.config_with(&provider.url(), &models, ""));
        assert_eq!(proxy.post("/v1/messages", &sent.replace(UPSTREAM, ASKED)).status(), 200);
        assert_eq!(provider.received().text(), wanted, "{setting}");
    }
}

#[test]
fn a_models_limit_lowers_what_is_asked() {
    for lane in &LANES {
        for (most, wanted) in [(20, ":20"), (50, ":50"), (5000, ":50")] {
            let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
            let models = format!("models: {{{UPSTREAM}: {{max_output: {most}}}}}");
            let proxy = Proxy::start(&lane.config_with(&provider.url(), &models, ""));
            assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
            assert_eq!(provider.received().text(), lane.ping(UPSTREAM).replace(":50", wanted), "{most}");
        }
    }
}

#[test]
fn own_fields_are_set_and_dropped() {
    for lane in &LANES {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let edits = "set: {temperature: 0.25, reasoning.effort: low}, drop: [store, metadata.secret]";
        let models = format!("models: {{{UPSTREAM}: {{{edits}}}}}");
        let proxy = Proxy::start(&lane.config_with(&provider.url(), &models, ""));
        let end = lane.ping(ASKED).len() - 1;
        let more = ",\"store\":true,\"metadata\":{\"secret\":1,\"b\":2},\"temperature\":1}";
        let sent = format!("{}{more}", &lane.ping(ASKED)[..end]);
        assert_eq!(proxy.post(&lane.path(ASKED), &sent).status(), 200);
        let body = provider.received().json();
        assert_eq!(body["temperature"], 0.25, "{body}");
        assert_eq!(body["reasoning"]["effort"], "low", "{body}");
        assert!(body.get("store").is_none(), "{body}");
        assert_eq!(body["metadata"], serde_json::json!({"b": 2}), "{body}");
    }
}

#[test]
fn a_connection_carries_request_after_request() {
    let lane = lane(Protocol::Anthropic);
    let provider = Provider::start();
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let mut client = proxy.connect();
    for _ in 0..3 {
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        client.ask("POST", "/v1/messages", &[], lane.ping(ASKED).as_bytes());
        assert_eq!(client.answer().text(), lane.pong(ASKED));
        provider.will(Reply::sse([lane.streamed_pong(UPSTREAM)]));
        client.ask("POST", "/v1/messages", &[], lane.streamed_ping(ASKED).as_bytes());
        assert_eq!(client.answer().text(), lane.streamed_pong(ASKED));
    }
}

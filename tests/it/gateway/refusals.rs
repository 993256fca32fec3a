//! Error answers of a provider.

use llmgate::protocol::Protocol;

use crate::support::fixtures;
use crate::support::lane::{ASKED, KEY, LANES, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

#[test]
fn statuses_and_bodies_pass_as_they_came() {
    for lane in &LANES {
        for status in [400, 404, 413, 422, 429, 500, 503, 529] {
            let body = format!("{{ \"error\": {{\"message\":\"no {status}\", \"odd\" : 1}}}}\n");
            for streamed in [false, true] {
                let provider = Provider::with(Reply::json(status, &body).header("retry-after", "7"));
                let proxy = Proxy::start(&lane.config(&provider.url()));
                let answer = match streamed {
                    true => proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)),
                    false => proxy.post(&lane.path(ASKED), &lane.ping(ASKED)),
                };
                assert_eq!((answer.status(), answer.text()), (status, body.clone()), "{}", lane.name);
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.header("retry-after"), Some("7"));
                let id = answer.header("x-llmgate-request-id").unwrap();
                let own = (lane.protocol == Protocol::Anthropic).then_some(id);
                assert_eq!(answer.header("request-id"), own, "{}", lane.name);
            }
        }
    }
}

#[test]
fn recorded_errors_pass_as_they_came() {
    for lane in &LANES {
        for fixture in fixtures::all("errors", lane.name) {
            let status = fixture.case[..3].parse().unwrap();
            let provider = Provider::with(Reply::json(status, &fixture.text));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert_eq!((answer.status(), answer.text()), (status, fixture.text), "{}", fixture.name);
        }
    }
}

#[test]
fn an_error_page_passes_with_its_kind() {
    for lane in &LANES {
        let page = "<html>Bad gateway</html>";
        let provider = Provider::with(Reply::whole(502, "text/html", page));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text().as_str()), (502, page));
        assert_eq!(answer.header("content-type"), Some("text/html"));
    }
}

#[test]
fn secrets_in_a_body_are_masked() {
    for lane in &LANES {
        let body = format!("{{\"error\":{{\"message\":\"the key {KEY} is odd\"}}}}");
        let provider = Provider::with(Reply::json(400, &body));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text()), (400, body.replace(KEY, "sk-pr****ghij")));
    }
}

#[test]
fn a_refused_key_is_not_the_clients_trouble() {
    for lane in &LANES {
        for (status, body) in [
            (401, format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {KEY}\"}}}}")),
            (403, "{\"error\":{\"message\":\"Your API key has no access\"}}".to_owned()),
        ] {
            for streamed in [false, true] {
                let provider = Provider::with(Reply::json(status, &body));
                let config =
                    lane.config(&provider.url()).replace(&format!("api_key: {KEY}"), "api_key_env: UP_KEY");
                let proxy = Proxy::start_in(&config, &[("UP_KEY", KEY)]);
                let answer = match streamed {
                    true => proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)),
                    false => proxy.post(&lane.path(ASKED), &lane.ping(ASKED)),
                };
                assert_eq!(answer.status(), 502, "{}", answer.text());
                let message = lane.error_message(&answer.json());
                for word in ["up/up-model-1", "UP_KEY", ". Check the `api_key` of provider up"] {
                    assert!(message.contains(word), "{message}");
                }
                assert!(!answer.text().contains(KEY), "{message}");
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                if matches!(lane.protocol, Protocol::OpenaiChat | Protocol::OpenaiResponses) {
                    assert_eq!(answer.json()["error"]["code"], "upstream_auth");
                }
            }
        }
    }
}

#[test]
fn the_clients_own_refused_key_is_told_as_it_is() {
    for lane in &LANES {
        let body = "{\"error\":{\"message\":\"Incorrect API key provided\"}}";
        let provider = Provider::with(Reply::json(401, body));
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "client_auth: {mode: client_key}"));
        let answer =
            proxy.ask("POST", &lane.path(ASKED), &[("authorization", "Bearer own")], &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text().as_str()), (401, body));
    }
}

#[test]
fn the_time_to_wait_is_told_in_whole_seconds() {
    let lane = lane(Protocol::OpenaiChat);
    for (headers, wanted) in [
        (vec![("retry-after", "3")], Some("3")),
        (vec![("retry-after", "0.2")], Some("1")),
        (vec![("retry-after-ms", "2500")], Some("3")),
        (vec![("retry-after", "1"), ("retry-after-ms", "5000")], Some("5")),
        // Where upstream says nothing that can be read, as long as the target rests.
        (vec![("retry-after", "soon")], Some("30")),
        (vec![("retry-after", "-5")], Some("30")),
        (vec![("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], Some("30")),
        (vec![], Some("30")),
    ] {
        let reply = headers
            .iter()
            .fold(Reply::json(429, "{\"error\":{\"message\":\"slow\"}}"), |reply, (name, value)| {
                reply.header(name, value)
            });
        let provider = Provider::with(reply);
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.header("retry-after"), wanted, "{headers:?}");
    }
}

#[test]
fn an_error_under_a_good_status_is_an_error() {
    for lane in &LANES {
        let body = match lane.protocol {
            Protocol::Anthropic => {
                r#"{"type":"error","error":{"type":"overloaded_error","message":"too busy"}}"#
            }
            _ => r#"{"error":{"message":"too busy","code":503,"status":"UNAVAILABLE"}}"#,
        };
        let wanted = if lane.protocol == Protocol::Anthropic { 529 } else { 503 };
        for streamed in [false, true] {
            let provider = Provider::with(Reply::json(200, body));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = match streamed {
                true => proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)),
                false => proxy.post(&lane.path(ASKED), &lane.ping(ASKED)),
            };
            assert_eq!(answer.status(), wanted, "{} {}", lane.name, answer.text());
            assert!(lane.error_message(&answer.json()).contains("too busy"));
        }
    }
}

//! What goes wrong before anything was sent: a real status, in the client's protocol.

use llmgate::protocol::Protocol;

use crate::support::client::Answer;
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{NOWHERE, Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::{Rogue, Visit};

/// Asks for a whole answer, or for a stream.
fn ask(lane: &Lane, config: &str, streamed: bool) -> Answer {
    let proxy = Proxy::start(config);
    match streamed {
        true => proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)),
        false => proxy.post(&lane.path(ASKED), &lane.ping(ASKED)),
    }
}

#[track_caller]
fn check(lane: &Lane, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status(), status, "{}: {}", lane.name, answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-llmgate-request-id").is_some());
    let body = answer.json();
    let message = lane.error_message(&body);
    assert!(message.contains("up/up-model-1"), "{message}");
    match lane.protocol {
        Protocol::OpenaiChat | Protocol::OpenaiResponses => assert_eq!(body["error"]["code"], code),
        Protocol::Anthropic => {
            assert_eq!(Some(&body["request_id"]), Some(&answer.header("request-id").into()))
        }
        Protocol::Gemini => assert_eq!(body["error"]["code"], status),
    }
}

/// The provider does this with each request; the client gets that.
fn misbehaves(streamed: &[bool], act: fn(&mut Visit, &'static Lane), status: u16, code: &str) {
    for lane in &LANES {
        for streamed in streamed {
            let rogue = Rogue::once(move |visit| {
                visit.request();
                act(visit, lane);
            });
            // Short only where it is waited for: elsewhere a busy machine may need its time.
            let timeouts = match status {
                504 => "timeouts: {first_byte: 40ms, buffered: 40ms, stream_idle: 40ms}",
                _ => "",
            };
            let config = lane.config_with(&rogue.url(), timeouts, "");
            check(lane, &ask(lane, &config, *streamed), status, code);
        }
    }
}

const INVALID: &str = "upstream_invalid_response";

#[test]
fn a_redirect_is_never_followed() {
    for lane in &LANES {
        for status in [301, 302, 307, 308] {
            let other = Provider::start();
            let reply = Reply::json(status, "{}").header("location", &format!("{}/v1/x", other.url()));
            let provider = Provider::with(reply);
            let config = lane.config(&provider.url());
            check(lane, &ask(lane, &config, false), 502, INVALID);
            assert!(other.is_idle());
        }
    }
}

#[test]
fn a_protocol_that_nobody_asked_for_is_not_switched_to() {
    misbehaves(
        &[false, true],
        |visit, _| {
            visit.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
        },
        502,
        INVALID,
    );
}

#[test]
fn an_answer_that_is_none_is_told() {
    for lane in &LANES {
        for body in ["", " \n", "<html>Sign in</html>", "pong", "[1]", "{\"a\":", "\"text\"", "null"] {
            for (kind, streamed) in [
                ("application/json", false),
                ("application/json", true),
                ("text/html", false),
                ("text/html", true),
            ] {
                let provider = Provider::with(Reply::whole(200, kind, body));
                check(lane, &ask(lane, &lane.config(&provider.url()), streamed), 502, INVALID);
            }
        }
    }
}

#[test]
fn a_stream_that_is_none_is_told() {
    for lane in &LANES {
        for body in ["", "\n\n", ": only a comment\n\n", "data: {\"broken\n\n", "data: <html>\n\n"] {
            let provider = Provider::with(Reply::sse([body]));
            let answer = ask(lane, &lane.config(&provider.url()), true);
            let code = answer.json()["error"]["code"].clone();
            let cut = code == "upstream_stream_cut";
            check(lane, &answer, 502, if cut { "upstream_stream_cut" } else { INVALID });
        }
    }
}

#[test]
fn a_cut_before_the_first_content_is_a_real_status() {
    misbehaves(
        &[true],
        |visit, lane| {
            visit.begin();
            visit.chunk(&lane.opening(UPSTREAM));
            visit.close();
        },
        502,
        "upstream_stream_cut",
    );
    // The body ends as it should, but the stream does not.
    misbehaves(
        &[true],
        |visit, lane| {
            visit.begin();
            visit.chunk(&lane.opening(UPSTREAM));
            visit.end();
        },
        502,
        "upstream_stream_cut",
    );
    misbehaves(
        &[false],
        |visit, lane| {
            let body = lane.pong(UPSTREAM);
            visit.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", body.len() + 1, body));
            visit.close();
        },
        502,
        "upstream_stream_cut",
    );
}

#[test]
fn of_an_error_that_breaks_off_what_came_is_told() {
    for lane in &LANES {
        let rogue = Rogue::once(|visit| {
            visit.request();
            visit.send("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\n");
            visit.send("Your credit balance is too low.");
            visit.close();
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert!(answer.text().contains("Your credit balance is too low."), "{}", answer.text());
        assert_eq!(proxy.settled(1)["recent"][0]["class"], "quota");
    }
}

#[test]
fn a_reset_is_told() {
    misbehaves(&[false, true], |visit, _| visit.reset(), 502, "upstream_stream_cut");
    misbehaves(
        &[true],
        |visit, _| {
            visit.begin();
            visit.reset();
        },
        502,
        "upstream_stream_cut",
    );
}

#[test]
fn a_connection_that_closes_without_an_answer_is_told() {
    misbehaves(&[false, true], |visit, _| visit.close(), 502, "upstream_stream_cut");
}

#[test]
fn an_answer_before_the_whole_request_was_read_is_passed_on() {
    let lane = lane(Protocol::Anthropic);
    // More than sockets hold, so that the rest of it meets a closed connection.
    let request = lane.ping(ASKED).replace("ping", &"ping ".repeat(2_500_000));
    let body = r#"{"error": "12 MB are too much"}"#;
    for length in [format!("content-length: {}\r\n", body.len()), String::new()] {
        let rogue = Rogue::once(move |visit| {
            visit.line();
            visit.send(&format!("HTTP/1.1 413 Too Large\r\nconnection: close\r\n{length}\r\n{body}"));
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let answer = proxy.post(&lane.path(ASKED), &request);
        assert_eq!((answer.status(), answer.text().as_str()), (413, body));
        assert_eq!(answer.header("x-llmgate-attempts"), Some("1"));
    }
}

#[test]
fn what_is_no_http_is_told() {
    misbehaves(&[false, true], |visit, _| visit.send("SSH-2.0-x\r\n\r\n"), 502, INVALID);
}

#[test]
fn a_late_head_is_a_timeout() {
    misbehaves(&[false, true], |visit, _| assert!(visit.is_left()), 504, "upstream_timeout");
}

#[test]
fn a_body_that_stalls_is_a_timeout() {
    misbehaves(
        &[true],
        |visit, lane| {
            visit.begin();
            visit.chunk(&lane.opening(UPSTREAM));
            assert!(visit.is_left());
        },
        504,
        "upstream_timeout",
    );
    misbehaves(
        &[false],
        |visit, _| {
            visit.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\"");
            assert!(visit.is_left());
        },
        504,
        "upstream_timeout",
    );
}

#[test]
fn a_targets_own_first_byte_counts() {
    let lane = lane(Protocol::Anthropic);
    let rogue = Rogue::once(|visit| {
        visit.request();
        assert!(visit.is_left());
    });
    let config = lane.config(&rogue.url()).replace(
        &format!("{ASKED}: up/{UPSTREAM}"),
        &format!("{ASKED}: {{targets: [{{to: up/{UPSTREAM}, first_byte: 40ms}}]}}"),
    );
    check(lane, &ask(lane, &config, true), 504, "upstream_timeout");
}

#[test]
fn the_whole_request_has_a_limit() {
    for lane in &LANES {
        let rogue = Rogue::once(|visit| {
            visit.request();
            assert!(visit.is_left());
        });
        let config = lane.config_with(&rogue.url(), "", "timeouts: {total: 40ms}");
        check(lane, &ask(lane, &config, true), 504, "upstream_timeout");
    }
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    for lane in &LANES {
        for streamed in [false, true] {
            check(lane, &ask(lane, &lane.config(NOWHERE), streamed), 502, "upstream_unreachable");
        }
    }
}

#[test]
fn an_error_as_the_first_event_is_a_real_status() {
    for lane in &LANES {
        let (frame, status) = lane.error_frame;
        for before in [String::new(), lane.opening(UPSTREAM)] {
            let provider = Provider::with(Reply::sse([before.as_str(), frame]));
            let answer = ask(lane, &lane.config(&provider.url()), true);
            assert_eq!(answer.status(), status, "{}: {}", lane.name, answer.text());
            assert!(lane.error_message(&answer.json()).contains("too busy"));
        }
    }
}

#[test]
fn a_pooled_connection_that_died_is_replaced_once() {
    for lane in &LANES {
        let rogue = Rogue::start(vec![
            Box::new(move |visit| {
                visit.request();
                visit.answer(&lane.pong(UPSTREAM));
                visit.request();
                visit.tell("died");
                visit.close();
            }),
            Box::new(move |visit| {
                visit.request();
                visit.tell("fresh");
                visit.answer(&lane.pong(UPSTREAM));
            }),
        ]);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        for _ in 0..2 {
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)));
            assert_eq!(answer.header("x-llmgate-attempts"), Some("1"));
        }
        assert_eq!((rogue.told(), rogue.told()), ("died", "fresh"));
    }
}

#[test]
fn a_pooled_connection_with_bytes_that_nobody_asked_for_is_left() {
    for lane in &LANES {
        let rogue = Rogue::start(vec![
            Box::new(move |visit| {
                visit.request();
                visit.answer(&lane.pong(UPSTREAM));
                visit.wait();
                visit.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                visit.tell("strayed");
            }),
            Box::new(move |visit| {
                visit.request();
                visit.tell("fresh");
                visit.answer(&lane.pong(UPSTREAM));
            }),
        ]);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
        rogue.go();
        assert_eq!(rogue.told(), "strayed");
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)));
        assert_eq!(rogue.told(), "fresh");
    }
}

#[test]
fn a_connection_that_its_provider_closes_hides_no_warm_one() {
    let lane = lane(Protocol::OpenaiChat);
    let rogue = Rogue::start(vec![
        Box::new(move |visit| {
            visit.request();
            visit.tell("asked");
            visit.wait();
            visit.answer(&lane.pong(UPSTREAM));
            visit.request();
            let pong = lane.pong(UPSTREAM);
            visit.send(&format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{pong}",
                pong.len()
            ));
            visit.close();
        }),
        Box::new(move |visit| {
            visit.request();
            visit.answer(&lane.pong(UPSTREAM));
            visit.request();
            visit.tell("warm");
            visit.answer(&lane.pong(UPSTREAM));
        }),
        Box::new(|visit| visit.tell("fresh")),
    ]);
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let post = || proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status();
    let mut client = proxy.connect();
    client.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
    assert_eq!((rogue.told(), post()), ("asked", 200));
    rogue.go();
    assert_eq!(client.answer().status(), 200);
    assert_eq!((post(), post(), rogue.told()), (200, 200, "warm"));
}

#[test]
fn only_a_pooled_connection_is_replaced_and_only_once() {
    let lane = lane(Protocol::OpenaiChat);
    // A fresh one that dies is not.
    let rogue = Rogue::start(vec![
        Box::new(|visit| {
            visit.request();
            visit.close();
        }),
        Box::new(|visit| visit.tell("called again")),
    ]);
    check(lane, &ask(lane, &lane.config(&rogue.url()), false), 502, "upstream_stream_cut");
    assert!(rogue.is_silent());
    // Nor is one that has begun to answer, nor the one that replaced another.
    for begun in [true, false] {
        let rogue = Rogue::start(vec![
            Box::new(move |visit| {
                visit.request();
                visit.answer(&lane.pong(UPSTREAM));
                visit.request();
                visit.send(if begun { "HTTP/1.1 200 OK\r\ncontent-le" } else { "" });
                visit.close();
            }),
            Box::new(|visit| {
                visit.tell("fresh");
                visit.request();
                visit.close();
            }),
            Box::new(|visit| visit.tell("called again")),
        ]);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 502, "{}", answer.text());
        if !begun {
            assert_eq!(rogue.told(), "fresh");
        }
        assert!(rogue.is_silent());
    }
}

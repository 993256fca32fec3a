//! How a provider's answer may be framed, and connections on both sides under many requests.

use std::thread;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::{Act, Rogue, Visit};
use llmgate::protocol::Protocol;

#[test]
fn a_body_may_end_with_the_connection() {
    for lane in &LANES {
        let rogue = Rogue::start(vec![
            Box::new(move |visit: &mut Visit| {
                visit.request();
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
                visit.send(&format!("{head}{}", lane.streamed_pong(UPSTREAM)));
                visit.close();
            }),
            Box::new(move |visit: &mut Visit| {
                visit.request();
                visit.send(&format!(
                    "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{}",
                    lane.pong(UPSTREAM)
                ));
                visit.close();
            }),
        ]);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.rest(), lane.streamed_pong(ASKED), "{}", lane.name);
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)), "{}", lane.name);
    }
}

#[test]
fn a_stream_without_a_kind_is_a_stream() {
    for lane in &LANES {
        for kind in ["", "content-type: text/event-stream; charset=utf-8\r\n", "content-type: text/plain\r\n"]
        {
            let rogue = Rogue::once(move |visit| {
                visit.request();
                visit.send(&format!("HTTP/1.1 200 OK\r\n{kind}transfer-encoding: chunked\r\n\r\n"));
                visit.chunk(&lane.streamed_pong(UPSTREAM));
                visit.end();
            });
            let proxy = Proxy::start(&lane.config(&rogue.url()));
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            assert_eq!(stream.rest(), lane.streamed_pong(ASKED), "{} {kind}", lane.name);
        }
    }
}

#[test]
fn an_interim_answer_is_not_the_answer() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.send("HTTP/1.1 100 Continue\r\n\r\n");
            visit.answer(&lane.pong(UPSTREAM));
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)), "{}", lane.name);
    }
}

#[test]
fn odd_heads_are_an_error_and_no_more() {
    let lane = lane(Protocol::OpenaiChat);
    let many = "x-a: b\r\n".repeat(2000);
    let long = format!("x-a: {}\r\n", "y".repeat(300_000));
    for headers in
        [many, long, "transfer-encoding: gzip, chunked\r\n".to_owned(), "content-length: x\r\n".to_owned()]
    {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.send(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n{{}}"));
            visit.close();
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "retry: {attempts: 1}"));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 502, "{}", answer.text());
        // Something answered there, so that it was reached.
        assert_eq!(answer.json()["error"]["code"], "upstream_invalid_response", "{}", answer.text());
    }
}

#[test]
fn a_compressed_answer_that_nobody_asked_for_is_told() {
    use std::io::Write;
    let lane = lane(Protocol::Anthropic);
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(lane.pong(UPSTREAM).as_bytes()).unwrap();
    let provider = Provider::with(Reply::bytes(&writer.finish().unwrap()).header("content-encoding", "gzip"));
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
    assert_eq!(answer.status(), 502, "{}", answer.text());
}

#[test]
fn connections_to_the_provider_are_used_again() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            for _ in 0..3 {
                visit.request();
                visit.begin();
                visit.chunk(&lane.streamed_pong(UPSTREAM));
                visit.end();
                visit.request();
                visit.answer(&lane.pong(UPSTREAM));
            }
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        for _ in 0..3 {
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            assert_eq!(stream.rest(), lane.streamed_pong(ASKED), "{}", lane.name);
            assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
        }
    }
}

#[test]
fn many_at_once_each_get_their_own() {
    const CLIENTS: usize = 24;
    let lane = lane(Protocol::OpenaiResponses);
    let act = || -> Act {
        Box::new(move |visit| {
            // As long as the proxy uses the connection.
            while !visit.is_at_end() {
                let said = visit.request().json()["input"].as_str().unwrap().to_owned();
                visit.begin();
                visit.chunk(&lane.opening(UPSTREAM));
                for letter in said.chars() {
                    visit.chunk(&lane.content(UPSTREAM).replace("pong", &letter.to_string()));
                }
                visit.chunk(&lane.ending(UPSTREAM));
                visit.end();
            }
        })
    };
    let rogue = Rogue::start((0..CLIENTS * 5).map(|_| act()).collect());
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let proxy = &proxy;
            scope.spawn(move || {
                for turn in 0..5 {
                    let said = format!("client {client} turn {turn}");
                    let body = lane.streamed_ping(ASKED).replace("ping", &said);
                    let all = proxy.stream(&lane.stream_path(ASKED), &body).rest();
                    let parts = all.split("\"delta\":\"").skip(1);
                    let heard: String = parts.map(|part| part.split('"').next().unwrap()).collect();
                    assert_eq!(heard, said);
                }
            });
        }
    });
}

#[test]
fn a_client_that_left_gives_its_place_back() {
    let lane = lane(Protocol::Anthropic);
    let rogue = Rogue::start(vec![
        Box::new(move |visit: &mut Visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            assert!(visit.is_left());
        }),
        Box::new(move |visit: &mut Visit| {
            visit.request();
            visit.answer(&lane.pong(UPSTREAM));
        }),
    ]);
    let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "limits: {requests: 1, queue: 1}"));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    assert_eq!(stream.event().unwrap(), lane.content(ASKED));
    stream.leave();
    // It waits in the queue until the place is free.
    assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
}

//! The commit point: what is held, when the head goes out, what keeps a silent stream alive.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;

/// So short that the first look at a silent provider finds it over.
const SOON: &str = "timeouts: {keepalive: 1ms, commit_after: 1ms}";

#[test]
fn what_opens_a_stream_is_held_until_there_is_content() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.opening(UPSTREAM));
            visit.tell("opened");
            visit.wait();
            // Were the opening out already, this could not become a status.
            visit.chunk(lane.error_frame.0);
            visit.end();
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut client = proxy.connect();
        client.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes());
        rogue.told();
        rogue.go();
        assert_eq!(client.answer().status(), lane.error_frame.1, "{}", lane.name);
    }
}

#[test]
fn many_events_without_content_commit_at_last() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            for _ in 0..20 {
                visit.chunk(&lane.opening(UPSTREAM));
            }
            visit.wait();
            visit.chunk(&lane.ending(UPSTREAM));
            visit.end();
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        for _ in 0..20 {
            assert_eq!(stream.event().unwrap(), lane.opening(ASKED));
        }
        rogue.go();
        assert_eq!(stream.rest(), lane.ending(ASKED));
    }
}

#[test]
fn many_events_without_content_that_break_off_are_one_error() {
    for target in &LANES {
        for client in &LANES {
            let names = format!("{} -> {}", client.name, target.name);
            let openings = || Reply::sse((0..20).map(|_| target.opening(UPSTREAM)));
            let provider = Provider::with(openings());
            let proxy = Proxy::start(&target.config(&provider.url()));
            let told = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest();
            client.told_in_stream(&told);
            if client.protocol == Protocol::OpenaiResponses {
                // Codex knows no failure of what has not begun.
                assert!(told.contains("event: response.created\n"), "{names}: {told}");
            }
            if client.protocol == Protocol::Gemini {
                provider.will(openings());
                let path = client.stream_path(ASKED).replace("?alt=sse", "");
                let told = proxy.stream(&path, &client.ping(ASKED)).rest();
                let list: Result<Vec<serde_json::Value>, _> = serde_json::from_str(&told);
                let last = list.ok().and_then(|list| list.last().cloned());
                assert!(last.is_some_and(|last| last["error"].is_object()), "{names}: {told}");
            }
        }
    }
}

#[test]
fn the_head_goes_out_early_and_signs_of_life_follow() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.wait();
            visit.begin();
            visit.chunk(&lane.streamed_pong(UPSTREAM));
            visit.end();
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", SOON));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        let ours: Vec<_> =
            stream.head.headers.iter().filter(|(name, _)| name.starts_with("x-llmgate")).collect();
        assert_eq!(ours.len(), 1, "{ours:?}");
        assert_eq!(stream.event().unwrap(), lane.early_keepalive, "{}", lane.name);
        rogue.go();
        let rest = stream.rest().replace(lane.early_keepalive, "");
        assert_eq!(rest, lane.streamed_pong(ASKED));
    }
}

#[test]
fn after_an_early_head_a_failure_is_told_in_the_stream() {
    for lane in &LANES {
        for status in [200, 500] {
            let rogue = Rogue::once(move |visit| {
                visit.request();
                visit.wait();
                let body = "{\"error\":{\"message\":\"too busy\"}}";
                let length = body.len();
                visit.send(&format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"));
            });
            let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", SOON));
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            assert_eq!(stream.head.status, 200);
            rogue.go();
            let rest = stream.rest().replace(lane.early_keepalive, "");
            assert!(lane.told_in_stream(&rest).contains("too busy"), "{rest}");
            if lane.protocol == Protocol::OpenaiResponses {
                let kinds: Vec<&str> = rest.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
                assert_eq!(kinds, ["response.created", "response.failed"]);
                assert!(rest.contains("\"sequence_number\":0") && rest.contains("\"sequence_number\":1"));
            }
        }
    }
}

#[test]
fn a_whole_answer_has_no_early_head() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            assert!(visit.is_left());
        });
        let top = "timeouts: {keepalive: 1ms, commit_after: 1ms, buffered: 600ms}";
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", top));
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 504);
    }
}

#[test]
fn silence_in_a_stream_is_filled() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.opening(UPSTREAM));
            visit.chunk(&lane.content(UPSTREAM));
            visit.wait();
            visit.chunk(&lane.ending(UPSTREAM));
            visit.end();
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "timeouts: {keepalive: 1ms}"));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.event().unwrap(), lane.opening(ASKED));
        assert_eq!(stream.event().unwrap(), lane.content(ASKED));
        for _ in 0..2 {
            assert_eq!(stream.event().unwrap(), lane.keepalive, "{}", lane.name);
        }
        rogue.go();
        assert_eq!(stream.rest().replace(lane.keepalive, ""), lane.ending(ASKED));
    }
}

#[test]
fn no_sign_of_life_in_the_middle_of_an_event() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            let event = lane.content(UPSTREAM);
            let (first, second) = event.split_at(event.len() / 2);
            visit.chunk(first);
            visit.wait();
            visit.chunk(second);
            visit.chunk(&lane.ending(UPSTREAM));
            visit.end();
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "timeouts: {keepalive: 1ms}"));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.event().unwrap(), lane.content(ASKED));
        assert_eq!(stream.event().unwrap(), lane.keepalive, "{}", lane.name);
        rogue.go();
        let wanted = [lane.content(ASKED), lane.ending(ASKED)].concat();
        assert_eq!(stream.rest().replace(lane.keepalive, ""), wanted);
    }
}

#[test]
fn the_providers_own_signs_of_life_pass() {
    let lane = lane(Protocol::OpenaiChat);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(": PROCESSING\n\n");
        visit.chunk(&lane.content(UPSTREAM));
        visit.chunk(": STILL\n\n");
        visit.chunk(&lane.ending(UPSTREAM));
        visit.end();
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    // Before the first content they are dropped.
    let wanted = [lane.content(ASKED), ": STILL\n\n".to_owned(), lane.ending(ASKED)].concat();
    assert_eq!(stream.rest(), wanted);
}

#[test]
fn a_provider_that_never_closes_does_not_keep_the_client() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.streamed_pong(UPSTREAM));
            // Gemini has no event after which nothing comes.
            if lane.protocol == Protocol::Gemini {
                visit.end();
            }
            visit.is_left();
            visit.tell("left");
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.rest(), lane.streamed_pong(ASKED));
    }
}

#[test]
fn an_event_whose_last_byte_comes_late_is_not_held() {
    let lane = lane(Protocol::Gemini);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        for event in [lane.opening(UPSTREAM), lane.content(UPSTREAM)] {
            let (event, last) = event.split_at(event.len() - 1);
            visit.chunk(event);
            visit.chunk(last);
        }
        visit.wait();
        visit.chunk(&lane.ending(UPSTREAM));
        visit.end();
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    // Clients look for CR LF CR LF: without its last byte the event is none to them.
    assert_eq!(stream.event().unwrap(), lane.opening(ASKED));
    assert_eq!(stream.event().unwrap(), lane.content(ASKED));
    rogue.go();
    assert_eq!(stream.rest(), lane.ending(ASKED));
}

#[test]
fn an_array_stays_an_array_through_silence_and_failure() {
    let lane = lane(Protocol::Gemini);
    for good in [true, false] {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.wait();
            if good {
                visit.begin();
                visit.chunk(&lane.content(UPSTREAM));
                visit.wait();
                visit.chunk(&lane.ending(UPSTREAM));
                visit.end();
            }
            visit.close();
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", SOON));
        let path = lane.stream_path(ASKED).replace("?alt=sse", "");
        let mut stream = proxy.stream(&path, &lane.ping(ASKED));
        assert_eq!(stream.head.header("content-type"), Some("application/json"));
        let mut all = stream.take(2);
        assert_eq!(all, "\n\n");
        rogue.go();
        if good {
            while !all.ends_with("}\n\n") {
                all.push_str(&stream.take(1));
            }
            rogue.go();
        }
        all.push_str(&stream.rest());
        let list: serde_json::Value = serde_json::from_str(&all).unwrap();
        match good {
            true => assert_eq!(list.as_array().unwrap().len(), 2, "{list}"),
            false => {
                assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
                lane.error_message(&list[0]);
            }
        }
    }
}

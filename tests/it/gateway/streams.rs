//! What goes wrong after content was sent: one error in the client's protocol, never a good end.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, KEY, LANES, Lane, UPSTREAM, lane};
use crate::support::proxy::Proxy;
use crate::support::rogue::{Rogue, Visit};

/// The stream begins well; then the provider does this. The whole stream as the client gets it.
fn then(lane: &'static Lane, top: &str, act: fn(&mut Visit, &'static Lane)) -> String {
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&lane.opening(UPSTREAM));
        visit.chunk(&lane.content(UPSTREAM));
        visit.wait();
        act(visit, lane);
    });
    let proxy = Proxy::start(&lane.config_with(&rogue.url(), "timeouts: {stream_idle: 300ms}", top));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    let good = [lane.opening(ASKED), lane.content(ASKED)].concat();
    assert_eq!(stream.take(good.len()), good);
    rogue.go();
    let rest = stream.rest();
    assert!(stream.ended, "{}", lane.name);
    rest
}

#[track_caller]
fn check(act: fn(&mut Visit, &'static Lane), words: &str) {
    for lane in &LANES {
        let rest = then(lane, "", act);
        let message = lane.told_in_stream(&rest);
        assert!(message.contains(words) && message.contains("up/up-model-1"), "{}: {message}", lane.name);
        if lane.protocol == Protocol::OpenaiResponses {
            assert!(!rest.contains("response.created"), "{rest}");
            assert!(
                rest.contains("\"code\":\"server_error\"") && rest.contains("\"id\":\"resp_1\""),
                "{rest}"
            );
            assert!(rest.contains("\"sequence_number\":2"), "{rest}");
        }
    }
}

#[test]
fn a_cut_is_told() {
    check(|visit, _| visit.close(), "");
}

#[test]
fn a_reset_is_told() {
    check(|visit, _| visit.reset(), "the connection broke");
}

#[test]
fn an_end_without_its_event_is_told() {
    check(|visit, _| visit.end(), "ended before the answer was complete");
}

#[test]
fn an_end_in_the_middle_of_an_event_is_told() {
    check(
        |visit, lane| {
            let half = lane.content(UPSTREAM);
            visit.chunk(&half[..half.len() / 2]);
            visit.end();
        },
        "",
    );
}

#[test]
fn silence_is_told() {
    check(|visit, _| assert!(visit.is_left()), "`timeouts.stream_idle`");
}

#[test]
fn a_broken_event_is_told() {
    check(|visit, _| visit.chunk("data: {\"choices\":[{\"del\n\n"), "not what its protocol says");
}

#[test]
fn an_event_that_is_too_long_is_told() {
    for lane in &LANES {
        let rest = then(lane, "limits: {sse_frame: 1KiB}", |visit, _| {
            visit.chunk(&format!("data: {}", "x".repeat(2000)));
            assert!(visit.is_left());
        });
        assert!(lane.told_in_stream(&rest).contains("`limits.sse_frame`"), "{rest}");
    }
}

#[test]
fn an_error_event_of_the_provider_is_told_once() {
    for lane in &LANES {
        let rest = then(lane, "", |visit, lane| {
            visit.chunk(lane.error_frame.0);
            visit.end();
        });
        match lane.protocol {
            // Codex ignores `error`: what it wants follows.
            Protocol::OpenaiResponses => {
                assert!(rest.starts_with(lane.error_frame.0), "{rest}");
                assert!(lane.told_in_stream(&rest).contains("too busy"), "{rest}");
            }
            _ => assert_eq!(rest, lane.error_frame.0),
        }
    }
}

#[test]
fn a_failed_response_is_told_once() {
    let lane = lane(Protocol::OpenaiResponses);
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":2,\"response\":\
        {\"id\":\"resp_1\",\"model\":\"up-model-1\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"no\"}}}\n\n";
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&[lane.opening(UPSTREAM), lane.content(UPSTREAM), failed.to_owned()].concat());
        visit.end();
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    let wanted = [lane.opening(ASKED), lane.content(ASKED), failed.replace(UPSTREAM, ASKED)].concat();
    assert_eq!(stream.rest(), wanted);
}

#[test]
fn azure_tells_in_the_next_event_why_an_answer_failed() {
    let lane = lane(Protocol::OpenaiResponses);
    let failed =
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":null}}\n\n";
    let why = "event: error\ndata: {\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}}\n\n";
    let told = |before: String, after: &'static str| {
        Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&[&before, failed, after].concat());
            visit.end();
        })
    };
    for (after, status) in [(why, 429), ("", 500)] {
        let rogue = told(lane.opening(UPSTREAM), after);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        assert_eq!(proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)).status(), status);
    }
    for after in [why, ""] {
        let rogue = told(lane.content(UPSTREAM), after);
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.rest(), [&lane.content(ASKED), failed, after].concat());
    }
}

#[test]
fn an_array_that_fails_is_still_an_array() {
    let lane = lane(Protocol::Gemini);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&lane.content(UPSTREAM));
        visit.close();
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let path = lane.stream_path(ASKED).replace("?alt=sse", "");
    let list = proxy.post(&path, &lane.ping(ASKED)).json();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    lane.error_message(&list[1]);
}

#[test]
fn a_known_key_in_a_late_error_is_masked() {
    for lane in &LANES {
        let rest = then(lane, "", |visit, lane| {
            visit.chunk(&lane.error_frame.0.replace("too busy", KEY));
            visit.end();
        });
        assert!(!rest.contains(KEY), "{}: {rest}", lane.name);
    }
}

#[test]
fn nothing_follows_an_error() {
    for lane in &LANES {
        let failed = match lane.protocol {
            Protocol::OpenaiResponses => {
                "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\
                 \"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"no\"}}}\n\n"
            }
            _ => lane.error_frame.0,
        };
        for together in [true, false] {
            let rogue = Rogue::once(move |visit| {
                visit.request();
                visit.begin();
                visit.chunk(&lane.content(UPSTREAM));
                let more = [lane.content(UPSTREAM), lane.ending(UPSTREAM)].concat();
                match together {
                    true => visit.chunk(&format!("{failed}{more}")),
                    false => [failed, &more].iter().for_each(|part| visit.chunk(part)),
                }
                visit.end();
            });
            let proxy = Proxy::start(&lane.config(&rogue.url()));
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            assert_eq!(stream.rest(), format!("{}{failed}", lane.content(ASKED)), "{}", lane.name);
        }
    }
}

/// OpenAI's SDKs look for the member `error` of a chunk, and take every other error for nothing.
#[test]
fn an_error_that_a_chat_client_would_not_see_is_told_anew() {
    let lane = lane(Protocol::OpenaiChat);
    for failed in [
        "event: error\ndata: no luck\n\n",
        "event: error\ndata: {\"message\":\"no luck\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"no luck\",\"type\":\"InternalServerError\",\"code\":500}\n\n",
        "data: {\"detail\":\"no luck\"}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\",\"error\":{\"message\":\"no luck\"}}]}\n\n",
        "data: {\"detail\":\"no luck\"}",
    ] {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            visit.chunk(failed);
            if failed.ends_with('\n') {
                visit.chunk("data: [DONE]\n\n");
            }
            visit.end();
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        let all = stream.rest();
        let rest = all.strip_prefix(&lane.content(ASKED)).unwrap();
        assert!(lane.told_in_stream(rest).contains("no luck"), "{failed}: {rest}");
        assert!(rest.starts_with("data: {\"error\":{") && !rest.contains("[DONE]"), "{failed}: {rest}");
    }
}

#[test]
fn an_error_before_silence_is_told_as_what_it_is() {
    let lane = lane(Protocol::OpenaiResponses);
    let rest = then(lane, "", |visit, lane| {
        visit.chunk(lane.error_frame.0);
        assert!(visit.is_left());
    });
    assert!(lane.told_in_stream(&rest).contains("too busy"), "{rest}");
}

#[test]
fn the_limit_of_the_whole_request_is_told() {
    for lane in &LANES {
        let rest = then(lane, "timeouts: {total: 400ms}", |visit, _| {
            visit.tell("silent");
            visit.is_left();
        });
        lane.told_in_stream(&rest);
    }
}

#[test]
fn a_reader_that_takes_its_time_gets_everything() {
    let lane = lane(Protocol::Anthropic);
    let event = lane.content(UPSTREAM).replace("pong", &"x".repeat(20_000));
    let rogue = Rogue::once({
        let event = event.clone();
        move |visit| {
            visit.request();
            visit.begin();
            for _ in 0..400 {
                visit.chunk(&event);
            }
            visit.chunk(&lane.ending(UPSTREAM));
            visit.end();
        }
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    // Another client is served while this one reads nothing.
    assert_eq!(proxy.get("/health").status(), 200);
    assert_eq!(stream.rest(), format!("{}{}", event.repeat(400), lane.ending(ASKED)));
}

/// The event with which an answer is at its end, without those that follow it.
fn regular_end(lane: &Lane) -> String {
    let ending = lane.ending(UPSTREAM);
    let end = ending.find("\n\n").map_or(ending.len(), |at| at + 2);
    ending[..end].to_owned()
}

#[test]
fn after_the_regular_end_a_cut_is_none() {
    for lane in &LANES {
        for reset in [true, false] {
            let ending = regular_end(lane);
            let rogue = Rogue::once({
                let ending = ending.clone();
                move |visit| {
                    visit.request();
                    visit.begin();
                    visit.chunk(&lane.content(UPSTREAM));
                    visit.chunk(&ending);
                    visit.wait();
                    if reset { visit.reset() } else { visit.close() }
                }
            });
            let proxy = Proxy::start(&lane.config(&rogue.url()));
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            let wanted = [lane.content(ASKED), ending.replace(UPSTREAM, ASKED)].concat();
            assert_eq!(stream.take(wanted.len()), wanted);
            rogue.go();
            assert_eq!(stream.rest(), "", "{}", lane.name);
            assert!(stream.ended);
        }
    }
}

#[test]
fn after_the_regular_end_no_limit_and_no_stop_is_told() {
    for lane in &LANES {
        for (top, stops) in [("timeouts: {total: 600ms}", false), ("timeouts: {drain: 1ms}", true)] {
            let ending = regular_end(lane);
            let rogue = Rogue::once({
                let ending = ending.clone();
                move |visit| {
                    visit.request();
                    visit.begin();
                    visit.chunk(&lane.content(UPSTREAM));
                    visit.chunk(&ending);
                    visit.is_left();
                }
            });
            let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", top));
            let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
            let wanted = [lane.content(ASKED), ending.replace(UPSTREAM, ASKED)].concat();
            assert_eq!(stream.take(wanted.len()), wanted);
            if stops {
                proxy.server.drain();
            }
            assert_eq!(stream.rest(), "", "{} {top}", lane.name);
            assert!(stream.ended);
            if !stops {
                assert_eq!(proxy.settled(1)["recent"][0]["outcome"], "success");
            }
        }
    }
}

//! Limits of sizes and numbers, and what is told when one is reached.

use std::thread;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;
use llmgate::protocol::Protocol;

#[test]
fn a_whole_answer_may_be_so_long() {
    for lane in &LANES {
        let long = |text: String| text.replace("pong", &"x".repeat(2000));
        let streamed = Reply::sse([long(lane.streamed_pong(UPSTREAM))]);
        for reply in [Reply::json(200, &long(lane.pong(UPSTREAM))), streamed] {
            let provider = Provider::with(reply);
            let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "limits: {response_body: 2KiB}"));
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert_eq!(answer.status(), 502);
            assert!(lane.error_message(&answer.json()).contains("`limits.response_body`"));
        }
    }
}

#[test]
fn a_large_whole_answer_comes_whole() {
    for lane in &LANES {
        for size in [10_000, 300_000] {
            let large = |text: String| text.replace("pong", &"x".repeat(size));
            let provider = Provider::with(Reply::json(200, &large(lane.pong(UPSTREAM))));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert!(answer.text() == large(lane.pong(ASKED)), "{} {size}", lane.name);
        }
    }
}

#[test]
fn a_first_event_may_be_so_long() {
    for lane in &LANES {
        let provider = Provider::with(Reply::sse([format!("data: {}", "x".repeat(2000))]));
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "limits: {sse_frame: 1KiB}"));
        let answer = proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(answer.status(), 502);
        assert!(lane.error_message(&answer.json()).contains("`limits.sse_frame`"));
    }
}

#[test]
fn an_error_body_is_cut() {
    for lane in &LANES {
        let body = format!("{{\"error\":{{\"message\":\"{}\"}}}}", "x".repeat(5000));
        let provider = Provider::with(Reply::json(400, &body));
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "limits: {error_body: 1KiB}"));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text().as_str()), (400, &body[..1024]));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
}

#[test]
fn a_request_may_be_so_long() {
    for lane in &LANES {
        let provider = Provider::start();
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "limits: {request_body: 1KiB}"));
        let body = lane.ping(ASKED).replace("ping", &"x".repeat(2000));
        let answer = proxy.post(&lane.path(ASKED), &body);
        assert_eq!(answer.status(), 413, "{}", answer.text());
        assert!(lane.error_message(&answer.json()).contains("`limits.request_body`"));
        assert!(provider.is_idle());
    }
}

#[test]
fn a_compressed_request_goes_on_expanded() {
    use std::io::Write;
    for lane in &LANES {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(lane.ping(ASKED).as_bytes()).unwrap();
        let mut client = proxy.connect();
        client.ask("POST", &lane.path(ASKED), &[("content-encoding", "gzip")], &writer.finish().unwrap());
        assert_eq!(client.answer().status(), 200);
        let received = provider.received();
        assert_eq!(received.text(), lane.ping(UPSTREAM));
        assert_eq!(received.header("content-encoding"), None);
        client.ask("POST", &lane.path(ASKED), &[("content-encoding", "br")], b"x");
        let refused = client.answer();
        assert_eq!(refused.status(), 415);
        lane.error_message(&refused.json());
    }
}

#[test]
fn more_requests_than_may_run_are_turned_away() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.tell("running");
            visit.wait();
            visit.answer(&lane.pong(UPSTREAM));
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "limits: {requests: 1, queue: 0}"));
        let mut running = proxy.connect();
        running.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
        assert_eq!(rogue.told(), "running");
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
        lane.error_message(&answer.json());
        if lane.protocol == Protocol::OpenaiChat {
            assert_eq!(answer.json()["error"]["code"], "proxy_busy");
        }
        // These never wait for a slot.
        assert_eq!(proxy.get("/health").status(), 200);
        assert_eq!(proxy.get("/v1/models").status(), 200);
        rogue.go();
        assert_eq!(running.answer().status(), 200);
    }
}

#[test]
fn some_wait_for_their_turn() {
    let lane = lane(Protocol::Anthropic);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.tell("running");
        visit.wait();
        visit.answer(&lane.pong(UPSTREAM));
        visit.request();
        visit.answer(&lane.pong(UPSTREAM));
    });
    let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "limits: {requests: 1, queue: 1}"));
    let mut running = proxy.connect();
    running.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
    assert_eq!(rogue.told(), "running");
    thread::scope(|scope| {
        let (tell, told) = crossbeam_channel::unbounded();
        for _ in 0..2 {
            let (tell, proxy) = (tell.clone(), &proxy);
            scope
                .spawn(move || tell.send(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status()).unwrap());
        }
        // One of them finds the queue full; the other one waits.
        assert_eq!(told.recv().unwrap(), 503);
        rogue.go();
        assert_eq!(told.recv().unwrap(), 200);
    });
    assert_eq!(running.answer().status(), 200);
}

#[test]
fn whoever_gets_no_turn_is_told_so_and_written_down() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.tell("running");
            visit.wait();
            visit.answer(&lane.pong(UPSTREAM));
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "limits: {requests: 1, queue: 1}"));
        let (path, body) = (lane.path(ASKED), lane.ping(ASKED));
        let mut running = proxy.connect();
        running.ask("POST", &path, &[], body.as_bytes());
        assert_eq!(rogue.told(), "running");
        // Its time is over before its turn comes.
        let late = proxy.ask("POST", &path, &[("x-llmgate-timeout-ms", "100")], &body);
        assert_eq!(late.status(), 504, "{}", late.text());
        assert!(lane.error_message(&late.json()).contains("`limits.requests`"));
        proxy.settled(1);
        // One waits, one finds no place to wait, one leaves.
        let mut waiting = proxy.connect();
        waiting.ask("POST", &path, &[], body.as_bytes());
        proxy.until(|status| status["queued"] == 1);
        assert_eq!(proxy.post(&path, &body).status(), 503);
        proxy.settled(2);
        waiting.leave();
        let status = proxy.settled(3);
        let told = |name: &str| -> Vec<_> {
            let recent = status["recent"].as_array().unwrap();
            recent.iter().map(|line| line[name].to_string()).collect()
        };
        assert_eq!(told("status"), ["499", "503", "504"]);
        assert_eq!(told("outcome"), ["\"cancelled\"", "\"error\"", "\"error\""]);
        let counted = format!("model=\"{ASKED}\",status=\"503\"}} 1\n");
        assert!(proxy.get("/metrics").text().contains(&counted));
        // No target has anything to do with it.
        assert_eq!(told("attempts"), ["0"; 3]);
        assert_eq!(status["targets"][0]["errors"], 0);
        rogue.go();
        assert_eq!(running.answer().status(), 200);
    }
}

#[test]
fn a_large_stream_has_no_limit_of_its_own() {
    let lane = lane(Protocol::OpenaiChat);
    let parts = [lane.opening(UPSTREAM), lane.content(UPSTREAM).repeat(3000), lane.ending(UPSTREAM)];
    let provider = Provider::with(Reply::sse(&parts));
    let top = "limits: {sse_frame: 1KiB, response_body: 2KiB}";
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", top));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    assert_eq!(stream.rest(), parts.concat().replace(UPSTREAM, ASKED));
}

//! The first target fails, the second answers: the client sees one good answer.

use llmgate::protocol::Protocol;
use llmgate::protocol::tap::Facts;

use crate::support::client::Answer;
use crate::support::duo::{FORGETFUL, ONCE, ask, config, in_turn, path, provider, two};
use crate::support::lane::{LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{NOWHERE, Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::{Act, Rogue, Visit};

/// How a target fails before any content.
const FAULTS: [&str; 9] =
    ["529", "429", "500", "401", "404", "closes", "resets", "ends early", "no stream, no JSON"];

fn fails(visit: &mut Visit, lane: &Lane, fault: &str, streamed: bool) {
    visit.request();
    match fault {
        "closes" => visit.close(),
        "resets" if streamed => {
            visit.begin();
            visit.chunk(&lane.opening("first"));
            visit.reset();
        }
        "resets" => visit.reset(),
        "ends early" if streamed => {
            visit.begin();
            visit.chunk(&lane.opening("first"));
            visit.end();
        }
        "ends early" => {
            visit.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"a\":")
        }
        "no stream, no JSON" => refuses(visit, "200", "<html>first</html>"),
        status => refuses(visit, status, "{\"error\":{\"message\":\"first is broken\",\"type\":\"t\"}}"),
    }
    visit.close();
}

fn refuses(visit: &mut Visit, status: &str, body: &str) {
    let length = body.len();
    visit.send(&format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ));
}

/// The client got the second target's answer, and no trace of the first.
#[track_caller]
fn is_the_second(client: &Lane, answer: &Answer, streamed: bool) {
    let text = answer.text();
    assert_eq!(answer.status(), 200, "{text}");
    assert_eq!(path(answer), (format!("b/{UPSTREAM}").as_str(), "2", "-"));
    assert_eq!(answer.header("x-llmgate-provider"), Some("b"));
    assert!(!text.contains("first") && !text.contains("broken"), "{text}");
    if streamed {
        client.is_one_pong(&text);
    } else {
        let mut facts = Facts::default();
        client.protocol.codec().tap_whole(&text, &mut facts);
        assert!(facts.finished && text.contains("pong"), "{text}");
        assert_eq!((facts.usage.input, facts.usage.output), (Some(9), Some(2)), "{text}");
    }
}

/// Every pair of upstream protocols, each with every client, streamed and not, each fault.
fn fails_over(a: &'static Lane) {
    for b in &LANES {
        let mut acts: Vec<Act> = Vec::new();
        let each = || {
            let modes = |client: &'static Lane| [(client, false), (client, true)];
            LANES
                .iter()
                .flat_map(modes)
                .flat_map(|(client, streamed)| FAULTS.map(|fault| (client, streamed, fault)))
        };
        for (_, streamed, fault) in each() {
            acts.push(Box::new(move |visit| fails(visit, a, fault, streamed)));
        }
        let (rogue, good) = (Rogue::start(acts), Provider::start());
        let top = format!("{ONCE}\n{FORGETFUL}");
        let proxy = Proxy::start(&two((a, &rogue.url()), (b, &good.url()), &top));
        for (client, streamed, fault) in each() {
            good.will(match streamed {
                // In one write: many small ones wait for each other.
                true => Reply::whole(200, "text/event-stream", &b.streamed_pong(UPSTREAM)),
                false => Reply::json(200, &b.pong(UPSTREAM)),
            });
            println!("{} -> {} ({fault}), {}, streamed: {streamed}", client.name, a.name, b.name);
            is_the_second(client, &ask(&proxy, client, streamed, &[]), streamed);
            assert!(good.received().text().contains("ping"));
        }
        assert!(good.is_idle());
    }
}

#[test]
fn from_chat_to_any() {
    fails_over(&LANES[0]);
}

#[test]
fn from_responses_to_any() {
    fails_over(&LANES[1]);
}

#[test]
fn from_anthropic_to_any() {
    fails_over(&LANES[2]);
}

#[test]
fn from_gemini_to_any() {
    fails_over(&LANES[3]);
}

#[test]
fn from_a_port_where_nobody_listens() {
    for client in &LANES {
        let good = Provider::with(Reply::sse([client.streamed_pong(UPSTREAM)]));
        let proxy = Proxy::start(&two((client, NOWHERE), (client, &good.url()), ONCE));
        is_the_second(client, &ask(&proxy, client, true, &[]), true);
    }
}

#[test]
fn from_a_target_that_takes_too_long() {
    for client in &LANES {
        for begins in [false, true] {
            let slow = Rogue::once(move |visit| {
                visit.request();
                if begins {
                    visit.begin();
                    visit.chunk(&client.opening("first"));
                }
                assert!(visit.is_left());
            });
            let good = Provider::with(Reply::sse([client.streamed_pong(UPSTREAM)]));
            let patience = "timeouts: {first_byte: 40ms, stream_idle: 40ms}";
            let providers =
                [provider("a", client, &slow.url(), patience), provider("b", client, &good.url(), "")];
            let models = in_turn(&["a/first", &format!("b/{UPSTREAM}")]);
            // A target that is late is not asked again.
            let proxy = Proxy::start(&config("retry: {attempts: 3, base_delay: 0s}", &providers, &models));
            is_the_second(client, &ask(&proxy, client, true, &[]), true);
        }
    }
}

#[test]
fn an_error_event_before_content_is_a_failure_like_any() {
    for client in &LANES {
        for before in [String::new(), client.opening("first")] {
            let bad = Provider::with(Reply::sse([before.as_str(), client.error_frame.0]));
            let good = Provider::with(Reply::sse([client.streamed_pong(UPSTREAM)]));
            let proxy = Proxy::start(&two((client, &bad.url()), (client, &good.url()), ONCE));
            is_the_second(client, &ask(&proxy, client, true, &[]), true);
        }
    }
}

#[test]
fn after_the_head_alone_others_may_still_answer() {
    for client in &LANES {
        let bad = Rogue::once(move |visit| {
            visit.request();
            visit.wait();
            refuses(visit, "529", "{}");
        });
        let good = Provider::with(Reply::sse([client.streamed_pong(UPSTREAM)]));
        let top = format!("{ONCE}\ntimeouts: {{commit_after: 1ms}}");
        let proxy = Proxy::start(&two((client, &bad.url()), (client, &good.url()), &top));
        let mut connection = proxy.connect();
        let body = client.streamed_ping(crate::support::lane::ASKED);
        connection.ask("POST", &client.stream_path(crate::support::lane::ASKED), &[], body.as_bytes());
        let mut stream = connection.stream();
        assert_eq!(stream.head.header("x-llmgate-target"), None);
        bad.go();
        client.is_one_pong(&stream.rest());
    }
}

#[test]
fn when_all_fail_the_last_failure_is_told_with_all_tries() {
    let fails = |status| Reply::json(status, "{\"error\":{\"message\":\"no luck\",\"type\":\"t\"}}");
    for client in &LANES {
        for b in LANES.iter().filter(|b| b.protocol != client.protocol) {
            let (bad, worse) = (Provider::with(fails(429)), Provider::with(fails(500)));
            let proxy = Proxy::start(&two((client, &bad.url()), (b, &worse.url()), ONCE));
            let answer = ask(&proxy, client, true, &[]);
            assert_eq!(answer.status(), 500, "{}", answer.text());
            let message = client.error_message(&answer.json());
            let tried = format!("Tried: a/first (rate_limit), b/{UPSTREAM} (transient).");
            assert!(message.contains("no luck") && message.ends_with(&tried), "{message}");
            assert_eq!(path(&answer).1, "2");
        }
    }
}

#[test]
fn so_many_events_are_held_and_no_more() {
    let lane = lane(Protocol::Anthropic);
    let (error, status) = lane.error_frame;
    for (count, expected) in [(16, status), (17, 200)] {
        let unknown = "event: new\ndata: {\"type\":\"new\"}\n\n".repeat(count);
        let provider = Provider::with(Reply::sse([unknown, error.to_owned()]));
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", ONCE));
        assert_eq!(ask(&proxy, lane, true, &[]).status(), expected, "{count}");
    }
}

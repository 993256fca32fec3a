//! A whole answer where a stream was asked for, and the other way round, in every pair.

use llmgate::protocol::Protocol;
use llmgate::protocol::tap::Facts;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane, told};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

#[test]
fn a_whole_answer_becomes_the_stream_that_was_asked_for() {
    for target in &LANES {
        for client in &LANES {
            let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let stream = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest();
            let names = format!("{} -> {}: {stream}", client.name, target.name);
            let facts = told(client.protocol, &stream);
            assert!(facts.finished && facts.error.is_none(), "{names}");
            assert!(stream.contains("pong") && stream.contains(ASKED), "{names}");
        }
    }
}

#[test]
fn a_translated_stream_becomes_an_array_where_no_events_were_asked_for() {
    let client = lane(Protocol::Gemini);
    for target in &LANES {
        let provider = Provider::with(Reply::sse([target.streamed_pong(UPSTREAM)]));
        let proxy = Proxy::start(&target.config(&provider.url()));
        let path = client.stream_path(ASKED).replace("?alt=sse", "");
        let text = proxy.stream(&path, &client.ping(ASKED)).rest();
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert!(text.contains("pong") && list.len() > 1, "{}: {text}", target.name);
    }
}

#[test]
fn a_stream_becomes_the_whole_answer_that_was_asked_for() {
    for target in &LANES {
        for client in &LANES {
            let provider = Provider::with(Reply::sse([target.streamed_pong(UPSTREAM)]));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
            let names = format!("{} -> {}: {}", client.name, target.name, answer.text());
            assert_eq!(answer.status(), 200, "{names}");
            let mut facts = Facts::default();
            client.protocol.codec().tap_whole(&answer.text(), &mut facts);
            assert!(
                facts.finished && answer.text().contains("pong") && answer.text().contains(ASKED),
                "{names}"
            );
        }
    }
}

#[test]
fn letter_case_is_of_no_meaning_in_a_media_type() {
    for lane in &LANES {
        let provider = Provider::with(Reply::whole(200, "Application/JSON", &lane.pong(UPSTREAM)));
        provider.will(Reply::whole(200, "Text/Event-Stream", &lane.streamed_pong(UPSTREAM)));
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)).rest();
        assert!(stream.contains("pong"), "{}: {stream}", lane.name);
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 200, "{}: {}", lane.name, answer.text());
    }
}

#[test]
fn a_stream_that_fails_is_no_whole_answer() {
    for target in &LANES {
        for client in &LANES {
            let names = format!("{} -> {}", client.name, target.name);
            let cut = [target.opening(UPSTREAM), target.content(UPSTREAM)];
            let provider = Provider::with(Reply::sse(cut));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
            assert_eq!(answer.status(), 502, "{names}: {}", answer.text());
            assert!(answer.text().contains("ended before"), "{names}: {}", answer.text());

            let (frame, status) = target.error_frame;
            let provider = Provider::with(Reply::sse([target.opening(UPSTREAM), frame.to_owned()]));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
            assert_eq!(answer.status(), status, "{names}: {}", answer.text());

            let provider = Provider::with(Reply::sse(["data: {\"no\n\n"]));
            let proxy = Proxy::start(&target.config(&provider.url()));
            let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
            assert_eq!(answer.status(), 502, "{names}: {}", answer.text());
        }
    }
}

#[test]
fn a_page_is_no_answer_in_either_form() {
    for client in &LANES {
        let page = "<html><body>Sign in to the hotel's network</body></html>";
        for kind in ["text/html", "application/json"] {
            let provider = Provider::with(Reply::whole(200, kind, page));
            provider.will(Reply::whole(200, kind, page));
            let proxy = Proxy::start(&client.config(&provider.url()));
            assert_eq!(proxy.post(&client.path(ASKED), &client.ping(ASKED)).status(), 502);
            assert_eq!(proxy.post(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).status(), 502);
        }
    }
}

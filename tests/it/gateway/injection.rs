//! A stream that breaks at any of its bytes, with a second target behind it (SPEC 6.6): the client
//! gets the second target's whole answer, or an error that its SDK raises; never a doubled word,
//! never a false end.

use crate::support::client::Answer;
use crate::support::duo::{FORGETFUL, ONCE, ask, config, in_turn, provider, two};
use crate::support::lane::{LANES, Lane, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::{Act, Rogue, Visit};

/// What the client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    /// The second target's answer.
    Second,
    /// The first one's beginning, and an error.
    Error,
    /// The first one's answer: it was whole before it broke.
    First,
}

#[track_caller]
fn got(client: &Lane, answer: &Answer) -> Got {
    let text = answer.text();
    assert_eq!(answer.status(), 200, "{text}");
    if answer.header("x-llmgate-provider") == Some("b") {
        assert!(!text.contains("pong"), "{text}");
        client.is_one(&text, "pang");
        return Got::Second;
    }
    assert!(!text.contains("pang"), "{text}");
    let facts = crate::support::lane::told(client.protocol, &text);
    if facts.error.is_none() {
        // What follows the terminal event may be missing.
        assert!(facts.finished, "{text}");
        assert_eq!(text.matches(&client.says("pong")).count(), 1, "{text}");
        return Got::First;
    }
    assert!(text.matches(&client.says("pong")).count() <= 1, "{text}");
    for start in ["event: message_start\n", "event: response.created\n"] {
        assert!(text.matches(start).count() <= 1, "{text}");
    }
    assert!(client.told_in_stream(&text).contains("a/first"), "{text}");
    Got::Error
}

/// The provider that says "pang" as soon as the last "pang" was said.
struct Second {
    lane: &'static Lane,
    provider: Provider,
}

impl Second {
    fn new(lane: &'static Lane) -> Self {
        let second = Self { lane, provider: Provider::start() };
        second.goes_on();
        second
    }

    fn goes_on(&self) {
        let stream = self.lane.streamed_pong(UPSTREAM).replace("pong", "pang");
        self.provider.will(Reply::whole(200, "text/event-stream", &stream));
    }
}

/// Each prefix of the target's stream, ended so.
fn breaks(client: &'static Lane, target: &'static Lane, ends: fn(&mut Visit)) -> Vec<Got> {
    let whole = target.streamed_pong("first");
    let acts = (0..=whole.len()).map(|length| {
        let part = whole[..length].to_owned();
        let act: Act = Box::new(move |visit| {
            visit.request();
            visit.begin();
            if !part.is_empty() {
                visit.chunk(&part);
            }
            ends(visit);
        });
        act
    });
    let rogue = Rogue::start(acts.collect());
    let second = Second::new(client);
    let top = format!("{ONCE}\n{FORGETFUL}");
    let proxy = Proxy::start(&two((target, &rogue.url()), (client, &second.provider.url()), &top));
    let got = (0..=whole.len()).map(|length| {
        println!("{} -> {}, {length} of {} bytes", client.name, target.name, whole.len());
        let got = got(client, &ask(&proxy, client, true, &[]));
        if got == Got::Second {
            second.goes_on();
        }
        got
    });
    got.collect()
}

/// First the second target answers, then an error is told, then the answer is whole.
#[track_caller]
fn in_order(all: &[Got]) {
    let rank = |got: &Got| match got {
        Got::Second => 0,
        Got::Error => 1,
        Got::First => 2,
    };
    assert!(all.is_sorted_by_key(rank), "{all:?}");
    assert_eq!((all.first(), all.last()), (Some(&Got::Second), Some(&Got::First)), "{all:?}");
    assert!(all.contains(&Got::Error), "{all:?}");
}

fn native(lane: &'static Lane) {
    in_order(&breaks(lane, lane, |visit| visit.close()));
    // What has arrived before a reset may or may not be read, so that any of the three is right.
    breaks(lane, lane, Visit::reset);
}

fn translated(target: &'static Lane) {
    let at = LANES.iter().position(|lane| lane.protocol == target.protocol).unwrap();
    let client = &LANES[(at + 1) % LANES.len()];
    in_order(&breaks(client, target, Visit::end));
}

#[test]
fn chat_breaks_at_any_byte() {
    native(&LANES[0]);
}

#[test]
fn responses_breaks_at_any_byte() {
    native(&LANES[1]);
}

#[test]
fn anthropic_breaks_at_any_byte() {
    native(&LANES[2]);
}

#[test]
fn gemini_breaks_at_any_byte() {
    native(&LANES[3]);
}

#[test]
fn chat_breaks_at_any_byte_on_its_way_to_another_protocol() {
    translated(&LANES[0]);
}

#[test]
fn responses_breaks_at_any_byte_on_its_way_to_another_protocol() {
    translated(&LANES[1]);
}

#[test]
fn anthropic_breaks_at_any_byte_on_its_way_to_another_protocol() {
    translated(&LANES[2]);
}

#[test]
fn gemini_breaks_at_any_byte_on_its_way_to_another_protocol() {
    translated(&LANES[3]);
}

#[test]
fn a_stream_that_stalls_is_a_stream_that_breaks() {
    for target in &LANES {
        let (opening, content) = (target.opening("first"), target.content("first"));
        let half = content[..content.len() / 2].to_owned();
        for (said, wanted) in [
            (opening.clone(), Got::Second),
            (format!("{opening}{half}"), Got::Second),
            (format!("{opening}{content}"), Got::Error),
            (format!("{opening}{content}{half}"), Got::Error),
        ] {
            let slow = Rogue::once(move |visit| {
                visit.request();
                visit.begin();
                visit.chunk(&said);
                assert!(visit.is_left());
            });
            let second = Second::new(target);
            let providers = [
                provider("a", target, &slow.url(), "timeouts: {stream_idle: 40ms}"),
                provider("b", target, &second.provider.url(), ""),
            ];
            let models = in_turn(&["a/first", &format!("b/{UPSTREAM}")]);
            let proxy = Proxy::start(&config(ONCE, &providers, &models));
            assert_eq!(got(target, &ask(&proxy, target, true, &[])), wanted, "{}", target.name);
        }
    }
}

//! Any cut, any chunking, any changed byte.

use llmgate::base::sse::FrameReader;
use llmgate::ir::grammar::Grammar;
use llmgate::ir::stream::StreamEvent;
use llmgate::protocol::Protocol;
use llmgate::protocol::tap::{Facts, Kind};
use llmgate::translate::pipe::StreamEnd;

use crate::support::crossing::{self, FRAME, REQUEST_ID, Streamed, pairs};
use crate::support::draw::{self, Draw};
use crate::support::fixtures::{self, Fixture};

/// How many changed copies of each stream each client is sent.
const MUTANTS: u64 = 10;

/// Does this with each recorded stream and client.
fn each(mut check: impl FnMut(Protocol, Protocol, &Fixture)) {
    for (from, to) in pairs() {
        for kind in ["streams", "faults"] {
            for fixture in fixtures::all(kind, from.name()) {
                check(from, to, &fixture);
            }
        }
    }
}

fn run<'p>(from: Protocol, to: Protocol, parts: impl IntoIterator<Item = &'p [u8]>) -> Streamed {
    crossing::stream(&crossing::crossing(from, to, crossing::answer(Vec::new())), parts)
}

/// The events of a stream, as far as its frames are what they must be.
fn events(from: Protocol, bytes: &[u8]) -> Vec<StreamEvent> {
    let mut reader = FrameReader::new(FRAME);
    reader.push(bytes);
    let mut decoder = from.codec().wire().stream_decoder(REQUEST_ID);
    let mut events = Vec::new();
    while let Ok(Some(frame)) = reader.next_frame() {
        let Some(text) = frame.text() else { continue };
        if decoder.frame(frame.event_name(), &text, &mut events).is_err() {
            return events;
        }
    }
    if let Some(frame) = reader.rest()
        && let Some(text) = frame.text()
    {
        let _ = decoder.frame(frame.event_name(), &text, &mut events);
    }
    decoder.finish(&mut events);
    events
}

#[test]
fn any_chunking_gives_the_same_bytes() {
    each(|from, to, fixture| {
        let bytes = fixture.text.as_bytes();
        let whole = run(from, to, [bytes]);
        let single = run(from, to, bytes.chunks(1));
        assert!(single.out == whole.out && single.end == whole.end, "{} byte by byte", fixture.name);
        for seed in 0..3 {
            let mut draw = Draw::seeded(seed);
            let (mut rest, mut parts) = (bytes, Vec::new());
            while !rest.is_empty() {
                let (part, more) = rest.split_at(draw.below(rest.len().min(400)) + 1);
                parts.push(part);
                rest = more;
            }
            let parted = run(from, to, parts);
            assert!(
                parted.out == whole.out && parted.end == whole.end,
                "{} to {} with seed {seed}",
                fixture.name,
                to.name()
            );
        }
    });
}

#[test]
fn any_cut_is_told_and_nothing_of_it_is_doubled() {
    each(|from, to, fixture| {
        let bytes = fixture.text.as_bytes();
        let whole = run(from, to, [bytes]);
        for cut in cuts(bytes) {
            let part = run(from, to, [&bytes[..cut]]);
            let place = || format!("{} to {} cut at {cut} of {}", fixture.name, to.name(), bytes.len());
            if part.end == Ok(StreamEnd::Finished) {
                let told = events(from, &bytes[..cut]);
                let is_end = |event: &StreamEvent| matches!(event, StreamEvent::Finish { .. });
                assert!(told.iter().any(is_end), "{}: an end that nobody told", place());
            } else {
                assert!(whole.out.starts_with(&part.out), "{}: {}", place(), part.text());
            }
        }
    });
}

/// Places around the ends of frames, and some in between. A frame is taken whole or not at all, so
/// that the others can tell nothing new; of a long stream a share is enough, its end included.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let ends = ends(bytes);
    let shown = ends.iter().rev().take(2).chain(ends.iter().step_by(1 + ends.len() / 6));
    let around = shown.flat_map(|end| end - 1..(end + 2).min(bytes.len()));
    around.chain((0..bytes.len()).step_by(1 + bytes.len() / 5)).collect()
}

/// Where each frame ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(bytes).unwrap();
    let ends = ["\n\n", "\r\n\r\n"]
        .into_iter()
        .flat_map(|blank| text.match_indices(blank).map(move |(at, _)| at + blank.len()));
    ends.collect()
}

#[test]
fn events_obey_the_grammar_however_far_they_came() {
    for protocol in Protocol::ALL {
        for kind in ["streams", "faults"] {
            for fixture in fixtures::all(kind, protocol.name()) {
                let bytes = fixture.text.as_bytes();
                for end in ends(bytes) {
                    lawful(protocol, &bytes[..end], &fixture.name);
                }
            }
        }
    }
}

#[track_caller]
fn lawful(protocol: Protocol, bytes: &[u8], name: &str) {
    let mut grammar = Grammar::default();
    for event in events(protocol, bytes) {
        if let Err(breach) = grammar.check(&event) {
            panic!("{name}: {breach:?} by {event:?} in\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

/// Decoders skip the look that the native lane takes at each frame where they know that it would say
/// nothing but "words": it must say just that. So must a chunk that is compared with the one before.
#[test]
fn what_is_taken_for_words_is_words_and_nothing_else() {
    let mut taken = 0;
    for protocol in Protocol::ALL {
        for kind in ["streams", "faults"] {
            for fixture in fixtures::all(kind, protocol.name()) {
                taken += compare(protocol, fixture.text.as_bytes(), &fixture.name);
                for seed in 0..MUTANTS {
                    let mut bytes = fixture.text.clone().into_bytes();
                    let mut draw = Draw::seeded(seed);
                    for _ in 0..=draw.below(8) {
                        let at = draw.below(bytes.len());
                        bytes[at] = b"\"{}[]:,ex0 "[draw.below(11)];
                    }
                    compare(protocol, &bytes, &format!("{} with seed {seed}", fixture.name));
                    let repeated = draw::with_neighbours(&fixture.text, seed);
                    compare(protocol, &repeated, &format!("{} repeated with seed {seed}", fixture.name));
                }
            }
        }
    }
    assert!(taken > 50, "{taken}");
}

/// Reads a stream with and without the short way; so many frames went it.
fn compare(protocol: Protocol, bytes: &[u8], name: &str) -> usize {
    let codec = protocol.codec();
    let mut reader = FrameReader::new(FRAME);
    reader.push(bytes);
    let new = || codec.wire().stream_decoder(REQUEST_ID);
    let (mut short, mut plain, mut facts, mut taken) = (new(), new(), Facts::default(), 0);
    while let Ok(Some(frame)) = reader.next_frame() {
        let Some(text) = frame.text() else { continue };
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        let before = facts.clone();
        let seen = codec.tap_frame(frame.event_name(), &text, &mut facts);
        if short.words(frame.event_name(), &text, &mut told) {
            assert_eq!((seen.kind, &facts), (Kind::Content, &before), "{name}: {text}");
            taken += 1;
        } else if matches!(seen.kind, Kind::Broken | Kind::Failure | Kind::Beat) {
            continue;
        } else if short.frame(frame.event_name(), &text, &mut told).is_err() {
            break;
        }
        plain.frame(frame.event_name(), &text, &mut expected).unwrap();
        assert_eq!(told, expected, "{name}: {text}");
    }
    taken
}

#[test]
fn a_changed_byte_never_panics_and_breaks_no_law() {
    each(|from, to, fixture| {
        for seed in 0..MUTANTS {
            let mut draw = Draw::seeded(seed);
            let mut bytes = fixture.text.clone().into_bytes();
            for _ in 0..=draw.below(3) {
                let at = draw.below(bytes.len());
                match draw.below(5) {
                    0 => bytes[at] = draw.below(256) as u8,
                    1 => bytes[at] = b"{}[]\",:\\\r\n 019-"[draw.below(15)],
                    2 => drop(bytes.remove(at)),
                    3 => bytes.insert(at, draw.below(256) as u8),
                    _ => drop(bytes.drain(at..(at + 200).min(bytes.len()))),
                }
                if bytes.is_empty() {
                    bytes.push(b' ');
                }
            }
            let place = format!("{} to {} with seed {seed}", fixture.name, to.name());
            let met = std::panic::catch_unwind(|| {
                let _ = run(from, to, [bytes.as_slice()]);
                lawful(from, &bytes, &place);
            });
            assert!(met.is_ok(), "{place}");
        }
    });
}

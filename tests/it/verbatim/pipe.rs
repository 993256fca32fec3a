//! The stream machine alone, over every recorded stream.

use llmgate::base::sse::FrameReader;
use llmgate::protocol::tap::Kind;
use llmgate::translate::framing::Framing;
use llmgate::translate::pipe::{PipeError, StreamEnd, StreamPipe};
use llmgate::translate::verbatim::Options;

use crate::support::draw::{self, Draw};
use crate::support::fixtures::{self, Fixture};
use crate::support::lane::{LANES, Lane};

/// What came out, the kinds of the frames, how it ended.
struct Outcome {
    out: String,
    kinds: Vec<Kind>,
    end: Result<StreamEnd, PipeError>,
}

fn options(framing: Framing) -> Options {
    Options { rename: Some("the \"asked\" name".to_owned()), hide_usage: false, framing, limit: 1 << 20 }
}

fn run<'p>(lane: &Lane, framing: Framing, parts: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut pipe = StreamPipe::verbatim(lane.protocol.codec(), options(framing));
    let (mut out, mut kinds) = (Vec::new(), Vec::new());
    let mut failed = None;
    'parts: for part in parts {
        pipe.push(part);
        loop {
            match pipe.pull(&mut out) {
                Ok(Some(kind)) => kinds.push(kind),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break 'parts;
                }
            }
        }
    }
    let end = failed.map_or_else(|| Ok(pipe.finish(&mut out)), Err);
    pipe.close(&mut out);
    Outcome { out: String::from_utf8_lossy(&out).into_owned(), kinds, end }
}

/// Does this with each recorded stream.
fn each(mut check: impl FnMut(&Lane, &Fixture)) {
    for lane in &LANES {
        for fixture in fixtures::all("streams", lane.name) {
            check(lane, &fixture);
        }
    }
}

#[test]
fn any_chunking_gives_the_same_bytes() {
    each(|lane, fixture| {
        for framing in [Framing::Events, Framing::Array] {
            let bytes = fixture.text.as_bytes();
            let whole = run(lane, framing, [bytes]);
            assert_eq!(whole.end, Ok(StreamEnd::Finished), "{}", fixture.name);
            let sizes = (1..12).chain([64, 100, 255, 1000, 4096]);
            for size in sizes {
                let parts = run(lane, framing, bytes.chunks(size));
                assert_eq!(parts.out, whole.out, "{} in parts of {size}", fixture.name);
                assert_eq!(parts.kinds, whole.kinds, "{} in parts of {size}", fixture.name);
                assert_eq!(parts.end, whole.end);
            }
            for seed in 0..20 {
                let mut draw = Draw::seeded(seed);
                let mut rest = bytes;
                let mut parts = Vec::new();
                while !rest.is_empty() {
                    let (part, more) = rest.split_at(draw.below(rest.len().min(300)) + 1);
                    parts.push(part);
                    rest = more;
                }
                assert_eq!(run(lane, framing, parts).out, whole.out, "{} seed {seed}", fixture.name);
            }
        }
    });
}

#[test]
fn any_cut_is_truncated_until_the_provider_has_said_the_end() {
    each(|lane, fixture| {
        let bytes = fixture.text.as_bytes();
        let terminal = terminal(lane, &fixture.text);
        let around = terminal.saturating_sub(20)..(terminal + 20).min(bytes.len());
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 150).chain(around).chain([bytes.len()]) {
            let outcome = run(lane, Framing::Events, [&bytes[..cut]]);
            let wanted = if cut >= terminal { StreamEnd::Finished } else { StreamEnd::Truncated };
            // A frame whose data is whole but whose blank line is missing is taken at the end.
            let nearly = cut + 4 >= terminal && cut < terminal;
            assert!(
                outcome.end == Ok(wanted) || (nearly && outcome.end == Ok(StreamEnd::Finished)),
                "{} cut at {cut} of {}, the end is at {terminal}: {:?}",
                fixture.name,
                bytes.len(),
                outcome.end
            );
        }
    });
}

/// Where the frame ends with which the provider says the end (SPEC 8.11).
fn terminal(lane: &Lane, text: &str) -> usize {
    let marks: &[&str] = match lane.name {
        "openai-chat" => &["\"finish_reason\":\"", "\"finish_reason\": \"", "[DONE]"],
        "openai-responses" => &[
            "\"type\":\"response.completed\"",
            "\"type\": \"response.completed\"",
            "\"type\":\"response.incomplete\"",
        ],
        "anthropic" => &["event: message_delta"],
        _ => &["\"finishReason\":", "\"blockReason\":"],
    };
    let at = marks.iter().filter_map(|mark| text.find(mark)).min().unwrap();
    let blank = ["\n\n", "\r\n\r\n"].iter().filter_map(|end| Some(text[at..].find(end)? + end.len())).min();
    at + blank.unwrap()
}

#[test]
fn nothing_is_lost_or_doubled_by_a_cut() {
    each(|lane, fixture| {
        let bytes = fixture.text.as_bytes();
        let whole = run(lane, Framing::Events, [bytes]).out;
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 100) {
            let outcome = run(lane, Framing::Events, [&bytes[..cut]]);
            let out = outcome.out.trim_end();
            assert!(whole.starts_with(out), "{} cut at {cut}: {out}", fixture.name);
        }
    });
}

/// The pipe compares a frame with the one before: it must tell what one tells that knows no other frame.
#[test]
fn frames_that_are_alike_are_seen_as_if_each_stood_alone() {
    let mut like = 0;
    each(|lane, fixture| {
        for seed in 0..40 {
            let repeated = draw::with_neighbours(&fixture.text, seed);
            let told = run(lane, Framing::Events, [repeated.as_slice()]);
            let mut expected = (Vec::new(), String::new());
            for frame in frames_of(&repeated) {
                let alone = run(lane, Framing::Events, [frame.as_slice()]);
                expected.0.extend(alone.kinds);
                expected.1.push_str(&alone.out);
                if alone.end.is_err() {
                    break;
                }
            }
            assert_eq!((&told.kinds, &told.out), (&expected.0, &expected.1), "{} seed {seed}", fixture.name);
            like += told.kinds.len();
        }
    });
    assert!(like > 1000);
}

/// The frames of a stream, each as it came, and what is left at its end.
fn frames_of(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FrameReader::new(1 << 20);
    reader.push(stream);
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push(frame.raw.to_vec());
    }
    frames.extend(reader.rest().map(|frame| frame.raw.to_vec()));
    frames
}

#[test]
fn a_changed_byte_never_panics() {
    each(|lane, fixture| {
        for seed in 0..150 {
            let mut draw = Draw::seeded(seed);
            let mut bytes = fixture.text.clone().into_bytes();
            for _ in 0..=draw.below(3) {
                let at = draw.below(bytes.len());
                match draw.below(4) {
                    0 => bytes[at] = draw.below(256) as u8,
                    1 => bytes[at] = b"{}[]\",:\\\r\n "[draw.below(11)],
                    2 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, draw.below(256) as u8),
                }
            }
            let size = draw.below(200) + 1;
            let framing = if draw.below(2) == 0 { Framing::Events } else { Framing::Array };
            let met = std::panic::catch_unwind(|| run(lane, framing, bytes.chunks(size)).end);
            assert!(met.is_ok(), "{} seed {seed} panics", fixture.name);
        }
    });
}

#[test]
fn but_for_the_name_the_bytes_are_the_same() {
    each(|lane, fixture| {
        let plain = Options { rename: None, ..options(Framing::Events) };
        let mut pipe = StreamPipe::verbatim(lane.protocol.codec(), plain);
        let mut out = Vec::new();
        pipe.push(fixture.text.as_bytes());
        while pipe.pull(&mut out).unwrap().is_some() {}
        assert_eq!(pipe.finish(&mut out), StreamEnd::Finished);
        assert_eq!(String::from_utf8(out).unwrap(), fixture.text, "{}", fixture.name);
    });
}

#[test]
fn an_array_is_json_with_an_element_for_each_event() {
    let lane = LANES.iter().find(|lane| lane.name == "gemini").unwrap();
    for fixture in fixtures::all("streams", lane.name) {
        let out = run(lane, Framing::Array, fixture.text.as_bytes().chunks(50)).out;
        let list: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        assert_eq!(list.len(), fixture.text.matches("data: ").count(), "{}", fixture.name);
        assert!(list.iter().all(|chunk| chunk["modelVersion"] == "the \"asked\" name"), "{}", fixture.name);
    }
}

//! Every recorded case through every target protocol, compared with what it gave when somebody last
//! looked at it. A new input file is a new row for all.

use llmgate::base::id::TargetId;
use llmgate::base::sse::FrameReader;
use llmgate::gateway::trouble::{Report, Trouble};
use llmgate::ir::collect::Collector;
use llmgate::ir::request::Block;
use llmgate::ir::tool::Tool;
use llmgate::protocol::{Protocol, error};

use crate::support::crossing::{self, REQUEST_ID, called, lines, pairs};
use crate::support::fixtures::{self, Fixture};
use crate::support::golden::{Golden, pretty};

#[test]
fn requests() {
    let mut golden = Golden::of("requests");
    for (from, to) in pairs() {
        for fixture in fixtures::all("requests", from.name()) {
            let (body, losses) = crossing::carry(from, to, &fixture.text);
            let file = file(from, to, &fixture);
            golden.check(&format!("{file}.json"), &pretty(&body));
            golden.check(&format!("{file}.losses"), &lines(&losses));
        }
    }
    golden.finish();
}

#[test]
fn responses() {
    let mut golden = Golden::of("responses");
    for (from, to) in pairs() {
        for fixture in fixtures::all("responses", from.name()) {
            let decoded = from.codec().wire().decode_response(&fixture.text, REQUEST_ID);
            let blocks = decoded.unwrap_or_else(|error| panic!("{}: {error}", fixture.name)).blocks;
            let answer = crossing::answer(tools(&fixture, &blocks));
            let whole = crossing::crossing(from, to, answer).whole(&fixture.text).unwrap();
            let file = file(from, to, &fixture);
            golden.check(&format!("{file}.json"), &pretty(&whole.body));
            golden.check(&format!("{file}.losses"), &lines(&whole.losses));
        }
    }
    golden.finish();
}

#[test]
fn streams() {
    told("streams");
}

/// Streams that fail: cut, broken, with an error inside.
#[test]
fn faults() {
    told("faults");
}

#[track_caller]
fn told(kind: &str) {
    let mut golden = Golden::of(kind);
    for (from, to) in pairs() {
        for fixture in fixtures::all(kind, from.name()) {
            let answer = crossing::answer(tools(&fixture, &streamed_blocks(from, &fixture.text)));
            let told = crossing::told(&crossing::crossing(from, to, answer), to, fixture.text.as_bytes());
            golden.check(&format!("{}.sse", file(from, to, &fixture)), &told);
        }
    }
    golden.finish();
}

#[test]
fn errors() {
    let mut golden = Golden::of("errors");
    let target = TargetId::parse("up/model").unwrap();
    for (from, to) in pairs() {
        for fixture in fixtures::all("errors", from.name()) {
            let status = fixture.case.split('_').next().and_then(|status| status.parse().ok());
            let report = Report {
                target: &target,
                status: status.unwrap_or_else(|| panic!("{} names no status", fixture.name)),
                retry_after: None,
                rules: &[],
                client_key: false,
                key_variable: None,
            };
            let trouble = Trouble::of_provider(&error::read(&fixture.text), &fixture.text, &report);
            let body = to.codec().error_body(&trouble.fault, REQUEST_ID);
            let text = format!("HTTP {}\n{}", trouble.fault.status, pretty(&body));
            golden.check(&format!("{}.json", file(from, to, &fixture)), &text);
        }
    }
    golden.finish();
}

fn file(from: Protocol, to: Protocol, fixture: &Fixture) -> String {
    format!("{}-{}/{}", from.name(), to.name(), fixture.case)
}

/// The tools of the request behind an answer: those that `fixtures/tools` names, in the Responses
/// form, else what it calls.
fn tools(fixture: &Fixture, blocks: &[Block]) -> Vec<Tool> {
    match &fixture.tools {
        Some(tools) => {
            let request = format!("{{\"input\":\"\",\"tools\":{tools}}}");
            crossing::read(Protocol::OpenaiResponses, &request).0.tools
        }
        None => called(blocks),
    }
}

/// What a stream says, as far as it goes.
fn streamed_blocks(from: Protocol, text: &str) -> Vec<Block> {
    let mut reader = FrameReader::new(crossing::FRAME);
    reader.push(text.as_bytes());
    let mut decoder = from.codec().wire().stream_decoder(REQUEST_ID);
    let (mut events, mut collector) = (Vec::new(), Collector::default());
    while let Ok(Some(frame)) = reader.next_frame() {
        let Some(text) = frame.text() else { continue };
        if decoder.frame(frame.event_name(), &text, &mut events).is_err() {
            break;
        }
    }
    decoder.finish(&mut events);
    events.into_iter().for_each(|event| collector.push(event));
    collector.blocks()
}

//! Recorded requests, answers and streams of real clients and servers.

use std::path::PathBuf;

use crate::base::sse::FrameReader;
use crate::ir::collect::Collector;
use crate::ir::grammar::Grammar;
use crate::ir::loss::{Losses, Severity};
use crate::ir::request::{Block, Request, Role};
use crate::ir::response::{Lost, Response};
use crate::ir::stream::StreamEvent;
use crate::ir::tool::ToolForm;
use crate::protocol::dialect::{Dialect, ReasoningStyle};
use crate::protocol::gemini::CODEC;
use crate::protocol::wire::{AnswerContext, TargetContext, Wire};

const CHUNKS: [usize; 4] = [1, 7, 100, usize::MAX];

/// Name and text of every fixture of a kind.
fn fixtures(kind: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")).join(kind).join("gemini");
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn answer() -> AnswerContext {
    let request_id = "req_1".to_owned();
    AnswerContext { request_id, model: "m".to_owned(), show_reasoning: true, ..AnswerContext::default() }
}

/// The events of a stream that comes in pieces of some size; they obey the grammar.
fn events(bytes: &[u8], size: usize) -> Vec<StreamEvent> {
    let (mut reader, mut decoder) = (FrameReader::new(1 << 20), CODEC.stream_decoder("seed"));
    let mut out = Vec::new();
    for piece in bytes.chunks(size.min(bytes.len()).max(1)) {
        reader.push(piece);
        while let Some(frame) = reader.next_frame().unwrap() {
            if let Some(text) = frame.text() {
                decoder.frame(frame.event_name(), &text, &mut out).unwrap();
            }
        }
    }
    if let Some(text) = reader.rest().as_ref().and_then(|frame| frame.text()) {
        decoder.frame(None, &text, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    let mut grammar = Grammar::default();
    for event in &out {
        grammar.check(event).unwrap();
    }
    out
}

fn collected(events: &[StreamEvent]) -> Option<Response> {
    let mut collector = Collector::default();
    events.iter().for_each(|event| collector.push(event.clone()));
    collector.finish()
}

/// The answer without what only its vendor understands, and without its names.
fn seen(response: &Response) -> Response {
    let mut blocks: Vec<Block> = Vec::new();
    for block in &response.blocks {
        let mut block = block.clone();
        match &mut block {
            Block::Reasoning(reasoning) => reasoning.state = None,
            Block::Call(call) => call.state = None,
            Block::Text(_) | Block::Refusal(_) | Block::Media(_) | Block::Result(_) => {}
        }
        match (blocks.last_mut(), &block) {
            (_, Block::Reasoning(reasoning)) if reasoning.text.is_empty() => {}
            (Some(Block::Text(text)), Block::Text(more)) => text.push_str(more),
            _ => blocks.push(block),
        }
    }
    // A number is demanded where none is known.
    let mut usage = response.usage;
    usage.input.get_or_insert(0);
    usage.output.get_or_insert(0);
    Response { id: None, model: None, blocks, usage, lost: Lost::default(), ..response.clone() }
}

fn check_answer(name: &str, response: &Response) {
    let (text, losses) = CODEC.encode_response(response, &answer());
    assert_eq!(losses, Losses::default(), "{name}");
    let again = CODEC.decode_response(&text, "seed").unwrap();
    assert_eq!(seen(&again), seen(response), "{name}\n{text}");
}

fn check_stream(name: &str, text: &str) {
    let whole = events(text.as_bytes(), usize::MAX);
    for size in CHUNKS {
        assert_eq!(events(text.as_bytes(), size), whole, "{name} in pieces of {size}");
    }
    let response = collected(&whole).unwrap_or_else(|| panic!("{name} has no end"));
    check_answer(name, &response);
    let mut encoder = CODEC.stream_encoder(&answer());
    let mut bytes = Vec::new();
    whole.iter().for_each(|event| encoder.event(event, &mut bytes));
    encoder.finish(&mut bytes);
    let again = collected(&events(&bytes, usize::MAX)).unwrap();
    assert_eq!(seen(&again), seen(&response), "{name}");
    let joined: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let buffered = CODEC.decode_response(&format!("[{}]", joined.join(",")), "seed").unwrap();
    assert_eq!(seen(&buffered), seen(&response), "{name}");
}

/// What a request keeps on its way through its own protocol.
fn kept(request: &Request) -> Request {
    let mut request = request.clone();
    for tool in &mut request.tools {
        if let ToolForm::Function { strict, .. } = &mut tool.form {
            *strict = None;
        }
    }
    request
}

fn check_request(name: &str, text: &str) {
    let (request, _) = CODEC.decode_request(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let dialect = Dialect { reasoning: ReasoningStyle::Budget, ..Dialect::default() };
    let target = TargetContext { model: "gemini-2.5-flash", dialect: &dialect, session: None };
    let (written, losses) = CODEC.encode_request(&request, &target);
    assert_eq!(CODEC.encode_request(&request, &target).0, written, "{name}");
    assert_eq!(losses.first_of(Severity::Refuse), None, "{name}");
    let (again, losses_again) = CODEC.decode_request(&written).unwrap();
    assert_eq!(losses_again, Losses::default(), "{name}");
    let (a, b) = (kept(&request), kept(&again));
    assert_eq!((&a.system, &a.tools, &a.choice), (&b.system, &b.tools, &b.choice), "{name}");
    assert_eq!((&a.sampling, &a.format, a.limit), (&b.sampling, &b.format, b.limit), "{name}");
    assert_eq!(spoken(&a), spoken(&b), "{name}\n{written}");
}

/// Who says what, in order; neighbouring turns of one role are one.
fn spoken(request: &Request) -> Vec<(Role, Block)> {
    let blocks = request.turns.iter().flat_map(|turn| turn.blocks.iter().map(|block| (turn.role, block)));
    let no_state = |block: &Block| {
        let mut block = block.clone();
        if let Block::Call(call) = &mut block {
            call.state = None;
        }
        block
    };
    // Visible thoughts go to Chat servers only; signatures of a text stand on a part of their own.
    let told = blocks.filter(|(_, block)| !matches!(block, Block::Reasoning(_)));
    told.map(|(role, block)| (role, no_state(block))).collect()
}

#[test]
fn recorded_requests_keep_what_they_say() {
    for (name, text) in fixtures("requests") {
        check_request(&name, &text);
    }
}

#[test]
fn recorded_answers_keep_what_they_say() {
    for (name, text) in fixtures("responses") {
        let response = CODEC.decode_response(&text, "seed").unwrap();
        check_answer(&name, &response);
    }
}

#[test]
fn recorded_streams_keep_what_they_say_however_they_are_cut() {
    for (name, text) in fixtures("streams") {
        check_stream(&name, &text);
    }
}

#[test]
fn a_stream_that_stops_early_has_no_end() {
    for (name, text) in fixtures("streams") {
        let end = text.rfind("finishReason").or_else(|| text.rfind("blockReason")).unwrap();
        let start = text.get(..end).unwrap().rfind("data:").unwrap();
        let cut = events(text.get(..start).unwrap().as_bytes(), 50);
        assert_eq!(collected(&cut), None, "{name}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for (_, text) in ["requests", "responses", "streams"].iter().flat_map(|kind| fixtures(kind)) {
        for (place, _) in text.char_indices().step_by(41) {
            let (before, after) = text.split_at(place);
            let changed = format!("{before}7{}", after.chars().skip(1).collect::<String>());
            for damaged in [format!("{before}null}}]}}"), changed] {
                let _ = CODEC.decode_request(&damaged);
                let _ = CODEC.decode_response(&damaged, "seed");
                let data = damaged.trim_start_matches("data: ").lines().next().unwrap_or_default();
                let _ = CODEC.stream_decoder("seed").frame(None, data, &mut Vec::new());
            }
        }
    }
}

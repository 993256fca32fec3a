//! The codec on recorded exchanges, and on the rules of translation.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::CODEC;
use crate::base::sse::FrameReader;
use crate::ir::carrier::State;
use crate::ir::collect::Collector;
use crate::ir::grammar::Grammar;
use crate::ir::loss::Severity;
use crate::ir::request::{Block, Effort, Level, Reasoning, Request, Role, ToolCall, Turn};
use crate::ir::response::{Lost, Response, StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::dialect::{Dialect, ReasoningStyle};
use crate::protocol::wire::{AnswerContext, TargetContext, Wire, WireError};

/// The fixtures of this protocol, with their names.
fn fixtures(kind: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind).join("anthropic");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files
        .map(|file| {
            (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&file).unwrap())
        })
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

fn fixture(kind: &str, name: &str) -> String {
    fixtures(kind).into_iter().find(|(known, _)| known.starts_with(name)).unwrap().1
}

fn answer() -> AnswerContext {
    AnswerContext {
        request_id: "r1".into(),
        model: "alias".into(),
        estimated_input: 9,
        show_reasoning: true,
        ..AnswerContext::default()
    }
}

/// A stream's events, read in pieces of that many bytes.
fn events(sse: &[u8], chunk: usize) -> Result<Vec<StreamEvent>, WireError> {
    let mut reader = FrameReader::new(1 << 20);
    let mut decoder = CODEC.stream_decoder("seed");
    let mut out = Vec::new();
    for piece in sse.chunks(chunk) {
        reader.push(piece);
        while let Some(frame) = reader.next_frame().unwrap() {
            let Some(text) = frame.text() else { continue };
            decoder.frame(frame.event_name(), &text, &mut out)?;
        }
    }
    decoder.finish(&mut out);
    Ok(out)
}

fn collect(events: &[StreamEvent]) -> Option<Response> {
    let mut collector = Collector::default();
    events.iter().for_each(|event| collector.push(event.clone()));
    collector.finish()
}

fn stream(events: &[StreamEvent]) -> String {
    let mut encoder = CODEC.stream_encoder(&answer());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn encode(request: &Request) -> (Value, Vec<String>) {
    let dialect = Dialect { cache_marks: false, ..Dialect::default() };
    let target = TargetContext { model: "m", dialect: &dialect, session: None };
    let (text, losses) = CODEC.encode_request(request, &target);
    (serde_json::from_str(&text).unwrap(), losses.iter().map(ToString::to_string).collect())
}

#[test]
fn a_request_comes_back_as_it_was_meant() {
    for (name, text) in fixtures("requests") {
        let (request, losses) = CODEC.decode_request(&text).unwrap();
        // One of them names a file that is stored at its provider.
        if let Some(loss) = losses.first_of(Severity::Refuse) {
            assert!(loss.path.ends_with("source") && text.contains("file_id"), "{name}: {losses:?}");
            continue;
        }
        let by_budget = matches!(request.effort, Effort::Budget(_));
        let reasoning = if by_budget { ReasoningStyle::Budget } else { ReasoningStyle::Effort };
        let dialect = Dialect { reasoning, search: true, ..Dialect::default() };
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        let (encoded, _) = CODEC.encode_request(&request, &target);
        assert_eq!(CODEC.encode_request(&request, &target).0, encoded, "{name}: the bytes are stable");
        let (again, _) = CODEC.decode_request(&encoded).unwrap();
        assert_eq!((&again.system, &again.search), (&request.system, &request.search), "{name}");
        assert_eq!((again.choice, again.one_call), (request.choice, request.one_call), "{name}");
        assert_eq!(again.limit, request.limit, "{name}");
        // A tool turn that came without its thinking lets none follow that has a budget.
        let last = request.turns.iter().rfind(|turn| turn.role == Role::Assistant);
        let has = |of: fn(&Block) -> bool| last.is_some_and(|turn| turn.blocks.iter().any(of));
        let untold = has(|block| matches!(block, Block::Call(_)))
            && !has(|block| matches!(block, Block::Reasoning(_)));
        let effort = match request.effort {
            Effort::Unset => Effort::Unset,
            _ if untold && by_budget => Effort::Off,
            // 1024 tokens are left for the answer.
            Effort::Budget(tokens) => Effort::Budget(tokens.min(request.limit.unwrap() - 1024)),
            other => other,
        };
        assert_eq!(again.effort, effort, "{name}");
        let names = |tools: &[crate::ir::tool::Tool]| -> Vec<String> {
            tools.iter().map(|tool| tool.name.clone()).collect()
        };
        assert_eq!(names(&again.tools), names(&request.tools), "{name}");
        if request.turns.iter().all(|turn| turn.role != Role::Instructions) {
            assert_eq!(joined(again.turns), joined(request.turns), "{name}");
        }
    }
}

/// Neighbouring turns of one role as one.
fn joined(turns: Vec<Turn>) -> Vec<Turn> {
    let mut out: Vec<Turn> = Vec::new();
    for turn in turns {
        match out.last_mut() {
            Some(last) if last.role == turn.role => last.blocks.extend(turn.blocks),
            _ => out.push(turn),
        }
    }
    out
}

#[test]
fn what_claude_code_sends_is_understood() {
    let (request, losses) = CODEC.decode_request(&fixture("requests", "claude-code")).unwrap();
    assert!(losses.first_of(Severity::Degrade).is_none(), "{losses:?}");
    let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(names.contains(&"WebFetch") && !names.contains(&"DeferredToolPlaceholder"), "{names:?}");
    assert_eq!(request.effort, Effort::Level(Level::High));
    assert_eq!(request.show_reasoning, Some(false));
    assert!(!request.system.iter().any(|text| text.contains("billing")), "{:?}", request.system);
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Instructions, Role::Assistant, Role::User]);
    let told = format!("{:?}", request.turns[3].blocks[0]);
    assert!(told.contains("Tool WebFetch is available."), "{told}");
}

#[test]
fn what_cannot_be_meant_elsewhere_is_refused_or_lost() {
    let check = |change: Value, path: &str, severity: Severity| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (_, losses) = CODEC.decode_request(&body.to_string()).unwrap();
        let told: Vec<_> = losses.iter().map(|loss| (loss.path.as_str(), loss.severity)).collect();
        assert!(told.contains(&(path, severity)), "{change}: {told:?}");
    };
    let code = json!({"type": "code_execution_20250825", "name": "code_execution"});
    let file = json!({"type": "document", "source": {"type": "file", "file_id": "f"}});
    let clear = json!({"edits": [{"type": "clear_tool_uses_20250919"}]});
    let keep = json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]});
    check(json!({"tools": [code]}), "tools", Severity::Refuse);
    check(json!({"tools": [code, {"name": "f", "input_schema": {}}]}), "tools[0]", Severity::Degrade);
    check(json!({"container": "c"}), "container", Severity::Refuse);
    check(json!({"context_management": clear}), "context_management", Severity::Degrade);
    check(json!({"context_management": keep}), "context_management", Severity::Hint);
    check(json!({"metadata": {"user_id": "u"}}), "metadata", Severity::Hint);
    check(json!({"odd": 1}), "odd", Severity::Degrade);
    let message = json!([{"role": "user", "content": [file]}]);
    check(json!({"messages": message}), "messages[0].content[0].source", Severity::Refuse);
}

#[test]
fn streams_obey_the_laws_at_any_chunking() {
    for (name, sse) in fixtures("streams") {
        let whole = events(sse.as_bytes(), sse.len()).unwrap();
        let mut grammar = Grammar::default();
        for event in &whole {
            grammar.check(event).unwrap_or_else(|breach| panic!("{name}: {breach:?} at {event:?}"));
        }
        assert!(grammar.is_finished(), "{name}");
        for chunk in [1, 7, 64] {
            assert_eq!(events(sse.as_bytes(), chunk).unwrap(), whole, "{name}");
        }
        let collected = collect(&whole).unwrap();
        let written = stream(&whole);
        assert!(written.contains("\"input_tokens\":9"), "{name}: the estimate begins it");
        let mut again = collect(&events(written.as_bytes(), 5).unwrap()).unwrap();
        if collected.usage.is_empty() {
            // Numbers are demanded where none are known.
            again.usage = collected.usage;
        }
        let expected = Response { model: Some("alias".into()), lost: Lost::default(), ..collected };
        assert_eq!(again, expected, "{name}");
    }
}

#[test]
fn answers_come_back_as_they_were() {
    for (name, text) in fixtures("responses") {
        let response = CODEC.decode_response(&text, "seed").unwrap();
        let (encoded, losses) = CODEC.encode_response(&response, &answer());
        assert_eq!(losses.iter().count(), 0, "{name}");
        let again = CODEC.decode_response(&encoded, "seed").unwrap();
        let expected = Response { model: Some("alias".into()), lost: Lost::default(), ..response };
        assert_eq!(again, expected, "{name}");
    }
}

#[test]
fn a_stream_tells_what_a_whole_answer_tells() {
    let streamed = collect(&events(fixture("streams", "refusal").as_bytes(), 64).unwrap()).unwrap();
    let whole = CODEC.decode_response(&fixture("responses", "refusal"), "seed").unwrap();
    assert_eq!(Response { id: whole.id.clone(), ..streamed }, whole);
    let text = fixture("responses", "thinking-and-call");
    let whole = CODEC.decode_response(&text, "seed").unwrap();
    let mut body: Value = serde_json::from_str(&text).unwrap();
    let blocks = body["content"].take();
    let mut frames = vec![json!({"type": "message_start", "message": body})];
    for (index, mut block) in blocks.as_array().unwrap().iter().cloned().enumerate() {
        let delta = match block["type"].as_str().unwrap() {
            "thinking" => json!({"type": "signature_delta", "signature": block["signature"].take()}),
            _ => json!({"type": "input_json_delta", "partial_json": block["input"].take().to_string()}),
        };
        if block["type"] == "thinking" {
            block["signature"] = json!("");
        }
        frames.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        frames.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        frames.push(json!({"type": "content_block_stop", "index": index}));
    }
    frames.push(json!({"type": "message_delta", "delta": body}));
    let sse: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    assert_eq!(collect(&events(sse.as_bytes(), 13).unwrap()), Some(whole));
}

#[test]
fn a_cut_stream_has_no_end() {
    let sse = fixture("streams", "parallel-calls");
    let cut = sse.find("event: message_delta").unwrap();
    assert!(collect(&events(&sse.as_bytes()[..cut], 64).unwrap()).is_none());
    let stop = sse.find("event: message_stop").unwrap();
    assert!(collect(&events(&sse.as_bytes()[..stop], 64).unwrap()).is_some());
}

#[test]
fn odd_streams_are_forgiven_and_broken_ones_told() {
    let read = |frames: &[Value]| {
        let text: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
        events(text.as_bytes(), 9)
    };
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let bare = collect(&read(&[delta, end.clone()]).unwrap()).unwrap();
    assert_eq!(bare.blocks, [Block::Text("x".into())]);
    let call = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "tool_use", "name": "f", "input": {"a": 1}}});
    let whole = collect(&read(&[call, end.clone()]).unwrap()).unwrap();
    let Block::Call(call) = &whole.blocks[0] else { panic!("{whole:?}") };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("toolu_seed_0", "{\"a\":1}"));
    assert_eq!(whole.stop, StopReason::ToolCalls);
    let odd = read(&[json!({"type": "news"}), end]).unwrap();
    assert!(odd.contains(&StreamEvent::Lost { what: "news".into() }));
    let failed =
        read(&[json!({"type": "message_start", "message": {}}), json!({"type": "error", "error": {}})]);
    assert!(collect(&failed.unwrap()).is_none(), "an error is no end");
    assert!(read(&[json!({"type": "content_block_start", "index": 0})]).is_err());
    assert!(
        read(&[json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}})]).is_err()
    );
}

#[test]
fn mixed_blocks_are_written_one_after_the_other() {
    let call =
        |name: &str| BlockKind::Call { id: format!("call_{name}"), name: name.into(), free_form: false };
    let begin = |id, kind| StreamEvent::BlockStart { id: BlockId(id), kind };
    let text = |id, text: &str| StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text(text.into()) };
    let end = |id| StreamEvent::BlockEnd { id: BlockId(id) };
    let state = State::of("gemini", vec![json!("sig")]);
    let written = stream(&[
        StreamEvent::Start { id: Some("chatcmpl-1".into()), model: None },
        begin(0, BlockKind::Reasoning),
        begin(1, call("f")),
        begin(2, call("g")),
        text(2, "{\"b\":2}"),
        StreamEvent::BlockDelta { id: BlockId(1), delta: Delta::State(state.clone()) },
        text(0, "hm"),
        end(2),
        text(1, "{}"),
        end(0),
        end(1),
        StreamEvent::Usage(Usage { input: Some(7), cached: Some(3), output: Some(2), ..Usage::default() }),
        StreamEvent::Finish { stop: StopReason::End },
    ]);
    assert!(written.contains("\"id\":\"msg_r1\""), "{written}");
    assert!(written.contains(r#""usage":{"input_tokens":4,"cache_read_input_tokens":3,"output_tokens":2}"#));
    let again = collect(&events(written.as_bytes(), 11).unwrap()).unwrap();
    let made = |name: &str, arguments: &str, state| {
        let (id, name) = (format!("call_{name}"), name.to_owned());
        Block::Call(ToolCall { id, name, arguments: arguments.into(), free_form: false, state })
    };
    let thought = Block::Reasoning(Reasoning { text: "hm".into(), state: None });
    assert_eq!(again.blocks, [thought, made("f", "{}", Some(state)), made("g", "{\"b\":2}", None)]);
    assert_eq!(again.stop, StopReason::ToolCalls);
}

#[test]
fn state_of_others_crosses_and_ours_goes_home() {
    let foreign = State { provider: "p".into(), ..State::of("openai-responses", vec![json!({"x": 1})]) };
    let thought = Reasoning { text: "t".into(), state: Some(foreign) };
    let response = Response { blocks: vec![Block::Reasoning(thought.clone())], ..Response::default() };
    let (text, _) = CODEC.encode_response(&response, &AnswerContext::default());
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["content"][0]["thinking"], "", "hidden, but there");
    let message = json!({"model": "m", "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": body["content"]}]});
    let (request, _) = CODEC.decode_request(&message.to_string()).unwrap();
    let back = Reasoning { text: String::new(), ..thought };
    assert_eq!(request.turns[1].blocks, [Block::Reasoning(back)]);
    let (body, losses) = encode(&request);
    assert_eq!(body["messages"].as_array().unwrap().len(), 1, "no turn of thinking alone");
    assert_eq!(losses, ["reasoning: foreign reasoning"]);
}

#[test]
fn no_input_panics() {
    let mut seed = 7_u64;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for kind in ["requests", "responses", "streams"] {
        for (_, text) in fixtures(kind) {
            for _ in 0..60 {
                let mut bytes = text.clone().into_bytes();
                for _ in 0..=draw(3) {
                    let at = draw(bytes.len());
                    bytes[at] = b"\"{}[]:,0 nax"[draw(12)];
                }
                let text = String::from_utf8_lossy(&bytes);
                if let Ok((request, _)) = CODEC.decode_request(&text) {
                    encode(&request);
                }
                if let Ok(response) = CODEC.decode_response(&text, "s") {
                    CODEC.encode_response(&response, &answer());
                }
                let mut grammar = Grammar::default();
                for event in events(&bytes, 100).unwrap_or_default() {
                    assert_eq!(grammar.check(&event), Ok(()), "{text}");
                }
            }
        }
    }
}

#[test]
fn words_between_citations_are_one_text() {
    let block = |index: u32, begin: Value, words: &str| {
        let start = json!({"type": "content_block_start", "index": index, "content_block": begin});
        let delta = json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": words}});
        let stop = json!({"type": "content_block_stop", "index": index});
        [start, delta, stop].map(|event| format!("data: {event}\n\n")).concat()
    };
    let plain = json!({"type": "text", "text": ""});
    let quoting = json!({"type": "text", "text": "", "citations": []});
    let sse = [
        block(0, plain.clone(), "The grass "),
        block(1, quoting, "is green"),
        block(2, plain.clone(), "."),
        block(3, plain, "So it is."),
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n".to_owned(),
    ];
    let told = events(sse.concat().as_bytes(), 7).unwrap();
    let mut grammar = Grammar::default();
    told.iter().for_each(|event| grammar.check(event).unwrap());
    let expected = vec![Block::Text("The grass is green.".into()), Block::Text("So it is.".into())];
    assert_eq!(collect(&told).unwrap().blocks, expected);

    let quote = json!({"type": "text", "text": "is green", "citations": [{"cited_text": "green"}]});
    let said = |words: &str| json!({"type": "text", "text": words});
    let content = [said("The grass "), quote, said("."), said("So it is.")];
    let whole = json!({"content": content, "stop_reason": "end_turn"}).to_string();
    assert_eq!(CODEC.decode_response(&whole, "seed").unwrap().blocks, expected);
}

#[test]
fn odd_counts_spoil_no_answer() {
    let whole = json!({"content": [{"type": "text", "text": "x"}], "usage": {"output_tokens": "7"}});
    let answer = CODEC.decode_response(&whole.to_string(), "seed").unwrap();
    assert_eq!((answer.blocks, answer.usage), (vec![Block::Text("x".into())], Usage::default()));
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": -1}});
    assert!(collect(&events(format!("data: {end}\n\n").as_bytes(), 9).unwrap()).is_some());
}

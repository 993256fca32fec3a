//! Streams of servers that speak the protocol in their own way.

use serde_json::{Value, json};

use super::CODEC;
use crate::ir::carrier::State;
use crate::ir::collect::Collector;
use crate::ir::grammar::Grammar;
use crate::ir::request::{Block, Reasoning};
use crate::ir::response::StopReason;
use crate::ir::stream::{BlockId, BlockKind, StreamEvent};
use crate::protocol::wire::{AnswerContext, Wire, WireError};

fn events(frames: &[Value]) -> Result<Vec<StreamEvent>, WireError> {
    let (mut decoder, mut out) = (CODEC.stream_decoder("seed"), Vec::new());
    for frame in frames {
        decoder.frame(None, &frame.to_string(), &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}

/// The blocks that these frames tell, which obey the grammar, and why the answer ended.
fn told(frames: &[Value]) -> (Vec<Block>, StopReason) {
    let (mut grammar, mut collector) = (Grammar::default(), Collector::default());
    for event in events(frames).unwrap() {
        grammar.check(&event).unwrap();
        collector.push(event);
    }
    let answer = collector.finish().unwrap();
    (answer.blocks, answer.stop)
}

fn stop() -> Value {
    json!({"type": "content_block_stop", "index": 0})
}

fn begin(block: Value) -> Value {
    json!({"type": "content_block_start", "index": 0, "content_block": block})
}

fn delta(delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": delta})
}

fn end() -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
}

#[test]
fn what_a_block_begins_with_is_part_of_it() {
    let text = [
        begin(json!({"type": "text", "text": "a"})),
        delta(json!({"type": "text_delta", "text": "b"})),
        end(),
    ];
    assert_eq!(told(&text), (vec![Block::Text("ab".into())], StopReason::End));
    let thought = [
        begin(json!({"type": "thinking", "thinking": "a"})),
        delta(json!({"type": "thinking_delta", "thinking": "b"})),
        end(),
    ];
    let [Block::Reasoning(Reasoning { text, .. })] = &told(&thought).0[..] else { panic!() };
    assert_eq!(text, "ab");
}

#[test]
fn after_the_end_nothing_is_told() {
    let stop = json!({"type": "message_stop"});
    let words = delta(json!({"type": "text_delta", "text": "x"}));
    let frames = [words.clone(), end(), stop.clone(), stop, words, end()];
    assert_eq!(told(&frames), (vec![Block::Text("x".into())], StopReason::End));
}

#[test]
fn an_end_like_that_of_chat_is_none() {
    let mut out = Vec::new();
    let mut decoder = CODEC.stream_decoder("seed");
    for data in ["[DONE]", "", " "] {
        decoder.frame(None, data, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    assert_eq!(out, []);
}

#[test]
fn a_delta_fits_its_block_or_is_told_of() {
    let text = begin(json!({"type": "text", "text": ""}));
    let call = delta(json!({"type": "input_json_delta", "partial_json": "{}"}));
    assert!(events(&[text.clone(), call]).is_err());
    let news = [text, delta(json!({"type": "news_delta"}))];
    assert!(events(&news).unwrap().contains(&StreamEvent::Lost { what: "news_delta".into() }));
}

#[test]
fn texts_are_one_where_one_of_them_quotes() {
    let text = |words: &str| {
        [begin(json!({"type": "text", "text": ""})), delta(json!({"type": "text_delta", "text": words}))]
    };
    let cited = delta(json!({"type": "citations_delta", "citation": {}}));
    let ([a, b], [c, d]) = (text("a"), text("b"));
    let plain = [a.clone(), b.clone(), stop(), c.clone(), d.clone(), stop(), end()];
    assert_eq!(told(&plain).0, ["a", "b"].map(|text| Block::Text(text.into())));
    assert_eq!(told(&[a, b, cited, stop(), c, d, stop(), end()]).0, [Block::Text("ab".into())]);
}

/// Gemini's state of a call, which a client that spoke Anthropic's protocol before has no other place for.
#[test]
fn the_state_of_a_call_goes_to_the_call_that_follows_it() {
    let state = State::of("gemini", vec![json!({"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"})]);
    let thought = json!({"type": "thinking", "thinking": "", "signature": state.pack()});
    let text = json!({"type": "text", "text": "x"});
    let call = json!({"type": "tool_use", "id": "1", "name": "f", "input": {}});
    for (content, of_call) in [(vec![&thought, &call], true), (vec![&thought, &text, &call], false)] {
        let mut frames: Vec<Value> =
            content.iter().flat_map(|block| [begin((*block).clone()), stop()]).collect();
        frames.push(end());
        let (blocks, _) = told(&frames);
        let called = blocks.iter().find_map(Block::as_call).unwrap();
        assert_eq!((called.state.is_some(), blocks.len()), (of_call, if of_call { 1 } else { 3 }));
        let whole = json!({"content": content, "stop_reason": "end_turn"}).to_string();
        assert_eq!(CODEC.decode_response(&whole, "seed").unwrap().blocks, blocks);
    }
}

#[test]
fn a_free_call_without_words_has_an_empty_input() {
    let kind = BlockKind::Call { id: "1".into(), name: "f".into(), free_form: true };
    let answer = AnswerContext::default();
    let (mut encoder, mut out) = (CODEC.stream_encoder(&answer), Vec::new());
    for event in [StreamEvent::BlockStart { id: BlockId(0), kind }, StreamEvent::BlockEnd { id: BlockId(0) }]
    {
        encoder.event(&event, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#""partial_json":"{\"input\":\"\"}""#), "{text}");
}

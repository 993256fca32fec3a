use serde_json::{Value, json};

use super::*;
use crate::ir::carrier::State;

fn text(id: u32, text: &str) -> StreamEvent {
    StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text(text.into()) }
}

fn open(id: u32, kind: BlockKind) -> StreamEvent {
    StreamEvent::BlockStart { id: BlockId(id), kind }
}

fn close(id: u32) -> StreamEvent {
    StreamEvent::BlockEnd { id: BlockId(id) }
}

fn state(id: u32) -> StreamEvent {
    StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::State(thinking()) }
}

fn thinking() -> State {
    State::of("anthropic", vec![json!({"type": "thinking"})])
}

/// The chunks that events become.
fn chunks(show_reasoning: bool, events: &[StreamEvent]) -> Vec<Value> {
    let request_id = "req_1".to_owned();
    let answer = AnswerContext { request_id, model: "m".into(), show_reasoning, ..AnswerContext::default() };
    let mut encoder = Encoder::new(&answer);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    let data = text.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap());
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn parts(chunk: &Value) -> &Value {
    &chunk["candidates"][0]["content"]["parts"]
}

#[test]
fn calls_are_told_whole_and_the_first_carries_the_state() {
    let call = |id: &str| BlockKind::Call { id: id.into(), name: "f".into(), free_form: false };
    let usage = Usage { input: Some(3), output: Some(9), reasoning: Some(4), ..Usage::default() };
    let chunks = chunks(
        true,
        &[
            StreamEvent::Start { id: None, model: None },
            open(0, BlockKind::Reasoning),
            text(0, "hm"),
            state(0),
            close(0),
            open(1, call("a")),
            open(2, call("b")),
            text(1, "{\"x\""),
            text(2, ""),
            text(1, ":1}"),
            close(1),
            close(2),
            StreamEvent::Usage(usage),
            StreamEvent::Finish { stop: StopReason::ToolCalls },
        ],
    );
    let expected = [
        json!([{"text": "hm", "thought": true}]),
        json!([{"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": thinking().pack()}]),
        json!([{"functionCall": {"id": "b", "name": "f", "args": {}}}]),
        json!([{"text": ""}]),
    ];
    assert_eq!(chunks.iter().map(parts).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    let last = json!({
        "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
        "modelVersion": "m", "responseId": "1",
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 12},
    });
    assert_eq!(chunks.last(), Some(&last));
}

#[test]
fn without_a_call_the_last_part_carries_the_state() {
    let chunks = chunks(
        false,
        &[
            StreamEvent::Start { id: Some("id".into()), model: None },
            open(0, BlockKind::Reasoning),
            text(0, "hm"),
            state(0),
            close(0),
            open(1, BlockKind::Refusal),
            text(1, "no"),
            close(1),
            StreamEvent::Finish { stop: StopReason::End },
            StreamEvent::Usage(Usage { output: Some(2), ..Usage::default() }),
        ],
    );
    let [said, end, counts] = chunks.try_into().unwrap();
    assert_eq!(parts(&said), &json!([{"text": "no"}]));
    assert_eq!(parts(&end), &json!([{"text": "", "thoughtSignature": thinking().pack()}]));
    assert_eq!(end["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(end["responseId"], "id");
    assert_eq!(counts["usageMetadata"]["candidatesTokenCount"], 2);
    assert_eq!(counts["candidates"][0]["finishReason"], "SAFETY");
}

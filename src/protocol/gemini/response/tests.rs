use serde_json::{Value, json};

use super::*;
use crate::ir::request::{Media, MediaKind, Reasoning};

fn answer(show_reasoning: bool) -> AnswerContext {
    let request_id = "req_1".to_owned();
    AnswerContext { request_id, model: "m".into(), show_reasoning, ..AnswerContext::default() }
}

fn call(id: &str, arguments: &str, state: Option<State>) -> Block {
    let arguments = arguments.to_owned();
    Block::Call(ToolCall { id: id.into(), name: "f".into(), arguments, free_form: false, state })
}

fn reasoning(text: &str, state: Option<State>) -> Block {
    Block::Reasoning(Reasoning { text: text.into(), state })
}

fn state(name: &str) -> State {
    State::of("anthropic", vec![json!({"type": name})])
}

#[track_caller]
fn check(show_reasoning: bool, blocks: Vec<Block>, expected: Value) {
    let (text, _) = encode(&Response { blocks, ..Response::default() }, &answer(show_reasoning));
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["candidates"][0]["content"]["parts"], expected);
}

#[test]
fn state_stands_on_the_first_call_else_on_the_last_part() {
    let both = State::of("anthropic", vec![json!({"type": "a"}), json!({"type": "b"})]).pack();
    let of_call = State::of("gemini", vec![json!({"functionCall": {"name": "f"}})]);
    let part = |id: &str| json!({"functionCall": {"id": id, "name": "f", "args": {}}});
    let signed = |id: &str, pack: &str| {
        let mut part = part(id);
        part["thoughtSignature"] = pack.into();
        part
    };
    let thoughts = || vec![reasoning("hm", Some(state("a"))), reasoning("", Some(state("b")))];
    let with = |more: Vec<Block>| thoughts().into_iter().chain(more).collect::<Vec<_>>();
    check(
        false,
        with(vec![call("1", "", None), call("2", "", None)]),
        json!([signed("1", &both), part("2")]),
    );
    check(false, with(vec![Block::Text("t".into())]), json!([{"text": "t", "thoughtSignature": both}]));
    check(false, thoughts(), json!([{"text": "", "thoughtSignature": both}]));
    check(
        true,
        with(vec![call("1", "", Some(of_call.clone()))]),
        json!([{"text": "hm", "thought": true}, signed("1", &of_call.pack()), {"text": "", "thoughtSignature": both}]),
    );
}

#[test]
fn carriers_come_back_in_the_next_request() {
    let blocks = vec![reasoning("", Some(state("a"))), call("1", "{\"x\":1}", None)];
    let (text, _) = encode(&Response { blocks: blocks.clone(), ..Response::default() }, &answer(true));
    let body: Value = serde_json::from_str(&text).unwrap();
    let mut content = body["candidates"][0]["content"].clone();
    let read = |content: &Value| {
        let request = json!({"contents": [content]}).to_string();
        crate::protocol::gemini::request_decode::decode(&request).unwrap().0.turns.remove(0).blocks
    };
    assert_eq!(read(&content), blocks);
    // google-genai for Python writes bytes in the other alphabet.
    let signature = &mut content["parts"][0]["thoughtSignature"];
    *signature = signature.as_str().unwrap().replace('+', "-").replace('/', "_").trim_end_matches('=').into();
    assert_eq!(read(&content), blocks);
}

#[test]
fn images_keep_their_place() {
    let text = json!({"candidates": [{"content": {"parts": [
        {"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"text": "b"},
    ]}}]});
    let response = decode(&text.to_string(), "seed").unwrap();
    let source = Source::Inline { mime: "image/png".into(), data: "AAAA".into() };
    let image = Block::Media(Media { kind: MediaKind::Image, source, name: None, detail: None });
    assert_eq!(response.blocks, [Block::Text("a".into()), image, Block::Text("b".into())]);
    assert_eq!(decode(&encode(&response, &answer(true)).0, "seed").unwrap().blocks, response.blocks);
}

#[test]
fn answers_and_what_is_none() {
    let stop = |text: &str| decode(text, "seed").map(|response| response.stop);
    assert_eq!(stop(r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#), Ok(StopReason::End));
    assert_eq!(stop(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#), Ok(StopReason::Refuse));
    assert!(stop(r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#).is_err());
    assert!(stop("{}").is_err());
    assert!(stop("[]").is_err());
    assert!(stop("<html>").is_err());
}

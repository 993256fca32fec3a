use serde_json::{Value, json};

use super::*;
use crate::base::pen;
use crate::ir::carrier::State;

fn written(turns: Vec<Turn>) -> (Value, Vec<String>) {
    let request = Request { turns, ..Request::default() };
    let mut losses = Losses::default();
    let dialect = Dialect { provider: "here".into(), ..Dialect::default() };
    let messages =
        serde_json::from_str::<Value>(&pen::written(&encode(&request, &dialect, &mut losses))).unwrap();
    (messages, losses.iter().map(ToString::to_string).collect())
}

fn text(role: Role, text: &str) -> Turn {
    Turn::of(role, Block::Text(text.into()))
}

fn call(id: &str) -> Block {
    let (id, name) = (id.to_owned(), "f".to_owned());
    Block::Call(ToolCall { id, name, arguments: String::new(), free_form: false, state: None })
}

fn result(id: &str) -> Block {
    let content = vec![ResultPart::Text(format!("of {id}"))];
    Block::Result(ToolResult { id: id.into(), name: None, content, failed: false })
}

#[test]
fn turns_are_joined_and_results_come_first() {
    let (messages, losses) = written(vec![
        text(Role::Assistant, "hello"),
        text(Role::User, " "),
        Turn { role: Role::Assistant, blocks: vec![call("a"), call("b")] },
        text(Role::Instructions, "mind"),
        Turn { role: Role::User, blocks: vec![Block::Text("t".into()), result("b"), result("a")] },
    ]);
    let text = |text: &str| json!({"type": "text", "text": text});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result =
        |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [text(&format!("of {id}"))]});
    let reminder = text("<system-reminder>\nmind\n</system-reminder>");
    let expected = json!([
        {"role": "user", "content": [text("...")]},
        {"role": "assistant", "content": [text("hello"), call("a"), call("b")]},
        {"role": "user", "content": [result("a"), result("b"), reminder, text("t")]},
    ]);
    assert_eq!(messages, expected);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn calls_and_results_without_each_other_are_told() {
    let (messages, losses) = written(vec![
        text(Role::User, "x"),
        Turn::of(Role::Assistant, call("a b")),
        Turn::of(Role::User, result("z")),
    ]);
    let id = crate::ir::names::fit_id("a b", ID_LENGTH);
    let none = json!([{"type": "text", "text": NO_OUTPUT}]);
    let expected = json!([
        {"type": "tool_result", "tool_use_id": id, "content": none},
        {"type": "text", "text": "of z"},
    ]);
    assert_eq!(messages[2]["content"], expected);
    assert_eq!(losses, ["turns[2].blocks[0]: a result without its call", "turns: a call without its result"]);
}

#[test]
fn reasoning_goes_back_to_its_provider_only() {
    let block = json!({"type": "thinking", "thinking": "t", "signature": "s"});
    let thought = |provider: &str, blocks| {
        let state = State { provider: provider.into(), ..State::of(ORIGIN, blocks) };
        Block::Reasoning(Reasoning { text: "t".into(), state: Some(state) })
    };
    let check = |thought, kept: bool| {
        let turn = Turn { role: Role::Assistant, blocks: vec![thought, Block::Text("a".into())] };
        let (messages, losses) = written(vec![text(Role::User, "x"), turn]);
        assert_eq!(messages[1]["content"][0] == block, kept, "{messages}");
        assert_eq!(losses.is_empty(), kept);
    };
    check(thought("here", vec![block.clone()]), true);
    check(thought("elsewhere", vec![block.clone()]), false);
}

/// Whatever the history is, the reference's rules hold.
#[test]
fn every_history_becomes_a_valid_one() {
    let mut seed = 1_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..2000 {
        let mut turns = Vec::new();
        for _ in 0..draw(9) {
            let role = [Role::User, Role::Assistant, Role::Instructions][draw(3) as usize];
            let state =
                State { provider: "here".into(), ..State::of(ORIGIN, vec![json!({"type": "thinking"})]) };
            let mut block = || match draw(6) {
                0 => Block::Text(["", "x", " y "][draw(3) as usize].into()),
                1 | 2 => call(["a", "b", "c d"][draw(3) as usize]),
                3 | 4 => result(["a", "b", "c d"][draw(3) as usize]),
                _ => Block::Reasoning(Reasoning { text: "t".into(), state: Some(state.clone()) }),
            };
            let blocks = vec![block(), block()];
            turns.push(Turn { role, blocks });
        }
        let (messages, _) = written(turns.clone());
        assert_eq!(fault(&messages), None, "round {round}: {turns:?} became {messages}");
    }
}

fn fault(messages: &Value) -> Option<&'static str> {
    let mut owed: Vec<&Value> = Vec::new();
    let mut used: Vec<&Value> = Vec::new();
    let mut role = "assistant";
    for message in messages.as_array()? {
        if message["role"] == role {
            return Some("two turns of one role");
        }
        role = message["role"].as_str()?;
        let blocks = message["content"].as_array()?;
        let is = |block: &&Value, kind: &str| block["type"] == kind;
        let results: Vec<&Value> =
            blocks.iter().take_while(|block| is(block, "tool_result")).map(|b| &b["tool_use_id"]).collect();
        if results != owed {
            return Some("calls and results differ");
        }
        if blocks.iter().skip(results.len()).any(|block| is(&block, "tool_result")) {
            return Some("a result that is not first");
        }
        if blocks.iter().any(|block| block["text"].as_str().is_some_and(|text| text.trim().is_empty())) {
            return Some("an empty text");
        }
        owed = blocks.iter().filter(|block| is(block, "tool_use")).map(|block| &block["id"]).collect();
        if owed.iter().any(|id| used.contains(id)) {
            return Some("an id that was used");
        }
        used.extend(&owed);
        if blocks.last()?["type"] == "thinking" {
            return Some("a turn that ends with thinking");
        }
    }
    (!owed.is_empty() || role == "assistant" && messages.as_array()?.is_empty()).then_some("the end is open")
}

#[test]
fn results_of_calls_that_share_an_id_come_in_their_order() {
    let result = |text: &str| {
        let content = vec![ResultPart::Text(text.into())];
        Block::Result(ToolResult { id: "a".into(), name: None, content, failed: false })
    };
    let (messages, losses) = written(vec![
        text(Role::User, "x"),
        Turn { role: Role::Assistant, blocks: vec![call("a"), call("a")] },
        Turn { role: Role::User, blocks: vec![result("one"), result("two")] },
        Turn::of(Role::Assistant, call("a")),
        Turn::of(Role::User, result("three")),
    ]);
    let told = |message: usize, place: usize| {
        let result = &messages[message]["content"][place];
        (result["tool_use_id"].clone(), result["content"][0]["text"].clone())
    };
    assert_eq!(told(2, 0), (json!("a"), json!("one")));
    assert_eq!(told(2, 1), (json!("a_2"), json!("two")));
    assert_eq!(told(4, 0), (json!("a_3"), json!("three")));
    assert!(losses.is_empty(), "{losses:?}");
}

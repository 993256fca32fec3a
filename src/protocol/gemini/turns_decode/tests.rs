use super::*;
use serde_json::{Value, json};

fn read(contents: Value) -> Vec<Turn> {
    let mut fields = Fields::of(json!({"contents": contents}).into(), Path::default()).unwrap();
    turns(&mut fields, &mut Losses::default()).unwrap()
}

fn ids(turns: &[Turn]) -> Vec<String> {
    let of = |block: &Block| match block {
        Block::Call(call) => Some(call.id.clone()),
        Block::Result(result) => Some(result.id.clone()),
        Block::Text(_) | Block::Refusal(_) | Block::Media(_) | Block::Reasoning(_) => None,
    };
    turns.iter().flat_map(|turn| &turn.blocks).filter_map(of).collect()
}

#[test]
fn calls_without_ids_pair_with_their_results() {
    let call = |name: &str, n: u32| json!({"functionCall": {"name": name, "args": {"n": n}}});
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"output": "x"}}});
    let found = ids(&read(json!([
        {"role": "model", "parts": [call("f", 1), call("g", 1), call("f", 2)]},
        {"parts": [result("g"), result("f"), result("f")]},
        {"role": "model", "parts": [call("f", 1)]},
        {"role": "user", "parts": [result("f")]},
    ])));
    let [f1, g, f2, rg, rf1, rf2, again, answer] = found.try_into().unwrap();
    assert_eq!([&rg, &rf1, &rf2, &answer], [&g, &f1, &f2, &again]);
    assert_ne!(f1, again);
}

#[test]
fn results_under_names_that_the_model_never_called_go_by_their_order() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"output": "x"}}});
    let found = ids(&read(json!([
        {"role": "model", "parts": [call("f"), call("g")]},
        {"role": "user", "parts": [result("call_1"), result("call_2")]},
        // What was answered is answered once; a name that was called finds no other call.
        {"role": "model", "parts": [call("f"), call("g")]},
        {"role": "user", "parts": [result("f"), result("f"), result("call_4")]},
    ])));
    let [f, g, rf, rg, f2, g2, rf2, twice, rg2] = found.try_into().unwrap();
    assert_eq!([&rf, &rg, &rf2, &rg2], [&f, &g, &f2, &g2]);
    assert!(![f, g, f2, g2].contains(&twice));
}

#[test]
fn what_the_model_drew_is_shown_by_the_user_or_told() {
    let drawn =
        json!({"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]});
    let said = json!({"role": "user", "parts": [{"text": "x"}]});
    for (contents, shown, why) in [
        (json!([drawn, said]), 1, "shown in the user's next turn"),
        (json!([said, drawn]), 0, "elsewhere a model's turn holds no media"),
    ] {
        let mut losses = Losses::default();
        let mut fields = Fields::of(json!({"contents": contents}).into(), Path::default()).unwrap();
        let turns = turns(&mut fields, &mut losses).unwrap();
        let media = turns.iter().filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.blocks);
        assert_eq!(media.filter(|block| matches!(block, Block::Media(_))).count(), shown);
        let told: Vec<String> = losses.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with(why), "{told:?}");
    }
}

#[test]
fn given_ids_are_kept() {
    let found = ids(&read(json!([
        {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "a"}}, {"function_call": {"name": "f", "id": "b"}}]},
        {"parts": [{"function_response": {"name": "f", "id": "b", "response": {}}}, {"functionResponse": {"name": "f", "id": "a", "response": {}}}]},
    ])));
    assert_eq!(found, ["a", "b", "b", "a"]);
}

#[test]
fn results_are_texts() {
    for (value, text, failed) in [
        (json!({"output": "x"}), "x", false),
        (json!({"result": "x"}), "x", false),
        (json!({"error": "x"}), "x", true),
        (json!({"result": 2}), r#"{"result":2}"#, false),
        (json!({"content": "x"}), "x", false),
        (json!({"name": "f", "content": "x"}), "x", false),
        (json!({"name": "g", "content": "x"}), r#"{"name":"g","content":"x"}"#, false),
        (json!({"output": "x", "error": "y"}), r#"{"output":"x","error":"y"}"#, true),
    ] {
        assert_eq!(response(Some(value.into()), Some("f")), (vec![ResultPart::Text(text.into())], failed));
    }
}

#[test]
fn signatures_become_states_of_their_blocks() {
    let foreign = State { provider: "p".into(), ..State::of("anthropic", vec![json!({"type": "thinking"})]) };
    let turns = read(json!([{"role": "model", "parts": [
        {"text": "hm", "thought": true},
        {"text": "yes", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {}, "id": "1"}, "thoughtSignature": foreign.pack()},
        {"functionCall": {"name": "g", "args": {}, "id": "2"}, "thoughtSignature": "Zw=="},
        {"functionCall": {"name": "g", "args": {}, "id": "3"}, "thoughtSignature": part::NO_SIGNATURE},
        {"text": "so", "thoughtSignature": "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="},
        {"functionCall": {"name": "g", "args": {}, "id": "4"}, "thoughtSignature": foreign.pack()},
    ]}]));
    let call = |name: &str, id: &str, state| {
        let arguments = "{}".to_owned();
        Block::Call(ToolCall { id: id.into(), name: name.into(), arguments, free_form: false, state })
    };
    let own = |value| Some(State::of(part::ORIGIN, vec![value]));
    let signed = json!({"functionCall": {"name": "g", "args": {}, "id": "2"}, "thoughtSignature": "Zw=="});
    let expected = vec![
        reasoning(String::new(), own(json!({"text": "", "thoughtSignature": "c2ln"}))),
        reasoning("hm".into(), Some(foreign.clone())),
        Block::Text("yes".into()),
        call("f", "1", None),
        call("g", "2", own(signed)),
        call("g", "3", None),
        reasoning(String::new(), Some(foreign)),
        Block::Text("so".into()),
        call("g", "4", None),
    ];
    assert_eq!(turns.first().unwrap().blocks, expected);
}

/// google-genai's chats keep every chunk of a stream as a content of its own.
#[test]
fn chunks_that_were_kept_apart_are_one_turn() {
    let foreign = State { provider: "p".into(), ..State::of("anthropic", vec![json!({"type": "thinking"})]) };
    let chunk = |part: Value| json!({"role": "model", "parts": [part]});
    let turns = read(json!([
        {"role": "user", "parts": [{"text": "x"}]},
        chunk(json!({"text": "hm", "thought": true})),
        chunk(json!({"text": "ye"})),
        chunk(json!({"text": "s"})),
        chunk(json!({"functionCall": {"name": "f", "id": "1"}, "thoughtSignature": foreign.pack()})),
        chunk(json!({"text": ""})),
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "1", "response": {}}}]},
    ]));
    assert_eq!(turns.len(), 3);
    let told = [reasoning("hm".into(), Some(foreign)), Block::Text("yes".into())];
    assert_eq!(turns[1].blocks[..2], told);
    assert_eq!(turns[1].blocks.len(), 3);
}

/// So does a chat of google-genai with the pieces of a call.
#[test]
fn a_call_that_was_kept_in_pieces_is_one() {
    let chunk = |call: Value| json!({"role": "model", "parts": [{"functionCall": call}]});
    let value = json!({"jsonPath": "$.a", "stringValue": "x"});
    let turns = read(json!([
        chunk(json!({"name": "f", "id": "1", "willContinue": true})),
        chunk(json!({"partialArgs": [value], "willContinue": true})),
        chunk(json!({})),
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "1", "response": {"output": "y"}}}]},
        chunk(json!({"name": "g", "id": "2", "willContinue": true})),
        {"role": "user", "parts": [{"text": "z"}]},
    ]));
    let calls: Vec<_> = turns.iter().flat_map(|turn| &turn.blocks).filter_map(Block::as_call).collect();
    let told: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect();
    assert_eq!(told, [("f", r#"{"a":"x"}"#)]);
    let begun = json!({"contents": [chunk(json!({"name": "f", "willContinue": true}))]});
    let mut losses = Losses::default();
    let mut fields = Fields::of(begun.into(), Path::default()).unwrap();
    super::turns(&mut fields, &mut losses).unwrap();
    assert_eq!(losses.iter().map(|loss| loss.path.as_str()).collect::<Vec<_>>(), ["contents"]);
}

/// Only the words of a text are told beside its state.
#[test]
fn a_signed_part_is_kept_as_it_came() {
    let thought = json!({"text": "hm", "thought": true, "thoughtSignature": "dGg="});
    let call = json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"});
    let said = json!({"text": "x", "thoughtSignature": "c2Fp"});
    let turns = read(json!([{"role": "model", "parts": [thought, said, call]}]));
    let states = turns[0].blocks.iter().filter_map(|block| match block {
        Block::Reasoning(reasoning) => reasoning.state.as_ref(),
        Block::Call(call) => call.state.as_ref(),
        _ => None,
    });
    let kept: Vec<Value> = states.flat_map(|state| state.blocks.clone()).collect();
    assert_eq!(kept, [thought, json!({"text": "", "thoughtSignature": "c2Fp"}), call]);
}

#[test]
fn a_result_that_names_no_error_is_none() {
    for (response, text, failed) in [
        (json!({"output": "x"}), "x", false),
        (json!({"error": "x"}), "x", true),
        (json!({"error": "", "output": "x"}), r#"{"error":"","output":"x"}"#, false),
        (json!({"error": null, "output": "x"}), r#"{"error":null,"output":"x"}"#, false),
        (json!({"name": "f", "content": "x"}), "x", false),
        (json!({"name": "g", "content": "x"}), r#"{"name":"g","content":"x"}"#, false),
        (json!({"f": "f", "content": "x"}), r#"{"f":"f","content":"x"}"#, false),
    ] {
        let result = json!({"functionResponse": {"name": "f", "response": response}});
        let turns = read(json!([{"role": "user", "parts": [result]}]));
        let [Block::Result(result)] = turns[0].blocks.as_slice() else { panic!("{turns:?}") };
        assert_eq!((&result.content[..], result.failed), (&[ResultPart::Text(text.into())][..], failed));
    }
}

#[test]
fn an_empty_id_is_none() {
    let turns = read(json!([
        {"role": "model", "parts": [{"functionCall": {"name": "f", "id": ""}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "", "response": {"output": "x"}}}]},
    ]));
    let called = turns[0].blocks.iter().find_map(Block::as_call).unwrap();
    let [Block::Result(result)] = turns[1].blocks.as_slice() else { panic!("{turns:?}") };
    assert!(!called.id.is_empty() && result.id == called.id, "{turns:?}");
}

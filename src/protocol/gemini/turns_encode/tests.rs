use serde_json::json;

use super::*;
use crate::ir::request::Reasoning;
use crate::protocol::dialect::Dialect;

fn call(id: &str, arguments: &str, state: Option<State>) -> Block {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Block::Call(ToolCall { id, name: "f".into(), arguments, free_form: false, state })
}

fn result(id: &str, failed: bool) -> Block {
    let content = vec![ResultPart::Text("done".into())];
    Block::Result(ToolResult { id: id.into(), name: None, content, failed })
}

fn text(text: &str) -> Block {
    Block::Text(text.into())
}

fn user(blocks: Vec<Block>) -> Turn {
    Turn { role: Role::User, blocks }
}

fn model(blocks: Vec<Block>) -> Turn {
    Turn { role: Role::Assistant, blocks }
}

/// State that the target's provider made.
fn own(part: Value) -> State {
    State { provider: "google".into(), ..State::of(ORIGIN, vec![part]) }
}

#[track_caller]
fn check(model: &str, turns: Vec<Turn>, expected: Value) -> Vec<String> {
    let dialect = Dialect { provider: "google".into(), ..Dialect::default() };
    let target = TargetContext { model, dialect: &dialect, session: None };
    let request = Request { turns, ..Request::default() };
    let mut losses = Losses::default();
    let written = pen::written(&contents(&request, &target, &mut losses));
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected);
    losses.iter().map(|loss| loss.why.to_string()).collect()
}

#[test]
fn turns_of_one_role_are_joined_and_the_user_is_first() {
    let reminder = Turn::of(Role::Instructions, text("be quick"));
    let turns = vec![
        model(vec![text("hello"), text("")]),
        user(vec![text("a")]),
        user(vec![text("b")]),
        reminder,
        model(vec![text("")]),
    ];
    let expected = json!([
        {"role": "user", "parts": [{"text": "..."}]},
        {"role": "model", "parts": [{"text": "hello"}]},
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"},
            {"text": "<system-reminder>\nbe quick\n</system-reminder>"}]},
    ]);
    assert!(check("gemini-2.5-pro", turns, expected).is_empty());
}

#[test]
fn results_follow_their_calls_in_the_order_of_the_calls() {
    let turns = vec![
        user(vec![text("go")]),
        model(vec![call("a", "", None)]),
        model(vec![call("b", "[1]", None), call("c", "{\"x\":1}", None)]),
        user(vec![text("wait")]),
        user(vec![result("c", true), result("a", false), result("z", false)]),
    ];
    let answer = |id: &str, response: Value| json!({"functionResponse": {"id": id, "name": "f", "response": response}});
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": "a", "name": "f", "args": {}}},
            {"functionCall": {"id": "b", "name": "f", "args": {"_raw": "[1]"}}},
            {"functionCall": {"id": "c", "name": "f", "args": {"x": 1}}},
        ]},
        {"role": "user", "parts": [
            answer("a", json!({"output": "done"})),
            answer("b", json!({"output": "[no output recorded]"})),
            answer("c", json!({"error": "done"})),
            {"text": "wait"},
            {"text": "done"},
        ]},
    ]);
    let losses = check("gemini-2.5-pro", turns, expected);
    let told = ["it has no result; an empty one is sent", "it belongs to no call; sent as text of the user"];
    assert_eq!(losses, told);
}

#[test]
fn an_id_that_comes_twice_belongs_to_the_nearest() {
    let round = || [model(vec![call("a", "", None)]), user(vec![result("a", false)])];
    let turns = [round(), round()].concat();
    let part = json!({"functionCall": {"id": "a", "name": "f", "args": {}}});
    let answer = json!({"functionResponse": {"id": "a", "name": "f", "response": {"output": "done"}}});
    let expected = json!([
        {"role": "user", "parts": [{"text": "..."}]},
        {"role": "model", "parts": [part]}, {"role": "user", "parts": [answer]},
        {"role": "model", "parts": [part]}, {"role": "user", "parts": [answer]},
    ]);
    assert!(check("gemini-2.5-pro", turns, expected).is_empty());
}

#[test]
fn state_goes_back_to_its_provider_exactly() {
    let signed = json!({"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"});
    let thought = json!({"text": "hm", "thought": true, "thoughtSignature": "dGg="});
    let reasoning = |state| Block::Reasoning(Reasoning { text: "hm".into(), state: Some(state) });
    let answers = json!([{"functionResponse": {"name": "f", "response": {"output": "done"}}}]);
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [thought, signed]},
        {"role": "user", "parts": answers},
    ]);
    let rounds = [
        // As a client of this protocol or Chat gives it back, and as one of the other two does.
        vec![reasoning(own(thought.clone())), call("made", "{\"x\":1}", Some(own(signed.clone())))],
        vec![reasoning(own(thought)), reasoning(own(signed)), call("made", "{\"x\":1}", None)],
    ];
    for blocks in rounds {
        let turns = vec![user(vec![text("go")]), model(blocks), user(vec![result("made", false)])];
        assert!(check("gemini-3-pro", turns, expected.clone()).is_empty());
    }
}

#[test]
fn state_of_others_is_left_out_and_gemini_3_is_told_so() {
    let foreign = State { provider: "a".into(), ..State::of("anthropic", vec![json!({})]) };
    let reasoning = Block::Reasoning(Reasoning { text: "hm".into(), state: Some(foreign) });
    let blocks = vec![reasoning, call("a", "", None), call("b", "", None)];
    let turns =
        vec![user(vec![text("go")]), model(blocks), user(vec![result("a", false), result("b", false)])];
    let answer =
        |id: &str| json!({"functionResponse": {"id": id, "name": "f", "response": {"output": "done"}}});
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": NO_SIGNATURE},
            {"functionCall": {"id": "b", "name": "f", "args": {}}},
        ]},
        {"role": "user", "parts": [answer("a"), answer("b")]},
    ]);
    assert_eq!(check("gemini-3-flash-preview", turns, expected), ["foreign reasoning"]);
}

#[test]
fn media_stand_beside_their_result_and_none_goes_by_url() {
    let media = |source| Media { kind: MediaKind::Image, source, name: None, detail: None };
    let inline = media(Source::Inline { mime: "image/png".into(), data: "AAAA".into() });
    let content = vec![ResultPart::Text("seen".into()), ResultPart::Media(inline)];
    let shown = Block::Result(ToolResult { id: "a".into(), name: None, content, failed: false });
    let by_url = Block::Media(media(Source::Url("https://x/y.png".into())));
    let turns = vec![model(vec![call("a", "", None)]), user(vec![shown, by_url])];
    let expected = json!([
        {"role": "user", "parts": [{"text": "..."}]},
        {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": "f", "response": {"output": "seen"}}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ]},
    ]);
    let losses = check("gemini-2.5-pro", turns, expected);
    assert_eq!(losses, ["Gemini takes no media by URL, and llmgate fetches none"]);
}

/// The parts of two calls of one function came back before the calls; each goes to its own.
#[test]
fn a_signed_part_goes_to_the_call_with_its_arguments() {
    let part = |x: u8| json!({"functionCall": {"name": "f", "args": {"x": x}}, "thoughtSignature": format!("c2l{x}")});
    let state = |x| Block::Reasoning(Reasoning { text: String::new(), state: Some(own(part(x))) });
    let blocks = vec![state(1), state(2), call("b", "{\"x\":2}", None), call("a", "{\"x\":1}", None)];
    let turns =
        vec![user(vec![text("go")]), model(blocks), user(vec![result("a", false), result("b", true)])];
    let answer = |key: &str| json!({"functionResponse": {"name": "f", "response": {key: "done"}}});
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [part(2), part(1)]},
        {"role": "user", "parts": [answer("error"), answer("output")]},
    ]);
    assert!(check("gemini-3-pro", turns, expected).is_empty());
}

/// What a client of Chat has of them, beside a call whose state was remembered for it.
#[test]
fn the_providers_own_words_of_reasoning_are_no_loss() {
    let words = || Block::Reasoning(Reasoning { text: "hm".into(), state: None });
    let signed = json!({"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "c2ln"});
    let unsigned = json!({"functionCall": {"id": "a", "name": "f", "args": {}}});
    for (state, part, told) in
        [(Some(own(signed.clone())), &signed, vec![]), (None, &unsigned, vec!["foreign reasoning"])]
    {
        let expected = json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [part]},
            {"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "f", "response": {"output": "done"}}}]},
        ]);
        let turns = vec![
            user(vec![text("go")]),
            model(vec![words(), call("a", "", state)]),
            user(vec![result("a", false)]),
        ];
        assert_eq!(check("gemini-2.5-pro", turns, expected), told);
    }
}

#[test]
fn a_signed_part_without_its_call_is_told_of() {
    let signed = json!({"functionCall": {"name": "g", "args": {}}, "thoughtSignature": "c2ln"});
    let state = Block::Reasoning(Reasoning { text: String::new(), state: Some(own(signed)) });
    let turns = vec![user(vec![text("go")]), model(vec![state, text("no")]), user(vec![text("on")])];
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"text": "no"}]},
        {"role": "user", "parts": [{"text": "on"}]},
    ]);
    assert_eq!(check("gemini-3-pro", turns, expected), ["the call that it signs is gone"]);
}

#[test]
fn results_stand_behind_their_calls_whatever_was_said_between() {
    let between = Turn::of(Role::Instructions, text("be quick"));
    let turns = vec![
        user(vec![text("go")]),
        model(vec![call("a", "", None)]),
        between,
        user(vec![result("a", false)]),
    ];
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": "f", "response": {"output": "done"}}},
            {"text": "<system-reminder>\nbe quick\n</system-reminder>"}]},
    ]);
    assert!(check("gemini-2.5-pro", turns, expected).is_empty());
}

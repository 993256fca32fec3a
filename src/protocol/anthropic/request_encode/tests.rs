use serde_json::{Value, json};

use super::*;
use crate::ir::loss::Severity;
use crate::ir::request::{Effort, Level, Media, MediaKind, Role, Source, ToolCall, Turn};
use crate::ir::schema::Schema;
use crate::ir::tool::{Tool as IrTool, ToolChoice as Choice, ToolGrammar};
use crate::protocol::dialect::{Dialect, ReasoningStyle};

fn user(text: &str) -> Turn {
    Turn::of(Role::User, Block::Text(text.into()))
}

fn function(name: &str) -> IrTool {
    let form = ToolForm::Function { schema: Schema::of(&json!({"properties": {}})), strict: None };
    IrTool { name: name.into(), description: None, form, identity: None }
}

fn call(id: &str, name: &str, arguments: &str) -> Turn {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Turn::of(Role::Assistant, Block::Call(ToolCall { id, name, arguments, free_form: false, state: None }))
}

fn dialect(reasoning: ReasoningStyle) -> Dialect {
    Dialect { reasoning, cache_marks: false, ..Dialect::default() }
}

/// Encodes a request and checks members of its body, and the paths of what was lost.
#[track_caller]
fn check(request: &Request, dialect: &Dialect, members: Value, lost: &[&str]) {
    let target = TargetContext { model: "m", dialect, session: None };
    let (text, losses) = encode(request, &target);
    let body: Value = serde_json::from_str(&text).unwrap();
    for (name, expected) in members.as_object().unwrap() {
        assert_eq!(body.get(name).unwrap_or(&Value::Null), expected, "{name} of {text}");
    }
    let told: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(told, lost);
}

#[test]
fn the_limit_is_always_told() {
    let request = |limit| Request { limit, turns: vec![user("x")], ..Request::default() };
    let most = Dialect { max_output: Some(500), ..Dialect::default() };
    check(&request(None), &Dialect::default(), json!({"max_tokens": 32000}), &[]);
    check(&request(None), &most, json!({"max_tokens": 500}), &[]);
    check(&request(Some(900)), &most, json!({"max_tokens": 500}), &[]);
    check(&request(Some(900)), &Dialect::default(), json!({"max_tokens": 900}), &[]);
}

#[test]
fn effort_is_asked_for_as_the_target_wants_it() {
    let check = |style, effort, limit, members, lost: &[&str]| {
        let request = Request { effort, limit: Some(limit), turns: vec![user("x")], ..Request::default() };
        check(&request, &dialect(style), members, lost);
    };
    let off = || json!({"thinking": {"type": "disabled"}, "output_config": null});
    let none = || json!({"thinking": null, "output_config": null});
    let adaptive = || json!({"type": "adaptive", "display": "summarized"});
    let level = |name: &str| json!({"thinking": adaptive(), "output_config": {"effort": name}});
    let budget = |n: u64| json!({"thinking": {"type": "enabled", "budget_tokens": n}, "output_config": null});
    use ReasoningStyle::{Budget, Effort as Levels, None};
    check(Levels, Effort::Unset, 9000, none(), &[]);
    check(Levels, Effort::Off, 9000, off(), &[]);
    check(Levels, Effort::On, 9000, json!({"thinking": adaptive(), "output_config": null}), &[]);
    check(Levels, Effort::Level(Level::Max), 9000, level("max"), &[]);
    check(Levels, Effort::Level(Level::Minimal), 9000, level("low"), &["effort"]);
    check(Levels, Effort::Budget(30_000), 9000, level("high"), &[]);
    check(Budget, Effort::On, 90_000, budget(8192), &[]);
    check(Budget, Effort::Level(Level::High), 9000, budget(7976), &[]);
    check(Budget, Effort::Budget(2000), 9000, budget(2000), &[]);
    check(Budget, Effort::Budget(20), 9000, budget(1024), &["effort"]);
    check(Budget, Effort::Level(Level::High), 1500, budget(1024), &[]);
    check(Budget, Effort::On, 1024, off(), &["effort"]);
    check(None, Effort::On, 9000, none(), &["effort"]);
    check(None, Effort::Off, 9000, none(), &[]);
}

#[test]
fn what_stands_against_thinking_turns_it_off() {
    let forced = Request {
        effort: Effort::On,
        tools: vec![function("f")],
        choice: Some(Choice::Any),
        turns: vec![user("x")],
        ..Request::default()
    };
    let members = json!({"thinking": {"type": "disabled"}, "tool_choice": {"type": "any"}});
    check(&forced, &dialect(ReasoningStyle::Budget), members, &["effort"]);
    let turn = Request { choice: None, turns: vec![user("x"), call("a", "f", "{}")], ..forced };
    let members = json!({"thinking": {"type": "disabled"}});
    check(&turn, &dialect(ReasoningStyle::Budget), members, &["turns", "effort"]);
    // Where the model decides, it need not have thought before its calls.
    let members = json!({"thinking": {"type": "adaptive", "display": "summarized"}});
    check(&turn, &dialect(ReasoningStyle::Effort), members, &["turns"]);
}

#[test]
fn some_models_cannot_stop_thinking() {
    let request = Request { effort: Effort::Off, turns: vec![user("x")], ..Request::default() };
    let dialect = dialect(ReasoningStyle::Effort);
    for (model, thinking, effort) in [
        ("claude-opus-4-8", json!({"type": "disabled"}), Value::Null),
        ("anthropic/claude-fable-5", Value::Null, json!("low")),
        ("claude-mythos-preview", Value::Null, json!("low")),
    ] {
        let (text, losses) = encode(&request, &TargetContext { model, dialect: &dialect, session: None });
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&thinking, &effort), "{model}");
        assert_eq!(losses.iter().count(), usize::from(thinking.is_null()), "{model}");
    }
}

#[test]
fn sampling_is_clamped_and_dropped_while_thinking() {
    let number = |n: f64| Number::from_f64(n);
    let mut request = Request { turns: vec![user("x")], ..Request::default() };
    request.sampling.temperature = number(1.5);
    request.sampling.top_p = number(0.5);
    request.sampling.seed = Some(Number::from(1));
    request.sampling.stop = vec!["END".into(), "\n".into()];
    let members = json!({"temperature": 1, "top_p": 0.5, "stop_sequences": ["END"]});
    let lost = ["seed", "stop", "temperature"];
    check(&request, &dialect(ReasoningStyle::Effort), members, &lost);
    request.effort = Effort::On;
    let members = json!({"temperature": null, "top_p": null});
    let lost = ["seed", "stop", "temperature", "top_p"];
    check(&request, &dialect(ReasoningStyle::Effort), members, &lost);
    // 1 is no choice among shares, but the only candidate among tokens.
    request.sampling = Default::default();
    (request.sampling.top_p, request.sampling.top_k) = (number(1.0), Some(1.into()));
    check(&request, &dialect(ReasoningStyle::Effort), json!({"top_p": null, "top_k": null}), &["top_k"]);
}

#[test]
fn tools_and_choices_are_what_the_target_takes() {
    let free = IrTool {
        form: ToolForm::FreeForm {
            grammar: Some(ToolGrammar { syntax: "lark".into(), definition: "start: X".into() }),
        },
        description: Some("patches".into()),
        ..function("patch")
    };
    let schema =
        json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    let mut request = Request {
        tools: vec![function("a.b"), free],
        one_call: true,
        choice: Some(Choice::One("a.b".into())),
        turns: vec![user("x")],
        ..Request::default()
    };
    let name = fit_name("a.b", &NAMES);
    let tools = json!([
        {"name": name, "input_schema": {"properties": {}, "type": "object"}},
        {"name": "patch", "description": "patches\n\nstart: X", "input_schema": schema},
    ]);
    let one = json!({"type": "tool", "name": name, "disable_parallel_tool_use": true});
    check(&request, &dialect(ReasoningStyle::None), json!({"tools": tools, "tool_choice": one}), &[]);
    request.choice = None;
    let auto = json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}});
    check(&request, &dialect(ReasoningStyle::None), auto, &[]);
    request.choice = Some(Choice::OneOf(vec!["a.b".into(), "patch".into()]));
    let any = json!({"tool_choice": {"type": "any", "disable_parallel_tool_use": true}});
    check(&request, &dialect(ReasoningStyle::None), any, &["tool_choice"]);
    request.tools.clear();
    check(&request, &dialect(ReasoningStyle::None), json!({"tools": null, "tool_choice": null}), &[]);
    request.turns.extend([call("1", "f", ""), call("2", "f", "[]")]);
    let declared = json!({
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "none"},
    });
    check(&request, &dialect(ReasoningStyle::None), declared, &["turns"]);
}

#[test]
fn answers_in_json_have_closed_schemas() {
    let schema = Schema::of(&json!({"type": "object", "properties": {"a": {"type": "object"}}}));
    let closed = json!({"type": "object", "additionalProperties": false, "properties": {
        "a": {"type": "object", "additionalProperties": false}}});
    let format = Format::JsonSchema { name: None, description: None, schema, strict: None };
    let request = Request { format: Some(format), turns: vec![user("x")], ..Request::default() };
    let members = json!({"output_config": {"format": {"type": "json_schema", "schema": closed}}});
    check(&request, &Dialect::default(), members, &[]);
    let request = Request { format: Some(Format::JsonObject), ..request };
    check(&request, &Dialect::default(), json!({"output_config": null}), &["format"]);
}

#[test]
fn four_places_are_marked_for_the_cache() {
    let request = Request {
        system: vec!["s".into()],
        tools: vec![function("f"), function("g")],
        turns: ["a", "b", "c"]
            .into_iter()
            .flat_map(|text| [user(text), Turn::of(Role::Assistant, Block::Text("ok".into()))])
            .collect(),
        ..Request::default()
    };
    let marks = |cache_marks| {
        let dialect = Dialect { cache_marks, ..Dialect::default() };
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        encode(&request, &target).0.matches(r#""cache_control":{"type":"ephemeral"}"#).count()
    };
    assert_eq!((marks(true), marks(false)), (4, 0));
}

#[test]
fn media_that_the_target_cannot_take_is_refused() {
    let check = |kind, source: Source, refused: bool| {
        let media = Media { kind, source, name: None, detail: None };
        let request =
            Request { turns: vec![Turn::of(Role::User, Block::Media(media))], ..Request::default() };
        let dialect = Dialect::default();
        let target = TargetContext { model: "m", dialect: &dialect, session: None };
        let (text, losses) = encode(&request, &target);
        assert_eq!(losses.first_of(Severity::Refuse).is_some(), refused, "{text}");
    };
    let inline = |mime: &str| Source::Inline { mime: mime.into(), data: "eA==".into() };
    check(MediaKind::Image, inline("image/png"), false);
    check(MediaKind::Image, Source::Url("https://x/y.png".into()), false);
    check(MediaKind::Image, Source::Url("gs://x/y.png".into()), true);
    check(MediaKind::Document, inline("application/pdf"), false);
    check(MediaKind::Document, inline("text/csv"), false);
    check(MediaKind::Document, inline("application/zip"), true);
    check(MediaKind::Audio, inline("audio/wav"), true);
}

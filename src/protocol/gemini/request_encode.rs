//! Neutral words -> a request for a Gemini target. Model and stream are in its path.

use std::borrow::Cow;

use serde_json::Number;

use crate::base::object::{Object, object};
use crate::base::pen::{self, Pen, Put, Raw};
use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_name};
use crate::ir::request::{Format, Request};
use crate::ir::tool::{Tool, ToolChoice, ToolForm};
use crate::protocol::gemini::turns_encode::Words;
use crate::protocol::gemini::{thinking, turns_encode};
use crate::protocol::parameters;
use crate::protocol::unwrap::INPUT_SCHEMA;
use crate::protocol::wire::TargetContext;

/// The names that a function may have. <https://ai.google.dev/api/caching#FunctionDeclaration>
pub(super) const NAMES: NameRule = NameRule { length: 64, extra: ".:", starts_with_letter: true };
/// `stopSequences` takes so many texts.
const MOST_STOPS: usize = 5;
const HOTTEST: f64 = 2.0;

/// Writes a request.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let contents = turns_encode::contents(request, target, &mut losses);
    let has_tools = !request.tools.is_empty();
    let searches = request.search.is_some() && target.dialect.search && !has_tools;
    let texts = request.system.iter().filter(|text| !text.is_empty());
    let instructions: Vec<Words<'_>> = texts.map(|text| Words(text)).collect();
    let config = config(request, target, &mut losses);
    let body = pen::long_object(request.length(), |pen| {
        if !instructions.is_empty() {
            pen.object_at("systemInstruction", |pen| pen.put("parts", &instructions));
        }
        pen.put("contents", &contents);
        if searches {
            pen.raw(br#","tools":[{"googleSearch":{}}]"#);
        }
        if has_tools {
            pen.raw(br#","tools":[{"#);
            pen.put("functionDeclarations", &request.tools.iter().map(Declared).collect::<Vec<_>>());
            pen.raw(b"}]");
            pen.put_some("toolConfig", request.choice.as_ref().map(choice));
        }
        pen.put_some("generationConfig", Some(Raw(config.as_bytes())).filter(|config| config.0 != b"{}"));
    });
    if searches && request.search.as_ref().is_some_and(|search| !search.domains.is_empty()) {
        losses.degrade("allowed_domains", "Google searches everywhere");
    }
    if has_tools && request.one_call {
        losses.degrade("parallel_tool_calls", "Gemini cannot be asked for one call at a time");
    }
    if request.verbosity.is_some() {
        losses.degrade("verbosity", "Gemini has no such field");
    }
    (body, losses)
}

/// The settings as they are written.
fn config(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> String {
    let sampling = &request.sampling;
    let most = target.dialect.max_output.unwrap_or(u64::MAX);
    pen::object(|pen| {
        let temperature = sampling.temperature.as_ref().map(|number| temperature(number, losses));
        pen.put_some("temperature", temperature);
        pen.put_some("topP", sampling.top_p.as_ref());
        pen.put_some("topK", sampling.top_k.as_ref());
        pen.put_some("maxOutputTokens", request.limit.map(|limit| limit.min(most)));
        pen.put_all("stopSequences", stops(request, losses));
        pen.put_some("seed", seed(request, losses));
        pen.put_some("presencePenalty", sampling.presence_penalty.as_ref());
        pen.put_some("frequencyPenalty", sampling.frequency_penalty.as_ref());
        if let Some(format) = &request.format {
            pen.put("responseMimeType", "application/json");
            match format {
                Format::JsonSchema { schema, .. } => pen.put("responseJsonSchema", schema),
                Format::JsonObject => {}
            }
        }
        pen.put_some("thinkingConfig", thinking::encode(request, target, losses));
    })
}

fn temperature(number: &Number, losses: &mut Losses) -> Number {
    if number.as_f64().is_some_and(|value| value > HOTTEST) {
        losses.degrade("temperature", "Gemini takes 2 at most");
        return Number::from(2);
    }
    number.clone()
}

/// The reference has 32 bits for it; a larger one is refused.
fn seed<'r>(request: &'r Request, losses: &mut Losses) -> Option<&'r Number> {
    let seed = request.sampling.seed.as_ref()?;
    let fits = seed.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
    if !fits {
        losses.degrade("seed", "Gemini takes a whole number of 32 bits");
    }
    fits.then_some(seed)
}

fn stops<'r>(request: &'r Request, losses: &mut Losses) -> &'r [String] {
    let stops = request.sampling.stop.as_slice();
    if stops.len() > MOST_STOPS {
        losses.degrade("stop", "Gemini takes five stop texts");
    }
    stops.get(..MOST_STOPS).unwrap_or(stops)
}

/// A tool as it is declared. `parameters` refuses `$schema` and `additionalProperties`; the other
/// field takes JSON schema.
struct Declared<'a>(&'a Tool);

impl Put for Declared<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let tool = self.0;
        pen.object(|pen| {
            pen.put("name", &fit_name(&tool.name, &NAMES));
            match &tool.form {
                ToolForm::Function { schema, .. } => {
                    pen.put_some("description", tool.description.as_deref());
                    let schema = parameters::of_lists(Cow::Borrowed(schema.text()));
                    pen.put("parametersJsonSchema", &Raw(schema.as_bytes()));
                }
                ToolForm::FreeForm { .. } => {
                    pen.put_some("description", tool.in_words());
                    pen.put("parametersJsonSchema", &Raw(INPUT_SCHEMA.as_bytes()));
                }
            }
        });
    }
}

fn choice(choice: &ToolChoice) -> Object {
    let among = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| fit_name(name, &NAMES)).collect();
        object! {"mode": "ANY", "allowedFunctionNames": names}
    };
    let calling = match choice {
        ToolChoice::Auto => object! {"mode": "AUTO"},
        ToolChoice::None => object! {"mode": "NONE"},
        ToolChoice::Any => object! {"mode": "ANY"},
        ToolChoice::One(name) => among(std::slice::from_ref(name)),
        ToolChoice::OneOf(names) => among(names),
    };
    object! {"functionCallingConfig": calling}
}

#[cfg(test)]
mod tests {
    use crate::ir::schema::Schema;
    use serde_json::{Value, json};

    use super::*;
    use crate::ir::request::{
        Block, Effort, Media, MediaKind, ResultPart, Role, Sampling, Source, ToolCall, ToolResult, Turn,
    };
    use crate::ir::tool::ToolGrammar;
    use crate::protocol::dialect::{Dialect, ReasoningStyle};
    use crate::protocol::gemini::request_decode;

    fn body(request: &Request, dialect: &Dialect) -> (Value, Losses) {
        let target = TargetContext { model: "gemini-2.5-flash", dialect, session: None };
        let (text, losses) = encode(request, &target);
        (serde_json::from_str(&text).unwrap(), losses)
    }

    #[test]
    fn a_request_is_written_as_the_reference_wants_it() {
        let form = ToolForm::FreeForm {
            grammar: Some(ToolGrammar { syntax: "lark".into(), definition: "start: /.*/".into() }),
        };
        let request = Request {
            system: vec!["be kind".into(), String::new()],
            turns: vec![Turn::of(Role::User, Block::Text("hi".into()))],
            tools: vec![Tool { name: "1 patch".into(), description: Some("d".into()), form, identity: None }],
            choice: Some(ToolChoice::One("1 patch".into())),
            one_call: true,
            sampling: Sampling {
                temperature: Number::from_f64(2.5),
                stop: vec!["s".to_owned(); 6],
                ..Sampling::default()
            },
            format: Some(Format::JsonObject),
            verbosity: Some("low".into()),
            limit: Some(100),
            ..Request::default()
        };
        let dialect = Dialect { max_output: Some(64), ..Dialect::default() };
        let (body, losses) = body(&request, &dialect);
        let name = fit_name("1 patch", &NAMES);
        let expected = json!({
            "systemInstruction": {"parts": [{"text": "be kind"}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "tools": [{"functionDeclarations": [{"name": name, "description": "d\n\nstart: /.*/",
                "parametersJsonSchema": {"type": "object", "properties": {"input": {"type": "string"}},
                    "required": ["input"]}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}},
            "generationConfig": {"temperature": 2, "maxOutputTokens": 64, "stopSequences": ["s", "s", "s", "s", "s"],
                "responseMimeType": "application/json"},
        });
        assert_eq!(body, expected);
        let paths: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, ["temperature", "stop", "parallel_tool_calls", "verbosity"]);
    }

    #[test]
    fn what_the_wire_can_say_comes_back() {
        let schema = Schema::of(&json!({"type": "object", "properties": {"x": {"type": "string"}}}));
        let arguments = "{\"x\":\"y\"}".to_owned();
        let call = ToolCall { id: "c1".into(), name: "f".into(), arguments, free_form: false, state: None };
        let source = Source::Inline { mime: "image/png".into(), data: "AAAA".into() };
        let image = Media { kind: MediaKind::Image, source, name: None, detail: None };
        let content = vec![ResultPart::Text("no".into()), ResultPart::Media(image.clone())];
        let result = ToolResult { id: "c1".into(), name: Some("f".into()), content, failed: true };
        let tool = |name: &str| Tool {
            name: name.into(),
            description: Some("d".into()),
            form: ToolForm::Function { schema: schema.clone(), strict: None },
            identity: None,
        };
        let request = Request {
            system: vec!["a".into(), "b".into()],
            turns: vec![
                Turn { role: Role::User, blocks: vec![Block::Text("hi".into()), Block::Media(image)] },
                Turn { role: Role::Assistant, blocks: vec![Block::Text("ok".into()), Block::Call(call)] },
                Turn { role: Role::User, blocks: vec![Block::Result(result), Block::Text("go".into())] },
            ],
            tools: ["f", "g"].map(tool).into(),
            choice: Some(ToolChoice::OneOf(vec!["f".into(), "g".into()])),
            sampling: Sampling {
                temperature: Number::from_f64(0.5),
                top_k: Some(Number::from(40)),
                seed: Some(Number::from(7)),
                stop: vec!["x".into()],
                ..Sampling::default()
            },
            effort: Effort::Budget(1000),
            show_reasoning: Some(true),
            format: Some(Format::JsonSchema {
                name: None,
                description: None,
                schema: schema.clone(),
                strict: None,
            }),
            limit: Some(100),
            ..Request::default()
        };
        let dialect = Dialect { reasoning: ReasoningStyle::Budget, ..Dialect::default() };
        let (body, losses) = body(&request, &dialect);
        assert_eq!(losses, Losses::default());
        assert_eq!(request_decode::decode(&body.to_string()), Ok((request, Losses::default())));
    }

    #[test]
    fn a_seed_that_is_too_large_is_left_out_and_told() {
        for (seed, lost) in [(i64::from(i32::MIN), 0), (7, 0), (i64::from(i32::MAX) + 1, 1)] {
            let sampling = Sampling { seed: Some(Number::from(seed)), ..Sampling::default() };
            let (body, losses) = body(&Request { sampling, ..Request::default() }, &Dialect::default());
            assert_eq!(losses.iter().count(), lost, "{seed}");
            assert_eq!(body["generationConfig"].get("seed").is_none(), lost > 0, "{seed}");
        }
    }

    #[test]
    fn without_tools_there_is_no_choice_and_no_empty_member() {
        let request = Request { choice: Some(ToolChoice::Any), one_call: true, ..Request::default() };
        let (body, losses) = body(&request, &Dialect::default());
        assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "..."}]}]}));
        assert_eq!(losses, Losses::default());
    }
}

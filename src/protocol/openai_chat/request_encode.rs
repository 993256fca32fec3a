//! Neutral words -> a request for a Chat target.
//!
//! What many servers demand is done for all: instructions first as one `system` message, a `tool`
//! message right behind the calls it belongs to, a plain text where there is only text.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::base::json;
use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_name};
use crate::ir::request::{Effort, Format, Level, Request, Tool, ToolChoice, ToolForm};
use crate::protocol::dialect::{LimitField, ReasoningStyle};
use crate::protocol::openai_chat::messages::{self, Message};
use crate::protocol::wire::TargetContext;

/// What a function may be called (OpenAI's reference, `tools.function.name`).
pub(super) const NAMES: NameRule = NameRule { length: 64, extra: "", starts_with_letter: false };
/// `stop` takes so many texts.
const MOST_STOPS: usize = 4;
const LEVELS: [Level; 5] = [Level::Minimal, Level::Low, Level::Medium, Level::High, Level::XHigh];

/// Writes a request.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let messages = messages::write(request, target, &mut losses);
    let dialect = target.dialect;
    let limit = request.limit.map(|limit| limit.min(dialect.max_output.unwrap_or(u64::MAX)));
    let has_tools = !request.tools.is_empty();
    let body = Body {
        model: target.model,
        messages,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request
            .choice
            .as_ref()
            .filter(|_| has_tools)
            .and_then(|c| choice(c, target, &mut losses)),
        parallel_tool_calls: (has_tools && request.one_call).then_some(false),
        reasoning_effort: effort(request, target, &mut losses),
        response_format: request.format.as_ref().map(format),
        verbosity: request.verbosity.as_deref(),
        temperature: request.sampling.temperature.clone(),
        top_p: request.sampling.top_p.clone(),
        stop: stops(request, &mut losses),
        seed: request.sampling.seed.clone(),
        presence_penalty: request.sampling.presence_penalty.clone(),
        frequency_penalty: request.sampling.frequency_penalty.clone(),
        max_tokens: limit.filter(|_| dialect.limit_field == LimitField::MaxTokens),
        max_completion_tokens: limit.filter(|_| dialect.limit_field == LimitField::MaxCompletionTokens),
        prompt_cache_key: request.cache_key.as_deref().or(target.session).filter(|_| dialect.is_openai),
        stream: request.stream.then_some(true),
        stream_options: request.stream.then(|| json!({"include_usage": true})),
    };
    if request.sampling.top_k.is_some() {
        losses.degrade("top_k", "Chat has no such field");
    }
    // A struct of texts, numbers and values can always be written.
    (json::written(&body), losses)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Declared<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
}

/// A tool as it is declared.
#[derive(Serialize)]
struct Declared<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    parameters: Cow<'a, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

fn tool(tool: &Tool) -> Declared<'_> {
    let described = tool.description.as_deref();
    let (description, parameters, strict) = match &tool.form {
        ToolForm::Function { schema, strict } => {
            (described.map(Cow::Borrowed), Cow::Borrowed(schema), *strict)
        }
        ToolForm::FreeForm { grammar } => {
            let schema = json!({
                "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
            });
            let described: Vec<&str> = described.into_iter().chain(grammar.as_deref()).collect();
            let described = (!described.is_empty()).then(|| Cow::Owned(described.join("\n\n")));
            (described, Cow::Owned(schema), None)
        }
    };
    let function = Function { name: fit_name(&tool.name, &NAMES), description, parameters, strict };
    Declared { r#type: "function", function }
}

fn choice(choice: &ToolChoice, target: &TargetContext<'_>, losses: &mut Losses) -> Option<Value> {
    let named = |name: &str| json!({"type": "function", "function": {"name": fit_name(name, &NAMES)}});
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Any => Some("required".into()),
        ToolChoice::One(name) => Some(named(name)),
        ToolChoice::OneOf(names) if target.dialect.is_openai => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            Some(json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}))
        }
        ToolChoice::OneOf(names) => match names.as_slice() {
            [only] => Some(named(only)),
            _ => {
                losses.degrade("tool_choice", "a choice among some tools; any of all is asked for");
                Some("required".into())
            }
        },
    }
}

fn effort(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> Option<&'static str> {
    let wanted = match request.effort {
        Effort::Unset => return None,
        Effort::Off if target.dialect.reasoning == ReasoningStyle::None => return None,
        Effort::Off => return Some("none"),
        Effort::On => Level::Medium,
        Effort::Level(level) => level,
        Effort::Budget(tokens) => Level::of_budget(tokens),
    };
    if target.dialect.reasoning == ReasoningStyle::None {
        losses.degrade("reasoning_effort", "the target does not reason");
        return None;
    }
    let level = wanted.nearest(&LEVELS);
    if level != wanted {
        losses.degrade("reasoning_effort", "the nearest level that Chat knows is used");
    }
    Some(level.name())
}

fn format(format: &Format) -> Value {
    match format {
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut inner = json!({"name": name.as_deref().unwrap_or("output")});
            if let Some(object) = inner.as_object_mut() {
                object
                    .extend(description.as_deref().map(|text| ("description".to_owned(), Value::from(text))));
                object.insert("schema".to_owned(), schema.clone());
                object.extend(strict.map(|strict| ("strict".to_owned(), Value::from(strict))));
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}

fn stops(request: &Request, losses: &mut Losses) -> Vec<String> {
    let stops = &request.sampling.stop;
    if stops.len() > MOST_STOPS {
        losses.degrade("stop", "Chat takes four stop texts");
    }
    stops.iter().take(MOST_STOPS).cloned().collect()
}

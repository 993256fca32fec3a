//! Neutral words -> a request for a Chat target.
//!
//! What many servers demand is done for all: instructions first as one `system` message, a `tool`
//! message right behind the calls it belongs to, a plain text where there is only text.

use serde_json::Value;

use crate::base::object::object;
use crate::base::pen::{self, Pen, Put, Raw};
use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_name};
use crate::ir::request::{Effort, Format, Level, Request};
use crate::ir::tool::{ToolChoice, ToolForm};
use crate::protocol::dialect::{LimitField, ReasoningStyle};
use crate::protocol::openai;
use crate::protocol::openai_chat::messages;
use crate::protocol::unwrap::INPUT_SCHEMA;
use crate::protocol::wire::TargetContext;

/// The names that a function may have (OpenAI's reference, `tools.function.name`).
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
    let tools: Vec<_> = openai::declared(request, &mut losses).into_iter().map(Declared).collect();
    let choice = request.choice.as_ref().filter(|_| has_tools);
    let choice = choice.and_then(|asked| self::choice(asked, target, &mut losses));
    let effort = effort(request, target, &mut losses);
    let stops = stops(request, &mut losses);
    let sampling = &request.sampling;
    let body = pen::long_object(request.length(), |pen| {
        pen.put("model", target.model);
        pen.put("messages", &messages);
        pen.put_all("tools", &tools);
        pen.put_some("tool_choice", choice);
        pen.put_some("parallel_tool_calls", (has_tools && request.one_call).then_some(false));
        pen.put_some("reasoning_effort", effort);
        pen.put_some("response_format", request.format.as_ref().map(Wanted));
        pen.put_some("verbosity", request.verbosity.as_deref());
        pen.put_some("temperature", sampling.temperature.as_ref());
        pen.put_some("top_p", sampling.top_p.as_ref());
        pen.put_all("stop", stops);
        pen.put_some("seed", sampling.seed.as_ref());
        pen.put_some("presence_penalty", sampling.presence_penalty.as_ref());
        pen.put_some("frequency_penalty", sampling.frequency_penalty.as_ref());
        pen.put_some("max_tokens", limit.filter(|_| dialect.limit_field == LimitField::MaxTokens));
        let is_other = dialect.limit_field == LimitField::MaxCompletionTokens;
        pen.put_some("max_completion_tokens", limit.filter(|_| is_other));
        let cache_key = request.cache_key.as_deref().or(target.session);
        pen.put_some("prompt_cache_key", cache_key.filter(|_| dialect.is_openai));
        if request.stream {
            pen.raw(br#","stream":true,"stream_options":{"include_usage":true}"#);
        }
    });
    if sampling.top_k.is_some() {
        losses.degrade("top_k", "Chat has no such field");
    }
    (body, losses)
}

/// A tool as it is declared.
struct Declared<'a>(openai::Declared<'a>);

impl Put for Declared<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let tool = self.0.tool;
        pen.object(|pen| {
            pen.put("type", "function");
            pen.object_at("function", |pen| {
                pen.put("name", &fit_name(&tool.name, &NAMES));
                match &tool.form {
                    ToolForm::Function { .. } => {
                        pen.put_some("description", tool.description.as_deref());
                        pen.put("parameters", &Raw(self.0.parameters.as_bytes()));
                        pen.put_some("strict", self.0.strict);
                    }
                    ToolForm::FreeForm { .. } => {
                        pen.put_some("description", tool.in_words());
                        pen.put("parameters", &Raw(INPUT_SCHEMA.as_bytes()));
                    }
                }
            });
        });
    }
}

fn choice(choice: &ToolChoice, target: &TargetContext<'_>, losses: &mut Losses) -> Option<Value> {
    let named = |name: &str| {
        Value::from(object! {"type": "function", "function": object! {"name": fit_name(name, &NAMES)}})
    };
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Any => Some("required".into()),
        ToolChoice::One(name) => Some(named(name)),
        ToolChoice::OneOf(names) if target.dialect.is_openai => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            let allowed = object! {"mode": "required", "tools": tools};
            Some(object! {"type": "allowed_tools", "allowed_tools": allowed}.into())
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

/// The form of the answer.
struct Wanted<'a>(&'a Format);

impl Put for Wanted<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| match self.0 {
            Format::JsonObject => pen.put("type", "json_object"),
            Format::JsonSchema { name, description, schema, strict } => {
                pen.put("type", "json_schema");
                pen.object_at("json_schema", |pen| {
                    pen.put("name", name.as_deref().unwrap_or("output"));
                    pen.put_some("description", description.as_deref());
                    pen.put("schema", schema);
                    pen.put_some("strict", *strict);
                });
            }
        });
    }
}

fn stops<'r>(request: &'r Request, losses: &mut Losses) -> &'r [String] {
    let stops = request.sampling.stop.as_slice();
    if stops.len() > MOST_STOPS {
        losses.degrade("stop", "Chat takes four stop texts");
    }
    stops.get(..MOST_STOPS).unwrap_or(stops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialect::Dialect;

    /// OpenAI refuses a request with both.
    #[test]
    fn a_limit_has_one_name() {
        let request = Request { limit: Some(7), ..Request::default() };
        for (limit_field, told) in [
            (LimitField::MaxTokens, r#""max_tokens":7"#),
            (LimitField::MaxCompletionTokens, r#""max_completion_tokens":7"#),
        ] {
            let dialect = Dialect { limit_field, ..Dialect::default() };
            let target = TargetContext { model: "m", dialect: &dialect, session: None };
            let (text, _) = encode(&request, &target);
            assert_eq!((text.contains(told), text.matches(":7").count()), (true, 1), "{text}");
        }
    }
}

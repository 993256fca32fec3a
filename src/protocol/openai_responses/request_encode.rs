//! Neutral words -> a request for a Responses target.

use serde_json::Value;

use crate::base::object::{Object, object};
use crate::base::pen::{self, Pen, Put, Raw};
use crate::ir::loss::Losses;
use crate::ir::names::fit_name;
use crate::ir::request::{Effort, Format, Level, Request, is_penalty};
use crate::ir::search::Search;
use crate::ir::tool::{Tool, ToolChoice, ToolForm};
use crate::protocol::dialect::ReasoningStyle;
use crate::protocol::openai;
use crate::protocol::openai_responses::{NAMES, input_encode};
use crate::protocol::search;
use crate::protocol::wire::TargetContext;

const LEVELS: [Level; 5] = [Level::Minimal, Level::Low, Level::Medium, Level::High, Level::XHigh];
/// The reference allows no lower limit.
const LEAST_OUTPUT: u64 = 16;

/// Writes a request.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let input = input_encode::input(request, target, &mut losses);
    let search = request.search.as_ref().filter(|_| target.dialect.search);
    let tools: Vec<_> = openai::declared(request, &mut losses).into_iter().map(Declared).collect();
    let most = target.dialect.max_output.unwrap_or(u64::MAX);
    let reasons = target.dialect.reasoning != ReasoningStyle::None;
    let reasoning = reasoning(request, reasons, &mut losses);
    lost(request, &mut losses);
    let body = pen::long_object(request.length(), |pen| {
        pen.put("model", target.model);
        let instructions = (!request.system.is_empty()).then(|| request.system.join("\n\n"));
        pen.put_some("instructions", instructions);
        pen.list_at("input", |pen| pen.raw(&input));
        if !tools.is_empty() || search.is_some() {
            pen.list_at("tools", |pen| {
                tools.iter().for_each(|tool| pen.add(tool));
                search.iter().for_each(|search| pen.add_object(|pen| declare_search(search, pen)));
            });
            let choice = request.choice.as_ref().map(|asked| choice(asked, &request.tools));
            pen.put_some("tool_choice", choice);
            pen.put_some("parallel_tool_calls", request.one_call.then_some(false));
        }
        pen.put_some("reasoning", reasoning);
        if request.format.is_some() || request.verbosity.is_some() {
            pen.object_at("text", |pen| {
                pen.put_some("format", request.format.as_ref().map(Wanted));
                pen.put_some("verbosity", request.verbosity.as_deref());
            });
        }
        pen.put_some("temperature", request.sampling.temperature.as_ref());
        pen.put_some("top_p", request.sampling.top_p.as_ref());
        let limit = request.limit.map(|limit| limit.clamp(LEAST_OUTPUT, most.max(LEAST_OUTPUT)));
        pen.put_some("max_output_tokens", limit);
        pen.put_some("prompt_cache_key", request.cache_key.as_deref().or(target.session));
        pen.put("store", &false);
        if reasons {
            pen.raw(br#","include":["reasoning.encrypted_content"]"#);
        }
        pen.put_some("stream", request.stream.then_some(true));
    });
    (body, losses)
}

/// What Responses has no field for.
fn lost(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    let fields = [
        ("top_k", sampling.top_k.is_some()),
        ("stop", !sampling.stop.is_empty()),
        ("seed", sampling.seed.is_some()),
        ("presence_penalty", is_penalty(&sampling.presence_penalty)),
        ("frequency_penalty", is_penalty(&sampling.frequency_penalty)),
    ];
    for (name, _) in fields.iter().filter(|(_, is_set)| *is_set) {
        losses.degrade(*name, "Responses has no such field");
    }
}

/// A tool as it is declared.
struct Declared<'a>(openai::Declared<'a>);

impl Put for Declared<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let tool = self.0.tool;
        let name = fit_name(&tool.name, &NAMES);
        pen.object(|pen| match &tool.form {
            ToolForm::Function { .. } => {
                pen.put("type", "function");
                pen.put("name", &name);
                pen.put_some("description", tool.description.as_deref());
                pen.put("parameters", &Raw(self.0.parameters.as_bytes()));
                // Responses' own default is strict.
                pen.put("strict", &self.0.strict.unwrap_or(false));
            }
            ToolForm::FreeForm { grammar } => {
                pen.put("type", "custom");
                pen.put("name", &name);
                pen.put_some("description", tool.description.as_deref());
                if let Some(grammar) = grammar {
                    pen.object_at("format", |pen| {
                        pen.put("type", "grammar");
                        pen.put("syntax", &grammar.syntax);
                        pen.put("definition", &grammar.definition);
                    });
                }
            }
        });
    }
}

fn declare_search(search: &Search, pen: &mut Pen<'_>) {
    pen.put("type", "web_search");
    if !search.domains.is_empty() {
        pen.object_at("filters", |pen| pen.put("allowed_domains", &search.domains));
    }
    search::put_place(search, pen);
}

fn choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    let is_free_form = |name: &str| {
        let mut known = tools.iter().filter(|tool| tool.name == name);
        known.any(|tool| matches!(tool.form, ToolForm::FreeForm { .. }))
    };
    let named = |name: &str| {
        let kind = if is_free_form(name) { "custom" } else { "function" };
        Value::from(object! {"type": kind, "name": fit_name(name, &NAMES)})
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::One(name) => named(name),
        ToolChoice::OneOf(names) => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            object! {"type": "allowed_tools", "mode": "required", "tools": tools}.into()
        }
    }
}

fn reasoning(request: &Request, reasons: bool, losses: &mut Losses) -> Option<Object> {
    let wanted = match request.effort {
        Effort::Unset => return reasons.then(|| object! {"summary": "auto"}),
        Effort::Off => return reasons.then(|| object! {"effort": "none"}),
        Effort::On => Level::Medium,
        Effort::Level(level) => level,
        Effort::Budget(tokens) => Level::of_budget(tokens),
    };
    if !reasons {
        losses.degrade("reasoning.effort", "the target does not reason");
        return None;
    }
    let level = wanted.nearest(&LEVELS);
    if level != wanted {
        losses.degrade("reasoning.effort", "the nearest level that Responses knows is used");
    }
    Some(object! {"effort": level.name(), "summary": "auto"})
}

/// The form of the answer.
struct Wanted<'a>(&'a Format);

impl Put for Wanted<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| match self.0 {
            Format::JsonObject => pen.put("type", "json_object"),
            Format::JsonSchema { name, description, schema, strict } => {
                pen.put("type", "json_schema");
                pen.put("name", name.as_deref().unwrap_or("output"));
                pen.put_some("description", description.as_deref());
                pen.put("schema", schema);
                pen.put_some("strict", *strict);
            }
        });
    }
}

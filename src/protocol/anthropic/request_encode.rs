//! A request for a target.

use std::borrow::Cow;

use serde_json::Number;

use super::wire::{CacheControl, Format as WireFormat, OutputConfig, Sampling, Tool, ToolChoice};
use super::{answer_schema, thinking, turns, wire};
use crate::base::pen;
use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_name};
use crate::ir::request::{Block, Format, Request, is_penalty};
use crate::ir::schema::NO_ARGUMENTS;
use crate::ir::tool::{self, ToolForm};
use crate::protocol::parameters;
use crate::protocol::unwrap::INPUT_SCHEMA;
use crate::protocol::wire::TargetContext;

/// What the target takes as a tool name.
pub(super) const NAMES: NameRule = NameRule { length: 128, extra: "", starts_with_letter: false };

/// The limit of output tokens, which is demanded, where nobody knows one.
const MAX_TOKENS: u64 = 32_000;

pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let dialect = target.dialect;
    let max_tokens = match (request.limit, dialect.max_output) {
        (Some(limit), Some(most)) => limit.min(most),
        (Some(known), None) | (None, Some(known)) => known,
        (None, None) => MAX_TOKENS,
    };
    let mut messages = turns::encode(request, dialect, &mut losses);
    let mut system: Vec<wire::Block<'_>> = request
        .system
        .iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| wire::Block::text(text.as_str()))
        .collect();
    let search = request.search.as_ref().filter(|_| dialect.search && can_search(request));
    let (mut tools, tool_choice) = tools(request, &mut losses);
    let is_alone = search.is_some() && request.tools.is_empty();
    let tool_choice = if is_alone { choice(request, &mut losses) } else { tool_choice };
    if dialect.cache_marks {
        mark(&mut system, &mut messages, &mut tools);
    }
    let plan = thinking::plan(request, target, &messages, max_tokens, &mut losses);
    lose_unsayable(request, &mut losses);
    let format = format(request.format.as_ref(), &mut losses);
    let output_config =
        (plan.effort.is_some() || format.is_some()).then_some(OutputConfig { effort: plan.effort, format });
    let body = wire::Request {
        model: target.model,
        max_tokens,
        system,
        messages,
        tools,
        search,
        tool_choice,
        sampling: sampling(request, plan.is_on(), &mut losses),
        thinking: plan.thinking,
        output_config,
        stream: request.stream,
    };
    (pen::long(request.length(), &body), losses)
}

/// A function of the search's name leaves no room for it, nor do calls of a history whose functions are
/// declared only because they were called: beside a search nothing forbids to call them again.
pub(super) fn can_search(request: &Request) -> bool {
    let is_only_declared = request.tools.is_empty() && !called(request).is_empty();
    !is_only_declared && request.tools.iter().all(|tool| tool.name != wire::SEARCH)
}

/// The tools and the choice among them. A history with calls needs tools, so a request without any
/// declares the called ones, which may not be called.
fn tools<'a>(request: &'a Request, losses: &mut Losses) -> (Vec<Tool<'a>>, Option<ToolChoice>) {
    if request.tools.is_empty() {
        let called = called(request);
        let choice = ToolChoice { kind: "none", name: None, disable_parallel_tool_use: false };
        return if called.is_empty() { (called, None) } else { (called, Some(choice)) };
    }
    let tools = request.tools.iter().map(|tool| self::tool(tool, losses)).collect();
    (tools, choice(request, losses))
}

fn called(request: &Request) -> Vec<Tool<'_>> {
    let mut tools: Vec<Tool<'_>> = Vec::new();
    for block in request.turns.iter().flat_map(|turn| &turn.blocks) {
        let Block::Call(call) = block else { continue };
        let name = fit_name(&call.name, &NAMES);
        if tools.iter().all(|tool| tool.name != name) {
            let input_schema = Cow::Borrowed(NO_ARGUMENTS);
            tools.push(Tool { name, description: None, input_schema, cache_control: None });
        }
    }
    tools
}

fn tool<'a>(tool: &'a tool::Tool, losses: &mut Losses) -> Tool<'a> {
    let input_schema = match &tool.form {
        ToolForm::Function { schema, strict } => {
            if strict.unwrap_or(false) {
                losses.hint(format!("tools.{}.strict", tool.name), "the target's rules for schemas differ");
            }
            parameters::of_object(&tool.name, schema, losses)
        }
        ToolForm::FreeForm { .. } => Cow::Borrowed(INPUT_SCHEMA),
    };
    Tool {
        name: fit_name(&tool.name, &NAMES),
        description: tool.in_words(),
        input_schema,
        cache_control: None,
    }
}

fn choice(request: &Request, losses: &mut Losses) -> Option<ToolChoice> {
    let known = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
    let (kind, name) = match &request.choice {
        None if request.one_call => ("auto", None),
        None => return None,
        Some(tool::ToolChoice::Auto) => ("auto", None),
        Some(tool::ToolChoice::None) => ("none", None),
        Some(tool::ToolChoice::Any) => ("any", None),
        Some(tool::ToolChoice::One(name)) if known(name) => ("tool", Some(name)),
        Some(tool::ToolChoice::One(_)) => {
            losses.degrade("tool_choice", "it names a tool that does not go along");
            ("auto", None)
        }
        Some(tool::ToolChoice::OneOf(names)) => match names.as_slice() {
            [name] if known(name) => ("tool", Some(name)),
            _ => {
                losses.degrade("tool_choice", "a choice among some of the tools");
                ("any", None)
            }
        },
    };
    let name = name.map(|name| fit_name(name, &NAMES));
    Some(ToolChoice { kind, name, disable_parallel_tool_use: request.one_call && kind != "none" })
}

/// Marks where the conversation will be the same the next time (SPEC 8.8); four are allowed.
fn mark(system: &mut [wire::Block<'_>], messages: &mut [wire::Message<'_>], tools: &mut [Tool<'_>]) {
    if let Some(tool) = tools.last_mut() {
        tool.cache_control = Some(CacheControl {});
    }
    if let Some(block) = system.last_mut() {
        block.mark();
    }
    for message in messages.iter_mut().rev().filter(|message| message.role == "user").take(2) {
        if let Some(block) = message.content.last_mut() {
            block.mark();
        }
    }
}

fn sampling<'a>(request: &'a Request, thinks: bool, losses: &mut Losses) -> Sampling<'a> {
    let asked = &request.sampling;
    let mut stop_sequences: Vec<&str> = asked.stop.iter().map(String::as_str).collect();
    stop_sequences.retain(|text| !text.trim().is_empty());
    if stop_sequences.len() < asked.stop.len() {
        losses.degrade("stop", "the target takes no stop text of white space");
    }
    if thinks {
        // A share of 1 is what the target does anyway.
        let is_other = |number: &Option<Number>| number.as_ref().is_some_and(|it| it.as_f64() != Some(1.0));
        for (path, is_lost) in [
            ("temperature", is_other(&asked.temperature)),
            ("top_p", is_other(&asked.top_p)),
            ("top_k", asked.top_k.is_some()),
        ] {
            if is_lost {
                losses.degrade(path, "not while thinking is on");
            }
        }
        return Sampling { stop_sequences, ..Sampling::default() };
    }
    Sampling {
        temperature: share("temperature", asked.temperature.as_ref(), losses),
        top_p: share("top_p", asked.top_p.as_ref(), losses),
        top_k: asked.top_k.as_ref(),
        stop_sequences,
    }
}

/// A number of 0 to 1.
fn share(path: &str, number: Option<&Number>, losses: &mut Losses) -> Option<Number> {
    let number = number?;
    let limit = match number.as_f64() {
        Some(value) if value > 1.0 => 1,
        Some(value) if value < 0.0 => 0,
        _ => return Some(number.clone()),
    };
    losses.degrade(path, format!("{limit} for {number}"));
    Some(Number::from(limit))
}

fn lose_unsayable(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    for (path, is_said) in [
        ("seed", sampling.seed.is_some()),
        ("presence_penalty", is_penalty(&sampling.presence_penalty)),
        ("frequency_penalty", is_penalty(&sampling.frequency_penalty)),
        ("verbosity", request.verbosity.is_some()),
    ] {
        if is_said {
            losses.degrade(path, "not known to the target's protocol");
        }
    }
}

fn format<'a>(format: Option<&'a Format>, losses: &mut Losses) -> Option<WireFormat<'a>> {
    match format? {
        Format::JsonObject => {
            losses.degrade("format", "the target takes a JSON schema only");
            None
        }
        Format::JsonSchema { schema, .. } => {
            let mut schema = schema.tree();
            answer_schema::fit(&mut schema, losses);
            Some(WireFormat { kind: "json_schema", schema })
        }
    }
}

#[cfg(test)]
mod tests;

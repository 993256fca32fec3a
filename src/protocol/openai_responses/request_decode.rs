//! A Responses client's request -> neutral words.

use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::{Compaction, Request, Sampling};
use crate::ir::tool::{self, ToolChoice};
use crate::protocol::fields::Fields;
use crate::protocol::openai;
use crate::protocol::openai_responses::tools::flat_name;
use crate::protocol::openai_responses::{compaction, items, own_tools, tools};
use crate::protocol::wire::WireError;

/// Members that refer to state at one provider.
const STATEFUL: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Reads a request.
pub(super) fn decode(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = Fields::parse(text)?;
    let mut losses = Losses::default();
    fields.skip("model");
    let mut request = Request {
        stream: fields.flag("stream")?.unwrap_or(false),
        choice: choice(&mut fields, &mut losses)?,
        one_call: fields.flag("parallel_tool_calls")? == Some(false),
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            ..Sampling::default()
        },
        limit: fields.count("max_output_tokens")?,
        cache_key: fields.text("prompt_cache_key")?,
        ..Request::default()
    };
    request.system.extend(fields.text("instructions")?.filter(|text| !text.is_empty()));
    configure(&mut fields, &mut request, &mut losses)?;
    let list = fields.list("tools")?.unwrap_or_default();
    let offered = list.len();
    tools::decode(list, &fields.at("tools"), &mut request, &mut losses)?;
    items::decode(&mut fields, &mut request, &mut losses)?;
    if offered > 0 && request.tools.is_empty() {
        match &mut request.search {
            Some(search) => search.alone = true,
            None => losses.refuse("tools", "its only tools run at their own vendor"),
        }
    }
    tool::settle(&mut request.choice, &request.tools, "tool_choice", &mut losses);
    for name in STATEFUL {
        if fields.take(name).is_some() {
            losses.refuse(name, "it refers to state that is stored at one provider");
        }
    }
    if fields.flag("background")? == Some(true) {
        losses.refuse("background", "an answer is not kept for later");
    }
    fields.lose_rest(&mut losses);
    if request.compaction.is_some() {
        compaction::ask(&mut request);
    }
    Ok((request, losses))
}

/// Reads a request for a summary in place of the conversation (`/responses/compact`).
pub(super) fn decode_compaction(text: &str) -> Result<(Request, Losses), WireError> {
    let (mut request, losses) = decode(text)?;
    if request.compaction.is_none() {
        compaction::ask(&mut request);
    }
    request.compaction = Some(Compaction::List { kept: compaction::kept(text) });
    Ok((request, losses))
}

/// Reads how to answer, of a request, or of an item that changes it from there on.
pub(super) fn configure(
    fields: &mut Fields<'_>,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    if let Some(mut reasoning) = fields.object("reasoning")? {
        // A summary alone switches nothing on.
        reasoning.skip("summary");
        reasoning.skip("generate_summary");
        reasoning.skip("context");
        if let Some(effort) = reasoning.word("effort")? {
            request.effort = openai::effort(&effort, reasoning.at("effort"), losses);
        }
        reasoning.lose_rest(losses);
    }
    if let Some(mut text) = fields.object("text")? {
        request.verbosity = text.text("verbosity")?.or_else(|| request.verbosity.take());
        if let Some(format) = text.object("format")? {
            request.format = openai::format(Some(format), None, losses)?;
        }
        text.lose_rest(losses);
    }
    Ok(())
}

fn choice(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<ToolChoice>, WireError> {
    let choice = fields.take("tool_choice");
    let wrong = || fields.wrong("tool_choice", "auto, none, required or a tool");
    // A tool that is a type of its own, and runs at the client, is a function of that name.
    let own = |value: &Tree<'_>| value.text("type").filter(|kind| own_tools::is_one(kind)).map(str::to_owned);
    let named = |value: &Tree<'_>| match value.text("name") {
        Some(name) => Some(flat_name(value.text("namespace"), name)),
        None => own(value),
    };
    match choice {
        None => Ok(None),
        Some(Tree::Text(word)) => match word.as_ref() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Any)),
            _ => Err(wrong()),
        },
        Some(value) => {
            if let Some(name) = named(&value) {
                return Ok(Some(ToolChoice::One(name)));
            }
            let Some(tools) = value.list("tools") else {
                // A choice of a vendor's own tool, which was told as a loss where it is offered.
                return Ok(Some(ToolChoice::Auto));
            };
            let names: Vec<String> = tools.iter().filter_map(named).collect();
            match value.text("mode") {
                Some("required") => Ok(Some(ToolChoice::OneOf(names))),
                _ => {
                    losses.degrade(fields.at("tool_choice"), openai::FREE_CHOICE);
                    Ok(Some(ToolChoice::Auto))
                }
            }
        }
    }
}

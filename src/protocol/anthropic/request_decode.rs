//! A client's request in neutral words.

use super::tap::ATTRIBUTION;
use super::{content, threads, tools};
use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Effort, Format, Level, Request, Role, Sampling, Turn};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

pub(super) fn decode(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = Fields::parse(text)?;
    let mut losses = Losses::default();
    // Read by the native tap already.
    fields.word("model")?;
    let mut request = Request {
        stream: fields.flag("stream")?.unwrap_or(false),
        limit: fields.count("max_tokens")?,
        sampling: sampling(&mut fields)?,
        system: system(fields.take("system"), fields.at("system"), &mut losses)?,
        ..Request::default()
    };
    let messages = fields.list("messages")?.ok_or_else(|| fields.wrong("messages", "a list of messages"))?;
    tools::decode(&mut fields, &messages, &mut request, &mut losses)?;
    let said = turns(Objects::of(messages, fields.at("messages")), &mut request, &mut losses)?;
    effort(&mut fields, said, &mut request, &mut losses)?;
    if let Some(edits) = fields.take("context_management") {
        context_management(&edits, &mut losses);
    }
    if fields.take("container").is_some() {
        losses.refuse("container", "a container lives at its vendor");
    }
    if fields.take("compaction").is_some() {
        losses.refuse("compaction", "the answer would be no summary in place of the conversation");
    }
    thread(&mut fields, &mut losses)?;
    fields.lose_rest(&mut losses);
    Ok((request, losses))
}

/// A conversation that Anthropic holds, so that a request which goes on with it lacks what was said
/// before. One that begins it has all of it.
fn thread(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<(), WireError> {
    let Some(mut thread) = fields.object("thread")? else { return Ok(()) };
    if thread.required_word("type")? == "create" {
        losses.degrade(threads::BEGUN, "the target holds no conversation");
    } else {
        losses.refuse(threads::CONTINUED, "what was said before is held by another provider");
    }
    Ok(())
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, WireError> {
    let mut stop = Vec::new();
    for text in fields.list("stop_sequences")?.unwrap_or_default() {
        match text {
            Tree::Text(text) => stop.push(text.into_owned()),
            _ => return Err(fields.wrong("stop_sequences", "a list of strings")),
        }
    }
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.number("top_k")?,
        stop,
        ..Sampling::default()
    })
}

fn system(value: Option<Tree<'_>>, path: Path, losses: &mut Losses) -> Result<Vec<String>, WireError> {
    let mut texts: Vec<String> = Vec::new();
    let is_list = matches!(value, Some(Tree::List(_)));
    for (index, block) in content::blocks(value, path, losses)?.into_iter().enumerate() {
        match block {
            // Claude Code's first block varies with each run and is of use to Anthropic alone.
            Block::Text(text) if is_list && index == 0 && text.trim_start().starts_with(ATTRIBUTION) => {}
            Block::Text(text) => texts.push(text),
            Block::Refusal(_) | Block::Media(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => {
                losses.degrade("system", "instructions are text")
            }
        }
    }
    Ok(texts)
}

/// The conversation; what the last message with an effort of its own says is returned.
fn turns(
    messages: Objects<'_>,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<Option<String>, WireError> {
    let mut said = None;
    for message in messages {
        let mut fields = message?;
        let role = match fields.required_word("role")?.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            // Claude Code, in the middle of a conversation.
            "system" | "developer" => Role::Instructions,
            _ => return Err(fields.wrong("role", "`user`, `assistant` or `system`")),
        };
        let path = fields.at("content");
        let mut blocks = content::blocks(fields.take("content"), path.clone(), losses)?;
        blocks.retain(|block| {
            let fits = fits(role, block);
            if !fits {
                losses.degrade(path.clone(), "a block that this role's messages do not hold");
            }
            fits
        });
        if let Some(mut config) = fields.object("output_config")? {
            said = config.text("effort")?.or(said);
            config.lose_rest(losses);
        }
        fields.lose_rest(losses);
        if !blocks.is_empty() {
            request.turns.push(Turn { role, blocks });
        }
    }
    Ok(said)
}

/// May a message of that role hold it? What no target takes there would be lost in silence.
fn fits(role: Role, block: &Block) -> bool {
    match (role, block) {
        (_, Block::Text(_) | Block::Refusal(_)) => true,
        (Role::Instructions, _) => false,
        (_, Block::Media(_)) => true,
        (Role::User, Block::Result(_)) => true,
        (Role::Assistant, Block::Call(_) | Block::Reasoning(_)) => true,
        (Role::User, Block::Call(_) | Block::Reasoning(_)) | (Role::Assistant, Block::Result(_)) => false,
    }
}

/// `thinking`, `output_config`, `output_format`. `said` is what a message said later than these.
fn effort(
    fields: &mut Fields<'_>,
    said: Option<String>,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    let mut level = said;
    if let Some(mut config) = fields.object("output_config")? {
        level = level.or(config.text("effort")?);
        request.format = format(config.object("format")?, losses)?;
        config.lose_rest(losses);
    }
    let older = format(fields.object("output_format")?, losses)?;
    request.format = request.format.take().or(older);
    let named = level.as_deref().and_then(Level::named);
    if level.is_some() && named.is_none() {
        losses.degrade("output_config.effort", "a level that is not known");
    }
    request.effort = named.map_or(Effort::Unset, Effort::Level);
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(()) };
    let budget = thinking.count("budget_tokens")?;
    request.effort = match (thinking.required_word("type")?.as_ref(), request.effort) {
        // The second tells of progress between calls, and does not think.
        ("disabled" | "between_tools", _) => Effort::Off,
        ("enabled", _) if budget.is_some() => Effort::Budget(budget.unwrap_or_default()),
        ("adaptive" | "enabled", Effort::Unset) => Effort::On,
        ("adaptive" | "enabled", level) => level,
        (_, level) => {
            losses.degrade("thinking.type", "a kind that is not known");
            level
        }
    };
    request.show_reasoning = thinking.word("display")?.map(|display| display != "omitted");
    thinking.lose_rest(losses);
    Ok(())
}

fn format(fields: Option<Fields<'_>>, losses: &mut Losses) -> Result<Option<Format>, WireError> {
    let Some(mut fields) = fields else { return Ok(None) };
    if fields.required_word("type")? != "json_schema" {
        return Err(fields.wrong("type", "`json_schema`"));
    }
    let schema = fields.schema("schema")?;
    let schema = schema.ok_or_else(|| fields.wrong("schema", "a JSON schema"))?;
    let format = Format::JsonSchema { name: fields.text("name")?, description: None, schema, strict: None };
    fields.lose_rest(losses);
    Ok(Some(format))
}

/// Claude Code always asks to clear old thinking, which means nothing elsewhere.
fn context_management(value: &Tree<'_>, losses: &mut Losses) {
    let edits = value.list("edits").unwrap_or_default();
    let is_thinking =
        |edit: &Tree<'_>| edit.text("type").is_some_and(|kind| kind.starts_with("clear_thinking_"));
    if edits.iter().all(is_thinking) {
        losses.hint("context_management", "of no use to another provider");
    } else {
        losses.degrade("context_management", "the target does not edit the conversation");
    }
}

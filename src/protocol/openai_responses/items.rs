//! The items of a Responses conversation -> turns.

use std::borrow::Cow;

use crate::base::pen;
use crate::base::tree::{self, Tree};
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{
    Block, Compaction, Media, MediaKind, Reasoning, Request, ResultPart, Role, Source, ToolCall, ToolResult,
    Turn,
};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::media;
use crate::protocol::openai_responses::tools::{self, flat_name};
use crate::protocol::openai_responses::{ORIGIN, compaction, own_tools, request_decode};
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

const BY_SERVER: &str = "it belongs to a tool that runs at its own vendor";

/// Reads `input`: a text, or a list of items.
pub(super) fn decode(
    fields: &mut Fields<'_>,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    match fields.take("input") {
        None => Ok(()),
        Some(Tree::Text(text)) => {
            request.turns.push(Turn::of(Role::User, Block::Text(text.into_owned())));
            Ok(())
        }
        Some(Tree::List(items)) => {
            request.turns.reserve(items.len());
            for item in Objects::of(items, fields.at("input")) {
                self::item(item?, request, losses)?;
            }
            Ok(())
        }
        Some(_) => Err(fields.wrong("input", "a text or a list of items")),
    }
}

fn item(mut item: Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    item.skip("id");
    // The model itself called; other callers are programs that run at the vendor.
    if item.peek("caller").and_then(|caller| caller.text("type")) == Some("direct") {
        item.skip("caller");
    }
    let status = item.take("status");
    let kind = item.word("type")?.unwrap_or(Cow::Borrowed("message"));
    match kind.as_ref() {
        "message" => return message(item, request, losses),
        "reasoning" => push(request, Role::Assistant, Block::Reasoning(reasoning(&mut item)?)),
        "function_call" | "custom_tool_call" => {
            push_call(request, call(&mut item, kind == "custom_tool_call")?);
        }
        "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
            push(request, Role::User, Block::Result(result(&mut item, losses)?));
        }
        "shell_call_output" => {
            push(request, Role::User, Block::Result(own_tools::shell_result(&mut item)?));
        }
        "apply_patch_call_output" => {
            let failed = status.is_some_and(|status| status.as_text() == Some("failed"));
            let result = ToolResult { failed, ..result(&mut item, losses)? };
            push(request, Role::User, Block::Result(result));
        }
        "tool_search_output" => search_output(&mut item, request, losses)?,
        "additional_tools" => {
            let more = item.list("tools")?.unwrap_or_default();
            item.skip("role");
            tools::decode(more, &item.at("tools"), request, losses)?;
        }
        "agent_message" => agent_message(&mut item, request, losses)?,
        // What the last one says holds.
        "configuration_update" => request_decode::configure(&mut item, request, losses)?,
        "item_reference" => {
            let why = "item_reference refers to state that is stored at one provider; a client that asks \
                with `store: false` sends the item itself";
            losses.refuse(item.at("type"), why);
            return Ok(());
        }
        "compaction_trigger" => request.compaction = Some(Compaction::Turn),
        "compaction" | "context_compaction" => {
            let packed = item.word("encrypted_content")?.unwrap_or_default();
            match compaction::message(&packed) {
                Some(text) => request.turns.push(Turn::of(Role::User, Block::Text(text))),
                None => losses.refuse(item.at("type"), "only the provider that made it can read it"),
            }
            return Ok(());
        }
        _ => return other(item, &kind, request, losses),
    }
    item.lose_rest(losses);
    Ok(())
}

/// A call of a tool that is a type of its own; else an item that is not known.
fn other(
    mut item: Fields<'_>,
    kind: &str,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    match own_tools::of_item(kind) {
        Some(_) if own_tools::is_of_server(&mut item)? => losses.degrade(item.at("type"), BY_SERVER),
        Some((name, field)) => {
            let call = own_tools::call(&mut item, name, field)?;
            push(request, Role::Assistant, Block::Call(call));
            item.lose_rest(losses);
        }
        None => {
            let why = format!("an item of type {kind:?} is not known to the target");
            losses.degrade(item.at("type"), why);
        }
    }
    Ok(())
}

/// Gemini's state of a call came to the client as a reasoning item without words before it.
fn push_call(request: &mut Request, mut call: ToolCall) {
    let is_of_call =
        |state: &State| state.origin == "gemini" && !state.blocks.is_empty() && state.text().is_none();
    let is_its_state = |block: &mut Block| {
        block.as_reasoning().is_some_and(|reasoning| {
            reasoning.text.is_empty() && reasoning.state.as_ref().is_some_and(is_of_call)
        })
    };
    let turn = request.turns.last_mut().filter(|turn| turn.role == Role::Assistant);
    if let Some(Block::Reasoning(reasoning)) = turn.and_then(|turn| turn.blocks.pop_if(is_its_state)) {
        call.state = reasoning.state;
    }
    push(request, Role::Assistant, Block::Call(call));
}

/// Neighbouring items of one speaker are one turn, but for the user's messages.
fn push(request: &mut Request, role: Role, block: Block) {
    let joins = |turn: &&mut Turn| {
        let results = turn.blocks.iter().all(|block| matches!(block, Block::Result(_)));
        turn.role == role && (role == Role::Assistant || results)
    };
    match request.turns.last_mut().filter(joins) {
        Some(turn) => turn.blocks.push(block),
        None => request.turns.push(Turn::of(role, block)),
    }
}

fn message(mut item: Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    let role = item.required_word("role")?;
    item.skip("phase");
    let mut blocks = match item.take("content") {
        None => Vec::new(),
        Some(Tree::Text(text)) => vec![Block::Text(text.into_owned())],
        Some(Tree::List(parts)) => parts_of(parts, item.at("content"), losses)?,
        Some(_) => return Err(item.wrong("content", "a text or a list of parts")),
    };
    blocks.retain(|block| !matches!(block, Block::Text(text) if text.is_empty()));
    match role.as_ref() {
        "assistant" => blocks.into_iter().for_each(|block| push(request, Role::Assistant, block)),
        "user" => request.turns.push(Turn { role: Role::User, blocks }),
        "system" | "developer" => {
            let texts = blocks.into_iter().filter_map(|block| match block {
                Block::Text(text) => Some(text),
                _ => None,
            });
            let text = texts.collect::<Vec<_>>().join("\n\n");
            if !text.is_empty() && request.turns.is_empty() {
                request.system.push(text);
            } else if !text.is_empty() {
                request.turns.push(Turn::of(Role::Instructions, Block::Text(text)));
            }
        }
        _ => return Err(item.wrong("role", "user, assistant, system or developer")),
    }
    item.lose_rest(losses);
    Ok(())
}

fn parts_of(parts: Vec<Tree<'_>>, path: Path, losses: &mut Losses) -> Result<Vec<Block>, WireError> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in Objects::of(parts, path) {
        let mut part = part?;
        part.skip("annotations");
        part.skip("logprobs");
        let kind = part.word("type")?.unwrap_or_default();
        let block = match kind.as_ref() {
            "input_text" | "output_text" | "text" => part.text("text")?.map(Block::Text),
            "refusal" => part.text("refusal")?.map(Block::Refusal),
            "input_image" => image(&mut part, losses)?.map(Block::Media),
            "input_file" => file(&mut part, losses)?.map(Block::Media),
            "input_audio" => audio(&mut part)?.map(Block::Media),
            other => {
                losses.degrade(part.at("type"), format!("content of type {other:?} is not known"));
                continue;
            }
        };
        blocks.extend(block);
        part.lose_rest(losses);
    }
    Ok(blocks)
}

fn image(part: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Media>, WireError> {
    let detail = part.text("detail")?;
    let Some(url) = part.word("image_url")? else {
        part.skip("file_id");
        losses.refuse(part.at("file_id"), "a file that is stored at one provider is not at another");
        return Ok(None);
    };
    Ok(Some(Media { kind: MediaKind::Image, source: media::source(&url), name: None, detail }))
}

fn file(part: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Media>, WireError> {
    let name = part.text("filename")?;
    let data = part.word("file_data")?;
    let url = part.text("file_url")?;
    let source = match (data, url) {
        (Some(data), _) => media::document(data),
        (None, Some(url)) => Source::Url(url),
        (None, None) => {
            part.skip("file_id");
            losses.refuse(part.at("file_id"), "a file that is stored at one provider is not at another");
            return Ok(None);
        }
    };
    Ok(Some(Media { kind: MediaKind::Document, source, name, detail: None }))
}

fn audio(part: &mut Fields<'_>) -> Result<Option<Media>, WireError> {
    let Some(mut audio) = part.object("input_audio")? else { return Ok(None) };
    let mime = format!("audio/{}", audio.word("format")?.as_deref().unwrap_or("wav"));
    let source = Source::Inline { mime, data: audio.required_text("data")? };
    Ok(Some(Media { kind: MediaKind::Audio, source, name: None, detail: None }))
}

/// The readable part of a reasoning item and its state: ours unpacked, the vendor's as it came, but for its
/// id: OpenAI refuses one that it has not kept, which is every one of a request with `store: false`.
pub(super) fn reasoning(item: &mut Fields<'_>) -> Result<Reasoning, WireError> {
    let summary = item.list("summary")?.unwrap_or_default();
    let content = item.list("content")?.unwrap_or_default();
    let text = |parts: &[Tree<'_>]| -> String {
        let texts: Vec<&str> = parts.iter().filter_map(|part| part.text("text")).collect();
        texts.join("\n\n")
    };
    let text = if content.is_empty() { text(&summary) } else { text(&content) };
    let state = item.word("encrypted_content")?.filter(|field| !field.is_empty()).map(|field| {
        State::unpack(&field).unwrap_or_else(|| {
            let exact = tree::object(vec![
                ("type".into(), Tree::Text("reasoning".into())),
                ("summary".into(), Tree::List(summary)),
                ("encrypted_content".into(), Tree::Text(field)),
            ]);
            State::of(ORIGIN, vec![exact.into_value()])
        })
    });
    Ok(Reasoning { text, state })
}

pub(super) fn call(item: &mut Fields<'_>, free_form: bool) -> Result<ToolCall, WireError> {
    let namespace = item.word("namespace")?;
    let name = item.required_word("name")?;
    let arguments = match item.take(if free_form { "input" } else { "arguments" }) {
        None => String::new(),
        Some(Tree::Text(text)) => text.into_owned(),
        // Some servers give the object itself.
        Some(value) => pen::written(&value),
    };
    let id = item.text("call_id")?.unwrap_or_default();
    Ok(ToolCall { id, name: flat_name(namespace.as_deref(), &name), arguments, free_form, state: None })
}

fn result(item: &mut Fields<'_>, losses: &mut Losses) -> Result<ToolResult, WireError> {
    let id = item.text("call_id")?.unwrap_or_default();
    let name = item.text("name")?;
    let content = match item.take("output") {
        None => Vec::new(),
        Some(Tree::Text(text)) => vec![ResultPart::Text(text.into_owned())],
        Some(Tree::List(parts)) => {
            let parts =
                parts_of(parts, item.at("output"), losses)?.into_iter().filter_map(|block| match block {
                    Block::Text(text) | Block::Refusal(text) => Some(ResultPart::Text(text)),
                    Block::Media(media) => Some(ResultPart::Media(media)),
                    Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => None,
                });
            parts.collect()
        }
        Some(value) => vec![ResultPart::Text(pen::written(&value))],
    };
    Ok(ToolResult { id, name, content, failed: false })
}

/// What a search found: told as its names, and offered from now on.
fn search_output(item: &mut Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    let found = item.list("tools")?.unwrap_or_default();
    if own_tools::is_of_server(item)? {
        losses.degrade(item.at("type"), BY_SERVER);
    } else {
        let result = search_result(item, &found)?;
        push(request, Role::User, Block::Result(result));
    }
    tools::decode(found, &item.at("tools"), request, losses)
}

fn search_result(item: &mut Fields<'_>, found: &[Tree<'_>]) -> Result<ToolResult, WireError> {
    let id = item.text("call_id")?.unwrap_or_default();
    let names: Vec<String> = found.iter().flat_map(tools::names).collect();
    let text = if names.is_empty() {
        "No tools were found.".to_owned()
    } else {
        format!("Tools found: {}", names.join(", "))
    };
    Ok(ToolResult {
        id,
        name: Some("tool_search".to_owned()),
        content: vec![ResultPart::Text(text)],
        failed: false,
    })
}

fn agent_message(item: &mut Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    item.skip("recipient");
    let sender = item.word("author")?.or(item.word("sender")?).or(item.word("name")?);
    let mut texts = Vec::new();
    match item.take("content") {
        Some(Tree::Text(text)) => texts.push(text.into_owned()),
        Some(Tree::List(parts)) => {
            let blocks = parts_of(parts, item.at("content"), losses)?;
            texts.extend(blocks.into_iter().filter_map(|block| match block {
                Block::Text(text) => Some(text),
                _ => None,
            }));
        }
        _ => {}
    }
    let text =
        format!("Message from {}:\n{}", sender.as_deref().unwrap_or("another agent"), texts.join("\n\n"));
    request.turns.push(Turn::of(Role::User, Block::Text(text)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The carrier of a Gemini call is a reasoning item; of words, or of another's call, it is none.
    #[test]
    fn the_state_of_a_call_goes_back_to_its_call() {
        let part = json!({"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"});
        let own =
            |state: State| json!({"type": "reasoning", "summary": [], "encrypted_content": state.pack()});
        let call = json!({"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"});
        let words = json!({"role": "user", "content": "x"});
        let gemini = || State::of("gemini", vec![part.clone()]);
        for (items, told) in [
            (json!([own(gemini()), call]), true),
            (json!([own(gemini()), words, call]), false),
            (json!([own(State::of("anthropic", vec![part.clone()])), call]), false),
            (json!([own(State::of("gemini", vec![])), call]), false),
        ] {
            let (mut request, mut losses) = (Request::default(), Losses::default());
            let mut fields = Fields::of(json!({"input": items}).into(), Path::default()).unwrap();
            decode(&mut fields, &mut request, &mut losses).unwrap();
            let mut blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
            let called = blocks.find_map(Block::as_call).unwrap();
            assert_eq!(called.state.is_some(), told, "{items}");
        }
    }
}

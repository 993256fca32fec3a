//! The blocks of a client's message in neutral words.

use super::tools;
use crate::base::tree::{self, Tree};
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Media, MediaKind, Reasoning, ResultPart, Source, ToolCall, ToolResult};
use crate::protocol::fields::Fields;
use crate::protocol::media;
use crate::protocol::path::Path;
use crate::protocol::unwrap;
use crate::protocol::wire::WireError;

/// The protocol's name in the state of its blocks.
pub(super) const ORIGIN: &str = "anthropic";

/// The protocol whose state stands at calls; see [`join_call_states`].
const GEMINI: &str = "gemini";

/// Why a block of the vendor's own tools is left out.
const SERVER_SIDE: &str = "it belongs to a tool that runs at its vendor";

/// Reads a message's content: a text, or a list of blocks.
pub(super) fn blocks(
    content: Option<Tree<'_>>,
    path: Path,
    losses: &mut Losses,
) -> Result<Vec<Block>, WireError> {
    let mut out = Vec::new();
    match content {
        None => {}
        Some(Tree::Text(text)) => out.extend(of_part(ResultPart::Text(text.into_owned()))),
        Some(Tree::List(list)) => {
            let mut words = Words::default();
            for (index, value) in list.into_iter().enumerate() {
                let go_on = words.go_on(&value);
                let before = out.len();
                block(value, path.index(index), losses, &mut out)?;
                if go_on {
                    join_words(&mut out, before);
                }
            }
        }
        Some(_) => return Err(WireError::new(path, "a string or a list of blocks")),
    }
    join_call_states(&mut out);
    Ok(out)
}

/// Knows which texts go on in the next block: where the model quotes, its words are cut, in the
/// middle of a sentence.
#[derive(Default)]
pub(super) struct Words {
    /// Was the last block a text, and one that quotes?
    last: Option<bool>,
}

impl Words {
    /// Does the next block go on with the text of the last one?
    pub(super) fn go_on(&mut self, block: &Tree<'_>) -> bool {
        let quotes = (block.text("type") == Some("text")).then(|| quotes(block));
        let last = std::mem::replace(&mut self.last, quotes);
        matches!((last, quotes), (Some(last), Some(next)) if last || next)
    }
}

/// Does a text quote? In a stream its list begins empty.
pub(super) fn quotes(block: &Tree<'_>) -> bool {
    block.list("citations").is_some()
}

/// Joins the text at that place with the one before it.
pub(super) fn join_words(blocks: &mut Vec<Block>, at: usize) {
    if let Some(Block::Text(_)) = blocks.get(at)
        && let Some(Block::Text(more)) = blocks.pop()
    {
        match blocks.last_mut() {
            Some(Block::Text(words)) => words.push_str(&more),
            _ => blocks.push(Block::Text(more)),
        }
    }
}

fn block(value: Tree<'_>, path: Path, losses: &mut Losses, out: &mut Vec<Block>) -> Result<(), WireError> {
    match value.text("type") {
        Some(kind) if is_thinking(kind) => {
            out.push(Block::Reasoning(reasoning(value, path)?));
            return Ok(());
        }
        Some("tool_addition" | "tool_removal") if value.get("tool").is_some_and(is_remote) => {
            losses.degrade(path, SERVER_SIDE);
            return Ok(());
        }
        Some(kind @ ("tool_addition" | "tool_removal")) => {
            let told = if kind == "tool_addition" { available } else { removed };
            let name = value.get("tool").and_then(tools::reference);
            out.extend(name.map(|name| Block::Text(told(name))));
            return Ok(());
        }
        // What was said before, in fewer words; without them the vendor failed to find any.
        Some("compaction") if value.text("content").is_some_and(|text| !text.is_empty()) => {
            out.extend(value.text("content").map(|text| Block::Text(text.to_owned())));
            return Ok(());
        }
        _ => {}
    }
    let mut fields = Fields::of(value, path.clone())?;
    match fields.required_word("type")?.as_ref() {
        kind if is_call(kind) => out.push(Block::Call(call(&mut fields, "")?)),
        "tool_result" => {
            out.push(Block::Result(ToolResult {
                id: fields.required_text("tool_use_id")?,
                name: None,
                failed: fields.flag("is_error")?.unwrap_or(false),
                content: result(fields.take("content"), fields.at("content"), losses)?,
            }));
        }
        "container_upload" => {
            losses.refuse(path, "a stored file is known to its vendor alone");
            return Ok(());
        }
        other if is_server(other) => {
            losses.degrade(path, SERVER_SIDE);
            return Ok(());
        }
        other => match parts(other, &mut fields, losses)? {
            Some(parts) => out.extend(parts.into_iter().filter_map(of_part)),
            None => {
                losses.degrade(path, "a block of a type that is not known");
                return Ok(());
            }
        },
    }
    fields.lose_rest(losses);
    Ok(())
}

/// A part as a block; an empty text is none.
fn of_part(part: ResultPart) -> Option<Block> {
    match part {
        ResultPart::Text(text) => (!text.is_empty()).then_some(Block::Text(text)),
        ResultPart::Media(media) => Some(Block::Media(media)),
    }
}

/// A call of a client's tool.
pub(super) fn is_call(kind: &str) -> bool {
    kind == "tool_use"
}

/// Thinking, readable or not.
pub(super) fn is_thinking(kind: &str) -> bool {
    kind == "thinking" || kind == "redacted_thinking"
}

/// Does it name a tool of an MCP server, which the vendor asks itself, or all of them?
fn is_remote(tool: &Tree<'_>) -> bool {
    tool.text("type").is_some_and(|kind| kind.starts_with("mcp_"))
}

/// Calls and results of tools that run at the vendor.
pub(super) fn is_server(kind: &str) -> bool {
    kind == "server_tool_use" || kind == "mcp_tool_use" || kind.ends_with("_tool_result")
}

fn available(name: &str) -> String {
    format!("Tool {name} is available.")
}

fn removed(name: &str) -> String {
    format!("Tool {name} is no longer available.")
}

/// A call, of a request or an answer; `made` is its id where it has none.
pub(super) fn call(fields: &mut Fields<'_>, made: &str) -> Result<ToolCall, WireError> {
    let input = fields.take("input").unwrap_or_else(|| tree::object(Vec::new()));
    // Who called: the model itself, or code that runs at the vendor.
    fields.skip("caller");
    Ok(ToolCall {
        id: fields.text("id")?.filter(|id| !id.is_empty()).unwrap_or_else(|| made.to_owned()),
        name: fields.required_text("name")?,
        arguments: unwrap::arguments(&input),
        free_form: false,
        state: None,
    })
}

/// A block of thinking, of a request or an answer. A state that another vendor made is unpacked;
/// else the block is the state, exactly.
pub(super) fn reasoning(value: Tree<'_>, path: Path) -> Result<Reasoning, WireError> {
    let mut fields = Fields::of(value.clone(), path)?;
    let text = fields.text("thinking")?.unwrap_or_default();
    let opaque = match fields.word("signature")? {
        Some(signature) => Some(signature),
        None => fields.word("data")?,
    };
    Ok(Reasoning { text, state: opaque.and_then(|opaque| state(&opaque, value)) })
}

/// The state behind an opaque field; `block` is the whole block. An empty field has none, and
/// neither has a carrier of ours that says nothing.
fn state(opaque: &str, block: Tree<'_>) -> Option<State> {
    if opaque.is_empty() {
        return None;
    }
    let state = State::unpack(opaque).unwrap_or_else(|| State::of(ORIGIN, vec![block.into_value()]));
    (state != State::default()).then_some(state)
}

/// The state of a call went to the client in a block of thinking of its own, without text, before
/// the call; here it goes back to the call. Only Gemini's calls have a state.
pub(super) fn join_call_states(blocks: &mut Vec<Block>) {
    let mut joined: Vec<Block> = Vec::with_capacity(blocks.len());
    for mut block in blocks.drain(..) {
        if let Block::Call(call) = &mut block
            && let Some(Block::Reasoning(Reasoning { text, state: Some(state) })) = joined.last()
            && text.is_empty()
            && belongs_to_call(state)
        {
            call.state = Some(state.clone());
            joined.pop();
        }
        joined.push(block);
    }
    *blocks = joined;
}

/// Is a state without text that of the call that follows it? Words of reasoning are not.
pub(super) fn belongs_to_call(state: &State) -> bool {
    state.origin == GEMINI && !state.blocks.is_empty() && state.text().is_none()
}

fn result(content: Option<Tree<'_>>, path: Path, losses: &mut Losses) -> Result<Vec<ResultPart>, WireError> {
    let list = match content {
        None => return Ok(Vec::new()),
        Some(Tree::Text(text)) if text.is_empty() => return Ok(Vec::new()),
        Some(Tree::Text(text)) => return Ok(vec![ResultPart::Text(text.into_owned())]),
        Some(Tree::List(list)) => list,
        Some(_) => return Err(WireError::new(path, "a string or a list of blocks")),
    };
    let mut out = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let path = path.index(index);
        if value.text("type") == Some("tool_reference") {
            out.extend(tools::reference(&value).map(|name| ResultPart::Text(available(name))));
            continue;
        }
        let mut fields = Fields::of(value, path.clone())?;
        let kind = fields.required_word("type")?;
        match parts(&kind, &mut fields, losses)? {
            Some(parts) => {
                out.extend(parts);
                fields.lose_rest(losses);
            }
            None => losses.degrade(path, "a block of a type that is not known"),
        }
    }
    Ok(out)
}

/// What messages and results may both hold; `None` for another type.
fn parts(
    kind: &str,
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<Option<Vec<ResultPart>>, WireError> {
    let parts = match kind {
        "text" => vec![ResultPart::Text(fields.required_text("text")?)],
        "image" => media(MediaKind::Image, fields, losses)?,
        "document" => media(MediaKind::Document, fields, losses)?,
        "search_result" => {
            let head = [fields.text("title")?, fields.text("source")?];
            let mut parts: Vec<ResultPart> = head.into_iter().flatten().map(ResultPart::Text).collect();
            parts.extend(result(fields.take("content"), fields.at("content"), losses)?);
            parts
        }
        _ => return Ok(None),
    };
    let citations = fields.take("citations");
    let cited = citations.is_some_and(|citations| match citations {
        Tree::List(list) => !list.is_empty(),
        other => other.get("enabled") != Some(&Tree::Bool(false)),
    });
    if cited {
        losses.degrade(fields.at("citations"), "the target has no citations");
    }
    Ok(Some(parts))
}

/// An image or a document. A document that is plain text becomes text, which every target takes.
fn media(
    kind: MediaKind,
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<Vec<ResultPart>, WireError> {
    let path = fields.at("source");
    let name = fields.text("title")?;
    let context = fields.text("context")?;
    let Some(mut source) = fields.object("source")? else {
        return Err(WireError::new(path, "an object"));
    };
    let place = match source.required_word("type")?.as_ref() {
        "base64" => {
            Source::Inline { mime: source.required_text("media_type")?, data: source.required_text("data")? }
        }
        "url" => media::source(&source.required_word("url")?),
        "text" => {
            let said = [name, context, source.text("data")?];
            source.skip("media_type");
            source.lose_rest(losses);
            return Ok(said.into_iter().flatten().map(ResultPart::Text).collect());
        }
        "content" => {
            let mut out: Vec<ResultPart> =
                [name, context].into_iter().flatten().map(ResultPart::Text).collect();
            out.extend(result(source.take("content"), source.at("content"), losses)?);
            return Ok(out);
        }
        _ => {
            losses.refuse(path, "a stored file is known to its vendor alone");
            return Ok(Vec::new());
        }
    };
    source.lose_rest(losses);
    let media = ResultPart::Media(Media { kind, source: place, name, detail: None });
    Ok(context.map(ResultPart::Text).into_iter().chain([media]).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_block_has_its_meaning() {
        let check = |content: Value, expected: &[Block], lost: &[&str]| {
            let mut losses = Losses::default();
            assert_eq!(blocks(Some(content.into()), Path::default().at("c"), &mut losses).unwrap(), expected);
            let told: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
            assert_eq!(told, lost);
        };
        let text = |text: &str| Block::Text(text.into());
        let media = |kind, source| Block::Media(Media { kind, source, name: None, detail: None });
        let inline = Source::Inline { mime: "image/png".into(), data: "AA==".into() };
        check(json!("x"), &[text("x")], &[]);
        check(json!(""), &[], &[]);
        check(json!([{"type": "text", "text": "x", "citations": null}]), &[text("x")], &[]);
        let url = json!({"type": "url", "url": "data:image/png;base64,AA=="});
        check(json!([{"type": "image", "source": url}]), &[media(MediaKind::Image, inline)], &[]);
        let plain = json!({"type": "text", "media_type": "text/plain", "data": "d"});
        let document =
            json!({"type": "document", "title": "t", "source": plain, "citations": {"enabled": true}});
        check(json!([document]), &[text("t"), text("d")], &["c[0].citations"]);
        let found = json!({"type": "search_result", "title": "t", "source": "s",
            "content": [{"type": "text", "text": "x"}]});
        check(json!([found]), &[text("t"), text("s"), text("x")], &[]);
        check(json!([{"type": "server_tool_use", "id": "1", "name": "n", "input": {}}]), &[], &["c[0]"]);
        check(json!([{"type": "web_search_tool_result", "tool_use_id": "1"}]), &[], &["c[0]"]);
        check(json!([{"type": "news"}]), &[], &["c[0]"]);
        let remote = json!({"type": "mcp_tool_reference", "server_name": "s", "name": "f"});
        let toolset = json!({"type": "mcp_toolset_reference", "server_name": "s"});
        let changes =
            json!([{"type": "tool_addition", "tool": remote}, {"type": "tool_removal", "tool": toolset}]);
        check(changes, &[], &["c[0]", "c[1]"]);
        let redacted = json!({"type": "redacted_thinking", "data": "x"});
        let state = Some(State::of(ORIGIN, vec![redacted.clone()]));
        check(json!([redacted]), &[Block::Reasoning(Reasoning { text: String::new(), state })], &[]);
    }

    #[test]
    fn a_carrier_that_says_nothing_is_no_state() {
        let block = json!({"type": "thinking", "thinking": "t", "signature": State::default().pack()});
        let read = reasoning(block.into(), Path::default()).unwrap();
        assert_eq!(read, Reasoning { text: "t".into(), state: None });
    }
}

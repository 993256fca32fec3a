//! A target's stream as events.
//!
//! ```text
//! Before --message_start--> Open --content_block_*, message_delta--> Open --message_stop--> Done
//! ```
//! A missing `message_start` or `content_block_stop` is made up for. The end is told once, at
//! `message_stop`, or when the input ends after a stop reason.

use super::content::{self, is_call, is_thinking};
use super::response::{DETAILS, explains, made_id, stop};
use super::usage;
use crate::base::tree::{self, Tree};
use crate::ir::carrier::State;
use crate::ir::request::Reasoning;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::fields::Fields;
use crate::protocol::path::Path;
use crate::protocol::unwrap::{self, Unwrap};
use crate::protocol::wire::{StreamDecoder, WireError};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    seed: String,
    phase: Phase,
    blocks: u32,
    /// The blocks that are open, by the wire's index.
    open: Vec<(u64, Open)>,
    /// A text that ended, and may go on in the next block; and does it quote?
    resting: Option<(BlockId, bool)>,
    /// A state that may belong to the call that follows.
    held: Option<State>,
    usage: Usage,
    stop: Option<StopReason>,
    has_call: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Before,
    Open,
    Done,
}

#[derive(Debug)]
enum Open {
    /// A block that is left out.
    Skipped,
    Text {
        id: BlockId,
        quotes: bool,
    },
    /// `input` is what the block began with; it counts when nothing follows.
    Call {
        id: BlockId,
        input: Tree<'static>,
        grown: bool,
        unwrap: Unwrap,
    },
    /// Told from its first text on; `block` is what it is so far.
    Thinking {
        id: Option<BlockId>,
        block: Tree<'static>,
    },
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self { seed: seed.to_owned(), ..Self::default() }
    }
}

impl StreamDecoder for Decoder {
    fn frame(
        &mut self,
        event: Option<&str>,
        data: &str,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        // OpenRouter ends this stream as it ends Chat's.
        if self.phase == Phase::Done || matches!(data.trim(), "" | "[DONE]") {
            return Ok(());
        }
        let mut fields = Fields::parse(data)?;
        let named = fields.word("type")?;
        match named.as_deref().or(event).unwrap_or_default() {
            // What fails is told by who taps the stream.
            "ping" | "error" => {}
            "message_start" => self.message_start(fields, out)?,
            "content_block_start" => self.block_start(fields, out)?,
            "content_block_delta" => self.block_delta(fields, out)?,
            "content_block_stop" => {
                let index = fields.count("index")?.or_else(|| self.open.last().map(|(index, _)| *index));
                self.block_stop(index.unwrap_or_default(), out)?;
            }
            "message_delta" => self.message_delta(fields, out)?,
            "message_stop" => {
                self.begin(out);
                self.end(out);
            }
            other => out.push(StreamEvent::Lost { what: other.to_owned() }),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.phase == Phase::Open && self.stop.is_some() {
            self.end(out);
        }
    }
}

impl Decoder {
    fn message_start(&mut self, mut fields: Fields<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let Some(mut message) = fields.object("message")? else {
            return Err(WireError::new("message", "an object"));
        };
        if self.phase != Phase::Before {
            return Ok(());
        }
        self.phase = Phase::Open;
        out.push(StreamEvent::Start { id: message.text("id")?, model: message.text("model")? });
        self.count(message.take("usage"), out);
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<StreamEvent>) {
        if self.phase == Phase::Before {
            self.phase = Phase::Open;
            out.push(StreamEvent::Start { id: None, model: None });
        }
    }

    fn block_start(&mut self, mut fields: Fields<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.begin(out);
        let index = fields.count("index")?.unwrap_or_else(|| u64::from(self.blocks));
        let Some(block) = fields.take("content_block").filter(Tree::is_object) else {
            return Err(fields.wrong("content_block", "an object"));
        };
        self.block_stop(index, out)?;
        let block = block.into_owned();
        let kind = block.text("type").unwrap_or_default().to_owned();
        if kind != "text" {
            self.settle(out);
        }
        if !is_call(&kind) {
            self.tell_held(out);
        }
        let open = match kind.as_str() {
            "text" => {
                let quotes = content::quotes(&block);
                let id = self.text_block(quotes, out);
                let text = Fields::of(block, place())?.text("text")?;
                grow(id, text.unwrap_or_default(), out);
                Open::Text { id, quotes }
            }
            kind if is_thinking(kind) => self.thinking_start(block, out)?,
            kind if is_call(kind) => self.call_start(block, out)?,
            kind => {
                out.push(StreamEvent::Lost { what: kind.to_owned() });
                Open::Skipped
            }
        };
        self.open.push((index, open));
        Ok(())
    }

    fn thinking_start(
        &mut self,
        block: Tree<'static>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Open, WireError> {
        let text = content::reasoning(block.clone(), place())?.text;
        let id = (!text.is_empty()).then(|| self.open_block(BlockKind::Reasoning, out));
        if let Some(id) = id {
            grow(id, text, out);
        }
        Ok(Open::Thinking { id, block })
    }

    fn call_start(&mut self, block: Tree<'static>, out: &mut Vec<StreamEvent>) -> Result<Open, WireError> {
        let input = block.get("input").cloned().unwrap_or_default();
        let made = made_id(&self.seed, self.blocks as usize);
        let call = content::call(&mut Fields::of(block, place())?, &made)?;
        self.has_call = true;
        let id = self.open_block(BlockKind::Call { id: call.id, name: call.name, free_form: false }, out);
        if let Some(state) = self.held.take() {
            out.push(StreamEvent::BlockDelta { id, delta: Delta::State(state) });
        }
        Ok(Open::Call { id, input, grown: false, unwrap: Unwrap::raw() })
    }

    fn block_delta(&mut self, mut fields: Fields<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.begin(out);
        let Some(mut delta) = fields.object("delta")? else {
            return Err(WireError::new("delta", "an object"));
        };
        let index = fields.count("index")?.or_else(|| self.open.last().map(|(index, _)| *index));
        let index = index.unwrap_or_default();
        let kind = delta.required_word("type")?;
        let place = match self.open.iter().position(|(known, _)| *known == index) {
            Some(place) => place,
            None => self.unannounced(index, &kind, out),
        };
        let Some((_, open)) = self.open.get_mut(place) else { return Ok(()) };
        match (open, kind.as_ref()) {
            (Open::Skipped, _) => {}
            (open, "citations_delta") => {
                if let Open::Text { quotes, .. } = open {
                    *quotes = true;
                }
                out.push(StreamEvent::Lost { what: "citations".to_owned() });
            }
            (Open::Text { id, .. }, "text_delta") => grow(*id, delta.required_text("text")?, out),
            (Open::Call { id, grown, unwrap, .. }, "input_json_delta") => {
                let text = delta.word("partial_json")?.unwrap_or_default();
                *grown |= !text.is_empty();
                grow(*id, unwrap.push(&text), out);
            }
            (Open::Thinking { id, block }, "thinking_delta") => {
                let text = delta.text("thinking")?.unwrap_or_default();
                extend(block, "thinking", &text);
                // Some gateways have no delta of its own for it.
                extend(block, "signature", &delta.word("signature")?.unwrap_or_default());
                if text.is_empty() {
                    return Ok(());
                }
                let id = *id.get_or_insert_with(|| open_block(&mut self.blocks, BlockKind::Reasoning, out));
                grow(id, text, out);
            }
            (Open::Thinking { block, .. }, "signature_delta") => {
                extend(block, "signature", &delta.required_word("signature")?);
            }
            (_, "text_delta" | "input_json_delta" | "thinking_delta" | "signature_delta") => {
                return Err(WireError::new("delta.type", "one that fits its block"));
            }
            (_, other) => out.push(StreamEvent::Lost { what: other.to_owned() }),
        }
        Ok(())
    }

    /// A delta without its `content_block_start`: text and thinking need none, all else is nothing
    /// that could be told.
    fn unannounced(&mut self, index: u64, delta: &str, out: &mut Vec<StreamEvent>) -> usize {
        if delta != "text_delta" {
            self.settle(out);
        }
        self.tell_held(out);
        let open = match delta {
            "text_delta" => Open::Text { id: self.text_block(false, out), quotes: false },
            "thinking_delta" => {
                let empty = ("thinking".into(), Tree::Text("".into()));
                let block = vec![("type".into(), Tree::Text("thinking".into())), empty];
                Open::Thinking { id: None, block: tree::object(block) }
            }
            lost => {
                out.push(StreamEvent::Lost { what: lost.to_owned() });
                Open::Skipped
            }
        };
        self.open.push((index, open));
        self.open.len() - 1
    }

    fn block_stop(&mut self, index: u64, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let Some(place) = self.open.iter().position(|(known, _)| *known == index) else {
            return Ok(());
        };
        let (_, open) = self.open.remove(place);
        self.close(open, out)
    }

    fn close(&mut self, open: Open, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        match open {
            Open::Skipped => {}
            Open::Text { id, quotes } => {
                self.settle(out);
                self.resting = Some((id, quotes));
            }
            Open::Call { id, input, grown, unwrap } => {
                if grown {
                    grow(id, unwrap.finish(), out);
                } else {
                    let input = if input == Tree::Null { "{}".to_owned() } else { unwrap::arguments(&input) };
                    grow(id, input, out);
                }
                out.push(StreamEvent::BlockEnd { id });
            }
            Open::Thinking { id, block } => {
                let Reasoning { state, .. } = content::reasoning(block, place())?;
                match (id, state) {
                    (None, None) => {}
                    (None, Some(state)) if content::belongs_to_call(&state) => {
                        self.tell_held(out);
                        self.held = Some(state);
                    }
                    (id, state) => self.tell_state(id, state, out),
                }
            }
        }
        Ok(())
    }

    fn tell_held(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(state) = self.held.take() {
            self.tell_state(None, Some(state), out);
        }
    }

    fn tell_state(&mut self, id: Option<BlockId>, state: Option<State>, out: &mut Vec<StreamEvent>) {
        let id = id.unwrap_or_else(|| self.open_block(BlockKind::Reasoning, out));
        out.extend(state.map(|state| StreamEvent::BlockDelta { id, delta: Delta::State(state) }));
        out.push(StreamEvent::BlockEnd { id });
    }

    fn message_delta(&mut self, mut fields: Fields<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.begin(out);
        self.settle(out);
        if let Some(mut delta) = fields.object("delta")? {
            if explains(&mut delta) {
                out.push(StreamEvent::Lost { what: DETAILS.to_owned() });
            }
            let sequence = delta.text("stop_sequence")?;
            if let Some(reason) = delta.word("stop_reason")? {
                self.stop = Some(stop(Some(&reason), sequence));
            }
        }
        self.count(fields.take("usage"), out);
        Ok(())
    }

    fn count(&mut self, usage: Option<Tree<'_>>, out: &mut Vec<StreamEvent>) {
        if let Some(usage) = usage {
            usage::take(&mut self.usage, &usage);
            out.push(StreamEvent::Usage(self.usage));
        }
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        for (_, open) in std::mem::take(&mut self.open) {
            // Its parts were checked when they came.
            let _ = self.close(open, out);
        }
        self.settle(out);
        self.tell_held(out);
        self.phase = Phase::Done;
        let stop = self.stop.take().unwrap_or_default().settled(self.has_call);
        out.push(StreamEvent::Finish { stop });
    }

    fn open_block(&mut self, kind: BlockKind, out: &mut Vec<StreamEvent>) -> BlockId {
        open_block(&mut self.blocks, kind, out)
    }

    /// The text that rests, where one of both quotes, or a new one.
    fn text_block(&mut self, quotes: bool, out: &mut Vec<StreamEvent>) -> BlockId {
        if let Some((id, _)) = self.resting.take_if(|(_, before)| quotes || *before) {
            return id;
        }
        self.settle(out);
        self.open_block(BlockKind::Text, out)
    }

    /// Ends the text that rests.
    fn settle(&mut self, out: &mut Vec<StreamEvent>) {
        out.extend(self.resting.take().map(|(id, _)| StreamEvent::BlockEnd { id }));
    }
}

fn open_block(blocks: &mut u32, kind: BlockKind, out: &mut Vec<StreamEvent>) -> BlockId {
    let id = BlockId(*blocks);
    *blocks = blocks.saturating_add(1);
    out.push(StreamEvent::BlockStart { id, kind });
    id
}

fn grow(id: BlockId, text: String, out: &mut Vec<StreamEvent>) {
    if !text.is_empty() {
        out.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text) });
    }
}

/// Adds to a text member of a block.
fn extend(block: &mut Tree<'static>, name: &'static str, more: &str) {
    let mut text = match block.take(name) {
        Tree::Text(text) => text.into_owned(),
        _ => String::new(),
    };
    text.push_str(more);
    block.put(name, Tree::Text(text.into()));
}

/// Where errors of a block are said to be.
fn place() -> Path {
    Path::default().at("content_block")
}

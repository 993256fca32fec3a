//! Responses events -> neutral events.
//!
//! Deltas tell most of it; what was never told by a delta is taken from `output_item.done`, and
//! what was in no item event from the last event.

use crate::base::table::Table;
use crate::base::tree::Tree;
use crate::ir::request::Block;
use crate::ir::response::{Lost, StopReason};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::fields::Fields;
use crate::protocol::openai_responses::response::{blocks, stop};
use crate::protocol::openai_responses::tap;
use crate::protocol::path::Path;
use crate::protocol::wire::{StreamDecoder, WireError};

/// Reads one stream.
pub(super) struct Decoder {
    seed: String,
    started: bool,
    next: u32,
    items: Table<u64, Item>,
    /// How many items were told whole.
    whole: usize,
    has_call: bool,
    finished: bool,
}

/// What was told of one output item.
#[derive(Default)]
struct Item {
    /// The open block.
    open: Option<Open>,
    /// The blocks that were opened, and the part of a message that the last one tells.
    opened: usize,
    part: u64,
    /// Whether the whole item was told.
    done: bool,
}

/// A block that grows.
#[derive(Clone, Copy)]
struct Open {
    id: BlockId,
    sort: Sort,
    /// The bytes that were told of it.
    told: usize,
}

/// What may grow together: a server that calls a refusal a text means the same words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Words,
    Reasoning,
    Call,
}

impl Sort {
    fn of(kind: &BlockKind) -> Self {
        match kind {
            BlockKind::Text | BlockKind::Refusal => Self::Words,
            BlockKind::Reasoning => Self::Reasoning,
            BlockKind::Call { .. } => Self::Call,
        }
    }
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            started: false,
            next: 0,
            items: Table::default(),
            whole: 0,
            has_call: false,
            finished: false,
        }
    }

    fn start(&mut self, response: Option<&Tree<'_>>, out: &mut Vec<StreamEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        let text = |name: &str| Some(response?.text(name)?.to_owned());
        out.push(StreamEvent::Start { id: text("id"), model: text("model") });
    }

    fn open(&mut self, index: u64, kind: BlockKind, out: &mut Vec<StreamEvent>) {
        // Servers that give every item the same number begin one before the other is done.
        self.close(index, out);
        let id = BlockId(self.next);
        self.next += 1;
        let sort = Sort::of(&kind);
        self.has_call |= sort == Sort::Call;
        out.push(StreamEvent::BlockStart { id, kind });
        let item = self.items.get_or_default(index);
        item.open = Some(Open { id, sort, told: 0 });
        item.opened += 1;
    }

    /// The block of an item that is open, if it is of that sort.
    fn opened(&mut self, index: u64, sort: Sort) -> Option<&mut Open> {
        self.items.get_mut(&index)?.open.as_mut().filter(|open| open.sort == sort)
    }

    /// Adds to the block of an item; one that is not open yet is opened as `kind`.
    fn grow(&mut self, index: u64, kind: BlockKind, text: &str, out: &mut Vec<StreamEvent>) {
        let sort = Sort::of(&kind);
        if self.opened(index, sort).is_none() {
            self.open(index, kind, out);
        }
        self.add(index, sort, text, out);
    }

    /// Adds to the block of an item that is open.
    fn add(&mut self, index: u64, sort: Sort, text: &str, out: &mut Vec<StreamEvent>) {
        if let Some(open) = self.opened(index, sort).filter(|_| !text.is_empty()) {
            open.told += text.len();
            out.push(StreamEvent::BlockDelta { id: open.id, delta: Delta::Text(text.to_owned()) });
        }
    }

    /// Adds to a part of a message; each part is a block.
    fn say(&mut self, at: (u64, u64), kind: BlockKind, text: &str, out: &mut Vec<StreamEvent>) {
        let (index, part) = at;
        if text.is_empty() {
            return;
        }
        if self.items.get(&index).is_some_and(|item| item.part != part) {
            self.close(index, out);
        }
        self.items.get_or_default(index).part = part;
        self.grow(index, kind, text, out);
    }

    fn close(&mut self, index: u64, out: &mut Vec<StreamEvent>) {
        if let Some(Open { id, .. }) = self.items.get_mut(&index).and_then(|item| item.open.take()) {
            out.push(StreamEvent::BlockEnd { id });
        }
    }

    /// A call begins with its name; messages and reasoning begin with their first words.
    fn added(&mut self, index: u64, item: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        // Some servers (vLLM) give the next item the number of the one before.
        if self.items.get(&index).is_some_and(|item| item.done) {
            // Words that came behind its end are a block of their own.
            self.close(index, out);
            self.items.insert(index, Item::default());
        }
        if !matches!(item.text("type"), Some("function_call" | "custom_tool_call")) {
            return Ok(());
        }
        let fields = Fields::of(item, Path::default().at("item"))?;
        for block in blocks(fields, &self.seed, usize::try_from(index).unwrap_or(0), &mut Lost::default())? {
            if let Block::Call(call) = block {
                let kind = BlockKind::Call { id: call.id, name: call.name, free_form: call.free_form };
                self.open(index, kind, out);
            }
        }
        Ok(())
    }

    /// The whole item: what no delta told is told now.
    fn done(&mut self, index: u64, item: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if self.items.get(&index).is_some_and(|item| item.done) {
            return Ok(());
        }
        let fields = Fields::of(item, Path::default().at("item"))?;
        let mut lost = Lost::default();
        let whole = blocks(fields, &self.seed, usize::try_from(index).unwrap_or(0), &mut lost)?;
        out.extend(lost.into_names().into_iter().map(|what| StreamEvent::Lost { what }));
        let item = self.items.get_or_default(index);
        let mut open = item.open;
        // What was told and closed; the next one may be open.
        let closed = item.opened - usize::from(item.open.is_some());
        for block in whole.into_iter().filter(says_something).skip(closed) {
            let (kind, text, state) = match block {
                Block::Text(text) => (BlockKind::Text, text, None),
                Block::Refusal(text) => (BlockKind::Refusal, text, None),
                Block::Reasoning(reasoning) => (BlockKind::Reasoning, reasoning.text, reasoning.state),
                Block::Call(call) => {
                    let kind = BlockKind::Call { id: call.id, name: call.name, free_form: call.free_form };
                    (kind, call.arguments, call.state)
                }
                Block::Media(_) | Block::Result(_) => continue,
            };
            // Deltas told all of what they told at all; only a silent block is told whole.
            let sort = Sort::of(&kind);
            let told = open.take().is_some_and(|open| open.sort == sort && open.told > 0);
            self.grow(index, kind, if told { "" } else { text.as_str() }, out);
            if let (Some(state), Some(open)) = (state, self.opened(index, sort)) {
                out.push(StreamEvent::BlockDelta { id: open.id, delta: Delta::State(state) });
            }
            self.close(index, out);
        }
        self.close(index, out);
        self.items.get_or_default(index).done = true;
        self.whole += 1;
        Ok(())
    }

    fn end(&mut self, response: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let mut response = Fields::of(response, Path::default().at("response"))?;
        let output = response.list("output")?.unwrap_or_default();
        // Where all were told, their numbers may be others.
        let output = if output.len() > self.whole { output } else { Vec::new() };
        for (index, item) in output.into_iter().enumerate() {
            self.done(index as u64, item, out)?;
        }
        let mut open: Vec<u64> = self.items.iter().map(|(index, _)| *index).collect();
        open.sort_unstable();
        open.into_iter().for_each(|index| self.close(index, out));
        if let Some(usage) = response.take("usage").and_then(|usage| tap::usage_of(&usage)) {
            out.push(StreamEvent::Usage(usage));
        }
        let details = response.object("incomplete_details")?;
        let reason = details.map(|mut details| details.text("reason")).transpose()?.flatten();
        let stop: StopReason = stop(response.word("status")?.as_deref(), reason.as_deref());
        out.push(StreamEvent::Finish { stop: stop.settled(self.has_call) });
        self.finished = true;
        Ok(())
    }
}

fn says_something(block: &Block) -> bool {
    match block {
        Block::Text(text) | Block::Refusal(text) => !text.is_empty(),
        Block::Reasoning(reasoning) => !reasoning.text.is_empty() || reasoning.state.is_some(),
        Block::Call(_) | Block::Media(_) | Block::Result(_) => true,
    }
}

impl StreamDecoder for Decoder {
    fn frame(
        &mut self,
        event: Option<&str>,
        data: &str,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        if data.trim() == "[DONE]" || self.finished {
            return Ok(());
        }
        let mut value =
            Tree::read(data).map_err(|error| WireError::new("event", format!("JSON: {error}")))?;
        let index = value.count("output_index").unwrap_or(0);
        let part = value.count("content_index").unwrap_or(0);
        let delta = value.text("delta").unwrap_or_default();
        self.start(value.get("response"), out);
        match value.text("type").or(event).unwrap_or_default() {
            "response.output_item.added" => self.added(index, value.take("item"), out)?,
            "response.output_text.delta" => self.say((index, part), BlockKind::Text, delta, out),
            "response.refusal.delta" => self.say((index, part), BlockKind::Refusal, delta, out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.grow(index, BlockKind::Reasoning, delta, out);
            }
            // Several parts of a summary are paragraphs of one text.
            "response.reasoning_summary_part.added" => {
                let has_words = self.opened(index, Sort::Reasoning).is_some_and(|open| open.told > 0);
                self.add(index, Sort::Reasoning, if has_words { "\n\n" } else { "" }, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.add(index, Sort::Call, delta, out);
            }
            "response.output_item.done" => self.done(index, value.take("item"), out)?,
            "response.completed" | "response.incomplete" => self.end(value.take("response"), out)?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<StreamEvent>) {
        // Only `response.completed` and its like tell the end.
    }
}

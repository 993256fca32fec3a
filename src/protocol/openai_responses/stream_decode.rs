//! Responses events -> neutral events.
//!
//! Deltas tell most of it; what was never told by a delta is taken from the event that says that a
//! part is done, then from `output_item.done`, and what was in no item event from the last event.

use crate::base::tree::Tree;
use crate::ir::request::Block;
use crate::ir::response::{Lost, StopReason};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::openai_responses::response::{blocks, stop};
use crate::protocol::openai_responses::stream_items::{Identity, Items, MOST, Open, Part, Sort};
use crate::protocol::openai_responses::tap;
use crate::protocol::path::Path;
use crate::protocol::wire::{StreamDecoder, WireError};

/// Reads one stream.
pub(super) struct Decoder {
    seed: String,
    started: bool,
    next: u32,
    items: Items,
    has_call: bool,
    finished: bool,
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            started: false,
            next: 0,
            items: Items::default(),
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

    /// The place of an item that goes on, or begins now.
    fn place(
        &mut self,
        index: u64,
        identity: Identity,
        out: &mut Vec<StreamEvent>,
    ) -> Result<usize, WireError> {
        if let Some(place) = self.items.growing(index, &identity) {
            return Ok(place);
        }
        let before = self.items.last_of(index);
        let place = self.items.begin(index, identity)?;
        // Servers that give every item the same number begin one before the other is done.
        if let Some(before) = before {
            self.close(before, out);
        }
        Ok(place)
    }

    fn open(&mut self, place: usize, kind: BlockKind, out: &mut Vec<StreamEvent>) {
        self.close(place, out);
        let id = BlockId(self.next);
        self.next += 1;
        let sort = Sort::of(&kind);
        self.has_call |= sort == Sort::Call;
        out.push(StreamEvent::BlockStart { id, kind });
        if let Some(item) = self.items.get(place) {
            item.open = Some(Open { id, told: 0 });
            item.opened += 1;
        }
    }

    /// Adds to the block of an item; one that is not open yet is opened as `kind`.
    fn grow(&mut self, place: usize, kind: BlockKind, text: &str, out: &mut Vec<StreamEvent>) {
        if self.items.get(place).is_some_and(|item| item.open.is_none()) {
            self.open(place, kind, out);
        }
        let open = self.items.get(place).and_then(|item| item.open.as_mut());
        if let Some(open) = open.filter(|_| !text.is_empty()) {
            open.told += text.len();
            out.push(StreamEvent::BlockDelta { id: open.id, delta: Delta::Text(text.to_owned()) });
        }
    }

    /// Tells what a part of an item says: each part of a message is a block, those of reasoning are
    /// paragraphs of one text.
    fn say(
        &mut self,
        said: Said,
        at: (u64, Part),
        text: &str,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let (index, part) = at;
        let sort = Sort::of(&said.kind);
        if text.is_empty() || (said.is_whole && self.items.has_told(index, sort, part)) {
            return Ok(());
        }
        if sort == Sort::Call {
            // A call begins with its name.
            let place = self.items.growing(index, &Identity::of(sort));
            let is_open = |place: &usize| self.items.get(*place).is_some_and(|item| item.open.is_some());
            if let Some(place) = place.filter(is_open) {
                self.grow(place, said.kind, text, out);
            }
            return Ok(());
        }
        let place = self.place(index, Identity::of(sort), out)?;
        let Some(item) = self.items.get(place) else { return Ok(()) };
        // What was thought is told beside its summary; one of them is enough.
        if sort == Sort::Reasoning && item.told.iter().any(|told| told.is_summary != part.is_summary) {
            return Ok(());
        }
        let begins = item.part != Some(part) && item.open.is_some_and(|open| open.told > 0);
        item.part = Some(part);
        if item.told.len() < MOST && !item.told.contains(&part) {
            item.told.push(part);
        }
        match sort {
            Sort::Reasoning if begins => self.grow(place, BlockKind::Reasoning, "\n\n", out),
            Sort::Words if begins => self.close(place, out),
            Sort::Words | Sort::Reasoning | Sort::Call | Sort::Other => {}
        }
        self.grow(place, said.kind, text, out);
        Ok(())
    }

    fn close(&mut self, place: usize, out: &mut Vec<StreamEvent>) {
        if let Some(Open { id, .. }) = self.items.get(place).and_then(|item| item.open.take()) {
            out.push(StreamEvent::BlockEnd { id });
        }
    }

    /// A call begins with its name; messages and reasoning begin with their first words.
    fn added(&mut self, index: u64, item: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let identity = Identity::read(&item);
        let is_call = identity.sort == Sort::Call;
        let told = if is_call { self.read(index, item_of(item)?)? } else { Told::default() };
        let place = self.place(index, identity, out)?;
        let is_new = self.items.get(place).is_some_and(|item| item.opened == 0);
        for block in told.blocks.into_iter().filter(|_| is_new) {
            if let Block::Call(call) = block {
                let kind = BlockKind::Call { id: call.id, name: call.name, free_form: call.free_form };
                self.open(place, kind, out);
            }
        }
        Ok(())
    }

    /// The whole item: what was not told is told now.
    fn done(&mut self, index: u64, item: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let identity = Identity::read(&item);
        if self.items.is_done(index, &identity) {
            return Ok(());
        }
        let told = self.read(index, item_of(item)?)?;
        let place = self.place(index, identity, out)?;
        self.whole(place, told, out);
        Ok(())
    }

    /// What an item tells, before anything of it is told: one that is broken tells nothing.
    fn read(&self, index: u64, item: Fields<'_>) -> Result<Told, WireError> {
        let mut lost = Lost::default();
        let blocks = blocks(item, &self.seed, usize::try_from(index).unwrap_or(0), &mut lost)?;
        Ok(Told { blocks, lost })
    }

    fn whole(&mut self, place: usize, told: Told, out: &mut Vec<StreamEvent>) {
        let Some(item) = self.items.get(place) else { return };
        item.done = true;
        let mut open = item.open;
        // What was told and closed; the next one may be open.
        let closed = item.opened - usize::from(open.is_some());
        out.extend(told.lost.into_names().into_iter().map(|what| StreamEvent::Lost { what }));
        for block in told.blocks.into_iter().filter(says_something).skip(closed) {
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
            let told = open.take().is_some_and(|open| open.told > 0);
            self.grow(place, kind, if told { "" } else { text.as_str() }, out);
            let open = self.items.get(place).and_then(|item| item.open);
            if let (Some(state), Some(open)) = (state, open) {
                out.push(StreamEvent::BlockDelta { id: open.id, delta: Delta::State(state) });
            }
            self.close(place, out);
        }
        self.close(place, out);
    }

    fn end(&mut self, response: Tree<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let mut response = Fields::of(response, Path::default().at("response"))?;
        let output = response.objects("output")?;
        self.rest(output, out)?;
        (0..self.items.len()).for_each(|place| self.close(place, out));
        if let Some(usage) = response.take("usage").and_then(|usage| tap::usage(&usage)) {
            out.push(StreamEvent::Usage(usage));
        }
        let details = response.object("incomplete_details")?;
        let reason = details.map(|mut details| details.text("reason")).transpose()?.flatten();
        let stop: StopReason = stop(response.word("status")?.as_deref(), reason.as_deref());
        out.push(StreamEvent::Finish { stop: stop.settled(self.has_call) });
        self.finished = true;
        Ok(())
    }

    /// What of the whole output was not told. Its places say nothing: some servers do not stream all
    /// of its items, and number those that they do.
    fn rest(&mut self, output: Objects<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let known = self.items.len();
        let output = output.collect::<Result<Vec<_>, _>>()?;
        if output.len() > MOST {
            return Err(WireError::new("response.output", format!("a list of {MOST} items at most")));
        }
        let sorts: Vec<Sort> = output.iter().map(|item| Identity::of_fields(item).sort).collect();
        for (index, item) in (0..).zip(output) {
            let identity = Identity::of_fields(&item);
            let sort = identity.sort;
            let listed = sorts.iter().filter(|one| **one == sort).count();
            let began = self.items.count(sort, known);
            let place = match self.items.found(&identity, known, began > listed) {
                // Where all of a sort were told, the ids of calls may be others.
                None if listed > began => self.items.begin(index, identity)?,
                Some(place) if self.items.get(place).is_some_and(|item| !item.done) => place,
                Some(_) | None => continue,
            };
            let told = self.read(index, item)?;
            self.whole(place, told, out);
        }
        Ok(())
    }
}

/// What a whole item tells.
#[derive(Default)]
struct Told {
    blocks: Vec<Block>,
    lost: Lost,
}

fn item_of(item: Tree<'_>) -> Result<Fields<'_>, WireError> {
    Fields::of(item, Path::default().at("item"))
}

fn says_something(block: &Block) -> bool {
    match block {
        Block::Text(text) | Block::Refusal(text) => !text.is_empty(),
        Block::Reasoning(reasoning) => !reasoning.text.is_empty() || reasoning.state.is_some(),
        Block::Call(_) | Block::Media(_) | Block::Result(_) => true,
    }
}

/// What an event tells words of.
struct Said {
    /// Of a call only the sort counts.
    kind: BlockKind,
    is_summary: bool,
    /// Are they all its words?
    is_whole: bool,
    /// The member that holds them.
    member: &'static str,
}

impl Said {
    fn of(event: &str) -> Option<Self> {
        let (what, is_whole) = match event.strip_suffix(".delta") {
            Some(what) => (what, false),
            None => (event.strip_suffix(".done")?, true),
        };
        let call = BlockKind::Call { id: String::new(), name: String::new(), free_form: false };
        let (kind, is_summary, whole) = match what {
            "response.output_text" => (BlockKind::Text, false, "text"),
            "response.refusal" => (BlockKind::Refusal, false, "refusal"),
            "response.reasoning_summary_text" => (BlockKind::Reasoning, true, "text"),
            "response.reasoning_text" => (BlockKind::Reasoning, false, "text"),
            "response.function_call_arguments" => (call, false, "arguments"),
            "response.custom_tool_call_input" => (call, false, "input"),
            _ => return None,
        };
        Some(Self { kind, is_summary, is_whole, member: if is_whole { whole } else { "delta" } })
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
        self.start(value.get("response"), out);
        let kind = value.text("type").or(event).unwrap_or_default();
        if let Some(said) = Said::of(kind) {
            let counted = if said.is_summary { "summary_index" } else { "content_index" };
            let number = value.count(counted).unwrap_or(0);
            let part = Part { is_summary: said.is_summary, number };
            let text = value.text(said.member).unwrap_or_default();
            return self.say(said, (index, part), text, out);
        }
        match kind {
            "response.output_item.added" => self.added(index, value.take("item"), out)?,
            // Several of them may have one number.
            "response.reasoning_summary_part.added" => self.items.paragraph(index),
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

#[cfg(test)]
mod tests;

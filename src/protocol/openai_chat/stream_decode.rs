//! Chat chunks -> events.
//!
//! Chat has no boundaries: a text, a refusal or reasoning ends where something else begins; calls
//! are told apart by their index, may grow side by side, and end with the answer. The end is
//! emitted when the stream says `[DONE]` or is over, so that the token counts, which come in a
//! chunk of their own after the finish reason, stand before it.

use serde_json::Value;

use crate::base::json;
use crate::base::pattern::Pattern;
use crate::base::pen;
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::request::Block;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::openai_chat::ORIGIN;
use crate::protocol::openai_chat::calls::{Call, Piece};
use crate::protocol::openai_chat::chunk::{CallDelta, ChoiceDelta, Chunk, Voice};
use crate::protocol::openai_chat::response::{call_id, stop};
use crate::protocol::openai_chat::said;
use crate::protocol::wire::{StreamDecoder, WireError};

/// About so many bytes of arguments wait for the name of their call.
const MOST_EARLY: usize = 64 * 1024;

/// Reads one stream.
pub(super) struct Decoder {
    seed: String,
    started: bool,
    next: u32,
    /// The text, refusal or reasoning that is being told.
    open: Option<(Voice, BlockId)>,
    /// The last chunk, when it said words alone, and who spoke.
    last: Option<(Pattern, Voice)>,
    calls: Vec<Call>,
    details: Vec<Value>,
    usage: Usage,
    stop: Option<StopReason>,
    finished: bool,
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            started: false,
            next: 0,
            open: None,
            last: None,
            calls: Vec::new(),
            details: Vec::new(),
            usage: Usage::default(),
            stop: None,
            finished: false,
        }
    }

    fn start(&mut self, chunk: &mut Chunk<'_>, out: &mut Vec<StreamEvent>) {
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start { id: chunk.id.take(), model: chunk.model.take() });
        }
    }

    fn take(&mut self, mut chunk: Chunk<'_>, out: &mut Vec<StreamEvent>) {
        self.start(&mut chunk, out);
        if let Some(usage) = chunk.usage {
            self.usage.update(usage);
        }
        if chunk.cites {
            out.push(StreamEvent::Lost { what: "citations".to_owned() });
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            let is_news = !choice.is_whole || self.next == 0;
            if let Some(delta) = choice.delta.filter(|_| is_news) {
                self.delta(delta, out);
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.stop = Some(stop(&reason));
            }
        }
    }

    fn delta(&mut self, delta: ChoiceDelta<'_>, out: &mut Vec<StreamEvent>) {
        let details = delta.reasoning_details;
        let plain = delta.reasoning.as_ref().and_then(Tree::as_text);
        let reasoning = delta.reasoning_content.as_deref().filter(|text| !text.is_empty()).or(plain);
        match reasoning {
            Some(text) => self.say(Voice::Reasoning, text, out),
            None => {
                let text: String = details.iter().filter_map(said::detail).collect();
                self.say(Voice::Reasoning, &text, out);
            }
        }
        for detail in details {
            said::join_detail(&mut self.details, detail.into_value());
        }
        match delta.content {
            Some(Tree::Text(text)) => self.say(Voice::Text, &text, out),
            Some(value @ Tree::Object(_)) => self.say(Voice::Text, &pen::written(&value), out),
            _ => {}
        }
        delta.parts.iter().for_each(|part| self.part(part, out));
        self.say(Voice::Refusal, delta.refusal.as_deref().unwrap_or_default(), out);
        for call in delta.tool_calls {
            self.call(call, out);
        }
        out.extend(delta.lost.into_names().into_iter().map(|what| StreamEvent::Lost { what }));
    }

    /// Mistral and Databricks tell reasoning as parts of the content.
    fn part(&mut self, part: &Block, out: &mut Vec<StreamEvent>) {
        match part {
            Block::Text(text) => self.say(Voice::Text, text, out),
            Block::Refusal(text) => self.say(Voice::Refusal, text, out),
            Block::Reasoning(reasoning) => self.say(Voice::Reasoning, &reasoning.text, out),
            Block::Media(_) | Block::Call(_) | Block::Result(_) => {}
        }
    }

    fn say(&mut self, voice: Voice, text: &str, out: &mut Vec<StreamEvent>) {
        if text.is_empty() {
            return;
        }
        let id = match self.open {
            Some((open, id)) if open == voice => id,
            _ => {
                self.close(out);
                let id = self.block(
                    match voice {
                        Voice::Text => BlockKind::Text,
                        Voice::Refusal => BlockKind::Refusal,
                        Voice::Reasoning => BlockKind::Reasoning,
                    },
                    out,
                );
                self.open = Some((voice, id));
                id
            }
        };
        out.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text.to_owned()) });
    }

    fn call(&mut self, call: CallDelta<'_>, out: &mut Vec<StreamEvent>) {
        let free_form = call.custom.is_some();
        let function = call.function.or(call.custom);
        let (name, arguments) = function.map_or((None, None), |function| (function.name, function.arguments));
        let (name, given) = (name.unwrap_or_default(), call.id.unwrap_or_default());
        let piece = Piece { index: call.index, given: &given, name: &name };
        let place = piece.place(&self.calls);
        let says_nothing = arguments.as_ref().is_none_or(|text| text.as_text() == Some(""))
            && call.extra_content.is_none()
            && given.is_empty()
            && name.is_empty();
        if place.is_none() && says_nothing {
            // Some servers send every member, empty.
            return;
        }
        self.close(out);
        let place = place.unwrap_or_else(|| {
            let index = call.index.unwrap_or(self.calls.len() as u64);
            self.calls.push(Call { index, given, free_form, ..Call::default() });
            self.calls.len() - 1
        });
        let Some(known) = self.calls.get_mut(place) else { return };
        let text = match arguments {
            // Some servers say so of a tool that takes none.
            Some(Tree::Text(text)) if text == "null" && known.arguments.is_none() => String::new(),
            Some(Tree::Text(text)) if text == "{}" && known.arguments.is_none() && !known.free_form => {
                known.arguments.take(&text);
                known.begins_empty = true;
                String::new()
            }
            Some(Tree::Text(text)) => text.into_owned(),
            None => String::new(),
            // Some servers give the object itself.
            Some(value) => pen::written(&value),
        };
        known.arguments.take(&text);
        known.begins_empty &= text.is_empty();
        if known.name.is_empty() {
            known.name = name;
        }
        if let Some(extra) = call.extra_content.filter(|_| !known.signed) {
            known.signed = true;
            known.state = Some(State::of(ORIGIN, vec![extra.into_value()]));
        }
        if known.name.is_empty() && known.id.is_none() && known.early.len() < MOST_EARLY {
            known.early.push_str(&text);
            return;
        }
        let Some(id) = self.begun(place, out) else { return };
        if !text.is_empty() {
            out.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text) });
        }
    }

    /// The block of a call, which begins when its name is known, and what came of it before that.
    fn begun(&mut self, place: usize, out: &mut Vec<StreamEvent>) -> Option<BlockId> {
        let call = self.calls.get_mut(place)?;
        let id = call.id.unwrap_or(BlockId(self.next));
        if call.id.is_none() {
            self.next += 1;
            call.id = Some(id);
            let given = Some(call.given.clone()).filter(|given| !given.is_empty());
            let given = given.unwrap_or_else(|| call_id(&self.seed, place));
            let kind = BlockKind::Call { id: given, name: call.name.clone(), free_form: call.free_form };
            out.push(StreamEvent::BlockStart { id, kind });
        }
        let early = Some(std::mem::take(&mut call.early)).filter(|early| !early.is_empty());
        let deltas = call.state.take().map(Delta::State).into_iter().chain(early.map(Delta::Text));
        out.extend(deltas.map(|delta| StreamEvent::BlockDelta { id, delta }));
        Some(id)
    }

    fn block(&mut self, kind: BlockKind, out: &mut Vec<StreamEvent>) -> BlockId {
        let id = BlockId(self.next);
        self.next += 1;
        out.push(StreamEvent::BlockStart { id, kind });
        id
    }

    /// Ends the text, refusal or reasoning that is open. Details that came without words (OpenRouter
    /// gives encrypted ones beside a call, or last) are reasoning of their own.
    fn close(&mut self, out: &mut Vec<StreamEvent>) {
        let (thought, other) = match self.open.take() {
            Some((Voice::Reasoning, id)) => (Some(id), None),
            Some((Voice::Text | Voice::Refusal, id)) => (None, Some(id)),
            None => (None, None),
        };
        out.extend(other.map(|id| StreamEvent::BlockEnd { id }));
        let details = std::mem::take(&mut self.details);
        let state = (!details.is_empty()).then(|| Delta::State(State::of(ORIGIN, details)));
        if thought.is_none() && state.is_none() {
            return;
        }
        let id = thought.unwrap_or_else(|| self.block(BlockKind::Reasoning, out));
        out.extend(state.map(|delta| StreamEvent::BlockDelta { id, delta }));
        out.push(StreamEvent::BlockEnd { id });
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        if self.finished {
            return;
        }
        self.finished = true;
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start { id: None, model: None });
        }
        self.close(out);
        let has_call = !self.calls.is_empty();
        for place in 0..self.calls.len() {
            let Some(id) = self.begun(place, out) else { continue };
            if self.calls.get(place).is_some_and(|call| call.begins_empty) {
                out.push(StreamEvent::BlockDelta { id, delta: Delta::Text("{}".to_owned()) });
            }
            out.push(StreamEvent::BlockEnd { id });
        }
        self.calls.clear();
        if !self.usage.is_empty() {
            out.push(StreamEvent::Usage(self.usage));
        }
        let stop = self.stop.take().unwrap_or_default();
        out.push(StreamEvent::Finish { stop: stop.settled(has_call) });
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, _: Option<&str>, data: &str, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if data.trim() == "[DONE]" {
            self.end(out);
            return Ok(());
        }
        let chunk = Chunk::read(data)?;
        if !self.finished {
            self.take(chunk, out);
        }
        Ok(())
    }

    /// Of a chunk that differs from the one before in its words alone only these are read.
    fn words(&mut self, _: Option<&str>, data: &str, out: &mut Vec<StreamEvent>) -> bool {
        if let Some((pattern, voice)) = &self.last
            && let Some(Ok(words)) = pattern.words(data.as_bytes()).map(str::from_utf8)
        {
            self.say(*voice, words, out);
            return true;
        }
        self.last = None;
        let Some(chunk) = Chunk::read(data).ok().filter(|chunk| chunk.is_words() && !self.finished) else {
            return false;
        };
        if let Some((voice, words)) = chunk.alone() {
            self.last =
                Pattern::of(data.as_bytes(), json::place(data, words)).map(|pattern| (pattern, voice));
        }
        self.take(chunk, out);
        true
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.stop.is_some() {
            self.end(out);
        }
    }
}

#[cfg(test)]
mod tests;

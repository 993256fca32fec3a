//! Events as a stream for a client.
//!
//! One content block is open at a time: the first that has not ended streams, what arrives for the
//! others is kept and follows in order (SPEC 8.11).

use std::borrow::Cow;
use std::collections::VecDeque;

use super::response::{Said, begun, made_id, signature};
use super::wire::{Block as Wire, Counts, Delta as WireDelta, End, Event, input};
use crate::base::json::quoted;
use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    answer: AnswerContext,
    blocks: VecDeque<Block>,
    writer: Writer,
    said: Said,
    usage: Usage,
    stop: StopReason,
}

/// A block that is not whole, or waits for its turn.
#[derive(Debug)]
struct Block {
    id: BlockId,
    kind: BlockKind,
    /// What came and is not written yet.
    kept: Vec<Delta>,
    ended: bool,
    open: bool,
    /// What is written when it ends.
    state: Option<State>,
}

impl Encoder {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            answer: answer.clone(),
            blocks: VecDeque::new(),
            writer: Writer {
                index: 0,
                shows_reasoning: answer.show_reasoning,
                request_id: answer.request_id.clone(),
            },
            said: Said::default(),
            usage: Usage::default(),
            stop: StopReason::End,
        }
    }

    fn start(&self, id: Option<&str>, out: &mut Vec<u8>) {
        let usage = Counts { input_tokens: Some(self.answer.estimated_input), ..Counts::default() };
        frame(&Event::MessageStart { message: begun(id, &self.answer, usage) }, out);
    }

    fn block(&mut self, id: BlockId, change: impl FnOnce(&mut Block), out: &mut Vec<u8>) {
        if let Some(block) = self.blocks.iter_mut().find(|block| block.id == id) {
            change(block);
        }
        while let Some(first) = self.blocks.front_mut() {
            self.writer.write(first, out);
            if !first.ended {
                return;
            }
            self.writer.end(first, out);
            self.blocks.pop_front();
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => self.start(id.as_deref(), out),
            StreamEvent::BlockStart { id, kind } => {
                self.said.call |= matches!(kind, BlockKind::Call { .. });
                self.said.refusal |= matches!(kind, BlockKind::Refusal);
                self.blocks.push_back(Block {
                    id: *id,
                    kind: kind.clone(),
                    kept: Vec::new(),
                    ended: false,
                    open: false,
                    state: None,
                });
                self.block(*id, |_| {}, out);
            }
            StreamEvent::BlockDelta { id, delta } => {
                self.block(*id, |block| block.kept.push(delta.clone()), out);
            }
            StreamEvent::BlockEnd { id } => self.block(*id, |block| block.ended = true, out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.stop = stop.clone(),
            StreamEvent::Unknown { .. } => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let (stop_reason, stop_sequence) = self.said.reason(&self.stop);
        // The counts come last, after the end: both are told here.
        let usage = Counts::of(&self.usage);
        frame(&Event::MessageDelta { delta: End { stop_reason, stop_sequence }, usage }, out);
        frame(&Event::MessageStop, out);
    }
}

/// Writes the block whose turn it is.
#[derive(Debug)]
struct Writer {
    index: usize,
    shows_reasoning: bool,
    request_id: String,
}

impl Writer {
    /// Writes what was kept. Thinking opens at once; a text with its first character; a call with
    /// its first delta, for its state goes before it.
    fn write(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        if block.kind == BlockKind::Reasoning {
            self.open(block, out);
        }
        for delta in std::mem::take(&mut block.kept) {
            match (delta, &block.kind) {
                (Delta::State(state), BlockKind::Call { .. }) if !block.open => {
                    self.thinking(&state, out);
                }
                (Delta::State(state), _) => block.state = Some(state),
                (Delta::Text(text), _) if text.is_empty() => {}
                (Delta::Text(_), BlockKind::Reasoning) if !self.shows_reasoning => {}
                (Delta::Text(text), BlockKind::Reasoning) => {
                    self.delta(WireDelta::Thinking { thinking: &text }, out);
                }
                (Delta::Text(text), BlockKind::Text | BlockKind::Refusal) => {
                    self.open(block, out);
                    self.delta(WireDelta::Text { text: &text }, out);
                }
                (Delta::Text(text), BlockKind::Call { free_form: false, .. }) => {
                    self.open(block, out);
                    self.delta(WireDelta::Input { partial_json: &text }, out);
                }
                (Delta::Text(text), BlockKind::Call { free_form: true, .. }) => {
                    self.open(block, out);
                    let quoted = quoted(&text);
                    let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                    self.delta(WireDelta::Input { partial_json: inside }, out);
                }
            }
        }
    }

    fn end(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        match &block.kind {
            BlockKind::Text | BlockKind::Refusal => {}
            BlockKind::Reasoning => {
                let signature = signature(block.state.take().as_ref());
                self.delta(WireDelta::Signature { signature }, out);
            }
            BlockKind::Call { free_form, .. } => {
                let free_form = *free_form;
                self.open(block, out);
                if free_form {
                    self.delta(WireDelta::Input { partial_json: "\"}" }, out);
                }
            }
        }
        if block.open {
            frame(&Event::ContentBlockStop { index: self.index }, out);
            self.index += 1;
        }
        if let Some(state) = block.state.take() {
            // It came too late to stand before its call.
            self.thinking(&state, out);
        }
    }

    fn open(&self, block: &mut Block, out: &mut Vec<u8>) {
        if block.open {
            return;
        }
        block.open = true;
        let (content_block, prefix) = match &block.kind {
            BlockKind::Text | BlockKind::Refusal => (Wire::text(""), None),
            BlockKind::Reasoning => {
                (Wire::Thinking { thinking: Cow::Borrowed(""), signature: String::new() }, None)
            }
            BlockKind::Call { id, name, free_form } => {
                let id = if id.is_empty() { made_id(&self.request_id, self.index) } else { id.clone() };
                let (id, name) = (Cow::Owned(id), Cow::Borrowed(name.as_str()));
                let block = Wire::ToolUse { id, name, input: input("", false), cache_control: None };
                (block, free_form.then_some("{\"input\":\""))
            }
        };
        frame(&Event::ContentBlockStart { index: self.index, content_block }, out);
        if let Some(partial_json) = prefix {
            self.delta(WireDelta::Input { partial_json }, out);
        }
    }

    /// A block of thinking that holds nothing but a state.
    fn thinking(&mut self, state: &State, out: &mut Vec<u8>) {
        let block = Wire::Thinking { thinking: Cow::Borrowed(""), signature: String::new() };
        frame(&Event::ContentBlockStart { index: self.index, content_block: block }, out);
        self.delta(WireDelta::Signature { signature: state.pack() }, out);
        frame(&Event::ContentBlockStop { index: self.index }, out);
        self.index += 1;
    }

    fn delta(&self, delta: WireDelta<'_>, out: &mut Vec<u8>) {
        frame(&Event::ContentBlockDelta { index: self.index, delta }, out);
    }
}

fn frame(event: &Event<'_>, out: &mut Vec<u8>) {
    // Texts, numbers and values can always be written.
    let data = serde_json::to_string(event).unwrap_or_default();
    sse::write(Some(event.name()), &data, out);
}

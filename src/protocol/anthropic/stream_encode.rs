//! Events as a stream for a client, one content block at a time.

use std::borrow::Cow;

use super::events::{Counts, Delta as WireDelta, End, Event};
use super::response::{Said, begun, made_id, signature};
use super::wire::{Block as Wire, input};
use crate::base::json::quoted;
use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockKind, Delta, StreamEvent};
use crate::protocol::in_turn::InTurn;
use crate::protocol::unwrap::{INPUT, RAW};
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    answer: AnswerContext,
    turns: InTurn,
    block: Option<Block>,
    index: usize,
    said: Said,
    usage: Usage,
    stop: StopReason,
}

/// The block that is being told.
#[derive(Debug)]
struct Block {
    kind: BlockKind,
    /// Was it announced? Thinking is at once; a text with its first character; a call with its
    /// first argument, for its state goes before it.
    open: bool,
    /// Is a call's text wrapped in a member? It is once it is known to begin no object.
    wrapped: bool,
    /// White space before a call's arguments, which tells nothing of what they are.
    blank: String,
    /// What is written when it ends.
    state: Option<State>,
}

impl Encoder {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            answer: answer.clone(),
            turns: InTurn::default(),
            block: None,
            index: 0,
            said: Said::default(),
            usage: Usage::default(),
            stop: StopReason::End,
        }
    }

    fn tell(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                let usage = Counts { input_tokens: Some(self.answer.estimated_input), ..Counts::default() };
                frame(&Event::MessageStart { message: begun(id.as_deref(), &self.answer, usage) }, out);
            }
            StreamEvent::BlockStart { kind, .. } => self.start(kind, out),
            StreamEvent::BlockDelta { delta, .. } => {
                if let Some(mut block) = self.block.take() {
                    self.grow(&mut block, delta, out);
                    self.block = Some(block);
                }
            }
            StreamEvent::BlockEnd { .. } => {
                if let Some(block) = self.block.take() {
                    self.end(block, out);
                }
            }
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.stop = stop.clone(),
            StreamEvent::Lost { .. } => {}
        }
    }

    fn start(&mut self, kind: &BlockKind, out: &mut Vec<u8>) {
        self.said.call |= matches!(kind, BlockKind::Call { .. });
        self.said.refusal |= matches!(kind, BlockKind::Refusal);
        let (kind, blank) = (kind.clone(), String::new());
        let mut block = Block { kind, open: false, wrapped: false, blank, state: None };
        if block.kind == BlockKind::Reasoning {
            self.open(&mut block, out);
        }
        self.block = Some(block);
    }

    fn grow(&mut self, block: &mut Block, delta: &Delta, out: &mut Vec<u8>) {
        match (delta, &block.kind) {
            (Delta::State(state), BlockKind::Call { .. }) if !block.open => self.thinking(state, out),
            (Delta::State(state), _) => block.state = Some(state.clone()),
            (Delta::Text(text), _) if text.is_empty() => {}
            (Delta::Text(_), BlockKind::Reasoning) if !self.answer.show_reasoning => {}
            (Delta::Text(text), BlockKind::Reasoning) => {
                self.delta(WireDelta::Thinking { thinking: text }, out);
            }
            (Delta::Text(text), BlockKind::Text | BlockKind::Refusal) => {
                self.open(block, out);
                self.delta(WireDelta::Text { text }, out);
            }
            (Delta::Text(text), BlockKind::Call { free_form, .. }) => {
                let free_form = *free_form;
                self.arguments(block, text, free_form, out);
            }
        }
    }

    /// Arguments stream as they come; what does not begin like an object is the text of one member.
    fn arguments(&self, block: &mut Block, text: &str, free_form: bool, out: &mut Vec<u8>) {
        if !block.open {
            block.blank.push_str(text);
            let begin = block.blank.trim_start();
            if !free_form && begin.is_empty() {
                return;
            }
            let text = std::mem::take(&mut block.blank);
            let is_object = !free_form && text.trim_start().starts_with('{');
            self.open(block, out);
            if !is_object {
                block.wrapped = true;
                let name = if free_form { INPUT } else { RAW };
                self.delta(WireDelta::Input { partial_json: &format!("{{\"{name}\":\"") }, out);
            }
            return self.piece(block, &text, out);
        }
        self.piece(block, text, out);
    }

    fn piece(&self, block: &Block, text: &str, out: &mut Vec<u8>) {
        if block.wrapped {
            let quoted = quoted(text);
            let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
            self.delta(WireDelta::Input { partial_json: inside }, out);
        } else {
            self.delta(WireDelta::Input { partial_json: text }, out);
        }
    }

    fn end(&mut self, mut block: Block, out: &mut Vec<u8>) {
        match &block.kind {
            BlockKind::Text | BlockKind::Refusal => {}
            BlockKind::Reasoning => {
                let signature = signature(block.state.take().as_ref());
                self.delta(WireDelta::Signature { signature }, out);
            }
            BlockKind::Call { free_form, .. } => {
                let is_silent = !block.open && *free_form;
                self.open(&mut block, out);
                if is_silent {
                    self.delta(WireDelta::Input { partial_json: "{\"input\":\"\"}" }, out);
                } else if block.wrapped {
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
        if std::mem::replace(&mut block.open, true) {
            return;
        }
        let content_block = match &block.kind {
            BlockKind::Text | BlockKind::Refusal => Wire::text(""),
            BlockKind::Reasoning => Wire::Thinking { thinking: Cow::Borrowed(""), signature: String::new() },
            BlockKind::Call { id, name, .. } => {
                let made = || made_id(&self.answer.request_id, self.index);
                let id = if id.is_empty() { Cow::Owned(made()) } else { Cow::Borrowed(id.as_str()) };
                let name = Cow::Borrowed(name.as_str());
                Wire::ToolUse { id, name, input: input("", false), cache_control: None }
            }
        };
        frame(&Event::ContentBlockStart { index: self.index, content_block }, out);
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

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.next(event, |event| self.tell(event, out));
        self.turns = turns;
    }

    fn kept(&self) -> usize {
        self.turns.kept()
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let (stop_reason, stop_sequence) = self.said.reason(&self.stop);
        // The counts come last, after the end: both are told here.
        let usage = Counts::of(&self.usage);
        frame(&Event::MessageDelta { delta: End { stop_reason, stop_sequence }, usage }, out);
        frame(&Event::MessageStop, out);
    }
}

fn frame(event: &Event<'_>, out: &mut Vec<u8>) {
    sse::write_object(Some(event.name()), out, |pen| event.members(pen));
}

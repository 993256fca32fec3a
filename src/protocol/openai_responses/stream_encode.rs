//! Neutral events -> Responses events.
//!
//! ```text
//! created, in_progress, then for each block, one at a time:
//!   message    added, content_part.added, output_text.delta.., output_text.done, content_part.done, done
//!   reasoning  added, summary_part.added, summary_text.delta.., summary_text.done, summary_part.done, done
//!   call       added, function_call_arguments.delta.., .done (or custom_tool_call_input), done
//! completed or incomplete, with the whole output and usage
//! ```
//! A call item is opened with its first arguments: state that belongs to it (Gemini's) becomes a
//! reasoning item of its own before it.

use crate::base::pen::{self, Put, Raw};
use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockKind, Delta, StreamEvent};
use crate::ir::tool::CallKind;
use crate::protocol::in_turn::InTurn;
use crate::protocol::openai_responses::item_encode::{
    Call, Envelope, Identities, Message, Output, Part, Summary, Thought, kind_of, prefix, response_id,
};
use crate::protocol::openai_responses::tools;
use crate::protocol::unwrap::Unwrap;
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// A member of an event.
type Member<'a> = (&'static str, &'a dyn Put);

const ADDED: &str = "response.output_item.added";
const DONE: &str = "response.output_item.done";
/// An item that we write has one part.
const FIRST: u64 = 0;

/// Writes one stream.
pub(super) struct Encoder {
    answer: AnswerContext,
    known: Identities,
    id: String,
    sequence: u64,
    turns: InTurn,
    block: Option<Open>,
    output: Output,
    usage: Usage,
    stop: StopReason,
}

/// The block that is being told.
struct Open {
    kind: Kind,
    item_id: String,
    text: String,
    state: Option<State>,
    /// Was the item announced?
    added: bool,
}

impl Open {
    /// Does the protocol have no events for the arguments of such a call?
    fn comes_whole(&self) -> bool {
        match self.kind {
            Kind::Call { kind: CallKind::Function | CallKind::Custom, .. } => false,
            Kind::Call { .. } => true,
            Kind::Message { .. } | Kind::Reasoning => false,
        }
    }
}

enum Kind {
    Message { refusal: bool },
    Reasoning,
    Call { call_id: String, name: String, kind: CallKind, unwrap: Option<Unwrap> },
}

impl Encoder {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            known: tools::identities(&answer.tools),
            id: response_id(None, answer),
            answer: answer.clone(),
            sequence: 0,
            turns: InTurn::default(),
            block: None,
            output: Output::default(),
            usage: Usage::default(),
            stop: StopReason::End,
        }
    }

    /// Writes an event: its type and number, then what it says.
    fn write(&mut self, kind: &str, members: &[Member<'_>], out: &mut Vec<u8>) {
        sse::write_object(Some(kind), out, |pen| {
            pen.put("type", kind);
            pen.put("sequence_number", &self.sequence);
            members.iter().for_each(|(key, value)| pen.put(key, *value));
        });
        self.sequence += 1;
    }

    /// The response as far as it has come, as it is written.
    fn envelope(&self, is_end: bool) -> (String, &'static str) {
        let end = is_end.then_some((&self.stop, &self.usage));
        let envelope = Envelope { id: &self.id, answer: &self.answer, output: &self.output, end };
        (pen::written(&envelope), envelope.status().0)
    }

    fn tell(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                self.id = response_id(id.as_deref(), &self.answer);
                let (envelope, _) = self.envelope(false);
                let response: Member<'_> = ("response", &Raw(envelope.as_bytes()));
                self.write("response.created", &[response], out);
                self.write("response.in_progress", &[response], out);
            }
            StreamEvent::BlockStart { kind, .. } => self.open(kind, out),
            StreamEvent::BlockDelta { delta, .. } => self.grow(delta, out),
            StreamEvent::BlockEnd { .. } => self.close(out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.stop = stop.clone(),
            StreamEvent::Lost { .. } => {}
        }
    }

    fn open(&mut self, kind: &BlockKind, out: &mut Vec<u8>) {
        let stem = self.answer.request_id.trim_start_matches("req_").to_owned();
        let number = self.output.len;
        let (kind, prefix) = match kind {
            BlockKind::Text => (Kind::Message { refusal: false }, "msg_"),
            BlockKind::Refusal => (Kind::Message { refusal: true }, "msg_"),
            BlockKind::Reasoning => (Kind::Reasoning, "rs_"),
            BlockKind::Call { id, name, free_form } => {
                let kind = kind_of(name, *free_form, &self.known);
                let unwrap = (kind == CallKind::Custom && !free_form).then(Unwrap::input);
                (Kind::Call { call_id: id.clone(), name: name.clone(), kind, unwrap }, prefix(kind))
            }
        };
        let item_id = format!("{prefix}{stem}{number}");
        self.block = Some(Open { kind, item_id, text: String::new(), state: None, added: false });
        // A call waits for the state that may come before its arguments.
        if !matches!(self.block, Some(Open { kind: Kind::Call { .. }, .. })) {
            self.add(out);
        }
    }

    /// Announces the item.
    fn add(&mut self, out: &mut Vec<u8>) {
        let Some(mut block) = self.block.take() else { return };
        if !block.added {
            block.added = true;
            self.state_before_call(&mut block, out);
            let index = self.output.len;
            let item = self.item(&block, "in_progress");
            self.write(ADDED, &[("output_index", &index), ("item", &Raw(item.as_bytes()))], out);
            let at: [Member<'_>; 2] = [("item_id", &block.item_id), ("output_index", &index)];
            let [id, index] = at;
            match block.kind {
                Kind::Message { refusal } => {
                    let part = Part { text: "", refusal };
                    let members = [id, index, ("content_index", &FIRST), ("part", &part)];
                    self.write("response.content_part.added", &members, out);
                }
                Kind::Reasoning if self.answer.show_reasoning => {
                    let members = [id, index, ("summary_index", &FIRST), ("part", &Summary(""))];
                    self.write("response.reasoning_summary_part.added", &members, out);
                }
                Kind::Reasoning | Kind::Call { .. } => {}
            }
        }
        self.block = Some(block);
    }

    fn state_before_call(&mut self, block: &mut Open, out: &mut Vec<u8>) {
        if !matches!(block.kind, Kind::Call { .. }) {
            return;
        }
        let Some(state) = block.state.take() else { return };
        let id = format!("rs_{}{}", self.answer.request_id.trim_start_matches("req_"), self.output.len);
        self.whole_item(&Thought { id: &id, text: "", state: Some(&state) }, out);
    }

    /// Tells an item that has no events of its own.
    pub(super) fn whole_item(&mut self, item: &dyn Put, out: &mut Vec<u8>) {
        let item = pen::written(item);
        let index = self.output.len;
        let members: [Member<'_>; 2] = [("output_index", &index), ("item", &Raw(item.as_bytes()))];
        self.write(ADDED, &members, out);
        self.write(DONE, &members, out);
        self.output.push(&Raw(item.as_bytes()));
    }

    fn grow(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::State(state) => {
                if let Some(block) = &mut self.block {
                    block.state = Some(state.clone());
                }
            }
            Delta::Text(text) => {
                // The item of a call that comes whole is announced with all that it needs.
                if self.block.as_ref().is_some_and(|block| !block.comes_whole()) {
                    self.add(out);
                }
                let Some(mut block) = self.block.take() else { return };
                let text = match &mut block.kind {
                    Kind::Call { unwrap: Some(unwrap), .. } => unwrap.push(text),
                    Kind::Message { .. } | Kind::Reasoning | Kind::Call { .. } => text.clone(),
                };
                if !text.is_empty() {
                    block.text.push_str(&text);
                    self.delta(&block, &text, out);
                }
                self.block = Some(block);
            }
        }
    }

    fn delta(&mut self, block: &Open, text: &str, out: &mut Vec<u8>) {
        let index = self.output.len;
        let at: [Member<'_>; 2] = [("item_id", &block.item_id), ("output_index", &index)];
        let [id, index] = at;
        let delta: Member<'_> = ("delta", &text);
        match &block.kind {
            Kind::Message { refusal: false } => {
                let members = [id, index, ("content_index", &FIRST), delta, ("logprobs", &Raw(b"[]"))];
                self.write("response.output_text.delta", &members, out);
            }
            Kind::Message { refusal: true } => {
                let members = [id, index, ("content_index", &FIRST), delta];
                self.write("response.refusal.delta", &members, out);
            }
            Kind::Reasoning if !self.answer.show_reasoning => {}
            Kind::Reasoning => {
                let members = [id, index, ("summary_index", &FIRST), delta];
                self.write("response.reasoning_summary_text.delta", &members, out);
            }
            Kind::Call { kind: CallKind::Custom, .. } => {
                self.write("response.custom_tool_call_input.delta", &[id, index, delta], out);
            }
            Kind::Call { kind: CallKind::Function, .. } => {
                self.write("response.function_call_arguments.delta", &[id, index, delta], out);
            }
            // The others come whole.
            Kind::Call { .. } => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.add(out);
        let Some(mut block) = self.block.take() else { return };
        if let Kind::Call { kind, unwrap, .. } = &mut block.kind {
            if let Some(unwrap) = unwrap {
                let rest = unwrap.finish();
                block.text.push_str(&rest);
            } else if block.text.is_empty() && *kind == CallKind::Function {
                block.text.push_str("{}");
            }
        }
        self.endings(&block, out);
        let item = self.item(&block, "completed");
        let item = Raw(item.as_bytes());
        let index = self.output.len;
        self.write(DONE, &[("output_index", &index), ("item", &item)], out);
        self.output.push(&item);
    }

    fn endings(&mut self, block: &Open, out: &mut Vec<u8>) {
        let text = block.text.as_str();
        let index = self.output.len;
        let at: [Member<'_>; 2] = [("item_id", &block.item_id), ("output_index", &index)];
        let [id, index] = at;
        match &block.kind {
            Kind::Message { refusal } => {
                let first: Member<'_> = ("content_index", &FIRST);
                if *refusal {
                    self.write("response.refusal.done", &[id, index, first, ("refusal", &text)], out);
                } else {
                    let members = [id, index, first, ("text", &text), ("logprobs", &Raw(b"[]"))];
                    self.write("response.output_text.done", &members, out);
                }
                let part = Part { text, refusal: *refusal };
                self.write("response.content_part.done", &[id, index, first, ("part", &part)], out);
            }
            Kind::Reasoning if !self.answer.show_reasoning => {}
            Kind::Reasoning => {
                let first: Member<'_> = ("summary_index", &FIRST);
                let members = [id, index, first, ("text", &text)];
                self.write("response.reasoning_summary_text.done", &members, out);
                let members = [id, index, first, ("part", &Summary(text))];
                self.write("response.reasoning_summary_part.done", &members, out);
            }
            Kind::Call { kind: CallKind::Custom, .. } => {
                self.write("response.custom_tool_call_input.done", &[id, index, ("input", &text)], out);
            }
            Kind::Call { kind: CallKind::Function, name, .. } => {
                let known = self.known.get(name).map_or(name, |identity| &identity.name).clone();
                let members = [id, index, ("name", &known), ("arguments", &text)];
                self.write("response.function_call_arguments.done", &members, out);
            }
            Kind::Call { .. } => {}
        }
    }

    /// The item as far as it has come, as it is written.
    fn item(&self, block: &Open, status: &str) -> String {
        let whole = status == "completed";
        let id = block.item_id.as_str();
        match &block.kind {
            Kind::Message { refusal } => {
                let part = whole.then_some(Part { text: &block.text, refusal: *refusal });
                pen::written(&Message { id, part, status })
            }
            Kind::Reasoning => {
                let text = if self.answer.show_reasoning && whole { block.text.as_str() } else { "" };
                pen::written(&Thought { id, text, state: block.state.as_ref() })
            }
            Kind::Call { call_id, name, kind, .. } => {
                let arguments = if whole || block.comes_whole() { block.text.as_str() } else { "" };
                let (kind, known) = (*kind, &self.known);
                pen::written(&Call { item_id: id, call_id, name, kind, arguments, status, known })
            }
        }
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

    fn progress(&self) -> (Option<String>, u64) {
        (Some(self.id.clone()), self.sequence)
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let (envelope, status) = self.envelope(true);
        let kind = if status == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.write(kind, &[("response", &Raw(envelope.as_bytes()))], out);
    }
}

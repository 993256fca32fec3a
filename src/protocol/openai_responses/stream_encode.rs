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

use serde_json::{Value, json};

use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::request::CallKind;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockKind, Delta, StreamEvent};
use crate::protocol::in_turn::InTurn;
use crate::protocol::openai_responses::item_encode::{
    Call, Identities, Progress, kind_of, message, part, prefix, reasoning, response, response_id, usage,
};
use crate::protocol::openai_responses::tools;
use crate::protocol::unwrap::Unwrap;
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    answer: AnswerContext,
    known: Identities,
    id: String,
    sequence: u64,
    turns: InTurn,
    block: Option<Open>,
    output: Vec<Value>,
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
            output: Vec::new(),
            usage: Usage::default(),
            stop: StopReason::End,
        }
    }

    fn write(&mut self, kind: &str, mut data: Value, out: &mut Vec<u8>) {
        let mut event = json!({"type": kind, "sequence_number": self.sequence});
        if let (Some(event), Some(data)) = (event.as_object_mut(), data.as_object_mut()) {
            event.append(data);
        }
        self.sequence += 1;
        sse::write_json(Some(kind), &event, out);
    }

    fn envelope(&self, stop: Option<&StopReason>) -> Value {
        let usage = if stop.is_some() { usage(&self.usage, &self.answer) } else { Value::Null };
        let response = response(&self.id, &self.answer, Progress { stop, output: &self.output, usage });
        // A struct of texts, numbers and values is always a value.
        serde_json::to_value(response).unwrap_or_default()
    }

    fn tell(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                self.id = response_id(id.as_deref(), &self.answer);
                let envelope = self.envelope(None);
                self.write("response.created", json!({"response": envelope}), out);
                self.write("response.in_progress", json!({"response": envelope}), out);
            }
            StreamEvent::BlockStart { kind, .. } => self.open(kind, out),
            StreamEvent::BlockDelta { delta, .. } => self.grow(delta, out),
            StreamEvent::BlockEnd { .. } => self.close(out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.stop = stop.clone(),
            StreamEvent::Unknown { .. } => {}
        }
    }

    fn open(&mut self, kind: &BlockKind, out: &mut Vec<u8>) {
        let stem = self.answer.request_id.trim_start_matches("req_").to_owned();
        let number = self.output.len();
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
            let index = self.output.len();
            let item = self.item(&block, "in_progress");
            self.write("response.output_item.added", json!({"output_index": index, "item": item}), out);
            let at = json!({"item_id": block.item_id, "output_index": index});
            match block.kind {
                Kind::Message { refusal } => {
                    let data = with(&at, json!({"content_index": 0, "part": part("", refusal)}));
                    self.write("response.content_part.added", data, out);
                }
                Kind::Reasoning if self.answer.show_reasoning => {
                    let data =
                        with(&at, json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}}));
                    self.write("response.reasoning_summary_part.added", data, out);
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
        let index = self.output.len();
        let id = format!("rs_{}{index}", self.answer.request_id.trim_start_matches("req_"));
        let item = reasoning(&id, "", &state);
        self.write("response.output_item.added", json!({"output_index": index, "item": item}), out);
        self.write("response.output_item.done", json!({"output_index": index, "item": item}), out);
        self.output.push(item);
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
        let at = json!({"item_id": block.item_id, "output_index": self.output.len()});
        let (kind, more) = match &block.kind {
            Kind::Message { refusal: false } => {
                ("response.output_text.delta", json!({"content_index": 0, "delta": text, "logprobs": []}))
            }
            Kind::Message { refusal: true } => {
                ("response.refusal.delta", json!({"content_index": 0, "delta": text}))
            }
            Kind::Reasoning if !self.answer.show_reasoning => return,
            Kind::Reasoning => {
                ("response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": text}))
            }
            Kind::Call { kind: CallKind::Custom, .. } => {
                ("response.custom_tool_call_input.delta", json!({"delta": text}))
            }
            Kind::Call { kind: CallKind::Function, .. } => {
                ("response.function_call_arguments.delta", json!({"delta": text}))
            }
            // The others come whole.
            Kind::Call { .. } => return,
        };
        self.write(kind, with(&at, more), out);
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
        let index = self.output.len();
        let at = json!({"item_id": block.item_id, "output_index": index});
        for (kind, more) in self.endings(&block) {
            self.write(kind, with(&at, more), out);
        }
        let item = self.item(&block, "completed");
        self.write("response.output_item.done", json!({"output_index": index, "item": item}), out);
        self.output.push(item);
    }

    fn endings(&self, block: &Open) -> Vec<(&'static str, Value)> {
        let text = &block.text;
        match &block.kind {
            Kind::Message { refusal: false } => vec![
                ("response.output_text.done", json!({"content_index": 0, "text": text, "logprobs": []})),
                ("response.content_part.done", json!({"content_index": 0, "part": part(text, false)})),
            ],
            Kind::Message { refusal: true } => vec![
                ("response.refusal.done", json!({"content_index": 0, "refusal": text})),
                ("response.content_part.done", json!({"content_index": 0, "part": part(text, true)})),
            ],
            Kind::Reasoning if !self.answer.show_reasoning => Vec::new(),
            Kind::Reasoning => vec![
                ("response.reasoning_summary_text.done", json!({"summary_index": 0, "text": text})),
                (
                    "response.reasoning_summary_part.done",
                    json!({"summary_index": 0, "part": {"type": "summary_text", "text": text}}),
                ),
            ],
            Kind::Call { kind: CallKind::Custom, .. } => {
                vec![("response.custom_tool_call_input.done", json!({"input": text}))]
            }
            Kind::Call { kind: CallKind::Function, name, .. } => {
                let known = self.known.get(name).map_or(name, |identity| &identity.name);
                vec![("response.function_call_arguments.done", json!({"name": known, "arguments": text}))]
            }
            Kind::Call { .. } => Vec::new(),
        }
    }

    /// The item as far as it has come.
    fn item(&self, block: &Open, status: &str) -> Value {
        let whole = status == "completed";
        match &block.kind {
            Kind::Message { refusal } => {
                let part = if whole { part(&block.text, *refusal) } else { Value::Null };
                message(&block.item_id, part, status)
            }
            Kind::Reasoning => {
                let text = if self.answer.show_reasoning && whole { block.text.as_str() } else { "" };
                reasoning(&block.item_id, text, &block.state.clone().unwrap_or_default())
            }
            Kind::Call { call_id, name, kind, .. } => {
                let arguments = if whole || block.comes_whole() { block.text.as_str() } else { "" };
                let call = Call { item_id: &block.item_id, call_id, name, kind: *kind, arguments, status };
                call.item(&self.known)
            }
        }
    }
}

/// Two objects as one.
fn with(first: &Value, second: Value) -> Value {
    let mut all = first.clone();
    if let (Some(all), Value::Object(mut more)) = (all.as_object_mut(), second) {
        all.append(&mut more);
    }
    all
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
        let envelope = self.envelope(Some(&self.stop));
        let kind = if envelope.get("status").and_then(Value::as_str) == Some("incomplete") {
            "response.incomplete"
        } else {
            "response.completed"
        };
        self.write(kind, json!({"response": envelope}), out);
    }
}

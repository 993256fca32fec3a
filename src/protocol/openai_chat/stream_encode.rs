//! Events -> Chat chunks.

use serde_json::{Value, json};

use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::response::Usage;
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::openai_chat::response::{answer_id, extra_content, finish_reason, is_free_form, usage};
use crate::protocol::unwrap::Unwrap;
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    answer: AnswerContext,
    id: String,
    blocks: Vec<(BlockId, Part)>,
    calls: usize,
    usage: Usage,
}

/// How a block is told.
enum Part {
    Content,
    Refusal,
    Reasoning,
    Call(Box<Call>),
}

/// A call; its first chunk waits for the state that may come before the arguments, since clients
/// demand id, name and all in one.
struct Call {
    index: usize,
    id: String,
    name: String,
    free_form: bool,
    /// Takes the input out of the arguments of the function that stands for a free-form tool.
    unwrap: Option<Unwrap>,
    state: Option<State>,
    told: bool,
    silent: bool,
}

impl Call {
    /// The first chunk of the call.
    fn opening(&self) -> Value {
        let mut call = if self.free_form {
            json!({"index": self.index, "id": self.id, "type": "custom",
                "custom": {"name": self.name, "input": ""}})
        } else {
            json!({"index": self.index, "id": self.id, "type": "function",
                "function": {"name": self.name, "arguments": ""}})
        };
        let extra = self.state.as_ref().and_then(extra_content);
        if let (Some(extra), Some(object)) = (extra, call.as_object_mut()) {
            object.insert("extra_content".to_owned(), extra);
        }
        json!({"tool_calls": [call]})
    }

    /// A further chunk of it.
    fn more(&self, text: &str) -> Value {
        let call = if self.free_form {
            json!({"index": self.index, "custom": {"input": text}})
        } else {
            json!({"index": self.index, "function": {"arguments": text}})
        };
        json!({"tool_calls": [call]})
    }
}

impl Encoder {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            answer: answer.clone(),
            id: answer_id(None, answer),
            blocks: Vec::new(),
            calls: 0,
            usage: Usage::default(),
        }
    }

    fn chunk(&self, delta: Value, finish: Option<&str>, out: &mut Vec<u8>) {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        self.write(json!([choice]), None, out);
    }

    fn write(&self, choices: Value, usage: Option<Value>, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.answer.created,
            "model": self.answer.model, "choices": choices,
        });
        if let (Some(usage), Some(object)) = (usage, chunk.as_object_mut()) {
            object.insert("usage".to_owned(), usage);
        }
        sse::write_json(None, &chunk, out);
    }

    fn open(&mut self, id: BlockId, kind: &BlockKind) {
        let part = match kind {
            BlockKind::Text => Part::Content,
            BlockKind::Refusal => Part::Refusal,
            BlockKind::Reasoning => Part::Reasoning,
            BlockKind::Call { id, name, free_form } => {
                let index = self.calls;
                self.calls += 1;
                let stands_for = !free_form && is_free_form(name, &self.answer);
                Part::Call(Box::new(Call {
                    index,
                    id: id.clone(),
                    name: name.clone(),
                    free_form: *free_form || stands_for,
                    unwrap: stands_for.then(Unwrap::input),
                    state: None,
                    told: false,
                    silent: true,
                }))
            }
        };
        self.blocks.push((id, part));
    }

    fn grow(&mut self, id: BlockId, delta: &Delta, out: &mut Vec<u8>) {
        let shows = self.answer.show_reasoning;
        let Some((_, part)) = self.blocks.iter_mut().find(|(known, _)| *known == id) else { return };
        let mut chunks = Vec::new();
        match (part, delta) {
            (Part::Call(call), Delta::State(state)) => call.state = Some(state.clone()),
            (_, Delta::State(_)) => {}
            (_, Delta::Text(text)) if text.is_empty() => {}
            (Part::Content, Delta::Text(text)) => chunks.push(json!({"content": text})),
            (Part::Refusal, Delta::Text(text)) => chunks.push(json!({"refusal": text})),
            (Part::Reasoning, Delta::Text(text)) if shows => chunks.push(json!({"reasoning_content": text})),
            (Part::Reasoning, Delta::Text(_)) => {}
            (Part::Call(call), Delta::Text(text)) => {
                if !std::mem::replace(&mut call.told, true) {
                    chunks.push(call.opening());
                }
                call.silent = false;
                let text = call.unwrap.as_mut().map_or_else(|| text.clone(), |unwrap| unwrap.push(text));
                if !text.is_empty() {
                    chunks.push(call.more(&text));
                }
            }
        }
        chunks.into_iter().for_each(|delta| self.chunk(delta, None, out));
    }

    /// A function that was called without arguments is called with an empty object.
    fn close(&mut self, id: BlockId, out: &mut Vec<u8>) {
        let found = self.blocks.iter_mut().find(|(known, _)| *known == id);
        let Some((_, Part::Call(call))) = found else { return };
        let mut chunks = Vec::new();
        if !std::mem::replace(&mut call.told, true) {
            chunks.push(call.opening());
        }
        if call.silent && !call.free_form {
            chunks.push(call.more("{}"));
        }
        let rest = call.unwrap.take().map(|unwrap| unwrap.finish()).unwrap_or_default();
        if !rest.is_empty() {
            chunks.push(call.more(&rest));
        }
        chunks.into_iter().for_each(|delta| self.chunk(delta, None, out));
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                self.id = answer_id(id.as_deref(), &self.answer);
                self.chunk(json!({"role": "assistant", "content": ""}), None, out);
            }
            StreamEvent::BlockStart { id, kind } => self.open(*id, kind),
            StreamEvent::BlockDelta { id, delta } => self.grow(*id, delta, out),
            StreamEvent::BlockEnd { id } => self.close(*id, out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.chunk(json!({}), Some(finish_reason(stop)), out),
            StreamEvent::Unknown { .. } => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.answer.wants_usage {
            self.write(json!([]), Some(usage(&self.usage, &self.answer)), out);
        }
        sse::write(None, "[DONE]", out);
    }
}

//! Events -> Chat chunks.

use serde_json::{Value, json};

use crate::base::sse;
use crate::ir::request::ToolCall;
use crate::ir::response::Usage;
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::openai_chat::response::{answer_id, extra_content, finish_reason, usage};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Content,
    Refusal,
    Reasoning,
    Call { index: usize, free_form: bool, silent: bool },
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
        sse::write(None, &chunk.to_string(), out);
    }

    fn open(&mut self, id: BlockId, kind: &BlockKind, out: &mut Vec<u8>) {
        let part = match kind {
            BlockKind::Text => Part::Content,
            BlockKind::Refusal => Part::Refusal,
            BlockKind::Reasoning => Part::Reasoning,
            BlockKind::Call { id, name, free_form } => {
                let index = self.calls;
                self.calls += 1;
                let call = if *free_form {
                    json!({"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}})
                } else {
                    json!({"index": index, "id": id, "type": "function",
                        "function": {"name": name, "arguments": ""}})
                };
                self.chunk(json!({"tool_calls": [call]}), None, out);
                Part::Call { index, free_form: *free_form, silent: true }
            }
        };
        self.blocks.push((id, part));
    }

    fn grow(&mut self, id: BlockId, delta: &Delta, out: &mut Vec<u8>) {
        let Some((_, part)) = self.blocks.iter_mut().find(|(known, _)| *known == id) else { return };
        let text = match delta {
            Delta::Text(text) if text.is_empty() => return,
            Delta::Text(text) => text,
            Delta::State(state) => {
                let Part::Call { index, .. } = *part else { return };
                let call = ToolCall {
                    id: String::new(),
                    name: String::new(),
                    arguments: String::new(),
                    free_form: false,
                    state: Some(state.clone()),
                };
                if let Some(extra) = extra_content(&call) {
                    self.chunk(json!({"tool_calls": [{"index": index, "extra_content": extra}]}), None, out);
                }
                return;
            }
        };
        if let Part::Call { silent, .. } = part {
            *silent = false;
        }
        let delta = match *part {
            Part::Content => json!({"content": text}),
            Part::Refusal => json!({"refusal": text}),
            Part::Reasoning if !self.answer.show_reasoning => return,
            Part::Reasoning => json!({"reasoning_content": text}),
            Part::Call { index, free_form: true, .. } => {
                json!({"tool_calls": [{"index": index, "custom": {"input": text}}]})
            }
            Part::Call { index, .. } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
            }
        };
        self.chunk(delta, None, out);
    }

    /// A function that was called without arguments is called with an empty object.
    fn close(&self, id: BlockId, out: &mut Vec<u8>) {
        let part = self.blocks.iter().find(|(known, _)| *known == id).map(|(_, part)| *part);
        if let Some(Part::Call { index, free_form: false, silent: true }) = part {
            self.chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": "{}"}}]}), None, out);
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                self.id = answer_id(id.as_deref(), &self.answer);
                self.chunk(json!({"role": "assistant", "content": ""}), None, out);
            }
            StreamEvent::BlockStart { id, kind } => self.open(*id, kind, out),
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

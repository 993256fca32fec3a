//! Chat chunks -> events.
//!
//! Chat has no boundaries: a text, a refusal or reasoning ends where something else begins; calls
//! are told apart by their index, may grow side by side, and end with the answer. The end is
//! emitted when the stream says `[DONE]` or is over, so that the token counts, which come in a
//! chunk of their own after the finish reason, stand before it.

use serde_json::Value;

use crate::base::pen;
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::openai_chat::chunk::{CallDelta, ChoiceDelta, Chunk};
use crate::protocol::openai_chat::request_decode;
use crate::protocol::openai_chat::response::{call_id, stop};
use crate::protocol::wire::{StreamDecoder, WireError};

/// Reads one stream.
pub(super) struct Decoder {
    seed: String,
    started: bool,
    next: u32,
    /// The text, refusal or reasoning that is being told.
    open: Option<(Voice, BlockId)>,
    calls: Vec<Call>,
    details: Vec<Value>,
    usage: Usage,
    stop: Option<StopReason>,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Text,
    Refusal,
    Reasoning,
}

struct Call {
    index: u64,
    id: BlockId,
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            started: false,
            next: 0,
            open: None,
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

    fn delta(&mut self, delta: ChoiceDelta<'_>, out: &mut Vec<StreamEvent>) {
        let details = delta.reasoning_details;
        let plain = delta.reasoning.as_ref().and_then(Tree::as_text);
        let reasoning = delta.reasoning_content.as_deref().filter(|text| !text.is_empty()).or(plain);
        match reasoning {
            Some(text) => self.say(Voice::Reasoning, text, out),
            None => {
                let text: String = details.iter().filter_map(request_decode::detail).collect();
                self.say(Voice::Reasoning, &text, out);
            }
        }
        self.details.extend(details.into_iter().map(Tree::into_value));
        match delta.content {
            Some(Tree::Text(text)) => self.say(Voice::Text, &text, out),
            Some(Tree::List(parts)) => parts.iter().for_each(|part| self.part(part, out)),
            _ => {}
        }
        self.say(Voice::Refusal, delta.refusal.as_deref().unwrap_or_default(), out);
        for call in delta.tool_calls {
            self.call(call, out);
        }
    }

    /// Mistral tells reasoning as parts of the content.
    fn part(&mut self, part: &Tree<'_>, out: &mut Vec<StreamEvent>) {
        if let Some(thinking) = part.list("thinking") {
            let text: String = thinking.iter().filter_map(|part| part.text("text")).collect();
            self.say(Voice::Reasoning, &text, out);
        } else if let Some(text) = part.text("text") {
            self.say(Voice::Text, text, out);
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
        self.close(out);
        let free_form = call.custom.is_some();
        let function = call.function.or(call.custom);
        let (name, arguments) = function.map_or((None, None), |function| (function.name, function.arguments));
        // Some servers count no index: a new id is a new call.
        let known = match call.index {
            Some(index) => self.calls.iter().find(|known| known.index == index).map(|known| known.id),
            None if call.id.is_none() => self.calls.last().map(|known| known.id),
            None => None,
        };
        let id = known.unwrap_or_else(|| {
            let index = call.index.unwrap_or(self.calls.len() as u64);
            let given = call.id.filter(|id| !id.is_empty());
            let kind = BlockKind::Call {
                id: given.unwrap_or_else(|| call_id(&self.seed, self.calls.len())),
                name: name.unwrap_or_default(),
                free_form,
            };
            let id = self.block(kind, out);
            self.calls.push(Call { index, id });
            id
        });
        if let Some(extra) = call.extra_content.map(Tree::into_value) {
            out.push(StreamEvent::BlockDelta {
                id,
                delta: Delta::State(State::of("openai-chat", vec![extra])),
            });
        }
        let text = match arguments {
            Some(Tree::Text(text)) => text.into_owned(),
            None => String::new(),
            // Some servers give the object itself.
            Some(value) => pen::written(&value),
        };
        if !text.is_empty() {
            out.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text) });
        }
    }

    fn block(&mut self, kind: BlockKind, out: &mut Vec<StreamEvent>) -> BlockId {
        let id = BlockId(self.next);
        self.next += 1;
        out.push(StreamEvent::BlockStart { id, kind });
        id
    }

    /// Ends the text, refusal or reasoning that is open.
    fn close(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some((voice, id)) = self.open.take() {
            if voice == Voice::Reasoning && !self.details.is_empty() {
                let details = std::mem::take(&mut self.details);
                out.push(StreamEvent::BlockDelta {
                    id,
                    delta: Delta::State(State::of("openai-chat", details)),
                });
            }
            out.push(StreamEvent::BlockEnd { id });
        }
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
        out.extend(self.calls.drain(..).map(|call| StreamEvent::BlockEnd { id: call.id }));
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
        let mut chunk = Chunk::read(data)?;
        if self.finished {
            return Ok(());
        }
        self.start(&mut chunk, out);
        if let Some(usage) = chunk.usage {
            self.usage.update(usage);
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            if let Some(delta) = choice.delta {
                self.delta(delta, out);
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                self.stop = Some(stop(&reason));
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.stop.is_some() {
            self.end(out);
        }
    }
}

//! Events -> Gemini chunks.
//!
//! Calls are told only whole, so that their pieces are gathered until the block ends. The last
//! chunk holds the reason and the counts together; a state that no call has carried stands on its
//! part.

use crate::base::object::{Object, object};
use crate::base::sse;
use crate::ir::request::ToolCall;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::gemini::response::{Carriers, Chunk, call_part, finish_reason};
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    answer: AnswerContext,
    id: Option<String>,
    blocks: Vec<(BlockId, Open)>,
    carriers: Carriers,
    usage: Usage,
    has_refusal: bool,
    /// Why it ended, and the counts that were told with it.
    ended: Option<(StopReason, Usage)>,
}

/// A block that is open.
enum Open {
    Text,
    Reasoning,
    Call(ToolCall),
}

impl Encoder {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            answer: answer.clone(),
            id: None,
            blocks: Vec::new(),
            carriers: Carriers::default(),
            usage: Usage::default(),
            has_refusal: false,
            ended: None,
        }
    }

    fn part(&self, part: Object, out: &mut Vec<u8>) {
        self.chunk(&[part], None, out);
    }

    fn chunk(&self, parts: &[Object], end: Option<(&'static str, &Usage)>, out: &mut Vec<u8>) {
        let chunk = Chunk { parts, id: self.id.as_deref(), answer: &self.answer, end };
        sse::write_object(None, out, |pen| chunk.members(pen));
    }

    fn last(&mut self, stop: &StopReason, out: &mut Vec<u8>) {
        let mut parts = self.carriers.rest();
        if parts.is_empty() {
            parts.push(object! {"text": ""});
        }
        self.chunk(&parts, Some((finish_reason(stop, self.has_refusal), &self.usage)), out);
    }

    fn open(&mut self, id: BlockId, kind: &BlockKind) {
        self.has_refusal |= *kind == BlockKind::Refusal;
        let open = match kind {
            BlockKind::Text | BlockKind::Refusal => Open::Text,
            BlockKind::Reasoning => Open::Reasoning,
            BlockKind::Call { id, name, free_form } => Open::Call(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                free_form: *free_form,
                state: None,
            }),
        };
        self.blocks.push((id, open));
    }

    fn grow(&mut self, id: BlockId, delta: &Delta, out: &mut Vec<u8>) {
        let Some((_, open)) = self.blocks.iter_mut().find(|(known, _)| *known == id) else { return };
        match (open, delta) {
            (Open::Call(call), Delta::Text(text)) => call.arguments.push_str(text),
            (Open::Call(call), Delta::State(state)) => call.state = Some(state.clone()),
            (Open::Text | Open::Reasoning, Delta::State(state)) => self.carriers.put(Some(state)),
            (Open::Text | Open::Reasoning, Delta::Text(text)) if text.is_empty() => {}
            (Open::Text, Delta::Text(text)) => self.part(object! {"text": text.as_str()}, out),
            (Open::Reasoning, Delta::Text(text)) => {
                if self.answer.show_reasoning {
                    self.part(object! {"text": text.as_str(), "thought": true}, out);
                }
            }
        }
    }

    fn close(&mut self, id: BlockId, out: &mut Vec<u8>) {
        let Some(place) = self.blocks.iter().position(|(known, _)| *known == id) else { return };
        if let (_, Open::Call(call)) = self.blocks.remove(place) {
            let part = call_part(&call, &mut self.carriers);
            self.part(part, out);
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => self.id.clone_from(id),
            StreamEvent::BlockStart { id, kind } => self.open(*id, kind),
            StreamEvent::BlockDelta { id, delta } => self.grow(*id, delta, out),
            StreamEvent::BlockEnd { id } => self.close(*id, out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => {
                self.last(stop, out);
                self.ended = Some((stop.clone(), self.usage));
            }
            StreamEvent::Lost { .. } => {}
        }
    }

    fn kept(&self) -> usize {
        let size = |open: &Open| match open {
            Open::Call(call) => call.arguments.len(),
            Open::Text | Open::Reasoning => 0,
        };
        self.blocks.iter().map(|(_, open)| size(open)).sum()
    }

    /// Counts that came after the end are told in one more chunk: clients take the last they see.
    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some((stop, _)) = self.ended.take().filter(|(_, told)| *told != self.usage) {
            self.last(&stop, out);
        }
    }
}

#[cfg(test)]
mod tests;

//! Events -> Chat chunks.

use crate::base::pen::{self, Pen, Raw};
use crate::base::quote::quoted;
use crate::base::sse;
use crate::ir::carrier::State;
use crate::ir::response::Usage;
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::openai_chat::response::{
    Counts, answer_id, finish_reason, is_free_form, put_extra_content,
};
use crate::protocol::unwrap::{INPUT, Unwrap};
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
    /// Puts the input into the arguments of a function: the client offered no free-form tool.
    wraps: bool,
    state: Option<State>,
    /// Was its first chunk sent?
    told: bool,
    /// Have no arguments been sent yet?
    silent: bool,
}

impl Call {
    fn kind(&self) -> (&'static str, &'static str) {
        if self.free_form { ("custom", "input") } else { ("function", "arguments") }
    }

    /// The delta of the call's first chunk.
    fn opening(&self) -> String {
        let (kind, field) = self.kind();
        self.delta(|pen| {
            pen.put("id", &self.id);
            pen.put("type", kind);
            pen.object_at(kind, |pen| {
                pen.put("name", &self.name);
                pen.put(field, "");
            });
            put_extra_content(self.state.as_ref(), pen);
        })
    }

    /// The next piece of what the client gets, of the next piece of what came.
    fn piece(&mut self, text: &str) -> String {
        match &mut self.unwrap {
            Some(unwrap) => unwrap.push(text),
            None if self.wraps => {
                let quoted = quoted(text);
                let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                if self.silent { format!("{{\"{INPUT}\":\"{inside}") } else { inside.to_owned() }
            }
            None => text.to_owned(),
        }
    }

    /// What the client must get yet, at the end.
    fn rest(&mut self) -> String {
        match self.unwrap.take() {
            Some(unwrap) => unwrap.finish(),
            None if self.wraps && self.silent => format!("{{\"{INPUT}\":\"\"}}"),
            None if self.wraps => "\"}".to_owned(),
            // A function that was called without arguments is called with an empty object.
            None if self.silent && !self.free_form => "{}".to_owned(),
            None => String::new(),
        }
    }

    /// The delta of a further chunk.
    fn more(&self, text: &str) -> String {
        let (kind, field) = self.kind();
        self.delta(|pen| pen.object_at(kind, |pen| pen.put(field, text)))
    }

    fn delta(&self, members: impl FnOnce(&mut Pen<'_>)) -> String {
        pen::object(|pen| {
            pen.list_at("tool_calls", |pen| {
                pen.object(|pen| {
                    pen.put("index", &self.index);
                    members(pen);
                });
            });
        })
    }
}

/// The delta of a chunk with one text.
fn text_delta(key: &str, text: &str) -> String {
    pen::object(|pen| pen.put(key, text))
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

    fn chunk(&self, delta: &str, finish: Option<&str>, out: &mut Vec<u8>) {
        sse::write_object(None, out, |pen| {
            self.begin(pen);
            pen.raw(br#","choices":[{"index":0"#);
            pen.put("delta", &Raw(delta.as_bytes()));
            pen.put("logprobs", &());
            pen.put("finish_reason", &finish);
            pen.raw(b"}]");
        });
    }

    /// What each chunk begins with.
    fn begin(&self, pen: &mut Pen<'_>) {
        pen.put("id", &self.id);
        pen.put("object", "chat.completion.chunk");
        pen.put("created", &self.answer.created);
        pen.put("model", &self.answer.model);
    }

    fn open(&mut self, id: BlockId, kind: &BlockKind) {
        let part = match kind {
            BlockKind::Text => Part::Content,
            BlockKind::Refusal => Part::Refusal,
            BlockKind::Reasoning => Part::Reasoning,
            BlockKind::Call { id, name, free_form } => {
                let index = self.calls;
                self.calls += 1;
                let offered = is_free_form(name, &self.answer);
                Part::Call(Box::new(Call {
                    index,
                    id: id.clone(),
                    name: name.clone(),
                    free_form: offered,
                    unwrap: (offered && !free_form).then(Unwrap::input),
                    wraps: *free_form && !offered,
                    state: None,
                    told: false,
                    silent: true,
                }))
            }
        };
        self.blocks.push((id, part));
    }

    /// Announces a call, and before it those before it: OpenAI's SDK for Python takes the first index
    /// that it sees for the first call.
    fn announce(&mut self, id: BlockId, out: &mut Vec<u8>) {
        let is_new = |part: &Part| matches!(part, Part::Call(call) if !call.told);
        let place = self.blocks.iter().position(|(known, part)| *known == id && is_new(part));
        let Some(place) = place else { return };
        let mut openings = Vec::new();
        for (_, part) in self.blocks.iter_mut().take(place + 1) {
            if let Part::Call(call) = part
                && !std::mem::replace(&mut call.told, true)
            {
                openings.push(call.opening());
            }
        }
        openings.into_iter().for_each(|delta| self.chunk(&delta, None, out));
    }

    fn grow(&mut self, id: BlockId, delta: &Delta, out: &mut Vec<u8>) {
        let shows = self.answer.show_reasoning;
        if matches!(delta, Delta::Text(text) if !text.is_empty()) {
            self.announce(id, out);
        }
        let Some((_, part)) = self.blocks.iter_mut().find(|(known, _)| *known == id) else { return };
        let mut chunks = Vec::new();
        match (part, delta) {
            (Part::Call(call), Delta::State(state)) => call.state = Some(state.clone()),
            (_, Delta::State(_)) => {}
            (_, Delta::Text(text)) if text.is_empty() => {}
            (Part::Content, Delta::Text(text)) => chunks.push(text_delta("content", text)),
            (Part::Refusal, Delta::Text(text)) => chunks.push(text_delta("refusal", text)),
            (Part::Reasoning, Delta::Text(text)) if shows => {
                chunks.push(text_delta("reasoning_content", text))
            }
            (Part::Reasoning, Delta::Text(_)) => {}
            (Part::Call(call), Delta::Text(text)) => {
                let text = call.piece(text);
                call.silent = false;
                if !text.is_empty() {
                    chunks.push(call.more(&text));
                }
            }
        }
        chunks.into_iter().for_each(|delta| self.chunk(&delta, None, out));
    }

    fn close(&mut self, id: BlockId, out: &mut Vec<u8>) {
        self.announce(id, out);
        let found = self.blocks.iter_mut().find(|(known, _)| *known == id);
        let Some((_, Part::Call(call))) = found else { return };
        let rest = call.rest();
        if !rest.is_empty() {
            let more = call.more(&rest);
            self.chunk(&more, None, out);
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, .. } => {
                self.id = answer_id(id.as_deref(), &self.answer);
                self.chunk(r#"{"role":"assistant","content":""}"#, None, out);
            }
            StreamEvent::BlockStart { id, kind } => self.open(*id, kind),
            StreamEvent::BlockDelta { id, delta } => self.grow(*id, delta, out),
            StreamEvent::BlockEnd { id } => self.close(*id, out),
            StreamEvent::Usage(usage) => self.usage.update(*usage),
            StreamEvent::Finish { stop } => self.chunk("{}", Some(finish_reason(stop)), out),
            StreamEvent::Lost { .. } => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.answer.wants_usage {
            sse::write_object(None, out, |pen| {
                self.begin(pen);
                pen.list_at("choices", |_| {});
                pen.put("usage", &Counts { usage: &self.usage, answer: &self.answer });
            });
        }
        sse::write(None, "[DONE]", out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::response::StopReason;

    /// OpenAI's SDK for Python takes the first index that it sees for the first call.
    #[test]
    fn calls_are_announced_in_their_order() {
        let call = |id: u32| StreamEvent::BlockStart {
            id: BlockId(id),
            kind: BlockKind::Call { id: format!("call_{id}"), name: "f".into(), free_form: false },
        };
        let grow = |id| StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text("{}".into()) };
        let end = |id| StreamEvent::BlockEnd { id: BlockId(id) };
        let (mut encoder, mut out) = (Encoder::new(&AnswerContext::default()), Vec::new());
        let finish = StreamEvent::Finish { stop: StopReason::ToolCalls };
        for event in [call(0), call(1), call(2), grow(1), end(2), grow(0), end(0), end(1), finish] {
            encoder.event(&event, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let announced: Vec<usize> = (0..3).map(|id| text.find(&format!("call_{id}")).unwrap()).collect();
        assert!(announced.is_sorted(), "{text}");
        assert_eq!(text.matches("\"name\":\"f\"").count(), 3, "{text}");
        assert_eq!(text.matches("\"arguments\":\"{}\"").count(), 3, "{text}");
    }

    #[test]
    fn a_call_without_words_has_arguments_that_can_be_read() {
        for (free_form, told) in [(false, r#""arguments":"{}""#), (true, r#""arguments":"{\"input\":\"\"}""#)]
        {
            let (mut encoder, mut out) = (Encoder::new(&AnswerContext::default()), Vec::new());
            let kind = BlockKind::Call { id: "1".into(), name: "f".into(), free_form };
            let end = StreamEvent::BlockEnd { id: BlockId(0) };
            for event in [StreamEvent::BlockStart { id: BlockId(0), kind }, end] {
                encoder.event(&event, &mut out);
            }
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(told), "{text}");
        }
    }
}

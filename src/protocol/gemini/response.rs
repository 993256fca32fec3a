//! A whole Gemini answer -> neutral words, and back.

use crate::base::object::{Object, object};
use crate::base::pen::{self, Pen, Put};
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::collect::Collector;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Source, ToolCall};
use crate::ir::response::{Response, StopReason, Usage};
use crate::protocol::fields::parsed;
use crate::protocol::gemini::part::object_of;
use crate::protocol::gemini::spelling;
use crate::protocol::gemini::stream_decode::Decoder;
use crate::protocol::path::Path;
use crate::protocol::wire::{AnswerContext, WireError};

const SIGNATURE: &str = "thoughtSignature";

/// Reads an answer: a stream of one chunk, but that it may hold media and lack its end.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    // A streamed answer without `alt=sse` is a list of chunks.
    let chunks = match parsed(text)? {
        Tree::List(list) => list,
        value => vec![value],
    };
    let mut decoder = Decoder::new(seed);
    let mut events = Vec::new();
    let mut is_answer = false;
    for chunk in chunks {
        let chunk = spelling::fields(chunk, Path::default())?;
        is_answer |= chunk.has("candidates") || chunk.has("promptFeedback") || chunk.has("usageMetadata");
        decoder.chunk(chunk, &mut events)?;
    }
    if !is_answer {
        return Err(WireError::new("candidates", "a list"));
    }
    decoder.end(&mut events);
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    let mut response = collector.finish().unwrap_or_default();
    for (place, media) in decoder.media.into_iter().rev() {
        response.blocks.insert(place.min(response.blocks.len()), Block::Media(media));
    }
    Ok(response)
}

/// Writes an answer.
pub(super) fn encode(response: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    let mut parts = Vec::new();
    let mut carriers = Carriers::default();
    for block in &response.blocks {
        match block {
            Block::Text(text) | Block::Refusal(text) if text.is_empty() => {}
            Block::Text(text) | Block::Refusal(text) => parts.push(object! {"text": text.as_str()}),
            Block::Reasoning(reasoning) => {
                if answer.show_reasoning && !reasoning.text.is_empty() {
                    parts.push(object! {"text": reasoning.text.as_str(), "thought": true});
                }
                carriers.put(reasoning.state.as_ref());
            }
            Block::Call(call) => parts.push(call_part(call, &mut carriers)),
            Block::Media(media) => match &media.source {
                Source::Inline { mime, data } => {
                    let data = object! {"mimeType": mime.as_str(), "data": data.as_str()};
                    parts.push(object! {"inlineData": data});
                }
                Source::Url(_) => losses.degrade("answer", "an image by URL has no place in Gemini"),
            },
            Block::Result(_) => {}
        }
    }
    if parts.is_empty() {
        parts.push(object! {"text": ""});
    }
    if let Some(last) = parts.last_mut().filter(|last| !last.map().contains_key(SIGNATURE)) {
        carriers.sign(last);
    }
    parts.extend(carriers.rest());
    let has_refusal = response.blocks.iter().any(|block| matches!(block, Block::Refusal(_)));
    let end = Some((finish_reason(&response.stop, has_refusal), &response.usage));
    let chunk = Chunk { parts: &parts, id: response.id.as_deref(), answer, end };
    (pen::long_object(response.length(), |pen| chunk.members(pen)), losses)
}

/// States that wait for the part on which they go out.
#[derive(Debug, Default)]
pub(super) struct Carriers(Vec<State>);

impl Carriers {
    /// Takes a state; those of one origin, provider and model are one.
    pub(super) fn put(&mut self, state: Option<&State>) {
        let Some(state) = state else { return };
        let of_same = |known: &&mut State| {
            (&known.origin, &known.provider, &known.model) == (&state.origin, &state.provider, &state.model)
        };
        match self.0.iter_mut().find(of_same) {
            Some(known) => match (known.text(), state.text()) {
                (Some(words), Some(more)) => {
                    known.blocks = State::of_text(&known.origin, &format!("{words}{more}")).blocks;
                }
                _ => known.blocks.extend(state.blocks.iter().cloned()),
            },
            None => self.0.push(state.clone()),
        }
    }

    /// A part of its own for each that is left.
    pub(super) fn rest(&mut self) -> Vec<Object> {
        let part = |state: State| object! {"text": "", "thoughtSignature": state.pack()};
        self.0.drain(..).map(part).collect()
    }

    /// Signs a part with the first of them.
    pub(super) fn sign(&mut self, part: &mut Object) {
        if !self.0.is_empty() {
            part.put(SIGNATURE, self.0.remove(0).pack());
        }
    }
}

/// A call, whole. Its own state goes before that of the reasoning.
pub(super) fn call_part(call: &ToolCall, carriers: &mut Carriers) -> Object {
    let mut inner = Object::default();
    inner.put_some("id", Some(call.id.as_str()).filter(|id| !id.is_empty()));
    inner.put("name", call.name.as_str());
    inner.put("args", object_of(&call.arguments, call.free_form));
    let mut part = object! {"functionCall": inner};
    match &call.state {
        Some(state) => part.put(SIGNATURE, state.pack()),
        None => carriers.sign(&mut part),
    }
    part
}

/// One chunk, or a whole answer.
pub(super) struct Chunk<'a> {
    pub(super) parts: &'a [Object],
    pub(super) id: Option<&'a str>,
    pub(super) answer: &'a AnswerContext,
    /// Why an answer ended, and its token counts.
    pub(super) end: Option<(&'static str, &'a Usage)>,
}

impl Chunk<'_> {
    /// Writes its members.
    pub(super) fn members(&self, pen: &mut Pen<'_>) {
        let own_id = || self.answer.request_id.trim_start_matches("req_");
        pen.raw(br#""candidates":[{"content":{"parts":"#);
        self.parts.write(pen);
        pen.raw(br#","role":"model"},"index":0"#);
        pen.put_some("finishReason", self.end.map(|(reason, _)| reason));
        pen.raw(b"}]");
        pen.put("modelVersion", &self.answer.model);
        pen.put("responseId", self.id.filter(|id| !id.is_empty()).unwrap_or_else(own_id));
        if let Some((_, usage)) = self.end {
            pen.object_at("usageMetadata", |pen| count(usage, self.answer, pen));
        }
    }
}

/// The word of SPEC 8.10 for why an answer ended. The words of a refusal are text here, so that
/// the reason alone says what they are.
pub(super) fn finish_reason(stop: &StopReason, has_refusal: bool) -> &'static str {
    match stop {
        StopReason::End if has_refusal => "SAFETY",
        StopReason::End
        | StopReason::StopSequence(_)
        | StopReason::ToolCalls
        | StopReason::Pause
        | StopReason::Other(_) => "STOP",
        StopReason::Limit | StopReason::ContextFull => "MAX_TOKENS",
        StopReason::Refuse => "SAFETY",
    }
}

/// Token counts; where a number is demanded and none is known, the estimate or 0.
fn count(usage: &Usage, answer: &AnswerContext, pen: &mut Pen<'_>) {
    let input = usage.input.unwrap_or(answer.estimated_input);
    let output = usage.output.unwrap_or(0);
    // Some providers (xAI) count reasoning beside the output, which shows when it is more.
    let thoughts = usage.reasoning.unwrap_or(0);
    let words = output.checked_sub(thoughts).unwrap_or(output);
    pen.put("promptTokenCount", &input);
    pen.put_some("cachedContentTokenCount", usage.cached);
    pen.put("candidatesTokenCount", &words);
    pen.put_some("thoughtsTokenCount", usage.reasoning);
    pen.put("totalTokenCount", &input.saturating_add(words).saturating_add(thoughts));
}

#[cfg(test)]
mod tests;

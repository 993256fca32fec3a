//! A whole Gemini answer -> neutral words, and back.

use serde_json::{Map, Value, json};

use crate::base::json;
use crate::ir::carrier::State;
use crate::ir::collect::Collector;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Source, ToolCall};
use crate::ir::response::{Response, StopReason, Usage};
use crate::protocol::gemini::part::object_of;
use crate::protocol::gemini::spelling;
use crate::protocol::gemini::stream_decode::Decoder;
use crate::protocol::wire::{AnswerContext, WireError};

/// Reads an answer: a stream of one chunk, but that it may hold media and lack its end.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let value = serde_json::from_str(text).map_err(|error| WireError::new("", format!("JSON: {error}")))?;
    // A streamed answer without `alt=sse` is a list of chunks.
    let chunks = match value {
        Value::Array(list) => list,
        value => vec![value],
    };
    let mut decoder = Decoder::new(seed);
    let mut events = Vec::new();
    let mut is_answer = false;
    for chunk in chunks {
        let chunk = spelling::fields(chunk, "")?;
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
            Block::Text(text) | Block::Refusal(text) => parts.push(json!({"text": text})),
            Block::Reasoning(reasoning) => {
                if answer.show_reasoning && !reasoning.text.is_empty() {
                    parts.push(json!({"text": reasoning.text, "thought": true}));
                }
                carriers.put(reasoning.state.as_ref());
            }
            Block::Call(call) => parts.push(call_part(call, &mut carriers)),
            Block::Media(media) => match &media.source {
                Source::Inline { mime, data } => {
                    parts.push(json!({"inlineData": {"mimeType": mime, "data": data}}));
                }
                Source::Url(_) => losses.degrade("answer", "an image by URL has no place in Gemini"),
            },
            Block::Result(_) => {}
        }
    }
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    let unsigned = parts.last_mut().filter(|last| last.get("thoughtSignature").is_none());
    if let Some(last) = unsigned {
        *last = carriers.sign(last.take());
    }
    parts.extend(carriers.rest());
    let mut body = chunk(parts, response.id.as_deref(), answer);
    let has_refusal = response.blocks.iter().any(|block| matches!(block, Block::Refusal(_)));
    end(&mut body, finish_reason(&response.stop, has_refusal), &response.usage, answer);
    (json::written(&body), losses)
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
            Some(known) => known.blocks.extend(state.blocks.iter().cloned()),
            None => self.0.push(state.clone()),
        }
    }

    /// A part of its own for each that is left.
    pub(super) fn rest(&mut self) -> Vec<Value> {
        let part = |state: State| json!({"text": "", "thoughtSignature": state.pack()});
        self.0.drain(..).map(part).collect()
    }

    /// A part with the first of them as its signature.
    pub(super) fn sign(&mut self, mut part: Value) -> Value {
        if !self.0.is_empty()
            && let Some(object) = part.as_object_mut()
        {
            object.insert("thoughtSignature".to_owned(), self.0.remove(0).pack().into());
        }
        part
    }
}

/// A call, whole. Its own state goes before that of the reasoning.
pub(super) fn call_part(call: &ToolCall, carriers: &mut Carriers) -> Value {
    let mut inner = Map::new();
    if !call.id.is_empty() {
        inner.insert("id".to_owned(), call.id.as_str().into());
    }
    inner.insert("name".to_owned(), call.name.as_str().into());
    inner.insert("args".to_owned(), object_of(&call.arguments, call.free_form));
    let part = json!({"functionCall": inner});
    match &call.state {
        Some(state) => {
            let mut own = Carriers(vec![state.clone()]);
            own.sign(part)
        }
        None => carriers.sign(part),
    }
}

/// One chunk, or the beginning of a whole answer.
pub(super) fn chunk(parts: Vec<Value>, id: Option<&str>, answer: &AnswerContext) -> Map<String, Value> {
    let candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| answer.request_id.trim_start_matches("req_"));
    let mut chunk = Map::new();
    chunk.insert("candidates".to_owned(), json!([candidate]));
    chunk.insert("modelVersion".to_owned(), answer.model.as_str().into());
    chunk.insert("responseId".to_owned(), id.into());
    chunk
}

/// Adds why an answer ended, and its token counts.
pub(super) fn end(chunk: &mut Map<String, Value>, reason: &str, usage: &Usage, answer: &AnswerContext) {
    let candidate = chunk.get_mut("candidates").and_then(|list| list.get_mut(0));
    if let Some(candidate) = candidate.and_then(Value::as_object_mut) {
        candidate.insert("finishReason".to_owned(), reason.into());
    }
    chunk.insert("usageMetadata".to_owned(), self::usage(usage, answer));
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
fn usage(usage: &Usage, answer: &AnswerContext) -> Value {
    let input = usage.input.unwrap_or(answer.estimated_input);
    let output = usage.output.unwrap_or(0);
    // Some providers (xAI) count reasoning beside the output, which shows when it is more.
    let thoughts = usage.reasoning.unwrap_or(0);
    let words = output.checked_sub(thoughts).unwrap_or(output);
    let mut counts = Map::new();
    counts.insert("promptTokenCount".to_owned(), input.into());
    counts.extend(usage.cached.map(|count| ("cachedContentTokenCount".to_owned(), count.into())));
    counts.insert("candidatesTokenCount".to_owned(), words.into());
    counts.extend(usage.reasoning.map(|count| ("thoughtsTokenCount".to_owned(), count.into())));
    counts.insert("totalTokenCount".to_owned(), input.saturating_add(words).saturating_add(thoughts).into());
    Value::Object(counts)
}

#[cfg(test)]
mod tests;

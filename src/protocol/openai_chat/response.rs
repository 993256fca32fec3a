//! A whole Chat answer -> neutral words, and back.

use serde_json::{Map, Value, json};

use crate::base::id::stable_hash;
use crate::base::json;
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Reasoning, Tool, ToolCall, ToolForm};
use crate::ir::response::{Response, StopReason, Usage};
use crate::protocol::fields::Fields;
use crate::protocol::openai_chat::request_decode;
use crate::protocol::openai_chat::tap;
use crate::protocol::unwrap::{INPUT, unwrapped};
use crate::protocol::wire::{AnswerContext, WireError};

/// Reads an answer; of several choices the first counts.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let mut fields = Fields::parse(text)?;
    let choices = fields.list("choices")?.ok_or_else(|| WireError::new("choices", "a list"))?;
    let usage = fields.take("usage").and_then(|usage| tap::usage(&json::written(&usage))).unwrap_or_default();
    let (id, model) = (fields.text("id")?, fields.text("model")?);
    let mut response = Response { id, model, usage, ..Response::default() };
    let Some(choice) = choices.into_iter().next() else { return Ok(response) };
    let mut choice = Fields::of(choice, "choices[0]")?;
    if let Some(mut message) = choice.object("message")? {
        response.blocks = message_blocks(&mut message)?;
    }
    name_calls(&mut response, seed);
    let has_call = response.blocks.iter().any(|block| matches!(block, Block::Call(_)));
    let reason = choice.text("finish_reason")?;
    response.stop = stop(reason.as_deref().unwrap_or("stop")).settled(has_call);
    Ok(response)
}

/// A provider's word for why an answer ended.
pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" | "end_turn" | "eos" => StopReason::End,
        "length" | "max_tokens" => StopReason::Limit,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" => StopReason::Refuse,
        other => StopReason::Other(other.to_owned()),
    }
}

/// An id for a call that came without one.
pub(super) fn call_id(seed: &str, index: usize) -> String {
    format!("call_{:016x}{index}", stable_hash(seed.as_bytes()))
}

fn name_calls(response: &mut Response, seed: &str) {
    for (index, block) in response.blocks.iter_mut().enumerate() {
        if let Block::Call(call) = block
            && call.id.is_empty()
        {
            call.id = call_id(seed, index);
        }
    }
}

fn message_blocks(message: &mut Fields) -> Result<Vec<Block>, WireError> {
    let mut losses = Losses::default();
    let mut blocks = Vec::new();
    blocks.extend(request_decode::reasoning(message)?.map(Block::Reasoning));
    match message.take("content") {
        Some(Value::String(text)) if !text.is_empty() => blocks.push(Block::Text(text)),
        Some(Value::Array(parts)) => {
            for part in parts {
                blocks.extend(answer_part(Fields::of(part, message.at("content"))?)?);
            }
        }
        _ => {}
    }
    blocks.extend(message.text("refusal")?.filter(|text| !text.is_empty()).map(Block::Refusal));
    for (index, call) in message.list("tool_calls")?.unwrap_or_default().into_iter().enumerate() {
        let call = Fields::of(call, message.at(&format!("tool_calls[{index}]")))?;
        blocks.push(Block::Call(request_decode::call(call, &mut losses)?));
    }
    Ok(blocks)
}

fn answer_part(mut part: Fields) -> Result<Option<Block>, WireError> {
    Ok(match part.text("type")?.as_deref() {
        Some("thinking") => {
            Some(Block::Reasoning(Reasoning { text: request_decode::thinking(&mut part), state: None }))
        }
        Some("refusal") => part.text("refusal")?.map(Block::Refusal),
        _ => part.text("text")?.filter(|text| !text.is_empty()).map(Block::Text),
    })
}

/// Writes an answer.
pub(super) fn encode(response: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    let said = texts(&response.blocks, |block| if let Block::Text(text) = block { Some(text) } else { None });
    let refusals =
        texts(&response.blocks, |block| if let Block::Refusal(text) = block { Some(text) } else { None });
    let reasoning = response.blocks.iter().filter_map(|block| match block {
        Block::Reasoning(reasoning) if answer.show_reasoning => Some(reasoning.text.as_str()),
        _ => None,
    });
    let reasoning: String = reasoning.collect();
    let calls: Vec<Value> = response
        .blocks
        .iter()
        .filter_map(|block| if let Block::Call(call) = block { Some(call_value(call, answer)) } else { None })
        .collect();
    if response.blocks.iter().any(|block| matches!(block, Block::Media(_))) {
        losses.degrade("answer", "an image in the answer has no place in Chat");
    }
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    message.insert("content".to_owned(), said.map_or(Value::Null, Value::from));
    message.insert("refusal".to_owned(), refusals.map_or(Value::Null, Value::from));
    if !reasoning.is_empty() {
        message.insert("reasoning_content".to_owned(), reasoning.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    let body = json!({
        "id": answer_id(response.id.as_deref(), answer),
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [{
            "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(&response.stop),
        }],
        "usage": usage(&response.usage, answer),
    });
    (json::written(&body), losses)
}

/// `chatcmpl-` and the provider's id, or the request's.
pub(super) fn answer_id(id: Option<&str>, answer: &AnswerContext) -> String {
    match id {
        Some(id) if id.starts_with("chatcmpl-") => id.to_owned(),
        Some(id) if !id.is_empty() => format!("chatcmpl-{id}"),
        _ => format!("chatcmpl-{}", answer.request_id.trim_start_matches("req_")),
    }
}

/// The word of SPEC 8.10 for why an answer ended.
pub(super) fn finish_reason(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::StopSequence(_) | StopReason::Pause | StopReason::Other(_) => "stop",
        StopReason::ToolCalls => "tool_calls",
        StopReason::Limit | StopReason::ContextFull => "length",
        StopReason::Refuse => "content_filter",
    }
}

/// Token counts; where a number is demanded and none is known, the estimate or 0.
pub(super) fn usage(usage: &Usage, answer: &AnswerContext) -> Value {
    let input = usage.input.unwrap_or(answer.estimated_input);
    let output = usage.output.unwrap_or(0);
    let mut value = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output)});
    if let Some(object) = value.as_object_mut() {
        let mut prompt = Map::new();
        prompt.extend(usage.cached.map(|count| ("cached_tokens".to_owned(), Value::from(count))));
        prompt.extend(usage.cache_write.map(|count| ("cache_write_tokens".to_owned(), Value::from(count))));
        if !prompt.is_empty() {
            object.insert("prompt_tokens_details".to_owned(), prompt.into());
        }
        if let Some(count) = usage.reasoning {
            object.insert("completion_tokens_details".to_owned(), json!({"reasoning_tokens": count}));
        }
    }
    value
}

fn texts<'a>(blocks: &'a [Block], pick: impl Fn(&'a Block) -> Option<&'a String>) -> Option<String> {
    let found: Vec<&str> = blocks.iter().filter_map(pick).map(String::as_str).collect();
    (!found.is_empty()).then(|| found.concat())
}

fn call_value(call: &ToolCall, answer: &AnswerContext) -> Value {
    let (id, name) = (&call.id, &call.name);
    let mut value = if call.free_form {
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": call.arguments}})
    } else if is_free_form(name, answer) {
        let input = unwrapped(&call.arguments, INPUT);
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": input}})
    } else {
        let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    };
    if let (Some(extra), Some(object)) = (call.state.as_ref().and_then(extra_content), value.as_object_mut())
    {
        object.insert("extra_content".to_owned(), extra);
    }
    value
}

/// Did the client offer a free-form tool of that name, for which a function may stand?
pub(super) fn is_free_form(name: &str, answer: &AnswerContext) -> bool {
    let of_name = |tool: &&Tool| tool.name == name && matches!(tool.form, ToolForm::FreeForm { .. });
    answer.tools.iter().any(|tool| of_name(&tool))
}

/// Gemini's thought signature where Google's own Chat endpoint puts it.
pub(super) fn extra_content(state: &State) -> Option<Value> {
    let block = state.blocks.first().filter(|_| state.origin == "gemini")?;
    let signature = block.get("thoughtSignature")?;
    Some(json!({"google": {"thought_signature": signature}}))
}

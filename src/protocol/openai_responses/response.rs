//! A whole Responses answer -> neutral words, and back.

use std::borrow::Cow;

use crate::base::pen;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, CallKind};
use crate::ir::response::{Response, StopReason};
use crate::protocol::fields::Fields;
use crate::protocol::openai_responses::item_encode::{
    Call, Envelope, Message, Output, Part, Thought, kind_of, prefix, response_id,
};
use crate::protocol::openai_responses::{items, tap, tools};
use crate::protocol::unwrap::{INPUT, unwrapped};
use crate::protocol::wire::{AnswerContext, WireError};

/// Reads an answer.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let mut fields = Fields::parse(text)?;
    let output = fields.list("output")?.ok_or_else(|| WireError::new("output", "a list"))?;
    let usage = fields.take("usage").and_then(|usage| tap::usage(&pen::written(&usage))).unwrap_or_default();
    let mut response =
        Response { id: fields.text("id")?, model: fields.text("model")?, usage, ..Response::default() };
    for (index, item) in output.into_iter().enumerate() {
        let item = Fields::of(item, format!("output[{index}]"))?;
        response.blocks.extend(blocks(item, seed, index)?);
    }
    let reason =
        fields.object("incomplete_details")?.map(|mut details| details.text("reason")).transpose()?.flatten();
    let has_call = response.blocks.iter().any(|block| matches!(block, Block::Call(_)));
    response.stop = stop(fields.text("status")?.as_deref(), reason.as_deref()).settled(has_call);
    Ok(response)
}

/// Why an answer ended.
pub(super) fn stop(status: Option<&str>, reason: Option<&str>) -> StopReason {
    match (status, reason) {
        (Some("incomplete"), Some("content_filter")) => StopReason::Refuse,
        (Some("incomplete"), Some("max_output_tokens") | None) => StopReason::Limit,
        (Some("incomplete"), Some(other)) => StopReason::Other(other.to_owned()),
        _ => StopReason::End,
    }
}

/// The blocks of one output item; the vendor's own calls and results are left out.
pub(super) fn blocks(mut item: Fields, seed: &str, index: usize) -> Result<Vec<Block>, WireError> {
    let kind = item.text("type")?.unwrap_or_default();
    match kind.as_str() {
        "message" => {
            let mut blocks = Vec::new();
            let path = item.at("content");
            for part in item.list("content")?.unwrap_or_default() {
                let mut part = Fields::of(part, path.clone())?;
                blocks.extend(match part.text("type")?.as_deref() {
                    Some("refusal") => part.text("refusal")?.map(Block::Refusal),
                    _ => part.text("text")?.map(Block::Text),
                });
            }
            Ok(blocks)
        }
        "reasoning" => Ok(vec![Block::Reasoning(items::reasoning(&mut item)?)]),
        "function_call" | "custom_tool_call" => {
            // A namespace that the request did not have is left out, its name kept.
            item.take("namespace");
            let mut call = items::call(&mut item, kind == "custom_tool_call")?;
            if call.id.is_empty() {
                call.id = format!("call_{}{index}", seed.trim_start_matches("req_"));
            }
            Ok(vec![Block::Call(call)])
        }
        // Also the calls of `shell` and its like: only a client of this protocol can offer them.
        _ => Ok(Vec::new()),
    }
}

/// Writes an answer.
pub(super) fn encode(answered: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    let known = tools::identities(&answer.tools);
    let stem = answer.request_id.trim_start_matches("req_");
    let mut output = Output::default();
    for block in &answered.blocks {
        let id = |prefix: &str, number: usize| format!("{prefix}{stem}{number}");
        let message = |text: &str, refusal: bool, output: &mut Output| {
            let part = Some(Part { text, refusal });
            output.push(&Message { id: &id("msg_", output.len), part, status: "completed" });
        };
        match block {
            Block::Text(text) => message(text, false, &mut output),
            Block::Refusal(text) => message(text, true, &mut output),
            Block::Reasoning(thought) => {
                let text = if answer.show_reasoning { thought.text.as_str() } else { "" };
                output.push(&Thought { id: &id("rs_", output.len), text, state: thought.state.as_ref() });
            }
            Block::Call(call) => {
                if let Some(state) = &call.state {
                    output.push(&Thought { id: &id("rs_", output.len), text: "", state: Some(state) });
                }
                let kind = kind_of(&call.name, call.free_form, &known);
                let arguments = match kind {
                    CallKind::Custom if !call.free_form => Cow::Owned(unwrapped(&call.arguments, INPUT)),
                    _ if call.arguments.is_empty() && !call.free_form => Cow::Borrowed("{}"),
                    _ => Cow::Borrowed(call.arguments.as_str()),
                };
                output.push(&Call {
                    item_id: &id(prefix(kind), output.len),
                    call_id: &call.id,
                    name: &call.name,
                    kind,
                    arguments: &arguments,
                    status: "completed",
                    known: &known,
                });
            }
            Block::Media(_) => losses.degrade("answer", "an image in the answer has no place in Responses"),
            Block::Result(_) => {}
        }
    }
    let id = response_id(answered.id.as_deref(), answer);
    let end = Some((&answered.stop, &answered.usage));
    let envelope = Envelope { id: &id, answer, output: &output, end };
    (pen::long_object(output.size(), |pen| envelope.members(pen)), losses)
}

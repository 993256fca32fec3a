//! A whole Responses answer -> neutral words, and back.

use std::borrow::Cow;

use crate::base::pen::{self, Pen, Put};
use crate::ir::loss::Losses;
use crate::ir::request::Block;
use crate::ir::response::{Lost, Response, StopReason};
use crate::ir::tool::CallKind;
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::openai_responses::item_encode::{
    Call, Envelope, Identities, Message, Part, Thought, kind_of, prefix, response_id,
};
use crate::protocol::openai_responses::{items, tap, tools};
use crate::protocol::unwrap::{INPUT, unwrapped};
use crate::protocol::wire::{AnswerContext, WireError};

/// Reads an answer.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let mut fields = Fields::parse(text)?;
    let status = fields.word("status")?;
    if let Some(status @ ("failed" | "cancelled" | "queued" | "in_progress")) = status.as_deref() {
        return Err(fields.wrong("status", &format!("an answer's, not `{status}`")));
    }
    if !fields.has("id") {
        fields.no_error()?;
    }
    let output = fields.list("output")?.ok_or_else(|| fields.wrong("output", "a list"))?;
    let usage = fields.take("usage").and_then(|usage| tap::usage(&usage)).unwrap_or_default();
    let mut response =
        Response { id: fields.text("id")?, model: fields.text("model")?, usage, ..Response::default() };
    for (index, item) in Objects::of(output, fields.at("output")).enumerate() {
        response.blocks.extend(blocks(item?, seed, index, &mut response.lost)?);
    }
    let reason =
        fields.object("incomplete_details")?.map(|mut details| details.text("reason")).transpose()?.flatten();
    let has_call = response.blocks.iter().any(|block| matches!(block, Block::Call(_)));
    response.stop = stop(status.as_deref(), reason.as_deref()).settled(has_call);
    Ok(response)
}

/// Why an answer ended.
pub(super) fn stop(status: Option<&str>, reason: Option<&str>) -> StopReason {
    match (status, reason) {
        (Some("incomplete") | None, Some("content_filter")) => StopReason::Refuse,
        // Some servers use Chat's words.
        (Some("incomplete") | None, Some("max_output_tokens" | "max_tokens" | "length"))
        | (Some("incomplete"), None) => StopReason::Limit,
        (Some("incomplete"), Some(other)) => StopReason::Other(other.to_owned()),
        _ => StopReason::End,
    }
}

/// The blocks of one output item; the vendor's own calls and results are left out.
pub(super) fn blocks(
    mut item: Fields<'_>,
    seed: &str,
    index: usize,
    lost: &mut Lost,
) -> Result<Vec<Block>, WireError> {
    let kind = item.word("type")?.unwrap_or_default();
    match kind.as_ref() {
        "message" => {
            let mut blocks = Vec::new();
            let path = item.at("content");
            for part in item.list("content")?.unwrap_or_default() {
                let mut part = Fields::of(part, path.clone())?;
                if part.drops_list("annotations") {
                    lost.add("annotations");
                }
                let kind = part.word("type")?.unwrap_or_default();
                if kind != "refusal" && !part.has("text") {
                    lost.add(kind.as_ref());
                }
                blocks.extend(match kind.as_ref() {
                    "refusal" => part.text("refusal")?.map(Block::Refusal),
                    _ => part.text("text")?.map(Block::Text),
                });
            }
            Ok(blocks)
        }
        "reasoning" => Ok(vec![Block::Reasoning(items::reasoning(&mut item)?)]),
        "function_call" | "custom_tool_call" => {
            // A namespace that the request did not have is left out, its name kept.
            item.skip("namespace");
            let mut call = items::call(&mut item, kind == "custom_tool_call")?;
            if call.id.is_empty() {
                call.id = format!("call_{}{index}", seed.trim_start_matches("req_"));
            }
            Ok(vec![Block::Call(call)])
        }
        // Also the calls of `shell` and its like: only a client of this protocol can offer them.
        other => {
            lost.add(other);
            Ok(Vec::new())
        }
    }
}

/// Writes an answer.
pub(super) fn encode(answered: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    if answered.blocks.iter().any(|block| matches!(block, Block::Media(_))) {
        losses.degrade("answer", "an image in the answer has no place in Responses");
    }
    let id = response_id(answered.id.as_deref(), answer);
    let end = Some((&answered.stop, &answered.usage));
    let output = Items { blocks: &answered.blocks, answer };
    let envelope = Envelope { id: &id, answer, output: &output, end };
    (pen::long(answered.length(), &envelope), losses)
}

/// Blocks as output items.
struct Items<'a> {
    blocks: &'a [Block],
    answer: &'a AnswerContext,
}

impl Put for Items<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let known = tools::identities(&self.answer.tools);
        pen.list(|pen| {
            let mut written = 0;
            for block in self.blocks {
                written += self.item(block, written, &known, pen);
            }
        });
    }
}

impl Items<'_> {
    /// Writes what a block is, before which so many items stand; how many it is.
    fn item(&self, block: &Block, before: usize, known: &Identities, pen: &mut Pen<'_>) -> usize {
        let stem = self.answer.request_id.trim_start_matches("req_");
        let id = |prefix: &str, number: usize| format!("{prefix}{stem}{number}");
        let mut message = |text: &str, refusal: bool| {
            let part = Some(Part { text, refusal });
            pen.add(&Message { id: &id("msg_", before), part, status: "completed" });
        };
        match block {
            Block::Text(text) => message(text, false),
            Block::Refusal(text) => message(text, true),
            Block::Reasoning(thought) => {
                let text = if self.answer.show_reasoning { thought.text.as_str() } else { "" };
                pen.add(&Thought { id: &id("rs_", before), text, state: thought.state.as_ref() });
            }
            Block::Call(call) => {
                if let Some(state) = &call.state {
                    pen.add(&Thought { id: &id("rs_", before), text: "", state: Some(state) });
                }
                let number = before + usize::from(call.state.is_some());
                let kind = kind_of(&call.name, call.free_form, known);
                let arguments = match kind {
                    CallKind::Custom if !call.free_form => Cow::Owned(unwrapped(&call.arguments, INPUT)),
                    _ if call.arguments.is_empty() && !call.free_form => Cow::Borrowed("{}"),
                    _ => Cow::Borrowed(call.arguments.as_str()),
                };
                pen.add(&Call {
                    item_id: &id(prefix(kind), number),
                    call_id: &call.id,
                    name: &call.name,
                    kind,
                    arguments: &arguments,
                    status: "completed",
                    known,
                });
                return number + 1 - before;
            }
            Block::Media(_) | Block::Result(_) => return 0,
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_known_is_told_as_lost() {
        let parts = r#"[{"type":"output_image","image_url":"u"},{"type":"output_text","text":"x"}]"#;
        let answer = format!(r#"{{"status":"completed","output":[{{"type":"message","content":{parts}}}]}}"#);
        let answered = decode(&answer, "req_1").unwrap();
        assert_eq!(answered.blocks, [Block::Text("x".to_owned())]);
        assert_eq!(answered.lost.into_names(), ["output_image"]);
    }

    #[test]
    fn what_is_not_at_its_end_is_no_answer() {
        let of = |status: &str, rest: &str| {
            decode(&format!(r#"{{"id":"r","status":"{status}","output":[]{rest}}}"#), "req_1")
        };
        for status in ["failed", "cancelled", "queued", "in_progress"] {
            let error = of(status, "").unwrap_err().to_string();
            assert_eq!(error, format!("`status` must be an answer's, not `{status}`"));
        }
        for (reason, stop) in [
            ("max_output_tokens", StopReason::Limit),
            ("length", StopReason::Limit),
            ("content_filter", StopReason::Refuse),
            ("odd", StopReason::Other("odd".to_owned())),
        ] {
            let details = format!(r#","incomplete_details":{{"reason":"{reason}"}}"#);
            assert_eq!(of("incomplete", &details).unwrap().stop, stop);
        }
    }
}

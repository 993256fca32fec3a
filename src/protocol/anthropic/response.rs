//! Whole answers, both ways.

use std::borrow::Cow;

use super::content::{Words, call, is_call, is_thinking, join_call_states, join_words, reasoning};
use super::events::{Answer, Counts};
use super::{usage, wire};
use crate::base::pen;
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Reasoning, ToolCall};
use crate::ir::response::{Lost, Response, StopReason, Usage};
use crate::protocol::fields::Fields;
use crate::protocol::path::Path;
use crate::protocol::wire::{AnswerContext, WireError};

pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let mut fields = Fields::parse(text)?;
    fields.no_error()?;
    let content = fields.list("content")?.ok_or_else(|| fields.wrong("content", "a list of blocks"))?;
    let mut blocks = Vec::new();
    let mut lost = Lost::default();
    let mut words = Words::default();
    for (index, value) in content.into_iter().enumerate() {
        let path = fields.at("content").index(index);
        let go_on = words.go_on(&value);
        let before = blocks.len();
        blocks.extend(block(value, path, &made_id(seed, index), &mut lost)?);
        if go_on {
            join_words(&mut blocks, before);
        }
    }
    join_call_states(&mut blocks);
    let has_call = blocks.iter().any(|block| matches!(block, Block::Call(_)));
    let reason = fields.word("stop_reason")?;
    let stop = stop(reason.as_deref(), fields.text("stop_sequence")?);
    if explains(&mut fields) {
        lost.add(DETAILS);
    }
    let mut usage = Usage::default();
    usage::take(&mut usage, &fields.take("usage").unwrap_or_default());
    Ok(Response {
        id: fields.text("id")?,
        model: fields.text("model")?,
        blocks,
        stop: stop.settled(has_call),
        usage,
        lost,
    })
}

/// What belongs to tools that run at the vendor is left out, and what is not known.
fn block(value: Tree<'_>, path: Path, made: &str, lost: &mut Lost) -> Result<Option<Block>, WireError> {
    match value.text("type") {
        Some("text") => {
            let mut fields = Fields::of(value, path)?;
            if fields.drops_list("citations") {
                lost.add("citations");
            }
            let text = fields.required_text("text")?;
            Ok((!text.is_empty()).then_some(Block::Text(text)))
        }
        Some(kind) if is_thinking(kind) => {
            let reasoning = reasoning(value, path)?;
            Ok((reasoning != Reasoning::default()).then_some(Block::Reasoning(reasoning)))
        }
        Some(kind) if is_call(kind) => {
            call(&mut Fields::of(value, path)?, made).map(|call| Some(Block::Call(call)))
        }
        Some(kind) => {
            lost.add(kind);
            Ok(None)
        }
        None => Err(WireError::new(path, "a block with a type")),
    }
}

/// Where a refusal is explained. These words are the vendor's, not the model's.
pub(super) const DETAILS: &str = "stop_details";

/// Is an end explained?
pub(super) fn explains(fields: &mut Fields<'_>) -> bool {
    fields.object_if_any(DETAILS).is_some_and(|details| details.has("explanation"))
}

/// The id of a call that came without one.
pub(super) fn made_id(seed: &str, index: usize) -> String {
    format!("toolu_{seed}_{index}")
}

/// The end in neutral words.
pub(super) fn stop(reason: Option<&str>, sequence: Option<String>) -> StopReason {
    match reason {
        None | Some("end_turn") => StopReason::End,
        Some("stop_sequence") => StopReason::StopSequence(sequence),
        Some("tool_use") => StopReason::ToolCalls,
        Some("max_tokens") => StopReason::Limit,
        Some("model_context_window_exceeded") => StopReason::ContextFull,
        Some("refusal") => StopReason::Refuse,
        Some("pause_turn") => StopReason::Pause,
        Some(other) => StopReason::Other(other.to_owned()),
    }
}

pub(super) fn encode(response: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    let mut content = Vec::new();
    for (index, block) in response.blocks.iter().enumerate() {
        match block {
            Block::Text(text) | Block::Refusal(text) if text.is_empty() => {}
            Block::Text(text) | Block::Refusal(text) => content.push(wire::Block::text(text.as_str())),
            Block::Reasoning(reasoning) => {
                let shown = if answer.show_reasoning { reasoning.text.as_str() } else { "" };
                content.push(thinking(shown, reasoning.state.as_ref()));
            }
            Block::Call(call) => {
                content.extend(call.state.as_ref().map(|state| thinking("", Some(state))));
                content.push(tool_use(call, &made_id(&answer.request_id, index)));
            }
            Block::Media(_) | Block::Result(_) => {
                losses.degrade(format!("blocks[{index}]"), "an answer of this protocol cannot hold it");
            }
        }
    }
    let mut usage = Counts::of(&response.usage);
    usage.input_tokens = usage.input_tokens.or(Some(answer.estimated_input));
    let said = Said::of(&response.blocks);
    let (stop_reason, stop_sequence) = said.reason(&response.stop);
    let whole = Answer {
        content,
        stop_reason: Some(stop_reason),
        stop_sequence,
        ..begun(response.id.as_deref(), answer, usage)
    };
    (pen::long(response.length(), &whole), losses)
}

/// An answer without content.
pub(super) fn begun<'a>(id: Option<&str>, answer: &'a AnswerContext, usage: Counts) -> Answer<'a> {
    let own = id.filter(|id| id.starts_with("msg_")).map(str::to_owned);
    Answer {
        id: own.unwrap_or_else(|| format!("msg_{}", answer.request_id)),
        model: &answer.model,
        content: Vec::new(),
        stop_reason: None,
        stop_sequence: None,
        usage,
    }
}

/// What we write always has a carrier: a later native target must know it for foreign.
fn thinking<'a>(text: &'a str, state: Option<&State>) -> wire::Block<'a> {
    wire::Block::Thinking { thinking: Cow::Borrowed(text), signature: signature(state) }
}

/// The carrier of a state.
pub(super) fn signature(state: Option<&State>) -> String {
    state.map_or_else(|| State::default().pack(), State::pack)
}

fn tool_use<'a>(call: &'a ToolCall, made: &str) -> wire::Block<'a> {
    let id = if call.id.is_empty() { Cow::Owned(made.to_owned()) } else { Cow::Borrowed(call.id.as_str()) };
    wire::Block::ToolUse {
        id,
        name: Cow::Borrowed(&call.name),
        input: wire::input(&call.arguments, call.free_form),
        cache_control: None,
    }
}

/// What an answer held, which decides how it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) call: bool,
    pub(super) refusal: bool,
}

impl Said {
    fn of(blocks: &[Block]) -> Self {
        Self {
            call: blocks.iter().any(|block| matches!(block, Block::Call(_))),
            refusal: blocks.iter().any(|block| matches!(block, Block::Refusal(_))),
        }
    }

    /// The stop reason and the stop sequence.
    pub(super) fn reason<'a>(&self, stop: &'a StopReason) -> (&'static str, Option<&'a str>) {
        let sequence = if let StopReason::StopSequence(sequence) = stop { sequence.as_deref() } else { None };
        match stop.clone().settled(self.call) {
            StopReason::End | StopReason::Other(_) if self.refusal => ("refusal", None),
            StopReason::End | StopReason::Other(_) => ("end_turn", None),
            StopReason::StopSequence(_) => ("stop_sequence", sequence),
            StopReason::ToolCalls => ("tool_use", None),
            StopReason::Limit => ("max_tokens", None),
            StopReason::ContextFull => ("model_context_window_exceeded", None),
            StopReason::Refuse => ("refusal", None),
            StopReason::Pause => ("pause_turn", None),
        }
    }
}

//! Answers and events as the reference writes them, members in a fixed order.

use super::wire::Block;
use crate::base::pen::{Pen, Put};
use crate::ir::response::Usage;

/// An answer, whole or as a stream begins it.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) id: String,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) usage: Counts,
}

impl Put for Answer<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("id", &self.id);
            pen.put("type", "message");
            pen.put("role", "assistant");
            pen.put("model", self.model);
            pen.put("content", &self.content);
            pen.put("stop_reason", &self.stop_reason);
            pen.put("stop_sequence", &self.stop_sequence);
            pen.put("usage", &self.usage);
        });
    }
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) input_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    /// Demanded everywhere.
    pub(super) output_tokens: u64,
    /// What the output was spent on.
    pub(super) thinking_tokens: Option<u64>,
}

impl Put for Counts {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put_some("input_tokens", self.input_tokens);
            pen.put_some("cache_creation_input_tokens", self.cache_creation_input_tokens);
            pen.put_some("cache_read_input_tokens", self.cache_read_input_tokens);
            pen.put("output_tokens", &self.output_tokens);
            if let Some(tokens) = self.thinking_tokens {
                pen.object_at("output_tokens_details", |pen| pen.put("thinking_tokens", &tokens));
            }
        });
    }
}

/// An event of a stream.
#[derive(Debug)]
pub(super) enum Event<'a> {
    MessageStart { message: Answer<'a> },
    ContentBlockStart { index: usize, content_block: Block<'a> },
    ContentBlockDelta { index: usize, delta: Delta<'a> },
    ContentBlockStop { index: usize },
    MessageDelta { delta: End<'a>, usage: Counts },
    MessageStop,
}

impl Event<'_> {
    /// Writes its members.
    pub(super) fn members(&self, pen: &mut Pen<'_>) {
        pen.put("type", self.name());
        match self {
            Self::MessageStart { message } => pen.put("message", message),
            Self::ContentBlockStart { index, content_block } => {
                pen.put("index", index);
                pen.put("content_block", content_block);
            }
            Self::ContentBlockDelta { index, delta } => {
                pen.put("index", index);
                pen.put("delta", delta);
            }
            Self::ContentBlockStop { index } => pen.put("index", index),
            Self::MessageDelta { delta, usage } => {
                pen.put("delta", delta);
                pen.put("usage", usage);
            }
            Self::MessageStop => {}
        }
    }
}

/// What a block grows by.
#[derive(Debug)]
pub(super) enum Delta<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str },
    Signature { signature: String },
    Input { partial_json: &'a str },
}

impl Put for Delta<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let (kind, key, text) = match self {
            Self::Text { text } => ("text_delta", "text", *text),
            Self::Thinking { thinking } => ("thinking_delta", "thinking", *thinking),
            Self::Signature { signature } => ("signature_delta", "signature", signature.as_str()),
            Self::Input { partial_json } => ("input_json_delta", "partial_json", *partial_json),
        };
        pen.object(|pen| {
            pen.put("type", kind);
            pen.put(key, text);
        });
    }
}

/// Why an answer ended.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) stop_reason: &'static str,
    pub(super) stop_sequence: Option<&'a str>,
}

impl Put for End<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("stop_reason", self.stop_reason);
            pen.put("stop_sequence", &self.stop_sequence);
        });
    }
}

impl Event<'_> {
    /// The name of its frame, which is its type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

impl Counts {
    /// The counts as this protocol divides them: cached input stands apart.
    pub(super) fn of(usage: &Usage) -> Self {
        let apart = usage.cached.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
        Self {
            input_tokens: usage.input.map(|sum| sum.saturating_sub(apart)),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cached,
            output_tokens: usage.output.unwrap_or(0),
            thinking_tokens: usage.reasoning,
        }
    }
}

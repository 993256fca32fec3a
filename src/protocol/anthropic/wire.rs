//! Requests, and the blocks of answers too, as the reference writes them, members in a fixed order:
//! the same conversation gives the same bytes, which the provider's prompt cache needs.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::base::pen::{Pen, Put, Raw};
use crate::base::surrogate;
use crate::base::tree::Tree;
use crate::ir::search::Search;
use crate::protocol::search;
use crate::protocol::unwrap::{INPUT, RAW};

/// The name that the search must have.
pub(super) const SEARCH: &str = "web_search";

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    pub(super) max_tokens: u64,
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) search: Option<&'a Search>,
    pub(super) tool_choice: Option<ToolChoice>,
    pub(super) sampling: Sampling<'a>,
    pub(super) thinking: Option<Thinking>,
    pub(super) output_config: Option<OutputConfig<'a>>,
    pub(super) stream: bool,
}

impl Put for Request<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("model", self.model);
            pen.put("max_tokens", &self.max_tokens);
            pen.put_all("system", &self.system);
            pen.put("messages", &self.messages);
            if !self.tools.is_empty() || self.search.is_some() {
                pen.list_at("tools", |pen| {
                    self.tools.iter().for_each(|tool| pen.add(tool));
                    self.search.iter().for_each(|search| pen.add_object(|pen| declare_search(search, pen)));
                });
            }
            pen.put_some("tool_choice", self.tool_choice.as_ref());
            let sampling = &self.sampling;
            pen.put_some("temperature", sampling.temperature.as_ref());
            pen.put_some("top_p", sampling.top_p.as_ref());
            pen.put_some("top_k", sampling.top_k);
            pen.put_all("stop_sequences", &sampling.stop_sequences);
            pen.put_some("thinking", self.thinking.as_ref());
            pen.put_some("output_config", self.output_config.as_ref());
            pen.put_some("stream", self.stream.then_some(true));
        });
    }
}

/// How tokens are drawn.
#[derive(Debug, Default)]
pub(super) struct Sampling<'a> {
    pub(super) temperature: Option<serde_json::Number>,
    pub(super) top_p: Option<serde_json::Number>,
    pub(super) top_k: Option<&'a serde_json::Number>,
    pub(super) stop_sequences: Vec<&'a str>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    pub(super) content: Vec<Block<'a>>,
}

impl Put for Message<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("role", self.role);
            pen.put("content", &self.content);
        });
    }
}

/// One block of a message or an answer.
#[derive(Debug)]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        cache_control: Option<CacheControl>,
    },
    Document {
        source: Source<'a>,
        title: Option<&'a str>,
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: Cow<'a, str>,
        signature: String,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Box<RawValue>,
        cache_control: Option<CacheControl>,
    },
    ToolResult {
        tool_use_id: String,
        content: Vec<Self>,
        is_error: bool,
        cache_control: Option<CacheControl>,
    },
    /// A block of this vendor that goes back exactly as it came.
    Exact(&'a Value),
}

impl Put for Block<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        if let Self::Exact(value) = self {
            return value.write(pen);
        }
        pen.object(|pen| match self {
            Self::Text { text, cache_control } => {
                pen.put("type", "text");
                pen.put("text", text);
                pen.put_some("cache_control", *cache_control);
            }
            Self::Image { source, cache_control } => {
                pen.put("type", "image");
                pen.put("source", source);
                pen.put_some("cache_control", *cache_control);
            }
            Self::Document { source, title, cache_control } => {
                pen.put("type", "document");
                pen.put("source", source);
                pen.put_some("title", *title);
                pen.put_some("cache_control", *cache_control);
            }
            Self::Thinking { thinking, signature } => {
                pen.put("type", "thinking");
                pen.put("thinking", thinking);
                pen.put("signature", signature);
            }
            Self::ToolUse { id, name, input, cache_control } => {
                pen.put("type", "tool_use");
                pen.put("id", id);
                pen.put("name", name);
                pen.put("input", &**input);
                pen.put_some("cache_control", *cache_control);
            }
            Self::ToolResult { tool_use_id, content, is_error, cache_control } => {
                pen.put("type", "tool_result");
                pen.put("tool_use_id", tool_use_id);
                pen.put_all("content", content);
                pen.put_some("is_error", is_error.then_some(true));
                pen.put_some("cache_control", *cache_control);
            }
            Self::Exact(_) => {}
        });
    }
}

/// Where an image or a document is.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
    Url { url: &'a str },
    Text { media_type: &'static str, data: String },
}

impl Put for Source<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| match self {
            Self::Base64 { media_type, data } => {
                pen.put("type", "base64");
                pen.put("media_type", media_type);
                pen.put("data", data);
            }
            Self::Url { url } => {
                pen.put("type", "url");
                pen.put("url", *url);
            }
            Self::Text { media_type, data } => {
                pen.put("type", "text");
                pen.put("media_type", *media_type);
                pen.put("data", data);
            }
        });
    }
}

/// A mark: up to here the provider may cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheControl {}

impl Put for CacheControl {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(br#"{"type":"ephemeral"}"#);
    }
}

/// A tool.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    pub(super) name: String,
    pub(super) description: Option<Cow<'a, str>>,
    /// JSON text.
    pub(super) input_schema: Cow<'a, str>,
    pub(super) cache_control: Option<CacheControl>,
}

impl Put for Tool<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("name", &self.name);
            pen.put_some("description", self.description.as_ref());
            pen.put("input_schema", &Raw(self.input_schema.as_bytes()));
            pen.put_some("cache_control", self.cache_control);
        });
    }
}

fn declare_search(search: &Search, pen: &mut Pen<'_>) {
    pen.put("type", "web_search_20250305");
    pen.put("name", SEARCH);
    pen.put_all("allowed_domains", &search.domains);
    search::put_place(search, pen);
}

/// Which tools may or must be called.
#[derive(Debug)]
pub(super) struct ToolChoice {
    pub(super) kind: &'static str,
    pub(super) name: Option<String>,
    pub(super) disable_parallel_tool_use: bool,
}

impl Put for ToolChoice {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("type", self.kind);
            pen.put_some("name", self.name.as_ref());
            pen.put_some("disable_parallel_tool_use", self.disable_parallel_tool_use.then_some(true));
        });
    }
}

/// Whether and how much is thought.
#[derive(Debug)]
pub(super) struct Thinking {
    pub(super) kind: &'static str,
    pub(super) budget_tokens: Option<u64>,
    pub(super) display: Option<&'static str>,
}

impl Put for Thinking {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("type", self.kind);
            pen.put_some("budget_tokens", self.budget_tokens);
            pen.put_some("display", self.display);
        });
    }
}

/// Effort and form of the answer.
#[derive(Debug)]
pub(super) struct OutputConfig<'a> {
    pub(super) effort: Option<&'static str>,
    pub(super) format: Option<Format<'a>>,
}

impl Put for OutputConfig<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put_some("effort", self.effort);
            pen.put_some("format", self.format.as_ref());
        });
    }
}

/// The form of the answer.
#[derive(Debug)]
pub(super) struct Format<'a> {
    pub(super) kind: &'static str,
    pub(super) schema: Tree<'a>,
}

impl Put for Format<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("type", self.kind);
            pen.put("schema", &self.schema);
        });
    }
}

impl<'a> Block<'a> {
    /// A text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text { text: text.into(), cache_control: None }
    }

    /// Sets a cache mark on it, where it takes one.
    pub(super) fn mark(&mut self) {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => *cache_control = Some(CacheControl {}),
            Self::Thinking { .. } | Self::Exact(_) => {}
        }
    }
}

/// The input of a call as raw JSON: `{}` when it is empty, `{"_raw": TEXT}` when it is no object,
/// `{"input": TEXT}` for a free-form tool (SPEC 8.3, 8.4).
pub(super) fn input(arguments: &str, free_form: bool) -> Box<RawValue> {
    if free_form {
        return wrapped(INPUT, arguments);
    }
    let is_object = arguments.trim_start().starts_with('{');
    // Half a surrogate pair in an escape is no JSON to the target.
    match RawValue::from_string(surrogate::mended(arguments).unwrap_or_else(|| arguments.to_owned())) {
        Ok(raw) if is_object => raw,
        _ if arguments.trim().is_empty() => raw("{}".to_owned()),
        _ => wrapped(RAW, arguments),
    }
}

fn wrapped(name: &str, text: &str) -> Box<RawValue> {
    raw(format!("{{\"{name}\":{}}}", crate::base::json::quoted(text)))
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::unwrap;

    #[test]
    fn arguments_are_always_an_object_and_come_back() {
        for (text, json) in [
            ("", "{}"),
            (" {\"a\": 1.0}", "{\"a\": 1.0}"),
            ("[1]", r#"{"_raw":"[1]"}"#),
            ("{\"cut", r#"{"_raw":"{\"cut"}"#),
            (r#"{"a":"\ud83d\ude00\ud83d","n":1e400}"#, r#"{"a":"\ud83d\ude00\ufffd","n":1e400}"#),
        ] {
            assert_eq!(input(text, false).get(), json);
        }
        assert_eq!(input("a\"b", true).get(), r#"{"input":"a\"b"}"#);
        assert_eq!(unwrap::arguments(&Tree::read(r#"{"_raw":"{\"cut"}"#).unwrap()), "{\"cut");
    }
}

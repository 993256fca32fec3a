//! One message of Chat, as it is written.

use std::borrow::Cow;

use serde_json::Value;

use crate::base::object::Object;
use crate::base::pen::{Pen, Put};

/// One message.
#[derive(Default)]
pub(super) struct Message<'r> {
    pub(super) role: &'static str,
    pub(super) content: Content<'r>,
    pub(super) reasoning_content: Option<Cow<'r, str>>,
    pub(super) reasoning: Option<Cow<'r, str>>,
    pub(super) reasoning_details: Option<Vec<&'r Value>>,
    pub(super) refusal: Option<Cow<'r, str>>,
    pub(super) tool_calls: Vec<Call<'r>>,
    pub(super) tool_call_id: Option<String>,
}

impl Put for Message<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("role", self.role);
            pen.key("content");
            match &self.content {
                Content::Null => pen.raw(b"null"),
                Content::Text(text) => text.write(pen),
                Content::Parts(parts) => parts.write(pen),
            }
            pen.put_some("reasoning_content", self.reasoning_content.as_ref());
            pen.put_some("reasoning", self.reasoning.as_ref());
            pen.put_some("reasoning_details", self.reasoning_details.as_ref());
            pen.put_some("refusal", self.refusal.as_ref());
            pen.put_all("tool_calls", &self.tool_calls);
            pen.put_some("tool_call_id", self.tool_call_id.as_ref());
        });
    }
}

/// What a message says.
#[derive(Default)]
pub(super) enum Content<'r> {
    /// An assistant only calls.
    #[default]
    Null,
    Text(Cow<'r, str>),
    Parts(Vec<Part<'r>>),
}

/// One of the parts of a content that is more than a text.
pub(super) enum Part<'r> {
    Text(Cow<'r, str>),
    Media(Object),
}

impl Put for Part<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Self::Media(media) => media.write(pen),
            Self::Text(text) => pen.object(|pen| {
                pen.put("type", "text");
                pen.put("text", text);
            }),
        }
    }
}

/// A call of a function.
pub(super) struct Call<'r> {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Cow<'r, str>,
    pub(super) extra_content: Option<&'r Value>,
}

impl Put for Call<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("id", &self.id);
            pen.put("type", "function");
            pen.object_at("function", |pen| {
                pen.put("name", &self.name);
                pen.put("arguments", &self.arguments);
            });
            pen.put_some("extra_content", self.extra_content);
        });
    }
}

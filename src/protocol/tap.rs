//! The native lane's listening post: what a codec tells of bytes that it does not decode.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::base::json::{self, Members};
use crate::base::tree::Tree;
use crate::ir::response::Usage;
use crate::protocol::Protocol;
use crate::protocol::error::ProviderError;

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The model's name, if the body has one that is not empty.
    pub model: Option<String>,
    /// Is a stream wanted?
    pub stream: bool,
    /// Did the client ask for a usage chunk (Chat)?
    pub wants_usage: bool,
    /// What the body says of the session it belongs to (SPEC 5.5).
    pub session: Option<String>,
}

/// What a body says of its session (SPEC 5.5): `prompt_cache_key`, else `metadata.user_id`; when that
/// is a JSON text, the `session_id` in it. An empty one says nothing.
pub(super) fn session(text: &str, members: &Members) -> Option<String> {
    let of_user = || {
        let (inner, metadata) = members.object(text, "metadata")?;
        let user = metadata.string(inner, "user_id")?;
        let parsed = Tree::read(&user).unwrap_or_default();
        let session = parsed.text("session_id").map(str::to_owned);
        session.or(Some(user)).filter(|name| !name.is_empty())
    };
    members.string(text, "prompt_cache_key").filter(|name| !name.is_empty()).or_else(of_user)
}

/// A member of a request that cannot be what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskError {
    /// The member.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.field, self.expected)
    }
}

/// What an answer told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its token counts.
    pub usage: Usage,
    /// Was the end told to the client: the terminal event of SPEC 8.11, or an error that ends it?
    pub finished: bool,
    /// Did it end before it was complete: a limit or a filter?
    pub incomplete: bool,
    /// An error that came inside the answer.
    pub error: Option<ProviderError>,
    /// Is it one that the protocol's clients take for something else, or for nothing?
    pub is_unseen: bool,
    /// The answer's id (Responses).
    pub id: Option<String>,
    /// The number of the next event (Responses).
    pub sequence: u64,
}

/// What one frame, or a whole answer, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its part in the story.
    pub kind: Kind,
    /// Where the model's name lies in its text, quotes included.
    pub model: Option<Range<usize>>,
    /// Where the words lie of an event that would be seen in the same way with any others, quotes left
    /// out.
    pub words: Option<Range<usize>>,
}

/// The part of a frame in the story of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The stream begins, or an empty block does: nothing that a reader would see.
    Opening,
    /// A sign of life.
    Beat,
    /// Text, reasoning, a tool call.
    Content,
    /// The regular end of the answer; more frames may follow.
    End,
    /// Nothing but token counts.
    Usage,
    /// Nothing comes after it.
    Last,
    /// An error.
    Failure,
    /// A frame of a type that is not known.
    Unknown,
    /// A known frame that is not what it must be.
    Broken,
}

impl Seen {
    /// A frame without a model's name.
    pub fn plain(kind: Kind) -> Self {
        Self { kind, model: None, words: None }
    }
}

/// A string member, `None` when it is missing, null or empty.
///
/// # Errors
/// It is something else.
pub fn string_field(text: &str, members: &Members, field: &'static str) -> Result<Option<String>, AskError> {
    match members.get(text, field) {
        None | Some("null") => Ok(None),
        Some(value) => match serde_json::from_str::<String>(value) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(_) => Err(AskError { field, expected: "a string" }),
        },
    }
}

/// A boolean member, false when it is missing or null.
///
/// # Errors
/// It is something else.
pub fn flag_field(text: &str, members: &Members, field: &'static str) -> Result<bool, AskError> {
    match members.get(text, field) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(AskError { field, expected: "true or false" }),
    }
}

/// Is this a JSON object whose member of that name is a number?
pub fn has_number(text: &str, field: &str) -> bool {
    Members::read(text).is_ok_and(|members| members.number(text, field).is_some())
}

/// An answer or an event, read to be looked at.
///
/// # Errors
/// What it is otherwise: no JSON object, or one too deep to be read, which is passed on.
pub fn read(text: &str) -> Result<Tree<'_>, Kind> {
    match Tree::read(text) {
        Ok(tree) if tree.is_object() => Ok(tree),
        Err(_) if Members::read(text).is_ok() => Err(Kind::Content),
        Ok(_) | Err(_) => Err(Kind::Broken),
    }
}

/// Where the value lies to which these names lead, quotes included, in the text that the object was
/// read of.
pub fn place(whole: &str, object: &Tree<'_>, names: &[&str]) -> Option<Range<usize>> {
    let mut value = object;
    for name in names {
        value = value.get(name)?;
    }
    let around = |words: Range<usize>| words.start.saturating_sub(1)..words.end + 1;
    words(whole, value).map(around).or_else(|| range(whole, names))
}

fn range(text: &str, names: &[&str]) -> Option<Range<usize>> {
    let (name, inner) = names.split_first()?;
    let outer = Members::read(text).ok()?.range(text, name)?;
    if inner.is_empty() {
        return Some(outer);
    }
    let inside = range(text.get(outer.clone())?, inner)?;
    Some(outer.start + inside.start..outer.start + inside.end)
}

/// Where a text lies, quotes left out. `None` where it is none, or is written with escapes.
pub fn words(whole: &str, value: &Tree<'_>) -> Option<Range<usize>> {
    match value {
        Tree::Text(Cow::Borrowed(text)) => Some(json::place(whole, text)),
        Tree::Text(Cow::Owned(_))
        | Tree::Null
        | Tree::Bool(_)
        | Tree::Number(_)
        | Tree::List(_)
        | Tree::Object(_) => None,
    }
}

/// The protocol of a request whose path belongs to none: a header or its members tell (SPEC 3.1).
pub fn spoken(text: &str, members: &Members, has_header: impl Fn(&str) -> bool) -> Protocol {
    let has = |name| members.has(text, name);
    if has_header("anthropic-version") {
        Protocol::Anthropic
    } else if has("contents") {
        Protocol::Gemini
    } else if has("input") {
        Protocol::OpenaiResponses
    } else if has("messages") && has("max_tokens") && has("system") {
        Protocol::Anthropic
    } else {
        Protocol::OpenaiChat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_its_session_in_one_of_two_places() {
        let named = |body: serde_json::Value| {
            let text = body.to_string();
            let members = Members::read(&text).unwrap();
            let asked = |protocol: Protocol| protocol.codec().tap_request(&text, &members).unwrap().session;
            let [chat, others @ ..] =
                [Protocol::OpenaiChat, Protocol::OpenaiResponses, Protocol::Anthropic].map(asked);
            assert!(others.iter().all(|other| *other == chat), "{text}");
            chat
        };
        use serde_json::json;
        let of_user = |user: &str| named(json!({"metadata": {"user_id": user}}));
        assert_eq!(of_user(r#"{"device_id":"d","session_id":"s-1"}"#).as_deref(), Some("s-1"));
        assert_eq!(of_user("user_7").as_deref(), Some("user_7"));
        assert_eq!(of_user(""), None);
        let both = json!({"prompt_cache_key": "k", "metadata": {"user_id": "u"}});
        assert_eq!(named(both).as_deref(), Some("k"));
        let empty = json!({"prompt_cache_key": "", "metadata": {"user_id": "u"}});
        assert_eq!(named(empty).as_deref(), Some("u"));
    }
}

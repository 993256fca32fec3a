//! Floor 2: the four languages, one table of codecs.
//!
//! A codec knows one vendor's wire: paths, credentials, shapes of errors and model lists, and what
//! lies where in a request, an answer or a stream. Nobody outside this folder matches on
//! [`Protocol`]; whoever wants something of a protocol asks its [`Codec`].

pub mod anthropic;
pub mod dialect;
pub mod error;
pub mod excerpt;
pub mod fault;
mod fields;
pub mod foreign;
pub mod gemini;
mod in_turn;
pub mod listing;
mod media;
mod openai;
pub mod openai_chat;
pub mod openai_responses;
mod parameters;
mod path;
mod reminder;
mod search;
pub mod tap;
mod unwrap;
pub mod wire;

use std::borrow::Cow;

use crate::base::json::Members;
use crate::base::pen::{Pen, Put};
use crate::base::words::{Words, words};
use dialect::ReasoningStyle;
use fault::{Fault, Overflow};
use foreign::Cleared;
use listing::{ListQuery, ModelCard};
use tap::{Ask, AskError, Facts, Seen};
use wire::Wire;

macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident => $codec:expr),+ $(,)?) => {
        /// One of the four languages spoken on both sides.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Protocol { $($(#[$doc])* $name),+ }

        impl Protocol {
            /// All of them.
            pub const ALL: [Self; 4] = [$(Self::$name),+];

            /// What knows this protocol's wire.
            pub fn codec(self) -> &'static dyn Codec {
                match self { $(Self::$name => &$codec),+ }
            }
        }
    };
}

protocols! {
    /// OpenAI Chat Completions.
    OpenaiChat => openai_chat::CODEC,
    /// OpenAI Responses.
    OpenaiResponses => openai_responses::CODEC,
    /// Anthropic Messages.
    Anthropic => anthropic::CODEC,
    /// Google Gemini generateContent.
    Gemini => gemini::CODEC,
}

impl Protocol {
    /// The name in configurations, logs and headers.
    pub fn name(self) -> &'static str {
        self.codec().name()
    }

    /// The protocol of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }
}

/// One vendor's wire.
pub trait Codec: Sync {
    /// The protocol's name in configurations, logs and headers.
    fn name(&self) -> &'static str;

    // Towards clients.

    /// The paths under which clients find it, longest first; one of them is the empty one where
    /// the protocol's paths are unmistakable.
    fn prefixes(&self) -> &'static [&'static str];

    /// What a path below a prefix means.
    fn action(&self, below_prefix: &str) -> Option<Action>;

    /// The status of an error answer.
    fn status(&self, fault: &Fault) -> u16 {
        fault.status
    }

    /// The body of an error answer.
    fn error_body(&self, fault: &Fault, request_id: &str) -> String;

    /// What this protocol's clients must read of an exceeded context, where the provider's text does
    /// not say it so.
    fn overflow(&self, _said: &str, _known: Overflow) -> Option<String> {
        None
    }

    /// The header in which this protocol's clients look for the id of a request.
    fn request_id_header(&self) -> Option<&'static str> {
        None
    }

    /// Do this protocol's clients send their key in the query?
    fn takes_key_in_query(&self) -> bool {
        false
    }

    /// What ends a stream that fails: the frames of the error, in this protocol's stream.
    fn error_frames(&self, fault: &Fault, stage: &Stage<'_>) -> String;

    /// A sign of life that every client of this protocol takes for nothing else; `running` when
    /// events were sent, else the head alone.
    fn keepalive(&self, running: bool) -> &'static str;

    /// The answer to a count of input tokens.
    fn count_body(&self, tokens: u64) -> String {
        serde_json::json!({ "input_tokens": tokens }).to_string()
    }

    /// Is this the answer to a count?
    fn is_count(&self, text: &str) -> bool {
        tap::has_number(text, "input_tokens")
    }

    /// The part of a request for a count that is read as a request.
    fn counted<'t>(&self, text: &'t str, _members: &Members) -> &'t str {
        text
    }

    /// Characters that make a token, as this vendor's tokenizers do it on average (SPEC 7.3).
    fn characters_per_token(&self) -> f64 {
        4.0
    }

    /// The list of models in this protocol's shape.
    fn model_list(&self, cards: &[ModelCard], query: &ListQuery) -> String;

    /// One model in this protocol's shape.
    fn model_entry(&self, card: &ModelCard) -> String;

    // Towards providers.

    /// The header that carries a key, and its value.
    fn credential(&self, key: &str) -> (&'static str, String);

    /// The path and query below the provider's base URL for a generation.
    fn upstream_path(&self, model: &str, stream: bool) -> String;

    /// The path below the provider's base URL for a task that is no answer, where it has one.
    fn task_path(&self, _task: Task) -> Option<&'static str> {
        None
    }

    /// The path below the provider's base URL that counts a request's input tokens.
    fn count_path(&self, _model: &str) -> Option<String> {
        None
    }

    /// The path and query below the provider's base URL for the list of its models.
    fn upstream_models_path(&self) -> &'static str {
        "/models"
    }

    /// A header that the provider demands, when the client sent none.
    fn required_header(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    // The native lane: what lies where.

    /// The member of a request that names the model; `None` when the path does.
    fn model_field(&self) -> Option<&'static str> {
        Some("model")
    }

    /// The members of a request that limit its output tokens, as dotted paths.
    fn limit_fields(&self) -> &'static [&'static str];

    /// The same members as providers read them, too: spelled otherwise.
    fn limit_spellings(&self) -> &'static [&'static str] {
        &[]
    }

    /// The members of a request that may be left out when a target refuses them: hints, and what is
    /// only degraded without them (SPEC 8.9); as dotted paths.
    fn droppable(&self) -> &'static [&'static str];

    /// What to set in a request so that a stream of this protocol tells its usage: a dotted path and
    /// JSON text.
    fn ask_for_usage(&self, _ask: &Ask) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Do providers of this protocol fetch images by their addresses?
    fn takes_image_urls(&self) -> bool {
        true
    }

    /// Do clients of this protocol take SSE comments?
    fn takes_comments(&self) -> bool {
        true
    }

    /// A request without the client's attribution block, if it has one: the member to replace and
    /// its new JSON text.
    fn without_attribution(&self, _text: &str, _members: &Members) -> Option<(&'static str, String)> {
        None
    }

    /// A request without what its target cannot read in the client's history: state of another
    /// provider, which a turn that was translated has left there, and, where they are to go, ids of calls.
    fn cleared(&self, _text: &str, _members: &Members, _strip_call_ids: bool) -> Option<Cleared> {
        None
    }

    /// What a request asks for.
    ///
    /// # Errors
    /// A member that must be read has another type than it can have.
    fn tap_request(&self, text: &str, members: &Members) -> Result<Ask, AskError>;

    /// What a whole answer tells.
    fn tap_whole(&self, text: &str, facts: &mut Facts) -> Seen;

    /// What one frame of a stream tells.
    fn tap_frame(&self, event: Option<&str>, text: &str, facts: &mut Facts) -> Seen;

    /// How a model of that name is asked to reason, when nobody has said (SPEC 8.6).
    fn reasoning_style(&self, model: &str) -> ReasoningStyle {
        dialect::style_by_name(model).unwrap_or(ReasoningStyle::Effort)
    }

    /// The translated lane.
    fn wire(&self) -> &'static dyn Wire;
}

/// What is asked of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// An answer.
    #[default]
    Answer,
    /// A shortened conversation (Responses).
    Compact,
    /// A text that goes on (OpenAI's first protocol, which Chat took the place of); no other protocol has it.
    Complete,
}

words! {
    Task { "answer" = Answer, "compact" = Compact, "complete" = Complete }
}

impl Put for Task {
    fn write(&self, pen: &mut Pen<'_>) {
        self.word().write(pen);
    }
}

/// What a client wants of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something is made. The model and whether it is streamed, where the path says so.
    Generate {
        /// What.
        task: Task,
        /// The model's name, percent-decoded.
        model: Option<String>,
        /// Is a stream wanted?
        stream: Option<bool>,
    },
    /// A count of input tokens.
    Count {
        /// The model's name, percent-decoded.
        model: Option<String>,
    },
    /// Something that the provider keeps.
    Stored {
        /// The methods, as the value of `allow`.
        allow: &'static str,
    },
}

/// How far a stream towards a client has come.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Were events sent, or the head alone?
    pub running: bool,
    /// The model's name as it was asked for.
    pub model: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// Seconds since 1970, for the fields that want a time.
    pub created: u64,
    /// What the answer told so far.
    pub facts: &'a Facts,
}

/// Undoes percent-encoding; what is not UTF-8 then, or badly encoded, stays as it is.
pub fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A model's name in an upstream path: percent-encoded but for `/` (SPEC 8.1).
pub fn percent_encoded(name: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::request::{Block, Media, MediaKind, Request, ResultPart, Role, Source, ToolResult, Turn};
    use crate::protocol::dialect::Dialect;
    use crate::protocol::wire::TargetContext;

    #[test]
    fn every_protocol_is_found_by_its_name() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::named(protocol.name()), Some(protocol));
        }
        assert_eq!(Protocol::named("grpc"), None);
    }

    #[test]
    fn an_answer_that_tells_an_error_is_none() {
        for (protocol, text) in [
            (
                Protocol::OpenaiChat,
                r#"{"id":"1","error":{"message":"m"},"choices":[{"message":{"content":"x"}}]}"#,
            ),
            (Protocol::OpenaiResponses, r#"{"error":{"message":"m"},"output":[]}"#),
            (Protocol::OpenaiResponses, r#"{"id":"1","status":"failed","output":[]}"#),
            (Protocol::Anthropic, r#"{"type":"error","error":{"message":"m"},"content":[]}"#),
            (Protocol::Gemini, r#"{"error":{"message":"m"},"candidates":[]}"#),
        ] {
            let codec = protocol.codec();
            assert_eq!(codec.tap_whole(text, &mut Facts::default()).kind, tap::Kind::Failure, "{text}");
            assert!(codec.wire().decode_response(text, "seed").is_err(), "{text}");
        }
    }

    #[test]
    fn names_go_into_paths_and_come_out_again() {
        for name in ["gpt-5", "openai/gpt-5:free", "ä b?#%", "a%2Fb"] {
            assert_eq!(percent_decoded(&percent_encoded(name)), name);
        }
        assert_eq!(percent_encoded("a/b:c d"), "a/b%3Ac%20d");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%+f%41"), "%zz%+fA");
    }

    #[test]
    fn media_of_a_result_without_its_call_are_not_lost() {
        let source = Source::Inline { mime: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
        let media = Media { kind: MediaKind::Image, source, name: None, detail: None };
        let content = vec![ResultPart::Text("seen".into()), ResultPart::Media(media)];
        let result = ToolResult { id: "c".into(), name: None, content, failed: false };
        let turns = vec![Turn::of(Role::User, Block::Result(result))];
        let request = Request { turns, ..Request::default() };
        for protocol in Protocol::ALL {
            let target = TargetContext { model: "m", dialect: &Dialect::default(), session: None };
            let (text, _) = protocol.codec().wire().encode_request(&request, &target);
            assert!(text.contains("seen") && text.contains("iVBORw0KGgo="), "{protocol:?}: {text}");
        }
    }
}

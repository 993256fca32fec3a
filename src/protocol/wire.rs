//! What a codec does on the translated lane: its wire to neutral words, and back.
//!
//! Decoders accept what real clients and servers send; encoders send only what the reference of
//! their protocol allows. Both are pure: bytes and values in, bytes and values out. Ids and times
//! come from the context, so that the same input gives the same output.

use std::fmt;

use crate::ir::loss::Losses;
use crate::ir::names::NameRule;
use crate::ir::request::{Compaction, Request};
use crate::ir::response::Response;
use crate::ir::stream::StreamEvent;
use crate::ir::tool::Tool;
use crate::protocol::Task;
use crate::protocol::dialect::Dialect;

/// One protocol's wire.
pub trait Wire: Sync {
    /// Reads a client's request. What the neutral model has no word for is a loss.
    ///
    /// # Errors
    /// A known member is not what it must be.
    fn decode_request(&self, text: &str) -> Result<(Request, Losses), WireError>;

    /// Reads a client's request for a task.
    ///
    /// # Errors
    /// A known member is not what it must be; or the protocol has no such task.
    fn decode_task(&self, task: Task, text: &str) -> Result<(Request, Losses), WireError> {
        match task {
            Task::Answer => self.decode_request(text),
            Task::Compact | Task::Complete => {
                Err(WireError::new("path", "one of a protocol that has such requests"))
            }
        }
    }

    /// Writes a request for a target. `request.stream` says whether a stream is asked for where the
    /// body says so.
    fn encode_request(&self, request: &Request, target: &TargetContext<'_>) -> (String, Losses);

    /// Can this request ask a target of this protocol to search the web, if it has such a search?
    fn can_search(&self, _request: &Request) -> bool {
        false
    }

    /// Do this protocol's clients send reasoning back? Those that do not get its words as state.
    fn keeps_reasoning(&self) -> bool {
        true
    }

    /// Is there a field in which this protocol's clients send opaque state back?
    fn carries_state(&self) -> bool {
        true
    }

    /// The names that tools may have in this protocol.
    fn name_rule(&self) -> NameRule {
        NameRule { length: 64, extra: "", starts_with_letter: false }
    }

    /// A call's id as targets of this protocol take it: its clients send it back to any of them.
    fn fit_call_id(&self, id: &str) -> String {
        id.to_owned()
    }

    /// Reads a target's whole answer. Ids that it lacks are made of `seed`.
    ///
    /// # Errors
    /// It is no answer of this protocol.
    fn decode_response(&self, text: &str, seed: &str) -> Result<Response, WireError>;

    /// Writes a whole answer for a client.
    fn encode_response(&self, response: &Response, answer: &AnswerContext) -> (String, Losses);

    /// Reads a target's stream. Ids that it lacks are made of `seed`.
    fn stream_decoder(&self, seed: &str) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client.
    fn stream_encoder(&self, answer: &AnswerContext) -> Box<dyn StreamEncoder>;
}

/// Frames -> events. It makes the boundaries that its wire leaves out, so that its events obey
/// [`crate::ir::grammar`].
pub trait StreamDecoder {
    /// Takes one frame; its events are added to `out`.
    ///
    /// # Errors
    /// A known frame is not what it must be.
    fn frame(&mut self, event: Option<&str>, data: &str, out: &mut Vec<StreamEvent>)
    -> Result<(), WireError>;

    /// Takes one frame if it tells words of the answer and nothing else, which needs no look at it
    /// before: no end, no counts, no error. Any other is left alone.
    fn words(&mut self, _event: Option<&str>, _data: &str, _out: &mut Vec<StreamEvent>) -> bool {
        false
    }

    /// The input is at its end: what was still owed is added to `out`. An end that the provider did
    /// not tell is not made up: without [`StreamEvent::Finish`] the stream is truncated.
    fn finish(&mut self, out: &mut Vec<StreamEvent>);
}

/// Events -> frames. It may rely on [`crate::ir::grammar`].
pub trait StreamEncoder {
    /// Takes one event; its frames are added to `out`.
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>);

    /// The id of the answer and the number of the next event, where the protocol counts them.
    fn progress(&self) -> (Option<String>, u64) {
        (None, 0)
    }

    /// About how many bytes wait to be told: blocks whose turn has not come, calls that go out
    /// whole.
    fn kept(&self) -> usize {
        0
    }

    /// Was all told that the client must have? Without it an end is none: the stream is cut off.
    fn is_complete(&self) -> bool {
        true
    }

    /// The stream is at its end, which [`StreamEvent::Finish`] has told: what closes it.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// What an encoder must know of the target of a request.
#[derive(Clone, Copy, Debug)]
pub struct TargetContext<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// What its server wants.
    pub dialect: &'a Dialect,
    /// A key of the session, for the provider's prompt cache, when the client gave none.
    pub session: Option<&'a str>,
}

/// What an encoder must know of the client of an answer.
#[derive(Clone, Debug, Default)]
pub struct AnswerContext {
    /// The id of the request; ids that are made begin with the protocol's prefix and end with it.
    pub request_id: String,
    /// The model's name as it was asked for.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The estimate of input tokens, where a number is demanded before one is known.
    pub estimated_input: u64,
    /// Did the client ask for a usage chunk (Chat)?
    pub wants_usage: bool,
    /// Is visible reasoning shown?
    pub show_reasoning: bool,
    /// The tools of the request that the client knows by more than their name.
    pub tools: Vec<Tool>,
    /// The form of the answer, where it is a summary in place of the conversation.
    pub compaction: Option<Compaction>,
}

/// A wire that is not what it must be. Boxed: most of what can fail does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError(Box<Wrong>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    /// Where: `messages[3].content`.
    path: String,
    /// What it must be.
    expected: String,
}

impl WireError {
    /// An error at a path.
    #[cold]
    #[inline(never)]
    pub fn new(path: impl Into<String>, expected: impl Into<String>) -> Self {
        Self(Box::new(Wrong { path: path.into(), expected: expected.into() }))
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.0.path, self.0.expected)
    }
}

impl std::error::Error for WireError {}

//! How a stream is framed towards a client: server-sent events, or one JSON array that is written
//! element by element (Gemini without `alt=sse`).

use crate::protocol::fault::Fault;
use crate::protocol::{Codec, Stage};

/// How a stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`.
    Events,
    /// `application/json`, an array.
    Array,
}

impl Framing {
    /// The value of `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Array => "application/json",
        }
    }

    /// A sign of life. Inside an array white space means nothing to any reader.
    pub fn keepalive(self, codec: &dyn Codec, running: bool) -> &'static str {
        match self {
            Self::Events => codec.keepalive(running),
            Self::Array => "\n",
        }
    }

    /// What ends a stream that fails.
    pub fn fault(self, codec: &dyn Codec, fault: &Fault, stage: &Stage<'_>) -> String {
        match self {
            Self::Events => codec.error_frames(fault, stage),
            Self::Array => {
                let opening = if stage.running { "," } else { "[" };
                format!("{opening}{}]", codec.error_body(fault, stage.request_id))
            }
        }
    }
}

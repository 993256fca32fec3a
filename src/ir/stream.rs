//! A streamed answer as events. Boundaries are made where the wire is read; who writes a wire may
//! rely on the laws of [`crate::ir::grammar`].

use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};

/// One event of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// The answer begins.
    Start {
        /// The provider's id of it.
        id: Option<String>,
        /// The model that answers, as the provider names it.
        model: Option<String>,
    },
    /// A block begins.
    BlockStart {
        /// Its number, unique in the stream.
        id: BlockId,
        /// What it is.
        kind: BlockKind,
    },
    /// A block grows.
    BlockDelta {
        /// Which.
        id: BlockId,
        /// By what.
        delta: Delta,
    },
    /// A block is whole.
    BlockEnd {
        /// Which.
        id: BlockId,
    },
    /// Token counts; each later report updates the earlier ones.
    Usage(Usage),
    /// The provider said that the answer is at its end.
    Finish {
        /// Why.
        stop: StopReason,
    },
    /// Something was left out that has no neutral words, or is not known.
    Lost {
        /// Its name.
        what: String,
    },
}

/// The number of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Text.
    Text,
    /// The words of a refusal.
    Refusal,
    /// Reasoning.
    Reasoning,
    /// A call of a tool.
    Call {
        /// The id that its result will carry.
        id: String,
        /// The tool's name.
        name: String,
        /// Is it a call of a free-form tool?
        free_form: bool,
    },
}

/// By what a block grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Characters of a text, a refusal, reasoning, or of a call's arguments.
    Text(String),
    /// What only the vendor understands; at most once in a block, of reasoning or a call.
    State(State),
}

//! What a plan must know of a request. Reading its needs may mean decoding it, so that they are
//! asked for only where a candidate's limits want them.

use std::cell::OnceCell;

use crate::ir::estimate::Size;
use crate::ir::needs::Needs;
use crate::protocol::Protocol;

/// A request, as a plan asks about it.
pub trait Question {
    /// The model's name as it was asked for.
    fn name(&self) -> Option<&str>;
    /// The client's protocol.
    fn protocol(&self) -> Protocol;
    /// What it needs, and how much it holds; may be costly.
    fn content(&self) -> Content;
    /// Its session (SPEC 5.5), as a number; may be costly.
    fn session(&self) -> Option<u64>;
    /// What another protocol has no word for, so that a target must speak the client's own.
    fn native_only(&self) -> Option<&'static str> {
        None
    }
    /// Are breakers and cooldowns to be ignored?
    fn bypasses(&self) -> bool {
        false
    }
}

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// What it needs of a model.
    pub needs: Needs,
    /// How much it holds.
    pub size: Size,
    /// The output tokens it asks for.
    pub output: Option<u64>,
}

/// A question whose costly answer is remembered.
pub(super) struct Asked<'q> {
    question: &'q dyn Question,
    content: OnceCell<Content>,
}

impl<'q> Asked<'q> {
    pub(super) fn new(question: &'q dyn Question) -> Self {
        Self { question, content: OnceCell::new() }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.question.protocol()
    }

    pub(super) fn native_only(&self) -> Option<&'static str> {
        self.question.native_only()
    }

    pub(super) fn content(&self) -> Content {
        *self.content.get_or_init(|| self.question.content())
    }
}

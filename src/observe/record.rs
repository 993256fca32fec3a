//! What happened to one request, told once; every reader of this floor is given it.

use std::time::Duration;

use crate::base::clock::Millis;
use crate::base::id::{Alias, RequestId, TargetId};
use crate::ir::response::Usage;
use crate::policy::class::Class;
use crate::protocol::Protocol;

/// What happened to one request.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: RequestId,
    /// When it came.
    pub at: Millis,
    /// What the client calls itself: the name in its `user-agent`.
    pub client: Option<String>,
    /// The session it belongs to, as the client names it.
    pub session: Option<String>,
    /// The client's protocol.
    pub ingress: Protocol,
    /// The model's name as it was asked for; empty when none was.
    pub asked: String,
    /// The target that served it, or was tried last.
    pub target: Option<TargetId>,
    /// Was it translated for that target?
    pub translated: bool,
    /// Was it streamed?
    pub stream: bool,
    /// The status the client got; 499 when it left before one.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The class of the last failure.
    pub class: Option<Class>,
    /// Why it failed, in words; never what was said in it.
    pub detail: Option<String>,
    /// Calls to targets.
    pub attempts: u32,
    /// Did the last of them give an answer?
    pub answered: bool,
    /// The alias that the name led to; `None` for a direct route.
    pub alias: Option<Alias>,
    /// The calls that failed: where, and how.
    pub failures: Vec<(TargetId, Option<Class>)>,
    /// What request and answer lost on their ways, worth a warning: `PATH: REASON` each.
    pub losses: Vec<String>,
    /// What it cost in USD; `None` when nobody can say.
    pub cost: Option<f64>,
    /// Token counts.
    pub usage: Usage,
    /// From the request to the first byte of the target's answer.
    pub first_byte: Option<Duration>,
    /// From the last call to the first byte of its answer.
    pub answered_in: Option<Duration>,
    /// From the request to its end.
    pub total: Duration,
}

impl Record {
    /// Its lane; `None` when no target was called.
    pub fn lane(&self) -> Option<&'static str> {
        self.target.as_ref().map(|_| if self.translated { "translated" } else { "native" })
    }

    /// How often it went on to another target.
    pub fn failovers(&self) -> u64 {
        let mut targets: Vec<&TargetId> = self.failures.iter().map(|(target, _)| target).collect();
        targets.extend(&self.target);
        targets.dedup();
        targets.len().saturating_sub(1) as u64
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a whole answer.
    Success,
    /// With an answer that a limit or filter ended.
    Incomplete,
    /// With an error.
    Error,
    /// The client left.
    Cancelled,
}

impl Outcome {
    /// Its name in logs and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Incomplete => "incomplete",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}

//! The requests that run now, for those who look on. A request writes here a few times in its life,
//! never for an event of its stream; whoever looks copies and is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::base::clock;
use crate::base::id::{RequestId, TargetId};
use crate::base::pen::members;
use crate::observe::status::{Met, NAME_CHARACTERS, known_as, short};
use crate::policy::class::Class;
use crate::protocol::Protocol;

/// The requests that run.
#[derive(Debug, Default)]
pub struct Board(Mutex<Vec<Arc<Run>>>);

/// A request that runs.
#[derive(Debug)]
pub struct Run {
    id: RequestId,
    ingress: Protocol,
    asked: String,
    since: Instant,
    state: Mutex<State>,
}

/// Keeps a request on the board until it is dropped.
#[must_use = "a request leaves the board when this drops"]
pub struct Pin<'b> {
    board: &'b Board,
    run: Arc<Run>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    target: Option<TargetId>,
    failed: Vec<Met>,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a slot.
    Waiting,
    /// Nothing was sent to the client.
    Held,
    /// A head and signs of life were sent.
    HeadSent,
    /// Content is being sent.
    Streaming,
}

/// A running request at one moment.
#[derive(Debug)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// The client's protocol.
    pub ingress: &'static str,
    /// The asked name.
    pub model: String,
    /// The target that is called.
    pub target: Option<TargetId>,
    /// The calls that failed before, a few of them.
    pub failed: Vec<Met>,
    /// See [`Phase`].
    pub phase: &'static str,
    /// So long in this phase.
    pub phase_ms: u64,
    /// Since it came.
    pub age_ms: u64,
}

members! {
    Running { id, ingress, model, target, failed, phase, phase_ms, age_ms }
}

/// So many failed calls of a request are remembered.
const MOST_FAILED: usize = 16;
/// So many requests are shown.
const MOST_SHOWN: usize = 100;

impl Board {
    /// A request comes.
    pub fn pin(&self, run: &Arc<Run>) -> Pin<'_> {
        self.0.lock().push(Arc::clone(run));
        Pin { board: self, run: Arc::clone(run) }
    }

    /// Those that run, oldest first.
    pub fn running(&self) -> Vec<Running> {
        let runs: Vec<Arc<Run>> = self.0.lock().iter().take(MOST_SHOWN).cloned().collect();
        let now = clock::now();
        runs.iter().map(|run| run.at(now)).collect()
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.board.0.lock().retain(|run| !Arc::ptr_eq(run, &self.run));
    }
}

impl Run {
    /// A request that has come; nobody sees it before it is on the board.
    pub fn new(id: &RequestId, ingress: Protocol, asked: Option<&str>, since: Instant) -> Arc<Self> {
        let state = State { phase: Phase::Waiting, since, target: None, failed: Vec::new() };
        let asked = short(asked.unwrap_or_default(), NAME_CHARACTERS);
        Arc::new(Self { id: id.clone(), ingress, asked, since, state: Mutex::new(state) })
    }

    /// It gets further.
    pub fn is(&self, phase: Phase) {
        let now = clock::now();
        let mut state = self.state.lock();
        if state.phase != phase {
            (state.phase, state.since) = (phase, now);
        }
    }

    /// A target is called.
    pub fn calls(&self, target: &TargetId) {
        self.state.lock().target = Some(known_as(target));
    }

    /// The call failed.
    pub fn fails(&self, target: &TargetId, class: Option<Class>) {
        let mut state = self.state.lock();
        state.target = None;
        if state.failed.len() < MOST_FAILED {
            state.failed.push(Met::new(target, class));
        }
    }

    fn at(&self, now: Instant) -> Running {
        let state = self.state.lock();
        Running {
            id: self.id.as_str().to_owned(),
            ingress: self.ingress.name(),
            model: self.asked.clone(),
            target: state.target.clone(),
            failed: state.failed.clone(),
            phase: state.phase.name(),
            phase_ms: milliseconds(now.saturating_duration_since(state.since)),
            age_ms: milliseconds(now.saturating_duration_since(self.since)),
        }
    }
}

impl Phase {
    /// Its name, as `/debug/status` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::HeadSent => "head_sent",
            Self::Streaming => "streaming",
        }
    }
}

/// Whole milliseconds of a time.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_on_the_board_while_it_runs() {
        let board = Board::default();
        let target = TargetId::parse("p/m").unwrap();
        let long = "m".repeat(100_000);
        let run = Run::new(&RequestId::random(), Protocol::Anthropic, Some(&long), clock::now());
        assert!(board.running().is_empty());
        let pin = board.pin(&run);
        let other = Run::new(&RequestId::random(), Protocol::Gemini, None, clock::now());
        let _other = board.pin(&other);
        for _ in 0..100 {
            run.calls(&target);
            run.fails(&target, Some(Class::Transient));
        }
        run.calls(&target);
        run.is(Phase::Streaming);
        let seen = board.running();
        assert_eq!((seen.len(), seen[0].phase, seen[1].phase), (2, "streaming", "waiting"));
        assert_eq!(seen[0].target.as_ref(), Some(&target));
        assert_eq!((seen[0].failed.len(), seen[0].failed[0].class), (MOST_FAILED, "transient"));
        assert!(seen[0].model.chars().count() <= NAME_CHARACTERS + 1);
        drop(pin);
        assert_eq!(board.running().len(), 1);
    }
}

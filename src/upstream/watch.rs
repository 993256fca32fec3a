//! What watches a call while it waits: the hook, the limit of the present phase, and whether the
//! connection had been used before.
//!
//! It lives in a thread-local, since ureq owns the connection and gives no way to pass it along;
//! a call is made, and its body read, by one thread. The guard takes it away again.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::upstream::Patience;
use crate::upstream::failure::{Phase, Stopped};

/// The longest time between two questions to the hook.
pub const SLICE: Duration = Duration::from_millis(250);

/// Why a call is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The client left.
    Gone,
    /// The process ends.
    Shutdown,
    /// The time for the whole request is over.
    Total,
}

/// Asked while a call waits.
pub trait Hook {
    /// May the call go on? Also the moment to show the client a sign of life.
    ///
    /// # Errors
    /// Why it may not.
    fn go_on(&self) -> Result<(), Stop>;
}

struct Watch {
    hook: Rc<dyn Hook>,
    patience: Patience,
    phase: Phase,
    until: Instant,
    /// When the hook is asked even if bytes flow.
    look: Instant,
    /// Is a proxy still to open a tunnel? The connection to it is not the one that is wanted.
    tunnels: bool,
    /// Do pooled connections count as closed?
    fresh_only: bool,
    /// Does it go over a pooled connection?
    reused: bool,
    /// Did a byte of the answer come?
    heard: bool,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Takes the watch away when the call is over.
pub(super) struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| *watch = None);
    }
}

/// Begins to watch a call.
pub(super) fn begin(hook: &Rc<dyn Hook>, patience: &Patience) -> Guard {
    let now = clock::now();
    let watch = Watch {
        hook: Rc::clone(hook),
        patience: *patience,
        phase: Phase::Head,
        until: now + patience.head,
        look: now + SLICE,
        tunnels: false,
        fresh_only: false,
        reused: false,
        heard: false,
    };
    WATCH.set(Some(watch));
    Guard(())
}

impl Guard {
    /// Did the call go over a pooled connection that has not answered a byte?
    pub(super) fn was_stale(&self) -> bool {
        ask(false, |watch| watch.reused && !watch.heard)
    }

    /// From now on pooled connections count as closed.
    pub(super) fn demand_fresh(&self) {
        tell(|watch| {
            watch.fresh_only = true;
            watch.reused = false;
        });
    }

    /// From now on silence in the body may only last this long.
    pub(super) fn hurry(&self, limit: Duration) {
        tell(|watch| {
            watch.patience.idle = watch.patience.idle.min(limit);
            watch.enter(Phase::Body, watch.patience.idle);
        });
    }

    /// The head has come; what is waited for now is the body.
    pub(super) fn body_begins(&self) {
        tell(|watch| watch.enter(Phase::Body, watch.patience.idle));
    }
}

impl Watch {
    fn enter(&mut self, phase: Phase, limit: Duration) {
        self.phase = phase;
        self.until = clock::now() + limit;
    }
}

fn tell(f: impl FnOnce(&mut Watch)) {
    WATCH.with_borrow_mut(|watch| watch.as_mut().map(f));
}

fn ask<T>(otherwise: T, f: impl FnOnce(&Watch) -> T) -> T {
    WATCH.with_borrow(|watch| watch.as_ref().map_or(otherwise, f))
}

/// A connection is being made.
pub(super) fn connecting() {
    tell(|watch| {
        if watch.phase != Phase::Connect {
            watch.enter(Phase::Connect, watch.patience.connect);
        }
    });
}

/// How long one attempt to connect may last.
pub(super) fn connect_limit() -> Duration {
    ask(Duration::from_secs(10), |watch| watch.patience.connect).max(Duration::from_millis(1))
}

/// A proxy is reached and asked for a tunnel by `open`: all of it is part of making a connection.
pub(super) fn tunnelling<T>(open: impl FnOnce() -> T) -> T {
    tell(|watch| watch.tunnels = true);
    let opened = open();
    tell(|watch| watch.tunnels = false);
    opened
}

/// The connection stands.
pub(super) fn connected() {
    tell(|watch| {
        if !watch.tunnels {
            watch.enter(Phase::Head, watch.patience.head);
        }
    });
}

/// A pooled connection is about to be used again; may it?
pub(super) fn may_reuse() -> bool {
    ask(true, |watch| !watch.fresh_only)
}

/// A pooled connection is used again.
pub(super) fn reusing() {
    tell(|watch| watch.reused = true);
}

/// Bytes came. Silence is measured anew while the body comes, not while the head does.
pub(super) fn heard() {
    tell(|watch| {
        watch.heard = true;
        if watch.phase == Phase::Body {
            watch.until = clock::now() + watch.patience.idle;
        }
    });
}

/// Bytes moved: asks the hook when a slice has passed since it was asked here. A provider that sends
/// or takes a little all the time never lets a wait run out. In a body time may have passed with a
/// client that reads slowly: whether its provider is silent, only a wait tells.
///
/// # Errors
/// As [`next_slice`].
pub(super) fn look() -> io::Result<()> {
    let now = clock::now();
    let is_due = WATCH.with_borrow_mut(|watch| {
        watch.as_mut().filter(|watch| now >= watch.look).map(|watch| watch.look = now + SLICE)
    });
    if is_due.is_some()
        && let Some((phase, until)) = go_on()?
        && phase != Phase::Body
    {
        left(phase, until)?;
    }
    Ok(())
}

/// How long the next wait may be, without asking anybody.
pub(super) fn first_slice() -> Duration {
    ask(SLICE, |watch| SLICE.min(watch.patience.limit(watch.phase)))
}

/// Asked after a wait without result: how long may the next one be?
///
/// # Errors
/// The hook said stop, or the limit of the phase is reached; both as an error of kind `Other`,
/// which ureq passes on untouched.
pub(super) fn next_slice() -> io::Result<Duration> {
    match go_on()? {
        Some((phase, until)) => Ok(SLICE.min(left(phase, until)?)),
        None => Ok(SLICE),
    }
}

/// Asks the hook; the present phase and its end, if somebody watches.
fn go_on() -> io::Result<Option<(Phase, Instant)>> {
    // The hook may write to the client; the watch is not borrowed meanwhile.
    let Some((hook, phase, until)) =
        ask(None, |watch| Some((Rc::clone(&watch.hook), watch.phase, watch.until)))
    else {
        return Ok(None);
    };
    hook.go_on().map_err(|stop| io::Error::other(Stopped::ByHook(stop)))?;
    Ok(Some((phase, until)))
}

/// How long the phase may still last.
fn left(phase: Phase, until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(clock::now());
    if left.is_zero() { Err(io::Error::other(Stopped::Late(phase))) } else { Ok(left) }
}

impl Patience {
    /// How long a phase may last, never nothing: sockets take no such wait.
    fn limit(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect => self.connect,
            Phase::Head => self.head,
            Phase::Body => self.idle,
        }
        .max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Left;

    impl Hook for Left {
        fn go_on(&self) -> Result<(), Stop> {
            Err(Stop::Gone)
        }
    }

    #[test]
    fn the_hook_is_asked_while_bytes_flow() {
        let hook: Rc<dyn Hook> = Rc::new(Left);
        let minute = Duration::from_secs(60);
        let _guard = begin(&hook, &Patience { connect: minute, head: minute, idle: minute });
        assert!(look().is_ok(), "not for each byte");
        tell(|watch| watch.look = clock::now());
        heard();
        assert!(look().is_err());
    }

    struct Stays;

    impl Hook for Stays {
        fn go_on(&self) -> Result<(), Stop> {
            Ok(())
        }
    }

    #[test]
    fn a_client_that_reads_slowly_is_no_silence_of_the_provider() {
        let hook: Rc<dyn Hook> = Rc::new(Stays);
        let _guard = begin(&hook, &Patience { connect: SLICE, head: SLICE, idle: SLICE });
        for (phase, is_silence) in [(Phase::Body, false), (Phase::Head, true), (Phase::Connect, true)] {
            // Since then its bytes were on their way to the client, and more may have come.
            tell(|watch| {
                watch.enter(phase, Duration::ZERO);
                watch.look = clock::now();
            });
            assert_eq!(look().is_err(), is_silence, "{phase:?}");
            // After a wait for nothing it is one.
            assert!(next_slice().is_err());
        }
    }
}

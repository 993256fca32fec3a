//! The client as a child in the foreground: it shares the terminal and the process group, and the
//! end of one is the end of the other.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::base::channel::{Receiver, RecvTimeoutError, bounded};
use crate::base::clock;

/// Signals that are caught from now on.
pub(super) struct Signals(Receiver<Caught>);

/// A signal that came.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no such signals"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caught {
    /// INT or QUIT: the terminal sent it to the client, too, which decides what it means.
    Interrupt(i32),
    /// TERM or HUP: passed on.
    End(i32),
    /// Something happened to the child.
    Child,
}

/// How a client's run ended.
pub(super) enum Ended {
    /// It ended.
    Status(ExitStatus),
    /// A signal came before it was started.
    BeforeStart(i32),
}

/// Starts the client and waits for its end. A signal to end is passed on; what is still there after
/// `grace` is killed.
///
/// # Errors
/// It cannot be started or waited for.
pub(super) fn run(mut command: Command, signals: &Signals, grace: Duration) -> std::io::Result<Ended> {
    match signals.0.try_recv() {
        Some(Caught::Interrupt(signal) | Caught::End(signal)) => return Ok(Ended::BeforeStart(signal)),
        Some(Caught::Child) | None => {}
    }
    let mut child = command.spawn()?;
    let mut kill_at = None;
    loop {
        // Not waited for by anybody else: its id cannot belong to another process before this.
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Status(status));
        }
        let patience =
            kill_at.map_or(Duration::MAX, |at: Instant| at.saturating_duration_since(clock::now()));
        match signals.0.recv_timeout(patience) {
            Ok(Caught::End(signal)) => {
                pass_on(&child, signal);
                // One that comes again gives no more time.
                kill_at.get_or_insert_with(|| clock::now() + grace);
            }
            Ok(Caught::Child) => follow(&child),
            Ok(Caught::Interrupt(_)) => {}
            Err(RecvTimeoutError::Timeout) => {
                log::warn!("the client did not end within {grace:?}: it is killed");
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                kill_at = None;
            }
            // Nobody can tell any more: only waiting is left.
            Err(RecvTimeoutError::Disconnected) => return child.wait().map(Ended::Status),
        }
    }
}

/// Its exit code, or 128 and the number of the signal that ended it.
#[cfg(unix)]
pub(super) fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let number = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(number & 0xff).unwrap_or(1)
}

/// Its exit code.
#[cfg(not(unix))]
pub(super) fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code & 0xff).ok()).unwrap_or(1)
}

/// A client that stops itself (Ctrl-Z) at a terminal takes this process along: the shell waits for
/// both. `fg` continues both.
#[cfg(unix)]
fn follow(child: &std::process::Child) {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() && crate::base::os::was_stopped(child) {
        // If it cannot, the terminal waits: no harm but the wait.
        let _ = crate::base::os::stop_self();
    }
}

#[cfg(not(unix))]
fn follow(_child: &std::process::Child) {}

#[cfg(unix)]
fn pass_on(child: &std::process::Child, signal: i32) {
    // It may have ended by itself.
    let _ = crate::base::os::send_signal(child, signal);
}

#[cfg(not(unix))]
fn pass_on(_child: &std::process::Child, _signal: i32) {}

impl Signals {
    /// Catches signals. Handlers, unlike ignored signals, are not inherited by the child.
    ///
    /// # Errors
    /// The system refuses.
    #[cfg(unix)]
    pub(super) fn catch() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let (sender, receiver) = bounded(64);
        std::thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(move || {
            for signal in signals.forever() {
                let caught = match signal {
                    SIGCHLD => Caught::Child,
                    SIGINT | SIGQUIT => Caught::Interrupt(signal),
                    _ => Caught::End(signal),
                };
                // As long as signals lie unread, the child is looked at.
                let _ = sender.try_send(caught);
            }
        })?;
        Ok(Self(receiver))
    }

    /// Nothing is caught here; the child is looked at now and then.
    #[cfg(not(unix))]
    pub(super) fn catch() -> std::io::Result<Self> {
        let (sender, receiver) = bounded(1);
        std::thread::Builder::new().name("child".to_owned()).spawn(move || {
            while sender.send(Caught::Child).is_ok() {
                clock::rest(Duration::from_millis(50));
            }
        })?;
        Ok(Self(receiver))
    }
}

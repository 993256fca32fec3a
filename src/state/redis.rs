//! The store that machines share: one value in a redis server.
//!
//! An exchange reads the value, merges as the file form does, and writes it back in a transaction
//! that fails when somebody else wrote meanwhile (`WATCH`, `MULTI`, `EXEC`); then it is done again.
//! So the rules of merging stand in one place, and nothing of them is said in another language.
//!
//! That each count counts once:
//! - What a process gives has a number, one more than what it gave last with success. The value
//!   holds, beside the state, the number that was taken last of each process. Both are written by
//!   one `SET`: either the counts are in the state and the number is beside it, or neither.
//! - When an answer is lost, the same comes again ([`Outbox`](super::Outbox)) with the same number.
//!   If that is in the value, it was counted, and is not counted again; else it was not.
//! - A server that lost the last writes (a crash, a failover) lost counts and numbers together.
//!   What it had confirmed and lost is gone; what comes again counts once in what is left.
//! - A server that comes back empty is given what the first process to return saw last, numbers
//!   included. Who comes later finds a value and merges. A value that goes while the connection
//!   stands was deleted by somebody: that is a wish, and all begins anew.
//! - A number is kept for two days. Who cannot reach the server for longer, and lost an answer at
//!   the very beginning, counts that one twice.
//!
//! Clocks of machines may differ, and "newest wins" needs one time: who is off the server's clock by
//! more than half of what [`Shared::expire`] forgives is told so and shares nothing.

use std::io;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::{Client, Connection, RedisError, RedisResult, pipe};

use crate::base::chance;
use crate::base::clock::{self, Millis};
use crate::base::pen::{self, Pen, Put, members};
use crate::base::secret::Secret;
use crate::base::table::Table;
use crate::base::tree::Tree;
use crate::state::stored::{Found, MOST_BYTES, VERSION, understand};
use crate::state::{AHEAD, Delta, Shared, StateStore, StoreError, json};

/// Where the state is.
const KEY: &str = "llmgate:state";
/// Where a value goes that is none.
const BAD: &str = "llmgate:state.bad";
/// An exchange may take so long, connecting and repetition included.
const PATIENCE: Duration = Duration::from_secs(1);
/// A process's last number is kept for so long.
const REMEMBERED: Duration = Duration::from_secs(48 * 3600);

/// State in a redis server.
pub struct RedisStore {
    url: Secret,
    ttl: Duration,
    patience: Duration,
    /// Names this process in the value.
    process: String,
    line: Mutex<Line>,
}

/// What an exchange leaves for the next one.
#[derive(Default)]
struct Line {
    connection: Option<Connection>,
    /// Was it made since the last exchange that succeeded?
    is_new: bool,
    /// The number of what was taken last.
    number: u64,
    /// The content as it was seen last.
    seen: Content,
}

/// The value, as it is written and read.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    state: Shared,
    /// What was taken last, by process.
    taken: Table<String, Taken>,
}

/// The last that was taken of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    number: u64,
    at: Millis,
}

/// What a process gives.
struct Parcel<'a> {
    process: &'a str,
    number: u64,
    delta: &'a Delta,
    now: Millis,
}

/// Why there was no exchange.
#[derive(Debug)]
enum Trouble {
    /// Others wrote all the time.
    Busy,
    /// The connection broke, or the server refused something.
    Server(RedisError),
    /// What was found there cannot be used, and why.
    Unfit(String),
}

impl RedisStore {
    /// State in the server of that address, `redis://[[user]:password@]host[:port][/database]`.
    /// Entries live for `ttl`. Nothing is connected yet.
    pub fn new(url: Secret, ttl: Duration) -> Self {
        let (process, line) = (chance::hex::<8>(), Mutex::default());
        Self { url, ttl, patience: PATIENCE, process, line }
    }

    /// One exchange. A connection that stood for a while may have been cut: what fails on an old
    /// one is done again on a new one.
    fn patient(&self, line: &mut Line, parcel: &Parcel<'_>) -> Result<Shared, Trouble> {
        let end = clock::now() + self.patience;
        let was_connected = line.connection.is_some();
        match self.once(line, parcel, end) {
            Err(Trouble::Server(error)) if was_connected && error.is_io_error() => {
                self.once(line, parcel, end)
            }
            done => done,
        }
    }

    fn once(&self, line: &mut Line, parcel: &Parcel<'_>, end: Instant) -> Result<Shared, Trouble> {
        let mut connection = match line.connection.take() {
            Some(connection) => connection,
            None => {
                line.is_new = true;
                Client::open(self.url.expose())?.get_connection_with_timeout(left(end)?)?
            }
        };
        let done = self.through(&mut connection, line, parcel, end);
        match &done {
            Ok(_) | Err(Trouble::Busy | Trouble::Unfit(_)) => line.connection = Some(connection),
            // What comes on it next may be the answer to this.
            Err(Trouble::Server(_)) => {}
        }
        done
    }

    fn through(
        &self,
        connection: &mut Connection,
        line: &mut Line,
        parcel: &Parcel<'_>,
        end: Instant,
    ) -> Result<Shared, Trouble> {
        loop {
            let (bytes, time) = read(connection, end)?;
            check_clock(parcel.now, time)?;
            let (found, bad) = known(&bytes)?;
            let is_there = found.is_some();
            let lost = || if line.is_new { line.seen.clone() } else { Content::default() };
            let mut content = found.unwrap_or_else(lost);
            let is_back = !is_there && content != Content::default();
            // What is no longer true must not take the place of what comes ([`Shared::renew`]).
            content.expire(parcel.now, self.ttl);
            let is_changed = content.take(parcel) || is_back;
            content.expire(parcel.now, self.ttl);
            if is_changed && !write(connection, &content, bad.as_ref().map(|_| &*bytes), end)? {
                if clock::now() < end {
                    continue;
                }
                return Err(Trouble::Busy);
            }
            if let Some(why) = bad.filter(|_| is_changed) {
                log::warn!("{KEY} in redis is no state ({why}): moved to {BAD}, starting afresh");
            }
            if !parcel.delta.is_empty() {
                line.number = parcel.number;
            }
            line.is_new = false;
            line.seen = content.clone();
            return Ok(content.state);
        }
    }

    /// The server as it is named to people: host and port.
    pub fn server(&self) -> &str {
        let rest = self.url.expose().split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    fn refused(&self, trouble: Trouble) -> StoreError {
        let why = match trouble {
            Trouble::Busy => return StoreError::Busy,
            Trouble::Server(error) if error.is_timeout() => format!("no answer in {:?}", self.patience),
            Trouble::Server(error) => error.to_string(),
            Trouble::Unfit(why) => why,
        };
        StoreError::Io { what: format!("redis at {}", self.server()), error: io::Error::other(why) }
    }
}

impl StateStore for RedisStore {
    fn exchange(&self, delta: &Delta, now: Millis) -> Result<Shared, StoreError> {
        let mut line = self.line.lock();
        let parcel = Parcel { process: &self.process, number: line.number + 1, delta, now };
        self.patient(&mut line, &parcel).map_err(|trouble| self.refused(trouble))
    }
}

impl Put for Content {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("version", &u64::from(VERSION));
            pen.put("state", &self.state);
            json::put(pen, "taken", &self.taken);
        });
    }
}

members! {
    Taken { number, at }
}

impl Content {
    fn read(tree: &Tree<'_>) -> Result<Self, json::Flaw> {
        let state = json::shared(tree.get("state").unwrap_or(&Tree::Null))?;
        let mut content = Self { state, taken: Table::default() };
        json::each(tree, "taken", &mut |process, entry| {
            let taken = Taken { number: entry.count("number")?, at: json::moment(entry, "at")? };
            content.taken.insert(process.to_owned(), taken);
            Some(())
        })?;
        Ok(content)
    }

    /// Adds what is given, if that was not done before. Has anything changed?
    fn take(&mut self, parcel: &Parcel<'_>) -> bool {
        let before = self.taken.get(parcel.process);
        if parcel.delta.is_empty() || before.is_some_and(|before| before.number >= parcel.number) {
            return false;
        }
        self.state.merge(parcel.delta);
        self.taken.insert(parcel.process.to_owned(), Taken { number: parcel.number, at: parcel.now });
        true
    }

    fn expire(&mut self, now: Millis, ttl: Duration) {
        self.state.expire(now, ttl);
        self.taken.retain(|_, taken| now.since(taken.at) < REMEMBERED);
    }
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        Self::Server(error)
    }
}

/// Reads the value, and the server's clock. From here on nobody else's write goes unseen.
fn read(connection: &mut Connection, end: Instant) -> RedisResult<(Vec<u8>, Millis)> {
    hurry(connection, end)?;
    let mut ask = pipe();
    // What an exchange that ended early still watches is none of this one's business.
    ask.cmd("UNWATCH").ignore().cmd("WATCH").arg(KEY).ignore();
    ask.cmd("GETRANGE").arg(KEY).arg(0).arg(MOST_BYTES - 1).cmd("TIME");
    let (bytes, (seconds, micros)): (Vec<u8>, (u64, u64)) = ask.query(connection)?;
    Ok((bytes, Millis(seconds.saturating_mul(1000).saturating_add(micros / 1000))))
}

/// Writes the value, unless somebody else wrote meanwhile; was it written? What was there and was
/// no state is kept beside it.
fn write(
    connection: &mut Connection,
    content: &Content,
    bad: Option<&[u8]>,
    end: Instant,
) -> Result<bool, Trouble> {
    let text = pen::written(content);
    hurry(connection, end)?;
    let mut tell = pipe();
    tell.atomic();
    if let Some(bad) = bad {
        tell.cmd("SET").arg(BAD).arg(bad).ignore();
    }
    tell.cmd("SET").arg(KEY).arg(text).ignore();
    let done: Option<()> = tell.query(connection)?;
    Ok(done.is_some())
}

/// The content of a value if it has one, and why it has none if something else is there.
fn known(bytes: &[u8]) -> Result<(Option<Content>, Option<String>), Trouble> {
    if bytes.is_empty() {
        return Ok((None, None));
    }
    match understand(bytes, Content::read) {
        Found::Nothing => Ok((None, None)),
        Found::State(content) => Ok((Some(content), None)),
        Found::Broken(why) => Ok((None, Some(why))),
        Found::Newer(version) => Err(Trouble::Unfit(format!(
            "{KEY} has version {version}, this llmgate knows {VERSION}. Update llmgate, or name another \
             database by `state.url`"
        ))),
    }
}

fn check_clock(now: Millis, server: Millis) -> Result<(), Trouble> {
    let (ahead, behind) = (now.since(server), server.since(now));
    if ahead.max(behind) <= AHEAD / 2 {
        return Ok(());
    }
    let (seconds, way) =
        if ahead > behind { (ahead.as_secs(), "ahead of") } else { (behind.as_secs(), "behind") };
    let told = format!("the clock of this machine is {seconds} s {way} the server's: set the clock");
    Err(Trouble::Unfit(told))
}

/// Bounds what is done next by the time that is left.
fn hurry(connection: &Connection, end: Instant) -> RedisResult<()> {
    let left = left(end)?;
    connection.set_read_timeout(Some(left))?;
    connection.set_write_timeout(Some(left))
}

/// The time that is left for the exchange.
fn left(end: Instant) -> RedisResult<Duration> {
    let left = end.saturating_duration_since(clock::now());
    if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut).into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests;

//! The ledger (SPEC 11.5): a line for each generation, told of numbers and names, never of content.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::base::calendar;
use crate::base::clock::{self, Millis};
use crate::base::pause::Pause;
use crate::base::pen::{Pen, Put};
use crate::observe::append::Appended;
use crate::observe::record::Record;
use crate::policy::class::Class;

/// Where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into a folder, a file for each month.
    Folder(PathBuf),
    /// Into this file.
    File(PathBuf),
}

/// After a write the writer rests so long, so that many lines become one write.
const GATHER: Duration = Duration::from_millis(20);
const STACK_BYTES: usize = 256 * 1024;
/// So many bytes wait for a disk that hangs; what comes then is lost, and that is told.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The file of this month, or the one file. A thread of its own writes: the first line at once,
/// what comes soon after it together. No request waits for a disk.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    desk: Arc<Desk>,
}

/// What the ledger shares with its thread.
#[derive(Debug, Default)]
struct Desk {
    left: Mutex<Left>,
    /// A first line came, or none will come any more.
    came: Condvar,
    pause: Pause,
    /// Locked before `left` is emptied, so that lines stay in their order.
    open: Mutex<Open>,
}

/// Lines of one file that are not written yet.
#[derive(Debug, Default)]
struct Left {
    path: PathBuf,
    lines: Vec<u8>,
    has_writer: bool,
    /// Was the user told that there is no room for more?
    is_full: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Open {
    /// What is written now; its room is for the next lines then.
    lines: Vec<u8>,
    file: Option<(PathBuf, Appended)>,
    /// Was the user told that it cannot be written?
    told: bool,
}

/// One line, as it is written. What nobody knows is null.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    ts: String,
    request_id: &'a str,
    session: Option<&'a str>,
    client: Option<&'a str>,
    ingress: &'static str,
    lane: Option<&'static str>,
    asked: &'a str,
    alias: Option<&'a str>,
    target: Option<String>,
    stream: bool,
    status: u16,
    outcome: &'static str,
    class: Option<&'static str>,
    attempts: u32,
    input: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    cost: Option<f64>,
    first_byte_ms: Option<f64>,
    total_ms: f64,
    losses: usize,
}

impl Place {
    /// The file for a line of that time.
    pub fn file(&self, at: Millis) -> Cow<'_, Path> {
        match self {
            Self::Folder(folder) => folder.join(month_file(at)).into(),
            Self::File(file) => file.into(),
        }
    }
}

/// `usage-2026-11.jsonl`
pub fn month_file(at: Millis) -> String {
    let day = calendar::day(at);
    let month = day.rsplit_once('-').map_or("", |(month, _)| month);
    format!("usage-{month}.jsonl")
}

impl Ledger {
    /// A ledger in its place; nothing is opened before the first line.
    pub fn new(place: Place) -> Self {
        Self { place, desk: Arc::default() }
    }

    /// Adds a line, which ends with its line feed. That it cannot be written is told once, and
    /// again when it could be meanwhile.
    pub fn add(&self, line: &[u8], at: Millis) {
        let path = self.place.file(at);
        let mut left = self.desk.left.lock();
        while left.path != *path {
            if left.lines.is_empty() {
                left.path = path.to_path_buf();
            } else {
                // A month is over.
                MutexGuard::unlocked(&mut left, || self.desk.write());
            }
        }
        let is_first = left.lines.is_empty();
        if left.lines.len() + line.len() > MOST_BYTES {
            let is_told = std::mem::replace(&mut left.is_full, true);
            drop(left);
            if !is_told {
                log::error!("the ledger {} cannot be written in time: lines are lost", path.display());
            }
            return;
        }
        left.is_full = false;
        left.lines.extend_from_slice(line);
        if !left.has_writer {
            left.has_writer = Desk::start(&self.desk).is_ok();
        }
        let has_writer = left.has_writer;
        drop(left);
        match has_writer {
            true if is_first => drop(self.desk.came.notify_one()),
            true => {}
            false => self.desk.write(),
        }
    }

    /// Writes the lines that are left, if there are any.
    pub fn finish(&self) {
        self.desk.write();
    }
}

impl Drop for Ledger {
    /// Nothing is left behind; the thread ends.
    fn drop(&mut self) {
        self.desk.left.lock().is_closed = true;
        self.desk.came.notify_one();
        self.desk.pause.end();
        self.desk.write();
    }
}

impl Desk {
    fn start(desk: &Arc<Self>) -> io::Result<()> {
        let desk = Arc::clone(desk);
        let thread = thread::Builder::new().name("ledger".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || {
            while desk.waits() {
                desk.write();
                desk.pause.rest(GATHER);
            }
        })?;
        Ok(())
    }

    /// Waits for a line; `false` when none will come.
    fn waits(&self) -> bool {
        let mut left = self.left.lock();
        self.came.wait_while(&mut left, |left| left.lines.is_empty() && !left.is_closed);
        !left.is_closed
    }

    fn write(&self) {
        let mut open = self.open.lock();
        let path = {
            let mut left = self.left.lock();
            std::mem::swap(&mut left.lines, &mut open.lines);
            left.path.clone()
        };
        if open.lines.is_empty() {
            return;
        }
        match open.add(&path, clock::millis()) {
            Ok(()) => open.told = false,
            Err(error) if !open.told => {
                open.told = true;
                log::error!("the ledger {} cannot be written: {error}", path.display());
            }
            Err(_) => {}
        }
        open.lines.clear();
    }
}

impl Open {
    fn add(&mut self, path: &Path, now: Millis) -> io::Result<()> {
        if self.file.as_ref().is_none_or(|(known, _)| known != path) {
            self.file = Some((path.to_owned(), Appended::open(path, now)?));
        }
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        file.line(&self.lines, now)
    }
}

impl<'a> Entry<'a> {
    /// The line of a request.
    pub fn of(record: &'a Record) -> Self {
        let usage = &record.usage;
        Self {
            ts: record.at.rfc3339(),
            request_id: record.id.as_str(),
            session: record.session.as_deref(),
            client: record.client.as_deref(),
            ingress: record.ingress.name(),
            lane: record.lane(),
            asked: &record.asked,
            alias: record.alias.as_ref().map(|alias| alias.as_str()),
            target: record.target.as_ref().map(ToString::to_string),
            stream: record.stream,
            status: record.status,
            outcome: record.outcome.name(),
            class: record.class.map(Class::name),
            attempts: record.attempts,
            input: usage.input,
            cached: usage.cached,
            cache_write: usage.cache_write,
            output: usage.output,
            reasoning: usage.reasoning,
            cost: record.cost,
            first_byte_ms: record.first_byte.map(tenths),
            total_ms: tenths(record.total),
            losses: record.losses.len(),
        }
    }
}

impl Put for Entry<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("ts", &self.ts);
            pen.put("request_id", self.request_id);
            pen.put("session", &self.session);
            pen.put("client", &self.client);
            pen.put("ingress", self.ingress);
            pen.put("lane", &self.lane);
            pen.put("asked", self.asked);
            pen.put("alias", &self.alias);
            pen.put("target", &self.target);
            pen.put("stream", &self.stream);
            pen.put("status", &u64::from(self.status));
            pen.put("outcome", self.outcome);
            pen.put("class", &self.class);
            pen.put("attempts", &u64::from(self.attempts));
            pen.put("input", &self.input);
            pen.put("cached", &self.cached);
            pen.put("cache_write", &self.cache_write);
            pen.put("output", &self.output);
            pen.put("reasoning", &self.reasoning);
            pen.put("cost", &self.cost);
            pen.put("first_byte_ms", &self.first_byte_ms);
            pen.put("total_ms", &self.total_ms);
            pen.put("losses", &self.losses);
        });
    }
}

/// Milliseconds with one decimal.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_threads_are_all_there_and_whole() {
        let folder = std::env::temp_dir().join(format!("llmgate-ledger-{}", std::process::id()));
        let ledger = Ledger::new(Place::File(folder.join("usage.jsonl")));
        let adds = |thread: usize| {
            for number in 0..500 {
                ledger.add(format!("{thread} {number} {}\n", "x".repeat(number)).as_bytes(), Millis(0));
            }
        };
        thread::scope(|scope| (0..8).for_each(|thread| drop(scope.spawn(move || adds(thread)))));
        ledger.finish();
        let text = std::fs::read_to_string(folder.join("usage.jsonl")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let line = |number: usize| format!("{} {} {}", number / 500, number % 500, "x".repeat(number % 500));
        let mut expected: Vec<String> = (0..4000).map(line).collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_disk_that_hangs_fills_no_memory() {
        let folder = std::env::temp_dir().join(format!("llmgate-ledger-full-{}", std::process::id()));
        let ledger = Ledger::new(Place::File(folder.join("usage.jsonl")));
        let line = [vec![b'x'; 1024 * 1024 - 1], vec![b'\n']].concat();
        let lines = MOST_BYTES / line.len() + 3;
        // Who writes has this.
        let hangs = ledger.desk.open.lock();
        (0..lines).for_each(|_| ledger.add(&line, Millis(0)));
        assert!(ledger.desk.left.lock().lines.len() <= MOST_BYTES);
        drop(hangs);
        ledger.finish();
        ledger.add(b"after\n", Millis(0));
        ledger.finish();
        let text = std::fs::read_to_string(folder.join("usage.jsonl")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!((text.lines().count(), text.lines().last()), (MOST_BYTES / line.len() + 1, Some("after")));
    }
}

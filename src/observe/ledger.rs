//! The ledger (SPEC 11.5): a line for each generation, told of numbers and names, never of content.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;

use crate::base::calendar;
use crate::base::clock::Millis;
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

/// The file of this month, or the one file. Whoever comes while another writes leaves its line for
/// it: nobody waits for a disk, and many lines at once become one write.
#[derive(Debug)]
pub struct Ledger {
    place: Place,
    left: Mutex<Left>,
    open: Mutex<Open>,
}

/// Lines that were left for the one who writes.
#[derive(Debug, Default)]
struct Left {
    /// The file that somebody writes to now.
    writes: Option<PathBuf>,
    lines: Vec<u8>,
}

#[derive(Debug, Default)]
struct Open {
    file: Option<(PathBuf, Appended)>,
    /// Was the user told that it cannot be written?
    told: bool,
}

/// One line, as it is written. What nobody knows is null.
#[derive(Clone, Debug, Serialize)]
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
    pub fn file(&self, at: Millis) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(month_file(at)),
            Self::File(file) => file.clone(),
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
        Self { place, left: Mutex::default(), open: Mutex::default() }
    }

    /// Adds a line, which ends with its line feed. That it cannot be written is told once, and
    /// again when it could be meanwhile.
    pub fn add(&self, line: &[u8], at: Millis, now: Millis) {
        let path = self.place.file(at);
        let mut left = self.left.lock();
        let is_mine = left.writes.is_none();
        if is_mine {
            left.writes = Some(path.clone());
        } else if left.writes.as_ref() == Some(&path) {
            left.lines.extend_from_slice(line);
            return;
        }
        drop(left);
        self.write(&path, line, now);
        while is_mine && self.write_left(&path, now) {}
    }

    /// Writes the lines that are left, if there are any.
    pub fn finish(&self, now: Millis) {
        let path = self.left.lock().writes.clone();
        while path.as_ref().is_some_and(|path| self.write_left(path, now)) {}
    }

    /// Writes what was left meanwhile; with nothing left, nobody writes any more.
    fn write_left(&self, path: &Path, now: Millis) -> bool {
        let mut left = self.left.lock();
        if left.lines.is_empty() {
            left.writes = None;
            return false;
        }
        let lines = std::mem::take(&mut left.lines);
        drop(left);
        self.write(path, &lines, now);
        true
    }

    fn write(&self, path: &Path, lines: &[u8], now: Millis) {
        let mut open = self.open.lock();
        match open.add(path, lines, now) {
            Ok(()) => open.told = false,
            Err(error) if !open.told => {
                open.told = true;
                log::error!("the ledger {} cannot be written: {error}", path.display());
            }
            Err(_) => {}
        }
    }
}

impl Open {
    fn add(&mut self, path: &Path, lines: &[u8], now: Millis) -> io::Result<()> {
        if self.file.as_ref().is_none_or(|(known, _)| known != path) {
            self.file = Some((path.to_owned(), Appended::open(path, now)?));
        }
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        file.line(lines, now)
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

/// Milliseconds with one decimal.
fn tenths(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A value as one line of JSON, with its line feed.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // Texts and numbers can always be written.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
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
                ledger.add(
                    format!("{thread} {number} {}\n", "x".repeat(number)).as_bytes(),
                    Millis(0),
                    Millis(0),
                );
            }
        };
        std::thread::scope(|scope| (0..8).for_each(|thread| drop(scope.spawn(move || adds(thread)))));
        ledger.finish(Millis(0));
        let text = std::fs::read_to_string(folder.join("usage.jsonl")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let line = |number: usize| format!("{} {} {}", number / 500, number % 500, "x".repeat(number % 500));
        let mut expected: Vec<String> = (0..4000).map(line).collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}

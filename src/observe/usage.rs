//! The ledger, read and summed.

use std::io::{self, BufRead};

use crate::base::clock::Millis;
use crate::base::json::Members;
use crate::base::pen::members;

/// What the sums are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each UTC day.
    Day,
    /// Each target.
    Model,
    /// Each provider.
    Provider,
    /// Each session.
    Session,
}

/// What lines came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// For what they are made.
    pub key: String,
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Those from a prompt cache.
    pub cached: u64,
    /// Those written to one.
    pub cache_write: u64,
    /// Output tokens.
    pub output: u64,
    /// Those spent on reasoning.
    pub reasoning: u64,
    /// USD, of what has a price.
    pub cost: f64,
    /// Answers whose price nobody knows.
    pub unpriced: u64,
}

/// The sums of a ledger.
#[derive(Debug, Default)]
pub struct Report {
    /// In order of their keys.
    pub rows: Vec<Sums>,
    /// Of all.
    pub total: Sums,
    /// Lines that are none of a ledger; they are left out.
    pub broken: u64,
}

members! {
    Sums { key, requests, errors, input, cached, cache_write, output, reasoning, cost, unpriced }
    Report { rows, total, broken }
}

/// What is read of a line.
struct Entry {
    ts: String,
    outcome: String,
    session: Option<String>,
    target: Option<String>,
    input: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    cost: Option<f64>,
}

impl By {
    /// All of them with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("day", Self::Day),
        ("model", Self::Model),
        ("provider", Self::Provider),
        ("session", Self::Session),
    ];
}

impl Report {
    /// Adds the lines of a file that are not older.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, file: &mut dyn BufRead, since: Millis, by: By) -> io::Result<()> {
        let since = since.rfc3339();
        let mut line = Vec::new();
        loop {
            line.clear();
            if file.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let text = line.trim_ascii();
            match std::str::from_utf8(text).ok().and_then(Entry::read) {
                Some(entry) if entry.ts >= since => self.add(&entry, by),
                Some(_) => {}
                None if text.is_empty() => {}
                None => self.broken += 1,
            }
        }
    }

    fn add(&mut self, entry: &Entry, by: By) {
        let target = entry.target.as_deref();
        let key = match by {
            By::Day => entry.ts.get(..10),
            By::Model => target,
            By::Provider => target.and_then(|target| target.split('/').next()),
            By::Session => entry.session.as_deref(),
        };
        let key = key.unwrap_or("-");
        let place = match self.rows.binary_search_by(|row| row.key.as_str().cmp(key)) {
            Ok(place) => place,
            Err(place) => {
                self.rows.insert(place, Sums { key: key.to_owned(), ..Sums::default() });
                place
            }
        };
        if let Some(row) = self.rows.get_mut(place) {
            row.add(entry);
        }
        self.total.add(entry);
    }
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        let members = Members::read(line).ok()?;
        let (text, number) = (|name| members.string(line, name), |name| members.number(line, name));
        Some(Self {
            ts: text("ts")?,
            outcome: text("outcome")?,
            session: text("session"),
            target: text("target"),
            input: number("input"),
            cached: number("cached"),
            cache_write: number("cache_write"),
            output: number("output"),
            reasoning: number("reasoning"),
            cost: members.get(line, "cost").and_then(|cost| cost.parse().ok()),
        })
    }
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        self.requests += 1;
        self.errors += u64::from(entry.outcome == "error");
        self.input = self.input.saturating_add(entry.input.unwrap_or(0));
        self.cached = self.cached.saturating_add(entry.cached.unwrap_or(0));
        self.cache_write = self.cache_write.saturating_add(entry.cache_write.unwrap_or(0));
        self.output = self.output.saturating_add(entry.output.unwrap_or(0));
        self.reasoning = self.reasoning.saturating_add(entry.reasoning.unwrap_or(0));
        self.cost += entry.cost.unwrap_or(0.0);
        // What never gave an answer costs nothing.
        let is_answered = matches!(&*entry.outcome, "success" | "incomplete") || entry.output.is_some();
        self.unpriced += u64::from(entry.cost.is_none() && is_answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"ts":"2026-11-24T23:59:59.999Z","outcome":"success","session":"s","target":"a/x/y","input":10,"cached":4,"cache_write":3,"output":2,"cost":0.5}
{"ts":"2026-11-25T00:00:00.000Z","outcome":"incomplete","target":"a/z","input":1,"cached":1,"cache_write":2,"output":7,"reasoning":3,"cost":null,"new":1}
{"ts":"2026-11-25T01:00:00.000Z","outcome":"error","target":null}
{"ts":"2026-11-25T01:00:00.000Z","outcome":"success","target":"b/quiet","output":null,"cost":null}
{"ts":"2026-11-25T01:00:00.000Z","outcome":"cancelled","target":"b/quiet","output":null,"cost":null}

{"ts":"2026-11-25T01
no line at all
{"outcome":"error"}
"#;

    fn report(since: Millis, by: By) -> Report {
        let mut report = Report::default();
        report.read(&mut LINES.as_bytes(), since, by).unwrap();
        report
    }

    #[test]
    fn lines_are_summed_and_broken_ones_are_counted() {
        let all = report(Millis(0), By::Model);
        let expected = Sums {
            key: String::new(),
            requests: 5,
            errors: 1,
            input: 11,
            cached: 5,
            cache_write: 5,
            output: 9,
            reasoning: 3,
            cost: 0.5,
            // As the status counts them: an answer of which nothing is known, too.
            unpriced: 2,
        };
        assert_eq!((all.total, all.broken), (expected, 3));
        let keys = |by| report(Millis(0), by).rows.into_iter().map(|row| row.key).collect::<Vec<_>>();
        assert_eq!(keys(By::Model), ["-", "a/x/y", "a/z", "b/quiet"]);
        assert_eq!(keys(By::Provider), ["-", "a", "b"]);
        assert_eq!(keys(By::Session), ["-", "s"]);
        assert_eq!(keys(By::Day), ["2026-11-24", "2026-11-25"]);
    }

    #[test]
    fn what_is_older_is_left_out() {
        let midnight = Millis(1_795_564_800_000);
        assert_eq!(midnight.rfc3339(), "2026-11-25T00:00:00.000Z");
        assert_eq!(report(midnight, By::Day).total.requests, 4);
        assert_eq!(report(Millis(midnight.0 - 1), By::Day).total.requests, 5);
    }
}

//! Another tool's file while it is read: keys are taken out one by one, and what is left at the end
//! was not understood. No value is ever told, since it may be a key.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::read::join;

/// What happened to a key on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The key, as a path in the other tool's file.
    pub path: String,
    /// What was done with it.
    pub fate: Fate,
    /// Why, or how.
    pub why: String,
}

/// What was done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not in the result.
    Dropped,
    /// It is in the result in another form than its user may expect.
    Changed,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.fate {
            Fate::Dropped => "dropped",
            Fate::Changed => "changed",
        };
        write!(f, "{fate}: {}: {}", self.path, self.why)
    }
}

/// What is told beside the result.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Remark>);

impl Report {
    /// A key is not in the result.
    #[inline(never)]
    pub(super) fn dropped(&mut self, path: &str, why: impl Into<String>) {
        self.0.push(Remark { path: path.to_owned(), fate: Fate::Dropped, why: why.into() });
    }

    /// A key means something else than it seems to.
    #[inline(never)]
    pub(super) fn changed(&mut self, path: &str, why: impl Into<String>) {
        self.0.push(Remark { path: path.to_owned(), fate: Fate::Changed, why: why.into() });
    }
}

/// A map of the file, or what is left of it.
#[derive(Debug, Default)]
pub(super) struct Section {
    path: String,
    entries: Map<String, Value>,
}

impl Section {
    /// A map that stands at a path.
    pub(super) fn new(path: impl Into<String>, entries: Map<String, Value>) -> Self {
        Self { path: path.into(), entries }
    }

    /// The path of one of its keys.
    pub(super) fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Its own path.
    pub(super) fn own_path(&self) -> &str {
        &self.path
    }

    /// Its keys.
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// Is the key there?
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| !value.is_null())
    }

    /// Takes a value.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.entries.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Takes a text that is not empty.
    pub(super) fn text(&mut self, key: &str, report: &mut Report) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => {
                self.unfit(key, "a text", report)
            }
        }
    }

    /// Takes a switch.
    pub(super) fn switch(&mut self, key: &str, report: &mut Report) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(value) => Some(value),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                self.unfit(key, "true or false", report)
            }
        }
    }

    /// Takes a whole number.
    pub(super) fn count(&mut self, key: &str, report: &mut Report) -> Option<u64> {
        let value = self.take(key)?;
        value.as_u64().or_else(|| self.unfit(key, "a whole number", report))
    }

    /// Takes a duration: seconds as a number, or words such as `1m30s`.
    pub(super) fn time(&mut self, key: &str, report: &mut Report) -> Option<Duration> {
        let read = match self.take(key)? {
            Value::Number(seconds) => {
                seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            }
            Value::String(text) => time(&text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        read.or_else(|| self.unfit(key, "a duration", report))
    }

    /// Takes a list of texts, or the only one.
    pub(super) fn texts(&mut self, key: &str, report: &mut Report) -> Vec<String> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(only) => vec![only],
        };
        let mut texts = Vec::new();
        for (i, item) in items.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                _ => report.dropped(&format!("{}[{i}]", self.path(key)), "it must be a text"),
            }
        }
        texts
    }

    /// Takes a section.
    pub(super) fn section(&mut self, key: &str, report: &mut Report) -> Self {
        let path = self.path(key);
        match self.take(key) {
            None => Self { path, entries: Map::new() },
            Some(Value::Object(entries)) => Self { path, entries },
            Some(_) => {
                report.dropped(&path, "it must be a section of keys");
                Self { path, entries: Map::new() }
            }
        }
    }

    /// Takes a list of sections. Where a text stands for a section, it becomes its `short` key.
    pub(super) fn sections(&mut self, key: &str, short: &str, report: &mut Report) -> Vec<Self> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                report.dropped(&self.path(key), "it must be a list");
                return Vec::new();
            }
        };
        let path = self.path(key);
        let read = items.into_iter().enumerate();
        read.filter_map(|(i, item)| Self::of(format!("{path}[{i}]"), item, short, report)).collect()
    }

    /// Takes a section whose keys are names. Where a text stands for a section, it becomes its
    /// `short` key.
    pub(super) fn named(&mut self, key: &str, short: &str, report: &mut Report) -> Vec<(String, Self)> {
        let all = self.section(key, report);
        let read = all.entries.into_iter();
        read.filter_map(|(name, item)| {
            let section = Self::of(join(&all.path, &name), item, short, report)?;
            Some((name, section))
        })
        .collect()
    }

    fn of(path: String, item: Value, short: &str, report: &mut Report) -> Option<Self> {
        match item {
            Value::Object(entries) => Some(Self { path, entries }),
            Value::String(_) if !short.is_empty() => {
                Some(Self { path, entries: Map::from_iter([(short.to_owned(), item)]) })
            }
            _ => {
                report.dropped(&path, "it must be a section of keys");
                None
            }
        }
    }

    /// Drops a key, if it is there.
    pub(super) fn leave(&mut self, key: &str, why: &str, report: &mut Report) {
        if self.take(key).is_some() {
            report.dropped(&self.path(key), why);
        }
    }

    /// What was not taken is dropped.
    pub(super) fn ends(self, report: &mut Report) {
        for (key, value) in &self.entries {
            if !value.is_null() {
                report.dropped(&join(&self.path, key), "llmgate has nothing like it");
            }
        }
    }

    fn unfit<T>(&self, key: &str, takes: &str, report: &mut Report) -> Option<T> {
        report.dropped(&self.path(key), format!("it must be {takes}"));
        None
    }
}

/// Reads `30s`, `1m30s`, `1.5s`, `250ms`.
fn time(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(sum).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_others_are_read() {
        for (text, millis) in
            [("30s", 30_000), ("1m30s", 90_000), ("1.5s", 1500), ("250ms", 250), ("2h", 7_200_000)]
        {
            assert_eq!(time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "1y", "1..2s", "-1s"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}

//! A new entry for a file that somebody has written: its lines go to one place, behind the last line
//! of their section, and every byte that was there stays. The result is read again and must be the
//! old tree and the entry; where it is not, the layout was not understood, and nothing is made.

use serde_json::{Map, Value};

use super::{file, yaml};
use crate::base::object::Object;

/// What a file begins with when there was none.
pub const START: &str = "version: 1\n";

/// An entry that a section of the file shall get.
#[derive(Clone, Debug)]
pub struct Entry {
    section: Section,
    name: String,
    value: Value,
}

/// A section that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `providers`.
    Providers,
    /// `models`: the names that clients see.
    Models,
}

/// What becomes of a file.
#[derive(Clone, Debug)]
pub struct Added {
    /// The same configuration in a layout of our own: what it means can be checked whatever the
    /// file's layout.
    pub meant: String,
    /// The file; `None` where its layout is not understood.
    pub lines: Option<Lines>,
}

/// A file with its new lines.
#[derive(Clone, Debug)]
pub struct Lines {
    /// All of it.
    pub text: String,
    /// The line at which the entry begins, from 1.
    pub line: usize,
}

/// Why nothing can be added, whatever the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The file, or its section, is no map: its errors say more.
    Unreadable,
    /// The section has an entry of that name.
    Exists,
}

impl Entry {
    /// A provider. One protocol is written as a word, several as a list.
    pub fn provider(name: &str, base_url: &str, protocols: &[String], key_env: Option<&str>) -> Self {
        let mut value = Object::default();
        match protocols {
            [] => {}
            [only] => value.put("protocol", only.as_str()),
            several => value.put("protocol", several.to_vec()),
        }
        value.put("base_url", base_url);
        value.put_some("api_key_env", key_env);
        Self { section: Section::Providers, name: name.to_owned(), value: value.into() }
    }

    /// An alias. Of several targets each is asked when those before it fail.
    pub fn alias(name: &str, targets: &[String]) -> Self {
        let value = match targets {
            [only] => Value::from(only.as_str()),
            several => {
                let targets = several.iter().zip(1_u32..).map(|(to, priority)| {
                    let mut target = Object::default();
                    target.put("to", to.as_str());
                    target.put("priority", priority);
                    Value::from(target)
                });
                let mut value = Object::default();
                value.put("targets", targets.collect::<Vec<_>>());
                value.into()
            }
        };
        Self { section: Section::Models, name: name.to_owned(), value }
    }

    /// Its section.
    pub fn section(&self) -> Section {
        self.section
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key path.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section.key(), self.name)
    }

    /// It as YAML, in its section.
    pub fn yaml(&self) -> String {
        format!("{}:\n{}", self.section.key(), self.lines(2, "\n"))
    }

    /// Its lines, indented as the others of its section.
    fn lines(&self, unit: usize, end: &str) -> String {
        let mut out = String::new();
        for line in yaml::entry(&self.name, &self.value).lines() {
            let bare = line.trim_start_matches(' ');
            let depth = 1 + (line.len() - bare.len()) / 2;
            out.push_str(&" ".repeat(depth * unit));
            out.push_str(bare);
            out.push_str(end);
        }
        out
    }
}

impl Section {
    /// Its key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Providers => "providers",
            Self::Models => "models",
        }
    }
}

/// Adds an entry to a file's text.
///
/// # Errors
/// The name is there already, or the file is nothing to which an entry could be added.
pub fn add(text: &str, entry: &Entry) -> Result<Added, Refusal> {
    let mut root = tree(text).ok_or(Refusal::Unreadable)?;
    let key = entry.section.key();
    let is_new = !root.contains_key(key);
    if root.get(key).is_none_or(Value::is_null) {
        root.insert(key.to_owned(), Value::Object(Map::new()));
    }
    let section = root.get_mut(key).and_then(Value::as_object_mut).ok_or(Refusal::Unreadable)?;
    if section.contains_key(&entry.name) {
        return Err(Refusal::Exists);
    }
    section.insert(entry.name.clone(), entry.value.clone());
    let place = place(text, key).or_else(|| is_new.then(|| Place::at_end(text)));
    let lines = place.and_then(|place| place.with(text, entry));
    // Two trees are the same when they are written alike: in the same order, too.
    let meant = yaml::document(&root);
    let lines = lines.filter(|lines| tree(&lines.text).is_some_and(|tree| yaml::document(&tree) == meant));
    Ok(Added { meant, lines })
}

fn tree(text: &str) -> Option<Map<String, Value>> {
    match file::parse(text.trim_start_matches('\u{feff}')).ok()?.to_value() {
        Value::Object(map) => Some(map),
        Value::Null => Some(Map::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// Where lines go, and how.
struct Place {
    at: usize,
    unit: usize,
    needs_head: bool,
}

/// The end of a section in block style: behind its last line that is indented, be it a comment.
/// Empty lines, and comments that are not indented, may belong to what follows.
fn place(text: &str, section: &str) -> Option<Place> {
    let (mut at, mut end, mut unit) = (0, None, None);
    for line in text.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end();
        let bare = line.trim_start_matches(' ');
        let depth = line.len() - bare.len();
        let is_comment = bare.starts_with('#');
        match end {
            None if is_head(line, section) => end = Some(at),
            None => {}
            Some(_) if bare.is_empty() || (is_comment && depth == 0) => {}
            Some(_) if depth == 0 => break,
            Some(_) => {
                end = Some(at);
                if !is_comment {
                    unit.get_or_insert(depth);
                }
            }
        }
    }
    end.map(|at| Place { at, unit: unit.unwrap_or(2), needs_head: false })
}

/// Is it the section's key, with its entries on the lines below?
fn is_head(line: &str, section: &str) -> bool {
    let mut quotes = ["", "\"", "'"].into_iter();
    let rest = quotes.find_map(|q| line.strip_prefix(q)?.strip_prefix(section)?.strip_prefix(q));
    let rest = rest.and_then(|rest| rest.trim_start().strip_prefix(':'));
    rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('#'))
}

impl Place {
    fn at_end(text: &str) -> Self {
        Self { at: text.len(), unit: 2, needs_head: true }
    }

    fn with(&self, text: &str, entry: &Entry) -> Option<Lines> {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let (before, after) = text.split_at_checked(self.at)?;
        let mut text = before.to_owned();
        if !before.ends_with('\n') {
            text.push_str(end);
        }
        if self.needs_head {
            text.push_str(&format!("{end}{}:{end}", entry.section.key()));
        }
        let line = text.split('\n').count();
        text.push_str(&entry.lines(self.unit, end));
        text.push_str(after);
        Some(Lines { text, line })
    }
}

#[cfg(test)]
mod tests;

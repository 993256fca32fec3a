//! Golden files: what a case gave when somebody last looked at it.
//!
//! `UPDATE_GOLDEN=1` (`make golden`) rewrites them; the difference is reviewed like code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use llmgate::base::env::Env;

/// Compares a text with the one file that holds it.
#[track_caller]
pub(crate) fn check(path: &Path, text: &str) {
    if rewrites() {
        return fs::write(path, text).unwrap();
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, known, "{}: `make golden` rewrites it", path.display());
}

fn rewrites() -> bool {
    Env::of_process().var("UPDATE_GOLDEN").is_some()
}

/// Compares what cases give with their files below one folder.
pub(crate) struct Golden {
    root: PathBuf,
    rewrites: bool,
    seen: BTreeSet<PathBuf>,
    faults: Vec<String>,
}

impl Golden {
    /// The files of a kind: `requests`, `responses`, `streams`, `errors`.
    pub(crate) fn of(kind: &str) -> Self {
        Self {
            root: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden").join(kind),
            rewrites: rewrites(),
            seen: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// Compares a file's text; an empty text has no file.
    pub(crate) fn check(&mut self, file: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let path = self.root.join(file);
        self.seen.insert(path.clone());
        let known = fs::read_to_string(&path).ok();
        if known.as_deref() == Some(text) {
            return;
        }
        if self.rewrites {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            self.faults.push(format!("{file} differs: {}", difference(known.as_deref(), text)));
        }
    }

    /// A file that no case has given any more is an error, or is removed.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        for path in files(&self.root).into_iter().filter(|path| !self.seen.contains(path)) {
            if self.rewrites {
                fs::remove_file(&path).unwrap();
            } else {
                self.faults.push(format!("{} has no case", path.display()));
            }
        }
        assert!(self.faults.is_empty(), "`make golden` rewrites:\n{}", self.faults.join("\n"));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The first line that differs.
fn difference(known: Option<&str>, text: &str) -> String {
    let Some(known) = known else { return "there is none".to_owned() };
    let (mut known, mut text) = (known.lines(), text.lines());
    for number in 1.. {
        match (known.next(), text.next()) {
            (None, None) => break,
            (old, new) if old != new => {
                return format!("line {number}\n  was {}\n  is  {}", shown(old), shown(new));
            }
            _ => {}
        }
    }
    "in its line ends".to_owned()
}

fn shown(line: Option<&str>) -> String {
    line.unwrap_or("(nothing)").chars().take(400).collect()
}

/// The most characters of an object or a list that stays on one line.
const WIDTH: usize = 110;

/// JSON with its long objects and lists broken into lines. No character of it changes and none is
/// left out, so that two texts that differ by more than white space are told apart.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::new();
    write(json, 0, &mut out);
    out.push('\n');
    out
}

fn write(json: &str, depth: usize, out: &mut String) {
    let is_container = json.starts_with(['{', '[']);
    if !is_container || json.chars().count() + 2 * depth <= WIDTH {
        out.push_str(json);
        return;
    }
    let (open, rest) = json.split_at(1);
    let (inside, close) = rest.split_at(rest.len() - 1);
    out.push_str(open);
    for (index, part) in split(inside, b',').into_iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        let name_and_value = split(part, b':');
        match name_and_value.split_first() {
            Some((name, [_, ..])) => {
                out.push_str(name);
                out.push_str(": ");
                write(&part[name.len() + 1..], depth + 1, out);
            }
            _ => write(part, depth + 1, out),
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push_str(close);
}

/// Splits at a mark that stands in no string and no inner object or list.
fn split(json: &str, mark: u8) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ if byte == mark && depth == 0 => {
                parts.push(&json[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&json[start..]);
    parts
}

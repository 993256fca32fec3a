//! What is wrong with a configuration: all of it in one list, each fault with its key path, its
//! place, its value (secrets masked) and the nearest known name.

use std::fmt;
use std::path::{Path, PathBuf};

use super::read::join;
use crate::base::cut;
use crate::base::secret::{Secret, mask_known, masked};
use crate::base::sort;

/// Everything that is wrong with a configuration, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file; `None` when there was none (SPEC 4.4).
    pub file: Option<PathBuf>,
    /// The errors.
    pub list: Vec<ConfigError>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, as `providers.openai.base_url`, or the variable or flag; empty for the whole file.
    pub path: String,
    /// Does it stand in the file, rather than in the environment or on the command line?
    pub in_file: bool,
    /// Where in the file, where that is known.
    pub place: Option<Place>,
    /// What is wrong.
    pub problem: Problem,
    /// The value as written, shortened, secrets masked.
    pub value: Option<String>,
    /// The known name that may have been meant.
    pub nearest: Option<String>,
}

/// A place in a file; both counts begin at 1, columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file cannot be read; the system's reason.
    Unreadable(String),
    /// The file is over 1 MiB.
    TooLarge,
    /// The file is neither YAML nor JSON; the parser's reason.
    Syntax(String),
    /// The file holds a second document.
    SecondDocument,
    /// A key stands twice in one place.
    DuplicateKey,
    /// No such key exists here.
    UnknownKey,
    /// A required key is not there; what it takes.
    Missing(String),
    /// A variable in `${}` is not set and has no default; its name.
    UnsetVariable(String),
    /// The variable of an `api_key_env` is not set; its name.
    UnsetKey(String),
    /// The value is not one that the key takes; why, and what it takes.
    Refuse(String),
    /// There is no file and no key in the environment (SPEC 4.4).
    NoProvider,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.each().join("\n"))
    }
}

impl ConfigErrors {
    /// Each of them, with its place.
    pub fn each(&self) -> Vec<String> {
        let place = |error: &ConfigError| match (self.file.as_ref().filter(|_| error.in_file), error.place) {
            (Some(file), Some(place)) => format!("{}:{}:{}: ", file.display(), place.line, place.column),
            (Some(file), None) => format!("{}: ", file.display()),
            (None, _) => String::new(),
        };
        self.list.iter().map(|error| format!("{}{error}", place(error))).collect()
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigError {
    /// An error about the whole file or environment.
    pub(super) fn whole(problem: Problem) -> Self {
        Self { path: String::new(), in_file: true, place: None, problem, value: None, nearest: None }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.problem.fmt(f)?;
        if let Some(value) = &self.value {
            write!(f, " (value {value})")?;
        }
        match &self.nearest {
            Some(name) => write!(f, ", did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Self::TooLarge => f.write_str("the file is over 1 MiB"),
            Self::Syntax(reason) => write!(f, "not valid YAML: {reason}"),
            Self::SecondDocument => {
                f.write_str("a second document begins (`---`): keep one document in the file")
            }
            Self::DuplicateKey => f.write_str("this key stands here twice: remove one"),
            Self::UnknownKey => f.write_str("unknown key"),
            Self::Missing(takes) => write!(f, "missing: set it to {takes}"),
            Self::UnsetVariable(name) => {
                write!(f, "the environment variable {name} is not set: set it, or write ${{{name}:-default}}")
            }
            Self::UnsetKey(name) => {
                write!(f, "the environment variable {name} is not set: set it, or disable the provider")
            }
            Self::Refuse(reason) => f.write_str(reason),
            Self::NoProvider => f.write_str(super::vendors::NO_PROVIDER),
        }
    }
}

/// Where a value was found and how it may be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Spot {
    /// Its key path.
    pub(super) path: String,
    /// The byte in the file at which the value begins.
    pub(super) at: Option<usize>,
    /// The name of its key, when that rather than the value is to be looked at.
    pub(super) key: Option<String>,
    /// The value, fit to be shown.
    pub(super) shown: Option<String>,
    /// Is it a variable or a flag rather than a key of the file?
    pub(super) outside: bool,
}

impl Spot {
    /// The place of a key that holds others.
    pub(super) fn of(path: &str, at: Option<usize>) -> Self {
        Self { path: path.to_owned(), at, ..Self::default() }
    }

    /// The environment as a whole.
    pub(super) fn outside_whole() -> Self {
        Self { outside: true, ..Self::default() }
    }

    /// A variable or a flag.
    pub(super) fn outside(name: &str, value: &str) -> Self {
        Self { path: name.to_owned(), shown: Some(harmless(value)), outside: true, ..Self::default() }
    }
}

/// A text as it may be shown: in quotes, shortened, without what looks like a credential.
pub(super) fn harmless(text: &str) -> String {
    const LONGEST: usize = 60;
    const STARTS: [&str; 6] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "Bearer "];
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let unlike_a_word = text.len() >= 32 && text.chars().all(plain);
    if unlike_a_word || STARTS.iter().any(|start| text.starts_with(start)) {
        return format!("{:?}", masked(text));
    }
    let (text, end) = match text.split_once("://") {
        Some((_, rest)) if rest.contains('?') => (text.split('?').next().unwrap_or(""), "?****"),
        Some(_) | None => (text, ""),
    };
    let text = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => {
            format!("{scheme}://****@{host}{end}")
        }
        (Some(_) | None, Some(_) | None) => format!("{text}{end}"),
    };
    match cut::first(&text, LONGEST) {
        Some(first) => format!("{:?}", format!("{first}...")),
        None => format!("{text:?}"),
    }
}

/// An error whose place is not yet counted.
#[derive(Debug)]
struct Noted {
    at: Option<usize>,
    key: Option<String>,
    error: ConfigError,
}

/// Gathers errors while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Errors {
    list: Vec<Noted>,
    /// The secrets met so far; no message may contain one.
    pub(super) secrets: Vec<Secret>,
    /// What is odd but allowed.
    pub(super) warnings: Vec<String>,
}

impl Errors {
    /// The value here is not one that the key takes.
    #[inline(never)]
    pub(super) fn refuse(&mut self, spot: &Spot, reason: &str) {
        self.refuse_near(spot, reason, None);
    }

    /// The same, with the name that may have been meant.
    pub(super) fn refuse_near(&mut self, spot: &Spot, reason: &str, nearest: Option<&str>) {
        self.push(spot, Problem::Refuse(reason.to_owned()), nearest);
    }

    /// A section has no such key, and needs it.
    #[inline(never)]
    pub(super) fn missing(&mut self, section: &Spot, key: &str, takes: &str) {
        let spot = Spot::of(&join(&section.path, key), section.at);
        self.push(&spot, Problem::Missing(takes.to_owned()), None);
    }

    /// Something is odd but allowed.
    #[inline(never)]
    pub(super) fn warn(&mut self, warning: &str) {
        self.warnings.push(warning.to_owned());
    }

    /// Anything else is wrong here.
    pub(super) fn push(&mut self, spot: &Spot, problem: Problem, nearest: Option<&str>) {
        let error = ConfigError {
            path: spot.path.clone(),
            in_file: !spot.outside,
            place: None,
            problem,
            value: spot.shown.clone(),
            nearest: nearest.map(str::to_owned),
        };
        self.list.push(Noted { at: spot.at, key: spot.key.clone(), error });
    }

    /// Was something already said about this key or one below it?
    pub(super) fn has_about(&self, path: &str) -> bool {
        let is_below = |error: &ConfigError| {
            let rest = error.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.list.iter().any(|noted| is_below(&noted.error))
    }

    /// Ends the reading: nothing, or all errors in the order of the file.
    pub(super) fn finish(mut self, file: Option<&Path>, text: &str) -> Result<(), ConfigErrors> {
        if self.list.is_empty() {
            return Ok(());
        }
        for noted in &mut self.list {
            noted.at = noted.at.map(|at| begins(text, at, noted.key.as_deref()));
        }
        sort::by_key(&mut self.list, |noted| noted.at);
        let mut places = Places::new(text);
        let clean = |text: String| mask_known(&text, &self.secrets).into_owned();
        let list = self.list.into_iter().map(|noted| ConfigError {
            place: noted.at.map(|at| places.of(at)),
            value: noted.error.value.map(clean),
            ..noted.error
        });
        Err(ConfigErrors { file: file.map(Path::to_owned), list: list.collect() })
    }
}

/// The tree knows where values begin. What is said about a key is told at the key, which stands
/// before its value.
fn begins(text: &str, at: usize, key: Option<&str>) -> usize {
    let (Some(key), Some(before)) = (key, text.get(..at)) else { return at };
    let mut found = before.rmatch_indices(key).map(|(place, _)| place);
    found.find(|place| is_key(before, *place, key)).unwrap_or(at)
}

/// Is what stands there a key, rather than a part of another one or a word of a comment?
fn is_key(text: &str, place: usize, key: &str) -> bool {
    let (before, rest) = text.split_at(place);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let ends = rest.get(key.len()..).unwrap_or_default().trim_start_matches(['"', '\'']);
    let is_whole = line.chars().next_back().is_none_or(|c| " {,\"'".contains(c));
    is_whole && ends.trim_start_matches(' ').starts_with(':') && !line.trim_start().starts_with('#')
}

/// Turns rising byte offsets into places, in one walk over the text.
struct Places<'a> {
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
    place: Place,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self { chars: text.char_indices().peekable(), place: Place { line: 1, column: 1 } }
    }

    fn of(&mut self, at: usize) -> Place {
        while let Some((_, c)) = self.chars.next_if(|(index, _)| *index < at) {
            if c == '\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else {
                self.place.column += 1;
            }
        }
        self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stand_in_the_order_of_the_file_and_hide_secrets() {
        let mut errors = Errors::default();
        errors.secrets.push(Secret::new("hush-hush"));
        let late = Spot {
            path: "b".to_owned(),
            at: Some(14),
            shown: Some("\"hush-hush\"".to_owned()),
            ..Spot::default()
        };
        errors.refuse(&late, "must be a number");
        let early = Spot { key: Some("a".to_owned()), ..Spot::of("a", Some(11)) };
        errors.push(&early, Problem::UnknownKey, Some("c"));
        errors.refuse(&Spot::outside("PORT", "x"), "must be a port");
        let told = errors.finish(Some(Path::new("f")), "{ä: 0, a: 1}\nb: hush-hush\n");
        let expected = "PORT: must be a port (value \"x\")\n\
             f:1:8: a: unknown key, did you mean `c`?\n\
             f:2:1: b: must be a number (value \"****\")";
        assert_eq!(told.unwrap_err().to_string(), expected);
    }
}

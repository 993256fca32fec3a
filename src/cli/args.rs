//! Arguments as written, by the table's rows; the row makes of them what is meant.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::{Arg, Parser, ValueExt};

use crate::base::id::nearest;
use crate::cli::help::{Help, Topic};
use crate::cli::table::{COMMANDS, Command, Flag, Row};
use crate::cli::version;

/// Reads the command line; the first argument is the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Box<dyn Command>, Mistake> {
    let mut parser = Parser::from_iter(arguments);
    match parser.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => Ok(Help::about(Topic::All)),
        Some(Arg::Short('V') | Arg::Long("version")) => command(&version::ROW, &mut parser),
        Some(Arg::Value(word)) => named(&word.string()?, &mut parser),
        Some(other) => Err(Mistake::unknown(&other, ["--help", "--version"])),
    }
}

/// What was written after a command's name.
#[derive(Debug, Default)]
pub(super) struct Given {
    flags: Vec<(&'static str, Option<OsString>)>,
    words: Vec<String>,
    rest: Vec<OsString>,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// A word or option that nobody knows, and the nearest that somebody does.
    Unknown(String, Option<String>),
    /// A word too many, for a command that passes on what stands after `--`.
    NotAfterDashes(String),
    /// A word that must be there.
    Missing(&'static str),
    /// A value that does not fit: of what, the value, and what would.
    Value(String, String, String),
    /// Anything else, as the parser says it.
    Written(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word, Some(near)) => write!(f, "unknown: {word}. Did you mean {near}?"),
            Self::Unknown(word, None) => write!(f, "unknown: {word}"),
            Self::NotAfterDashes(word) => {
                write!(f, "unexpected: {word}. The client's own arguments stand after `--`")
            }
            Self::Missing(word) => write!(f, "{word} is missing"),
            Self::Value(of, value, takes) => write!(f, "{of} {value:?}: {takes}"),
            Self::Written(text) => f.write_str(text),
        }
    }
}

impl From<lexopt::Error> for Mistake {
    fn from(error: lexopt::Error) -> Self {
        Self::Written(error.to_string())
    }
}

impl Mistake {
    fn unknown<'a>(arg: &Arg<'_>, known: impl IntoIterator<Item = &'a str>) -> Self {
        match arg {
            Arg::Long(name) => Self::unknown_word(format!("--{name}"), known),
            Arg::Short(name) => Self::unknown_word(format!("-{name}"), known),
            Arg::Value(word) => Self::unknown_word(word.to_string_lossy().into_owned(), known),
        }
    }

    /// A word that is none of the known ones.
    pub(super) fn unknown_word<'a>(word: String, known: impl IntoIterator<Item = &'a str>) -> Self {
        let near = nearest(&word, known).map(str::to_owned);
        Self::Unknown(word, near)
    }
}

impl Given {
    /// Is the option there?
    pub(super) fn has(&self, flag: &Flag) -> bool {
        self.flags.iter().any(|(name, _)| *name == flag.name)
    }

    /// The option's value as a path.
    pub(super) fn path(&self, flag: &Flag) -> Option<PathBuf> {
        self.value(flag).map(PathBuf::from)
    }

    /// The option's value as text.
    pub(super) fn text(&self, flag: &Flag) -> Result<Option<String>, Mistake> {
        self.value(flag).map(|value| value.clone().string().map_err(Mistake::from)).transpose()
    }

    /// The option's values, where it may stand several times.
    pub(super) fn texts(&self, flag: &Flag) -> Result<Vec<String>, Mistake> {
        let values =
            self.flags.iter().filter(|(name, _)| *name == flag.name).filter_map(|(_, it)| it.as_ref());
        values.map(|value| value.clone().string().map_err(Mistake::from)).collect()
    }

    /// The option's value, read.
    pub(super) fn read<T: FromStr>(&self, flag: &Flag, takes: &str) -> Result<Option<T>, Mistake> {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        let read = text.parse();
        read.map(Some).map_err(|_| Mistake::Value(format!("--{}", flag.name), text, takes.to_owned()))
    }

    /// A word by its place.
    pub(super) fn word(&self, at: usize) -> Option<&str> {
        self.words.get(at).map(String::as_str)
    }

    /// All words.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// What stands after `--`.
    pub(super) fn rest(&self) -> &[OsString] {
        &self.rest
    }

    /// The last one counts.
    fn value(&self, flag: &Flag) -> Option<&OsString> {
        self.flags.iter().rev().find(|(name, _)| *name == flag.name).and_then(|(_, value)| value.as_ref())
    }
}

fn named(word: &str, parser: &mut Parser) -> Result<Box<dyn Command>, Mistake> {
    if let Some(row) = row(word) {
        return command(row, parser);
    }
    let Some(group) = COMMANDS.iter().find_map(|row| row.group().filter(|group| *group == word)) else {
        return Err(Mistake::unknown_word(word.to_owned(), first_words()));
    };
    match parser.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => Ok(Help::about(Topic::Group(group))),
        Some(Arg::Value(second)) => {
            let second = second.string()?;
            match row(&format!("{group} {second}")) {
                Some(row) => command(row, parser),
                None => Err(Mistake::unknown_word(second, second_words(group))),
            }
        }
        Some(other) => Err(Mistake::unknown(&other, second_words(group))),
    }
}

/// The command of that name.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.names().any(|known| known == name)).copied()
}

/// The words that may stand first.
pub(super) fn first_words() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|row| row.names()).filter_map(|name| name.split(' ').next())
}

fn second_words(group: &str) -> impl Iterator<Item = &'static str> {
    let pairs = COMMANDS.iter().flat_map(|row| row.names()).filter_map(|name| name.split_once(' '));
    pairs.filter(move |(first, _)| *first == group).map(|(_, second)| second)
}

fn command(row: &'static Row, parser: &mut Parser) -> Result<Box<dyn Command>, Mistake> {
    match given(row, parser)? {
        Some(given) => (row.command)(&given),
        None => Ok(Help::about(Topic::Row(row))),
    }
}

/// What was written for a command; `None` when help is asked for.
fn given(row: &'static Row, parser: &mut Parser) -> Result<Option<Given>, Mistake> {
    let mut given = Given::default();
    loop {
        if row.rest.is_some()
            && let Some(mut raw) = parser.try_raw_args()
            && raw.next_if(|next| next == "--").is_some()
        {
            given.rest = raw.collect();
            break;
        }
        match parser.next()? {
            None => break,
            Some(Arg::Short('h') | Arg::Long("help")) => return Ok(None),
            Some(Arg::Long(name)) => match flag(row, name) {
                Some(flag) => {
                    let value = flag.value().map(|_| parser.value()).transpose()?;
                    given.flags.push((flag.name, fitting(flag, value)?));
                }
                None => {
                    let known: Vec<String> =
                        row.flags.iter().map(|flag| format!("--{}", flag.name)).collect();
                    let known = known.iter().map(String::as_str).chain(["--help"]);
                    return Err(Mistake::unknown_word(format!("--{name}"), known));
                }
            },
            Some(Arg::Value(word)) if given.words.len() < row.words.len() || row.takes_more() => {
                let word = word.string()?;
                fits_word(row, given.words.len(), &word)?;
                given.words.push(word);
            }
            Some(Arg::Value(word)) if row.rest.is_some() => {
                return Err(Mistake::NotAfterDashes(word.to_string_lossy().into_owned()));
            }
            Some(other) => return Err(Mistake::unknown(&other, ["--help"])),
        }
    }
    match row.words.get(given.words.len()).filter(|word| !word.optional) {
        Some(word) => Err(Mistake::Missing(word.name)),
        None => Ok(Some(given)),
    }
}

fn flag(row: &Row, name: &str) -> Option<&'static Flag> {
    row.flags.iter().find(|flag| flag.name == name || flag.alias == Some(name)).copied()
}

fn fitting(flag: &Flag, value: Option<OsString>) -> Result<Option<OsString>, Mistake> {
    let words = flag.words();
    match &value {
        Some(word) if !words.is_empty() && !words.iter().any(|known| word == known) => {
            let word = word.to_string_lossy().into_owned();
            Err(Mistake::Value(format!("--{}", flag.name), word, alternatives(words)))
        }
        Some(_) | None => Ok(value),
    }
}

fn fits_word(row: &Row, at: usize, word: &str) -> Result<(), Mistake> {
    let known = row.words.get(at).map_or(&[][..], |word| word.one_of);
    if known.is_empty() || known.contains(&word) {
        return Ok(());
    }
    match nearest(word, known.iter().copied()) {
        Some(near) => Err(Mistake::Unknown(word.to_owned(), Some(near.to_owned()))),
        None => {
            let name = row.words.get(at).map_or("", |word| word.name);
            Err(Mistake::Value(name.to_owned(), word.to_owned(), alternatives(known)))
        }
    }
}

/// `a, b or c`
pub(super) fn alternatives(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        Some(_) | None => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a command line that is wrong.
    fn said(words: &str) -> Option<String> {
        let words = std::iter::once("llmgate").chain(words.split_whitespace()).map(OsString::from);
        parse(words).err().map(|mistake| mistake.to_string())
    }

    #[test]
    fn commands_and_their_other_names_are_read() {
        for words in [
            "start --listen 127.0.0.1:0 --compat=strict",
            "serve",
            "config check --json",
            "reload --admin-url http://127.0.0.1:1",
            "run codex --demo -- exec --json -- x",
            "--version",
            "stop -h",
            "help config validate",
            "config",
            "",
        ] {
            assert_eq!(said(words), None, "{words}");
        }
    }

    #[test]
    fn a_mistyped_word_gets_the_nearest_known_one() {
        for (words, answer) in [
            ("strat", "unknown: strat. Did you mean start?"),
            ("start --lisen x", "unknown: --lisen. Did you mean --listen?"),
            ("config valdate", "unknown: valdate. Did you mean validate?"),
            ("start --log-level loud", "--log-level \"loud\": debug, info, warn or error"),
            ("run cdex", "unknown: cdex. Did you mean codex?"),
            ("run", "CLIENT is missing"),
            ("run codex exec", "unexpected: exec. The client's own arguments stand after `--`"),
            ("stop now", "unknown: now"),
        ] {
            assert_eq!(said(words).as_deref(), Some(answer), "{words}");
        }
    }

    #[test]
    fn what_stands_after_dashes_is_kept_as_it_is() {
        let words = ["--demo", "codex", "--", "-h", "--", "--demo"].map(OsString::from);
        let mut parser = Parser::from_args(words);
        let given = given(row("run").unwrap(), &mut parser).unwrap().unwrap();
        assert_eq!(given.rest(), ["-h", "--", "--demo"].map(OsString::from));
        assert_eq!(given.word(0), Some("codex"));
    }

    #[test]
    fn every_command_reads_its_own_options() {
        for row in COMMANDS {
            let options = row.flags.iter().flat_map(|flag| {
                let free = match flag.value() {
                    Some("URL") => "http://127.0.0.1:1",
                    Some("TIME") => "7d",
                    Some(_) | None => "600",
                };
                let value = flag.value().map(|_| flag.words().first().copied().unwrap_or(free));
                std::iter::once(format!("--{}", flag.name)).chain(value.map(str::to_owned))
            });
            let words = row
                .words
                .iter()
                .filter(|word| !word.optional)
                .map(|word| word.one_of.first().copied().unwrap_or("start").to_owned());
            let mut parser = Parser::from_args(options.chain(words).map(OsString::from));
            let given = given(row, &mut parser).unwrap().unwrap();
            assert!(row.flags.iter().all(|flag| given.has(flag)), "{}", row.name);
            assert!((row.command)(&given).is_ok(), "{}", row.name);
        }
    }
}

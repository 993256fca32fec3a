//! `--help`, `help` and docs/COMMANDS.md: the command table in words.

use std::fmt::Write;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::cli::args::{self, Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, COMMANDS, Command, Flag, Row, Word};

pub(super) static ROW: Row = Row {
    name: "help",
    aliases: &[],
    summary: "what the commands are, or what one of them takes",
    about: "",
    words: &[
        Word { name: "COMMAND", help: "the command", optional: true, one_of: &[] },
        Word { name: "WORD", help: "its second word", optional: true, one_of: &[] },
    ],
    rest: None,
    flags: &[],
    codes: CODES,
    command: read,
};

/// What help is asked for.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    /// All commands.
    All,
    /// The commands of a group.
    Group(&'static str),
    /// One command.
    Row(&'static Row),
}

/// `--help`.
pub(super) struct Help(Topic);

impl Help {
    /// Help about this.
    pub(super) fn about(topic: Topic) -> Box<dyn Command> {
        Box::new(Self(topic))
    }
}

impl Command for Help {
    fn run(self: Box<Self>, _env: Env) -> Result<ExitCode, Refusal> {
        say(match self.0 {
            Topic::All => all(),
            Topic::Group(group) => in_group(group),
            Topic::Row(row) => of(row),
        }
        .trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let name = given.words().join(" ");
    if name.is_empty() {
        return Ok(Help::about(Topic::All));
    }
    if let Some(row) = args::row(&name) {
        return Ok(Help::about(Topic::Row(row)));
    }
    let group = COMMANDS.iter().find_map(|row| row.group().filter(|group| *group == name));
    match group {
        Some(group) => Ok(Help::about(Topic::Group(group))),
        None => Err(Mistake::unknown_word(name, args::first_words())),
    }
}

const HEAD: &str = "llmgate: one proxy between coding agents and LLM providers";

const FOOT: &str = "Each command takes --help. Without a configuration file, providers are made from keys in the \
                    environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, ...).";

const WIDTH: usize = 80;

fn all() -> String {
    let list = COMMANDS.iter().map(|row| (row.name.to_owned(), summary(row)));
    let mut text = format!("{HEAD}\n\nUsage: llmgate COMMAND [OPTIONS]\n\nCommands:\n");
    columns(&mut text, list.collect());
    text.push('\n');
    paragraph(&mut text, FOOT);
    text
}

fn in_group(group: &str) -> String {
    let rows = COMMANDS.iter().filter(|row| row.group() == Some(group));
    let list = rows.map(|row| (row.name.to_owned(), summary(row)));
    let mut text = format!("Usage: llmgate {group} COMMAND [OPTIONS]\n\nCommands:\n");
    columns(&mut text, list.collect());
    text
}

fn of(row: &Row) -> String {
    let mut text = format!("Usage: {}\n\n", usage(row));
    paragraph(&mut text, &capital(row.summary));
    if !row.about.is_empty() {
        text.push('\n');
        paragraph(&mut text, row.about);
    }
    text.push('\n');
    let codes = row.codes.iter().map(|(code, means)| format!("{code} {means}")).collect::<Vec<_>>();
    columns(&mut text, taken(row));
    text.push('\n');
    paragraph(&mut text, &format!("Exit code: {}.", codes.join("; ")));
    text
}

fn usage(row: &Row) -> String {
    let mut usage = format!("llmgate {}", row.name);
    for word in row.words {
        // Writing to a String cannot fail.
        let _ =
            if word.optional { write!(usage, " [{}]", word.name) } else { write!(usage, " {}", word.name) };
    }
    if !row.flags.is_empty() {
        usage.push_str(" [OPTIONS]");
    }
    if row.rest.is_some() {
        usage.push_str(" [-- ARGS]");
    }
    usage
}

/// What a command takes, and what each of it is.
fn taken(row: &Row) -> Vec<(String, String)> {
    let words = row.words.iter().map(|word| (word.name.to_owned(), word_help(word)));
    let flags = row.flags.iter().map(|flag| (spelled(flag), flag_help(flag)));
    let rest = row.rest.map(|help| ("-- ARGS".to_owned(), help.to_owned()));
    words.chain(flags).chain(rest).collect()
}

fn summary(row: &Row) -> String {
    match row.aliases {
        [] => row.summary.to_owned(),
        aliases => format!("{} (also: {})", row.summary, aliases.join(", ")),
    }
}

fn spelled(flag: &Flag) -> String {
    match flag.value() {
        Some(value) => format!("--{} {value}", flag.name),
        None => format!("--{}", flag.name),
    }
}

fn flag_help(flag: &Flag) -> String {
    let mut help = flag.help.to_owned();
    if !flag.words().is_empty() {
        help = format!("{}: {help}", args::alternatives(flag.words()));
    }
    match flag.alias {
        Some(alias) => format!("{help} (also: --{alias})"),
        None => help,
    }
}

fn word_help(word: &Word) -> String {
    match word.one_of {
        [] => word.help.to_owned(),
        words => format!("{}: {}", word.help, args::alternatives(words)),
    }
}

/// Two columns, the second one wrapped.
fn columns(text: &mut String, list: Vec<(String, String)>) {
    let widest = list.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in list {
        for (i, line) in wrapped(&right, WIDTH - widest - 4).into_iter().enumerate() {
            let left = if i == 0 { left.as_str() } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {left:widest$}  {line}");
        }
    }
}

fn paragraph(text: &mut String, words: &str) {
    for line in wrapped(words, WIDTH) {
        text.push_str(&line);
        text.push('\n');
    }
}

/// A text in lines, cut between words.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

/// docs/COMMANDS.md, made of the command table.
pub(super) fn reference() -> String {
    let mut text = String::from(
        "# Commands\n\nMade of the command table (`make golden` writes it anew). Output goes to stdout, \
         diagnostics to stderr.\nEvery command takes `--help` and `-h`; the last of an option given twice \
         counts.\n\n| command | |\n|---|---|\n",
    );
    for row in COMMANDS {
        let anchor = row.name.replace(' ', "-");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| [`{}`](#{anchor}) | {} |", row.name, cell(&summary(row)));
    }
    for row in COMMANDS {
        let _ = write!(text, "\n## {}\n\n`{}`\n\n{}", row.name, usage(row), capital(row.summary));
        if !row.aliases.is_empty() {
            let _ = write!(text, " Also: `{}`.", row.aliases.join("`, `"));
        }
        if !row.about.is_empty() {
            let _ = write!(text, " {}", row.about);
        }
        text.push('\n');
        let list = taken(row);
        if !list.is_empty() {
            text.push_str("\n| | |\n|---|---|\n");
        }
        for (left, right) in list {
            let _ = writeln!(text, "| `{left}` | {} |", cell(&right));
        }
        let codes: Vec<String> = row.codes.iter().map(|(code, means)| format!("`{code}` {means}")).collect();
        let _ = writeln!(text, "\nExit code: {}.", codes.join("; "));
    }
    text
}

/// Text inside a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_explained_in_lines_that_fit() {
        for row in COMMANDS {
            let text = of(row);
            assert!(row.flags.iter().all(|flag| text.contains(&format!("--{}", flag.name))), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
        assert!(all().lines().all(|line| line.chars().count() <= WIDTH), "{}", all());
    }
}

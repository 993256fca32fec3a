//! `status`: what a running llmgate does now.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::{clock, os};
use crate::cli::args::{Given, Mistake};
use crate::cli::control::{self, Place, READY_FILE};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row, URL};
use crate::observe::log::harmless;
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "status",
    aliases: &[],
    summary: "what a running llmgate does now",
    about: "Running requests, targets, money, losses, the last requests. A client key, where one is needed, is \
            taken from LLMGATE_KEY.",
    words: &[],
    rest: None,
    flags: &[&WATCH, &URL, &READY_FILE, &CONFIG, &JSON],
    codes: CODES,
    command: read,
};

static WATCH: Flag = Flag::switch("watch", "draw it again each second, on a terminal, until interrupted");

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

struct Status {
    place: Place,
    watch: bool,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Status { place: Place::read(given)?, watch: given.has(&WATCH), json: given.has(&JSON) }))
}

impl Command for Status {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let base = control::base_url(&self.place, &env)?;
        if self.watch {
            watch(&base, &env, self.json)?;
        } else {
            say(look(&base, &env, self.json)?.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn watch(base: &str, env: &Env, json: bool) -> Result<(), Refusal> {
    if json || !std::io::stdout().is_terminal() {
        let said = "--watch draws on a terminal; without one, and for JSON, ask again and again instead";
        return Err(Refusal::Usage(said.to_owned()));
    }
    let mut out = std::io::stdout().lock();
    // What was on the screen scrolls away once; from then on each picture is drawn over the last.
    let mut start = "\x1b[2J";
    loop {
        let text = look(base, env, false).unwrap_or_else(|refusal| refusal.to_string());
        let picture = format!("{start}\x1b[H{}\x1b[J", fitted(&text, os::terminal_size()));
        if out.write_all(picture.as_bytes()).and_then(|()| out.flush()).is_err() {
            // The terminal has gone.
            return Ok(());
        }
        start = "";
        clock::rest(INTERVAL);
    }
}

/// A text as it fits a screen of so many columns and rows: a line that wraps or scrolls would spoil
/// the picture.
fn fitted(text: &str, size: Option<(usize, usize)>) -> String {
    let (columns, rows) = size.unwrap_or((80, 24));
    let lines = text.lines().take(rows.saturating_sub(1).max(1));
    lines.map(|line| format!("{}\x1b[K\n", line.chars().take(columns).collect::<String>())).collect()
}

fn look(base: &str, env: &Env, json: bool) -> Result<String, Refusal> {
    let base = base.trim_end_matches('/');
    let form = if json { "" } else { "?as=text" };
    let said = match probe::look(&format!("{base}/debug/status{form}"), env.var("LLMGATE_KEY"), PATIENCE) {
        Ok((200, body)) if json => return Ok(body),
        Ok((200, body)) => {
            let lines: Vec<String> = body.lines().map(|line| harmless(line).into_owned()).collect();
            return Ok(lines.join("\n"));
        }
        Ok((401, _)) => format!("{base} wants a key: set LLMGATE_KEY to one of its client keys"),
        Ok((status, body)) => format!("{base} answered {status}: {}", harmless(&body)),
        Err(failure) => {
            format!("{base}: {failure}. Is llmgate running there? Name another place with --url.")
        }
    };
    Err(Refusal::Failure(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_no_larger_than_the_screen() {
        assert_eq!(fitted("abc\ndef\nghi", Some((2, 3))), "ab\x1b[K\nde\x1b[K\n");
        assert_eq!(fitted("äöü", Some((2, 0))), "äö\x1b[K\n");
        assert_eq!(fitted(&"x\n".repeat(99), None).lines().count(), 23);
    }
}

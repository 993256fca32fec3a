//! `replay`: the translations of a trace, made again without any network.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::json::pretty;
use crate::base::pen::{self, members};
use crate::cli::args::{Given, Mistake};
use crate::cli::explain::PROTOCOLS;
use crate::cli::refusal::Refusal;
use crate::cli::table::{Command, Flag, JSON, Row, Word};
use crate::cli::{FAILURE, complain, say};
use crate::observe::trace::Recorded;
use crate::protocol::Protocol;
use crate::translate::again::{Asked, Recipe, Unmade};

pub(super) static ROW: Row = Row {
    name: "replay",
    aliases: &[],
    summary: "make the translations of a trace again",
    about: "Reads a file of `--trace` or `log.requests_dir` and prints each request as its target gets it and \
            each answer as its client gets it. Nothing is sent. Only what was recorded whole can be made again: \
            record it with `log.bodies: true`.",
    words: &[Word { name: "FILE", help: "the trace", optional: false, one_of: &[] }],
    rest: None,
    flags: &[&TO, &DIFF, &JSON],
    codes: &[
        ("0", "ok; with --diff: everything is as it was recorded"),
        ("1", "something cannot be made again, or differs"),
        ("2", "wrong words on the command line"),
    ],
    command: read,
};

static TO: Flag =
    Flag::one_of("to", "PROTOCOL", PROTOCOLS, "the requests alone, for a target of this protocol");
static DIFF: Flag = Flag::switch("diff", "how it differs from what was recorded");

struct Replay {
    file: PathBuf,
    to: Option<Protocol>,
    diff: bool,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Replay {
        file: given.word(0).unwrap_or_default().into(),
        to: given.text(&TO)?.as_deref().and_then(Protocol::named),
        diff: given.has(&DIFF),
        json: given.has(&JSON),
    }))
}

impl Command for Replay {
    fn run(self: Box<Self>, _env: Env) -> Result<ExitCode, Refusal> {
        let text = fs::read_to_string(&self.file).map_err(|error| Refusal::of_file(&self.file, &error))?;
        let lines: Vec<Recorded> = text.lines().filter_map(Recorded::read).collect();
        let broken = text.lines().count() - lines.len();
        if broken > 0 {
            complain(&format!("{broken} lines are none of a trace and are left out"));
        }
        let mut good = broken == 0;
        for exchange in lines.chunk_by(|_, next| next.phase != "request") {
            for step in self.steps(exchange) {
                good &= self.tell(&step);
            }
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
    }
}

/// One translation, made again.
struct Step<'a> {
    recorded: &'a Recorded,
    made: Result<String, Unmade>,
}

/// With `--json`.
struct Told<'a> {
    id: &'a str,
    phase: &'a str,
    target: Option<&'a str>,
    same: Option<bool>,
    body: Option<&'a str>,
    problem: Option<String>,
}

members! {
    Told<'_> { id, phase, target, same, body, problem }
}

impl Replay {
    fn steps<'a>(&self, exchange: &'a [Recorded]) -> Vec<Step<'a>> {
        let Some(request) = exchange.first() else { return Vec::new() };
        let calls = || exchange.iter().filter(|line| line.phase == "upstream_request");
        if let Some(protocol) = self.to {
            let recipe = calls().find_map(|call| call.recipe.clone()).unwrap_or_default();
            let made =
                whole(request).and_then(|text| recipe.for_protocol(protocol).request(&asked(request, text)?));
            return vec![Step { recorded: request, made }];
        }
        let mut steps: Vec<Step<'a>> = calls()
            .map(|call| Step { recorded: call, made: again(request, call, Recipe::request) })
            .collect();
        let heard = exchange.iter().rfind(|line| line.phase == "upstream_response");
        let told = exchange.iter().rfind(|line| line.phase == "response");
        if let (Some(call), Some(heard), Some(told)) = (calls().next_back(), heard, told)
            && matches!(told.outcome.as_deref(), Some("completed" | "incomplete"))
        {
            let made = again(request, call, |recipe, asked| {
                let text = whole(heard)?;
                let answer = recipe.answer(asked, text, is_events(recipe, heard))?;
                String::from_utf8(answer).map_err(Unmade::new)
            });
            steps.push(Step { recorded: told, made });
        }
        steps
    }

    /// Prints a step; was it as it should be?
    fn tell(&self, step: &Step<'_>) -> bool {
        let line = step.recorded;
        let recorded = whole(line);
        let compared = match (&step.made, &recorded) {
            (Ok(made), Ok(recorded)) if self.to.is_none() => Some((made.as_str(), *recorded)),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
        };
        let same = compared.map(|(made, recorded)| made == recorded);
        let compares = self.diff && self.to.is_none();
        let problem = step.made.as_ref().err().or_else(|| recorded.as_ref().err().filter(|_| compares));
        let name = [line.id.as_str(), &line.phase, line.target.as_deref().unwrap_or("")].join(" ");
        if self.json {
            let told = Told {
                id: &line.id,
                phase: &line.phase,
                target: line.target.as_deref(),
                same,
                body: step.made.as_deref().ok(),
                problem: problem.map(ToString::to_string),
            };
            say(&pen::written(&told));
        } else if let Some(problem) = problem {
            complain(&format!("{}: cannot be made again: {problem}", name.trim_end()));
        } else if !self.diff || self.to.is_some() {
            say(&format!("# {}", name.trim_end()));
            say(step.made.as_deref().unwrap_or_default());
        } else if let Some((made, recorded)) = compared {
            match made == recorded {
                true => say(&format!("{}: same", name.trim_end())),
                false => say(&format!("{}: differs\n{}", name.trim_end(), difference(recorded, made))),
            }
        }
        problem.is_none() && (!self.diff || same != Some(false))
    }
}

/// A translation of a request with the recipe that was recorded for a call.
fn again(
    request: &Recorded,
    call: &Recorded,
    make: impl Fn(&Recipe, &Asked<'_>) -> Result<String, Unmade>,
) -> Result<String, Unmade> {
    let recipe = call.recipe.as_ref().ok_or_else(|| Unmade::new("no recipe was recorded"))?;
    if recipe.restored {
        return Err(Unmade::new("state of earlier turns was put in that only the running llmgate had"));
    }
    make(recipe, &asked(request, whole(request)?)?)
}

fn asked<'a>(request: &'a Recorded, text: &'a str) -> Result<Asked<'a>, Unmade> {
    let name = request.protocol.as_deref().unwrap_or_default();
    let protocol = Protocol::named(name).ok_or_else(|| Unmade::new(format!("{name:?} is no protocol")))?;
    Ok(Asked { protocol, id: &request.id, text })
}

/// The body, if all of it was recorded.
fn whole(line: &Recorded) -> Result<&str, Unmade> {
    match &line.body {
        None => Err(Unmade::new(format!(
            "the {} was recorded without its body; record it with `log.bodies: true`",
            line.phase
        ))),
        Some(_) if line.truncated => Err(Unmade::new(format!(
            "only an excerpt of the {} was recorded; record all of it with `log.bodies: true`",
            line.phase
        ))),
        Some(body) => Ok(body),
    }
}

/// Was the answer taken for a stream?
fn is_events(recipe: &Recipe, heard: &Recorded) -> bool {
    let kind = heard.headers.iter().find_map(|header| header.strip_prefix("content-type: "));
    let is = |name: &str| kind.is_some_and(|kind| kind.starts_with(name));
    if recipe.stream { !is("application/json") && !is("text/html") } else { is("text/event-stream") }
}

/// Lines that are in one of two texts only, between what both begin and end with.
fn difference(recorded: &str, made: &str) -> String {
    let (recorded, made) = (pretty(recorded), pretty(made));
    let (old, new): (Vec<&str>, Vec<&str>) = (recorded.lines().collect(), made.lines().collect());
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = |lines: &[&str]| lines.len() - before;
    let most = rest(&old).min(rest(&new));
    let after = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let only = |lines: &[&str], sign: &str| {
        let changed = lines.iter().take(lines.len() - after).skip(before);
        changed.map(|line| format!("{sign}{line}\n")).collect::<String>()
    };
    format!("@@ line {} @@\n{}{}", before + 1, only(&old, "-"), only(&new, "+")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leaves_out_what_is_the_same() {
        assert_eq!(
            difference(r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"b":5,"c":3}"#),
            "@@ line 3 @@\n-  \"b\": 2,\n+  \"b\": 5,"
        );
        assert_eq!(difference("data: 1\n\ndata: 2\n", "data: 1\n\n"), "@@ line 3 @@\n-data: 2");
        assert_eq!(difference("a\na", "a\na\na"), "@@ line 3 @@\n+a");
        assert_eq!(difference("{ \"a\":1}", "{\"a\":1}"), "@@ line 4 @@");
    }
}

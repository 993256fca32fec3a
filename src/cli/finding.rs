//! What a check found: a line for people, a value for programs (`doctor`, `providers check`).

use crate::base::object::{Object, object};
use crate::cli::help::wrapped;
use crate::cli::say;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: String,
    /// How it is.
    pub(super) state: State,
    /// In words.
    pub(super) said: String,
    /// What its user can do.
    pub(super) next: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Good.
    Ok,
    /// Odd, or not known.
    Warn,
    /// It will not work.
    Fail,
}

impl State {
    /// As it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    /// Good.
    #[inline(never)]
    pub(super) fn ok(check: impl Into<String>, said: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Ok, said: said.into(), next: None }
    }

    /// Odd, and what can be done.
    #[inline(never)]
    pub(super) fn warn(check: impl Into<String>, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Warn, next: Some(next.into()), ..Self::ok(check, said) }
    }

    /// Wrong, and what can be done.
    #[inline(never)]
    pub(super) fn fail(check: impl Into<String>, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Fail, next: Some(next.into()), ..Self::ok(check, said) }
    }

    /// For programs.
    pub(super) fn object(&self) -> Object {
        let mut object =
            object! {"check": self.check.as_str(), "state": self.state.word(), "said": self.said.as_str()};
        object.put_some("next", self.next.as_deref());
        object
    }
}

/// The worst of them.
pub(super) fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
}

/// Prints them as lines; what is long stays below itself.
pub(super) fn tell(findings: &[Finding]) {
    for Finding { check, state, said, next } in findings {
        let head = format!("{:4}  {check:CHECK$}  ", state.word());
        below(&head, said);
        if let Some(next) = next {
            below(&format!("{:1$}next: ", "", CHECK + 8), next);
        }
    }
}

/// Checks are told in several groups that stand in one column.
const CHECK: usize = 18;
const WIDTH: usize = 100;

/// A text behind a head, its lines wrapped.
fn below(head: &str, text: &str) {
    let indent = head.chars().count();
    let mut head = head.to_owned();
    for line in text.lines().flat_map(|line| wrapped(line, WIDTH.saturating_sub(indent).max(40))) {
        say(format!("{head}{line}").trim_end());
        head = " ".repeat(indent);
    }
}

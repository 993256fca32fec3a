//! What could not be carried, and why (SPEC 8.9).

use std::borrow::Cow;
use std::fmt;

/// One thing that a protocol has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where it stood: `tools[2]`, `sampling.top_k`.
    pub path: String,
    /// Why it was not carried.
    pub why: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
}

/// How much a loss matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Left out without a word: no answer depends on it.
    Hint,
    /// Left out with a warning; refused when `compat` is strict.
    Degrade,
    /// The request would mean something else: refused before any call.
    Refuse,
}

/// A loss is compared with so many that were told before.
const LOOKED_AT: usize = 256;

/// The losses of one translation, in the order they were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// Notes that something was left out for good reason.
    #[inline(never)]
    pub fn hint(&mut self, path: impl Into<String>, why: impl Into<Cow<'static, str>>) {
        self.add(Severity::Hint, path.into(), why.into());
    }

    /// Notes that something was left out that the client may miss.
    #[inline(never)]
    pub fn degrade(&mut self, path: impl Into<String>, why: impl Into<Cow<'static, str>>) {
        self.add(Severity::Degrade, path.into(), why.into());
    }

    /// Notes that without this the request cannot be meant.
    #[inline(never)]
    pub fn refuse(&mut self, path: impl Into<String>, why: impl Into<Cow<'static, str>>) {
        self.add(Severity::Refuse, path.into(), why.into());
    }

    /// Takes over the losses of another step.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    /// The first of at least that severity.
    pub fn first_of(&self, least: Severity) -> Option<&Loss> {
        self.0.iter().find(|loss| loss.severity >= least)
    }

    fn add(&mut self, severity: Severity, path: String, why: Cow<'static, str>) {
        let loss = Loss { path, why, severity };
        // The same field of forty tools is one loss in the eyes of a reader. A request of a million
        // unknown members is looked through no longer than that.
        if !self.0.iter().rev().take(LOOKED_AT).any(|known| *known == loss) {
            self.0.push(loss);
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_again_is_told_once() {
        let mut losses = Losses::default();
        for _ in 0..3 {
            losses.degrade("a", "x");
            losses.degrade("b", "x");
            losses.hint("a", "x");
        }
        assert_eq!(losses.iter().count(), 3);
    }
}

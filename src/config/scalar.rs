//! Reading single values: switches, numbers, texts, words, durations, sizes, windows, secrets.

use std::time::Duration;

use serde_json::Value;

use super::errors::{Errors, Spot};
use super::expand::is_variable;
use super::file::{Kind, Node};
use super::read::{Read, one_of, spot, wrong};
use super::words::Words;
use super::{Window, units};
use crate::base::id::nearest;
use crate::base::secret::Secret;

impl<T: Words> Read for T {
    const TAKES: &'static [&'static str] = T::WORDS;

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        T::CHOICES.get(word(node, path, T::WORDS, errors)?).copied()
    }
}

/// Which of the words it is.
fn word(node: &Node, path: &str, words: &[&str], errors: &mut Errors) -> Option<usize> {
    let word = match node.switch() {
        Some(true) => "true",
        Some(false) => "false",
        None => node.text().unwrap_or(""),
    };
    let at = words.iter().position(|known| *known == word);
    if at.is_none() && !matches!(node.kind, Kind::Broken) {
        no_word_of(word, words, &spot(node, path), errors);
    }
    at
}

/// Notes a word that is none of those that a key takes.
pub(super) fn no_word_of(word: &str, words: &[&str], spot: &Spot, errors: &mut Errors) {
    let near = nearest(word, words.iter().copied());
    errors.refuse_near(spot, &format!("must be {}", one_of(words)), near);
}

/// Implements [`Read`] for types that are one scalar: what it takes, and how it is made.
macro_rules! scalar {
    ($($type:ty: $takes:literal, $make:expr;)+) => {$(
        impl Read for $type {
            const TAKES: &'static [&'static str] = &[$takes];

            fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
                let make: fn(&Node) -> Option<$type> = $make;
                let made = make(node);
                if made.is_none() {
                    wrong(node, path, Self::TAKES, errors);
                }
                made
            }
        }
    )+};
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub(super) struct Size(pub(super) u64);

/// What a header says.
#[derive(Debug)]
pub(super) struct HeaderValue {
    pub(super) text: Secret,
    pub(super) is_from_variable: bool,
}

/// Any value, kept as JSON.
#[derive(Debug)]
pub(super) struct Anything(pub(super) Value);

// A number or a switch may come out of `${}`, which gives a text.
scalar! {
    bool: "true or false", |node| node.switch().or_else(|| node.expanded()?.parse().ok());
    u64: "a whole number, 0 or more", |node| whole(node);
    u32: "a whole number from 0 to 4294967295", |node| u32::try_from(whole(node)?).ok();
    f64: "a number", |node| match node.number() {
        Some(number) => number.as_f64(),
        None => node.expanded()?.parse().ok().filter(|number: &f64| number.is_finite()),
    };
    HeaderValue: "a text", |node| {
        let text = Secret::new(node.text()?);
        Some(HeaderValue { text, is_from_variable: node.written().is_some() })
    };
    String: "a text", |node| node.text().map(str::to_owned);
    Duration: "a duration such as 250ms, 10s, 5m, 1h or 15d, at most 366d", |node| match node.text() {
        Some(text) => units::duration(text),
        None => (whole(node)? == 0).then_some(Duration::ZERO),
    };
    Size: "a size such as 64KiB or 32MiB", |node| units::size(node.text()?).map(Size);
    Window: "a window such as 1m, 5h, 1d, 1w or 1mo", |node| units::window(node.text()?);
    Anything: "any value", |node| Some(Anything(node.to_value()));
}

fn whole(node: &Node) -> Option<u64> {
    match node.number() {
        Some(number) => number.as_u64(),
        None => node.expanded()?.parse().ok(),
    }
}

impl Read for Secret {
    const TAKES: &'static [&'static str] = String::TAKES;

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let secret = Self::new(&String::read(node, path, errors)?);
        errors.secrets.push(secret.clone());
        Some(secret)
    }
}

/// A key and the variable that it came from, when it is one `${NAME}` and no more.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) secret: Secret,
    pub(super) variable: Option<String>,
}

impl Read for Key {
    const TAKES: &'static [&'static str] = String::TAKES;

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let secret = Secret::read(node, path, errors)?;
        let written = node.written().and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
        let named = written.map(|inside| match inside.split_once(":-") {
            // The default is a key of the file: the variable may not be set.
            Some((name, default)) => (name, default != secret.expose()),
            None => (inside, true),
        });
        let variable = named.filter(|(name, is_its)| *is_its && is_variable(name));
        Some(Self { secret, variable: variable.map(|(name, _)| name.to_owned()) })
    }
}

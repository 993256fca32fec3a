//! The text in the arguments that were made of it: the input of a free-form tool out of
//! `{"input": TEXT}`, arguments that were no object out of `{"_raw": TEXT}` (SPEC 8.3, 8.4).
//!
//! ```text
//! Before --`{"NAME":"`--> Inside --text, escapes--> Inside --`"`--> After
//!    \------what can no more begin so (raw)------> Other
//! ```
//! Arguments come in pieces cut anywhere, also inside an escape. An input that does not begin like
//! the object that was asked for is given when it is over; other arguments pass at once.

use crate::base::json::quoted;
use crate::base::pen;
use crate::base::tree::Tree;

/// The member that carries arguments which are no object.
pub(super) const RAW: &str = "_raw";
/// The member that carries a free-form tool's input.
pub(super) const INPUT: &str = "input";
/// The schema of the function that stands for a free-form tool.
pub(super) const INPUT_SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// The text of a call's whole arguments. Some servers give a text where an object is due.
pub(super) fn arguments(object: &Tree<'_>) -> String {
    let raw = match object {
        Tree::Object(members) if members.len() == 1 => object.text(RAW),
        Tree::Text(text) if text.is_empty() => Some("{}"),
        Tree::Text(text) => Some(text.as_ref()),
        _ => None,
    };
    raw.map_or_else(|| pen::written(object), str::to_owned)
}

/// Takes arguments, gives the text.
#[derive(Debug)]
pub(super) struct Unwrap {
    name: &'static str,
    /// Everything so far.
    raw: String,
    state: State,
    /// Where the unread part of the string begins.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    After,
    Other,
}

impl Unwrap {
    /// For a free-form tool's input.
    pub(super) fn input() -> Self {
        Self { name: INPUT, raw: String::new(), state: State::Before, at: 0 }
    }

    /// For the arguments of a function.
    pub(super) fn raw() -> Self {
        Self { name: RAW, ..Self::input() }
    }

    /// Takes a piece of the arguments; gives what is sure of the text.
    pub(super) fn push(&mut self, piece: &str) -> String {
        if self.state == State::Other {
            return piece.to_owned();
        }
        self.raw.push_str(piece);
        if self.state == State::Before {
            match begin(&self.raw, self.name) {
                Begin::At(at) => {
                    self.state = State::Inside;
                    self.at = at;
                }
                Begin::Never if self.name == RAW => {
                    self.state = State::Other;
                    return std::mem::take(&mut self.raw);
                }
                Begin::Never | Begin::Perhaps => {}
            }
        }
        if self.state != State::Inside {
            return String::new();
        }
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let (taken, ended) = sure(rest);
        let text = decoded(rest.get(..taken).unwrap_or_default());
        self.at += taken;
        if ended {
            self.state = State::After;
        }
        text
    }

    /// The arguments are over: what was never given.
    pub(super) fn finish(&self) -> String {
        match self.state {
            State::Before => unwrapped(&self.raw, self.name),
            State::Inside | State::After | State::Other => String::new(),
        }
    }
}

/// The text in whole arguments; they themselves where there is none.
pub(super) fn unwrapped(arguments: &str, name: &str) -> String {
    match (Tree::read(arguments), begin(arguments, name)) {
        (Ok(tree), _) => tree.text(name).unwrap_or(arguments).to_owned(),
        // Cut off, or broken: what a stream would have told.
        (Err(_), Begin::At(at)) => {
            let rest = arguments.get(at..).unwrap_or_default();
            decoded(rest.get(..sure(rest).0).unwrap_or_default())
        }
        (Err(_), Begin::Perhaps | Begin::Never) => arguments.to_owned(),
    }
}

/// Does a text begin with `{"NAME":"`, white space between its parts allowed?
enum Begin {
    /// Yes, and this is where the inside of the string begins.
    At(usize),
    /// More must come to know.
    Perhaps,
    /// No.
    Never,
}

fn begin(raw: &str, name: &str) -> Begin {
    let mut rest = raw;
    for token in ["{", &format!("\"{name}\""), ":", "\""] {
        rest = rest.trim_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Begin::Perhaps,
            None => return Begin::Never,
        }
    }
    Begin::At(raw.len() - rest.len())
}

/// How many bytes of a string's inside are sure, and whether its end was reached.
fn sure(rest: &str) -> (usize, bool) {
    let mut at = 0;
    let mut unpaired = None;
    while let Some(tail) = rest.get(at..) {
        let Some(first) = tail.chars().next() else { break };
        match first {
            '"' => return (at, true),
            '\\' => {
                let Some(length) = escape(tail) else { break };
                // The first half of a surrogate pair waits for the second.
                let is_high = tail.get(2..4).is_some_and(|hex| {
                    length == 6 && matches!(hex.to_ascii_lowercase().as_str(), "d8" | "d9" | "da" | "db")
                });
                unpaired = is_high.then_some(at);
                at += length;
            }
            other => {
                unpaired = None;
                at += other.len_utf8();
            }
        }
    }
    (unpaired.unwrap_or(at), false)
}

/// The length of the escape that a text begins with; none before all of it has come.
fn escape(text: &str) -> Option<usize> {
    let mut after = text.chars().skip(1);
    let kind = after.next()?;
    if kind != 'u' {
        return Some(1 + kind.len_utf8());
    }
    match after.take(4).take_while(char::is_ascii_hexdigit).count() {
        4 => Some(6),
        digits if text.len() == 2 + digits => None,
        _ => Some(2),
    }
}

fn decoded(inside: &str) -> String {
    let read = |inside: &str| match Tree::read(&format!("\"{inside}\"")) {
        Ok(Tree::Text(text)) => Some(text.into_owned()),
        _ => None,
    };
    read(inside).or_else(|| read(&forgiven(inside))).unwrap_or_else(|| inside.to_owned())
}

/// The inside of a string that a model has written: what is no escape (`\d`) stands for itself, and so
/// does a line break.
fn forgiven(inside: &str) -> String {
    let mut out = String::with_capacity(inside.len() + 8);
    let mut rest = inside;
    while let Some(first) = rest.chars().next() {
        let is_escape = |length: &usize| {
            *length == 6
                || matches!(rest.get(1..*length), Some("\"" | "\\" | "/" | "b" | "f" | "n" | "r" | "t"))
        };
        let escaped = if first == '\\' { escape(rest).filter(is_escape) } else { None };
        let (part, after) =
            rest.split_at_checked(escaped.unwrap_or_else(|| first.len_utf8())).unwrap_or((rest, ""));
        match first {
            '\\' if escaped.is_none() => out.push_str("\\\\"),
            control if control < ' ' => {
                let quoted = quoted(part);
                out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
            }
            _ => out.push_str(part),
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut in two anywhere, the same comes out.
    #[track_caller]
    fn check_cuts(raw: &str, input: &str) {
        for cut in (0..raw.len()).filter(|cut| raw.is_char_boundary(*cut)) {
            let mut unwrap = Unwrap::input();
            let mut out = unwrap.push(&raw[..cut]);
            out.push_str(&unwrap.push(&raw[cut..]));
            out.push_str(&unwrap.finish());
            assert_eq!(out, input, "{cut} {raw}");
        }
    }

    #[test]
    fn input_comes_out_the_same_at_any_cut() {
        let input = "line \"one\"\n\ttwo \\ ä 😀 \u{1}";
        let plain = serde_json::json!({ "input": input }).to_string();
        let escaped = plain.replace('😀', "\\ud83d\\ude00");
        for raw in [plain, escaped, format!("{{ \"input\" : {} }}", serde_json::json!(input))] {
            check_cuts(&raw, input);
        }
    }

    #[test]
    fn arguments_that_came_as_a_text_are_that_text() {
        for (json, text) in [
            (r#"{"a":1.10}"#, r#"{"a":1.10}"#),
            (r#"{"_raw":"[1"}"#, "[1"),
            (r#""{\"a\":1}""#, r#"{"a":1}"#),
            (r#""""#, "{}"),
            ("[1]", "[1]"),
        ] {
            assert_eq!(arguments(&Tree::read(json).unwrap()), text);
        }
    }

    #[test]
    fn what_no_parser_takes_spoils_nothing_beside_it() {
        for (raw, input) in [
            (r#"{"input":"a\nb\ud83dc\"\n"}"#, "a\nb\u{fffd}c\"\n"),
            (r#"{"input":"a\ud83d\ud83d\ude00"}"#, "a\u{fffd}\u{1f600}"),
            (r#"{"input":"a\nb\d+\n"}"#, "a\nb\\d+\n"),
            (r#"{"input":"a\nb\é\n"}"#, "a\nb\\é\n"),
            ("{\"input\":\"a\\tb\nc\"}", "a\tb\nc"),
            // A line of a shell that goes on.
            ("{\"input\":\"a \\\n\\tb\"}", "a \\\n\tb"),
        ] {
            check_cuts(raw, input);
        }
    }

    #[test]
    fn what_is_no_such_object_is_given_as_it_came() {
        let mut unwrap = Unwrap::input();
        assert_eq!(unwrap.push("*** Begin"), "");
        assert_eq!(unwrap.finish(), "*** Begin");
        let mut other = Unwrap::input();
        other.push("{\"x\":1,\"input\":\"a\"}");
        assert_eq!(other.finish(), "a");
    }

    #[test]
    fn arguments_that_are_an_object_pass_at_once() {
        let mut unwrap = Unwrap::raw();
        let mut out: Vec<String> = ["{", "\"_r", "ow\":1", "}"].map(|piece| unwrap.push(piece)).into();
        out.push(unwrap.finish());
        assert_eq!(out, ["", "", "{\"_row\":1", "}", ""]);
        let mut wrapped = Unwrap::raw();
        let out: Vec<String> = ["{\"_raw\": \"a", "\\\"b\"}"].map(|piece| wrapped.push(piece)).into();
        assert_eq!(out, ["a", "\"b"]);
        let mut short = Unwrap::raw();
        assert_eq!(short.push("{}") + &short.finish(), "{}");
    }
}

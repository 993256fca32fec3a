//! The input of a free-form tool, out of the arguments of the function that stands for it.
//!
//! ```text
//! Before --`{"input":"`--> Inside --text, escapes--> Inside --`"`--> After
//! ```
//! Arguments come in pieces cut anywhere, also inside an escape. What does not begin like the
//! object that was asked for is given as it came, when it is over.

use serde_json::Value;

/// Takes arguments, gives input.
#[derive(Debug, Default)]
pub(super) struct Unwrap {
    /// Everything so far.
    raw: String,
    /// How much of it was given, as input.
    state: State,
    /// Where the unread part of the string begins.
    at: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    After,
}

impl Unwrap {
    /// Takes a piece of the arguments; gives what is sure of the input.
    pub(super) fn push(&mut self, piece: &str) -> String {
        self.raw.push_str(piece);
        if self.state == State::Before
            && let Some(begin) = begin(&self.raw)
        {
            self.state = State::Inside;
            self.at = begin;
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
            State::Before => {
                let value: Option<Value> = serde_json::from_str(&self.raw).ok();
                let input = value.as_ref().and_then(|value| value.get("input")).and_then(Value::as_str);
                input.map_or_else(|| self.raw.clone(), str::to_owned)
            }
            State::Inside | State::After => String::new(),
        }
    }
}

/// Where the text of `{"input":"` begins, white space between its parts allowed.
fn begin(raw: &str) -> Option<usize> {
    let mut rest = raw;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start().strip_prefix(token)?;
    }
    Some(raw.len() - rest.len())
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
                let length = match tail.chars().nth(1) {
                    None => break,
                    Some('u') => 6,
                    Some(_) => 2,
                };
                if tail.len() < length {
                    break;
                }
                // The first half of a surrogate pair waits for the second.
                let is_high = tail.get(2..4).is_some_and(|hex| {
                    length == 6 && matches!(hex.to_ascii_lowercase().as_str(), "d8" | "d9" | "da" | "db")
                });
                unpaired = if is_high && unpaired.is_none() { Some(at) } else { None };
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

fn decoded(inside: &str) -> String {
    serde_json::from_str(&format!("\"{inside}\"")).unwrap_or_else(|_| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_comes_out_the_same_at_any_cut() {
        let input = "line \"one\"\n\ttwo \\ ä 😀 \u{1}";
        let plain = serde_json::json!({ "input": input }).to_string();
        let escaped = plain.replace('😀', "\\ud83d\\ude00");
        for raw in [plain, escaped, format!("{{ \"input\" : {} }}", serde_json::json!(input))] {
            for cut in (0..raw.len()).filter(|cut| raw.is_char_boundary(*cut)) {
                let mut unwrap = Unwrap::default();
                let mut out = unwrap.push(&raw[..cut]);
                out.push_str(&unwrap.push(&raw[cut..]));
                out.push_str(&unwrap.finish());
                assert_eq!(out, input, "{cut} {raw}");
            }
        }
    }

    #[test]
    fn what_is_no_such_object_is_given_as_it_came() {
        let mut unwrap = Unwrap::default();
        assert_eq!(unwrap.push("*** Begin"), "");
        assert_eq!(unwrap.finish(), "*** Begin");
        let mut other = Unwrap::default();
        other.push("{\"x\":1,\"input\":\"a\"}");
        assert_eq!(other.finish(), "a");
    }
}

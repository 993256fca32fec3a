//! A body made short for people: of a history what follows the model's last turn, of each text its
//! first characters. What was short enough stays as it came, byte for byte.

use std::borrow::Cow;

use crate::base::cut;
use crate::base::pen;
use crate::base::sse::FrameReader;
use crate::base::tree::Tree;

/// The members that hold a history, in the four languages.
const HISTORIES: [&str; 3] = ["messages", "input", "contents"];
/// A stream is kept up to so many times the length of one text.
const STREAM_TEXTS: usize = 64;

/// The body with texts of at most `most` characters; whether something is missing.
pub fn of(body: Cow<'_, str>, most: usize) -> (Cow<'_, str>, bool) {
    // Nothing of it can be longer, and it has no history.
    if body.len() <= most && !HISTORIES.iter().any(|name| body.contains(name)) {
        return (body, false);
    }
    let short = match Tree::read(&body) {
        Ok(mut value) => (newest(&mut value) | shorten(&mut value, most)).then(|| pen::written(&value)),
        Err(_) => match stream(&body, most) {
            Some(short) => short,
            None => cut(&body, most).map(|(end, _)| body.get(..end).unwrap_or_default().to_owned()),
        },
    };
    let missing = short.is_some();
    (short.map_or(body, Cow::Owned), missing)
}

/// Where a text of more than `most` characters is cut, and how many are left; `None`: it is none.
fn cut(text: &str, most: usize) -> Option<(usize, usize)> {
    let end = cut::first(text, most)?.len();
    Some((end, text.get(end..).map_or(0, |rest| rest.chars().count())))
}

/// The history without what stood in earlier requests already.
fn newest(body: &mut Tree<'_>) -> bool {
    let Tree::Object(members) = body else { return false };
    let mut missing = false;
    for (_, history) in members.iter_mut().filter(|(name, _)| HISTORIES.contains(&name.as_ref())) {
        let Tree::List(turns) = history else { continue };
        if let Some(last) = turns.iter().rposition(is_the_models) {
            turns.drain(..=last);
            missing = true;
        }
    }
    missing
}

/// Was it the model that said this?
fn is_the_models(turn: &Tree<'_>) -> bool {
    let is = |member: &str| turn.text(member).unwrap_or_default();
    matches!(is("role"), "assistant" | "model") || is("type") == "reasoning" || is("type").ends_with("_call")
}

fn shorten(value: &mut Tree<'_>, most: usize) -> bool {
    match value {
        Tree::Text(text) => {
            let Some((end, left)) = cut(text, most) else { return false };
            *text = format!("{}… (+{left})", text.get(..end).unwrap_or_default()).into();
            true
        }
        Tree::List(list) => list.iter_mut().fold(false, |missing, value| shorten(value, most) | missing),
        Tree::Object(members) => {
            members.iter_mut().fold(false, |missing, (_, value)| shorten(value, most) | missing)
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => false,
    }
}

/// The same of an event stream, `None` when it is none: what it is cut to, if something is missing.
fn stream(body: &str, most: usize) -> Option<Option<String>> {
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(body.as_bytes());
    let room = most.saturating_mul(STREAM_TEXTS);
    let (mut out, mut missing, mut is_stream) = (Vec::new(), false, false);
    while let Ok(Some(frame)) = reader.next_frame() {
        if out.len() + frame.raw.len() > room {
            missing = true;
            break;
        }
        let text = frame.text();
        is_stream |= text.is_some();
        let mut value = text.as_deref().and_then(|text| Tree::read(text).ok());
        let is_cut = value.as_mut().is_some_and(|value| shorten(value, most));
        match value.filter(|_| is_cut) {
            Some(value) => {
                missing = true;
                frame.write_with_data(&pen::written(&value), &mut out);
            }
            None => out.extend_from_slice(frame.raw),
        }
    }
    is_stream.then(|| missing.then(|| String::from_utf8_lossy(&out).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, most: usize, expected: &str) {
        assert_eq!(of(body.into(), most), (expected.into(), expected != body));
    }

    #[test]
    fn what_is_short_stays_byte_for_byte() {
        for body in [
            "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"äö\"} ] }",
            "data: {\"a\":\"b\"}\n\n: c\n\ndata: [DONE]\n\n",
            "no",
            "",
        ] {
            check(body, 4, body);
        }
    }

    #[test]
    fn of_a_history_the_new_tail_is_left() {
        let new = r#"{"role":"user","content":"new"}"#;
        for (name, model) in [
            ("messages", r#"{"role":"assistant","content":"x"}"#),
            ("contents", r#"{"role":"model","parts":[]}"#),
            ("input", r#"{"type":"function_call","name":"f"}"#),
            ("input", r#"{"type":"reasoning"}"#),
        ] {
            let body = format!(r#"{{"{name}":[{{"role":"user","content":"old"}},{model},{new}]}}"#);
            check(&body, 100, &format!(r#"{{"{name}":[{new}]}}"#));
        }
    }

    #[test]
    fn long_texts_are_cut_wherever_they_stand() {
        check(r#"{"system":["äöüß"],"n":1}"#, 2, r#"{"system":["äö… (+2)"],"n":1}"#);
        check(
            "event: a\ndata: {\"t\":\"1234\"}\n\ndata: {\"t\":\"1\"}\n\n",
            3,
            "event: a\ndata: {\"t\":\"123… (+1)\"}\n\ndata: {\"t\":\"1\"}\n\n",
        );
        check("no JSON", 2, "no");
        let long = "data: {\"t\":\"1\"}\n\n".repeat(30);
        let (short, missing) = of(Cow::Borrowed(&long), 3);
        assert!(missing && long.starts_with(&*short) && short.len() < 192 && short.ends_with("\n\n"));
    }
}

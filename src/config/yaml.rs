//! A plain tree -> YAML text: what `config show` and `config import` print, and `config add-*` adds.
//! Small sections stand on one line; what could be read as anything but a text is put in quotes.

use serde_json::{Map, Value};

use crate::base::{pen, quote};

/// A line is no longer than this where it can be helped.
const WIDTH: usize = 78;

/// A map as a document.
pub(super) fn document(root: &Map<String, Value>) -> String {
    let mut out = String::new();
    entries(root, 0, &mut out);
    out
}

/// One entry of a section; its own keys stand on lines of their own, so that others can join them.
pub(super) fn entry(key: &str, value: &Value) -> String {
    let mut out = format!("{}:", scalar_text(key));
    match value {
        Value::Object(map) => {
            out.push('\n');
            entries(map, 2, &mut out);
        }
        other => below(other, 0, &mut out),
    }
    out
}

fn entries(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in map {
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar_text(key));
        out.push(':');
        below(value, indent, out);
    }
}

/// What stands after a key.
fn below(value: &Value, indent: usize, out: &mut String) {
    let begun = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    if let Some(line) = one_line(value, WIDTH.saturating_sub(begun + 1)) {
        out.push(' ');
        out.push_str(&line);
        out.push('\n');
        return;
    }
    out.push('\n');
    match value {
        Value::Object(map) => entries(map, indent + 2, out),
        Value::Array(items) => items.iter().for_each(|item| list_item(item, indent + 2, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn list_item(item: &Value, indent: usize, out: &mut String) {
    let room = WIDTH.saturating_sub(indent + 2);
    let dash = format!("{}- ", " ".repeat(indent));
    match (one_line(item, room), item) {
        (Some(line), _) => out.push_str(&format!("{dash}{line}\n")),
        (None, Value::Object(map)) => {
            let mut text = String::new();
            entries(map, indent + 2, &mut text);
            out.push_str(&dash);
            out.push_str(text.trim_start());
        }
        (None, other) => out.push_str(&format!("{dash}{}\n", flow(other))),
    }
}

/// A value on one line: single values always, sections of single values where they fit.
fn one_line(value: &Value, room: usize) -> Option<String> {
    let holds_sections = match value {
        Value::Object(map) => map.values().any(Value::is_object),
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Some(scalar(value)),
    };
    let line = flow(value);
    (line.len() <= 2 || (!holds_sections && line.chars().count() <= room)).then_some(line)
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", quoted_in_flow(key), flow(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted_in_flow(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => pen::written(value),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => scalar_text(text),
        other => pen::written(other),
    }
}

/// Brackets, braces and commas mean something between brackets.
fn quoted_in_flow(text: &str) -> String {
    if text.contains(['{', '}', ',']) { quoted(text) } else { scalar_text(text) }
}

fn scalar_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// JSON's quotes and escapes are YAML's, which wants more of them.
fn quoted(text: &str) -> String {
    let is_bare = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let mut out = String::new();
    for c in quote::quoted(text).chars() {
        match is_bare(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// Can it stand without quotes?
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_/$".contains(c));
    let fits = |c: char| c.is_ascii_alphanumeric() || " _./:@%+-${}".contains(c);
    let like_a_number = ["0x", "0o", "0b"].iter().any(|start| text.starts_with(start))
        || (text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || "_.:eE+-".contains(c)));
    begins_well
        && text.chars().all(fits)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && (!like_a_number || (text.contains('.') && text.contains(':')))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::file;

    /// Texts that mean something in YAML, one a word, and some that are no word.
    const TRAPS: &str = "a - * &a !a %a @a `a` ' \" \\ {a} [a] a,b a: true No null ~ 1 1.5 0x1f 1e5 1:30 0o7 1_000 \
        30s 4xx 127.0.0.1:8080 ${A:-b} $${A} gpt-5/x:y@z --- ... .5 .inf nan 2001-01-01 = << ? a? | > 0b1 12e03 +1 -1";

    #[test]
    fn what_is_written_is_read_again() {
        let texts = TRAPS.split(' ').chain(["", " ", "a b", "a: b", "a #b", "- a", "\u{e4}\n\t", "a\u{85}b"]);
        let texts = texts.chain([
            "a\u{7f}b",
            "\u{80}",
            "\u{9f}",
            "\u{2028}",
            "\u{feff}a",
            "\u{fffe}",
            "\u{ffff}",
            "\0\u{1b}",
        ]);
        let mut root = Map::new();
        for (i, text) in texts.enumerate() {
            root.insert(format!("k{i}"), json!(text));
            root.insert(text.to_owned(), json!([text, {"in": {"deep": text, "list": [text]}}]));
            root.insert(format!("flow {text}"), json!({"a": text, "b": [text], (text): 1}));
        }
        let text = document(&root);
        let read = file::parse(&text).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
        assert_eq!(read.to_value(), Value::Object(root), "{text}");
    }

    #[test]
    fn small_sections_stand_on_one_line() {
        let root = json!({"a": {"b": 1, "c": ["x"]}, "d": {"e": {"f": null}}, "g": [{"to": "p/m", "weight": 2}], "h": {}});
        let Value::Object(root) = root else { panic!() };
        assert_eq!(
            document(&root),
            "a: {b: 1, c: [x]}\nd:\n  e: {f: null}\ng:\n  - {to: p/m, weight: 2}\nh: {}\n"
        );
    }
}

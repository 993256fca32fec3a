//! A file's text -> a plain tree whose every value knows the byte at which it begins. The only place
//! that knows YAML. JSON is YAML.
//!
//! The crate bounds depth, aliases and expansion, so that no text can exhaust the process.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_yml::{DuplicateKeyPolicy, Error, ParserConfig, Spanned};

use super::errors::Problem;

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// Reads one document. An empty text is [`Kind::Null`].
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    read(text, DuplicateKeyPolicy::Error)
}

/// The same of a text in which a key stands twice: the first counts. For what else is wrong with it.
pub(super) fn parse_firsts(text: &str) -> Result<Node, Fault> {
    read(text, DuplicateKeyPolicy::First)
}

fn read(text: &str, doubles: DuplicateKeyPolicy) -> Result<Node, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault { problem: Problem::TooLarge, path: String::new(), at: None });
    }
    let rules = ParserConfig::new()
        .duplicate_key_policy(doubles)
        .strict_booleans(true)
        .max_document_length(MAX_BYTES);
    serde_yml::from_str_with_config(text, &rules).map_err(|error| explain(&error))
}

/// Why a text could not be read.
#[derive(Debug)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) problem: Problem,
    /// The key it is about, if it is about one.
    pub(super) path: String,
    /// At which byte.
    pub(super) at: Option<usize>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The byte at which it begins; `None` when it was not read from a file.
    pub(super) at: Option<usize>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Nothing; everywhere the same as a key that is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text and, when variables were expanded in it, how it was written.
    Text(String, Option<String>),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in order.
    Map(Vec<(String, Node)>),
    /// Something already refused, or not to be looked at; nothing more is said of it.
    Broken,
}

impl Node {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Text(text, _) = &self.kind {
            return Some(text);
        }
        None
    }

    /// The text, if variables were expanded in it.
    pub(super) fn expanded(&self) -> Option<&str> {
        self.written().and_then(|_| self.text())
    }

    /// The text as it was written, if variables were expanded in it.
    pub(super) fn written(&self) -> Option<&str> {
        if let Kind::Text(_, Some(written)) = &self.kind {
            return Some(written);
        }
        None
    }

    /// The number, if it is one.
    pub(super) fn number(&self) -> Option<&Number> {
        if let Kind::Number(number) = &self.kind {
            return Some(number);
        }
        None
    }

    /// The `true` or `false`, if it is one.
    pub(super) fn switch(&self) -> Option<bool> {
        if let Kind::Bool(value) = &self.kind {
            return Some(*value);
        }
        None
    }

    /// The value under a key, when this is a map that has it.
    pub(super) fn entry_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Kind::Map(entries) = &mut self.kind else {
            return None;
        };
        let found = entries.iter_mut().find(|(key, _)| key == name);
        found.map(|(_, node)| node)
    }

    /// The same as JSON.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null | Kind::Broken => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text, _) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(entries) => entries.iter().map(|(key, node)| (key.clone(), node.to_value())).collect(),
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(value),
            Value::Number(number) => Kind::Number(number),
            Value::String(text) => Kind::Text(text, None),
            Value::Array(items) => Kind::List(items.into_iter().map(Self::from).collect()),
            Value::Object(entries) => {
                Kind::Map(entries.into_iter().map(|(name, value)| (name, Self::from(value))).collect())
            }
        };
        Self { at: None, kind }
    }
}

fn explain(error: &Error) -> Fault {
    let path = match error {
        Error::DuplicateKeyAt { path, .. } => path.clone(),
        _ => String::new(),
    };
    let problem = match error {
        Error::DuplicateKeyAt { .. } => Problem::DuplicateKey,
        Error::MoreThanOneDocument => Problem::SecondDocument,
        Error::ParseWithLocation { message, .. }
        | Error::DeserializeWithLocation { message, .. }
        | Error::Parse(message)
        | Error::Deserialize(message)
        | Error::Custom(message)
        | Error::Invalid(message) => Problem::Syntax(plain(message)),
        other => Problem::Syntax(plain(&other.to_string())),
    };
    Fault { problem, path, at: error.location().map(|at| at.index()) }
}

/// A tag such as `!foo` reads as an enum to serde; the user wrote a tag.
fn plain(message: &str) -> String {
    message.replace("invalid type: enum, expected a value", "a tag (`!name`) has no meaning here")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(source)?;
        let start = spanned.start;
        Ok(Self { at: (start.line() > 0).then(|| start.index()), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<Kind, D::Error> {
        Kind::deserialize(source)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        let number = Number::from_f64(value);
        Ok(number.map_or_else(|| Kind::Text(value.to_string(), None), Kind::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned(), None))
    }

    fn visit_string<E>(self, text: String) -> Result<Kind, E> {
        Ok(Kind::Text(text, None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (Problem, Option<usize>) {
        let fault = parse(text).unwrap_err();
        (fault.problem, fault.at)
    }

    #[test]
    fn values_know_where_they_stand() {
        let mut root = parse("a: 1\nb:\n  c: [x, {d: null}]\n").unwrap();
        assert_eq!(root.at, Some(0));
        let b = root.entry_mut("b").unwrap();
        let c = b.entry_mut("c").unwrap();
        assert_eq!(c.at, Some(13));
        assert_eq!(c.to_value(), serde_json::json!(["x", {"d": null}]));
    }

    #[test]
    fn json_is_read_and_an_empty_file_is_nothing() {
        let root = parse("{\"a\": {\"b\": 1.5}}").unwrap();
        assert_eq!(root.to_value(), serde_json::json!({"a": {"b": 1.5}}));
        for empty in ["", "# only a comment\n", "---\n"] {
            assert!(matches!(parse(empty).unwrap().kind, Kind::Null), "{empty}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_huge_is_refused() {
        assert_eq!(fault("a: 1\na: 2\n"), (Problem::DuplicateKey, Some(5)));
        assert_eq!(fault("a: 1\n---\nb: 2\n").0, Problem::SecondDocument);
        assert!(matches!(fault("a: [1\n"), (Problem::Syntax(_), Some(_))));
        assert!(matches!(fault("a: !tag 7"), (Problem::Syntax(_), Some(_))));
        assert_eq!(fault(&" ".repeat(MAX_BYTES + 1)).0, Problem::TooLarge);
        let deep = "[".repeat(100_000);
        assert!(matches!(fault(&deep).0, Problem::Syntax(_)));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let copies = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{copies}]\n"));
        }
        assert!(matches!(fault(&bomb).0, Problem::Syntax(_)));
    }
}

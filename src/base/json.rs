//! JSON that is looked at, not decoded: where the members of an object lie in their text.
//!
//! serde_json checks the whole text; nothing of it is copied. So a request of a megabyte can be
//! routed, and one value of it replaced ([`crate::base::splice`]), while every other byte stays.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use crate::base::quote::quoted;
use crate::base::tree::Tree;

/// Where the members of one JSON object lie. Of a name given twice the last one counts, as in
/// every common parser.
#[derive(Clone, Debug, Default)]
pub struct Members {
    list: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    key: Key,
    value: Range<usize>,
}

#[derive(Clone, Debug)]
enum Key {
    /// Bytes of the text, quotes left out.
    Plain(Range<usize>),
    /// The key was written with escapes.
    Decoded(String),
}

impl Members {
    /// Reads an object.
    ///
    /// # Errors
    /// The text is no JSON, or its value is no object.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let members = deserializer.deserialize_map(ObjectVisitor(text))?;
        deserializer.end()?;
        Ok(members)
    }

    /// Where the value of that name lies.
    pub fn range(&self, text: &str, name: &str) -> Option<Range<usize>> {
        self.list.iter().rev().find(|member| member.is(text, name)).map(|member| member.value.clone())
    }

    /// The value of that name, as it is written.
    pub fn get<'a>(&self, text: &'a str, name: &str) -> Option<&'a str> {
        text.get(self.range(text, name)?)
    }

    /// The value of that name as text, when it is a string.
    pub fn string(&self, text: &str, name: &str) -> Option<String> {
        serde_json::from_str(self.get(text, name)?).ok()
    }

    /// The value of that name, when it is a whole number that is not negative.
    pub fn number(&self, text: &str, name: &str) -> Option<u64> {
        self.get(text, name)?.parse().ok()
    }

    /// Is that name given more than once?
    pub fn is_repeated(&self, text: &str, name: &str) -> bool {
        self.list.iter().filter(|member| member.is(text, name)).count() > 1
    }

    /// Is there a value of that name that is not null?
    pub fn has(&self, text: &str, name: &str) -> bool {
        self.get(text, name).is_some_and(|value| value != "null")
    }

    /// The members of the object of that name.
    pub fn object<'a>(&self, text: &'a str, name: &str) -> Option<(&'a str, Self)> {
        let inner = self.get(text, name)?;
        Some((inner, Self::read(inner).ok()?))
    }

    /// The members in order: the key decoded, and where the value lies.
    pub fn iter<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (&'a str, Range<usize>)> {
        self.list.iter().map(move |member| (member.name(text), member.value.clone()))
    }

    /// Is the object empty?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Member {
    fn name<'a>(&'a self, text: &'a str) -> &'a str {
        match &self.key {
            Key::Plain(range) => text.get(range.clone()).unwrap_or_default(),
            Key::Decoded(key) => key,
        }
    }

    /// Most names are of another length, which costs nothing to see.
    fn is(&self, text: &str, name: &str) -> bool {
        match &self.key {
            Key::Plain(range) if range.len() != name.len() => false,
            Key::Plain(range) => text.as_bytes().get(range.clone()) == Some(name.as_bytes()),
            Key::Decoded(key) => key == name,
        }
    }
}

/// Where the elements of a JSON array lie.
///
/// # Errors
/// The text is no JSON, or its value is no array.
pub fn elements(text: &str) -> Result<Vec<Range<usize>>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let list = deserializer.deserialize_seq(ArrayVisitor(text))?;
    deserializer.end()?;
    Ok(list)
}

/// JSON with a line for each value; what is none stays as it is.
pub fn pretty(text: &str) -> String {
    let read = Tree::read(text).map(Tree::into_value);
    read.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

/// Writes a value as JSON text behind what is in `out`; one that has none (a map whose keys are no
/// texts) writes nothing.
pub fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(Sink(out), value).is_err() {
        out.truncate(before);
    }
}

/// Most of what serde_json writes is one byte, for which a general copy would be a call.
struct Sink<'a>(&'a mut Vec<u8>);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event of a stream has no more members, mostly. So many take less than the 256 bytes up to which
/// the allocator of the static build keeps blocks for each thread.
const USUAL: usize = 6;

struct ObjectVisitor<'t>(&'t str);

impl<'de> Visitor<'de> for ObjectVisitor<'de> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut list = Vec::with_capacity(USUAL);
        while let Some(key) = map.next_key_seed(KeySeed(self.0))? {
            let value: &RawValue = map.next_value()?;
            list.push(Member { key, value: place(self.0, value.get()) });
        }
        Ok(Members { list })
    }
}

struct ArrayVisitor<'t>(&'t str);

impl<'de> Visitor<'de> for ArrayVisitor<'de> {
    type Value = Vec<Range<usize>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element::<&RawValue>()? {
            list.push(place(self.0, value.get()));
        }
        Ok(list)
    }
}

struct KeySeed<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for KeySeed<'de> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'de> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key, E> {
        Ok(Key::Plain(place(self.0, key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key::Decoded(key.to_owned()))
    }
}

/// Where `part`, which is borrowed from `whole`, lies in it.
pub fn place(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_where_they_lie() {
        let text = r#" {"model" : "a\"b", "n": 3, "o": {"x": [1, 2]}, "mod\u0065l": "last"} "#;
        let members = Members::read(text).unwrap();
        assert_eq!(members.string(text, "model").unwrap(), "last");
        assert_eq!(members.number(text, "n"), Some(3));
        let (inner, object) = members.object(text, "o").unwrap();
        assert_eq!(object.get(inner, "x"), Some("[1, 2]"));
        assert_eq!(members.get(text, "none"), None);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for text in ["", "[]", "3", "{", "{}x", "{\"a\":}", "{\"a\":1,}", "null"] {
            assert!(Members::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let text = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let members = Members::read(&text).unwrap();
        assert_eq!(members.get(&text, "a").unwrap().len(), 200_001);
    }

    #[test]
    fn elements_are_found_where_they_lie() {
        let text = r#"[ {"a": 1} , "b",3]"#;
        let list = elements(text).unwrap();
        let parts: Vec<&str> = list.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(parts, [r#"{"a": 1}"#, r#""b""#, "3"]);
    }
}

//! JSON that is read to be taken apart: members in their order, texts where they lie in the input.
//!
//! A request is read once, most of its members are moved somewhere else or left behind, and the
//! rest is let go. So no key is hashed, and no text is copied before somebody keeps it; only one
//! that was written with escapes is a text of its own.

mod read;

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::base::object::Object;
use crate::base::pen::{Pen, Put};
use crate::base::sort;
use crate::base::surrogate;

/// A JSON value that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Tree<'a> {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Self>),
    /// An object: each name once.
    Object(Vec<Member<'a>>),
}

/// A member of an object: its name, its value.
pub type Member<'a> = (Cow<'a, str>, Tree<'a>);

impl<'a> Tree<'a> {
    /// Reads a text. Half a surrogate pair, escaped, is read as U+FFFD.
    ///
    /// # Errors
    /// It is no JSON, or its values lie too deep in each other.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).or_else(|error| match surrogate::mended(text) {
            Some(mended) => serde_json::from_str(&mended).map(Tree::into_owned),
            None => Err(error),
        })
    }

    /// The value of a member, if this is an object that has it.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text of a member, if it is one.
    #[inline(never)]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// Is there a member of that name that is not null?
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value != Self::Null)
    }

    /// The member of that name, if it is an object.
    pub fn object(&self, name: &str) -> Option<&Self> {
        self.get(name).filter(|value| value.is_object())
    }

    /// The elements of a member, if it is a list.
    #[inline(never)]
    pub fn list(&self, name: &str) -> Option<&[Self]> {
        match self.get(name)? {
            Self::List(list) => Some(list),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// The whole number of a member, if it is one and not negative.
    pub fn count(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Self::Number(number) => whole(number),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Whole numbers of an object, by their names; `OUTER.NAME` is one of an inner object. `None` when
    /// one of them is something else, or this is no object.
    pub fn counts<const N: usize>(&self, names: [&str; N]) -> Option<[Option<u64>; N]> {
        if !self.is_object() {
            return None;
        }
        let mut found = [None; N];
        for (slot, name) in found.iter_mut().zip(names) {
            let (outer, inner) =
                name.split_once('.').map_or((name, None), |(outer, name)| (outer, Some(name)));
            let value = self.member(outer)?;
            let value = inner.map_or(Some(value), |inner| value.member(inner))?;
            *slot = match value {
                Self::Null => None,
                Self::Number(number) => Some(whole(number)?),
                Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => return None,
            };
        }
        Some(found)
    }

    /// What an object has under that name, or null; null has nothing.
    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(_) => Some(self.get(name).unwrap_or(&Self::Null)),
            Self::Null => Some(self),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Is there nothing in it: null, or an empty text, list or object?
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }

    /// Is it an object?
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Takes the value of a member; null is left, and given where there is none.
    pub fn take(&mut self, name: &str) -> Self {
        let Self::Object(members) = self else { return Self::Null };
        let member = members.iter_mut().find(|(known, _)| known == name);
        member.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// Sets a member, if this is an object; gives the value that it had.
    pub fn put(&mut self, name: &'static str, value: Self) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => Some(std::mem::replace(known, value)),
            None => {
                members.push((Cow::Borrowed(name), value));
                None
            }
        }
    }

    /// The same without the input.
    pub fn into_owned(self) -> Tree<'static> {
        match self {
            Self::Null => Tree::Null,
            Self::Bool(flag) => Tree::Bool(flag),
            Self::Number(number) => Tree::Number(number),
            Self::Text(text) => Tree::Text(Cow::Owned(text.into_owned())),
            Self::List(list) => Tree::List(list.into_iter().map(Self::into_owned).collect()),
            Self::Object(members) => {
                let owned = |(name, value): Member<'_>| (Cow::Owned(name.into_owned()), value.into_owned());
                Tree::Object(members.into_iter().map(owned).collect())
            }
        }
    }

    /// The same as an object that can be kept, if it is one.
    pub fn into_object(self) -> Option<Object> {
        match self {
            Self::Object(members) => Some(kept(members).into()),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The same as a value that can be kept.
    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(list) => Value::Array(list.into_iter().map(Self::into_value).collect()),
            Self::Object(members) => Value::Object(kept(members)),
        }
    }
}

/// A whole number that is not negative, also where it is written as `3.0`.
fn whole(number: &Number) -> Option<u64> {
    let written = || number.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    number.as_u64().or_else(|| written().map(|number| number as u64))
}

fn kept(members: Vec<Member<'_>>) -> Map<String, Value> {
    let mut map = Map::with_capacity(members.len());
    for (name, value) in members {
        map.insert(name.into_owned(), value.into_value());
    }
    map
}

/// An object of these members. Of a name given twice the last one counts, as in every common
/// parser, in the place of the first.
#[inline(never)]
pub fn object(mut members: Vec<Member<'_>>) -> Tree<'_> {
    distinct(&mut members, Keep::Last);
    Tree::Object(members)
}

/// Which of several values of one name counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The first.
    First,
    /// The last, in the place of the first.
    Last,
}

/// Leaves each name once.
pub fn distinct(members: &mut Vec<Member<'_>>, keep: Keep) {
    if members.len() > FEW || has_repeated(members) {
        settle(members, keep);
    }
}

/// So many names are compared each with each; more are sorted.
const FEW: usize = 32;

fn has_repeated(members: &[Member<'_>]) -> bool {
    let mut rest = members;
    while let Some(((name, _), after)) = rest.split_first() {
        if after.iter().any(|(other, _)| other == name) {
            return true;
        }
        rest = after;
    }
    false
}

fn settle(members: &mut Vec<Member<'_>>, keep: Keep) {
    let name = |place: usize| members.get(place).map(|(name, _)| name);
    let order = sort::order(members.len(), &|a, b| name(a).cmp(&name(b)));
    let mut gone = vec![false; members.len()];
    // From the last to the first, each value of a name replaces the one before it.
    for pair in order.windows(2).rev() {
        let [earlier, later] = *pair else { continue };
        let name = |place: usize| members.get(place).map(|(name, _)| name);
        if name(earlier) == name(later) {
            let value = members.get_mut(later).map(|(_, value)| std::mem::take(value));
            if let (Some((_, slot)), Some(value), Keep::Last) = (members.get_mut(earlier), value, keep) {
                *slot = value;
            }
            gone.iter_mut().skip(later).take(1).for_each(|slot| *slot = true);
        }
    }
    let mut gone = gone.into_iter();
    members.retain(|_| gone.next() != Some(true));
}

impl Put for Tree<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Self::Null => pen.raw(b"null"),
            Self::Bool(flag) => flag.write(pen),
            Self::Number(number) => number.write(pen),
            Self::Text(text) => text.write(pen),
            Self::List(list) => list.write(pen),
            Self::Object(members) => {
                pen.object(|pen| members.iter().for_each(|(name, value)| pen.put_named(name, value)));
            }
        }
    }
}

#[cfg(test)]
impl From<Value> for Tree<'static> {
    fn from(value: Value) -> Self {
        let text = value.to_string();
        Tree::read(&text).map(Tree::into_owned).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pen;

    #[test]
    fn it_reads_and_writes_what_serde_json_does() {
        for text in [
            "null",
            r#"[true,false,0,-1,18446744073709551615,1.0,1e300,-0.0,0.1,12345678901234567890123,1e999,1.10]"#,
            r#"{"plain":"ä","esc\"aped":"a\n\u0041\\","nested":{"b":[],"a":{}},"b":[[1],{"x":null}]}"#,
            " { \"a\" : [ 1 , \"x\" ] } ",
            r#"{"twice":1,"other":2,"twice":3,"twice":{"in":1,"in":2}}"#,
        ] {
            let (tree, value) = (Tree::read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(pen::written(&tree), value.to_string(), "{text}");
            assert_eq!(tree.clone().into_owned(), tree);
            assert_eq!(tree.into_value().to_string(), value.to_string(), "{text}");
        }
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for broken in ["", "{", "[1,]", "{\"a\":1,}", "{a:1}", "1e", "\"\\x\"", "{} x", &deep(200)] {
            let theirs = serde_json::from_str::<Value>(broken).unwrap_err().to_string();
            assert_eq!(Tree::read(broken).unwrap_err().to_string(), theirs, "{broken}");
        }
    }

    #[test]
    fn of_many_members_the_last_of_each_name_counts_too() {
        let many = |count: usize| {
            let member = |at: usize| format!("\"m{}\":{at}", at * 7 % (count / 2 + 1));
            format!("{{{}}}", (0..count).map(member).collect::<Vec<_>>().join(","))
        };
        for count in [2, 3, FEW, FEW + 1, 500] {
            let value: Value = serde_json::from_str(&many(count)).unwrap();
            assert_eq!(pen::written(&Tree::read(&many(count)).unwrap()), value.to_string(), "{count}");
        }
    }

    #[test]
    fn an_object_that_looks_like_a_number_of_serde_json_is_an_object() {
        for value in ["\"5\"", "\"x\"", "5", "[1]", "{}", r#"{"$serde_json::private::Number":"1"}"#] {
            for text in [
                format!(r#"{{"$serde_json::private::Number":{value}}}"#),
                format!(r#"{{"$serde_json::private::Number":{value},"a":1.50}}"#),
                format!(r#"{{"a":[-1.10],"$serde_json::private::Number":{value}}}"#),
                format!(r#"[{{"$serde_json::private::RawValue":{value}}}]"#),
            ] {
                assert_eq!(Tree::read(&text).unwrap().into_value().to_string(), text);
            }
        }
        let escaped = r#"{"\u0024serde_json::private::Number":"\u0035"}"#;
        let text = Tree::read(escaped).unwrap().into_value().to_string();
        assert_eq!(text, r#"{"$serde_json::private::Number":"5"}"#);
    }

    #[test]
    fn counts_are_found_at_two_depths() {
        let names = ["a", "o.a", "o.b", "p.a"];
        let counts = |text| Tree::read(text).unwrap().counts(names);
        let text = r#"{"x":{"a":"no"},"a":1,"o":{"a":2,"b":null,"c":[1]},"p":null}"#;
        assert_eq!(counts(text), Some([Some(1), Some(2), None, None]));
        assert_eq!(counts(r#"{"a":12.0,"o":{"a":3e2}}"#), Some([Some(12), Some(300), None, None]));
        for text in ["null", "[]", "3", r#"{"a":"1"}"#, r#"{"a":-1}"#, r#"{"o":{"a":1.5}}"#, r#"{"o":3}"#] {
            assert_eq!(counts(text), None, "{text}");
        }
    }

    #[test]
    fn members_are_looked_at_and_set() {
        let text = r#"{"text":"t","list":[1],"count":3,"minus":-3}"#;
        let mut tree = Tree::read(text).unwrap();
        assert_eq!((tree.text("text"), tree.text("list"), tree.text("none")), (Some("t"), None, None));
        assert_eq!((tree.list("list").map(<[_]>::len), tree.list("text")), (Some(1), None));
        assert_eq!((tree.count("count"), tree.count("minus")), (Some(3), None));
        assert!(tree.is_object() && !Tree::Null.is_object());
        assert_eq!(tree.put("count", Tree::Null), Some(Tree::Number(3.into())));
        assert_eq!(tree.put("new", Tree::Bool(true)), None);
        let expected = r#"{"text":"t","list":[1],"count":null,"minus":-3,"new":true}"#;
        assert_eq!(pen::written(&tree), expected);
    }
}

//! JSON text that is written member by member: no map is made, no key hashed and no text copied on
//! the way. A call for each member, where a derived `Serialize` would write out all of it in place.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::base::clock::Millis;
use crate::base::object::Object;
use crate::base::{json, quote};

/// Something that has a JSON text.
pub trait Put {
    /// Writes it.
    fn write(&self, pen: &mut Pen<'_>);
}

/// Writes JSON behind what is there.
#[derive(Debug)]
pub struct Pen<'o>(&'o mut Vec<u8>);

impl<'o> Pen<'o> {
    /// A pen that writes there.
    pub fn on(out: &'o mut Vec<u8>) -> Self {
        Self(out)
    }

    /// Writes an object.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.0.push(b'{');
        members(self);
        self.0.push(b'}');
    }

    /// Writes a list.
    pub fn list(&mut self, elements: impl FnOnce(&mut Self)) {
        self.0.push(b'[');
        elements(self);
        self.0.push(b']');
    }

    /// Writes a member of an object.
    #[inline(never)]
    pub fn put<T: Put + ?Sized>(&mut self, key: &str, value: &T) {
        self.key(key);
        value.write(self);
    }

    /// Writes a member of an object, where there is a value.
    pub fn put_some<T: Put>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(key, &value);
        }
    }

    /// Writes a list, where it is not empty.
    pub fn put_all<T: Put>(&mut self, key: &str, list: &[T]) {
        if !list.is_empty() {
            self.put(key, list);
        }
    }

    /// Writes a member that is an object.
    pub fn object_at(&mut self, key: &str, members: impl FnOnce(&mut Self)) {
        self.key(key);
        self.object(members);
    }

    /// Writes a member that is a list.
    pub fn list_at(&mut self, key: &str, elements: impl FnOnce(&mut Self)) {
        self.key(key);
        self.list(elements);
    }

    /// Writes a member with a name that somebody else has given.
    #[inline(never)]
    pub fn put_named<T: Put + ?Sized>(&mut self, name: &str, value: &T) {
        self.separate();
        name.write(self);
        self.0.push(b':');
        value.write(self);
    }

    /// Writes an element of a list.
    pub fn add<T: Put + ?Sized>(&mut self, element: &T) {
        self.separate();
        element.write(self);
    }

    /// Writes an element that is an object.
    pub fn add_object(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.object(members);
    }

    /// Writes the key of a member, whose value must follow; keys are plain names.
    #[inline(never)]
    pub fn key(&mut self, key: &str) {
        self.separate();
        self.0.reserve(key.len() + 3);
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// Writes what is JSON already.
    pub fn raw(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    #[inline(never)]
    fn serde(&mut self, value: &(impl Serialize + ?Sized)) {
        json::write(value, self.0);
    }
}

/// Writes all members of a type as they stand in its list, each by its name or `as` another; one that
/// the list leaves out does not compile.
macro_rules! members {
    (@key $member:ident) => { stringify!($member) };
    (@key $member:ident $key:literal) => { $key };
    ($($type:ty { $($member:ident $(as $key:literal)?),+ $(,)? })+) => {$(
        impl $crate::base::pen::Put for $type {
            fn write(&self, pen: &mut $crate::base::pen::Pen<'_>) {
                let Self { $($member),+ } = self;
                pen.object(|pen| {
                    $(pen.put($crate::base::pen::members!(@key $member $($key)?), $member);)+
                });
            }
        }
    )+};
}
pub(crate) use members;

/// A value as JSON text.
pub fn written(value: &(impl Put + ?Sized)) -> String {
    text(ROOM, |pen| value.write(pen))
}

/// The same of one that holds texts of about so many bytes.
pub fn long(texts: usize, value: &(impl Put + ?Sized)) -> String {
    text(texts + ROOM, |pen| value.write(pen))
}

/// The JSON text of an object of these members.
pub fn object(members: impl FnOnce(&mut Pen<'_>)) -> String {
    text(ROOM, |pen| pen.object(members))
}

/// The same for one that holds texts of about so many bytes.
pub fn long_object(texts: usize, members: impl FnOnce(&mut Pen<'_>)) -> String {
    text(texts + ROOM, |pen| pen.object(members))
}

/// Room for all that is short.
const ROOM: usize = 1024;

fn text(room: usize, write: impl FnOnce(&mut Pen<'_>)) -> String {
    let mut out = Vec::with_capacity(room);
    write(&mut Pen(&mut out));
    String::from_utf8(out).unwrap_or_default()
}

impl<T: Put + ?Sized> Put for &T {
    fn write(&self, pen: &mut Pen<'_>) {
        (**self).write(pen);
    }
}

/// `None` is `null`.
impl<T: Put> Put for Option<T> {
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Some(value) => value.write(pen),
            None => pen.raw(b"null"),
        }
    }
}

impl<T: Put> Put for [T] {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.list(|pen| self.iter().for_each(|element| pen.add(element)));
    }
}

impl<T: Put> Put for Vec<T> {
    fn write(&self, pen: &mut Pen<'_>) {
        self.as_slice().write(pen);
    }
}

impl Put for str {
    fn write(&self, pen: &mut Pen<'_>) {
        quote::quote(self, pen.0);
    }
}

impl Put for String {
    fn write(&self, pen: &mut Pen<'_>) {
        self.as_str().write(pen);
    }
}

impl Put for Cow<'_, str> {
    fn write(&self, pen: &mut Pen<'_>) {
        self.as_ref().write(pen);
    }
}

impl Put for bool {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(if *self { b"true" } else { b"false" });
    }
}

impl Put for () {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(b"null");
    }
}

/// What is JSON already.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a [u8]);

impl Put for Raw<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(self.0);
    }
}

impl Put for RawValue {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(self.get().as_bytes());
    }
}

impl Put for u16 {
    fn write(&self, pen: &mut Pen<'_>) {
        u64::from(*self).write(pen);
    }
}

impl Put for u32 {
    fn write(&self, pen: &mut Pen<'_>) {
        u64::from(*self).write(pen);
    }
}

impl Put for usize {
    fn write(&self, pen: &mut Pen<'_>) {
        (*self as u64).write(pen);
    }
}

impl Put for u64 {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.serde(self);
    }
}

impl Put for Millis {
    fn write(&self, pen: &mut Pen<'_>) {
        self.0.write(pen);
    }
}

impl Put for f64 {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.serde(self);
    }
}

impl Put for Number {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.serde(self);
    }
}

impl Put for Value {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.serde(self);
    }
}

impl Put for Object {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.serde(self.map());
    }
}

impl Put for Cow<'_, Value> {
    fn write(&self, pen: &mut Pen<'_>) {
        self.as_ref().write(pen);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_written_by_their_names() {
        struct Pair<'a> {
            first: &'a str,
            input: Option<u32>,
        }
        members! {
            Pair<'_> { first, input as "in" }
        }
        assert_eq!(written(&Pair { first: "a", input: Some(1) }), r#"{"first":"a","in":1}"#);
        assert_eq!(written(&[Pair { first: "", input: None }][..]), r#"[{"first":"","in":null}]"#);
    }

    #[test]
    fn objects_and_lists_are_written_as_serde_json_writes_them() {
        let text = object(|pen| {
            pen.put("text", "a\"\n");
            pen.put_some("none", None::<u64>);
            pen.put("null", &None::<&str>);
            pen.put("list", &["[", "{"][..]);
            pen.put_all("empty", &[] as &[u64]);
            pen.object_at("object", |_| {});
            pen.list_at("numbers", |pen| {
                pen.add(&1_u64);
                pen.add(&Number::from_f64(1.0));
                pen.add(&json!({"a": [true]}));
            });
            pen.put("unit", &());
            pen.put("flag", &false);
        });
        assert_eq!(
            text,
            r#"{"text":"a\"\n","null":null,"list":["[","{"],"object":{},"numbers":[1,1.0,{"a":[true]}],"unit":null,"flag":false}"#
        );
    }
}

//! JSON objects, made key by key: a call for each, where `json!` would write out the making of every
//! key and value and what is undone if it fails.

use std::fmt;

use serde_json::{Map, Value};

use crate::base::pen;
use crate::base::tree::Tree;

/// An object that is being made; its keys keep their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Map<String, Value>);

impl Default for Object {
    #[inline(never)]
    fn default() -> Self {
        Self(Map::new())
    }
}

impl Object {
    /// Sets a key.
    #[inline(never)]
    pub fn put<T: Into<Value>>(&mut self, key: &str, value: T) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Sets a key, where there is a value.
    pub fn put_some<T: Into<Value>>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Sets a key that is not there.
    pub fn put_new<T: Into<Value>>(&mut self, key: &str, value: T) {
        if !self.0.contains_key(key) {
            self.put(key, value);
        }
    }

    /// Reads one; `None` when the text is something else.
    pub fn read(text: &str) -> Option<Self> {
        Tree::read(text).ok()?.into_object()
    }

    /// The text at a path of keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The whole number at a path of keys.
    pub fn number(&self, path: &[&str]) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// The list of texts at a path of keys.
    pub fn texts(&self, path: &[&str]) -> Option<Vec<&str>> {
        self.at(path)?.as_array()?.iter().map(Value::as_str).collect()
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(key))
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A look at its keys and values.
    pub fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Its keys and values.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

/// Makes an [`Object`] of keys and values.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {{
        let mut object = $crate::base::object::Object::default();
        $(object.put($key, $value);)*
        object
    }};
}
pub(crate) use object;

/// A list of them as JSON.
pub fn list(objects: Vec<Object>) -> String {
    pen::written(&objects)
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&pen::written(self))
    }
}

impl From<Map<String, Value>> for Object {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

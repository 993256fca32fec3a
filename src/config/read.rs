//! Reading a tree section by section. What is wrong is noted and left out, so that one wrong key
//! hides no other; what is right is kept with its place, for the rules that look at several keys.

use super::errors::{Errors, Problem, Spot, harmless};
use super::file::{Kind, Node};
use crate::base::id::nearest;

/// Something that can be read from a tree.
pub(super) trait Read: Sized {
    /// What a key of this type takes, for messages: one of these.
    const TAKES: &'static [&'static str];

    /// The keys that it is made of.
    const KEYS: Keys = Keys::One;

    /// Reads it; notes what is wrong and gives `None`.
    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self>;
}

/// Which keys there are at a path and below it.
pub(super) enum Keys {
    /// That of the path alone.
    One,
    /// Those of a section: their names, and what is below each.
    Section(&'static [&'static str], &'static [&'static Self]),
    /// Those of each item of a list.
    List(&'static Self),
    /// Those below each name that the user chooses.
    Names(&'static Self),
    /// Those of two forms.
    Forms(&'static [&'static Self]),
}

impl Keys {
    /// Lists their paths, names that the user chooses as `<name>`.
    pub(super) fn list(&self, path: &str, list: &mut Vec<String>) {
        match self {
            // A list of single values is one key.
            Self::One | Self::List(Self::One) => list.push(path.to_owned()),
            Self::Section(names, below) => {
                for (name, keys) in names.iter().zip(*below) {
                    keys.list(&join(path, name), list);
                }
            }
            Self::List(keys) => keys.list(&format!("{path}[]"), list),
            Self::Names(keys) => keys.list(&join(path, "<name>"), list),
            Self::Forms(forms) => {
                for keys in *forms {
                    keys.list(path, list);
                }
                list.dedup();
            }
        }
    }
}

/// A value as written, and where. The place is boxed: a configuration has a hundred of them to move
/// and to drop, and all that code is in the binary.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) spot: Box<Spot>,
}

/// What a key holds.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    /// Nothing: it is not there, or null.
    #[default]
    Missing,
    /// Something wrong, which was noted.
    Broken,
    /// A value.
    Given(At<T>),
}

impl<T> Field<T> {
    /// The value with its place.
    pub(super) fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Missing | Self::Broken => None,
        }
    }
}

impl<T: Clone> Field<T> {
    /// The value.
    pub(super) fn value(&self) -> Option<T> {
        self.given().map(|at| at.value.clone())
    }

    /// The value, or what holds without it.
    pub(super) fn or(&self, default: T) -> T {
        self.value().unwrap_or(default)
    }
}

impl<T: Read> Field<T> {
    /// The keys that it is made of.
    pub(super) const KEYS: Keys = T::KEYS;

    /// The value of a key that must be there.
    pub(super) fn required(&self, section: &Spot, key: &str, errors: &mut Errors) -> Option<&At<T>> {
        if matches!(self, Self::Missing) {
            errors.missing(section, key, &one_of(T::TAKES));
        }
        self.given()
    }
}

/// A key's place for its value. Sections and lists are read where they stand: one that is not there
/// is the same as an empty one.
pub(super) trait Slot {
    /// Reads the value; notes what is wrong. Is it one that the key takes?
    fn fill(&mut self, node: &Node, path: &str, errors: &mut Errors) -> bool;
}

impl<T: Read> Slot for Field<T> {
    fn fill(&mut self, node: &Node, path: &str, errors: &mut Errors) -> bool {
        let read = At::read(node, path, errors);
        let is_right = read.is_some();
        *self = read.map_or(Self::Broken, Self::Given);
        is_right
    }
}

/// Fills a section's slots, one for each name, from a map; notes what is no key of it. Is it a section
/// at all?
pub(super) fn fill(
    names: &[&str],
    slots: &mut [&mut dyn Slot],
    node: &Node,
    path: &str,
    errors: &mut Errors,
) -> bool {
    let Some(list) = map(node, path, SECTION, errors) else {
        return false;
    };
    for (key, node) in list {
        let path = join(path, key);
        match names.iter().zip(&mut *slots).find(|(known, _)| *known == key) {
            Some(_) if matches!(node.kind, Kind::Null) => {}
            Some((_, slot)) => {
                slot.fill(node, &path, errors);
            }
            None => {
                let spot = key_spot(node, &path, key);
                let near = nearest(key, names.iter().copied());
                errors.push(&spot, Problem::UnknownKey, near);
            }
        }
    }
    true
}

/// What a section takes.
pub(super) const SECTION: &[&str] = &["a section of keys"];

/// `a, b or c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some(_) | None => words.concat(),
    }
}

/// The path of a key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        return key.to_owned();
    }
    format!("{path}.{key}")
}

/// Notes a value of the wrong type; what is broken was noted before.
pub(super) fn wrong(node: &Node, path: &str, takes: &[&str], errors: &mut Errors) {
    if matches!(node.kind, Kind::Broken) {
        return;
    }
    // A number or a switch in quotes is a text.
    let bare = node.number().is_some() || node.switch().is_some();
    let hint = if bare && takes == String::TAKES { ": put it in quotes" } else { "" };
    errors.refuse(&spot(node, path), &format!("must be {}{hint}", one_of(takes)));
}

/// The keys and values of a map, or a note that it is none.
fn map<'a>(node: &'a Node, path: &str, takes: &[&str], errors: &mut Errors) -> Option<&'a [(String, Node)]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        Kind::Null => Some(&[]),
        Kind::Bool(_) | Kind::Number(_) | Kind::Text(..) | Kind::List(_) | Kind::Broken => {
            wrong(node, path, takes, errors);
            None
        }
    }
}

/// Where a value stands and how it is shown: never a secret, never long.
pub(super) fn spot(node: &Node, path: &str) -> Box<Spot> {
    let shown = match &node.kind {
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Text(text, written) => Some(harmless(written.as_ref().unwrap_or(text))),
        Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Broken => None,
    };
    Box::new(Spot { shown: shown.filter(|_| !holds_secret(path)), ..Spot::of(path, node.at) })
}

/// Where a key stands.
fn key_spot(node: &Node, path: &str, key: &str) -> Box<Spot> {
    Box::new(Spot { key: Some(key.to_owned()), ..Spot::of(path, node.at) })
}

/// Is this a key whose value is never shown?
fn holds_secret(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    path.starts_with("client_auth.keys")
        || path == "state.url"
        || path.contains(".headers.")
        || ["api_key", "authorization", "proxy"].contains(&last)
}

impl<T: Read> Read for At<T> {
    const TAKES: &'static [&'static str] = T::TAKES;
    const KEYS: Keys = T::KEYS;

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let value = T::read(node, path, errors)?;
        Some(Self { value, spot: spot(node, path) })
    }
}

impl<T: Read> Read for Vec<At<T>> {
    const TAKES: &'static [&'static str] = LIST;
    const KEYS: Keys = Keys::List(&T::KEYS);

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let mut list = Self::new();
        list.fill(node, path, errors).then_some(list)
    }
}

impl<T: Read> Slot for Vec<At<T>> {
    fn fill(&mut self, node: &Node, path: &str, errors: &mut Errors) -> bool {
        let Some(items) = items(node, path, T::TAKES, errors) else {
            return false;
        };
        for At { value: node, spot } in items {
            if let Some(value) = T::read(node, &spot.path, errors) {
                self.push(At { value, spot });
            }
        }
        true
    }
}

/// The items of a list, with their places; notes those that are nothing, or that it is no list.
fn items<'n>(node: &'n Node, path: &str, takes: &[&str], errors: &mut Errors) -> Option<Vec<At<&'n Node>>> {
    let Kind::List(nodes) = &node.kind else {
        wrong(node, path, LIST, errors);
        return None;
    };
    let mut items = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let path = format!("{path}[{i}]");
        if matches!(node.kind, Kind::Null) {
            wrong(node, &path, takes, errors);
        } else {
            items.push(At { value: node, spot: spot(node, &path) });
        }
    }
    Some(items)
}

/// What a list takes.
const LIST: &[&str] = &["a list"];

/// A map whose keys are names that the user chooses.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<Entry<T>>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// One of its entries; the name is kept even when its value is wrong.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) name: String,
    pub(super) spot: Box<Spot>,
    pub(super) value: Option<T>,
}

impl<T: Read> Read for Entries<T> {
    const TAKES: &'static [&'static str] = &["a map of names"];
    const KEYS: Keys = Keys::Names(&T::KEYS);

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let mut entries = Self::default();
        entries.fill(node, path, errors).then_some(entries)
    }
}

impl<T: Read> Slot for Entries<T> {
    fn fill(&mut self, node: &Node, path: &str, errors: &mut Errors) -> bool {
        let Some(entries) = map(node, path, Self::TAKES, errors) else {
            return false;
        };
        for (name, node) in entries {
            let spot = key_spot(node, &join(path, name), name);
            let is_broken = matches!(node.kind, Kind::Broken);
            let value = if is_broken { None } else { T::read(node, &spot.path, errors) };
            self.0.push(Entry { name: name.clone(), spot, value });
        }
        true
    }
}

/// Makes a section: a struct of [`Slot`]s, its reading, its list of keys, all from one table.
macro_rules! section {
    ($($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $key: $type,)+
        }

        impl $name {
            /// The names of its keys.
            pub(super) const NAMES: &'static [&'static str] = &[$(bare(stringify!($key))),+];
        }

        impl Slot for $name {
            fn fill(&mut self, node: &Node, path: &str, errors: &mut Errors) -> bool {
                fill(Self::NAMES, &mut [$(&mut self.$key),+], node, path, errors)
            }
        }

        impl Read for $name {
            const TAKES: &'static [&'static str] = SECTION;
            const KEYS: Keys = Keys::Section(Self::NAMES, &[$(&<$type>::KEYS),+]);

            fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
                let mut section = Self::default();
                section.fill(node, path, errors).then_some(section)
            }
        }
    )+};
}

/// A key's name without the mark that makes `as` and `match` names in Rust.
pub(super) const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

pub(super) use section;

//! Reading a tree section by section. What is wrong is noted and left out, so that one wrong key
//! hides no other; what is right is kept with its place, for the rules that look at several keys.

use super::errors::{Errors, Problem, Spot, harmless};
use super::file::{Kind, Node};
use crate::base::id::nearest;

/// Something that can be read from a tree.
pub(super) trait Read: Sized {
    /// What a key of this type takes, for messages: `must be ...`.
    fn takes() -> String;

    /// Reads it; notes what is wrong and gives `None`.
    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self>;

    /// The key paths at and below `path`, names that the user chooses as `<name>`.
    fn keys(path: &str, list: &mut Vec<String>) {
        list.push(path.to_owned());
    }
}

/// A value as written, and where.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// What a key holds.
#[derive(Clone, Debug, Default)]
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

    /// The value.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Given(at) => Some(at.value),
            Self::Missing | Self::Broken => None,
        }
    }

    /// The value, or what holds without it.
    pub(super) fn or(self, default: T) -> T {
        self.value().unwrap_or(default)
    }
}

impl<T: Read> Field<T> {
    /// Reads the value of a section's key. Kept out of its caller, which has one for each key: the
    /// configuration's code is a good part of the binary.
    #[inline(never)]
    pub(super) fn fill(&mut self, node: &Node, section: &str, key: &str, errors: &mut Errors) {
        *self = Self::read(node, &join(section, key), errors);
    }

    /// Reads the value of a key.
    pub(super) fn read(node: &Node, path: &str, errors: &mut Errors) -> Self {
        match &node.kind {
            Kind::Null => Self::Missing,
            Kind::Broken => Self::Broken,
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(..) | Kind::List(_) | Kind::Map(_) => {
                T::read(node, path, errors).map_or(Self::Broken, |value| {
                    let spot = spot(node, path);
                    Self::Given(At { value, spot })
                })
            }
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required(self, section: &Spot, key: &str, errors: &mut Errors) -> Option<At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Broken => None,
            Self::Missing => {
                let spot = Spot::of(&join(&section.path, key), section.at);
                errors.push(&spot, Problem::Missing(T::takes()), None);
                None
            }
        }
    }
}

/// The path of a key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        return key.to_owned();
    }
    format!("{path}.{key}")
}

/// Notes a value of the wrong type.
pub(super) fn wrong<T: Read>(node: &Node, path: &str, errors: &mut Errors) -> Option<T> {
    let takes = T::takes();
    // A number or a switch in quotes is a text.
    let bare = node.number().is_some() || node.switch().is_some();
    let hint = if bare && takes == String::takes() { ": put it in quotes" } else { "" };
    errors.refuse(&spot(node, path), format!("must be {takes}{hint}"));
    None
}

/// The entries of a section, or a note that it is none.
pub(super) fn entries<'a, T: Read>(
    node: &'a Node,
    path: &str,
    errors: &mut Errors,
) -> Option<&'a [(String, Node)]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        Kind::Null => Some(&[]),
        Kind::Broken => None,
        Kind::Bool(_) | Kind::Number(_) | Kind::Text(..) | Kind::List(_) => {
            wrong::<T>(node, path, errors);
            None
        }
    }
}

/// Notes a key that does not exist.
pub(super) fn unknown_key(key: &str, node: &Node, section: &str, known: &[&str]) -> (Spot, Option<String>) {
    let spot = Spot { key: Some(key.to_owned()), ..Spot::of(&join(section, key), node.at) };
    (spot, nearest(key, known.iter().copied()).map(str::to_owned))
}

/// Where a value stands and how it is shown: never a secret, never long.
pub(super) fn spot(node: &Node, path: &str) -> Spot {
    let shown = match &node.kind {
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Text(text, written) => Some(harmless(written.as_ref().unwrap_or(text))),
        Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Broken => None,
    };
    Spot { shown: shown.filter(|_| !holds_secret(path)), ..Spot::of(path, node.at) }
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
    fn takes() -> String {
        T::takes()
    }

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let value = T::read(node, path, errors)?;
        Some(Self { value, spot: spot(node, path) })
    }

    fn keys(path: &str, list: &mut Vec<String>) {
        T::keys(path, list);
    }
}

impl<T: Read> Read for Vec<At<T>> {
    fn takes() -> String {
        "a list".to_owned()
    }

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            return wrong::<Self>(node, path, errors);
        };
        let mut list = Self::new();
        for (i, node) in items.iter().enumerate() {
            let path = format!("{path}[{i}]");
            if matches!(node.kind, Kind::Null) {
                wrong::<T>(node, &path, errors);
            }
            if let Field::Given(at) = Field::read(node, &path, errors) {
                list.push(at);
            }
        }
        Some(list)
    }

    fn keys(path: &str, list: &mut Vec<String>) {
        // A list of single values is one key; of sections, each of their keys.
        let mut below = Vec::new();
        T::keys("", &mut below);
        match below.as_slice() {
            [only] if only.is_empty() => list.push(path.to_owned()),
            _ => T::keys(&format!("{path}[]"), list),
        }
    }
}

/// A map whose keys are names that the user chooses.
#[derive(Clone, Debug)]
pub(super) struct Entries<T>(pub(super) Vec<Entry<T>>);

/// One of its entries; the name is kept even when its value is wrong.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) name: String,
    pub(super) spot: Spot,
    pub(super) value: Option<T>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Entries<T> {
    fn takes() -> String {
        "a map of names".to_owned()
    }

    fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
        let list = entries::<Self>(node, path, errors)?;
        let read = list.iter().map(|(name, node)| {
            let path = join(path, name);
            Entry {
                name: name.clone(),
                value: T::read(node, &path, errors),
                spot: Spot { key: Some(name.clone()), ..Spot::of(&path, node.at) },
            }
        });
        Some(Self(read.collect()))
    }

    fn keys(path: &str, list: &mut Vec<String>) {
        T::keys(&join(path, "<name>"), list);
    }
}

/// Makes a section: a struct of [`Field`]s, its reading, its list of keys, all from one table.
macro_rules! section {
    ($($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $key: Field<$type>,)+
        }

        impl $name {
            const KEYS: &'static [&'static str] = &[$(bare(stringify!($key))),+];
        }

        impl Read for $name {
            fn takes() -> String {
                "a section of keys".to_owned()
            }

            fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
                let mut section = Self::default();
                for (key, node) in entries::<Self>(node, path, errors)? {
                    match key.as_str() {
                        $(key if key == bare(stringify!($key)) => {
                            section.$key.fill(node, path, key, errors);
                        })+
                        _ => {
                            let (spot, near) = unknown_key(key, node, path, Self::KEYS);
                            errors.push(&spot, Problem::UnknownKey, near.as_deref());
                        }
                    }
                }
                Some(section)
            }

            fn keys(path: &str, list: &mut Vec<String>) {
                $(<$type>::keys(&join(path, bare(stringify!($key))), list);)+
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

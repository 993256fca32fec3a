//! Names that were parsed once and are never bare strings afterwards.
//!
//! A name is cheap to clone (it is shared) and says what it names by its type.

use std::fmt;
use std::sync::Arc;

use crate::base::chance;
use crate::base::pen::{Pen, Put};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name_type! {
    /// A model name that clients ask for: a key under `models:`, perhaps with one final `*`.
    Alias
}
name_type! {
    /// A model's name at its provider; any text that is not empty.
    ModelName
}
name_type! {
    /// A key under `providers:`.
    ProviderName
}
name_type! {
    /// The id of one request, `req_` and 24 hex digits; sent as `x-llmgate-request-id`.
    RequestId
}

impl Alias {
    /// Reads `^[A-Za-z0-9][A-Za-z0-9._:/@-]*$` with an optional final `*`, or `*` alone.
    pub fn parse(text: &str) -> Option<Self> {
        let stem = text.strip_suffix('*').unwrap_or(text);
        let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
        let starts_well = stem.chars().next().map_or(text == "*", |c| c.is_ascii_alphanumeric());
        (starts_well && stem.chars().all(fits)).then(|| Self(text.into()))
    }

    /// The part before the final `*`, when this is a pattern.
    pub fn pattern_prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }
}

impl ModelName {
    /// Takes any text that is not empty.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// May this name stand in a path on a provider's host? A segment `.` or `..` or a control
    /// character would choose another path with the proxy's key (SPEC 8.1).
    pub fn is_safe_in_path(&self) -> bool {
        !self.0.chars().any(char::is_control) && !self.0.split(['/', '\\']).any(|s| s == "." || s == "..")
    }
}

impl ProviderName {
    /// Reads `^[A-Za-z][A-Za-z0-9_-]*$`.
    pub fn parse(text: &str) -> Option<Self> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (starts_well && text.chars().all(fits)).then(|| Self(text.into()))
    }
}

impl RequestId {
    /// A new one, by chance.
    pub fn random() -> Self {
        Self(format!("req_{}", chance::hex::<12>()).into())
    }
}

/// One upstream model of one provider, written `provider/model`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// The provider's name.
    pub provider: ProviderName,
    /// The model's name at that provider; `*` alone means the asked name.
    pub model: ModelName,
}

impl TargetId {
    /// Reads `provider/model` or `provider:model`, split at the first separator.
    pub fn parse(text: &str) -> Option<Self> {
        let (provider, model) = text.split_once(['/', ':'])?;
        Some(Self { provider: ProviderName::parse(provider)?, model: ModelName::parse(model)? })
    }

    /// [`stable_hash()`] of its text.
    pub fn stable_hash(&self) -> u64 {
        let hash = stable_hash_on(stable_hash(self.provider.as_str().as_bytes()), b"/");
        stable_hash_on(hash, self.model.as_str().as_bytes())
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Put for TargetId {
    fn write(&self, pen: &mut Pen<'_>) {
        self.to_string().write(pen);
    }
}

impl fmt::Debug for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A hash that is the same in every run and on every machine (FNV-1a, 64 bits).
pub fn stable_hash(bytes: &[u8]) -> u64 {
    stable_hash_on(0xcbf2_9ce4_8422_2325, bytes)
}

fn stable_hash_on(hash: u64, more: &[u8]) -> u64 {
    more.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The known name nearest to a mistyped one, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    let ranked = known.into_iter().map(|name| (distance(word, name), name));
    ranked.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

/// How many characters must be changed, added or removed (Levenshtein), letter case aside.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            *cell = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_where_they_are_made() {
        let target = TargetId::parse("openai/gpt-5.1:x").unwrap();
        assert_eq!(target.stable_hash(), stable_hash(target.to_string().as_bytes()));
        for good in ["a", "claude-*", "*", "openai/gpt-5.1:x@y", "0x"] {
            assert!(Alias::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a*b", "a b", "**", "ä"] {
            assert!(Alias::parse(bad).is_none(), "{bad}");
        }
        assert!(ProviderName::parse("my_router-2").is_some());
        assert!(ProviderName::parse("2x").is_none() && ProviderName::parse("").is_none());
    }

    #[test]
    fn a_target_is_split_at_the_first_separator() {
        let target = TargetId::parse("openrouter/openai/gpt-5").unwrap();
        assert_eq!((target.provider.as_str(), target.model.as_str()), ("openrouter", "openai/gpt-5"));
        assert_eq!(TargetId::parse("ollama:qwen:7b").unwrap().model.as_str(), "qwen:7b");
        assert!(TargetId::parse("ollama").is_none() && TargetId::parse("ollama/").is_none());
        assert_eq!(target.to_string(), "openrouter/openai/gpt-5");
    }

    #[test]
    fn the_nearest_name_is_found_only_when_it_is_near() {
        assert_eq!(nearest("lisen", ["listen", "limits"]), Some("listen"));
        assert_eq!(nearest("zzzzzz", ["listen", "limits"]), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_model_in_a_path_stays_below_it() {
        for bad in ["../x", "a/..", ".", "a\\..\\b", "a\nb"] {
            assert!(!ModelName::parse(bad).unwrap().is_safe_in_path(), "{bad:?}");
        }
        assert!(ModelName::parse("openai/gpt-5..x").unwrap().is_safe_in_path());
    }
}

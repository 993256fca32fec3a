//! Tool names and call ids fitted to what a target takes, and back (SPEC 8.2, 8.4). Everything is
//! made of the text itself, so that the same history gives the same bytes in every turn.

use crate::base::id::stable_hash;
use crate::base::table::Table;

/// What a target takes as a tool name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRule {
    /// The most characters.
    pub length: usize,
    /// Characters beside ASCII letters, digits, `_` and `-`.
    pub extra: &'static str,
    /// Must it begin with a letter or `_`?
    pub starts_with_letter: bool,
}

impl NameRule {
    /// Does a name fit?
    pub fn fits(&self, name: &str) -> bool {
        let starts_well =
            !self.starts_with_letter || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        !name.is_empty() && name.len() <= self.length && starts_well && name.chars().all(|c| self.allows(c))
    }

    fn allows(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_' || c == '-' || self.extra.contains(c)
    }

    /// A name that fits: the first 55 allowed characters, `_`, 8 hex digits of a hash.
    fn fitted(&self, name: &str) -> String {
        let mut stem: String = name.chars().filter(|c| self.allows(*c)).take(55).collect();
        if self.starts_with_letter && !stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            stem.insert(0, '_');
            stem.truncate(55);
        }
        format!("{stem}_{}", hex8(name))
    }
}

/// Names as a target sees them, and as the client knows them. Made of the request alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameMap {
    back: Table<String, String>,
}

impl NameMap {
    /// The map for the names of a request; only those that do not fit are in it.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, rule: &NameRule) -> Self {
        let unfit = names.into_iter().filter(|name| !rule.fits(name));
        Self { back: unfit.map(|name| (rule.fitted(name), name.to_owned())).collect() }
    }

    /// The name as the client knows it.
    pub fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.back.get(name).map_or(name, String::as_str)
    }

    /// Were any names changed?
    pub fn is_empty(&self) -> bool {
        self.back.is_empty()
    }
}

/// A name as a target takes it.
pub fn fit_name(name: &str, rule: &NameRule) -> String {
    if rule.fits(name) { name.to_owned() } else { rule.fitted(name) }
}

/// A call id of ASCII letters, digits, `_` and `-`, at most `length` long; one that does not fit
/// becomes `call_` and a hash of itself.
pub fn fit_id(id: &str, length: usize) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.len() <= length && id.chars().all(fits) {
        id.to_owned()
    } else {
        format!("call_{:016x}", stable_hash(id.as_bytes()))
    }
}

/// A call id of exactly nine letters and digits, as Mistral demands.
pub fn nine_characters(id: &str) -> String {
    if id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut hash = stable_hash(id.as_bytes());
    let digit = |_| {
        let digit = DIGITS.get((hash % 36) as usize).copied().unwrap_or(b'0');
        hash /= 36;
        char::from(digit)
    };
    (0..9).map(digit).collect()
}

fn hex8(text: &str) -> String {
    let hash = stable_hash(text.as_bytes());
    format!("{:08x}", (hash ^ (hash >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CHAT: NameRule = NameRule { length: 64, extra: "", starts_with_letter: false };
    const GEMINI: NameRule = NameRule { length: 64, extra: ".:", starts_with_letter: true };

    #[test]
    fn a_name_that_fits_is_never_changed() {
        assert_eq!(fit_name("mcp__files-read_1", &CHAT), "mcp__files-read_1");
        assert_eq!(fit_name("a.b:c", &GEMINI), "a.b:c");
        assert!(NameMap::new(["a", "b"], &CHAT).is_empty());
    }

    #[test]
    fn a_name_that_does_not_is_fitted_and_found_again() {
        let long = "x".repeat(100);
        for (name, rule) in [("a.b", &CHAT), (long.as_str(), &CHAT), ("1st", &GEMINI), ("ä", &GEMINI)] {
            let fitted = fit_name(name, rule);
            assert!(rule.fits(&fitted), "{fitted}");
            assert_eq!(NameMap::new([name], rule).original(&fitted), name);
        }
        assert_ne!(fit_name("a.b", &CHAT), fit_name("a:b", &CHAT));
    }

    #[test]
    fn ids_are_fitted_by_a_hash_of_themselves() {
        assert_eq!(fit_id("toolu_01-x", 64), "toolu_01-x");
        assert_eq!(fit_id("a b", 64), fit_id("a b", 64));
        assert!(fit_id(&"x".repeat(65), 64).len() <= 64);
        assert_eq!(nine_characters("abcDEF123"), "abcDEF123");
        let nine: HashSet<String> = (0..100).map(|n| nine_characters(&format!("call_{n}"))).collect();
        assert!(nine.len() == 100 && nine.iter().all(|id| id.len() == 9));
    }
}

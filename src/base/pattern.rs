//! JSON that is the same but for the words of one string.
//!
//! Most events of a stream say the next words of an answer, and differ from the one before, byte for
//! byte, in nothing else. What was read of that one holds for them: only their words are looked at.

use std::ops::Range;

use memchr::arch::all::{is_prefix, is_suffix};

/// The longest text that is kept to compare others with: so much stays with each open stream.
const LONGEST: usize = 512;

/// A text that others may be like.
#[derive(Debug)]
pub struct Pattern {
    text: Vec<u8>,
    words: Range<usize>,
}

impl Pattern {
    /// A text with JSON in it, and where a string of that lies, quotes left out. `None` where it is too
    /// long.
    pub fn of(text: &[u8], words: Range<usize>) -> Option<Self> {
        (text.len() <= LONGEST).then(|| Self { text: text.to_vec(), words })
    }

    /// The words of a text that differs in them alone. They need no escapes, and there are some.
    pub fn words<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let (before, after) = (self.text.get(..self.words.start)?, self.text.get(self.words.end..)?);
        // Several bytes at a time: musl's memcmp looks at each.
        if !(is_prefix(text, before) && is_suffix(text, after)) {
            return None;
        }
        let words = text.get(before.len()..text.len() - after.len())?;
        let is_plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
        (!words.is_empty() && words.iter().all(is_plain)).then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_where_nothing_else_differs() {
        let text = br#"{"a":"words","b":"x"}"#;
        let pattern = Pattern::of(text, 6..11).unwrap();
        let like = |words: &str| format!(r#"{{"a":"{words}","b":"x"}}"#);
        for words in ["words", "other", "w", "more words", "é \u{10ffff}"] {
            assert_eq!(pattern.words(like(words).as_bytes()), Some(words.as_bytes()));
        }
        for words in ["", "a\"", "\\n", "a\nb", "\0"] {
            assert_eq!(pattern.words(like(words).as_bytes()), None, "{words:?}");
        }
        // What stands before and behind may not overlap.
        for other in
            [r#"{"a":"words","b":"y"}"#, r#"{"b":"words","b":"x"}"#, r#"{"a":"","b":"x"}"#, r#"{"a":""#]
        {
            assert_eq!(pattern.words(other.as_bytes()), None, "{other}");
        }
        let pattern = Pattern::of(br#"["a"]"#, 2..3).unwrap();
        assert_eq!(pattern.words(br#"["]"#), None);
        assert!(Pattern::of(&[b' '; LONGEST + 1], 1..2).is_none());
    }
}

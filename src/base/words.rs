//! Choices that have words: one table a type, both ways.

/// A choice between words.
pub trait Words: Copy + PartialEq + 'static {
    /// The words; of two for one choice the first is shown.
    const WORDS: &'static [&'static str];
    /// What each of them means.
    const CHOICES: &'static [Self];

    /// The choice of that word.
    #[inline(never)]
    fn named(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word);
        Self::CHOICES.get(at?).copied()
    }

    /// The word of this choice.
    #[inline(never)]
    fn word(self) -> &'static str {
        let at = Self::CHOICES.iter().position(|choice| *choice == self);
        at.and_then(|at| Self::WORDS.get(at)).copied().unwrap_or("")
    }
}

macro_rules! words {
    ($($type:ident { $($word:literal = $choice:ident),+ $(,)? })+) => {$(
        impl $crate::base::words::Words for $type {
            const WORDS: &'static [&'static str] = &[$($word),+];
            const CHOICES: &'static [Self] = &[$(Self::$choice),+];
        }
    )+};
}

pub(crate) use words;

//! Secrets: values that cannot be printed by accident, and their masked form (SPEC 10.4).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::base::sort;

/// A key. `Debug` and `Display` print `***`; two are compared in constant time.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a key.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The key itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// First 5 and last 4 characters around `****`; all of a key shorter than 24 is hidden.
    pub fn masked(&self) -> String {
        masked(&self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The masked form of a key: `sk-ab****cdef`, or `****` when it is shorter than 24 characters.
pub fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() < 24 {
        return "****".to_owned();
    }
    let head = chars.iter().take(5).collect::<String>();
    let tail = chars.iter().skip(chars.len() - 4).collect::<String>();
    format!("{head}****{tail}")
}

/// `text` with every known secret masked, also where JSON has its slashes as `\/`, as PHP writes them.
/// Secrets of fewer than 4 characters are not searched for: they would mask ordinary words.
pub fn mask_known<'a>(text: &'a str, secrets: &[Secret]) -> Cow<'a, str> {
    let keys = secrets.iter().map(Secret::expose).filter(|key| key.len() >= 4);
    let forms = keys.flat_map(|key| [key.to_owned(), key.replace('/', "\\/")].map(|form| (form, key)));
    let mut found: Vec<(String, &str)> = forms.filter(|(form, _)| text.contains(form)).collect();
    // Longest first: one inside another would leave the rest of that in clear.
    sort::by_key(&mut found, |(form, _)| Reverse(form.len()));
    found.iter().fold(Cow::Borrowed(text), |text, (form, key)| Cow::Owned(text.replace(form, &masked(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let key = Secret::new("sk-abcdefghijklmnopqrstuvwxyz");
        assert_eq!(format!("{key} {key:?}"), "*** ***");
        assert_eq!(key.masked(), "sk-ab****wxyz");
        assert_eq!(Secret::new("short-key").masked(), "****");
        assert_eq!(Secret::new("23-characters-are-short").masked(), "****");
        assert_eq!(Secret::new("24-characters-are-enough").masked(), "24-ch****ough");
    }

    #[test]
    fn known_secrets_are_masked_wherever_they_stand() {
        let keys = [Secret::new("k-lab-0123456789"), Secret::new("ab")];
        let text = mask_known("Incorrect API key: k-lab-0123456789, ab.", &keys);
        assert_eq!(text, "Incorrect API key: ****, ab.");
    }

    #[test]
    fn slashes_of_a_secret_may_be_escaped() {
        let keys = [Secret::new("pass/word"), Secret::new("abcd/efgh+ijkl/mnop==qrst")];
        let text = mask_known(r#"{"a":"pass\/word pass/word","b":"abcd\/efgh+ijkl\/mnop==qrst"}"#, &keys);
        assert_eq!(text, r#"{"a":"**** ****","b":"abcd/****qrst"}"#);
    }

    #[test]
    fn a_secret_inside_another_uncovers_none_of_it() {
        let keys = [Secret::new("test"), Secret::new("sk-test-0123456789abcdefghij")];
        assert_eq!(
            mask_known("no sk-test-0123456789abcdefghij, no test", &keys),
            "no sk-te****ghij, no ****"
        );
    }
}

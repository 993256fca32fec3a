//! The headers of one head, in one buffer: two allocations, however many there are.

/// Headers in the order sent: one buffer, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    marks: Vec<Mark>,
}

/// Where a header's name begins, its value begins, its value ends.
type Mark = (usize, usize, usize);

impl Headers {
    /// None yet, with room for so many bytes and headers.
    pub(super) fn with_room(bytes: usize, headers: usize) -> Self {
        Self { text: String::with_capacity(bytes), marks: Vec::with_capacity(headers) }
    }

    /// Adds one; white space around the value is no part of it (RFC 9112, 5.1).
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        if let Some(name) = self.text.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        let middle = self.text.len();
        self.text.push_str(value.trim_matches([' ', '\t']));
        self.marks.push((start, middle, self.text.len()));
    }

    /// The first value of a header; the name in lower case.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.marks.iter().find_map(|mark| self.value(mark, name))
    }

    /// Every value of a header, in order; the name in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.marks.iter().filter_map(|mark| self.value(mark, name))
    }

    /// The value of one header, if it has that name.
    fn value(&self, mark: &Mark, name: &str) -> Option<&str> {
        // Most names differ in length already.
        let could_be = mark.1 - mark.0 == name.len();
        let (_, value) = could_be.then(|| self.pair(mark)).filter(|(known, _)| *known == name)?;
        Some(value)
    }

    /// Every name and value, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.marks.iter().map(|mark| self.pair(mark))
    }

    fn pair(&self, mark: &Mark) -> (&str, &str) {
        let text = |from, to| self.text.get(from..to).unwrap_or_default();
        (text(mark.0, mark.1), text(mark.1, mark.2))
    }

    /// Is a word among the comma-separated words of a header, letter case aside?
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
    }
}

//! A text made shorter.

/// At most so many bytes of a text, cut between characters.
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!([0, 1, 2, 3, 4].map(|most| cut("aé", most)), ["", "a", "a", "aé", "aé"]);
    }
}

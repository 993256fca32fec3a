//! A text made shorter.

/// At most so many bytes of a text, cut between characters.
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The first so many characters of a text that has more.
pub fn first(text: &str, characters: usize) -> Option<&str> {
    // It is asked of short texts mostly: no character has less than a byte.
    if text.len() <= characters {
        return None;
    }
    let (end, _) = text.char_indices().nth(characters)?;
    text.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!([0, 1, 2, 3, 4].map(|most| cut("aé", most)), ["", "a", "a", "aé", "aé"]);
    }

    #[test]
    fn the_first_characters_are_given_where_there_are_more() {
        assert_eq!([0, 1, 2, 3].map(|count| first("éa", count)), [Some(""), Some("é"), None, None]);
        assert_eq!(first("", 0), None);
    }
}

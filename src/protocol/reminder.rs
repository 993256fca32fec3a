//! Instructions in the middle of a conversation, for targets that take them at its beginning only
//! (SPEC 8.2): words of the user's, in tags, as Claude Code writes them.

use std::borrow::Cow;

/// The words in their tags; Claude Code's have them already.
pub(super) fn reminder(text: &str) -> Cow<'_, str> {
    let told = text.trim();
    if told.is_empty() || (told.starts_with("<system-reminder>") && told.ends_with("</system-reminder>")) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("<system-reminder>\n{text}\n</system-reminder>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_tags_once() {
        let tagged = "<system-reminder>a</system-reminder>";
        assert_eq!(reminder(tagged), tagged);
        for text in ["a", "<system-reminder>a</system-reminder> b", "b <system-reminder>a</system-reminder>"]
        {
            assert_eq!(reminder(text), format!("<system-reminder>\n{text}\n</system-reminder>"));
        }
    }
}

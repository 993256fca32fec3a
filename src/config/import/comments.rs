//! JSON with comments, as editors and JSON5 readers take it: <https://spec.json5.org/#comments>.

/// The text without its `//` and `/* */` comments; in strings they are none.
pub(super) fn left_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => string(rest, first),
            // YAML takes an address without quotes.
            '/' if rest.starts_with("//") && !out.ends_with(':') => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/").map_or("", |(_, after)| after);
                out.push(' ');
                continue;
            }
            other => other.len_utf8(),
        };
        let (copied, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(copied);
        rest = after;
    }
    out
}

/// The length of the string that the text begins with, both quotes included.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, char)| {
        let ends = *char == quote && !escaped;
        escaped = *char == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(place, _)| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        for (text, left) in [
            ("{\"a\": 1} // end", "{\"a\": 1} "),
            ("// first\n{\"a\": /* in */ 1, // b\n\"c\": 2}", "\n{\"a\":   1, \n\"c\": 2}"),
            (r#"{"url": "https://x/*y*/", "q": "\"//"}"#, r#"{"url": "https://x/*y*/", "q": "\"//"}"#),
            ("{'a': 'b//c', d: 1/2}", "{'a': 'b//c', d: 1/2}"),
            ("{u: https://x, v: 1 // w\n}", "{u: https://x, v: 1 \n}"),
            (r#"{"a": "x\\"} // y"#, r#"{"a": "x\\"} "#),
            ("/* open", " "),
            ("\"open // \\\"", "\"open // \\\""),
            ("é//ü\né", "é\né"),
        ] {
            assert_eq!(left_out(text), left);
        }
    }
}

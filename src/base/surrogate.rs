//! Halves of surrogate pairs in JSON escapes (RFC 8259, 8.2): text that was cut between two UTF-16
//! units, as JavaScript cuts it. Most parsers take them, serde_json does not; each becomes U+FFFD.

/// What a half becomes; as long as what it was.
const REPLACEMENT: &str = "\\ufffd";

/// The text without such halves; `None` where there are none.
pub fn mended(text: &str) -> Option<String> {
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        let pair = unit(text, escape).zip(unit(text, escape + REPLACEMENT.len()));
        at = match (unit(text, escape), pair) {
            (_, Some((0xd800..=0xdbff, 0xdc00..=0xdfff))) => escape + 2 * REPLACEMENT.len(),
            (Some(0xd800..=0xdfff), _) => {
                out.push_str(text.get(from..escape)?);
                out.push_str(REPLACEMENT);
                from = escape + REPLACEMENT.len();
                from
            }
            // Whatever it is, what it escapes begins none.
            _ => escape + 2,
        };
    }
    out.push_str(text.get(from..)?);
    (from > 0).then_some(out)
}

/// The UTF-16 unit of an escape `\uXXXX` that stands there.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + REPLACEMENT.len())?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tree::Tree;

    #[test]
    fn halves_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\ude00a""#, r#""\ufffda""#),
            (r#""\ud83d\ud83d\ude00\uDE00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#""\ud83dä""#, r#""\ufffdä""#),
            (r#""\\\ud83d\n""#, r#""\\\ufffd\n""#),
        ] {
            assert_eq!(mended(text).as_deref(), Some(expected), "{text}");
            assert!(Tree::read(text).is_ok(), "{text}");
        }
        for text in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e4""#, r#""\ud8""#, "\\", "", "\"ä\""] {
            assert_eq!(mended(text), None, "{text}");
        }
        let read = Tree::read(r#"{"a\ud83d":["b\ude00",1,null,true]}"#).unwrap();
        assert_eq!(read.into_value(), serde_json::json!({"a\u{fffd}": ["b\u{fffd}", 1, null, true]}));
    }
}

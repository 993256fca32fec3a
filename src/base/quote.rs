//! Text as a JSON string, eight bytes at a time: a coding agent's history is long, and most of it
//! needs no escape. serde_json looks at each byte.

/// `text` as a JSON string (RFC 8259, 7), in the very bytes that serde_json writes.
pub fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16 + 2);
    quote(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The same, behind what is in `out`.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    while let Some(at) = first_escape(rest) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, behind)) = from.split_first() else { break };
        escape(*byte, out);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.push(b'\\');
    match byte {
        b'"' | b'\\' => out.push(byte),
        b'\n' => out.push(b'n'),
        b'\r' => out.push(b'r'),
        b'\t' => out.push(b't'),
        0x8 => out.push(b'b'),
        0xc => out.push(b'f'),
        control => {
            out.extend_from_slice(b"u00");
            out.extend(HEX.get(usize::from(control / 16)));
            out.extend(HEX.get(usize::from(control % 16)));
        }
    }
}

/// Where the first byte stands that must be escaped.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        let found = below_space(word) | equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    chunks.remainder().iter().position(is_special).map(|found| at + found)
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// The high bit of each byte below 0x20. Of several that are marked the lowest is right, which is
/// the first of the text; a higher one may be a borrow's.
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGH
}

/// The same for bytes that equal `byte`.
fn equal(word: u64, byte: u8) -> u64 {
    let same = word ^ (ONES * u64::from(byte));
    same.wrapping_sub(ONES) & !same & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_what_serde_json_writes() {
        let mut texts = vec![String::new(), "plain".to_owned(), "ä\u{1F600}\u{7f}\u{80}\u{2028}".to_owned()];
        texts.extend((0..0x21_u8).map(|byte| format!("x{}y", char::from(byte))));
        for special in ["\"", "\\", "\n", "\u{1f}", "ü", "\u{1}\u{2}", " !#[]"] {
            // At every place of a word, with every kind of neighbour.
            texts.extend((0..24).map(|at| format!("{}{special}{}", "a".repeat(at), "\u{7f}b\"c".repeat(at))));
        }
        texts.push("line \"one\"\n\tline two\\\r\n".repeat(200));
        for text in texts {
            assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
        }
    }
}

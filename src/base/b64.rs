//! Base64 as it goes into JSON fields: the standard alphabet, with padding (RFC 4648, 4).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Text as bytes; `None` when it is no base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// The first bytes that a text stands for: at most `count`, without reading the rest.
pub fn decode_start(text: &str, count: usize) -> Vec<u8> {
    let digits = count.div_ceil(3) * 4;
    let start = text.get(..digits.min(text.len() / 4 * 4)).unwrap_or_default();
    let mut bytes = decode(start).unwrap_or_default();
    bytes.truncate(count);
    bytes
}

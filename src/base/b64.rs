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

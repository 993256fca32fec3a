//! Chance: the one place that asks the system for random bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;

use crate::base::secret::Secret;

/// Random bytes as lower-case hex digits, two for each byte.
pub fn hex<const BYTES: usize>() -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let mut text = String::with_capacity(BYTES * 2);
    for byte in bytes::<BYTES>() {
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// A new key: `gw_` and 32 random bytes in base64url. `None` when the system has none to give.
pub fn key() -> Option<Secret> {
    key_of(32)
}

/// A new key of so many random bytes. `None` when the system has none to give.
#[allow(clippy::disallowed_methods, reason = "this is the room for chance")]
pub fn key_of(count: usize) -> Option<Secret> {
    let mut bytes = vec![0; count];
    getrandom::getrandom(&mut bytes).ok()?;
    Some(Secret::new(&format!("gw_{}", URL_SAFE_NO_PAD.encode(bytes))))
}

const BLOCK: usize = 1024;
static STOCK: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Random bytes for ids and the like, each given once. They are asked of the system in blocks: a
/// request needs twelve, and a system call for each would be a fiftieth of what it costs.
///
/// If the system has none to give (it always has once it is up), the bytes are derived from the
/// process id and a counter, so that ids stay distinct; keys are never made so.
pub fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let mut stock = STOCK.lock();
    if stock.len() < BYTES {
        *stock = block(BYTES.max(BLOCK));
    }
    match stock.len().checked_sub(BYTES) {
        Some(rest) => bytes.iter_mut().zip(stock.drain(rest..)).for_each(|(byte, from)| *byte = from),
        None => distinct(&mut bytes),
    }
    bytes
}

/// So many bytes of the system's, or none.
#[allow(clippy::disallowed_methods, reason = "this is the room for chance")]
fn block(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    if getrandom::getrandom(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// A number of 0.0..1.0.
pub fn share() -> f64 {
    // 53 bits are what such a number holds.
    (u64::from_le_bytes(bytes::<8>()) >> 11) as f64 / (1_u64 << 53) as f64
}

fn distinct(bytes: &mut [u8]) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let seed = (u64::from(std::process::id()) << 32) ^ COUNT.fetch_add(1, Ordering::Relaxed);
    for (byte, from) in bytes.iter_mut().rev().zip(seed.to_le_bytes().into_iter().cycle()) {
        *byte = from;
    }
}

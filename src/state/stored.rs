//! What is common to shared state that is written down, wherever that is: JSON with its version.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The version that is written, and the newest that is read.
pub(super) const VERSION: u32 = 1;
/// No state is as large; what is larger is something else.
pub(super) const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What a place holds.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// Nothing is there.
    Nothing,
    /// Good state.
    State(T),
    /// State of a later version.
    Newer(u32),
    /// No state, and why.
    Broken(String),
}

/// What is read first.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads what was written. The version is looked at first: only a known one is understood.
pub(super) fn understand<T: DeserializeOwned>(bytes: &[u8]) -> Found<T> {
    match serde_json::from_slice(bytes) {
        Ok(Version { version }) if version > VERSION => return Found::Newer(version),
        Ok(Version { .. }) => {}
        Err(error) => return Found::Broken(error.to_string()),
    }
    match serde_json::from_slice(bytes) {
        Ok(state) => Found::State(state),
        Err(error) => Found::Broken(error.to_string()),
    }
}

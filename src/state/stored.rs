//! What is common to shared state that is written down, wherever that is: JSON with its version.

use crate::base::tree::Tree;
use crate::state::json::Flaw;

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

/// Reads what was written. The version is looked at first: only a known one is understood.
pub(super) fn understand<T>(bytes: &[u8], read: fn(&Tree<'_>) -> Result<T, Flaw>) -> Found<T> {
    let tree = match std::str::from_utf8(bytes) {
        Ok(text) => Tree::read(text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let state = tree.and_then(|tree| match version(&tree) {
        Some(version) if version > VERSION => Ok(Found::Newer(version)),
        Some(_) => read(&tree).map(Found::State).map_err(|flaw| flaw.to_string()),
        None => Err("it has no version".to_owned()),
    });
    state.unwrap_or_else(Found::Broken)
}

fn version(tree: &Tree<'_>) -> Option<u32> {
    u32::try_from(tree.count("version")?).ok()
}

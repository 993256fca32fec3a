//! What an answer tells, whichever protocol it came in.

/// Token counts of one answer. `None` means that the provider did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached and cache-written ones included.
    pub input: Option<u64>,
    /// Input tokens that were read from the prompt cache.
    pub cached: Option<u64>,
    /// Input tokens that were written to the prompt cache.
    pub cache_write: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
}

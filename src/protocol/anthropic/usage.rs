//! Token counts as they are read. Anthropic counts cached input apart from the rest: the sum is the
//! input (SPEC 8.10).

use crate::ir::response::Usage;
use crate::protocol::fields::Fields;
use crate::protocol::wire::WireError;

/// What was told so far; each later report replaces what it repeats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    fresh: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl Tally {
    /// Takes a `usage` object.
    pub(super) fn take(&mut self, mut usage: Fields<'_>) -> Result<(), WireError> {
        let mut note = |slot: &mut Option<u64>, name: &'static str| -> Result<(), WireError> {
            *slot = usage.count(name)?.or(*slot);
            Ok(())
        };
        note(&mut self.fresh, "input_tokens")?;
        note(&mut self.cached, "cache_read_input_tokens")?;
        note(&mut self.cache_write, "cache_creation_input_tokens")?;
        note(&mut self.output, "output_tokens")?;
        if let Some(mut details) = usage.object("output_tokens_details")? {
            self.reasoning = details.count("thinking_tokens")?.or(self.reasoning);
        }
        Ok(())
    }

    /// The counts in neutral words.
    pub(super) fn usage(&self) -> Usage {
        let apart = self.cached.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        Usage {
            input: self.fresh.map(|fresh| fresh.saturating_add(apart)),
            cached: self.cached,
            cache_write: self.cache_write,
            output: self.output,
            reasoning: self.reasoning,
        }
    }
}

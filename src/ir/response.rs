//! What an answer tells, whichever protocol it came in.

use crate::ir::loss::Losses;
use crate::ir::request::Block;

/// One whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// What it says, in order.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub stop: StopReason,
    /// Its token counts.
    pub usage: Usage,
    /// What of the provider's answer is not in it.
    pub lost: Lost,
}

/// What was left out of an answer since it has no neutral words, or is not known: the names, each
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost(Vec<String>);

impl Lost {
    /// So many are told at most.
    const MOST: usize = 64;

    /// One more.
    pub fn add(&mut self, what: impl AsRef<str> + Into<String>) {
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| known == what.as_ref()) {
            self.0.push(what.into());
        }
    }

    /// As losses of a translation.
    pub fn tell(&self, losses: &mut Losses) {
        self.0.iter().for_each(|what| losses.degrade(what.clone(), "another protocol has no place for it"));
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn into_names(self) -> Vec<String> {
        self.0
    }
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StopReason {
    /// By itself.
    #[default]
    End,
    /// At one of the request's stop texts, which the provider may name.
    StopSequence(Option<String>),
    /// To have tools called.
    ToolCalls,
    /// At the limit of output tokens.
    Limit,
    /// At the end of the model's context.
    ContextFull,
    /// The model or a filter refused.
    Refuse,
    /// The provider paused a long turn.
    Pause,
    /// For a reason that is not modelled; it ends like [`StopReason::End`].
    Other(String),
}

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

impl Response {
    /// All its text, without refusals and reasoning.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.as_str()),
            Block::Refusal(_) | Block::Media(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => {
                None
            }
        });
        texts.collect()
    }

    /// About how many bytes it takes.
    pub fn length(&self) -> usize {
        self.blocks.iter().map(Block::length).sum()
    }
}

impl StopReason {
    /// The reason as a client sees it: an answer that holds a call ends with the tool-call reason
    /// even if its provider said otherwise, and one without never does (SPEC 8.10). A limit or a
    /// refusal stays what it is.
    #[must_use]
    pub fn settled(self, has_call: bool) -> Self {
        match (self, has_call) {
            (Self::End | Self::StopSequence(_) | Self::Other(_) | Self::Pause, true) => Self::ToolCalls,
            (Self::ToolCalls, false) => Self::End,
            (reason, _) => reason,
        }
    }
}

impl Usage {
    /// Takes over what a later report says; what it leaves out stays.
    pub fn update(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cached = later.cached.or(self.cached);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
    }

    /// Does it tell nothing?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_decide_how_an_answer_ended() {
        assert_eq!(StopReason::End.settled(true), StopReason::ToolCalls);
        assert_eq!(StopReason::ToolCalls.settled(false), StopReason::End);
        assert_eq!(StopReason::Limit.settled(true), StopReason::Limit);
        assert_eq!(StopReason::Refuse.settled(false), StopReason::Refuse);
    }
}

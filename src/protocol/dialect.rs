//! Dialect: what one target's server wants differently from its protocol's reference.
//! Made by `config`, obeyed by the codecs.

/// The name of the field that limits the output tokens of a Chat request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitField {
    /// `max_tokens`, which most servers know.
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's newer models demand.
    MaxCompletionTokens,
}

/// Where a Chat server expects and gives visible reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_content` (DeepSeek and its like).
    ReasoningContent,
    /// `reasoning` (OpenRouter).
    Reasoning,
    /// Nowhere.
    None,
}

/// How a model is asked to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningStyle {
    /// It does not reason.
    None,
    /// By a level.
    Effort,
    /// By a number of tokens.
    Budget,
}

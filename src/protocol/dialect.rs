//! Dialect: what one target's server wants differently from its protocol's reference.
//! Made by `config`, obeyed by the codecs.

/// What one target wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The provider's name; reasoning state goes back to the provider that made it only.
    pub provider: String,
    /// The field that limits the output of a Chat request.
    pub limit_field: LimitField,
    /// Where a Chat server expects and gives visible reasoning.
    pub reasoning_field: ReasoningField,
    /// How the model is asked to reason.
    pub reasoning: ReasoningStyle,
    /// The most output tokens of the model.
    pub max_output: Option<u64>,
    /// Is it OpenAI's own host? It takes `developer` anywhere and `prompt_cache_key`; many other
    /// servers take `system` first only.
    pub is_openai: bool,
    /// Does it demand call ids of exactly nine letters and digits (Mistral)?
    pub nine_character_ids: bool,
    /// Is it known not to take images, image URLs, PDF documents?
    pub refuses: Refuses,
    /// Are cache marks made for it (Anthropic)?
    pub cache_marks: bool,
}

/// What a model is known not to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refuses {
    /// Images inside the request.
    pub images: bool,
    /// Images by URL.
    pub image_urls: bool,
    /// PDF documents.
    pub pdf: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            provider: String::new(),
            limit_field: LimitField::MaxTokens,
            reasoning_field: ReasoningField::ReasoningContent,
            reasoning: ReasoningStyle::Effort,
            max_output: None,
            is_openai: false,
            nine_character_ids: false,
            refuses: Refuses::default(),
            cache_marks: true,
        }
    }
}

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

//! Dialect: what one target's server wants differently from its protocol's reference.
//! Made by `config`, obeyed by the codecs.

use crate::base::json::Members;
use crate::base::pen::{Pen, Put, members};
use crate::base::words::{Words, words};

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
    /// Is it Mistral's own host? It demands call ids of exactly nine letters and digits, and a word of
    /// the model between a result and what the user says.
    pub is_mistral: bool,
    /// Is it known not to take images, image URLs, PDF documents?
    pub refuses: Refuses,
    /// Are cache marks made for it (Anthropic)?
    pub cache_marks: bool,
    /// Is it known to search the web?
    pub search: bool,
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

members! {
    Dialect {
        provider, limit_field, reasoning_field, reasoning, max_output, is_openai, is_mistral, refuses,
        cache_marks, search,
    }
    Refuses { images, image_urls, pdf }
}

impl Dialect {
    /// Reads one, as it is written; what is not known there is as by default.
    pub fn read(text: &str) -> Option<Self> {
        let members = Members::read(text).ok()?;
        let is = |name: &str| members.get(text, name) == Some("true");
        let word = |name: &str| members.string(text, name).unwrap_or_default();
        let refuses = members.object(text, "refuses");
        let refuses =
            |name: &str| refuses.as_ref().is_some_and(|(inner, own)| own.get(inner, name) == Some("true"));
        Some(Self {
            provider: word("provider"),
            limit_field: LimitField::named(&word("limit_field")).unwrap_or(LimitField::MaxTokens),
            reasoning_field: ReasoningField::named(&word("reasoning_field"))
                .unwrap_or(ReasoningField::ReasoningContent),
            reasoning: ReasoningStyle::named(&word("reasoning")).unwrap_or(ReasoningStyle::Effort),
            max_output: members.number(text, "max_output"),
            is_openai: is("is_openai"),
            is_mistral: is("is_mistral"),
            refuses: Refuses {
                images: refuses("images"),
                image_urls: refuses("image_urls"),
                pdf: refuses("pdf"),
            },
            cache_marks: is("cache_marks"),
            search: is("search"),
        })
    }
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
            is_mistral: false,
            refuses: Refuses::default(),
            cache_marks: true,
            search: false,
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

words! {
    LimitField { "max_tokens" = MaxTokens, "max_completion_tokens" = MaxCompletionTokens }
    ReasoningField {
        "reasoning_content" = ReasoningContent, "reasoning" = Reasoning, "none" = None,
    }
    ReasoningStyle { "none" = None, "effort" = Effort, "budget" = Budget }
}

impl Put for LimitField {
    fn write(&self, pen: &mut Pen<'_>) {
        self.word().write(pen);
    }
}

impl Put for ReasoningField {
    fn write(&self, pen: &mut Pen<'_>) {
        self.word().write(pen);
    }
}

impl Put for ReasoningStyle {
    fn write(&self, pen: &mut Pen<'_>) {
        self.word().write(pen);
    }
}

/// How a model reasons, as its name tells (SPEC 8.6): Claude 4.6 and Gemini 3 and newer by level,
/// Claude 3.7 to 4.5 and Gemini 2.5 by budget, older ones and `gpt-4*` not at all.
pub fn style_by_name(model: &str) -> Option<ReasoningStyle> {
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.starts_with("gpt-4") || name.starts_with("gpt-3") {
        return Some(ReasoningStyle::None);
    }
    let version = version_in(name);
    let (effort_from, budget_from) = if name.starts_with("claude") {
        ((4, 6), (3, 7))
    } else if name.starts_with("gemini") {
        ((3, 0), (2, 5))
    } else {
        return None;
    };
    Some(match version? {
        version if version >= effort_from => ReasoningStyle::Effort,
        version if version >= budget_from => ReasoningStyle::Budget,
        _ => ReasoningStyle::None,
    })
}

/// The first version in a name, such as `4-5` or `2.5`; a date is none.
fn version_in(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.split(['-', '.']).skip(1).skip_while(|part| !is_short_number(part));
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().filter(|part| is_short_number(part)).and_then(|part| part.parse().ok());
    Some((major, minor.unwrap_or(0)))
}

fn is_short_number(part: &str) -> bool {
    (1..=2).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pen;

    #[test]
    fn what_is_written_down_is_read_again() {
        use ReasoningField::{Reasoning, ReasoningContent};
        let mut dialect = Dialect { provider: "a \"b\"".to_owned(), ..Dialect::default() };
        for limit_field in [LimitField::MaxTokens, LimitField::MaxCompletionTokens] {
            for reasoning_field in [ReasoningContent, Reasoning, ReasoningField::None] {
                for reasoning in [ReasoningStyle::None, ReasoningStyle::Effort, ReasoningStyle::Budget] {
                    dialect = Dialect { limit_field, reasoning_field, reasoning, ..dialect };
                    let text = pen::written(&dialect);
                    assert_eq!(Dialect::read(&text), Some(dialect.clone()));
                }
            }
        }
        let refuses = Refuses { images: true, image_urls: false, pdf: true };
        let other = Dialect {
            max_output: Some(7),
            is_openai: true,
            refuses,
            cache_marks: false,
            search: true,
            ..dialect
        };
        let other = Dialect { is_mistral: true, ..other };
        assert_eq!(Dialect::read(&pen::written(&other)), Some(other));
    }

    #[test]
    fn names_tell_how_models_reason() {
        for (model, style) in [
            ("claude-sonnet-4-5-20250929", Some(ReasoningStyle::Budget)),
            ("claude-sonnet-4-20250514", Some(ReasoningStyle::Budget)),
            ("claude-3-7-sonnet-latest", Some(ReasoningStyle::Budget)),
            ("claude-3-5-haiku-20241022", Some(ReasoningStyle::None)),
            ("anthropic/claude-opus-4.6", Some(ReasoningStyle::Effort)),
            ("claude-sonnet-5-5", Some(ReasoningStyle::Effort)),
            ("gemini-2.5-pro", Some(ReasoningStyle::Budget)),
            ("gemini-2.0-flash", Some(ReasoningStyle::None)),
            ("gemini-3.1-pro-preview", Some(ReasoningStyle::Effort)),
            ("gpt-4o", Some(ReasoningStyle::None)),
            ("gpt-5.5", None),
            ("qwen3", None),
        ] {
            assert_eq!(style_by_name(model), style, "{model}");
        }
    }
}

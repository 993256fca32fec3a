//! The table of known vendors (SPEC 4.4). A configuration without a file and the defaults by host
//! are made of it.

use crate::base::id::ModelName;
use crate::protocol::Protocol;
use crate::protocol::dialect::{LimitField, ReasoningField};

/// One known vendor.
#[derive(Clone, Copy, Debug)]
pub struct Vendor {
    /// The provider's name when it is made from the environment.
    pub name: &'static str,
    /// The variables that may hold its key, best first.
    pub variables: &'static [&'static str],
    /// What it speaks.
    pub protocols: &'static [Protocol],
    /// Its base URL.
    pub base_url: &'static str,
    /// Its host.
    pub host: &'static str,
    /// Names of its models, as alias patterns.
    pub patterns: &'static [&'static str],
    /// Its name of the output limit in Chat requests; `None` when it speaks no Chat.
    pub limit_field: Option<LimitField>,
    /// Where its Chat answers hold reasoning; `None` when it speaks no Chat.
    pub reasoning_field: Option<ReasoningField>,
    /// Which of its models `run` takes when nothing else says, best first; any part may be `*`.
    pub defaults: &'static [&'static str],
}

impl Vendor {
    /// Is this one of its models' names?
    pub fn names(&self, model: &str) -> bool {
        self.patterns.iter().any(|pattern| model.starts_with(pattern.trim_end_matches('*')))
    }
}

/// Every known vendor, in the order in which patterns and providers are made.
pub const VENDORS: [Vendor; 8] = [
    Vendor {
        name: "anthropic",
        variables: &["ANTHROPIC_API_KEY"],
        protocols: &[Protocol::Anthropic],
        base_url: "https://api.anthropic.com/v1",
        host: "api.anthropic.com",
        patterns: &["claude-*"],
        limit_field: None,
        reasoning_field: None,
        defaults: &["claude-sonnet-*"],
    },
    Vendor {
        name: "openai",
        variables: &["OPENAI_API_KEY"],
        protocols: &[Protocol::OpenaiResponses, Protocol::OpenaiChat],
        base_url: "https://api.openai.com/v1",
        host: "api.openai.com",
        patterns: &["gpt-*", "chatgpt-*", "codex-*", "o1*", "o3*", "o4*"],
        limit_field: Some(LimitField::MaxCompletionTokens),
        reasoning_field: Some(ReasoningField::None),
        defaults: &["gpt-5*"],
    },
    Vendor {
        name: "gemini",
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        protocols: &[Protocol::Gemini],
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        host: "generativelanguage.googleapis.com",
        patterns: &["gemini-*", "gemma-*"],
        limit_field: None,
        reasoning_field: None,
        defaults: &["gemini-*-flash*"],
    },
    Vendor {
        name: "openrouter",
        variables: &["OPENROUTER_API_KEY"],
        protocols: &[Protocol::OpenaiChat],
        base_url: "https://openrouter.ai/api/v1",
        host: "openrouter.ai",
        patterns: &[],
        limit_field: Some(LimitField::MaxTokens),
        reasoning_field: Some(ReasoningField::Reasoning),
        defaults: &[],
    },
    Vendor {
        name: "groq",
        variables: &["GROQ_API_KEY"],
        protocols: &[Protocol::OpenaiChat],
        base_url: "https://api.groq.com/openai/v1",
        host: "api.groq.com",
        patterns: &[],
        limit_field: Some(LimitField::MaxCompletionTokens),
        reasoning_field: Some(ReasoningField::None),
        defaults: &[],
    },
    Vendor {
        name: "deepseek",
        variables: &["DEEPSEEK_API_KEY"],
        protocols: &[Protocol::OpenaiChat],
        base_url: "https://api.deepseek.com/v1",
        host: "api.deepseek.com",
        patterns: &["deepseek-*"],
        limit_field: Some(LimitField::MaxTokens),
        reasoning_field: Some(ReasoningField::ReasoningContent),
        defaults: &["deepseek-chat"],
    },
    Vendor {
        name: "mistral",
        variables: &["MISTRAL_API_KEY"],
        protocols: &[Protocol::OpenaiChat],
        base_url: "https://api.mistral.ai/v1",
        host: "api.mistral.ai",
        patterns: &["mistral-*", "codestral-*", "devstral-*", "magistral-*", "ministral-*"],
        limit_field: Some(LimitField::MaxTokens),
        reasoning_field: Some(ReasoningField::None),
        defaults: &["devstral-*"],
    },
    Vendor {
        name: "xai",
        variables: &["XAI_API_KEY"],
        protocols: &[Protocol::OpenaiChat],
        base_url: "https://api.x.ai/v1",
        host: "api.x.ai",
        patterns: &["grok-*"],
        limit_field: Some(LimitField::MaxCompletionTokens),
        reasoning_field: Some(ReasoningField::None),
        defaults: &["grok-*"],
    },
];

/// What is said when there is no file and no key.
pub(super) const NO_PROVIDER: &str = "no configuration file and no provider key found. \
Set one of these variables, or write a file and name it with --config:
  ANTHROPIC_API_KEY
  OPENAI_API_KEY
  GEMINI_API_KEY (or GOOGLE_API_KEY)
  OPENROUTER_API_KEY
  GROQ_API_KEY
  DEEPSEEK_API_KEY
  MISTRAL_API_KEY
  XAI_API_KEY
or start with --local to use Ollama on this machine
or try: llmgate start --demo";

/// The vendor at a host.
pub fn at_host(host: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.host.eq_ignore_ascii_case(host))
}

/// The name of the output limit that a host's Chat server wants for a model. A known host decides;
/// elsewhere the model's name does.
pub fn limit_field(host: &str, model: &ModelName) -> LimitField {
    let by_host = at_host(host).and_then(|vendor| vendor.limit_field);
    by_host.unwrap_or_else(|| limit_field_by_name(model.as_str()))
}

/// Does a host's Gemini server take ids of calls? Vertex AI refuses them as unknown fields
/// (<https://github.com/charmbracelet/fantasy/issues/265>).
pub fn takes_call_ids(host: &str) -> bool {
    host != VERTEX && !host.ends_with("-aiplatform.googleapis.com")
}

/// Vertex AI everywhere; in a region its host begins with the region's name.
const VERTEX: &str = "aiplatform.googleapis.com";

/// Where a host's Chat server puts visible reasoning.
pub fn reasoning_field(host: &str) -> ReasoningField {
    let by_host = at_host(host).and_then(|vendor| vendor.reasoning_field);
    by_host.unwrap_or(ReasoningField::ReasoningContent)
}

/// `gpt-5` and later and the `o` series refuse `max_tokens`, wherever they are served.
fn limit_field_by_name(model: &str) -> LimitField {
    let name = model.rsplit('/').next().unwrap_or(model);
    let leading_number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit());
        let digits = end.map_or(text, |end| text.split_at(end).0);
        digits.parse::<u32>().ok()
    };
    // Azure writes gpt-3.5 as gpt-35.
    let new_gpt =
        name.strip_prefix("gpt-").and_then(leading_number).is_some_and(|number| number >= 5 && number != 35);
    let o_series = name.strip_prefix('o').and_then(leading_number).is_some();
    if new_gpt || o_series { LimitField::MaxCompletionTokens } else { LimitField::MaxTokens }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::url;

    #[test]
    fn the_host_decides_then_the_name() {
        use LimitField::{MaxCompletionTokens, MaxTokens};
        let cases = [
            ("openrouter.ai", "openai/gpt-5", MaxTokens),
            ("api.openai.com", "gpt-4o", MaxCompletionTokens),
            ("x.example", "openai/gpt-5-mini", MaxCompletionTokens),
            ("x.example", "gpt-10", MaxCompletionTokens),
            ("x.example", "o3-mini", MaxCompletionTokens),
            ("x.example", "gpt-4.1", MaxTokens),
            ("x.example", "gpt-35-turbo", MaxTokens),
            ("x.example", "gpt-oss:20b", MaxTokens),
            ("x.example", "olmo", MaxTokens),
            ("x.example", "gpt-5/qwen", MaxTokens),
        ];
        for (host, model, field) in cases {
            let model = ModelName::parse(model).unwrap();
            assert_eq!(limit_field(host, &model), field, "{host} {model}");
        }
        assert_eq!(reasoning_field("openrouter.ai"), ReasoningField::Reasoning);
        for (host, takes) in [
            ("aiplatform.googleapis.com", false),
            ("europe-west4-aiplatform.googleapis.com", false),
            ("generativelanguage.googleapis.com", true),
            ("evilaiplatform.googleapis.com", true),
        ] {
            assert_eq!(takes_call_ids(host), takes, "{host}");
        }
        assert_eq!(reasoning_field("localhost"), ReasoningField::ReasoningContent);
    }

    #[test]
    fn the_table_agrees_with_itself() {
        for vendor in &VENDORS {
            let url = url::Url::parse(vendor.base_url).unwrap();
            assert_eq!(url.host, vendor.host);
            for variable in vendor.variables {
                assert!(NO_PROVIDER.contains(variable), "{variable}");
            }
        }
    }
}

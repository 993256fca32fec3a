//! The table of known vendors (SPEC 4.4). A configuration without a file and the defaults by host
//! are made of it.

use serde_json::{Map, Value, json};

use super::errors::{Errors, Problem, Spot};
use super::{Overrides, url};
use crate::base::env::Env;
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
        patterns: &[
            "mistral-*",
            "codestral-*",
            "devstral-*",
            "magistral-*",
            "ministral-*",
        ],
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
or start with --local to use Ollama on this machine";

/// The vendor at a host.
pub fn at_host(host: &str) -> Option<&'static Vendor> {
    VENDORS
        .iter()
        .find(|vendor| vendor.host.eq_ignore_ascii_case(host))
}

/// The name of the output limit that a host's Chat server wants for a model. A known host decides;
/// elsewhere the model's name does.
pub fn limit_field(host: &str, model: &ModelName) -> LimitField {
    let by_host = at_host(host).and_then(|vendor| vendor.limit_field);
    by_host.unwrap_or_else(|| limit_field_by_name(model.as_str()))
}

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
    let new_gpt = name
        .strip_prefix("gpt-")
        .and_then(leading_number)
        .is_some_and(|number| number >= 5 && number != 35);
    let o_series = name.strip_prefix('o').and_then(leading_number).is_some();
    if new_gpt || o_series {
        LimitField::MaxCompletionTokens
    } else {
        LimitField::MaxTokens
    }
}

/// The configuration that the environment alone makes, in the form of a file, with the variables
/// it was made of; `None` when something is missing, which is noted.
pub(super) fn from_environment(
    env: &Env,
    overrides: &Overrides,
    errors: &mut Errors,
) -> Option<(Value, Vec<String>)> {
    match preset(env, errors) {
        Preset::Whole(config, variables) => return Some((config, variables)),
        Preset::Partial => return None,
        Preset::Absent => {}
    }
    let mut variables = Vec::new();
    let mut providers = Map::new();
    let mut models = Map::new();
    for vendor in &VENDORS {
        let Some(variable) = vendor.variables.iter().find(|name| env.var(name).is_some()) else {
            continue;
        };
        let protocols: Vec<_> = vendor.protocols.iter().map(|p| p.name()).collect();
        let provider = json!({
            "protocol": protocols, "base_url": vendor.base_url, "api_key_env": variable,
        });
        providers.insert(vendor.name.to_owned(), provider);
        variables.push((*variable).to_owned());
        for pattern in vendor.patterns {
            models.insert((*pattern).to_owned(), format!("{}/*", vendor.name).into());
        }
    }
    if overrides.local {
        providers.insert("ollama".to_owned(), ollama(env, errors)?);
        if env.var("OLLAMA_HOST").is_some() {
            variables.push("OLLAMA_HOST".to_owned());
        }
    }
    if providers.is_empty() {
        errors.push(&Spot::outside_whole(), Problem::NoProvider, None);
        return None;
    }
    if providers.len() == 1 {
        // Every name goes to the only provider (SPEC 5.2).
        models.clear();
    }
    Some((
        json!({"version": 1, "providers": providers, "models": models}),
        variables,
    ))
}

fn ollama(env: &Env, errors: &mut Errors) -> Option<Value> {
    const PORT: u16 = 11434;
    let given = env.var("OLLAMA_HOST").unwrap_or("127.0.0.1");
    let address = if given.contains("://") {
        given.to_owned()
    } else {
        format!("http://{given}")
    };
    let Ok(read) = url::Url::parse(&address) else {
        let spot = Spot::outside("OLLAMA_HOST", given);
        errors.refuse(
            &spot,
            "must be a host, host:port or URL such as 127.0.0.1:11434",
        );
        return None;
    };
    let host = match read.host {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let port = read.port.unwrap_or(PORT);
    let base_url = format!("{}://{host}:{port}{}/v1", read.scheme, read.path);
    Some(json!({"protocol": "openai-chat", "base_url": base_url}))
}

enum Preset {
    Absent,
    /// Some of its variables are set; noted.
    Partial,
    Whole(Value, Vec<String>),
}

/// The `neutral` preset: one model behind one or two addresses, each in its own protocol.
fn preset(env: &Env, errors: &mut Errors) -> Preset {
    const MODEL: &str = "PRESET_ENDPOINT_MODEL";
    const KEY: &str = "PRESET_ENDPOINT_API_KEY";
    const SIDES: [(&str, &str, &str); 2] = [
        ("openai", "openai-chat", "PRESET_OPENAI_ENDPOINT_BASE_URL"),
        (
            "anthropic",
            "anthropic",
            "PRESET_ANTHROPIC_ENDPOINT_BASE_URL",
        ),
    ];
    let urls = SIDES.map(|(_, _, variable)| env.var(variable));
    let has_url = urls.iter().any(Option::is_some);
    let mut missing: Vec<_> = [MODEL, KEY]
        .into_iter()
        .filter(|v| env.var(v).is_none())
        .collect();
    if missing.len() == 2 && !has_url {
        return Preset::Absent;
    }
    let address = "PRESET_OPENAI_ENDPOINT_BASE_URL or PRESET_ANTHROPIC_ENDPOINT_BASE_URL";
    missing.extend((!has_url).then_some(address));
    let (Some(model), true) = (env.var(MODEL), missing.is_empty()) else {
        let set: Vec<_> = [MODEL, KEY]
            .into_iter()
            .chain(SIDES.map(|(_, _, variable)| variable))
            .filter(|variable| env.var(variable).is_some())
            .collect();
        let spot = Spot {
            path: set.join(", "),
            outside: true,
            ..Spot::default()
        };
        let reason = format!(
            "set, but the preset also needs {}: set it",
            missing.join(" and ")
        );
        errors.refuse(&spot, reason);
        return Preset::Partial;
    };
    let mut variables = vec![MODEL.to_owned(), KEY.to_owned()];
    let mut providers = Map::new();
    for ((side, protocol, variable), base_url) in SIDES.into_iter().zip(urls) {
        if let Some(base_url) = base_url {
            let key = json!({"protocol": protocol, "base_url": base_url, "api_key_env": KEY});
            providers.insert(format!("preset-{side}"), key);
            variables.push(variable.to_owned());
        }
    }
    // With one address both aliases lead to it, the other one by translation.
    let only = providers.keys().next().filter(|_| providers.len() == 1);
    let aliases = SIDES.map(|(side, _, _)| {
        let provider = only.cloned().unwrap_or_else(|| format!("preset-{side}"));
        (
            format!("preset-{side}-compatible"),
            Value::from(format!("{provider}/{model}")),
        )
    });
    let models: Map<String, Value> = aliases.into_iter().collect();
    Preset::Whole(
        json!({"version": 1, "providers": providers, "models": models}),
        variables,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            reasoning_field("localhost"),
            ReasoningField::ReasoningContent
        );
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

//! The file that `init` writes: what a user needs first, with a word on each key.

use std::fmt::Write;

use crate::base::quote;
use crate::config::Words;
use crate::config::vendors::{VENDORS, Vendor};

/// What the file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// These vendors; those whose key is set, with the variable.
    Vendors(Vec<(&'static str, Option<&'static str>)>),
    /// Ollama on this machine.
    Local,
    /// One model behind an address that variables name.
    Neutral,
}

/// What the user wants besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wishes {
    /// The model when a request names none.
    pub(super) default_model: Option<String>,
    /// USD for a day.
    pub(super) budget: Option<f64>,
}

/// The file.
pub(super) fn file(preset: &Preset, wishes: &Wishes) -> String {
    let mut text = String::from(
        "# llmgate. Every key with its default: `llmgate config show`. What is wrong here: `llmgate config\n\
         # validate`; what is wrong around it: `llmgate doctor`. A changed file is read again by itself.\n\
         version: 1\n\n\
         # Where clients connect. An address that others reach needs client_auth.\n\
         listen: 127.0.0.1:8080\n",
    );
    text.push_str("\n# The model when a request names none.\n");
    match &wishes.default_model {
        Some(model) => push(&mut text, format_args!("default_model: {}\n", quoted(model))),
        None => push(&mut text, format_args!("# default_model: {}\n", example_model(preset))),
    }
    text.push_str("\nproviders:\n");
    match preset {
        Preset::Vendors(vendors) => vendors.iter().for_each(|vendor| push_vendor(&mut text, *vendor)),
        Preset::Local => text.push_str(LOCAL_PROVIDER),
        Preset::Neutral => text.push_str(NEUTRAL_PROVIDERS),
    }
    match preset {
        Preset::Vendors(vendors) => push_models(&mut text, vendors),
        Preset::Local => text.push_str(LOCAL_MODELS),
        Preset::Neutral => text.push_str(NEUTRAL_MODELS),
    }
    text.push_str(
        "\n# Above it new requests are refused; models need a `price` (USD per 1M tokens) for it:\n\
         # providers.<name>.models.<model>.price: {input: 3, output: 15}\n",
    );
    match wishes.budget {
        Some(budget) => push(&mut text, format_args!("usage:\n  budget: {{day: {budget}}}\n")),
        None => text.push_str("# usage:\n#   budget: {day: 5}\n"),
    }
    text
}

fn push_vendor(text: &mut String, (name, found): (&'static str, Option<&'static str>)) {
    let Some(vendor) = vendor(name) else { return };
    let variable = found.or_else(|| vendor.variables.first().copied()).unwrap_or_default();
    let protocols: Vec<&str> = vendor.protocols.iter().map(|protocol| protocol.word()).collect();
    let protocol = match protocols.as_slice() {
        [only] => (*only).to_owned(),
        several => format!("[{}]", several.join(", ")),
    };
    push(text, format_args!("  {name}:\n    protocol: {protocol}\n    base_url: {}\n", vendor.base_url));
    match found {
        Some(_) => push(text, format_args!("    api_key: ${{{variable}}}\n")),
        None => push(
            text,
            format_args!(
                "    # Set {variable}. The `:-` lets llmgate start without it.\n    api_key: ${{{variable}:-}}\n"
            ),
        ),
    }
}

fn push_models(text: &mut String, vendors: &[(&'static str, Option<&'static str>)]) {
    text.push_str(
        "\n# The names that clients see; `*` in a target is the asked name. provider/model always works.\n",
    );
    let patterns = vendors.iter().filter_map(|(name, _)| vendor(name)).flat_map(|vendor| {
        vendor.patterns.iter().map(move |pattern| format!("  {}: {}/*\n", in_quotes(pattern), vendor.name))
    });
    text.push_str("models:\n");
    text.extend(patterns);
    let first = vendors.first().map_or("anthropic", |(name, _)| name);
    let second = vendors.get(1).map_or("other", |(name, _)| name);
    push(
        text,
        format_args!(
            "  # A name of your own, with a second choice:\n  # coding:\n  #   targets:\n  \
             #     - {{to: {first}/MODEL}}\n  #     - {{to: {second}/MODEL, priority: 2}}\n"
        ),
    );
}

const LOCAL_PROVIDER: &str =
    "  # Any server with OpenAI's Chat interface: Ollama, llama.cpp, vLLM, LM Studio.
  ollama:
    protocol: openai-chat
    base_url: http://127.0.0.1:11434/v1
    # What llmgate should know of a model; Ollama cuts longer prompts silently.
    # models:
    #   qwen3-coder:30b: {context: 65536, input: [text], price: {input: 0, output: 0}}
";

const LOCAL_MODELS: &str = "
# The names that clients see. With one provider every other name goes to it as it is.
models:
  # What Claude Code asks for by itself:
  # \"claude-*\": ollama/qwen3-coder:30b
  local: ollama/qwen3-coder:30b
";

const NEUTRAL_PROVIDERS: &str =
    "  # One model behind one or two addresses. The variables: PRESET_ENDPOINT_MODEL,
  # PRESET_ENDPOINT_API_KEY, PRESET_OPENAI_ENDPOINT_BASE_URL, PRESET_ANTHROPIC_ENDPOINT_BASE_URL.
  preset-openai:
    protocol: openai-chat
    base_url: ${PRESET_OPENAI_ENDPOINT_BASE_URL:-http://127.0.0.1:11434/v1}
    api_key: ${PRESET_ENDPOINT_API_KEY:-}
  preset-anthropic:
    protocol: anthropic
    base_url: ${PRESET_ANTHROPIC_ENDPOINT_BASE_URL:-https://api.anthropic.com/v1}
    api_key: ${PRESET_ENDPOINT_API_KEY:-}
";

const NEUTRAL_MODELS: &str = "
# The names that clients see.
models:
  preset-openai-compatible: \"preset-openai/${PRESET_ENDPOINT_MODEL:-unset}\"
  preset-anthropic-compatible: \"preset-anthropic/${PRESET_ENDPOINT_MODEL:-unset}\"
";

fn example_model(preset: &Preset) -> &'static str {
    match preset {
        Preset::Vendors(_) => "coding",
        Preset::Local => "local",
        Preset::Neutral => "preset-anthropic-compatible",
    }
}

fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(more);
}

/// A user's word, in quotes where YAML could take it for something else; `$` is no variable.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && word.chars().all(plain) { word.to_owned() } else { in_quotes(&word.replace('$', "$$")) }
}

/// JSON's quotes are YAML's.
fn in_quotes(word: &str) -> String {
    quote::quoted(word)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};

    #[test]
    fn every_file_is_a_configuration() {
        let all: Vec<_> = VENDORS.iter().map(|vendor| (vendor.name, None)).collect();
        let found: Vec<_> = VENDORS.iter().map(|vendor| (vendor.name, Some(vendor.variables[0]))).collect();
        let variables = VENDORS.iter().map(|vendor| (vendor.variables[0], "k-test-secret-000000000000"));
        let wishes = Wishes { default_model: Some("a: \"b\" $$x".to_owned()), budget: Some(2.5) };
        for (preset, env) in [
            (Preset::Local, Env::default()),
            (Preset::Neutral, Env::default()),
            (Preset::Vendors(vec![("openrouter", None)]), Env::default()),
            (Preset::Vendors(all), Env::default()),
            (Preset::Vendors(found), Env::of(variables)),
        ] {
            for wishes in [&wishes, &Wishes::default()] {
                let text = file(&preset, wishes);
                let config = from_text(&text, Path::new("f"), &env, &Overrides::default());
                let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
                assert!(config.warnings.is_empty() && !text.contains("k-test-secret"), "{text}");
                assert_eq!(config.default_model.map(|model| model.to_string()), wishes.default_model);
                assert_eq!(config.usage.day_budget, wishes.budget);
                assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            }
        }
    }
}

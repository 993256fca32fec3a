//! What the environment alone makes.

use llmgate::base::env::Env;
use llmgate::config::vendors::VENDORS;
use llmgate::config::{ClientAuth, Config, ConfigErrors, Overrides, Source, load};
use llmgate::protocol::Protocol;

use super::{KEY, provider, root};

#[test]
fn one_key_alone_makes_one_provider_that_takes_every_name() {
    let config = zero(&[("ANTHROPIC_API_KEY", KEY), ("OPENAI_API_KEY", "")]).unwrap();
    assert_eq!(config.source, Source::Environment(vec!["ANTHROPIC_API_KEY".to_owned()]));
    assert_eq!(config.providers.len(), 1);
    assert!(config.models.is_empty());
    let key = config.providers[0].key.as_ref().unwrap();
    assert_eq!(key.variable.as_deref(), Some("ANTHROPIC_API_KEY"));
}

#[test]
fn several_keys_make_patterns() {
    let config = zero(&[
        ("OPENAI_API_KEY", KEY),
        ("GOOGLE_API_KEY", KEY),
        ("GROQ_API_KEY", KEY),
        ("LLMGATE_KEY", "client-key-1"),
    ])
    .unwrap();
    let names: Vec<_> = config.providers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["openai", "gemini", "groq"]);
    let openai = provider(&config, "openai");
    assert_eq!(openai.protocols, [Protocol::OpenaiResponses, Protocol::OpenaiChat]);
    let patterns: Vec<_> =
        config.models.iter().map(|route| format!("{}: {}", route.alias, route.targets[0].to)).collect();
    assert_eq!(patterns.len(), 8);
    assert!(patterns.contains(&"gpt-*: openai/*".to_owned()));
    assert!(patterns.contains(&"gemma-*: gemini/*".to_owned()));
    assert!(matches!(config.client_auth, ClientAuth::ProxyKey(_)));
}

#[test]
fn ollama_is_found_where_it_is_said_to_be() {
    let local = Overrides { local: true, ..Overrides::default() };
    let url = |pairs: &[(&str, &str)]| {
        let config = load(None, &Env::of(pairs.iter().copied()), &local);
        config.map(|config| provider(&config, "ollama").base_url.clone())
    };
    assert_eq!(url(&[]).unwrap(), "http://127.0.0.1:11434/v1");
    let config = load(None, &Env::of([]), &local).unwrap();
    assert_eq!(config.source.to_string(), "environment (--local)");
    let cases = [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:9", "http://127.0.0.1:9/v1"),
        ("nas", "http://nas:11434/v1"),
        ("nas:9/", "http://nas:9/v1"),
        (":9", "http://127.0.0.1:9/v1"),
        ("http://nas", "http://nas:80/v1"),
        ("https://nas.example/", "https://nas.example:443/v1"),
        ("https://nas.example/ollama", "https://nas.example:443/ollama/v1"),
        ("[::1]:9", "http://[::1]:9/v1"),
    ];
    for (host, base_url) in cases {
        assert_eq!(url(&[("OLLAMA_HOST", host)]).unwrap(), base_url);
    }
    let told = url(&[("OLLAMA_HOST", "a b")]).unwrap_err().to_string();
    assert!(told.starts_with("OLLAMA_HOST: must be"), "{told}");
    assert!(zero(&[("OLLAMA_HOST", "nas")]).is_err());
}

#[test]
fn the_preset_is_whole_or_an_error() {
    let (model, key) = (("PRESET_ENDPOINT_MODEL", "m"), ("PRESET_ENDPOINT_API_KEY", KEY));
    let openai = ("PRESET_OPENAI_ENDPOINT_BASE_URL", "https://a.example/v1");
    let anthropic = ("PRESET_ANTHROPIC_ENDPOINT_BASE_URL", "https://b.example/v1");
    let aliases = |config: &Config| -> Vec<String> {
        let routes = config.models.iter();
        routes.map(|route| format!("{}: {}", route.alias, route.targets[0].to)).collect()
    };
    let both = zero(&[model, key, openai, anthropic, ("OPENAI_API_KEY", KEY)]).unwrap();
    assert_eq!(
        aliases(&both),
        ["preset-openai-compatible: preset-openai/m", "preset-anthropic-compatible: preset-anthropic/m"]
    );
    let one = zero(&[model, key, anthropic]).unwrap();
    assert_eq!(
        aliases(&one),
        ["preset-openai-compatible: preset-anthropic/m", "preset-anthropic-compatible: preset-anthropic/m"]
    );
    let partly = zero(&[model]).unwrap_err().to_string();
    assert_eq!(
        partly,
        "PRESET_ENDPOINT_MODEL: set, but the preset also needs PRESET_ENDPOINT_API_KEY and \
         PRESET_OPENAI_ENDPOINT_BASE_URL or PRESET_ANTHROPIC_ENDPOINT_BASE_URL: set it too"
    );
}

#[test]
fn without_any_key_the_variables_are_listed() {
    let told = zero(&[]).unwrap_err().to_string();
    assert!(told.starts_with("no configuration file and no provider key found."), "{told}");
    assert!(told.contains("\n  ANTHROPIC_API_KEY\n") && told.contains("GOOGLE_API_KEY"));
}

#[test]
fn the_documentation_shows_the_table() {
    let docs = std::fs::read_to_string(root().join("docs/CONFIG.md")).unwrap();
    for vendor in &VENDORS {
        let rows = || docs.lines().filter(|line| line.contains(vendor.base_url));
        let cells = vendor.variables.iter().chain(vendor.patterns);
        for cell in cells {
            assert!(rows().any(|row| row.contains(&format!("`{cell}`"))), "{cell}");
        }
    }
}

fn zero(pairs: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    load(None, &Env::of(pairs.iter().copied()), &Overrides::default())
}

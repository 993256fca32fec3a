//! What each client is given: words, environment, files. And that it reaches the proxy by it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{CLIENTS, Place, Session, ask};

/// A key of a provider that no client may see.
const PROVIDER_KEY: &str = "sk-provider-marked-0123456789";

/// Where a client is told the URL and the key, and where it asks.
fn told(place: &Place, client: &str) -> (String, String, &'static str, String) {
    let variable = |name: &str| place.variable(name).unwrap_or_else(|| panic!("{client} has no {name}"));
    let chat = r#"{"model":"M","messages":[{"role":"user","content":"hello"}],"max_tokens":9}"#.to_owned();
    let input = r#"{"model":"M","input":"hello"}"#.to_owned();
    match client {
        "codex" => {
            let argv = place.argv();
            let provider = argv.iter().find(|word| word.starts_with("model_providers.llmgate=")).unwrap();
            let url = provider.split('"').find(|part| part.starts_with("http")).unwrap().to_owned();
            (url, variable("LLMGATE_SESSION_KEY"), "/responses", input)
        }
        "claude" => (variable("ANTHROPIC_BASE_URL"), variable("ANTHROPIC_AUTH_TOKEN"), "/v1/messages", chat),
        "gemini" => (
            variable("GOOGLE_GEMINI_BASE_URL"),
            variable("GEMINI_API_KEY"),
            "/v1beta/models/M:generateContent",
            r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#.to_owned(),
        ),
        "opencode" | "kilo" => {
            let name = format!("{}_CONFIG_CONTENT", client.to_uppercase());
            let content: Value = serde_json::from_str(&variable(&name)).unwrap();
            let options = &content["provider"]["llmgate"]["options"];
            assert_eq!(options["apiKey"], "{env:LLMGATE_SESSION_KEY}");
            let url = options["baseURL"].as_str().unwrap().to_owned();
            (url, variable("LLMGATE_SESSION_KEY"), "/chat/completions", chat)
        }
        "copilot" => {
            assert_eq!(variable("COPILOT_PROVIDER_WIRE_API"), "responses");
            let key = variable("COPILOT_PROVIDER_API_KEY");
            (variable("COPILOT_PROVIDER_BASE_URL"), key, "/responses", input)
        }
        "kimi" => {
            assert_eq!(variable("KIMI_MODEL_PROVIDER_TYPE"), "anthropic");
            (variable("KIMI_MODEL_BASE_URL"), variable("KIMI_MODEL_API_KEY"), "/v1/messages", chat)
        }
        "vibe" => {
            let providers: Value = serde_json::from_str(&variable("VIBE_PROVIDERS")).unwrap();
            assert_eq!(providers[0]["api_style"], "anthropic");
            assert_eq!(providers[0]["api_key_env_var"], "LLMGATE_SESSION_KEY");
            let url = providers[0]["api_base"].as_str().unwrap().to_owned();
            (url, variable("LLMGATE_SESSION_KEY"), "/v1/messages", chat)
        }
        _ => (variable("OPENAI_BASE_URL"), variable("OPENAI_API_KEY"), "/chat/completions", chat),
    }
}

#[test]
fn every_client_reaches_the_proxy_with_what_it_was_given() {
    for client in CLIENTS {
        let place = Place::new(&format!("run-reach-{client}"));
        let variables = [("ANTHROPIC_API_KEY", PROVIDER_KEY), ("GROQ_API_KEY", PROVIDER_KEY), ("KEEP", "me")];
        let session = place.demo(client, &["--model", "M", "--", "its own", "--words"], &variables);
        let (url, key, path, body) = told(&place, client);
        let answer = ask(&url, "POST", path, &key, &body);
        assert_eq!(answer.status(), 200, "{client}: {}", answer.text());
        assert!(answer.text().contains("built-in demo model"), "{client}: {}", answer.text());
        assert_eq!(ask(&url, "POST", path, "gw_another", &body).status(), 401, "{client}");

        let argv = place.argv();
        assert_eq!(argv[argv.len() - 2..], ["its own", "--words"], "{client}");
        let named = match client {
            "kimi" => place.variable("KIMI_MODEL_NAME").as_deref() == Some("M"),
            "vibe" => place.variable("VIBE_ACTIVE_MODEL").as_deref() == Some("M"),
            _ => argv.iter().any(|word| word == "M" || word == "llmgate/M"),
        };
        assert!(named, "{client}: {argv:?}");
        assert!(key.starts_with("gw_") && key.len() > 40, "{client}");
        assert!(argv.iter().all(|word| !word.contains(&key)), "{client}: a key among the words");
        let env = place.noted("env");
        assert!(!env.contains(PROVIDER_KEY), "{client}: {env}");
        assert_eq!(place.variable("KEEP").as_deref(), Some("me"));
        assert_eq!(place.variable("NO_PROXY").as_deref(), Some("127.0.0.1,localhost"));
        assert_eq!(
            place.noted("cwd").trim(),
            place.home.file("ws").canonicalize().unwrap().to_str().unwrap()
        );
        let ended = session.end();
        assert_eq!(ended.code, Some(0), "{client}: {}", ended.err);
        assert!(!ended.err.contains(&key), "{client}");
    }
}

#[test]
fn two_sessions_at_once_do_not_meet() {
    let (one, two) = (Place::new("run-two-a"), Place::new("run-two-b"));
    let first = one.demo("claude", &[], &[]);
    let second = two.demo("codex", &[], &[]);
    let (url, key, ..) = told(&one, "claude");
    let (other_url, other_key, ..) = told(&two, "codex");
    let address = |url: &str| url.split('/').nth(2).unwrap().to_owned();
    assert_ne!(address(&url), address(&other_url));
    let bare = format!("http://{}", address(&url));
    assert_eq!(first.get(&bare, "/v1/models", &other_key).status(), 401);
    assert_eq!(second.get(&bare, "/v1/models", &key).status(), 200);
    assert_eq!((first.end().code, second.end().code), (Some(0), Some(0)));
}

#[test]
fn codex_gets_a_catalogue_and_no_search() {
    let place = Place::new("run-codex");
    let session = place.demo("codex", &["--model", "M"], &[]);
    let argv = place.argv();
    let has = |word: &str| argv.iter().any(|known| known == word);
    for word in [
        "-C",
        "-m",
        "--sandbox",
        "workspace-write",
        "model_provider=\"llmgate\"",
        "features.enable_request_compression=false",
        "web_search=\"disabled\"",
    ] {
        assert!(has(word), "{word}: {argv:?}");
    }
    assert!(!has("features.view_image=false"), "{argv:?}");
    let provider = argv.iter().find(|word| word.starts_with("model_providers.llmgate=")).unwrap();
    for part in ["wire_api=\"responses\"", "supports_websockets=false", "env_key=\"LLMGATE_SESSION_KEY\""] {
        assert!(provider.contains(part), "{provider}");
    }
    let file =
        argv.iter().find_map(|word| word.strip_prefix("model_catalog_json=")).unwrap().trim_matches('"');
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.as_ref()), 0o600);
    assert_eq!(mode(std::path::Path::new(file).parent().unwrap()), 0o700);
    let catalogue: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(catalogue["models"][0]["slug"], "M");
    assert!(!catalogue["models"][0]["base_instructions"].as_str().unwrap().is_empty());
    // The file and GET models are made by one hand.
    let (url, key, ..) = told(&place, "codex");
    let served = session.get(&url, "/models?client_version=1", &key).json();
    assert!(served["models"].is_array(), "{served}");
    assert_eq!(session.end().code, Some(0));
}

#[test]
fn a_model_of_openais_own_keeps_what_codex_knows_of_it() {
    let place = Place::new("run-codex-own");
    let variables = [("OPENAI_API_KEY", PROVIDER_KEY)];
    let output = place.output(&["run", "codex", "--model", "gpt-5.5", "--print"], &variables);
    super::check_code(&output, 0);
    let said = super::text(&output.stdout);
    assert!(said.contains("-m gpt-5.5") && !said.contains("model_catalog_json"), "{said}");
    assert!(!said.contains("web_search"), "{said}");
    let output = place.output(&["run", "codex", "--model", "other", "--print"], &variables);
    assert!(super::text(&output.stdout).contains("model_catalog_json"));
}

#[test]
fn claude_gets_a_settings_file() {
    let place = Place::new("run-claude");
    let config = place.home.write(
        "config.yaml",
        "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1', models: {m: {context: 65536}}}\n\
         models: {coding: up/m, claude-opus-*: up/m}\n",
    );
    let words =
        ["run", "claude", "--config", config.to_str().unwrap(), "--model", "coding", "--dangerous-harness"];
    let session = Session::start(&place, place.llmgate(&words, &[("CLAUDE_CODE_USE_BEDROCK", "1")]));
    let argv = place.argv();
    let at = |word: &str| {
        argv.iter().position(|known| known == word).unwrap_or_else(|| panic!("{word}: {argv:?}"))
    };
    assert_eq!(argv[at("--model") + 1], "coding");
    at("--dangerously-skip-permissions");
    // It takes every word up to the next option.
    assert!(argv[at("--add-dir") + 2].starts_with("--"), "{argv:?}");
    let settings: Value = serde_json::from_slice(&fs::read(&argv[at("--settings") + 1]).unwrap()).unwrap();
    let env = &settings["env"];
    assert_eq!(env["CLAUDE_CODE_ATTRIBUTION_HEADER"], "0");
    assert_eq!(env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"], "65536");
    assert_eq!(env["ANTHROPIC_DEFAULT_HAIKU_MODEL"], "coding");
    assert_eq!(env["ANTHROPIC_DEFAULT_OPUS_MODEL"], Value::Null);
    assert!(!settings.to_string().contains("gw_"), "{settings}");
    assert_eq!(place.variable("CLAUDE_CODE_USE_BEDROCK"), None);
    let home = place.variable("CLAUDE_CONFIG_DIR").unwrap();
    let state: Value = serde_json::from_slice(&fs::read(format!("{home}/.claude.json")).unwrap()).unwrap();
    assert_eq!(state["hasCompletedOnboarding"], true);
    assert_eq!(session.end().code, Some(0));
}

#[test]
fn claude_is_told_a_careful_context_of_what_it_does_not_know() {
    let place = Place::new("run-claude-context");
    let config = place.home.write(
        "config.yaml",
        "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1'}\n  \
         own: {protocol: anthropic, base_url: 'https://api.anthropic.com/v1'}\n\
         models: {far: up/m, near: own/claude-opus-5-5, claude-opus-5-5: own/claude-opus-5-5, claude-mixed: {targets: [{to: own/claude-opus-5-5}, {to: up/m}]}}\n",
    );
    // The alias `near` is a name that Claude Code does not know, whoever serves it.
    let own = [("CLAUDE_CODE_AUTO_COMPACT_WINDOW", "500000")];
    for (model, own, told) in [
        ("far", &[][..], true),
        ("far", &own, false),
        ("near", &[], true),
        ("claude-mixed", &[], true),
        ("claude-opus-5-5", &[], false),
    ] {
        let words = ["run", "claude", "--config", config.to_str().unwrap(), "--model", model];
        let session = Session::start(&place, place.llmgate(&words, own));
        let argv = place.argv();
        let settings = argv.iter().skip_while(|word| *word != "--settings").nth(1).unwrap();
        let settings: Value = serde_json::from_slice(&fs::read(settings).unwrap()).unwrap();
        let expected = if told { Value::from("128000") } else { Value::Null };
        assert_eq!(settings["env"]["CLAUDE_CODE_AUTO_COMPACT_WINDOW"], expected, "{model}");
        let ended = session.end();
        assert_eq!(ended.code, Some(0), "{model}: {}", ended.err);
        let noted = ended.err.contains(&format!("the context of {model} is not known"));
        assert_eq!(noted, told, "{model}: {}", ended.err);
    }
}

#[test]
fn copilot_is_told_the_limits_that_are_known_and_nothing_leads_it_elsewhere() {
    let place = Place::new("run-copilot");
    let config = place.home.write(
        "config.yaml",
        "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1', \
         models: {m: {context: 65536, max_output: 8192}, n: {context: 65536}}}\n\
         models: {known: up/m, half: up/n, unknown: up/o}\n",
    );
    let elsewhere = [("COPILOT_PROVIDER_BEARER_TOKEN", "t"), ("COPILOT_PROVIDER_WIRE_MODEL", "w")];
    for (model, prompt, output) in [
        ("known", Some("57344"), Some("8192")),
        ("half", Some("49152"), Some("16384")),
        ("unknown", None, None),
    ] {
        let words = ["run", "copilot", "--config", config.to_str().unwrap(), "--model", model];
        let session = Session::start(&place, place.llmgate(&words, &elsewhere));
        let told = |name: &str| place.variable(&format!("COPILOT_PROVIDER_{name}"));
        assert_eq!(told("MAX_PROMPT_TOKENS").as_deref(), prompt, "{model}");
        assert_eq!(told("MAX_OUTPUT_TOKENS").as_deref(), output, "{model}");
        assert_eq!((told("BEARER_TOKEN"), told("WIRE_MODEL")), (None, None));
        assert_eq!(place.argv(), ["--model", model]);
        assert_eq!(session.end().code, Some(0));
    }
}

/// In a variable each, in the words of each.
#[test]
fn what_is_known_of_a_model_is_told_in_variables() {
    let place = Place::new("run-limits");
    let config = place.home.write(
        "config.yaml",
        "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1', \
         models: {m: {context: 65536, max_output: 8192, input: [text]}, n: {context: 65536}}}\n\
         models: {known: up/m, half: up/n, unknown: up/o}\n",
    );
    for (model, context, output, images) in
        [("known", 65_536, 8192, false), ("half", 65_536, 16_384, true), ("unknown", 128_000, 32_000, true)]
    {
        let words = |client| ["run", client, "--config", config.to_str().unwrap(), "--model", model];
        let session = Session::start(&place, place.llmgate(&words("kimi"), &[]));
        let told = |name: &str| place.variable(&format!("KIMI_MODEL_{name}")).unwrap();
        assert_eq!(told("MAX_CONTEXT_SIZE"), context.to_string(), "{model}");
        assert_eq!(told("MAX_OUTPUT_SIZE"), output.to_string(), "{model}");
        assert_eq!(told("CAPABILITIES").contains("image_in"), images, "{model}");
        assert_eq!(told("DISPLAY_NAME"), model);
        assert_eq!(session.end().code, Some(0));

        let session = Session::start(&place, place.llmgate(&words("vibe"), &[]));
        let models: Value = serde_json::from_str(&place.variable("VIBE_MODELS").unwrap()).unwrap();
        let expected = serde_json::json!([{"name": model, "provider": "llmgate", "supports_images": images,
            "max_context_length": context, "max_output_tokens": output}]);
        assert_eq!(models, expected);
        // What the user's own file allows is another's.
        assert_eq!(place.variable("VIBE_ALLOWED_MODELS"), Some(format!("[\"{model}\"]")));
        assert_eq!(session.end().code, Some(0));
    }
}

#[test]
fn they_look_for_no_update_and_tell_nobody() {
    for (client, variable, value) in [
        ("opencode", "OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("kilo", "KILO_DISABLE_AUTOUPDATE", "1"),
        ("kilo", "KILO_TELEMETRY_LEVEL", "off"),
        ("kilo", "KILO_DISABLE_SESSION_INGEST", "1"),
        ("kimi", "KIMI_CODE_NO_AUTO_UPDATE", "1"),
        ("kimi", "KIMI_DISABLE_TELEMETRY", "1"),
        ("vibe", "VIBE_ENABLE_UPDATE_CHECKS", "false"),
        ("vibe", "VIBE_ENABLE_TELEMETRY", "false"),
    ] {
        let place = Place::new(&format!("run-quiet-{client}"));
        let output = place.output(&["run", client, "--demo", "--print"], &[]);
        let said = super::text(&output.stdout);
        assert!(said.contains(&format!("export {variable}={value}\n")), "{said}");
    }
}

#[test]
fn the_no_approval_mode_is_each_clients_own() {
    for (client, word) in [
        ("codex", "--dangerously-bypass-approvals-and-sandbox"),
        ("claude", "--dangerously-skip-permissions"),
        ("gemini", "--yolo"),
        ("opencode", "\"permission\":\"allow\""),
        ("qwen", "--yolo"),
        ("copilot", "--yolo"),
        ("kilo", "\"permission\":\"allow\""),
        ("kimi", "--auto"),
        ("vibe", "--auto-approve"),
    ] {
        let place = Place::new(&format!("run-dangerous-{client}"));
        let output = place.output(&["run", client, "--demo", "--print"], &[]);
        assert!(!super::text(&output.stdout).contains(word), "{client}");
        let output = place.output(&["run", client, "--demo", "--print", "--dangerous-harness"], &[]);
        assert!(super::text(&output.stdout).contains(word), "{client}: {}", super::text(&output.stdout));
    }
}

/// What an agent may run is no secret of its own, and keys are in the environment of its parent. Root
/// reads everything: without its capabilities it is a user like others.
#[test]
#[cfg(target_os = "linux")]
fn a_client_cannot_read_the_keys_of_its_parent() {
    let place = Place::new("run-parent");
    let words = ["run", "claude", "--demo"];
    let variables = [("ANTHROPIC_API_KEY", PROVIDER_KEY)];
    let is_root = rustix::process::geteuid().is_root();
    let without = ["--bounding-set=-all", "--inh-caps=-all", "--", super::BINARY];
    let command = if is_root {
        place.program("setpriv".as_ref(), &[&without[..], &words].concat(), &variables)
    } else {
        place.llmgate(&words, &variables)
    };
    let session = Session::start(&place, command);
    assert!(place.noted("own").contains("ANTHROPIC_"));
    assert_eq!(place.noted("parents"), "");
    assert_eq!(session.end().code, Some(0));
}

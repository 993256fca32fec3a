//! The configuration: files that are right, files that are wrong with what is said of each, the
//! environment, and the table of keys in docs/CONFIG.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llmgate::base::env::Env;
use llmgate::base::id::{ModelName, ProviderName};
use llmgate::base::secret::Secret;
use llmgate::config::{
    ClientAuth, Compat, Config, ConfigErrors, LogLevel, Overrides, ProxyChoice, Session, Source, from_text,
    key_paths, load, show,
};
use llmgate::protocol::Protocol;

use crate::support::golden;

mod import;
mod zero;

const MINIMAL: &str =
    "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: \"http://127.0.0.1:9/v1\"}\n";
const KEY: &str = "k-test-secret-000000000000";

#[test]
fn what_is_right_loads() {
    for path in cases("valid") {
        let config = read(&path).unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
        let shown = show::masked(&config).to_string();
        for secret in config.secrets() {
            assert!(!shown.contains(secret.expose()), "{}", path.display());
        }
        let again = of_text(&show::text(&config), &path);
        let again = again.unwrap_or_else(|errors| panic!("{} is shown as:\n{errors}", path.display()));
        let told = |config: &Config| {
            show::text(config)
                .lines()
                .filter(|line| !line.contains("****"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&again), told(&config), "{}", path.display());
    }
}

#[test]
fn every_key_means_what_it_says() {
    let path = folder("valid").join("every_key.yaml");
    golden::check(&path.with_extension("shown"), &show::text(&read(&path).unwrap()));
}

#[test]
fn a_disabled_provider_is_there_whatever_of_it_was_not_expanded() {
    let config = read(&folder("valid").join("disabled_provider_is_not_expanded.yaml")).unwrap();
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["up", "off", "off2", "off3"]);
}

#[test]
fn a_key_that_is_a_default_is_no_variables() {
    let text = "version: 1\nproviders: {a: {base_url: \"https://api.x.ai/v1\", api_key: \"${ONE:-k-of-the-file}\"}}\n";
    for (set, variable) in [("", None), ("k-of-the-variable", Some("ONE"))] {
        let env = Env::of([("ONE", set)]);
        let config = from_text(text, Path::new("f"), &env, &Overrides::default()).unwrap();
        assert_eq!(provider(&config, "a").key.as_ref().unwrap().variable.as_deref(), variable);
        let shown = show::text(&config);
        assert!(from_text(&shown, Path::new("f"), &env, &Overrides::default()).is_ok(), "{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_whole() {
    for path in cases("invalid") {
        if cfg!(feature = "socks") && path.ends_with("proxy_socks.yaml")
            || cfg!(feature = "redis") && path.ends_with("state_redis.yaml")
        {
            continue;
        }
        let told = match read(&path) {
            Ok(_) => panic!("{} loads", path.display()),
            Err(errors) => format!("{errors}\n"),
        };
        assert!(!told.contains(KEY), "{} tells a key", path.display());
        for word in ["hunter2", "k-0123456789\"", "sk-0123456789"] {
            assert!(!told.contains(word), "{} tells {word}:\n{told}", path.display());
        }
        golden::check(&path.with_extension("errors"), &told);
    }
}

#[test]
fn every_error_of_a_file_has_its_own_line() {
    let path = folder("invalid").join("all_errors_in_one_run.yaml");
    let errors = read(&path).unwrap_err();
    assert_eq!(errors.to_string().lines().count(), errors.list.len());
    assert!(errors.list.iter().all(|error| error.place.is_some()));
}

#[test]
fn the_annotated_example_means_what_it_says() {
    let config = read(&folder("valid").join("annotated.yaml")).unwrap();
    let anthropic = provider(&config, "anthropic");
    assert_eq!(anthropic.protocols, [Protocol::Anthropic]);
    assert_eq!(anthropic.host(), "api.anthropic.com");
    let key = anthropic.key.as_ref().unwrap();
    assert_eq!(key.secret.expose(), KEY);
    assert_eq!(key.variable.as_deref(), Some("ANTHROPIC_API_KEY"));
    let sonnet = ModelName::parse("claude-sonnet-4-5").unwrap();
    assert_eq!(anthropic.model(&sonnet).unwrap().context, Some(200_000));
    let coding = &config.models[0];
    let targets: Vec<_> = coding.targets.iter().map(|t| (t.to.to_string(), t.enabled)).collect();
    assert_eq!(targets[1], ("openrouter/openai/gpt-5-mini".to_owned(), false));
    assert_eq!(targets.len(), 4);
    assert!(config.listens_on_loopback() && config.warnings.is_empty());
}

#[test]
fn what_is_not_said_has_the_defaults_of_the_example() {
    let strip = |config: &Config| {
        let mut shown = show::masked(config);
        for key in ["source", "providers", "models", "classify", "default_model"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        shown
    };
    let annotated = read(&folder("valid").join("annotated.yaml")).unwrap();
    let minimal = read(&folder("valid").join("minimal.yaml")).unwrap();
    assert_eq!(strip(&minimal), strip(&annotated));
}

#[test]
fn flag_then_environment_then_file_then_default() {
    let file = format!("{MINIMAL}listen: 127.0.0.1:1\ncompat: strict\nlog: {{level: error}}\n");
    let variables = [
        ("LLMGATE_LISTEN", "127.0.0.1:2"),
        ("LLMGATE_COMPAT", "max"),
        ("LLMGATE_LOG", "warn"),
        ("PORT", "4"),
    ];
    let flags = Overrides {
        listen: Some("127.0.0.1:3".to_owned()),
        log_level: Some(LogLevel::Debug),
        compat: Some(Compat::Strict),
        ..Overrides::default()
    };
    let sees = |text: &str, env: &Env, flags: &Overrides| {
        let config = from_text(text, Path::new("f"), env, flags).unwrap();
        (config.listen, config.compat, config.log.level)
    };
    let none = Overrides::default();
    let (some_env, no_env) = (Env::of(variables), Env::of([]));
    assert_eq!(sees(&file, &some_env, &flags), ("127.0.0.1:3".to_owned(), Compat::Strict, LogLevel::Debug));
    assert_eq!(sees(&file, &some_env, &none), ("127.0.0.1:2".to_owned(), Compat::Max, LogLevel::Warn));
    assert_eq!(
        sees(&file, &Env::of([("PORT", "4")]), &none),
        ("127.0.0.1:1".to_owned(), Compat::Strict, LogLevel::Error)
    );
    assert_eq!(sees(MINIMAL, &Env::of([("PORT", "4")]), &none).0, "127.0.0.1:4");
    assert_eq!(sees(MINIMAL, &no_env, &none).0, "127.0.0.1:8080");
}

#[test]
fn wrong_variables_and_flags_are_named() {
    let env = Env::of([
        ("LLMGATE_COMPAT", "strickt"),
        ("LLMGATE_LOG", "loud"),
        ("LLMGATE_AUTH_MODE", "proxy"),
        ("PORT", "x"),
    ]);
    let told = from_text(MINIMAL, Path::new("f"), &env, &Overrides::default()).unwrap_err();
    let expected = [
        "PORT: must be a port, 0 to 65535 (value \"x\")",
        "LLMGATE_AUTH_MODE: must be none, proxy_key or client_key (value \"proxy\")",
        "LLMGATE_COMPAT: must be max or strict (value \"strickt\"), did you mean `strict`?",
        "LLMGATE_LOG: must be debug, info, warn or error (value \"loud\")",
    ];
    assert_eq!(told.to_string(), expected.join("\n"));
}

#[test]
fn a_key_in_the_environment_is_a_client_key() {
    let sees = |text: &str, pairs: &[(&str, &str)]| {
        let env = Env::of(pairs.iter().copied());
        from_text(text, Path::new("f"), &env, &Overrides::default()).map(|it| it.client_auth)
    };
    let count = |auth: ClientAuth| match auth {
        ClientAuth::ProxyKey(keys) => keys.len(),
        ClientAuth::None | ClientAuth::ClientKey => 0,
    };
    let key = ("LLMGATE_KEY", KEY);
    assert_eq!(count(sees(MINIMAL, &[key]).unwrap()), 1);
    assert_eq!(sees(MINIMAL, &[]).unwrap(), ClientAuth::None);
    let said = format!("{MINIMAL}client_auth: {{mode: proxy_key, keys: [a-key]}}\n");
    assert_eq!(count(sees(&said, &[key]).unwrap()), 2);
    let none = format!("{MINIMAL}client_auth: {{mode: none}}\n");
    assert_eq!(sees(&none, &[key]).unwrap(), ClientAuth::None);
    let mode = ("LLMGATE_AUTH_MODE", "client_key");
    assert_eq!(sees(&none, &[mode]).unwrap(), ClientAuth::ClientKey);
    assert!(sees(MINIMAL, &[("LLMGATE_AUTH_MODE", "proxy_key")]).is_err());
}

#[test]
fn require_auth_refuses_none() {
    let flags = Overrides { require_auth: true, ..Overrides::default() };
    let refused = from_text(MINIMAL, Path::new("f"), &Env::of([]), &flags).unwrap_err();
    assert_eq!(refused.list[0].path, "client_auth.mode");
    assert!(from_text(MINIMAL, Path::new("f"), &Env::of([("LLMGATE_KEY", KEY)]), &flags).is_ok());
}

#[test]
fn a_secret_cannot_change_the_structure() {
    let trap = "x\"}\nlisten: 0.0.0.0:1 #";
    let text = format!("{MINIMAL}default_model: ${{TRAP}}\n");
    let env = Env::of([("TRAP", trap)]);
    let config = from_text(&text, Path::new("f"), &env, &Overrides::default()).unwrap();
    assert_eq!(config.default_model.unwrap().as_str(), trap);
    assert_eq!(config.listen, "127.0.0.1:8080");
}

#[test]
fn a_disabled_provider_needs_no_variables() {
    let config = read(&folder("valid").join("disabled_provider_is_not_expanded.yaml")).unwrap();
    for name in ["off", "off2"] {
        let off = provider(&config, name);
        assert!(!off.enabled && off.key.is_none());
    }
    let set = [("NOWHERE_URL", "https://x.example"), ("NOWHERE_KEY", KEY)];
    let text =
        std::fs::read_to_string(folder("valid").join("disabled_provider_is_not_expanded.yaml")).unwrap();
    let config = from_text(&text, Path::new("f"), &Env::of(set), &Overrides::default()).unwrap();
    assert!(config.secrets().is_empty());
}

#[test]
fn a_byte_order_mark_moves_no_place() {
    let text = "\u{feff}# ä\nversion: 2\nproviders: {a: {base_url: \"https://api.x.ai/v1\"}}\n";
    let told = from_text(text, Path::new("f"), &Env::of([]), &Overrides::default()).unwrap_err();
    assert!(told.to_string().starts_with("f:2:10: version: "), "{told}");
}

#[test]
fn every_secret_is_known_for_masking() {
    let config = read(&folder("valid").join("open_with_a_key.yaml")).unwrap();
    let secrets: Vec<_> = config.secrets().iter().map(|it| it.expose().to_owned()).collect();
    assert!(secrets.contains(&KEY.to_owned()) && secrets.contains(&"user:word".to_owned()));
    let ProxyChoice::Through(_) = &provider(&config, "up").proxy else {
        panic!("no proxy");
    };
    let all = read(&folder("valid").join("every_key.yaml")).unwrap();
    let secrets: Vec<_> = all.secrets().iter().map(|it| it.expose().to_owned()).collect();
    let (url, login, password) =
        ("redis://state:hunter2-redis@10.0.0.5:6379/1", "state:hunter2-redis", "hunter2-redis");
    assert_eq!(secrets, ["k-0123456789", "Bearer abcdef", url, login, password]);
    assert_eq!(show::masked(&all)["state"]["url"], "redis://****@10.0.0.5:6379/1");
    assert!(!format!("{config:?}{all:?}").contains("k-0123456789"));
}

#[test]
fn a_header_from_a_variable_is_as_secret_as_a_key() {
    let text = "version: 1\nproviders: {a: {base_url: \"https://api.x.ai/v1\", headers: {x-gate: \"${GATE}\", \
                x-room: \"${ROOM}\", x-plain: blue}}}\n";
    let env = Env::of([("GATE", "g-0123456789abcdef"), ("ROOM", "blue")]);
    let config = from_text(text, Path::new("f"), &env, &Overrides::default()).unwrap();
    let shown = &show::masked(&config)["providers"]["a"]["headers"];
    assert_eq!(shown, &serde_json::json!({"x-gate": "****", "x-room": "****", "x-plain": "blue"}));
    let sought: Vec<_> = config.secrets().iter().map(|it| it.expose().to_owned()).collect();
    assert_eq!(sought, ["g-0123456789abcdef"]);
    assert!(!format!("{config:?}").contains("g-0123456789abcdef"));
}

#[test]
#[cfg(feature = "redis")]
fn redis_needs_an_address() {
    let load = |state: &str| {
        let text = format!("{MINIMAL}state: {state}\n");
        from_text(&text, Path::new("f"), &Env::of([("R", "k-redis")]), &Overrides::default())
    };
    let told = load("{store: redis}").unwrap_err().to_string();
    assert!(told.contains("state.store: needs the server's address: state.url"), "{told}");
    let config = load("{store: redis, url: 'redis://:${R}@127.0.0.1'}").unwrap();
    assert_eq!(config.state.url.unwrap().expose(), "redis://:k-redis@127.0.0.1");
}

#[test]
fn ranges_hold_addresses() {
    let config = read(&folder("valid").join("open_with_a_key.yaml")).unwrap();
    let inside = |text: &str| {
        let address = text.parse().unwrap();
        config.access.allowed_ips.iter().any(|range| range.contains(address))
    };
    for address in ["10.255.0.1", "::ffff:10.0.0.1", "fd12::1", "192.168.1.7"] {
        assert!(inside(address), "{address}");
    }
    for address in ["11.0.0.1", "192.168.1.8", "fe80::1", "::ffff:11.0.0.1"] {
        assert!(!inside(address), "{address}");
    }
}

#[test]
fn plain_http_to_strangers_is_a_warning() {
    let warns = |url: &str| {
        let text = MINIMAL.replace("http://127.0.0.1:9/v1", url);
        let config = from_text(&text, Path::new("f"), &Env::of([]), &Overrides::default());
        !config.unwrap().warnings.is_empty()
    };
    assert!(warns("http://api.example.com/v1"));
    for near in ["https://api.example.com", "http://10.1.2.3", "http://[::1]:1", "http://ollama:1"] {
        assert!(!warns(near), "{near}");
    }
}

#[test]
fn what_is_written_and_has_no_effect_is_told() {
    let warnings = |text: &str| {
        let config = from_text(text, Path::new("f"), &Env::of([]), &Overrides::default());
        config.unwrap().warnings.join("\n")
    };
    for mode in ["none", "client_key"] {
        let told = warnings(&with_buckets(mode));
        assert!(told.contains("client_auth.buckets") && told.contains("mode: proxy_key"), "{mode}: {told}");
    }
    assert_eq!(warnings(&with_buckets("proxy_key, keys: [k-0123456789]")), "");
    assert_eq!(warnings(MINIMAL), "");
}

fn with_buckets(mode: &str) -> String {
    format!("{MINIMAL}client_auth: {{mode: {mode}, buckets: [{{name: m, requests: 5, window: 1m}}]}}\n")
}

#[test]
fn client_buckets_hold_where_keys_can_be_told_apart() {
    let count = |text: &str, flags: &Overrides| {
        let env = Env::of([("LLMGATE_KEY", KEY)]);
        from_text(text, Path::new("f"), &env, flags).unwrap().client_buckets.len()
    };
    let flags = Overrides::default();
    for (mode, held) in [("none", 0), ("client_key", 0), ("proxy_key", 1)] {
        assert_eq!(count(&with_buckets(mode), &flags), held, "{mode}");
    }
    // The key of a session is nobody's of the file.
    let session = Some(Session { key: Secret::new("k-of-a-session"), drain: Duration::from_secs(77) });
    let flags = Overrides { session, ..flags };
    assert_eq!(count(&with_buckets("proxy_key"), &flags), 0);
    let config = from_text(MINIMAL, Path::new("f"), &Env::of([("", "")]), &flags).unwrap();
    assert_eq!(config.timeouts.drain, Duration::from_secs(77));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Path::new("no/such/file.yaml");
    let told = load(Some(missing), &Env::of([]), &Overrides::default()).unwrap_err();
    assert!(told.to_string().starts_with("no/such/file.yaml: cannot be read: "), "{told}");
    let env = Env::of([("LLMGATE_CONFIG", "no/such/other.yaml"), ("OPENAI_API_KEY", KEY)]);
    let told = load(None, &env, &Overrides::default()).unwrap_err();
    assert!(told.to_string().starts_with("no/such/other.yaml: "), "{told}");
}

#[test]
fn the_named_file_wins_over_the_variable() {
    let minimal = folder("valid").join("minimal.yaml");
    let env = Env::of([("LLMGATE_CONFIG", "no/such/other.yaml")]);
    let config = load(Some(&minimal), &env, &Overrides::default()).unwrap();
    assert_eq!(config.source, Source::File(minimal));
}

#[test]
fn every_key_has_a_row_in_the_documentation() {
    let docs = std::fs::read_to_string(root().join("docs/CONFIG.md")).unwrap();
    let rows: BTreeSet<_> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key.to_owned())
        .filter(|key| !key.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let keys: BTreeSet<_> = key_paths().into_iter().collect();
    let missing: Vec<_> = keys.difference(&rows).collect();
    let stale: Vec<_> = rows.difference(&keys).collect();
    assert!(missing.is_empty() && stale.is_empty(), "missing {missing:#?}, stale {stale:#?}");
}

#[test]
fn every_example_of_the_documentation_loads() {
    for (page, prefix, least) in [("ROUTING", "routing_", 4), ("PROVIDERS", "providers_", 1)] {
        let docs = std::fs::read_to_string(root().join(format!("docs/{page}.md"))).unwrap();
        let mut shown: Vec<&str> =
            docs.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let is_example = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
        // That they load, `what_is_right_loads` has seen.
        let mut files: Vec<String> = cases("valid")
            .iter()
            .filter(|path| is_example(path))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        shown.sort_unstable();
        files.sort_unstable();
        assert_eq!(shown, files);
        assert!(shown.len() >= least);
    }
}

#[test]
fn every_provider_of_the_documentation_loads() {
    let docs = std::fs::read_to_string(root().join("docs/PROVIDERS.md")).unwrap();
    let mut rows = 0;
    for row in docs.lines().filter(|line| line.contains("| `http")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (protocols, url) = (cells[2], cells[3].trim_matches('`'));
        let auth = if cells[4].contains("`auth: bearer`") { "bearer" } else { "auto" };
        let text = format!(
            "version: 1\nproviders:\n  it: {{protocol: [{protocols}], base_url: \"{url}\", auth: {auth}}}\n"
        );
        let config = from_text(&text, Path::new("f"), &Env::of([]), &Overrides::default());
        let config = config.unwrap_or_else(|errors| panic!("{row}\n{errors}"));
        assert_eq!(provider(&config, "it").base_url.to_lowercase(), url.to_lowercase(), "{row}");
        rows += 1;
    }
    assert!(rows > 20, "{rows}");
}

#[test]
fn broken_texts_never_panic() {
    for path in cases("valid").into_iter().chain(cases("invalid")) {
        let text = std::fs::read(&path).unwrap();
        for cut in (0..text.len()).step_by(37) {
            let mut bytes = text.clone();
            bytes[cut] = b"{}[]:,-*&!|>'\"%@`#? \n"[cut % 21];
            for bytes in [&bytes[..], &text[..cut]] {
                let text = String::from_utf8_lossy(bytes);
                let _ = from_text(&text, Path::new("f"), &Env::of([]), &Overrides::default());
            }
        }
    }
}

fn read(path: &Path) -> Result<Config, ConfigErrors> {
    of_text(&std::fs::read_to_string(path).unwrap(), path)
}

fn of_text(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
    let names = [
        "TEST_KEY",
        "ANTHROPIC_API_KEY",
        "OPENROUTER_API_KEY",
        "DEEPSEEK_API_KEY",
        "DEEPINFRA_TOKEN",
        "MOONSHOT_API_KEY",
        "ANTHROPIC_KEY_HOME",
        "ANTHROPIC_KEY_WORK",
        "KEY_OF_ANNA",
        "KEY_OF_BEN",
    ];
    let env = Env::of(names.map(|name| (name, KEY)));
    let name = Path::new(path.file_name().unwrap());
    from_text(text, name, &env, &Overrides::default())
}

fn provider<'a>(config: &'a Config, name: &str) -> &'a llmgate::config::Provider {
    config.provider(&ProviderName::parse(name).unwrap()).unwrap()
}

fn cases(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(kind)).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn folder(kind: &str) -> PathBuf {
    root().join("fixtures/config").join(kind)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

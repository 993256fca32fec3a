//! `doctor`, `providers check`, `ai-help` against providers and a proxy that are there.

use std::os::unix::fs::symlink;

use llmgate::protocol::Protocol;
use serde_json::Value;

use super::{Started, check_code, run, text};
use crate::support::lane::{KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Folder;
use crate::upstream::tls_provider;

const LIST: &str = "{\"object\":\"list\",\"data\":[{\"id\":\"up-model-1\"},{\"id\":\"other\"}]}";

/// Coding agents, as far as `doctor` asks them. Linked, not written: a file that was just written may be
/// busy, as long as a process that another test started meanwhile has not closed it.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cli/agent.sh");

/// The findings of a command with `--json`, by check: state, words, next step.
fn findings(home: &Folder, words: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    let output = run(home, &words, &[]);
    let told = text(&output.stdout);
    assert!(!told.contains(KEY), "{told}");
    let list: Value =
        serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}{}", text(&output.stderr)));
    let found = list.as_array().unwrap().iter().map(|it| {
        let word = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        (word("check"), format!("{} {}", word("state"), word("said")), word("next"))
    });
    (output.status.code(), found.collect())
}

#[track_caller]
fn said<'f>(found: &'f [(String, String, String)], check: &str) -> (&'f str, &'f str) {
    let one = found.iter().find(|(name, ..)| name == check).unwrap_or_else(|| panic!("{check}: {found:#?}"));
    (&one.1, &one.2)
}

#[test]
fn a_provider_that_works_is_told_so() {
    for lane in &LANES {
        let home = Folder::new(&format!("doctor-ok-{}", lane.name));
        let provider = Provider::start();
        provider.will(Reply::json(200, LIST));
        provider.will(Reply::sse([lane.streamed_pong(UPSTREAM)]));
        let config = home.write("c.yaml", &lane.config(&provider.url()));
        let (code, found) = findings(&home, &["doctor", "--config", config.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{found:#?}");
        for check in ["configuration", "environment", "port", "up reached", "up key", "up model", "up stream"]
        {
            assert!(said(&found, check).0.starts_with("ok "), "{} {check}: {found:#?}", lane.name);
        }
        assert!(said(&found, "up model").0.contains(UPSTREAM));
        let (list, asked) = (provider.received(), provider.received());
        assert_eq!((list.method.as_str(), asked.method.as_str()), ("GET", "POST"));
        assert_eq!(asked.path, lane.upstream_stream_path(UPSTREAM));
        let (name, value) = lane.credential;
        assert_eq!(asked.header(name), Some(&*format!("{value}{KEY}")), "{}", lane.name);
        assert!(provider.is_idle(), "one request at most");
    }
}

#[test]
fn what_would_not_start_is_told_offline_too() {
    let home = Folder::new("doctor-offline");
    let lane = lane(Protocol::OpenaiChat);
    let top = "tls: {ca_file: nowhere.pem}";
    let config = home.write("c.yaml", &lane.config_with("http://127.0.0.1:9", "", top));
    let (code, found) = findings(&home, &["doctor", "--offline", "--config", config.to_str().unwrap()]);
    let (connections, next) = said(&found, "connections");
    assert!(connections.starts_with("fail ") && connections.contains("nowhere.pem"), "{connections}");
    assert!(next.contains("tls.ca_file"));
    assert_eq!(code, Some(1));
    let output = run(&home, &["start", "--config", config.to_str().unwrap()], &[]);
    check_code(&output, 1);
    assert!(!text(&output.stderr).contains("not reached"), "no call was made: {}", text(&output.stderr));
}

#[test]
fn a_refused_key_is_named_and_not_shown() {
    let lane = lane(Protocol::OpenaiChat);
    let home = Folder::new("doctor-key");
    let provider = Provider::start();
    let body = format!(
        "{{\"error\":{{\"message\":\"Incorrect API key provided: {KEY}.\",\"code\":\"invalid_api_key\"}}}}"
    );
    provider.will(Reply::json(401, &body));
    let config = home.write("c.yaml", &lane.config(&provider.url()));
    let (code, found) = findings(&home, &["doctor", "--config", config.to_str().unwrap()]);
    let (key, next) = said(&found, "up key");
    assert_eq!(code, Some(1));
    assert!(key.starts_with("fail ") && key.contains("Incorrect API key provided: sk-pr****ghij"), "{key}");
    assert!(next.contains("providers.up.api_key"), "{next}");
    provider.received();
    assert!(provider.is_idle(), "a refused key is not tried again");
}

#[test]
fn an_unknown_issuer_leads_to_the_root_file() {
    let lane = lane(Protocol::OpenaiChat);
    let home = Folder::new("doctor-tls");
    let (port, _) = tls_provider(&["127.0.0.1"], lane.pong(UPSTREAM));
    let config = home.write("c.yaml", &lane.config(&format!("https://127.0.0.1:{port}")));
    let (code, found) = findings(&home, &["doctor", "--config", config.to_str().unwrap()]);
    let (tls, next) = said(&found, "up tls");
    assert_eq!(code, Some(1));
    assert!(tls.starts_with("fail ") && tls.contains("UnknownIssuer"), "{tls}");
    assert!(next.contains("tls: {ca_file: FILE}"), "{next}");
}

#[test]
fn an_unknown_model_gets_the_nearest_name() {
    let lane = lane(Protocol::OpenaiChat);
    let home = Folder::new("doctor-model");
    let provider = Provider::start();
    provider.will(Reply::json(200, "{\"object\":\"list\",\"data\":[{\"id\":\"up-model-2\"}]}"));
    provider
        .will(Reply::json(404, "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}"));
    let config = home.write("c.yaml", &lane.config(&provider.url()));
    let words = ["providers", "check", "--config", config.to_str().unwrap()];
    let output = run(&home, &words, &[]);
    check_code(&output, 1);
    let told = text(&output.stdout);
    assert!(told.starts_with("fail  up ") && told.contains("did you mean up-model-2?"), "{told}");
}

#[test]
fn a_question_that_takes_too_long_names_its_own_limit() {
    let home = Folder::new("check-slow");
    // Connections are taken by the system, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = home.write("c.yaml", &lane(Protocol::OpenaiChat).config(&url));
    let words = ["providers", "check", "--timeout", "50ms", "--config", config.to_str().unwrap()];
    let output = run(&home, &words, &[]);
    check_code(&output, 1);
    let told = text(&output.stdout);
    assert!(told.contains("no whole answer within 50ms") && told.contains("--timeout"), "{told}");
    assert!(!told.contains("timeouts."), "{told}");
}

#[test]
fn the_demo_is_asked_for_the_model_that_answers() {
    let home = Folder::new("check-demo");
    let output = run(&home, &["providers", "check", "--demo"], &[]);
    check_code(&output, 0);
    let told = text(&output.stdout);
    assert!(told.starts_with("ok ") && told.contains("steady answers"), "{told}");
}

#[test]
fn a_provider_lists_its_own_names_without_a_request() {
    let lane = lane(Protocol::OpenaiChat);
    let home = Folder::new("check-models");
    let provider = Provider::start();
    provider.will(Reply::json(200, LIST));
    let config = home.write("c.yaml", &lane.config(&provider.url()));
    let output = run(&home, &["providers", "check", "--models", "--config", config.to_str().unwrap()], &[]);
    check_code(&output, 0);
    assert_eq!(text(&output.stdout), "up/up-model-1\nup/other\n");
    provider.received();
    assert!(provider.is_idle());
}

#[test]
fn a_foreign_list_of_models_is_a_hint() {
    let lane = lane(Protocol::OpenaiChat);
    let home = Folder::new("check-guess");
    let provider = Provider::start();
    provider.will(Reply::json(200, "{\"data\":[{\"type\":\"model\",\"id\":\"m\"}],\"has_more\":false}"));
    provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
    let config = home.write("c.yaml", &lane.config(&provider.url()));
    let output = run(&home, &["providers", "check", "--json", "--config", config.to_str().unwrap()], &[]);
    check_code(&output, 0);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told[0]["state"], &told[0]["protocol_guess"]),
        (&"warn".into(), &"anthropic".into()),
        "{told}"
    );
    assert_eq!((&told[0]["reachable"], &told[0]["model"]), (&true.into(), &UPSTREAM.into()));
    assert!(told[0]["first_byte_ms"].is_u64());
}

#[test]
fn an_old_or_absent_client_is_told() {
    let home = Folder::new("doctor-client");
    let config = home.write("c.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let words = ["doctor", "--offline", "--client", "claude", "--config", config.to_str().unwrap()];
    let output = run(&home, &words, &[("PATH", home.0.to_str().unwrap())]);
    check_code(&output, 1);
    assert!(text(&output.stdout).contains("claude is not on PATH"), "{}", text(&output.stdout));
    symlink(FAKE, home.0.join("claude")).unwrap();
    let output = run(&home, &words, &[("PATH", home.0.to_str().unwrap())]);
    check_code(&output, 0);
    let told = text(&output.stdout);
    assert!(
        told.contains("warn  claude version") && told.contains("1.0.3 is older than the tested"),
        "{told}"
    );
}

#[test]
fn codex_is_given_our_catalogue() {
    let home = Folder::new("doctor-codex");
    let config = home.write("c.yaml", &LANES[0].config("http://127.0.0.1:9"));
    symlink(FAKE, home.0.join("codex")).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.0.display());
    let words = ["doctor", "--offline", "--client", "codex", "--config", config.to_str().unwrap()];
    let output = run(&home, &words, &[("PATH", &path)]);
    check_code(&output, 0);
    let told = text(&output.stdout);
    assert!(told.contains("newer than the tested") && told.contains("codex catalogue"), "{told}");
    assert!(
        told.lines().any(|line| line.starts_with("ok    codex catalogue") && line.ends_with("taken")),
        "{told}"
    );
    let left = std::fs::read_dir(home.0.join(".local/state/llmgate/run")).unwrap().count();
    assert_eq!(left, 0, "its files are removed");
}

#[test]
fn a_port_in_use_is_told_and_a_llmgate_on_it_is_fine() {
    let home = Folder::new("doctor-port");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let listens = |address: &str| LANES[0].config("http://127.0.0.1:9").replace("127.0.0.1:0", address);
    let config = home.write("c.yaml", &listens(&address));
    drop(std::thread::spawn(move || while other.accept().is_ok() {}));
    let (code, found) = findings(&home, &["doctor", "--offline", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said(&found, "port").0.contains("in use by another program"), "{found:#?}");

    let running = home.write("r.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let started = Started::start(&home, &["--config", running.to_str().unwrap()], &[]);
    let config = home.write("c.yaml", &listens(started.url.strip_prefix("http://").unwrap()));
    let (code, found) = findings(&home, &["doctor", "--offline", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{found:#?}");
    assert!(said(&found, "port").0.contains("a llmgate listens"), "{found:#?}");
}

#[test]
#[cfg(feature = "redis")]
fn a_server_for_shared_state_is_looked_at() {
    let home = Folder::new("doctor-redis");
    let mut redis = crate::support::redis::Redis::start("doctor");
    let state = format!("state: {{store: redis, url: \"{}\"}}", redis.url().expose());
    let config = home.write("c.yaml", &LANES[0].config_with("http://127.0.0.1:9", "", &state));
    let doctor = ["doctor", "--config", config.to_str().unwrap()];
    let (_, found) = findings(&home, &doctor);
    assert_eq!(said(&found, "state").0, format!("ok redis at {} answers", &redis.url().expose()[8..]));
    redis.kill();
    let (_, found) = findings(&home, &doctor);
    let (words, next) = said(&found, "state");
    assert!(words.starts_with("warn redis at 127.0.0.1:") && next.contains("state.url"), "{found:#?}");
}

#[test]
fn a_running_llmgate_is_asked() {
    let home = Folder::new("cli-running");
    let key = "gw_client-key-0123456789";
    let auth = format!("client_auth: {{mode: proxy_key, keys: [{key}]}}");
    let config = home.write("c.yaml", &LANES[0].config_with("http://127.0.0.1:9", "", &auth));
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    let url = started.url.as_str();

    let output = run(&home, &["health", "--url", url], &[]);
    check_code(&output, 0);
    assert_eq!(text(&output.stdout), "ok\n");
    let explain = ["route", "explain", "--url", url, "--model", "asked-name"];
    check_code(&run(&home, &explain, &[]), 1);
    let output = run(&home, &explain, &[("LLMGATE_KEY", key)]);
    check_code(&output, 0);
    assert!(text(&output.stdout).contains("alias asked-name"), "{}", text(&output.stdout));
    let output = run(&home, &["route", "explain", "--url", url, "--json"], &[("LLMGATE_KEY", key)]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told[0]["candidates"][0]["target"], "up/up-model-1", "{told}");
    let output = run(&home, &["route", "explain", "--url", url, "--model", "x/y"], &[("LLMGATE_KEY", key)]);
    check_code(&output, 0);

    let gates = |words: &[&str]| {
        let words: Vec<&str> = ["ai-help", "--json", "--url", url, "--config", config.to_str().unwrap()]
            .iter()
            .chain(words)
            .copied()
            .collect();
        let output = run(&home, &words, &[]);
        check_code(&output, 0);
        assert!(!text(&output.stdout).contains(key));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        ["claude_code", "opencode", "codex_cli"]
            .map(|client| told["gate"][format!("patch_gate_{client}")].as_str().unwrap().to_owned())
    };
    assert_eq!(gates(&["--gateway-auth-token", key]), ["ready", "ready", "ready"]);
    assert_eq!(gates(&[]), ["blocked-auth", "blocked-auth", "blocked-auth"]);
    assert_eq!(gates(&["--skip-live-test"]), ["pending-live-test"; 3]);
}

#[test]
fn health_waits_for_a_llmgate_that_is_not_there_yet() {
    let home = Folder::new("cli-wait");
    let output = run(&home, &["health", "--url", "http://127.0.0.1:9"], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("Is llmgate running there?"), "{}", text(&output.stderr));
    let provider = Provider::start();
    for status in [503, 503, 200] {
        provider.will(Reply::json(status, "{\"status\":\"ok\"}"));
    }
    let output = run(&home, &["health", "--url", &provider.url(), "--wait", "60"], &[]);
    check_code(&output, 0);
    assert_eq!(text(&output.stdout), "ok\n");
    let output = run(&home, &["health", "--url", &provider.url(), "--json"], &[]);
    check_code(&output, 1);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["ok"] == false && told["url"] == provider.url().as_str(), "{told}");
}

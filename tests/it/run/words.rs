//! The model, the configuration and the environment that a session uses.

use std::process::Stdio;

use llmgate::base::env::Env;
use llmgate::config::{Overrides, from_text};
use llmgate::gateway::live::Live;
use llmgate::gateway::offer;

use super::{Place, Session, check_code, text};
use crate::support::GUARD;
use crate::support::provider::{Provider, Reply};

const TWO: &str = "version: 1\nproviders:\n  a: {protocol: anthropic, base_url: 'http://127.0.0.1:9/v1', api_key_env: A_KEY, headers: {x-more: '${MORE:-x} ${HOME}'}}\n  b: {protocol: gemini, base_url: 'http://127.0.0.1:9/v1', enabled: false, api_key: '${B_KEY}'}\nmodels: {coding: a/m, other: a/n}\nclient_auth: {mode: proxy_key, keys: [gw_of-the-file-0123456789]}\naccess: {allowed_ips: [10.0.0.0/8], admin_listen: '127.0.0.1:9'}\n";

#[test]
fn without_a_model_the_names_are_told() {
    let place = Place::new("run-no-model");
    // With one enabled provider every name would lead to it.
    let both = TWO.replace("enabled: false, ", "");
    let config = place.home.write("config.yaml", &both);
    let config = config.to_str().unwrap();
    let variables = [("A_KEY", "sk-marked-0123456789"), ("B_KEY", "sk-other-0123456789")];
    let output = place.output(&["run", "codex", "--config", config], &variables);
    check_code(&output, 2);
    let said = text(&output.stderr);
    assert!(said.contains("--model") && said.contains("coding, other"), "{said}");
    let output = place.output(&["run", "codex", "--config", config, "--model", "codign"], &variables);
    check_code(&output, 2);
    assert!(text(&output.stderr).contains("coding"), "{}", text(&output.stderr));
    place.home.write("config.yaml", &format!("{both}default_model: other\n"));
    let output = place.output(&["run", "codex", "--config", config, "--print"], &variables);
    check_code(&output, 0);
    assert!(text(&output.stdout).contains("-m other"), "{}", text(&output.stdout));
}

#[test]
fn a_vendors_own_default_needs_no_file() {
    let place = Place::new("run-zero");
    let variables = [("ANTHROPIC_API_KEY", "sk-ant-marked-0123456789")];
    let output = place.output(&["run", "claude", "--print"], &variables);
    check_code(&output, 0);
    assert!(text(&output.stdout).contains("--model claude-opus-5-5"), "{}", text(&output.stdout));
    let output = place.output(&["run", "claude", "--print"], &[]);
    check_code(&output, 2);
    assert!(text(&output.stderr).contains("--demo"), "{}", text(&output.stderr));
}

#[test]
fn a_provider_tells_its_models() {
    let provider = Provider::with(Reply::json(200, r#"{"data":[{"id":"claude-sonnet-4-6"},{"id":"x"}]}"#));
    let text = format!(
        "version: 1\nproviders:\n  a: {{protocol: anthropic, base_url: '{}/v1', api_key: sk-marked-0123456789}}\n",
        provider.url()
    );
    let config = from_text(&text, "t.yaml".as_ref(), &Env::default(), &Overrides::default()).unwrap();
    let live = Live::new(std::sync::Arc::new(config), &Env::default(), None).unwrap();
    let asked = &live.config().providers[0];
    assert_eq!(offer::names(&live, asked, GUARD).unwrap(), ["claude-sonnet-4-6", "x"]);
    let received = provider.received();
    assert_eq!((received.method.as_str(), received.path.as_str()), ("GET", "/v1/models?limit=1000"));
    let header = |name: &str| {
        received.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(header("x-api-key"), Some("sk-marked-0123456789"));
    assert!(header("anthropic-version").is_some());
    provider.will(Reply::json(401, "{}"));
    assert!(offer::names(&live, asked, GUARD).is_err());
}

#[test]
fn the_files_keys_and_rules_for_clients_are_not_the_sessions() {
    let place = Place::new("run-session-key");
    let config = place.home.write("config.yaml", TWO);
    let words = ["run", "claude", "--config", config.to_str().unwrap(), "--model", "coding"];
    let variables =
        [("A_KEY", "sk-a"), ("B_KEY", "sk-b"), ("MORE", "sk-more"), ("LLMGATE_KEY", "gw_x-0123456789")];
    let session = Session::start(&place, place.llmgate(&words, &variables));
    let url = place.variable("ANTHROPIC_BASE_URL").unwrap();
    let key = place.variable("ANTHROPIC_AUTH_TOKEN").unwrap();
    assert_eq!(session.get(&url, "/v1/models", &key).status(), 200);
    for other in ["gw_of-the-file-0123456789", "gw_x-0123456789"] {
        assert_eq!(session.get(&url, "/v1/models", other).status(), 401, "{other}");
    }
    for name in ["A_KEY", "B_KEY", "MORE", "LLMGATE_KEY"] {
        assert_eq!(place.variable(name), None, "{name}");
    }
    assert!(place.variable("HOME").is_some(), "every program needs it, named in a file or not");
    assert_eq!(session.end().code, Some(0));
}

#[test]
fn a_file_of_variables_is_read_and_the_environment_wins() {
    let place = Place::new("run-env-file");
    let config = place.home.write("config.yaml", TWO);
    let file = place.home.write("vars", "A_KEY=sk-file-0123456789\nexport PLAIN='from file'\nKEEP=file\n");
    let words = [
        "run",
        "claude",
        "--config",
        config.to_str().unwrap(),
        "--model",
        "coding",
        "--env-file",
        file.to_str().unwrap(),
    ];
    let session = Session::start(&place, place.llmgate(&words, &[("KEEP", "environment")]));
    assert_eq!(place.variable("PLAIN").as_deref(), Some("from file"));
    assert_eq!(place.variable("KEEP").as_deref(), Some("environment"));
    assert_eq!(place.variable("A_KEY"), None);
    assert_eq!(session.end().code, Some(0));
    place.home.write("vars", "A_KEY=sk-marked\nOTHER_TOKEN=t-marked-0123\nPLAIN=shown\n");
    let printed = text(&place.output(&[&words[..], &["--print"]].concat(), &[]).stdout);
    assert!(printed.contains("PLAIN=shown") && !printed.contains("marked"), "{printed}");
    place.home.write("vars", "A_KEY=x\nsk-marked-secret\n");
    let output = place.output(&words, &[]);
    check_code(&output, 2);
    let said = text(&output.stderr);
    assert!(said.contains("vars:2") && !said.contains("marked"), "{said}");
}

#[test]
fn a_running_llmgate_is_used_with_its_key() {
    const KEY: &str = "gw_running-marked-0123456789";
    let place = Place::new("run-base");
    let ready = place.home.file("ready.json");
    let mut running = place
        .llmgate(
            &["start", "--demo", "--listen", "127.0.0.1:0", "--ready-file", ready.to_str().unwrap()],
            &[("LLMGATE_KEY", KEY)],
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(running.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let words = ["run", "claude", "--proxy-base", &url, "--model", "any"];
    let session = Session::start(&place, place.llmgate(&words, &[("LLMGATE_KEY", KEY)]));
    assert_eq!(place.variable("ANTHROPIC_BASE_URL"), Some(format!("{url}/anthropic")));
    assert_eq!(place.variable("ANTHROPIC_AUTH_TOKEN").as_deref(), Some(KEY));
    assert_eq!(place.variable("LLMGATE_KEY"), None);
    assert!(place.argv().iter().all(|word| !word.contains(KEY)));
    assert_eq!(session.end().code, Some(0));
    let output = place.output(&words, &[("LLMGATE_KEY", "gw_wrong-0123456789")]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("LLMGATE_KEY"), "{}", text(&output.stderr));
    running.kill().unwrap();
    running.wait().unwrap();
    let words = ["run", "claude", "--proxy-base", &url, "--proxy-health-timeout-secs", "0"];
    let output = place.output(&words, &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("no llmgate answers"), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_is_told_before_anything_starts() {
    let place = Place::new("run-usage");
    for (words, said) in [
        (&["run"][..], "CLIENT"),
        (&["run", "cdex"], "codex"),
        (&["run", "codex", "--demo", "exec"], "--"),
        (&["run", "codex", "--demo", "--proxy-port", "x"], "port"),
        (&["run", "codex", "--demo", "--workspace", "absent"], "absent"),
        (&["run", "codex", "--proxy-base", "localhost"], "http://"),
        (&["run", "codex", "--demo", "--home", "mine"], "isolated, user or temp"),
    ] {
        let output = place.output(words, &[]);
        check_code(&output, 2);
        assert!(text(&output.stderr).contains(said), "{words:?}: {}", text(&output.stderr));
    }
    assert_eq!(place.noted("argv"), "");
}

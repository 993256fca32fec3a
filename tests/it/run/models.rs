//! `models`, the Codex catalogue and docs/COMMANDS.md.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Place, Session, check_code, text};
use crate::support::golden;

const NAMED: &str = "version: 1\nproviders:\n  a: {protocol: anthropic, base_url: 'http://127.0.0.1:9/v1', models: {m: {context: 200000, max_output: 64000, input: [text, image]}}}\nmodels: {coding: a/m, claude-*: a/*}\n";

#[test]
fn models_are_shown_and_made_a_catalogue() {
    let place = Place::new("run-models");
    let config = place.home.write("config.yaml", NAMED);
    let config = config.to_str().unwrap();
    let output = place.output(&["models", "--config", config], &[]);
    check_code(&output, 0);
    let table = text(&output.stdout);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["coding", "a/m", "200000", "64000", "text,image"], "{table}");
    let file = place.home.file("catalogue.json");
    let output =
        place.output(&["models", "--config", config, "--codex-catalog", file.to_str().unwrap()], &[]);
    check_code(&output, 0);
    let catalogue: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let entry = &catalogue["models"][0];
    assert_eq!((&entry["slug"], &entry["context_window"]), (&"coding".into(), &200_000.into()));
    assert_eq!(entry["auto_compact_token_limit"], 115_600);
    let words = ["models", "--config", config, "--codex-catalog", file.to_str().unwrap(), "--json"];
    let told: Value = serde_json::from_slice(&place.output(&words, &[]).stdout).unwrap();
    assert_eq!(told["models"], 1);
    let output = place.output(&["models", "--config", config, "--json"], &[]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["data"][0]["id"], "coding");
    check_code(&place.output(&["models", "--url", "http://127.0.0.1:9"], &[]), 1);
    check_code(&place.output(&["models"], &[]), 2);
}

#[test]
fn an_empty_catalogue_is_not_written() {
    let place = Place::new("run-models-empty");
    let patterns = NAMED.replace("coding: a/m, ", "");
    let config = place.home.write("config.yaml", &patterns);
    let config = config.to_str().unwrap();
    let file = place.home.file("catalogue.json");
    for to in [file.to_str().unwrap(), "-"] {
        let output = place.output(&["models", "--config", config, "--codex-catalog", to], &[]);
        check_code(&output, 1);
        assert_eq!(text(&output.stdout), "", "{to}");
        let said = text(&output.stderr);
        assert!(said.contains("no names are listed") && said.contains("models:"), "{said}");
    }
    assert!(!file.exists());
}

#[test]
fn a_running_one_tells_the_same() {
    let place = Place::new("run-models-url");
    let config = place.home.write("config.yaml", NAMED);
    let config = config.to_str().unwrap();
    let words = ["run", "claude", "--config", config, "--model", "coding"];
    let session = Session::start(&place, place.llmgate(&words, &[]));
    let url = place.variable("ANTHROPIC_BASE_URL").unwrap().replace("/anthropic", "");
    let key = place.variable("ANTHROPIC_AUTH_TOKEN").unwrap();
    for more in [&[][..], &["--json"], &["--codex-catalog", "-"]] {
        let own: Vec<&str> = ["models", "--config", config].iter().chain(more).copied().collect();
        let running: Vec<&str> = ["models", "--url", &url].iter().chain(more).copied().collect();
        let output = place.output(&running, &[("LLMGATE_KEY", &key)]);
        check_code(&output, 0);
        assert_eq!(text(&output.stdout), text(&place.output(&own, &[]).stdout), "{more:?}");
    }
    let served = session.get(&url, "/v1/models?client_version=0.1", &key).text();
    let output = place.output(&["models", "--config", config, "--codex-catalog", "-"], &[]);
    assert_eq!(served, text(&output.stdout).trim_end());
    assert_eq!(session.end().code, Some(0));
}

#[test]
fn the_command_reference_is_made_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/COMMANDS.md");
    golden::check(&path, &llmgate::cli::reference());
}

#[test]
fn completions_are_scripts() {
    let place = Place::new("run-completions");
    for (shell, begins) in [("bash", "# bash"), ("zsh", "#compdef llmgate"), ("fish", "# fish")] {
        let output = place.output(&["completions", shell], &[]);
        check_code(&output, 0);
        assert!(text(&output.stdout).starts_with(begins), "{shell}");
    }
    check_code(&place.output(&["completions", "tcsh"], &[]), 2);
}

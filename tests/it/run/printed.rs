//! What `--print` shows for each client, word for word: fixtures/run/<client>.out. The session's key is in
//! it masked, and its files have names that change.

use std::path::Path;

use super::{CLIENTS, Place, check_code, text};
use crate::support::golden;

/// A model of which all is known, and one of which nothing is.
const MODELS: &str = "version: 1\nproviders:\n  \
    up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1', api_key: '${UP_KEY:-none}', \
    models: {m: {context: 65536, max_output: 8192, input: [text], tools: {search: true}}}}\n\
    models: {known: up/m, unknown: up/o}\n";

#[test]
fn each_client_is_told_word_for_word() {
    let place = Place::new("run-printed");
    let config = place.home.write("config.yaml", MODELS);
    let config = config.to_str().unwrap();
    for client in CLIENTS {
        let mut told = String::new();
        for more in
            [&["--model", "known", "--dangerous-harness"][..], &["--model", "unknown", "--home", "user"]]
        {
            let words = [&["run", client, "--config", config, "--print"][..], more].concat();
            let output = place.output(&words, &[]);
            check_code(&output, 0);
            told += &format!("$ llmgate run {client} {}\n", more.join(" "));
            told += &text(&output.stdout);
            told += &format!("--- stderr\n{}\n", text(&output.stderr));
        }
        let home = place.home.0.to_str().unwrap();
        let canonical = place.home.0.canonicalize().unwrap();
        let told = told.replace(canonical.to_str().unwrap(), "HOME").replace(home, "HOME");
        let told = without(&without(&told, "/run/", 8 + 1), "gw_", 2 + 4 + 4);
        golden::check(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/run/{client}.out")),
            &told,
        );
    }
}

/// The text without what follows these words: digits, then so many characters.
fn without(text: &str, words: &str, more: usize) -> String {
    let mut parts = text.split(words);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let rest = if words == "gw_" { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) };
        done + words + "..." + &rest.chars().skip(more).collect::<String>()
    })
}

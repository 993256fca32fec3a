//! What is written of requests: ledger, usage hook, trace, files of single requests; and that none
//! of it tells what it must not.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::lane::{ASKED, Lane};
use crate::support::proxy::{Folder, Proxy};

mod hook;
mod leaks;
mod ledger;
mod trace;

/// The lines of a file, as JSON.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The text of every file in a folder, the newest name last.
fn texts(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// One request for a whole answer and one for a stream.
fn ask_twice(proxy: &Proxy, client: &Lane) -> (String, String) {
    let whole = proxy.post(&client.path(ASKED), &client.ping(ASKED)).text();
    (whole, proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest())
}

/// The binary with these words, in a home of its own.
fn llmgate(home: &Folder, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmgate"));
    command.env_clear().env("HOME", &home.0).current_dir(&home.0).args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

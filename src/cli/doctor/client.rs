//! A coding agent looked at: is it there, is it a version that was tested, does it take our catalogue?

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::base::chance;
use crate::base::channel::bounded;
use crate::base::env::Env;
use crate::base::private;
use crate::cli::files;
use crate::cli::finding::Finding;
use crate::cli::run::client::Client;
use crate::cli::run::command::find;
use crate::protocol::listing::{self, ModelCard};

/// For an agent to say its version; they are slow to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found of a client.
pub(super) fn findings(client: &Client, env: &Env) -> Vec<Finding> {
    let check = format!("{} version", client.name);
    let Some(program) = find(client.program, env) else {
        let said = format!("{} is not on PATH", client.program);
        return vec![Finding::fail(check, said, format!("install it: {}", client.install))];
    };
    let said = ask(Command::new(&program).arg("--version"));
    let mut found = vec![match said.as_deref().map(version) {
        Ok(Some(version)) => judged(client, check, &version),
        Ok(None) => Finding::warn(
            check,
            "it does not tell its version",
            format!("run {} --version", program.display()),
        ),
        Err(why) => Finding::fail(
            check,
            format!("{}: {why}", program.display()),
            format!("install it again: {}", client.install),
        ),
    }];
    if client.name == "codex" && said.is_ok() {
        found.push(catalogue(&program, env));
    }
    found
}

/// Older ones may lack what `run` relies on.
fn judged(client: &Client, check: String, version: &[u32]) -> Finding {
    let tested = self::version(client.tested).unwrap_or_default();
    let shown = version.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    match version.cmp(&tested) {
        std::cmp::Ordering::Equal => Finding::ok(check, format!("{shown}, as tested")),
        std::cmp::Ordering::Greater => {
            Finding::ok(check, format!("{shown}, newer than the tested {}", client.tested))
        }
        std::cmp::Ordering::Less => Finding::warn(
            check,
            format!("{shown} is older than the tested {}", client.tested),
            format!("if something fails, install a newer one: {}", client.install),
        ),
    }
}

/// Codex reads a catalogue at start and ends when it does not like it.
fn catalogue(program: &Path, env: &Env) -> Finding {
    let check = "codex catalogue";
    let failed = |error: io::Error| {
        Finding::warn(check, format!("not tried: {error}"), "set HOME or XDG_STATE_HOME to a place for files")
    };
    let Some(state) = env.state_dir() else { return failed(io::ErrorKind::NotFound.into()) };
    let folder = state.join("run").join(format!("doctor-{}", chance::hex::<4>()));
    let file = folder.join("catalogue.json");
    let card =
        ModelCard { id: "llmgate-test".to_owned(), context_window: Some(128_000), ..ModelCard::default() };
    let written =
        private::folder(&folder).and_then(|()| files::write_new(&file, &listing::codex_catalogue(&[card])));
    if let Err(error) = written {
        return failed(error);
    }
    let told = ask(Command::new(program)
        .arg("-c")
        .arg(format!("model_catalog_json={:?}", file.display().to_string()))
        .args(["debug", "models"])
        .env("CODEX_HOME", &folder));
    // What cannot be removed harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    match told {
        Ok(text) if text.contains("llmgate-test") => Finding::ok(check, "taken"),
        Ok(_) => Finding::warn(check, "this version does not show it", "start `llmgate run codex` and see"),
        Err(why) => Finding::fail(
            check,
            why.to_string(),
            "this version of Codex wants another catalogue: please report it",
        ),
    }
}

/// What a command says on stdout; its last words on stderr when it fails.
fn ask(command: &mut Command) -> io::Result<String> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, receiver) = bounded(2);
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    for (i, pipe) in pipes.into_iter().enumerate() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // What was read until an error is what there is.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut text));
            // Nobody may be waiting any more.
            let _ = sender.send((i, String::from_utf8_lossy(&text).into_owned()));
        });
    }
    let (mut out, mut err) = (String::new(), String::new());
    for _ in 0..2 {
        match receiver.recv_timeout(PATIENCE) {
            Ok((0, text)) => out = text,
            Ok((_, text)) => err = text,
            Err(_) => {
                // It may have ended.
                let _ = child.kill();
                let _ = child.wait();
                let said = format!("it did not end within {} s", PATIENCE.as_secs());
                return Err(io::Error::other(said));
            }
        }
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(out);
    }
    let words = err
        .lines()
        .find(|line| line.starts_with("Error") || line.starts_with("error"))
        .or_else(|| err.lines().next());
    Err(io::Error::other(format!("it ended with {status}: {}", words.unwrap_or_default())))
}

/// The first `1.2.3` in a text.
fn version(text: &str) -> Option<Vec<u32>> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words
        .filter(|word| word.split('.').count() >= 3)
        .find_map(|word| word.split('.').take(3).map(|part| part.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        for (text, expected) in [
            ("codex-cli 0.169.0\n", Some(vec![0, 169, 0])),
            ("2.1.329 (Claude Code)", Some(vec![2, 1, 329])),
            ("v1.18.33-beta.1", Some(vec![1, 18, 33])),
            ("none 1.2", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}

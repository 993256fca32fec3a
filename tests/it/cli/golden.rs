//! What each command prints, word for word: fixtures/cli/<case>.args (a word a line) -> <case>.out.
//! The files that they read are in fixtures/cli/files; nothing is called.

use std::path::{Path, PathBuf};

use super::{command, run, text};
use crate::support::golden;
use crate::support::proxy::Folder;

/// The only variables that the cases see.
const VARIABLES: [(&str, &str); 2] =
    [("OPENAI_API_KEY", "sk-test-0123456789abcdefghijklmn"), ("XDG_STATE_HOME", "/nonexistent/state")];

#[test]
fn each_case_prints_what_it_did() {
    let home = Folder::new("cli-golden");
    for path in cases() {
        let words = std::fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = words.lines().collect();
        let output = command(&home, &words, &VARIABLES).current_dir(folder().join("files")).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        for secret in [VARIABLES[0].1, "k-client-0123456789abcdefghij"] {
            let shows = words.starts_with(&["config", "import"]);
            assert!(shows || !out.contains(secret), "{}", path.display());
            assert!(!err.contains(secret), "{}", path.display());
        }
        let told = format!(
            "$ llmgate {}\n{out}--- stderr\n{err}--- exit {}\n",
            words.join(" "),
            output.status.code().unwrap()
        );
        let told = told.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        golden::check(&path.with_extension("out"), &told);
    }
}

#[test]
fn each_command_has_a_case_for_its_help() {
    let home = Folder::new("cli-golden-help");
    let help = text(&run(&home, &["--help"], &[]).stdout);
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = list
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.trim().split("  ").next().unwrap().replace(' ', "-"))
        .collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert!(folder().join(format!("help-{name}.args")).exists(), "help-{name}.args is missing");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cli")
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "args"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 30);
    paths
}

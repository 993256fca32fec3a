//! The completion script in a real bash.

use std::process::Command;

use super::{Folder, run, text};

/// Runs the script's function on some words, the last of which is to be completed.
const ASK: &str =
    r#"eval "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _llmgate; printf '%s\n' "${COMPREPLY[@]}""#;

#[test]
fn bash_offers_words_and_looks_for_files_itself() {
    if Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    let home = Folder::new("cli-shell");
    std::fs::write(home.file("two words.yaml"), "").unwrap();
    let script = text(&run(&home, &["completions", "bash"], &[]).stdout);
    assert!(script.contains("complete -o default "));
    for (words, offered) in [
        (&["he"][..], "health\nhelp\n"),
        (&["config", "add-"], "add-provider\nadd-alias\n"),
        (&["start", "--log-level", "w"], "warn\n"),
        (&["run", "cop"], "copilot\n"),
        // Nothing is offered: then bash looks for files.
        (&["config", "validate", "--config", "two"], "\n"),
        (&["replay", "two"], "\n"),
        (&["run", "codex", "--", "--mod"], "\n"),
    ] {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", ASK, "bash", "llmgate"]).args(words);
        let output = bash.env("SCRIPT", &script).current_dir(&home.0).output().unwrap();
        assert_eq!(text(&output.stdout), offered, "{words:?} {}", text(&output.stderr));
    }
}

//! A new user's first commands: `init`, `config show`, `config key`, `config import`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{check_code, run, text};
use crate::support::lane::{KEY, LANES};
use crate::support::proxy::Folder;

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_first_file_is_private_valid_and_never_overwritten() {
    for preset in ["neutral", "local", "anthropic", "openai", ""] {
        let home = Folder::new(&format!("init-{preset}"));
        let mut words = vec!["init"];
        if !preset.is_empty() {
            words.extend(["--preset", preset]);
        }
        let output = run(&home, &words, &[]);
        check_code(&output, 0);
        let path = home.0.join(".config/llmgate/config.yaml");
        assert!(text(&output.stdout).contains(path.to_str().unwrap()));
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700), "{preset}");
        let first = std::fs::read_to_string(&path).unwrap();
        check_code(&run(&home, &["config", "validate"], &[]), 0);

        let output = run(&home, &words, &[]);
        check_code(&output, 1);
        assert!(text(&output.stderr).contains("--force"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        std::fs::write(&path, "mine").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        words.push("--force");
        check_code(&run(&home, &words, &[]), 0);
        assert_eq!((std::fs::read_to_string(&path).unwrap(), mode(&path)), (first.clone(), 0o600));

        let theirs = home.write("dotfile.yaml", "mine");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&theirs, &path).unwrap();
        check_code(&run(&home, &words, &[]), 0);
        assert!(path.is_symlink() && std::fs::read_to_string(&theirs).unwrap() == first);
    }
}

#[test]
fn keys_that_are_set_become_providers_and_are_not_written() {
    let home = Folder::new("init-keys");
    let variables = [("GROQ_API_KEY", KEY), ("GOOGLE_API_KEY", KEY)];
    let output = run(&home, &["init", "--output", "here/c.yaml", "--json"], &variables);
    check_code(&output, 0);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["path"], "here/c.yaml");
    let file = std::fs::read_to_string(home.file("here/c.yaml")).unwrap();
    assert!(
        file.contains("${GROQ_API_KEY}") && file.contains("${GOOGLE_API_KEY}") && !file.contains(KEY),
        "{file}"
    );
    let output = run(&home, &["config", "validate", "--config", "here/c.yaml"], &variables);
    assert_eq!(text(&output.stdout), "ok: 2 providers, 2 models\n");
}

#[test]
fn the_next_step_can_be_pasted() {
    let home = Folder::new("init-next");
    let output = run(&home, &["init", "--output", "my own/c.yaml"], &[("GROQ_API_KEY", KEY)]);
    check_code(&output, 0);
    assert!(text(&output.stdout).contains(" --config 'my own/c.yaml'"), "{}", text(&output.stdout));
}

#[test]
fn what_is_in_effect_is_shown_masked_and_can_be_used() {
    let home = Folder::new("show");
    let config = home.write("c.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let config = config.to_str().unwrap();
    for words in [&[][..], &["--json"], &["--origin"], &["--origin", "--json"]] {
        let words: Vec<&str> = ["config", "show", "--config", config].iter().chain(words).copied().collect();
        let output = run(&home, &words, &[]);
        check_code(&output, 0);
        let told = text(&output.stdout);
        assert!(!told.contains(KEY) && told.contains("sk-pr****ghij"), "{told}");
    }
    let output = run(&home, &["config", "show", "--config", config], &[]);
    let again = home.write("again.yaml", &text(&output.stdout));
    check_code(&run(&home, &["config", "validate", "--config", again.to_str().unwrap()], &[]), 0);
    let output =
        run(&home, &["config", "show", "--origin", "--config", config, "--listen", "127.0.0.1:7"], &[]);
    let told = text(&output.stdout);
    let line = told.lines().find(|line| line.starts_with("listen:")).unwrap();
    assert!(line.contains("127.0.0.1:7") && line.ends_with("# flag --listen"), "{line}");
}

#[test]
fn keys_are_long_and_never_the_same() {
    let home = Folder::new("key");
    let mut seen = BTreeSet::new();
    for (words, length) in [(&["config", "key"][..], 43), (&["config", "key", "--bytes", "24"], 32)] {
        for _ in 0..3 {
            let output = run(&home, words, &[]);
            check_code(&output, 0);
            let key = text(&output.stdout).trim_end().to_owned();
            let random = key.strip_prefix("gw_").unwrap();
            assert_eq!(random.len(), length);
            assert!(random.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{key}");
            assert!(seen.insert(key));
        }
    }
    check_code(&run(&home, &["config", "key", "--bytes", "16"], &[]), 2);
    let told: Value = serde_json::from_slice(&run(&home, &["config", "key", "--json"], &[]).stdout).unwrap();
    assert!(told["key"].as_str().is_some_and(|key| key.starts_with("gw_") && key.len() == 46), "{told}");
}

#[test]
fn an_import_tells_what_is_still_to_do() {
    let home = Folder::new("import");
    let from = format!("{}/fixtures/import/llmfail-documented.yaml", env!("CARGO_MANIFEST_DIR"));
    let output = run(&home, &["config", "import", &from], &[("OPENAI_API_KEY", KEY)]);
    check_code(&output, 0);
    let said = text(&output.stderr);
    assert!(said.contains("dropped: routes[0].endpoints: "), "{said}");
    assert!(said.contains("to do: ") && said.contains("ANTHROPIC_API_KEY is not set"), "{said}");
    let file = home.write("c.yaml", &text(&output.stdout));
    let variables = [("OPENAI_API_KEY", KEY), ("ANTHROPIC_API_KEY", KEY)];
    check_code(&run(&home, &["config", "validate", "--config", file.to_str().unwrap()], &variables), 0);
    let mut piped = super::command(&home, &["config", "import", "-"], &[]);
    let piped = piped.stdin(std::fs::File::open(&from).unwrap()).output().unwrap();
    assert_eq!(text(&piped.stdout), text(&output.stdout));
    for words in [&[from.as_str(), "--from", "ococl"][..], &["absent.yaml"], &["c.yaml"]] {
        let words: Vec<&str> = ["config", "import"].iter().chain(words).copied().collect();
        let output = run(&home, &words, &[]);
        check_code(&output, 1);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

/// A file without its end would stand in the way of the next try.
#[test]
fn what_cannot_be_written_whole_is_not_left_behind() {
    let home = Folder::new("cli-half");
    let add = ["config", "add-provider", "new", "--base-url", "https://api.openai.com/v1", "--config"];
    for words in [&["init", "--output"][..], &["init", "--force", "--output"], &add] {
        // Files may hold nothing, as on a full disk.
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", script, super::BINARY]).args(words).arg("c.yaml");
        let output = shell.env_clear().env("HOME", &home.0).current_dir(&home.0).output().unwrap();
        check_code(&output, 1);
        assert!(text(&output.stderr).starts_with("c.yaml: File too large"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_dir(&home.0).unwrap().count(), 0, "{words:?}");
    }
    std::fs::create_dir(home.file("folder")).unwrap();
    check_code(&run(&home, &["init", "--force", "--output", "folder"], &[]), 1);
    assert_eq!(std::fs::read_dir(&home.0).unwrap().count(), 1);
}

/// Names of files are bytes there.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_told_too() {
    use std::os::unix::ffi::OsStrExt;
    let home = Folder::new("init-bytes");
    let mut command = super::command(&home, &["init", "--json", "--output"], &[]);
    let name = std::ffi::OsStr::from_bytes(b"\xff.yaml");
    let output = command.arg(name).stdin(std::process::Stdio::null()).output().unwrap();
    check_code(&output, 0);
    assert_eq!(text(&output.stdout), "{\"path\":\"\u{fffd}.yaml\"}\n");
}

/// `/dev/full` is Linux's.
#[cfg(target_os = "linux")]
#[test]
fn output_to_a_full_disk_is_a_failure() {
    let home = Folder::new("cli-full");
    for words in [&["config", "key"][..], &["config", "show", "--demo"], &["completions", "bash"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = super::command(&home, words, &[]).stdout(full).output().unwrap();
        check_code(&output, 1);
        assert!(text(&output.stderr).starts_with("stdout: No space left"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_service_starts_with_the_configuration_that_is_in_use() {
    let home = Folder::new("cli-service");
    let other = home.write("other.yaml", "");
    let file = home.write("own.yaml", "");
    for (words, expected) in [(&[][..], &file), (&["--config", "other.yaml"], &other)] {
        let words = [&["service", "print", "--systemd"][..], words].concat();
        let unit = text(&run(&home, &words, &[("LLMGATE_CONFIG", "own.yaml")]).stdout);
        let start = format!(" start --config {}\n", expected.canonicalize().unwrap().display());
        assert!(unit.contains(&start), "{unit}");
    }
    for (words, begins) in [
        (&["--launchd"][..], "<?xml "),
        (&["--launchd", "--systemd"], "# Save as ~/.config/systemd/"),
        #[cfg(not(target_os = "macos"))]
        (&[], "# Save as ~/.config/systemd/"),
    ] {
        let output = run(&home, &[&["service", "print"], words].concat(), &[]);
        assert!(text(&output.stdout).starts_with(begins), "{words:?}");
    }
}

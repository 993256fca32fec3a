//! `config add-provider`, `config add-alias`: lines are added to a file of the user's, and nothing
//! else happens to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::{check_code, command, run, text};
use crate::support::lane::KEY;
use crate::support::proxy::Folder;

const FILE: &str = "# Mine.\nversion: 1\n\nproviders:   # paid\n    up:\n        base_url: https://up.test/v1\n        \
                    protocol: openai-chat\n\n# Names\nmodels:\n    a: up/x   # the best\n";
const NEW: &[&str] =
    &["config", "add-provider", "new", "--protocol", "openai-chat", "--base-url", "https://new.test/v1"];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[track_caller]
fn adds(home: &Folder, words: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let output = run(home, words, variables);
    check_code(&output, 0);
    (text(&output.stdout), text(&output.stderr))
}

/// It ends with this code, and the file stays as it is; what is said on stdout and stderr.
#[track_caller]
fn refuses(home: &Folder, file: &str, words: &[&str], code: i32) -> (String, String) {
    let path = home.write("c.yaml", file);
    let words: Vec<&str> = words.iter().chain(&["--config", "c.yaml"]).copied().collect();
    let output = run(home, &words, &[]);
    check_code(&output, code);
    assert_eq!(fs::read_to_string(&path).unwrap(), file);
    assert!(!home.file("c.yaml.new").exists());
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn lines_are_added_and_all_others_stay() {
    let home = Folder::new("add");
    let path = home.write("my c.yaml", FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("my c.yaml", home.file("link.yaml")).unwrap();
    let file = ["--config", "link.yaml"];
    let words: Vec<&str> = NEW.iter().chain(&["--key-env", "NEW_KEY"]).chain(&file).copied().collect();
    let (said, aside) = adds(&home, &words, &[]);
    assert_eq!(
        said,
        "added provider new to link.yaml (line 8)\n\
         next: export NEW_KEY=...; llmgate does not start with this file without it\n\
         next: llmgate providers check --provider new --config link.yaml\n"
    );
    assert_eq!(
        aside,
        "to do: providers.new.api_key_env: the environment variable NEW_KEY is not set: set it, or disable the \
         provider\n"
    );
    // What was added before is not exported yet; that hinders nobody.
    let words = ["config", "add-alias", "claude-*", "new/y", "up/*", "--config", "my c.yaml"];
    let (said, aside) = adds(&home, &words, &[]);
    assert_eq!(
        said,
        "added alias claude-* to my c.yaml (line 16)\n\
         next: llmgate route explain --model 'claude-*' --config 'my c.yaml'\n"
    );
    assert!(aside.starts_with("to do: ") && aside.lines().count() == 1, "{aside}");
    let provider = "    new:\n        protocol: openai-chat\n        base_url: https://new.test/v1\n        \
                    api_key_env: NEW_KEY\n";
    let alias = "    \"claude-*\":\n        targets:\n            - {to: new/y, priority: 1}\n            \
                 - {to: \"up/*\", priority: 2}\n";
    let (first, rest) = FILE.split_once("\n# Names").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{first}{provider}\n# Names{rest}{alias}"));
    assert_eq!(mode(&path), 0o640);
    assert!(home.file("link.yaml").is_symlink() && !home.file("my c.yaml.new").exists());
    let (said, _) = adds(&home, &["config", "validate", "--config", "link.yaml"], &[("NEW_KEY", KEY)]);
    assert_eq!(said, "ok: 2 providers, 2 models\n");
}

#[test]
fn a_file_that_is_not_there_is_made_for_a_provider() {
    let home = Folder::new("add-first");
    let output = run(&home, &["config", "add-alias", "a", "new/x"], &[]);
    check_code(&output, 2);
    assert!(text(&output.stderr).contains("llmgate init"), "{}", text(&output.stderr));
    let path = home.file(".config/llmgate/config.yaml");
    assert!(!path.exists());
    let words: Vec<&str> = NEW.iter().chain(&["--key-env", "NEW_KEY"]).copied().collect();
    let variables = [("NEW_KEY", KEY), ("GROQ_API_KEY", KEY)];
    let (said, aside) = adds(&home, &words, &variables);
    let begins = format!("added provider new to {} (line 4)\n", path.display());
    assert_eq!(said, format!("{begins}next: llmgate providers check --provider new\n"));
    // Until now there was another provider.
    assert!(aside.starts_with("note: ") && aside.contains("(groq)"), "{aside}");
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let file = fs::read_to_string(&path).unwrap();
    assert!(file.starts_with("version: 1\n\nproviders:\n  new:\n") && !file.contains(KEY), "{file}");
    let (said, _) = adds(&home, &["config", "add-alias", "a", "new/x", "--json"], &variables);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["added"], &told["line"]), (&Value::from("models.a"), &Value::from(10)));
    assert_eq!(told["yaml"], "models:\n  a: new/x\n");
    assert_eq!(adds(&home, &["config", "validate"], &variables).0, "ok: 1 providers, 1 models\n");
}

#[test]
fn what_init_writes_can_be_added_to() {
    for (preset, variable) in
        [("local", "X"), ("neutral", "X"), ("anthropic", "X"), ("", "OPENROUTER_API_KEY")]
    {
        let home = Folder::new(&format!("add-init-{preset}"));
        let preset: &[&str] = if preset.is_empty() { &[] } else { &["--preset", preset] };
        let init: Vec<&str> = ["init"].iter().chain(preset).copied().collect();
        adds(&home, &init, &[(variable, KEY)]);
        adds(&home, NEW, &[(variable, KEY)]);
        adds(&home, &["config", "add-alias", "mine", "new/x"], &[(variable, KEY)]);
        adds(&home, &["config", "validate"], &[(variable, KEY)]);
    }
}

#[test]
fn lines_are_only_shown_when_that_is_asked() {
    let home = Folder::new("add-print");
    let words = ["config", "add-alias", "b", "up/x", "--print"];
    let (said, _) = refuses(&home, FILE, &words, 0);
    assert_eq!(said, "models:\n  b: up/x\n");
    let (said, _) = refuses(&home, FILE, &[&words[..], &["--json"]].concat(), 0);
    assert_eq!(said, "{\"entry\":\"models.b\",\"yaml\":\"models:\\n  b: up/x\\n\"}\n");
    let (said, aside) = refuses(&home, FILE, &["config", "add-alias", "b", "ub/x", "--print"], 2);
    assert!(said.is_empty() && aside.contains("did you mean `up`?"), "{aside}");
}

#[test]
fn a_layout_that_is_not_understood_gets_the_lines_told() {
    let home = Folder::new("add-layout");
    let json =
        r#"{"version": 1, "providers": {"up": {"base_url": "https://up.test/v1", "protocol": "gemini"}}}"#;
    for file in [json, &FILE.replace("models:\n", "models: {}\n").replace("    a: ", "# a: ")] {
        let (said, aside) = refuses(&home, file, &["config", "add-alias", "b", "up/x"], 2);
        assert_eq!(said, "models:\n  b: up/x\n");
        assert!(aside.contains("c.yaml: models ") && aside.contains("nothing is changed"), "{aside}");
    }
}

#[test]
fn what_would_be_wrong_is_not_written() {
    let home = Folder::new("add-wrong");
    let url = ["--base-url", "https://new.test/v1"];
    let provider = |name: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        ["config", "add-provider", name].iter().chain(more).copied().collect()
    };
    for (words, said) in [
        (provider("up", &url), "c.yaml: providers.up is there already"),
        (provider("2x", &url), "providers.2x: a provider's name begins with a letter"),
        (provider("new", &url), "providers.new.protocol: missing"),
        (provider("new", &["--base-url", "new.test"]), "providers.new.base_url: must begin with http"),
        (provider("new", &[]), "--base-url is missing"),
        (vec!["config", "add-alias", "a", "up/x"], "c.yaml: models.a is there already"),
        (vec!["config", "add-alias", "b", "x"], "models.b: must be provider/model"),
        (vec!["config", "add-alias", "b", "up/x", "a"], "models.b.targets[1].to: an alias is not a target"),
        (vec!["config", "add-alias", "b c", "up/x"], "models.b c: an alias begins with"),
        (vec!["config", "add-alias", "b"], "TARGET... is missing"),
    ] {
        let (out, err) = refuses(&home, FILE, &words, 2);
        assert!(out.is_empty() && err.starts_with(said), "{words:?}: {err}");
    }
    // It may be a key.
    let words = provider("new", &["--base-url", "https://api.openai.com/v1", "--key-env", "sk-0123456789"]);
    let (out, err) = refuses(&home, FILE, &words, 2);
    assert!(out.is_empty() && err.contains("name of an environment variable"), "{err}");
    assert!(!err.contains("0123456789"), "{err}");
    // What is wrong already is told with its place.
    for file in [&FILE.replace("up/x", "ub/x"), "version: 1\nproviders: [\n", "version: 2\n"] {
        let (out, err) = refuses(&home, file, NEW, 2);
        assert!(out.is_empty() && err.contains("c.yaml:"), "{err}");
    }
}

#[test]
fn a_file_that_may_not_be_written_stays() {
    let home = Folder::new("add-rights");
    let path = home.write("c.yaml", FILE);
    home.write("c.yaml.new", "somebody's");
    let words: Vec<&str> = NEW.iter().chain(&["--config", "c.yaml"]).copied().collect();
    let output = run(&home, &words, &[]);
    check_code(&output, 1);
    let said = text(&output.stderr);
    assert!(said.contains("c.yaml.new: ") && said.contains("nothing is changed"), "{said}");
    assert_eq!(fs::read_to_string(home.file("c.yaml.new")).unwrap(), "somebody's");
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    // One cannot add lines to what is no file.
    let output = run(&home, &["config", "add-alias", "b", "up/x", "--config", "/dev/null"], &[]);
    check_code(&output, 2);
}

/// Whoever of several comes too late says so, and nobody's lines are lost.
#[test]
fn several_at_once_lose_nothing() {
    let home = Folder::new("add-many");
    let path = home.write("c.yaml", FILE);
    let started = (0..8).map(|i| {
        let (name, file) = (format!("n{i}"), path.to_str().unwrap());
        let words = ["config", "add-alias", &name, "up/x", "--config", file];
        let mut command = command(&home, &words, &[]);
        (name, command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    });
    let started: Vec<_> = started.collect();
    let mut done = Vec::new();
    for (name, mut child) in started {
        if child.wait().unwrap().success() {
            done.push(format!("    {name}: up/x"));
        }
    }
    let file = fs::read_to_string(&path).unwrap();
    let mut added: Vec<&str> = file.strip_prefix(FILE).unwrap().lines().collect();
    added.sort_unstable();
    assert!(added == done && !done.is_empty(), "{added:?} {done:?}");
}

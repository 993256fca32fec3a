//! Where clients keep their files, and what is left of a session.

use std::fs;

use super::{Place, check_code, text};

/// The user's own files of every client, secrets among them.
fn users_own(place: &Place) {
    for (file, text) in [
        (".codex/AGENTS.md", "codex rules"),
        (".codex/auth.json", "secret"),
        (".codex/config.toml", "model = \"x\""),
        (".codex/skills/mine/SKILL.md", "skill"),
        (".claude/CLAUDE.md", "claude rules"),
        (".claude/commands/go.md", "go"),
        (".claude/.credentials.json", "secret"),
        (".claude/settings.json", "{}"),
        (".gemini/GEMINI.md", "gemini rules"),
        (".gemini/oauth_creds.json", "secret"),
        (".gemini/settings.json", "{}"),
        (".qwen/QWEN.md", "qwen rules"),
        (".qwen/oauth_creds.json", "secret"),
        (".copilot/copilot-instructions.md", "copilot rules"),
        (".copilot/config.json", "secret"),
        (".kimi-code/AGENTS.md", "kimi rules"),
        (".kimi-code/config.toml", "default_model = \"x\""),
        (".vibe/AGENTS.md", "vibe rules"),
        (".vibe/config.toml", "active_model = \"x\""),
        (".vibe/.env", "secret"),
        (".config/opencode/opencode.json", "{}"),
        (".config/kilo/kilo.json", "{}"),
    ] {
        fs::create_dir_all(place.home.file(file).parent().unwrap()).unwrap();
        place.home.write(file, text);
    }
}

const USERS: [&str; 8] =
    [".codex", ".claude", ".gemini", ".qwen", ".copilot", ".kimi-code", ".vibe", ".config"];

/// The variable that names a client's home, the folder of its files there, and one that is shown.
const HOMES: [(&str, &str, &str, &str); 7] = [
    ("codex", "CODEX_HOME", "", "AGENTS.md"),
    ("claude", "CLAUDE_CONFIG_DIR", "", "CLAUDE.md"),
    ("gemini", "GEMINI_CLI_HOME", ".gemini", "GEMINI.md"),
    ("qwen", "QWEN_HOME", "", "QWEN.md"),
    ("copilot", "COPILOT_HOME", "", "copilot-instructions.md"),
    ("kimi", "KIMI_CODE_HOME", "", "AGENTS.md"),
    ("vibe", "VIBE_HOME", "", "AGENTS.md"),
];

#[test]
fn an_isolated_home_lasts_and_shows_what_is_the_users_but_no_credentials() {
    for (client, variable, below, shown) in HOMES {
        let place = Place::new(&format!("run-isolated-{client}"));
        users_own(&place);
        let before: Vec<_> = USERS.iter().map(|folder| place.files(folder)).collect();
        let session = place.demo(client, &[], &[]);
        let home = place.state("home").join(client);
        assert_eq!(place.variable(variable).as_deref(), home.to_str(), "{client}");
        let files = home.join(below);
        assert!(fs::read_to_string(files.join(shown)).unwrap().contains("rules"), "{client}");
        for name in
            [".env", "auth.json", ".credentials.json", "oauth_creds.json", "config.toml", "config.json"]
        {
            assert!(!files.join(name).exists(), "{client} {name}");
        }
        // What a client adds to a folder that is shown stays out of the user's.
        if client == "codex" {
            assert!(files.join("skills/mine/SKILL.md").is_file());
            fs::create_dir_all(files.join("skills/.system")).unwrap();
        }
        fs::write(files.join("history"), "session").unwrap();
        assert_eq!(session.end().code, Some(0));
        assert_eq!(fs::read_to_string(files.join("history")).unwrap(), "session", "{client}");
        let after: Vec<_> = USERS.iter().map(|folder| place.files(folder)).collect();
        assert_eq!(before, after, "{client}");
        // The second session finds it as it was.
        assert_eq!(place.demo(client, &[], &[]).end().code, Some(0), "{client}");
        assert!(files.join("history").exists());
        assert!(place.files(".local/state/llmgate/run").is_empty(), "{client}");
    }
}

#[test]
fn a_temporary_home_is_removed() {
    for (client, variable) in
        [("codex", "CODEX_HOME"), ("opencode", "XDG_DATA_HOME"), ("kilo", "XDG_STATE_HOME")]
    {
        let place = Place::new(&format!("run-temp-{client}"));
        let session = place.demo(client, &["--home", "temp"], &[]);
        let home = place.variable(variable).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(format!("{home}/history"), "session").unwrap();
        assert_eq!(session.end().code, Some(0));
        assert!(!std::path::Path::new(&home).exists());
        assert!(place.files(".local/state/llmgate/run").is_empty());
        assert!(place.files(".local/state/llmgate/home").is_empty());
    }
}

#[test]
fn the_users_home_is_used_and_not_written_to() {
    for (client, variable, ..) in HOMES {
        let place = Place::new(&format!("run-user-{client}"));
        users_own(&place);
        let before: Vec<_> = USERS.iter().map(|folder| place.files(folder)).collect();
        let session = place.demo(client, &["--home", "user"], &[]);
        assert_eq!(place.variable(variable), None, "{client}");
        let ended = session.end();
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.err.contains("Google login"), client == "gemini", "{}", ended.err);
        let after: Vec<_> = USERS.iter().map(|folder| place.files(folder)).collect();
        assert_eq!(before, after, "{client}");
        assert!(!place.state("home").exists());
    }
}

#[test]
fn in_the_users_home_gemini_needs_the_key_chosen() {
    for (settings, said) in [
        ("{}", "no sign-in chosen"),
        ("{\"security\":{\"auth\":{\"selectedType\":\"oauth-personal\"}}}", "a Google login is stored"),
        ("{\"security\":{\"auth\":{\"selectedType\":\"gemini-api-key\"}}}", ""),
    ] {
        let place = Place::new("run-gemini-user");
        fs::create_dir_all(place.home.file(".gemini")).unwrap();
        place.home.write(".gemini/settings.json", settings);
        let output = place.output(&["run", "gemini", "--demo", "--home", "user", "--print"], &[]);
        check_code(&output, 0);
        let told = text(&output.stderr);
        assert!(told.contains(said) && told.is_empty() == said.is_empty(), "{told}");
    }
}

#[test]
fn opencode_and_kilo_keep_their_data_in_the_users_home() {
    for client in ["opencode", "kilo"] {
        let place = Place::new(&format!("run-data-{client}"));
        let session = place.demo(client, &[], &[]);
        assert_eq!(place.variable("XDG_DATA_HOME"), None, "{client}");
        assert_eq!(session.end().code, Some(0));
    }
}

#[test]
fn a_log_is_kept_when_it_is_wanted_or_needed() {
    for (words, fake, kept) in [(&[][..], "exit:0", 0), (&["--keep-logs"], "exit:0", 1), (&[], "exit:3", 1)] {
        let place = Place::new(&format!("run-logs-{}-{kept}", &fake[5..]));
        place.demo("claude", words, &[("FAKE", fake)]).ended();
        let logs = place.files(".local/state/llmgate/logs");
        assert_eq!(logs.len(), kept, "{words:?} {fake}");
        if let Some(text) = logs.values().next() {
            let text = String::from_utf8(text.clone()).unwrap();
            assert!(text.contains("listening on") && text.contains("session: 0 requests"), "{text}");
            assert!(!text.contains("gw_"), "{text}");
        }
    }
}

#[test]
fn print_shows_and_does_nothing() {
    for client in super::CLIENTS {
        let place = Place::new(&format!("run-print-{client}"));
        let output = place.output(&["run", client, "--demo", "--print", "--", "a b"], &[]);
        check_code(&output, 0);
        let said = text(&output.stdout);
        assert!(said.contains("NO_PROXY=127.0.0.1,localhost") && said.ends_with("'a b'\n"), "{said}");
        assert!(said.contains("gw_") && said.contains("****"), "{said}");
        let keys = said.match_indices("gw_").map(|(at, _)| said[at..].split_whitespace().next().unwrap());
        assert!(keys.clone().all(|key| key.len() < 20), "{said}");
        assert_eq!(place.noted("argv"), "", "{client} was started");
        assert!(place.files(".local").is_empty(), "{client}");
    }
}

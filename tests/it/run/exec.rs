//! `exec`: any program, told of the proxy by the variables that SDKs read.

use std::os::unix::fs::symlink;

use super::{FAKE, Place, Session, ask, check_code, text};

/// Where a program is told of the proxy, and what follows there.
const URLS: [(&str, &str); 6] = [
    ("OPENAI_BASE_URL", "/openai/v1"),
    ("OPENAI_API_BASE", "/openai/v1"),
    ("ANTHROPIC_BASE_URL", "/anthropic"),
    ("ANTHROPIC_API_BASE", "/anthropic"),
    ("GOOGLE_GEMINI_BASE_URL", "/gemini"),
    ("GEMINI_API_BASE", "/gemini/v1beta"),
];
const KEYS: [&str; 3] = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"];
const MODELS: [&str; 3] = ["OPENAI_MODEL", "ANTHROPIC_MODEL", "GEMINI_MODEL"];

/// A home with a program that llmgate knows nothing of.
fn place(name: &str) -> Place {
    let place = Place::new(name);
    symlink(FAKE, place.home.file("bin/tool")).unwrap();
    place
}

#[test]
fn a_program_reaches_the_proxy_by_what_sdks_read() {
    let place = place("run-exec");
    let own = [("GROQ_API_KEY", "sk-provider"), ("ANTHROPIC_AUTH_TOKEN", "sk-other"), ("MINE", "kept")];
    let words = ["exec", "tool", "--demo", "--", "--flag", "two words"];
    let session = Session::start(&place, place.llmgate(&words, &own));
    assert_eq!(place.argv(), ["--flag", "two words"]);
    let base = place.variable("OPENAI_BASE_URL").unwrap();
    let url = base.strip_suffix("/openai/v1").unwrap();
    for (name, below) in URLS {
        assert_eq!(place.variable(name), Some(format!("{url}{below}")), "{name}");
    }
    let key = place.variable("OPENAI_API_KEY").unwrap();
    for name in KEYS {
        assert_eq!(place.variable(name).as_deref(), Some(&key[..]), "{name}");
    }
    for name in MODELS {
        assert_eq!(place.variable(name).as_deref(), Some("demo"), "{name}");
    }
    assert_eq!(place.variable("MINE").as_deref(), Some("kept"));
    for name in ["GROQ_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
        assert_eq!(place.variable(name), None, "{name}");
    }
    let body = r#"{"model":"demo","messages":[{"role":"user","content":"hello"}]}"#;
    assert_eq!(ask(&base, "POST", "/chat/completions", &key, body).status(), 200);
    assert_eq!(ask(&base, "POST", "/chat/completions", "another", body).status(), 401);
    assert_eq!(session.end().code, Some(0));
    assert!(!place.state("home").exists());
}

#[test]
fn a_model_is_told_where_there_is_one() {
    let place = place("run-exec-model");
    let file = "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: \"http://127.0.0.1:9/v1\"}\n  \
                two: {protocol: openai-chat, base_url: \"http://127.0.0.1:9/v1\"}\nmodels: {coding: up/m}\n";
    place.home.write("own.yaml", file);
    let config = place.home.file("own.yaml");
    let words = ["exec", "tool", "--config", config.to_str().unwrap()];
    let session = Session::start(&place, place.llmgate(&words, &[("OPENAI_MODEL", "the-callers")]));
    assert_eq!(place.variable("OPENAI_MODEL"), None);
    assert_eq!(session.end().code, Some(0));
    let named = [&words[..], &["--model", "coding"]].concat();
    let session = Session::start(&place, place.llmgate(&named, &[]));
    assert_eq!(place.variable("OPENAI_MODEL").as_deref(), Some("coding"));
    assert_eq!(session.end().code, Some(0));
    let refused = place.output(&[&words[..], &["--model", "codin"]].concat(), &[]);
    check_code(&refused, 2);
    assert!(text(&refused.stderr).contains("leads to no target. There are: coding"));
}

#[test]
fn a_program_is_found_by_its_name_or_path() {
    let place = place("run-exec-path");
    let path = place.home.file("bin/tool");
    let words = ["exec", path.to_str().unwrap(), "--demo", "--", "a"];
    let session = Session::start(&place, place.llmgate(&words, &[]));
    assert_eq!(place.argv(), ["a"]);
    assert_eq!(session.end().code, Some(0));
    for missing in ["nothing", "./nothing"] {
        let refused = place.output(&["exec", missing, "--demo"], &[]);
        check_code(&refused, 127);
        assert_eq!(text(&refused.stderr), format!("{missing}: there is no such program\n"));
    }
}

//! Claude Code (SPEC 13.3).

use std::ffi::OsString;

use crate::base::object::{Object, object};
use crate::cli::run::client::{Client, Home, Launch, Session};

pub(super) static CLIENT: Client = Client {
    name: "claude",
    program: "claude",
    install: "npm install -g @anthropic-ai/claude-code",
    tested: "2.1.332",
    default_model: Some("claude-opus-5-5"),
    prepare,
};

const WINDOW: &str = "CLAUDE_CODE_AUTO_COMPACT_WINDOW";
const ANTHROPIC: &str = "api.anthropic.com";

/// Names that it asks for by itself, and the variables that say otherwise.
const FAMILIES: [(&str, &str); 3] = [
    ("ANTHROPIC_DEFAULT_OPUS_MODEL", "claude-opus-5-5"),
    ("ANTHROPIC_DEFAULT_SONNET_MODEL", "claude-sonnet-5-5"),
    ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "claude-haiku-4-5"),
];

/// What would lead it elsewhere than to its base URL, or with another credential.
const ELSEWHERE: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
];

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set("ANTHROPIC_BASE_URL", format!("{}/anthropic", session.url));
    launch.set("ANTHROPIC_AUTH_TOKEN", session.key.expose());
    launch.unset.extend(ELSEWHERE);
    if let Some(home) = session.home.own() {
        launch.set("CLAUDE_CONFIG_DIR", home);
        launch.begin_with(home.join(".claude.json"), "{\"hasCompletedOnboarding\":true}".to_owned());
        let users = session.users("CLAUDE_CONFIG_DIR", ".claude");
        let names = ["CLAUDE.md", "skills", "commands", "agents", "rules", "output-styles"];
        launch.show(users.as_deref(), home, &names);
    }
    let settings = session.files.join("claude-settings.json");
    let told = object! {"env": variables(session, &mut launch)};
    launch.write(settings.clone(), told.to_string());
    // `--add-dir` takes every word up to the next option: it must not stand last.
    launch.argue([OsString::from("--add-dir"), session.workspace.into()]);
    launch.argue([OsString::from("--settings"), settings.into()]);
    launch.argue(["--model", &session.model.id]);
    if session.dangerous {
        launch.argue(["--dangerously-skip-permissions"]);
    }
    launch
}

/// A settings file wins over what the user's own settings say about the same variables.
fn variables(session: &Session<'_>, launch: &mut Launch) -> Object {
    let mut variables = object! {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "ENABLE_TOOL_SEARCH": "true",
    };
    if !session.served_only_by(ANTHROPIC) {
        variables.put("CLAUDE_CODE_ATTRIBUTION_HEADER", "0");
    }
    for (variable, name) in FAMILIES {
        if !(session.resolves)(name) {
            variables.put(variable, session.model.id.as_str());
        }
    }
    // It knows the context of its vendor's models. Of other names it assumes 1,000,000 tokens, and
    // compacts too late. What is assumed here wins over nothing that the user says.
    let is_said = session.is_of_vendor(ANTHROPIC) || session.env.var(WINDOW).is_some();
    if session.model.context_window.is_some() || !is_said {
        variables.put(WINDOW, session.context(launch).to_string());
    }
    if *session.home == Home::User {
        // The user's own settings may name another place.
        variables.put("ANTHROPIC_BASE_URL", format!("{}/anthropic", session.url));
        variables.put("ANTHROPIC_AUTH_TOKEN", session.key.expose());
    }
    variables
}

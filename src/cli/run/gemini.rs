//! Gemini CLI (SPEC 13.3).

use std::ffi::OsString;
use std::path::Path;

use crate::base::object::object;
use crate::cli::run::client::{Client, Launch, Session};

pub(super) static CLIENT: Client = Client {
    name: "gemini",
    program: "gemini",
    install: "npm install -g @google/gemini-cli",
    tested: "0.61.0",
    default_model: Some("gemini-3.8-flash"),
    prepare,
};

/// What would make it sign in another way, and then ignore the base URL.
const ELSEWHERE: &[&str] =
    &["GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "GOOGLE_VERTEX_BASE_URL"];

const BY_KEY: &str = "gemini-api-key";

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set("GEMINI_API_KEY", session.key.expose());
    // The client adds the version segment itself.
    launch.set("GOOGLE_GEMINI_BASE_URL", format!("{}/gemini", session.url));
    launch.unset.extend(ELSEWHERE);
    let users = session.users("GEMINI_CLI_HOME", "").map(|home| home.join(".gemini"));
    match session.home.own() {
        Some(home) => {
            launch.set("GEMINI_CLI_HOME", home);
            let own = home.join(".gemini");
            let settings = object! {
                "security": object! {"auth": object! {"selectedType": BY_KEY}},
                "model": object! {"compressionThreshold": 0.85},
            };
            launch.begin_with(own.join("settings.json"), settings.to_string());
            launch.show(users.as_deref(), &own, &["GEMINI.md", "commands", "skills", "agents", "policies"]);
        }
        None => launch.notes.extend(users.as_deref().and_then(sign_in).map(str::to_owned)),
    }
    launch.argue([OsString::from("--include-directories"), session.workspace.into()]);
    launch.argue(["--model", &session.model.id]);
    if session.dangerous {
        launch.argue(["--sandbox=false", "--yolo"]);
    }
    launch
}

/// Why the user's own settings may keep the client from llmgate. It reads system-wide settings from
/// files of root's only, so that nothing but the user's choice decides here.
fn sign_in(users: &Path) -> Option<&'static str> {
    let settings = std::fs::read_to_string(users.join("settings.json")).unwrap_or_default();
    if settings.contains(BY_KEY) {
        return None;
    }
    let has_login = users.join("oauth_creds.json").exists() || settings.contains("oauth-personal");
    Some(if has_login {
        "a Google login is stored: Gemini CLI may use it and ignore llmgate. Leave out --home user, or choose \
         the API key with /auth"
    } else {
        "Gemini CLI has no sign-in chosen in your home: choose the API key with /auth, or leave out --home user"
    })
}

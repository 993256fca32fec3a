//! Mistral Vibe. Each key of its file can be said by a variable, which wins.

use serde_json::json;

use crate::base::object::{list, object};
use crate::cli::run::client::{Client, Launch, SESSION_KEY, Session};

pub(super) static CLIENT: Client = Client {
    name: "vibe",
    program: "vibe",
    install: "uv tool install mistral-vibe",
    tested: "3.0.2",
    default_model: None,
    prepare,
};

/// Other models for single purposes; they would be asked directly.
const ELSEWHERE: &[&str] = &["VIBE_COMPACTION_MODEL", "VIBE_UTILITY_MODELS", "VIBE_VISION_MODEL"];

/// Versions, telemetry, and what its vendor would choose by itself.
const QUIET: &[(&str, &str)] = &[
    ("VIBE_ENABLE_UPDATE_CHECKS", "false"),
    ("VIBE_ENABLE_AUTO_UPDATE", "false"),
    ("VIBE_ENABLE_TELEMETRY", "false"),
    ("VIBE_EXPERIMENTS__ENABLE", "false"),
];

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set(SESSION_KEY, session.key.expose());
    let provider = object! {
        "name": "llmgate",
        "api_base": format!("{}/anthropic", session.url),
        "api_key_env_var": SESSION_KEY,
        "backend": "generic",
        "api_style": "anthropic",
    };
    let context = session.context(&mut launch);
    let model = object! {
        "name": session.model.id.as_str(),
        "provider": "llmgate",
        "supports_images": session.sees_images(),
        "max_context_length": context,
        "max_output_tokens": session.output(context),
    };
    launch.set("VIBE_PROVIDERS", list(vec![provider]));
    launch.set("VIBE_MODELS", list(vec![model]));
    launch.set("VIBE_ACTIVE_MODEL", session.model.id.as_str());
    // Where the user's own file allows others only, one of those would be taken.
    launch.set("VIBE_ALLOWED_MODELS", json!([session.model.id]).to_string());
    launch.unset.extend(ELSEWHERE);
    QUIET.iter().for_each(|(name, value)| launch.set(name, *value));
    if let Some(home) = session.home.own() {
        launch.set("VIBE_HOME", home);
        let users = session.users("VIBE_HOME", ".vibe");
        launch.show(users.as_deref(), home, &["AGENTS.md", "skills", "agents", "prompts", "tools"]);
    }
    if session.dangerous {
        launch.argue(["--auto-approve"]);
    }
    launch
}

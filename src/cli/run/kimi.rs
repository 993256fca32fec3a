//! Kimi Code. `KIMI_MODEL_*` are a model and its provider, beside those of its file. They may be Chat or
//! Messages; in Messages a model's reasoning comes back with its signature.

use crate::cli::run::client::{Client, Launch, Session};

pub(super) static CLIENT: Client = Client {
    name: "kimi",
    program: "kimi",
    install: "npm install -g @moonshot-ai/kimi-code",
    tested: "2.1.0",
    default_model: None,
    prepare,
};

/// Another model for its subagents; it would be asked directly.
const ELSEWHERE: &[&str] = &["KIMI_SECONDARY_MODEL"];

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set("KIMI_MODEL_NAME", session.model.id.as_str());
    launch.set("KIMI_MODEL_DISPLAY_NAME", session.model.id.as_str());
    launch.set("KIMI_MODEL_PROVIDER_TYPE", "anthropic");
    launch.set("KIMI_MODEL_BASE_URL", format!("{}/anthropic", session.url));
    launch.set("KIMI_MODEL_API_KEY", session.key.expose());
    let context = session.context(&mut launch);
    launch.set("KIMI_MODEL_MAX_CONTEXT_SIZE", context.to_string());
    launch.set("KIMI_MODEL_MAX_OUTPUT_SIZE", session.output(context).to_string());
    launch
        .set("KIMI_MODEL_CAPABILITIES", if session.sees_images() { "thinking,image_in" } else { "thinking" });
    launch.unset.extend(ELSEWHERE);
    launch.set("KIMI_CODE_NO_AUTO_UPDATE", "1");
    launch.set("KIMI_DISABLE_TELEMETRY", "1");
    if let Some(home) = session.home.own() {
        launch.set("KIMI_CODE_HOME", home);
        let users = session.users("KIMI_CODE_HOME", ".kimi-code");
        launch.show(users.as_deref(), home, &["AGENTS.md", "skills", "agents"]);
    }
    if session.dangerous {
        launch.argue(["--auto"]);
    }
    launch
}

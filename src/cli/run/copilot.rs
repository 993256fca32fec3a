//! GitHub Copilot CLI with a provider of one's own, which it calls BYOK (`copilot help providers`). It
//! speaks Chat, Responses and Messages; over Responses it sends a model's reasoning back, and no sampling
//! that models refuse.

use crate::cli::run::client::{Client, Launch, Session};

pub(super) static CLIENT: Client = Client {
    name: "copilot",
    program: "copilot",
    install: "npm install -g @github/copilot",
    tested: "1.0.102",
    default_model: None,
    prepare,
};

/// What would lead it elsewhere, or win over what is set.
const ELSEWHERE: &[&str] = &[
    "COPILOT_MODEL",
    "COPILOT_PROVIDER_API_KEY_COMMAND",
    "COPILOT_PROVIDER_BEARER_TOKEN",
    "COPILOT_PROVIDER_HEADERS",
    "COPILOT_PROVIDER_MODEL_ID",
    "COPILOT_PROVIDER_TRANSPORT",
    "COPILOT_PROVIDER_WIRE_MODEL",
];

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set("COPILOT_PROVIDER_BASE_URL", format!("{}/openai/v1", session.url));
    launch.set("COPILOT_PROVIDER_TYPE", "openai");
    launch.set("COPILOT_PROVIDER_WIRE_API", "responses");
    launch.set("COPILOT_PROVIDER_API_KEY", session.key.expose());
    launch.unset.extend(ELSEWHERE);
    // It knows the limits of many models by their names, and has careful ones for the others.
    if let Some(context) = session.model.context_window {
        let output = session.output(context);
        launch.set("COPILOT_PROVIDER_MAX_PROMPT_TOKENS", context.saturating_sub(output).to_string());
        launch.set("COPILOT_PROVIDER_MAX_OUTPUT_TOKENS", output.to_string());
    }
    if let Some(home) = session.home.own() {
        launch.set("COPILOT_HOME", home);
        let users = session.users("COPILOT_HOME", ".copilot");
        let shown = ["copilot-instructions.md", "instructions", "skills", "agents"];
        launch.show(users.as_deref(), home, &shown);
    }
    launch.argue(["--model", &session.model.id]);
    if session.dangerous {
        launch.argue(["--yolo"]);
    }
    launch
}

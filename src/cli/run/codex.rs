//! Codex CLI (SPEC 13.3). Its own configuration stays as it is: everything is said by `-c`.

use std::ffi::OsString;

use crate::cli::run::client::{Client, Launch, SESSION_KEY, Session};
use crate::protocol::listing::{self, ModelCard};

pub(super) static CLIENT: Client = Client {
    name: "codex",
    program: "codex",
    install: "npm install -g @openai/codex",
    tested: "0.171.0",
    default_model: Some("gpt-6.2-sol"),
    prepare,
};

const OPENAI: &str = "api.openai.com";

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set(SESSION_KEY, session.key.expose());
    if let Some(home) = session.home.own() {
        launch.set("CODEX_HOME", home);
        let users = session.users("CODEX_HOME", ".codex");
        launch.show(
            users.as_deref(),
            home,
            &["AGENTS.md", "AGENTS.override.md", "prompts", "skills", "rules"],
        );
    }
    launch.argue([
        OsString::from("-C"),
        session.workspace.into(),
        "-m".into(),
        session.model.id.clone().into(),
    ]);
    if session.dangerous {
        launch.argue(["--dangerously-bypass-approvals-and-sandbox"]);
    } else {
        launch.argue(["--sandbox", "workspace-write"]);
    }
    set(&mut launch, "model_provider", &text("llmgate"));
    set(&mut launch, "model_providers.llmgate", &provider(session.url));
    set(&mut launch, "features.enable_request_compression", "false");
    // Codex knows its vendor's models better than any catalogue says: its own prompt, tools and limits
    // for each. So a model of OpenAI's that is served by OpenAI keeps what Codex knows of it.
    if !session.is_of_vendor(OPENAI) {
        let file = session.files.join("codex-models.json");
        set(&mut launch, "model_catalog_json", &text(&file.to_string_lossy()));
        let cards = catalogue(session, &mut launch);
        launch.write(file, listing::codex_catalogue(&cards));
        if session.model.search != Some(true) {
            set(&mut launch, "web_search", &text("disabled"));
        }
    }
    if !session.sees_images() {
        set(&mut launch, "features.view_image", "false");
    }
    launch
}

/// What llmgate lists, the model first.
fn catalogue(session: &Session<'_>, launch: &mut Launch) -> Vec<ModelCard> {
    let context = session.context(launch);
    let model = ModelCard { context_window: Some(context), ..session.model.clone() };
    let others = session.listed.iter().filter(|card| card.id != model.id).cloned();
    let others: Vec<ModelCard> = others.collect();
    std::iter::once(model).chain(others).collect()
}

/// It is not called OpenAI, so that Codex compacts by an ordinary call.
fn provider(url: &str) -> String {
    format!(
        "{{name={}, base_url={}, env_key={}, wire_api=\"responses\", supports_websockets=false, \
         request_max_retries=2, stream_max_retries=3, stream_idle_timeout_ms=330000}}",
        text("llmgate"),
        text(&format!("{url}/openai/v1")),
        text(SESSION_KEY)
    )
}

fn set(launch: &mut Launch, key: &str, value: &str) {
    launch.argue(["-c".to_owned(), format!("{key}={value}")]);
}

/// A TOML string: JSON's is one.
fn text(text: &str) -> String {
    serde_json::json!(text).to_string()
}

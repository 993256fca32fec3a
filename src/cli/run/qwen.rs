//! Qwen Code. It speaks all four protocols; Chat is what it was made for.

use std::ffi::OsString;

use crate::cli::run::client::{Client, Launch, Session};

pub(super) static CLIENT: Client = Client {
    name: "qwen",
    program: "qwen",
    install: "npm install -g @qwen-code/qwen-code",
    tested: "0.24.4",
    default_model: Some("qwen3.7-max"),
    prepare,
};

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = Launch::default();
    launch.set("OPENAI_API_KEY", session.key.expose());
    launch.set("OPENAI_BASE_URL", format!("{}/openai/v1", session.url));
    launch.set("OPENAI_MODEL", session.model.id.as_str());
    if let Some(home) = session.home.own() {
        launch.set("QWEN_HOME", home);
        let settings = r#"{"security":{"auth":{"selectedType":"openai"}}}"#;
        launch.begin_with(home.join("settings.json"), settings.to_owned());
        let users = session.users("QWEN_HOME", ".qwen");
        launch.show(users.as_deref(), home, &["QWEN.md", "commands", "skills", "agents"]);
    }
    launch.argue([OsString::from("--include-directories"), session.workspace.into()]);
    launch.argue(["--auth-type", "openai", "--model", &session.model.id]);
    if session.dangerous {
        launch.argue(["--yolo"]);
    }
    launch
}

//! OpenCode (SPEC 13.3). `OPENCODE_CONFIG_CONTENT` is merged over all its other files.

use crate::base::object::{Object, object};
use crate::cli::run::client::{Client, Home, Launch, SESSION_KEY, Session};

pub(super) static CLIENT: Client = Client {
    name: "opencode",
    program: "opencode",
    install: "npm install -g opencode-ai",
    tested: "1.18.33",
    default_model: None,
    prepare,
};

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = launch(session, "OPENCODE_CONFIG_CONTENT");
    launch.set("OPENCODE_DISABLE_AUTOUPDATE", "1");
    launch
}

/// A session of OpenCode, or of a program made of it, that reads what it merges from this variable.
pub(super) fn launch(session: &Session<'_>, variable: &'static str) -> Launch {
    let mut launch = Launch::default();
    launch.set(SESSION_KEY, session.key.expose());
    if session.env.var(variable).is_some() {
        launch.notes.push(format!("your {variable} is not used in this session"));
    }
    let content = content(session, &mut launch);
    launch.set(variable, content);
    match session.home {
        Home::Temp(home) => {
            launch.set("XDG_DATA_HOME", home.join("data"));
            launch.set("XDG_STATE_HOME", home.join("state"));
            launch.set("XDG_CACHE_HOME", home.join("cache"));
        }
        Home::Isolated(_) | Home::User => {}
    }
    launch.argue(["--model".to_owned(), model(session)]);
    launch
}

fn model(session: &Session<'_>) -> String {
    format!("llmgate/{}", session.model.id)
}

fn content(session: &Session<'_>, launch: &mut Launch) -> String {
    let context = session.context(launch);
    let output = session.output(context);
    let kinds = ["text", "image", "pdf", "audio"];
    let input = session.model.input.as_ref().map_or_else(
        || vec!["text", "image"],
        |input| kinds.into_iter().filter(|kind| input.contains(kind)).collect(),
    );
    let mut models = Object::default();
    models.put(
        session.model.id.as_str(),
        object! {
            "name": session.model.id.as_str(),
            "limit": object! {"context": context, "output": output},
            "modalities": object! {"input": input, "output": vec!["text"]},
            "attachment": session.sees_images(),
            "tool_call": session.model.tools.unwrap_or(true),
        },
    );
    let provider = object! {
        "npm": "@ai-sdk/openai-compatible",
        "name": "llmgate",
        "options": object! {
            "baseURL": format!("{}/openai/v1", session.url),
            "apiKey": format!("{{env:{SESSION_KEY}}}"),
        },
        "models": models,
    };
    let mut content = object! {
        "$schema": "https://opencode.ai/config.json",
        "model": model(session),
        "small_model": model(session),
        "provider": object! {"llmgate": provider},
    };
    if session.dangerous {
        content.put("permission", "allow");
    } else {
        content.put("permission", Object::default());
    }
    content.to_string()
}

//! `exec PROGRAM`: any program that asks a model, with a proxy of its own. It is told of it by the
//! variables that the vendors' SDKs, and what is built on them, read.

use crate::base::secret::Secret;
use crate::cli::run::client::Launch;
use crate::cli::run::{CODES, options, read};
use crate::cli::table::{Row, Word};

pub(in crate::cli) static ROW: Row = Row {
    name: "exec",
    aliases: &[],
    summary: "start any program with a proxy of its own",
    about: "As `run`, for what `run` does not know: an agent, a script, a test. The program is told of the proxy \
            by OPENAI_BASE_URL, ANTHROPIC_BASE_URL and GOOGLE_GEMINI_BASE_URL (OPENAI_API_BASE, \
            ANTHROPIC_API_BASE and GEMINI_API_BASE, too), of the session's key by OPENAI_API_KEY, ANTHROPIC_API_KEY and \
            GEMINI_API_KEY, and of the model, if there is one, by OPENAI_MODEL, ANTHROPIC_MODEL and GEMINI_MODEL.",
    words: &[Word { name: "PROGRAM", help: "its name on PATH, or its path", optional: false, one_of: &[] }],
    rest: Some("what follows is passed on to the program as it is"),
    flags: options::EXEC_FLAGS,
    codes: CODES,
    command: |given| read(options::of_exec(given)),
};

/// What a program needs to talk to llmgate.
pub(super) fn launch(url: &str, key: &Secret, model: Option<&str>) -> Launch {
    let mut launch = Launch::default();
    for (names, below) in [
        (&["OPENAI_BASE_URL", "OPENAI_API_BASE"][..], "/openai/v1"),
        (&["ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE"], "/anthropic"),
        (&["GOOGLE_GEMINI_BASE_URL"], "/gemini"),
        // LiteLLM's, which would ask Google itself without it.
        (&["GEMINI_API_BASE"], "/gemini/v1beta"),
    ] {
        names.iter().for_each(|name| launch.set(name, format!("{url}{below}")));
    }
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
        launch.set(name, key.expose());
    }
    for name in ["OPENAI_MODEL", "ANTHROPIC_MODEL", "GEMINI_MODEL"] {
        match model {
            Some(model) => launch.set(name, model),
            None => launch.unset.push(name),
        }
    }
    // They would win over the keys above.
    launch.unset.extend(["ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY"]);
    launch
}

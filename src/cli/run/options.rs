//! The options of `run` and `exec`, and the file with variables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::run::client::{self, Client, Home};
use crate::cli::table::{COMPAT, CONFIG, DEMO, Flag, LOCAL, TRACE};
use crate::config::{Compat, Words};

/// What `run` or `exec` is asked for.
pub(super) struct Options {
    pub(super) starts: Starts,
    pub(super) model: Option<String>,
    pub(super) workspace: Option<PathBuf>,
    pub(super) config: Option<PathBuf>,
    /// A running llmgate, and how long to wait for it.
    pub(super) running: Option<(String, Duration)>,
    pub(super) env_file: Option<PathBuf>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) grace: Duration,
    pub(super) dangerous: bool,
    pub(super) home: HomeChoice,
    pub(super) compat: Option<Compat>,
    pub(super) trace: Option<PathBuf>,
    pub(super) keep_logs: bool,
    pub(super) local: bool,
    pub(super) demo: bool,
    pub(super) print: bool,
    /// Options about a proxy of its own.
    pub(super) about_proxy: Vec<&'static str>,
    pub(super) arguments: Vec<OsString>,
}

/// What is started in front of the proxy.
pub(super) enum Starts {
    /// A coding agent that llmgate knows.
    Client(&'static Client),
    /// Any program, by its name or its path.
    Program(String),
}

impl Starts {
    /// What it is called in logs.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Client(client) => client.name,
            Self::Program(program) => program.rsplit(['/', '\\']).next().unwrap_or_default(),
        }
    }

    /// The program.
    pub(super) fn program(&self) -> &str {
        match self {
            Self::Client(client) => client.program,
            Self::Program(program) => program,
        }
    }

    /// It is not there.
    pub(super) fn missing(&self) -> Refusal {
        let install = match self {
            Self::Client(client) => Some(client.install),
            Self::Program(_) => None,
        };
        Refusal::NoProgram(self.program().to_owned(), install)
    }
}

/// `--home`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HomeChoice {
    Isolated,
    User,
    Temp,
}

impl HomeChoice {
    /// Where a client's files are; `state` is the folder of what lasts, `files` of what does not.
    pub(super) fn of(self, client: &Client, state: &Path, files: &Path) -> Home {
        match self {
            Self::Isolated => Home::Isolated(state.join("home").join(client.name)),
            Self::Temp => Home::Temp(files.join("home")),
            Self::User => Home::User,
        }
    }
}

static MODEL: Flag = Flag::text(
    "model",
    "NAME",
    "the model (default: `default_model`, else the client's own, if it leads anywhere)",
);
static WORKSPACE: Flag = Flag::path("workspace", "DIR", "where the client works (default: here)");
static PROXY_BASE: Flag = Flag::text(
    "proxy-base",
    "URL",
    "use a running llmgate and start none; its key is taken from LLMGATE_KEY",
);
static HEALTH_TIMEOUT: Flag =
    Flag::text("proxy-health-timeout-secs", "N", "wait so long for --proxy-base (default: 10)");
static ENV_FILE: Flag =
    Flag::path("env-file", "FILE", "NAME=value lines; what the environment says already wins");
static PROXY_HOST: Flag = Flag::text("proxy-host", "HOST", "where the proxy listens (default: 127.0.0.1)");
static PROXY_PORT: Flag = Flag::text("proxy-port", "PORT", "on which port (default: 0, any free one)");
static GRACE: Flag = Flag::text(
    "process-stop-grace-secs",
    "N",
    "wait so long for the client after TERM, and for requests at the end (default: 5)",
);
static DANGEROUS: Flag =
    Flag::switch("dangerous-harness", "the client asks for no approval, and is not sandboxed");
static HOME: Flag = Flag::one_of(
    "home",
    "H",
    &["isolated", "user", "temp"],
    "the client's files: in a durable folder of llmgate's that shows your instructions, skills and commands; \
     your own; or in a folder that is removed at the end (default: isolated)",
);
static KEEP_LOGS: Flag = Flag::switch("keep-logs", "keep the log of a session that went well, too");
static BINARY: Flag = Flag::path("binary", "PATH", "for the scripts; not used here");
static PRINT: Flag =
    Flag::switch("print", "print command, environment and files (keys masked), start nothing");

/// Every option of `run`.
pub(super) static FLAGS: &[&Flag] = &[
    &MODEL,
    &WORKSPACE,
    &CONFIG,
    &PROXY_BASE,
    &HEALTH_TIMEOUT,
    &ENV_FILE,
    &PROXY_HOST,
    &PROXY_PORT,
    &GRACE,
    &DANGEROUS,
    &HOME,
    &COMPAT,
    &TRACE,
    &KEEP_LOGS,
    &LOCAL,
    &DEMO,
    &BINARY,
    &PRINT,
];

/// Every option of `exec`: nothing is known of the program's files and approvals.
pub(super) static EXEC_FLAGS: &[&Flag] = &[
    &MODEL,
    &WORKSPACE,
    &CONFIG,
    &PROXY_BASE,
    &HEALTH_TIMEOUT,
    &ENV_FILE,
    &PROXY_HOST,
    &PROXY_PORT,
    &GRACE,
    &COMPAT,
    &TRACE,
    &KEEP_LOGS,
    &LOCAL,
    &DEMO,
    &PRINT,
];

/// Reads those of `run`.
pub(super) fn of_run(given: &Given) -> Result<Options, Mistake> {
    let name = given.word(0).unwrap_or_default();
    let client = client::named(name)
        .ok_or_else(|| Mistake::unknown_word(name.to_owned(), client::NAMES.iter().copied()))?;
    read(given, Starts::Client(client))
}

/// Reads those of `exec`.
pub(super) fn of_exec(given: &Given) -> Result<Options, Mistake> {
    read(given, Starts::Program(given.word(0).unwrap_or_default().to_owned()))
}

fn read(given: &Given, starts: Starts) -> Result<Options, Mistake> {
    // No sum of instants may overflow.
    let seconds = |flag: &Flag, default: u32| {
        let read = given.read(flag, "a number of seconds")?;
        Ok::<_, Mistake>(Duration::from_secs(read.unwrap_or(default).into()))
    };
    let patience = seconds(&HEALTH_TIMEOUT, 10)?;
    Ok(Options {
        starts,
        model: given.text(&MODEL)?,
        workspace: given.path(&WORKSPACE),
        config: given.path(&CONFIG),
        running: running(given)?.map(|url| (url, patience)),
        env_file: given.path(&ENV_FILE),
        host: given.text(&PROXY_HOST)?.unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: given.read(&PROXY_PORT, "a port number, 0 for any free one")?.unwrap_or(0),
        grace: seconds(&GRACE, 5)?,
        dangerous: given.has(&DANGEROUS),
        home: match given.text(&HOME)?.as_deref() {
            Some("user") => HomeChoice::User,
            Some("temp") => HomeChoice::Temp,
            Some(_) | None => HomeChoice::Isolated,
        },
        compat: given.text(&COMPAT)?.as_deref().and_then(Compat::named),
        trace: given.path(&TRACE),
        keep_logs: given.has(&KEEP_LOGS),
        local: given.has(&LOCAL),
        demo: given.has(&DEMO),
        print: given.has(&PRINT),
        about_proxy: [&PROXY_HOST, &PROXY_PORT, &COMPAT, &TRACE, &LOCAL, &DEMO]
            .into_iter()
            .filter_map(|flag| given.has(flag).then_some(flag.name))
            .collect(),
        arguments: given.rest().to_vec(),
    })
}

/// `--proxy-base`.
fn running(given: &Given) -> Result<Option<String>, Mistake> {
    let Some(url) = given.text(&PROXY_BASE)? else { return Ok(None) };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let takes = "must be a URL, such as http://127.0.0.1:8080".to_owned();
        return Err(Mistake::Value("--proxy-base".to_owned(), url, takes));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

/// The variables of a file: `NAME=value` lines, perhaps after `export`, perhaps quoted; `#` begins a
/// comment line.
///
/// # Errors
/// It cannot be read, or a line is none; its content is never shown.
pub(super) fn variables(file: &Path) -> Result<Vec<(String, String)>, Refusal> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Refusal::Usage(format!("{}: {error}", file.display())))?;
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let name = pair.map(|(name, _)| name.trim()).filter(|name| is_name(name));
        let (Some(name), Some((_, value))) = (name, pair) else {
            let place = format!("{}:{}", file.display(), number + 1);
            return Err(Refusal::Usage(format!("{place}: a line must be NAME=value")));
        };
        variables.push((name.to_owned(), unquoted(value.trim()).to_owned()));
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_quotes() {
        let file = std::env::temp_dir().join(format!("llmgate-env-{}", std::process::id()));
        std::fs::write(&file, "# keys\n A=1\nexport B = \"two words\" \n\nC='x=y'\nD=\n_e=\"\n").unwrap();
        let read = variables(&file).unwrap();
        let expected = [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", ""), ("_e", "\"")];
        assert_eq!(read, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        for wrong in ["sk-secret", "1A=x", "A-B=x", "=x", "A;B=x"] {
            std::fs::write(&file, format!("A=1\n{wrong}\n")).unwrap();
            let said = variables(&file).unwrap_err().to_string();
            assert!(said.ends_with(":2: a line must be NAME=value"), "{wrong}: {said}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}

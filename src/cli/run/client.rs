//! The coding agents that `run` can start: a file and a row each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::base::env::Env;
use crate::base::secret::Secret;
use crate::cli::run::{claude, codex, copilot, gemini, kilo, kimi, opencode, qwen, vibe};
use crate::config::vendors;
use crate::protocol::listing::ModelCard;

/// Every client.
pub(super) static CLIENTS: [&Client; 9] = [
    &codex::CLIENT,
    &claude::CLIENT,
    &gemini::CLIENT,
    &opencode::CLIENT,
    &qwen::CLIENT,
    &copilot::CLIENT,
    &kilo::CLIENT,
    &kimi::CLIENT,
    &vibe::CLIENT,
];

/// Their names, as the command table wants them.
pub(in crate::cli) const NAMES: &[&str] =
    &["codex", "claude", "gemini", "opencode", "qwen", "copilot", "kilo", "kimi", "vibe"];

/// One coding agent.
pub(in crate::cli) struct Client {
    /// What it is called here.
    pub(in crate::cli) name: &'static str,
    /// Its program.
    pub(in crate::cli) program: &'static str,
    /// How it is installed.
    pub(in crate::cli) install: &'static str,
    /// The version that was tested.
    pub(in crate::cli) tested: &'static str,
    /// The model that it takes by itself, if it has one.
    pub(super) default_model: Option<&'static str>,
    /// What it needs to talk to llmgate. Nothing is written or started yet.
    pub(super) prepare: fn(&Session<'_>) -> Launch,
}

/// The variable of the session's key, for a client that takes the name of one.
pub(super) const SESSION_KEY: &str = "LLMGATE_SESSION_KEY";

/// One session of a client.
pub(super) struct Session<'a> {
    /// Where llmgate is, without a path.
    pub(super) url: &'a str,
    /// The key that it wants.
    pub(super) key: &'a Secret,
    /// The model, and what is known of it.
    pub(super) model: &'a ModelCard,
    /// All names that llmgate lists.
    pub(super) listed: &'a [ModelCard],
    /// The hosts of the model's targets; none where they are not known.
    pub(super) hosts: &'a [String],
    /// Does llmgate lead this name anywhere?
    pub(super) resolves: &'a dyn Fn(&str) -> bool,
    /// The directory to work in.
    pub(super) workspace: &'a Path,
    /// Nothing is to be approved by hand.
    pub(super) dangerous: bool,
    /// Where the client keeps its files.
    pub(super) home: &'a Home,
    /// Where files of this session alone go; they are removed at its end.
    pub(super) files: &'a Path,
    /// The caller's environment.
    pub(super) env: &'a Env,
}

/// Where a client keeps its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In a durable folder of llmgate's.
    Isolated(PathBuf),
    /// In a folder that is removed at the end.
    Temp(PathBuf),
    /// Where the user's own are.
    User,
}

/// What is to be done before and with a client's start.
#[derive(Debug, Default)]
pub(super) struct Launch {
    /// Arguments before the user's own.
    pub(super) arguments: Vec<OsString>,
    /// Variables that are set.
    pub(super) set: Vec<(&'static str, OsString)>,
    /// Variables that must not be there.
    pub(super) unset: Vec<&'static str>,
    /// Files that are written.
    pub(super) files: Vec<NewFile>,
    /// What of the user's own files is seen in an isolated home.
    pub(super) links: Vec<Link>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// A file to write; only its owner may read it.
#[derive(Debug)]
pub(super) struct NewFile {
    /// Where.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) text: String,
    /// One that is there already stays: the client or its user may have changed it.
    pub(super) only_if_absent: bool,
}

/// Something of the user's that an isolated home shows.
#[derive(Debug)]
pub(super) struct Link {
    /// The user's own file, or a folder whose entries are shown one by one, so that what a client
    /// adds to the folder stays out of the user's.
    pub(super) theirs: PathBuf,
    /// Where it is shown.
    pub(super) ours: PathBuf,
}

impl Home {
    /// The folder, where it is not the user's own.
    pub(super) fn own(&self) -> Option<&Path> {
        match self {
            Self::Isolated(path) | Self::Temp(path) => Some(path),
            Self::User => None,
        }
    }
}

impl Session<'_> {
    /// Are all targets of the model at this host?
    pub(super) fn served_only_by(&self, host: &str) -> bool {
        !self.hosts.is_empty() && self.hosts.iter().all(|known| known == host)
    }

    /// Is it a model of the vendor at this host, served by that vendor alone?
    pub(super) fn is_of_vendor(&self, host: &str) -> bool {
        self.served_only_by(host) && vendors::at_host(host).is_some_and(|vendor| vendor.names(&self.model.id))
    }

    /// Does the model see images? Unless it is known not to.
    pub(super) fn sees_images(&self) -> bool {
        self.model.input.as_ref().is_none_or(|input| input.contains(&"image"))
    }

    /// The context that a client is told of: a careful one where it is not known, with a note.
    pub(super) fn context(&self, launch: &mut Launch) -> u64 {
        const CAREFUL: u64 = 128_000;
        self.model.context_window.unwrap_or_else(|| {
            launch.notes.push(format!(
                "the context of {} is not known: {CAREFUL} tokens are assumed. Say it in the configuration \
                 (providers.<name>.models.<model>.context)",
                self.model.id
            ));
            CAREFUL
        })
    }

    /// The output that is kept free in a context: the model's largest, or what agents ask for.
    pub(super) fn output(&self, context: u64) -> u64 {
        const USUAL: u64 = 32_000;
        self.model.max_output_tokens.unwrap_or_else(|| USUAL.min(context / 4))
    }

    /// The user's own folder of a client: where a variable says, else below the home folder.
    pub(super) fn users(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.env.var(variable).map(PathBuf::from);
        named.or_else(|| self.env.home_dir().map(|home| home.join(below_home)))
    }
}

impl Launch {
    /// Adds arguments.
    pub(super) fn argue<I: Into<OsString>>(&mut self, arguments: impl IntoIterator<Item = I>) {
        self.arguments.extend(arguments.into_iter().map(Into::into));
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.set.push((name, value.into()));
    }

    /// A file of this session.
    pub(super) fn write(&mut self, path: PathBuf, text: String) {
        self.files.push(NewFile { path, text, only_if_absent: false });
    }

    /// A file that a new home begins with.
    pub(super) fn begin_with(&mut self, path: PathBuf, text: String) {
        self.files.push(NewFile { path, text, only_if_absent: true });
    }

    /// Shows these of the user's in another folder.
    pub(super) fn show(&mut self, theirs: Option<&Path>, ours: &Path, names: &[&str]) {
        let Some(theirs) = theirs.filter(|theirs| *theirs != ours) else { return };
        let links = names.iter().map(|name| Link { theirs: theirs.join(name), ours: ours.join(name) });
        self.links.extend(links);
    }
}

/// The client of that name.
pub(in crate::cli) fn named(name: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_every_client() {
        let names: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
        assert_eq!(names, NAMES);
        for client in CLIENTS {
            let by = if client.name == "vibe" { "uv tool install " } else { "npm install -g " };
            assert!(client.install.starts_with(by), "{}", client.name);
        }
    }
}

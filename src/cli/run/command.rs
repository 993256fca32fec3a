//! The client's command line and environment, to be started or to be shown.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::env::Env;
use crate::base::secret::{self, Secret, mask_known};
use crate::base::sort;
use crate::cli::run::client::Launch;
use crate::cli::run::options::Options;
use crate::config::{self, Config};

/// The proxy is reached directly.
const DIRECT: &str = "127.0.0.1,localhost";

/// What is started, but for program and place.
pub(super) struct Plan {
    /// What the client needs.
    pub(super) launch: Launch,
    set: Vec<(OsString, OsString)>,
    unset: Vec<String>,
    arguments: Vec<OsString>,
}

impl Plan {
    /// The caller's environment without keys of providers, with the variables of a file that are not
    /// among them, and with what the client needs.
    pub(super) fn new(
        options: &Options,
        env: &Env,
        config: Option<&Config>,
        file: &[(String, String)],
        launch: Launch,
    ) -> Self {
        let mut unset = config::secret_variables(config);
        unset.extend(launch.unset.iter().map(|name| (*name).to_owned()));
        sort::by(&mut unset, Ord::cmp);
        unset.dedup();
        let mut set: Vec<(OsString, OsString)> = Vec::new();
        for (name, _) in file.iter().filter(|(name, _)| !unset.contains(name)) {
            // Its value in `env` is the caller's, if the caller has one.
            set.extend(env.var(name).map(|value| (name.into(), value.into())));
        }
        set.extend(direct(env));
        set.extend(launch.set.iter().map(|(name, value)| (name.into(), value.clone())));
        unset.retain(|name| !set.iter().any(|(known, _)| known == OsStr::new(name)));
        let mut arguments = launch.arguments.clone();
        arguments.extend(options.arguments.iter().cloned());
        Self { launch, set, unset, arguments }
    }

    /// As a command.
    pub(super) fn command(&self, program: &Path, workspace: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(&self.arguments).current_dir(workspace);
        self.unset.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        command
    }

    /// As lines of a shell, the key masked, and the files as comments.
    pub(super) fn shown(&self, program: &Path, workspace: &Path, key: &Secret) -> String {
        let masked = |text: &OsStr| quoted(&mask_known(&text.to_string_lossy(), std::slice::from_ref(key)));
        let mut lines: Vec<String> =
            self.launch.files.iter().map(|file| format!("# writes {}", file.path.display())).collect();
        let links = self.launch.links.iter().filter(|link| link.theirs.exists());
        lines.extend(
            links.map(|link| format!("# shows {} as {}", link.theirs.display(), link.ours.display())),
        );
        lines.push(format!("cd {}", masked(workspace.as_os_str())));
        let unset: Vec<&str> = self.unset.iter().map(String::as_str).collect();
        lines.push(format!("unset {}", unset.join(" ")));
        for (name, value) in &self.set {
            let name = name.to_string_lossy();
            let is_launchs = self.launch.set.iter().any(|(known, _)| *known == name);
            // A file of variables may hold other secrets than ours.
            let value = match config::is_credential(&name) && !is_launchs {
                true => quoted(&secret::masked(&value.to_string_lossy())),
                false => masked(value),
            };
            lines.push(format!("export {name}={value}"));
        }
        let words =
            std::iter::once(program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        lines.push(words.map(masked).collect::<Vec<_>>().join(" "));
        lines.join("\n")
    }
}

/// `NO_PROXY` in both spellings that programs read, with the proxy's own addresses.
fn direct(env: &Env) -> Vec<(OsString, OsString)> {
    let known = env.var("NO_PROXY").or_else(|| env.var("no_proxy"));
    let value = match known {
        Some("*") => "*".to_owned(),
        Some(known) => format!("{known},{DIRECT}"),
        None => DIRECT.to_owned(),
    };
    let names = if env.var("no_proxy").is_some() { &["NO_PROXY", "no_proxy"][..] } else { &["NO_PROXY"] };
    names.iter().map(|name| (name.into(), OsString::from(&value))).collect()
}

/// The program: at its path, or looked for on PATH. What stands there without a full path is left
/// out: it would depend on the directory, and a cloned repository must not choose the program.
pub(in crate::cli) fn find(program: &str, env: &Env) -> Option<PathBuf> {
    let named = Path::new(program);
    if named.components().nth(1).is_some() {
        // A link stays one: what is started may look at its own name.
        return std::path::absolute(named).ok().filter(|path| is_program(path));
    }
    let path = env.var("PATH")?;
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let names: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };
    let mut candidates =
        folders.flat_map(|folder| names.iter().map(move |ending| folder.join(format!("{program}{ending}"))));
    candidates.find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// As a word of a shell.
pub(in crate::cli) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_grows() {
        let of = |pairs: &[(&str, &str)]| direct(&Env::of(pairs.iter().copied()));
        assert_eq!(of(&[]), [("NO_PROXY".into(), DIRECT.into())]);
        let both = of(&[("no_proxy", "corp")]);
        assert_eq!(both[1], ("no_proxy".into(), "corp,127.0.0.1,localhost".into()));
        assert_eq!(both.len(), 2);
        assert_eq!(of(&[("NO_PROXY", "*")]), [("NO_PROXY".into(), "*".into())]);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b=c"), "a-b=c");
        assert_eq!(quoted("it's {x}"), "'it'\\''s {x}'");
        assert_eq!(quoted(""), "''");
    }
}

//! The environment, read once at start and passed on as a value.

use std::path::PathBuf;

use crate::base::table::Table;

/// Names the user's own folder.
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The variables of a process. An empty variable counts as unset.
#[derive(Clone, Debug, Default)]
pub struct Env(Table<String, String>);

impl Env {
    /// The variables of this process; those that are not UTF-8 are left out.
    #[allow(clippy::disallowed_methods, reason = "this is the room for the environment")]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((folded(name.into_string().ok()?), value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Made of pairs, for tests.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (folded(name.to_owned()), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }

    /// With more variables; those that are set already win.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, value) in more {
            let name = folded(name);
            if self.0.get(&name).is_none_or(String::is_empty) {
                self.0.insert(name, value);
            }
        }
        self
    }

    /// Without some variables.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        names.iter().for_each(|name| {
            self.0.remove(&folded((*name).to_owned()));
        });
        self
    }

    /// The value of a variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        let value = if cfg!(windows) { self.0.get(&folded(name.to_owned())) } else { self.0.get(name) };
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where the user's configuration lives: `$XDG_CONFIG_HOME/llmgate`, else `~/.config/llmgate`.
    pub fn config_dir(&self) -> Option<PathBuf> {
        self.dir("XDG_CONFIG_HOME", ".config")
    }

    /// Where what outlives a process lives: `$XDG_STATE_HOME/llmgate`, else `~/.local/state/llmgate`.
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.dir("XDG_STATE_HOME", ".local/state")
    }

    /// The user's own folder.
    pub fn home_dir(&self) -> Option<PathBuf> {
        self.var(HOME).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    fn dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let base = self.var(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = base.or_else(|| Some(self.home_dir()?.join(below_home)))?;
        Some(base.join("llmgate"))
    }
}

/// A name as it is kept. On Windows letter case means nothing: PATH is called `Path` there.
fn folded(name: String) -> String {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset() {
        let env = Env::of([("A", ""), ("HOME", "/h"), ("XDG_STATE_HOME", "relative")]);
        assert_eq!(env.var("A"), None);
        assert_eq!(env.config_dir(), Some(PathBuf::from("/h/.config/llmgate")));
        let env = env.with([("A", "a"), ("HOME", "/other")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!((env.var("A"), env.var("HOME")), (Some("a"), Some("/h")));
        assert_eq!(env.state_dir(), Some(PathBuf::from("/h/.local/state/llmgate")));
    }

    #[test]
    fn nothing_is_looked_for_below_the_working_directory() {
        let env = Env::of([("HOME", "relative"), ("XDG_CONFIG_HOME", ".")]);
        assert_eq!((env.config_dir(), env.state_dir(), env.home_dir()), (None, None, None));
    }
}

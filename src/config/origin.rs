//! Where each value in effect came from: flag, variable, line of the file, default (SPEC 4.1).

use std::fmt;

use serde_json::Value;

use super::expand::named;
use super::file::{self, Kind, Node};
use super::read::join;
use super::{Config, Overrides, Source, show};
use crate::base::env::Env;
use crate::base::pen::{Pen, Put, members};

/// A value in effect and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Valued {
    /// The key, as a path.
    pub path: String,
    /// The value, keys masked.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option.
    Flag(String),
    /// A variable.
    Environment(String),
    /// A line of the file, and the variable that is named there.
    File {
        /// The line.
        line: usize,
        /// The variable.
        variable: Option<String>,
    },
    /// What holds when nobody says otherwise.
    Default,
}

members! {
    Valued { path, value, origin }
}

impl Put for Origin {
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Self::Flag(name) => pen.object(|pen| pen.put("flag", name)),
            Self::Environment(name) => pen.object(|pen| pen.put("environment", name)),
            Self::File { line, variable } => pen.object(|pen| {
                pen.object_at("file", |pen| {
                    pen.put("line", line);
                    pen.put("variable", variable);
                });
            }),
            Self::Default => "default".write(pen),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { line, variable: None } => write!(f, "line {line}"),
            Self::File { line, variable: Some(name) } => write!(f, "environment {name}, line {line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Every value in effect with its origin. `text` is the file that the configuration was made of.
pub fn origins(config: &Config, text: Option<&str>, env: &Env, overrides: &Overrides) -> Vec<Valued> {
    let text = text.map(|text| text.trim_start_matches('\u{feff}'));
    let file = text.and_then(|text| Some((text, file::parse(text).ok()?)));
    let search = Search { config, file, env, overrides };
    let mut list = Vec::new();
    if let Value::Object(shown) = show::masked(config) {
        for (key, value) in shown.iter().filter(|(key, _)| !["source", "warnings"].contains(&key.as_str())) {
            search.walk(&mut vec![Step::Key(key)], key.clone(), value, &mut list);
        }
    }
    list
}

/// One step of a path. Names may hold dots, so that a path is no text here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

struct Search<'a> {
    config: &'a Config,
    file: Option<(&'a str, Node)>,
    env: &'a Env,
    overrides: &'a Overrides,
}

impl Search<'_> {
    fn walk<'v>(&self, steps: &mut Vec<Step<'v>>, path: String, value: &'v Value, list: &mut Vec<Valued>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    steps.push(Step::Key(key));
                    self.walk(steps, join(&path, key), value, list);
                    steps.pop();
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (i, value) in items.iter().enumerate() {
                    steps.push(Step::Index(i));
                    self.walk(steps, format!("{path}[{i}]"), value, list);
                    steps.pop();
                }
            }
            // What is not there has no origin.
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                list.push(Valued { path, value: value.clone(), origin: self.origin(steps) });
            }
        }
    }

    fn origin(&self, steps: &[Step<'_>]) -> Origin {
        if self.config.source == Source::Demo {
            return self.outer(steps).unwrap_or_else(|| Origin::Flag("demo".to_owned()));
        }
        if let Some(outer) = self.outer(steps) {
            return outer;
        }
        self.in_file(steps)
            .or_else(|| self.instead(steps))
            .or_else(|| self.made_of(steps))
            .unwrap_or(Origin::Default)
    }

    /// What wins over the file.
    fn outer(&self, steps: &[Step<'_>]) -> Option<Origin> {
        let flag = |given: bool, name: &str| given.then(|| Origin::Flag(name.to_owned()));
        match steps {
            [Step::Key("listen")] => {
                flag(self.overrides.listen.is_some(), "listen").or_else(|| self.variable("LLMGATE_LISTEN"))
            }
            [Step::Key("compat")] => {
                flag(self.overrides.compat.is_some(), "compat").or_else(|| self.variable("LLMGATE_COMPAT"))
            }
            [Step::Key("log"), Step::Key("level")] => {
                flag(self.overrides.log_level.is_some(), "log-level").or_else(|| self.variable("LLMGATE_LOG"))
            }
            [Step::Key("client_auth"), Step::Key("mode")] => self.variable("LLMGATE_AUTH_MODE"),
            _ => None,
        }
    }

    /// What holds where the file says nothing.
    fn instead(&self, steps: &[Step<'_>]) -> Option<Origin> {
        match steps {
            [Step::Key("listen")] => self.variable("PORT"),
            [Step::Key("client_auth"), Step::Key("mode" | "keys")] => self.variable("LLMGATE_KEY"),
            [Step::Key("providers"), name, Step::Key("api_key")] => self
                .in_file(&[Step::Key("providers"), *name, Step::Key("api_key_env")])
                .map(|origin| match (origin, self.key_variable(name)) {
                    (Origin::File { line, .. }, variable) => Origin::File { line, variable },
                    (other, _) => other,
                })
                .or_else(|| self.key_variable(name).map(Origin::Environment)),
            [Step::Key("providers"), name, Step::Key("api_key_env")] => {
                self.in_file(&[Step::Key("providers"), *name, Step::Key("api_key")])
            }
            [Step::Key("providers"), _, Step::Key("timeouts"), key] => {
                self.in_file(&[Step::Key("timeouts"), *key])
            }
            _ => None,
        }
    }

    /// Without a file a provider is made of the variable of its key.
    fn made_of(&self, steps: &[Step<'_>]) -> Option<Origin> {
        match steps {
            [Step::Key("providers"), name, Step::Key("api_key_env" | "base_url" | "protocol")]
                if self.file.is_none() =>
            {
                self.key_variable(name).map(Origin::Environment)
            }
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Origin> {
        self.env.var(name).map(|_| Origin::Environment(name.to_owned()))
    }

    fn key_variable(&self, provider: &Step<'_>) -> Option<String> {
        let Step::Key(name) = provider else { return None };
        let provider = self.config.providers.iter().find(|provider| provider.name.as_str() == *name)?;
        provider.key.as_ref()?.variable.clone()
    }

    /// The line at which the value stands, or what it is a short form of.
    fn in_file(&self, steps: &[Step<'_>]) -> Option<Origin> {
        let (text, root) = self.file.as_ref()?;
        let mut node = root;
        for step in steps {
            node = match (&node.kind, step) {
                (Kind::Map(entries), Step::Key(key)) => &entries.iter().find(|(known, _)| known == key)?.1,
                (Kind::List(items), Step::Index(i)) => items.get(*i)?,
                // `alias: provider/model`
                (Kind::Text(..), Step::Key("targets") | Step::Key("to") | Step::Index(0)) => node,
                _ => return None,
            };
        }
        if matches!(node.kind, Kind::Null) {
            return None;
        }
        let before = text.get(..node.at?).unwrap_or_default();
        let named = node.text().and_then(|text| named(text).first().map(|name| (*name).to_owned()));
        let variable = named.filter(|name| self.env.var(name).is_some());
        Some(Origin::File { line: before.matches('\n').count() + 1, variable })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::from_text;

    const TEXT: &str = "version: 1
timeouts: {first_byte: 60s}
client_auth: {mode: proxy_key, keys: ['${K}']}
providers:
  up:
    base_url: https://api.openai.com/v1
    api_key_env: K
models:
  fast: up/m
  slow:
    targets:
      - {to: up/x, weight: 2}
";

    fn check(text: &str, variables: &[(&str, &str)], flags: &Overrides, path: &str, expected: &str) {
        let env = Env::of(variables.iter().copied().chain([("K", "k-test-secret-000000000000")]));
        let config = from_text(text, Path::new("f"), &env, flags).unwrap();
        let list = origins(&config, Some(text), &env, flags);
        assert!(list.iter().all(|it| !it.value.to_string().contains("k-test-secret")));
        let found = list.iter().find(|it| it.path == path).unwrap_or_else(|| panic!("{path}: {list:#?}"));
        assert_eq!(found.origin.to_string(), expected, "{path}");
    }

    #[test]
    fn flag_variable_line_default() {
        let none = Overrides::default();
        let file = |path, expected| check(TEXT, &[], &none, path, expected);
        file("listen", "default");
        file("timeouts.first_byte", "line 2");
        file("timeouts.connect", "default");
        file("providers.up.timeouts.first_byte", "line 2");
        file("providers.up.base_url", "line 6");
        file("providers.up.api_key", "environment K, line 7");
        file("client_auth.keys", "line 3");
        file("models.fast.targets[0].to", "line 9");
        file("models.fast.strategy", "default");
        file("models.slow.targets[0].weight", "line 12");
        file("models.slow.targets[0].priority", "default");
        check(TEXT, &[("PORT", "99")], &none, "listen", "environment PORT");
        check(TEXT, &[("LLMGATE_LISTEN", "127.0.0.1:1")], &none, "listen", "environment LLMGATE_LISTEN");
        let flags = Overrides { listen: Some("127.0.0.1:2".to_owned()), ..Overrides::default() };
        check(TEXT, &[("LLMGATE_LISTEN", "127.0.0.1:1")], &flags, "listen", "flag --listen");
    }
}

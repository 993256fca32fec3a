//! `--help`: what the commands are and what they take.

use std::process::ExitCode;

use crate::cli::say;

/// What help is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    All,
    Start,
    Config,
    Reload,
    Stop,
    Version,
}

const ALL: &str = "\
llmgate: one proxy between coding agents and LLM providers

Usage: llmgate COMMAND [OPTIONS]

Commands:
  start            run the proxy (also: serve)
  config validate  check a configuration (also: config check)
  reload           make a running llmgate read its configuration again
  stop             ask a running llmgate to finish its requests and end
  version          version, commit, compiler, features

Each command takes --help. Without a configuration file, providers are made
from keys in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, ...).";

const START: &str = "\
Usage: llmgate start [OPTIONS]

  --config FILE       the configuration (default: $LLMGATE_CONFIG, then
                      $XDG_CONFIG_HOME/llmgate/config.yaml, then the environment)
  --listen ADDR       address and port; port 0 is any free one
  --ready-file F      written when it listens: {\"url\",\"pid\",\"version\",\"config\"}
  --exit-with-parent  end when the process that started it has ended
  --no-watch          do not look at the file by itself; `llmgate reload` still works
  --require-auth      refuse to start without client_auth
  --log-level L       debug, info, warn or error
  --compat C          max or strict
  --local             without a file: use Ollama on this machine
  --demo              no file, no key: a built-in model that answers and calls tools";

const CONFIG: &str = "\
Usage: llmgate config validate [OPTIONS]

Prints `ok: N providers, M models`, or every error with its place, and ends with 2.

  --config FILE  the configuration (default: as `start` finds it)
  --json         print JSON";

const RELOAD: &str = "\
Usage: llmgate reload [OPTIONS]

Prints the new revision, or every error of the file, and ends with 1. A client
key, where one is needed, is taken from LLMGATE_KEY.

  --url U         the running llmgate (default: the configured `listen`; also: --admin-url)
  --ready-file F  the file that `start --ready-file` wrote
  --config FILE   where `listen` is read
  --json          print JSON";

const STOP: &str = "\
Usage: llmgate stop [OPTIONS]

Asks it to finish its requests and end; nothing is killed. A client key, where
one is needed, is taken from LLMGATE_KEY.

  --url U         the running llmgate (default: the configured `listen`; also: --admin-url)
  --ready-file F  the file that `start --ready-file` wrote
  --config FILE   where `listen` is read
  --json          print JSON";

const VERSION: &str = "\
Usage: llmgate version [OPTIONS]

  --json  print JSON";

impl Topic {
    fn text(self) -> &'static str {
        match self {
            Self::All => ALL,
            Self::Start => START,
            Self::Config => CONFIG,
            Self::Reload => RELOAD,
            Self::Stop => STOP,
            Self::Version => VERSION,
        }
    }

    /// The options that the text names, for a hint at the nearest.
    pub(super) fn options(self) -> &'static [&'static str] {
        match self {
            Self::All => &["--help", "--version"],
            Self::Start => &[
                "--config",
                "--listen",
                "--ready-file",
                "--exit-with-parent",
                "--no-watch",
                "--require-auth",
                "--log-level",
                "--compat",
                "--local",
                "--demo",
                "--help",
            ],
            Self::Config => &["--config", "--json", "--help"],
            Self::Reload | Self::Stop => {
                &["--url", "--admin-url", "--ready-file", "--config", "--json", "--help"]
            }
            Self::Version => &["--json", "--help"],
        }
    }
}

pub(super) fn run(topic: Topic) -> ExitCode {
    say(topic.text());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_explained() {
        for topic in [Topic::Start, Topic::Config, Topic::Reload, Topic::Stop, Topic::Version] {
            for option in topic.options().iter().filter(|option| **option != "--help") {
                assert!(topic.text().contains(option), "{topic:?} {option}");
            }
        }
    }
}

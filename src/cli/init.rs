//! `init`: a first configuration file, commented, for its owner's eyes only.

mod text;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::id::nearest;
use crate::base::object::object;
use crate::base::private;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::run::command::quoted;
use crate::cli::table::{CODES, Command, Flag, JSON, Row};
use crate::cli::{files, say};
use crate::config::vendors::VENDORS;
use text::{Preset, Wishes};

pub(super) static ROW: Row = Row {
    name: "init",
    aliases: &[],
    summary: "write a first configuration file",
    about: "Of the provider keys in the environment, or of a preset. On a terminal it asks a few questions. A file \
            that is there stays, unless --force is given.",
    words: &[],
    rest: None,
    flags: &[&OUTPUT, &FORCE, &PRESET, &YES, &JSON],
    codes: CODES,
    command: read,
};

static OUTPUT: Flag =
    Flag::path("output", "F", "where (default: $XDG_CONFIG_HOME/llmgate/config.yaml, or ~/.config/...)");
static FORCE: Flag = Flag::switch("force", "overwrite a file that is there");
static PRESET: Flag = Flag::one_of(
    "preset",
    "P",
    PRESETS,
    "neutral: one address that variables name; local: Ollama; anthropic, openai (default: the keys that are set)",
);
static YES: Flag = Flag::switch("yes", "ask nothing");

const PRESETS: &[&str] = &["neutral", "local", "anthropic", "openai"];

struct Init {
    output: Option<PathBuf>,
    force: bool,
    preset: Option<String>,
    yes: bool,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Init {
        output: given.path(&OUTPUT),
        force: given.has(&FORCE),
        preset: given.text(&PRESET)?,
        yes: given.has(&YES),
        json: given.has(&JSON),
    }))
}

impl Command for Init {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let path = self.make(&env)?;
        if self.json {
            say(&object! {"path": path.display().to_string()}.to_string());
        } else {
            say(&format!("wrote {}", path.display()));
            say(&format!("next: llmgate doctor{0}, then llmgate start{0}", self.named()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Init {
    fn make(&self, env: &Env) -> Result<PathBuf, Refusal> {
        let path = self.output.clone().or_else(|| env.config_dir().map(|dir| dir.join("config.yaml")));
        let path = path.ok_or_else(|| {
            Refusal::Failure("there is no place for the file: name one with --output, or set HOME".to_owned())
        })?;
        // Before the questions: nobody answers them for nothing.
        if !self.force && path.symlink_metadata().is_ok() {
            return Err(is_there(&path));
        }
        let found = found(env);
        let asks = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        let (preset, wishes) = if asks {
            let mut terminal = Terminal { input: io::stdin().lock(), output: io::stderr().lock() };
            let preset = match &self.preset {
                Some(name) => preset(name, &found),
                None => terminal.preset(&found),
            };
            (preset, Wishes { default_model: terminal.model(), budget: terminal.budget() })
        } else {
            let preset = self.preset.as_deref().map_or_else(|| of_keys(&found), |name| preset(name, &found));
            (preset, Wishes::default())
        };
        self.write(&path, &text::file(&preset, &wishes))?;
        Ok(path)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Refusal> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => is_there(path),
            _ => Refusal::of_file(path, &error),
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::folder(folder).map_err(failed)?;
        }
        if self.force { files::replace(path, text) } else { files::write_new(path, text) }.map_err(failed)
    }

    /// The option that names the file, where it is needed.
    fn named(&self) -> String {
        let named = |path: &PathBuf| format!(" --config {}", quoted(&path.display().to_string()));
        self.output.as_ref().map(named).unwrap_or_default()
    }
}

fn is_there(path: &Path) -> Refusal {
    let next = "overwrite it with --force, or name another file with --output";
    Refusal::Failure(format!("{} is there already: {next}", path.display()))
}

/// A vendor, and the variable that holds its key.
type Found = (&'static str, Option<&'static str>);

/// The vendors whose keys are set.
fn found(env: &Env) -> Vec<Found> {
    let set = VENDORS.iter().filter_map(|vendor| {
        let variable = vendor.variables.iter().find(|name| env.var(name).is_some())?;
        Some((vendor.name, Some(*variable)))
    });
    set.collect()
}

/// Without a key and a preset: the two vendors that most have.
fn of_keys(found: &[Found]) -> Preset {
    if found.is_empty() {
        return Preset::Vendors(vec![("anthropic", None), ("openai", None)]);
    }
    Preset::Vendors(found.to_vec())
}

fn preset(name: &str, found: &[Found]) -> Preset {
    match name {
        "local" => Preset::Local,
        "neutral" => Preset::Neutral,
        name => {
            let vendor = VENDORS.iter().map(|vendor| vendor.name).find(|known| *known == name);
            let vendors = vendor.map(|vendor| {
                found.iter().find(|(known, _)| *known == vendor).copied().unwrap_or((vendor, None))
            });
            Preset::Vendors(vendors.into_iter().collect())
        }
    }
}

/// Questions and answers. At the end of the input every answer is the default.
struct Terminal<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Terminal<R, W> {
    fn preset(&mut self, found: &[Found]) -> Preset {
        let question = if found.is_empty() {
            "No provider key is set in the environment.\n\
             Preset: anthropic, openai, local, neutral [anthropic and openai]: "
                .to_owned()
        } else {
            let keys: Vec<&str> = found.iter().filter_map(|(_, variable)| *variable).collect();
            format!(
                "Keys in the environment: {}.\nUse them? Enter, or a preset ({}): ",
                keys.join(", "),
                PRESETS.join(", ")
            )
        };
        loop {
            match self.ask(&question).as_deref() {
                None | Some("y" | "yes") => return of_keys(found),
                Some(name) if PRESETS.contains(&name) => return preset(name, found),
                Some(other) => {
                    let near = nearest(other, PRESETS.iter().copied());
                    let near = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
                    self.tell(&format!("There is no preset {other:?}.{near}\n"));
                }
            }
        }
    }

    fn model(&mut self) -> Option<String> {
        self.ask("Default model, when a request names none (Enter: none): ")
    }

    fn budget(&mut self) -> Option<f64> {
        loop {
            let answer = self.ask("Budget in USD a day (Enter: none): ")?;
            match answer.trim_start_matches('$').parse::<f64>() {
                Ok(budget) if budget > 0.0 && budget.is_finite() => return Some(budget),
                Ok(_) | Err(_) => self.tell("A budget is a number over 0, such as 5.\n"),
            }
        }
    }

    /// The answer, if it is not empty.
    fn ask(&mut self, question: &str) -> Option<String> {
        self.tell(question);
        let mut line = String::new();
        // An input that cannot be read has ended.
        let _ = self.input.read_line(&mut line);
        let answer = line.trim();
        (!answer.is_empty()).then(|| answer.to_owned())
    }

    fn tell(&mut self, text: &str) {
        // Nobody sees it: then nobody answers either.
        let _ = self.output.write_all(text.as_bytes());
        let _ = self.output.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str, found: &[Found]) -> (Preset, Option<String>, Option<f64>, String) {
        let mut terminal = Terminal { input: input.as_bytes(), output: Vec::new() };
        let given = (terminal.preset(found), terminal.model(), terminal.budget());
        (given.0, given.1, given.2, String::from_utf8(terminal.output).unwrap())
    }

    #[test]
    fn questions_have_defaults_and_are_asked_again() {
        let keys = [("openai", Some("OPENAI_API_KEY"))];
        let (preset, model, budget, said) = answers("\n\n\n", &keys);
        assert_eq!((preset, model, budget), (Preset::Vendors(keys.to_vec()), None, None));
        assert!(said.contains("OPENAI_API_KEY"), "{said}");
        let (preset, model, budget, said) = answers("locl\nlocal\nqwen\nmuch\n0\ninf\n$2.5\n", &keys);
        assert_eq!((preset, model.as_deref(), budget), (Preset::Local, Some("qwen"), Some(2.5)));
        assert!(said.contains("Did you mean local?") && said.matches("over 0").count() == 3, "{said}");
        let (preset, ..) = answers("openai\n", &keys);
        assert_eq!(preset, Preset::Vendors(keys.to_vec()));
        let (preset, model, budget, _) = answers("", &[]);
        assert_eq!(preset, Preset::Vendors(vec![("anthropic", None), ("openai", None)]));
        assert_eq!((model, budget), (None, None));
    }
}

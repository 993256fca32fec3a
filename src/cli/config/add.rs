//! `config add-provider`, `config add-alias`: lines for the user's file, at one place of it. They are
//! checked with all the rest before a byte is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::object::object;
use crate::base::private;
use crate::cli::args::{Given, Mistake};
use crate::cli::explain::PROTOCOLS;
use crate::cli::refusal::Refusal;
use crate::cli::run::command::quoted;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row, Word};
use crate::cli::{complain, files, say};
use crate::config::add::{self, Entry, Lines, Section};
use crate::config::{self, ConfigError, Overrides, Problem};

pub(in crate::cli) static PROVIDER: Row = Row {
    name: "config add-provider",
    aliases: &[],
    summary: "add a provider to the configuration's file",
    about: "As the last of `providers`; every other line stays as it is. A file that is not there is made. A key is \
            never an argument, only its variable's name. A file whose layout is not understood (JSON, flow style) \
            is left alone, and the lines are printed.",
    words: &[Word { name: "NAME", help: "the provider's name", optional: false, one_of: &[] }],
    rest: None,
    flags: &[&BASE_URL, &PROTOCOL, &KEY_ENV, &PRINT, &CONFIG, &JSON],
    codes: CODES,
    command: read_provider,
};

pub(in crate::cli) static ALIAS: Row = Row {
    name: "config add-alias",
    aliases: &[],
    summary: "add a name for clients to the configuration's file",
    about: "As the last of `models`; every other line stays as it is. Of several targets each is asked when those \
            before it fail. A file whose layout is not understood (JSON, flow style) is left alone, and the lines \
            are printed.",
    words: &[
        Word {
            name: "NAME",
            help: "the name; a final * takes all that follows",
            optional: false,
            one_of: &[],
        },
        Word { name: "TARGET...", help: "provider/model", optional: false, one_of: &[] },
    ],
    rest: None,
    flags: &[&PRINT, &CONFIG, &JSON],
    codes: CODES,
    command: read_alias,
};

static BASE_URL: Flag = Flag::text(
    "base-url",
    "URL",
    "its server with the version segment, such as https://api.example.com/v1; must be given",
);
static PROTOCOL: Flag = Flag::one_of(
    "protocol",
    "P",
    PROTOCOLS,
    "what it speaks; may stand several times (default: told by the host of a known vendor)",
);
static KEY_ENV: Flag =
    Flag::text("key-env", "VAR", "the variable that holds its key (default: it needs none)");
static PRINT: Flag = Flag::switch("print", "print the lines, change nothing");

struct Add {
    entry: Entry,
    key: Option<String>,
    config: Option<PathBuf>,
    print: bool,
    json: bool,
}

fn read_provider(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let url = given.text(&BASE_URL)?.ok_or(Mistake::Missing("--base-url"))?;
    let key = given.text(&KEY_ENV)?;
    let name = given.word(0).unwrap_or_default();
    let entry = Entry::provider(name, &url, &given.texts(&PROTOCOL)?, key.as_deref());
    Ok(Box::new(Add { key, ..Add::of(given, entry) }))
}

fn read_alias(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let (name, targets) = given.words().split_first().ok_or(Mistake::Missing("NAME"))?;
    Ok(Box::new(Add::of(given, Entry::alias(name, targets))))
}

impl Command for Add {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        self.add(&env)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Add {
    fn of(given: &Given, entry: Entry) -> Self {
        let (print, json) = (given.has(&PRINT), given.has(&JSON));
        Self { entry, key: None, config: given.path(&CONFIG), print, json }
    }

    fn add(&self, env: &Env) -> Result<(), Refusal> {
        let Some(path) = config::place(self.config.as_deref(), env) else {
            let said = "there is no place for a file: name one with --config, or set HOME";
            return Err(Refusal::Usage(said.to_owned()));
        };
        // One that may be there but cannot be looked at is not made.
        let is_there = path.try_exists().unwrap_or(true);
        let old = self.old(&path, is_there)?;
        let lines = self.lines(&old, &path, env)?;
        if self.print {
            self.print();
            return Ok(());
        }
        let written =
            if is_there { files::renew(&path, &old, &lines.text) } else { make(&path, &lines.text) };
        written
            .map_err(|error| Refusal::Failure(format!("{}: {error}; nothing is changed", path.display())))?;
        self.tell(&path, &lines, env);
        if let (false, None, Ok(was)) =
            (is_there, &self.config, config::from_environment(env, &Overrides::default()))
        {
            let names: Vec<&str> = was.providers.iter().map(|provider| provider.name.as_str()).collect();
            let names = names.join(", ");
            complain(&format!("note: with a file, variables alone make no providers any more ({names})"));
        }
        Ok(())
    }

    fn old(&self, path: &Path, is_there: bool) -> Result<String, Refusal> {
        if is_there {
            return Ok(config::read_text(path)?);
        }
        match self.entry.section() {
            Section::Providers => Ok(add::START.to_owned()),
            Section::Models => {
                let next = "make it with llmgate init or llmgate config add-provider";
                Err(Refusal::Usage(format!("{} is not there: {next}", path.display())))
            }
        }
    }

    /// The file as it shall be.
    fn lines(&self, old: &str, path: &Path, env: &Env) -> Result<Lines, Refusal> {
        let shown = path.display();
        let added = add::add(old, &self.entry).map_err(|refusal| match refusal {
            add::Refusal::Unreadable => Refusal::Usage(errors_of(old, path, env)),
            add::Refusal::Exists => {
                Refusal::Usage(format!("{shown}: {} is there already: change it there", self.entry.path()))
            }
        })?;
        let text = added.lines.as_ref().map_or(&added.meant, |lines| &lines.text);
        self.check(old, text, path, env)?;
        added.lines.ok_or_else(|| {
            self.print();
            let why = "is written in a way to which no lines can be added (JSON, or braces on its line)";
            Refusal::Usage(format!(
                "{shown}: {} {why}: add these by hand; nothing is changed",
                self.entry.section().key()
            ))
        })
    }

    /// Is the whole right with the entry? A variable that is not set is only told: it is added today
    /// and exported tomorrow.
    fn check(&self, old: &str, text: &str, path: &Path, env: &Env) -> Result<(), Refusal> {
        let errors = match config::from_text(text, path, env, &Overrides::default()) {
            Ok(config) => {
                let own = config.warnings.iter().filter(|warning| warning.starts_with(&self.entry.path()));
                own.for_each(|warning| complain(&format!("warning: {warning}")));
                return Ok(());
            }
            Err(errors) => errors.list,
        };
        let is_unset =
            |error: &ConfigError| matches!(error.problem, Problem::UnsetVariable(_) | Problem::UnsetKey(_));
        if errors.iter().all(is_unset) {
            errors.iter().for_each(|error| complain(&format!("to do: {error}")));
            return Ok(());
        }
        let own = errors.iter().filter(|error| error.path.starts_with(&self.entry.path()));
        let own = own.map(ToString::to_string).collect::<Vec<_>>().join("\n");
        // Where the entry has no faults of its own, others stood there before.
        Err(Refusal::Usage(if own.is_empty() { errors_of(old, path, env) } else { own }))
    }

    /// The lines, for whoever adds them by hand.
    fn print(&self) {
        match self.json {
            true => say(&object! {"entry": self.entry.path(), "yaml": self.entry.yaml()}.to_string()),
            false => say(self.entry.yaml().trim_end()),
        }
    }

    fn tell(&self, path: &Path, lines: &Lines, env: &Env) {
        let (name, shown, line) = (self.entry.name(), path.display(), lines.line);
        if self.json {
            let told = object! {
                "path": shown.to_string(), "line": line, "added": self.entry.path(), "yaml": self.entry.yaml(),
            };
            return say(&told.to_string());
        }
        let (what, next) = match self.entry.section() {
            Section::Providers => ("provider", "providers check --provider"),
            Section::Models => ("alias", "route explain --model"),
        };
        say(&format!("added {what} {name} to {shown} (line {line})"));
        if let Some(key) = self.key.as_deref().filter(|key| env.var(key).is_none()) {
            say(&format!("next: export {key}=...; llmgate does not start with this file without it"));
        }
        let file = self.config.as_ref().map(|_| format!(" --config {}", quoted(&shown.to_string())));
        say(&format!("next: llmgate {next} {}{}", quoted(name), file.unwrap_or_default()));
    }
}

/// All that is wrong with the file as it is.
fn errors_of(old: &str, path: &Path, env: &Env) -> String {
    let errors = config::from_text(old, path, env, &Overrides::default()).err();
    errors.map(|errors| errors.to_string()).unwrap_or_default()
}

/// A file that was not there.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        private::folder(folder)?;
    }
    files::write_new(path, text)
}

//! `config import`.

use std::fmt::Display;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::object::object;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, Command, Flag, JSON, Row, Word};
use crate::cli::{complain, say};
use crate::config::import::{Fate, Format, Imported, import};
use crate::config::{self, Overrides};

pub(in crate::cli) static ROW: Row = Row {
    name: "config import",
    aliases: &[],
    summary: "make a configuration of another tool's file",
    about: "Prints ours as YAML on stdout, and each key that is dropped or changed on stderr. Keys in the file \
            are in the result, too: keep it private. Ends with 1 when no provider is left.",
    words: &[Word { name: "FILE", help: "the other tool's file; - is stdin", optional: false, one_of: &[] }],
    rest: None,
    flags: &[&FROM, &JSON],
    codes: CODES,
    command: read,
};

static FROM: Flag = Flag::one_of(
    "from",
    "TOOL",
    &["auto", "llmfail", "ococl", "llm-router", "instawork", "llmup", "litellm", "claude-code-router"],
    "whose file it is (default: auto, told by its keys)",
);

struct Import {
    file: String,
    format: Option<Format>,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let format = given.text(&FROM)?.as_deref().and_then(Format::named);
    Ok(Box::new(Import {
        file: given.word(0).unwrap_or_default().to_owned(),
        format,
        json: given.has(&JSON),
    }))
}

impl Command for Import {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let refused = |why: &dyn Display| Refusal::Failure(format!("{}: {why}", self.file));
        let text = self.text().map_err(|error| refused(&error))?;
        let imported = import(&text, self.format).map_err(|error| refused(&error))?;
        for remark in &imported.remarks {
            complain(&remark.to_string());
        }
        if self.json {
            let remarks: Vec<_> = imported
                .remarks
                .iter()
                .map(|it| {
                    object! {
                        "path": it.path.as_str(),
                        "dropped": it.fate == Fate::Dropped,
                        "why": it.why.as_str(),
                    }
                })
                .collect();
            let told = object! {
                "from": imported.format.name(), "yaml": imported.yaml.as_str(), "remarks": remarks,
            };
            say(&told.to_string());
        } else {
            say(imported.yaml.trim_end());
        }
        still_to_do(&imported, &env);
        // Of a file without a provider that can be asked nothing was read that serves.
        Ok(if imported.is_empty { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Import {
    fn text(&self) -> std::io::Result<String> {
        if self.file != "-" {
            return std::fs::read_to_string(&self.file);
        }
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        Ok(text)
    }
}

/// What stands between the result and a start, such as a variable that is not set.
fn still_to_do(imported: &Imported, env: &Env) {
    let made = config::from_text(&imported.yaml, Path::new("result"), env, &Overrides::default());
    for error in made.err().into_iter().flat_map(|errors| errors.list) {
        complain(&format!("to do: {error}"));
    }
}

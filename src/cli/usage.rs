//! `usage`: what the ledger comes to.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::calendar;
use crate::base::clock::{self, Millis};
use crate::base::env::Env;
use crate::base::pen;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row};
use crate::cli::{columns, complain, say};
use crate::config::{self, Overrides};
use crate::observe::files;
use crate::observe::ledger::{Place, month_file};
use crate::observe::usage::{By, Report, Sums};
use crate::policy::budget::shown;

pub(super) static ROW: Row = Row {
    name: "usage",
    aliases: &[],
    summary: "tokens and money, from the ledger",
    about: "Sums of requests that ended since then. A cost of ? means that no price is known; 0.12+? is the \
            known part. Lines that are broken are left out and counted.",
    words: &[],
    rest: None,
    flags: &[&SINCE, &BY, &FILE, &CONFIG, &JSON],
    codes: CODES,
    command: read,
};

static SINCE: Flag = Flag::text("since", "TIME", "how far back, such as 12h or 7d (default: 7d)");
static BY: Flag = Flag::one_of(
    "by",
    "WHAT",
    &["day", "model", "provider", "session"],
    "a line for each of these (default: day)",
);
static FILE: Flag = Flag::path("file", "F", "this ledger (default: the configured one)");

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

struct Usage {
    since: Duration,
    by: By,
    file: Option<PathBuf>,
    config: Option<PathBuf>,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let since = match given.text(&SINCE)? {
        None => WEEK,
        Some(text) => config::duration(&text).ok_or_else(|| {
            Mistake::Value("--since".to_owned(), text, "must be a time such as 12h or 7d".to_owned())
        })?,
    };
    let by = given.text(&BY)?;
    let named = By::NAMES.iter().find(|(name, _)| Some(*name) == by.as_deref());
    Ok(Box::new(Usage {
        since,
        by: named.map_or(By::Day, |(_, by)| *by),
        file: given.path(&FILE),
        config: given.path(&CONFIG),
        json: given.has(&JSON),
    }))
}

impl Command for Usage {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let report = self.report(&self.place(&env)?)?;
        self.tell(&report);
        Ok(ExitCode::SUCCESS)
    }
}

impl Usage {
    /// Where the ledger is. A configuration that nobody named need not be there.
    fn place(&self, env: &Env) -> Result<Place, Refusal> {
        if let Some(file) = &self.file {
            return Ok(Place::File(file.clone()));
        }
        let ledger = match config::load(self.config.as_deref(), env, &Overrides::default()) {
            Ok(config) => config.usage.ledger,
            Err(errors) if self.config.is_some() => return Err(errors.into()),
            Err(_) => config::Ledger::StateDir,
        };
        files::place(&ledger, env).ok_or_else(|| {
            let why = match ledger {
                config::Ledger::Off => "`usage.ledger` is false",
                config::Ledger::StateDir | config::Ledger::File(_) => {
                    "set HOME or XDG_STATE_HOME, or name it with --file"
                }
            };
            Refusal::Usage(format!("there is no ledger: {why}"))
        })
    }

    fn report(&self, place: &Place) -> Result<Report, Refusal> {
        let ago = u64::try_from(self.since.as_millis()).unwrap_or(u64::MAX);
        let since = Millis(clock::millis().0.saturating_sub(ago));
        let files = match place {
            Place::File(file) => vec![file.clone()],
            Place::Folder(folder) => months(folder, since),
        };
        let mut report = Report::default();
        for file in files {
            let read =
                File::open(&file).and_then(|opened| report.read(&mut BufReader::new(opened), since, self.by));
            read.map_err(|error| Refusal::of_file(&file, &error))?;
        }
        Ok(report)
    }

    fn tell(&self, report: &Report) {
        if report.broken > 0 {
            complain(&format!("{} broken lines are left out", report.broken));
        }
        if self.json {
            say(&pen::written(report));
            return;
        }
        let by = By::NAMES.iter().find(|(_, by)| *by == self.by).map_or("", |(name, _)| name);
        let by = by.to_uppercase();
        let heads = [&by, "REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "REASONING", "COST"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(report.rows.iter().map(|sums| cells(&sums.key, sums)));
        rows.push(cells("total", &report.total));
        say(columns(&rows).trim_end());
    }
}

/// The files of a folder from then until now.
fn months(folder: &Path, since: Millis) -> Vec<PathBuf> {
    let last = calendar::month(clock::millis());
    let months = calendar::month(since)..=last;
    let files = months.map(|month| folder.join(month_file(calendar::month_start(month))));
    files.filter(|file| file.exists()).collect()
}

fn cells(key: &str, sums: &Sums) -> Vec<String> {
    let cost = match (sums.unpriced, sums.cost > 0.0) {
        (0, _) => shown(sums.cost),
        (_, true) => format!("{}+?", shown(sums.cost)),
        (_, false) => "?".to_owned(),
    };
    let counts = [sums.requests, sums.errors, sums.input, sums.cached, sums.output, sums.reasoning];
    let mut cells = vec![crate::observe::log::harmless(key).into_owned()];
    cells.extend(counts.iter().map(ToString::to_string));
    cells.push(cost);
    cells
}

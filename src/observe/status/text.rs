//! The status as text, for a terminal: what matters first, each line harmless.

use std::fmt::Write;

use crate::base::clock::Millis;
use crate::observe::live::Running;
use crate::observe::log::harmless;
use crate::observe::status::{Bucket, Met, Money, Status, Target, Told, short};
use crate::policy::budget;

/// The last requests that are listed.
const RECENT: usize = 10;
/// A longer name leaves no room for what stands beside it.
const MODEL_CHARACTERS: usize = 40;

impl Status {
    /// As text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        let running = self.running.iter().map(running).collect();
        table(&mut out, &["RUNNING", "AGE", "PHASE", "MODEL", "PATH"], running);
        let targets = self.targets.iter().map(|target| line_of(target, self.now)).collect();
        let heads =
            ["TARGET", "STATE", "CALLS", "ERRORS", "P50", "P95", "TOK/S", "CACHED", "COST", "BUCKETS"];
        table(&mut out, &heads, targets);
        let clients = self.clients.iter().map(|client| vec![client.key.clone(), levels(&client.buckets)]);
        table(&mut out, &["CLIENT", "BUCKETS"], clients.collect());
        let failed = self.targets.iter().filter_map(|target| {
            let error = target.last_error.as_ref()?;
            let ago = time(self.now.since(error.at).as_secs());
            let what = format!("{}: {} -> {}", error.class, error.text, error.next);
            Some(vec![target.target.to_string(), ago, what])
        });
        table(&mut out, &["LAST ERROR OF", "AGO", "WHAT"], failed.collect());
        let losses = self.losses.0.iter().map(|(text, count)| vec![count.to_string(), text.clone()]);
        table(&mut out, &["LOST", "WHAT"], losses.collect());
        let recent = self.recent.0.iter().take(RECENT).map(|told| recent(told, self.now));
        table(&mut out, &["RECENT", "AGO", "STATUS", "MODEL", "PATH", "IN", "OUT", "TOOK"], recent.collect());
        out
    }

    fn head(&self, out: &mut String) {
        let session = &self.session;
        let tokens = &session.tokens;
        let mut line = |text: String| {
            out.push_str(&harmless(&text));
            out.push('\n');
        };
        line(format!(
            "llmgate {}, pid {}, up {}; configuration {}, revision {}",
            self.version,
            self.pid,
            time(self.uptime_s),
            self.config.source,
            self.config.revision
        ));
        if let Some(error) = &self.config.last_error {
            line(format!("NOT RELOADED: {}", error.replace('\n', "; ")));
        }
        line(format!(
            "{} running, {} queued; {} requests, {} failovers; {} tokens in ({} cached), {} out",
            self.in_flight,
            self.queued,
            session.requests,
            session.failovers,
            tokens.input,
            share(tokens.cache_hit()),
            tokens.output
        ));
        line(format!("session {}; day {}", money(&self.budget.session), money(&self.budget.day)));
    }
}

fn money(money: &Money) -> String {
    let mut text = format!("{} USD", budget::shown(money.spent));
    // Writing to a String cannot fail.
    if let Some(limit) = money.limit {
        let _ = write!(text, " of {}", budget::shown(limit));
    }
    if money.unpriced > 0 {
        let _ = write!(text, " and {} answers without a price", money.unpriced);
    }
    text
}

fn running(running: &Running) -> Vec<String> {
    vec![
        running.id.clone(),
        time(running.age_ms / 1000),
        running.phase.to_owned(),
        model(&running.model),
        path(&running.failed, running.target.as_ref().map(ToString::to_string)),
    ]
}

fn line_of(target: &Target, now: Millis) -> Vec<String> {
    let left = |until: Millis| time(until.since(now).as_secs() + 1);
    let state = match (target.enabled, target.open_until, &target.cooldown) {
        (false, _, _) => "off".to_owned(),
        (true, Some(until), _) => format!("open {}", left(until)),
        (true, None, Some(rest)) => format!("{} {}", rest.class.name(), left(rest.until)),
        (true, None, None) => target.circuit_state.to_owned(),
    };
    let ms = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let speed = target.tokens_per_s.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}"));
    vec![
        target.target.to_string(),
        state,
        target.requests.to_string(),
        target.errors.to_string(),
        ms(target.first_byte_ms.p50),
        ms(target.first_byte_ms.p95),
        speed,
        share(target.cache_hit),
        target.cost.map_or_else(|| "?".to_owned(), budget::shown),
        levels(&target.buckets),
    ]
}

fn levels(buckets: &[Bucket]) -> String {
    let level = |it: &Bucket| format!("{} {}/{} {}", it.name, it.used, it.limit, it.metric);
    or_dash(&buckets.iter().map(level).collect::<Vec<_>>().join(", "))
}

fn recent(told: &Told, now: Millis) -> Vec<String> {
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let answered = told.target.as_ref().filter(|_| told.answered);
    vec![
        told.id.clone(),
        time(now.since(told.at).as_secs()),
        format!("{} {}", told.status, told.outcome),
        model(&told.model),
        path(&told.failed, answered.map(ToString::to_string)),
        count(told.input),
        count(told.output),
        format!("{} ms", told.total_ms),
    ]
}

/// The way of a request from target to target.
fn path(failed: &[Met], target: Option<String>) -> String {
    let failed = failed.iter().map(|met| format!("{} ({})", met.target, met.class));
    or_dash(&failed.chain(target).collect::<Vec<_>>().join(" > "))
}

fn model(name: &str) -> String {
    or_dash(&short(name, MODEL_CHARACTERS))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0))
}

/// Seconds in two units: `59s`, `3m 20s`, `2h 5m`, `4d 1h`.
fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        (_, _, _) => format!("{days}d {}h", hours % 24),
    }
}

/// Columns under their heads; nothing without a row.
fn table(out: &mut String, heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    out.push('\n');
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            // Writing to a String cannot fail.
            let _ = write!(out, "{:<width$}  ", harmless(cell));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
}

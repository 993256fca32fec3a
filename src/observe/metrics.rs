//! `/metrics`: counts in the Prometheus text format 0.0.4 (SPEC 11.4), at most 500 series.
//!
//! Label values come from clients (models, and targets by direct routes), so that series are
//! bounded: what finds no room any more is counted under `other`, for which room is always kept.

use std::fmt::Write;
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::cut;
use crate::observe::record::Record;
use crate::observe::status::{Bucket, Client, Target};
use crate::policy::class::Class;

/// Series of requests; with those of [`SHOWN_BUCKETS`], [`SHOWN_TARGETS`], the four that stand alone
/// and what is kept for `other` there are fewer than 500.
const MOST_COUNTED: usize = 380;
/// Targets whose circuit is told.
const SHOWN_TARGETS: usize = 25;
/// Buckets whose level is told.
const SHOWN_BUCKETS: usize = 30;
/// A label's value is cut there.
const LABEL_CHARACTERS: usize = 100;

/// Bounds of the histograms, in seconds.
const BOUNDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// The counts.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

#[derive(Clone, Debug, Default)]
struct Counts {
    counters: Vec<Counter>,
    histograms: Vec<Histogram>,
    losses: u64,
}

#[derive(Clone, Debug)]
struct Counter {
    series: Series,
    value: f64,
}

#[derive(Clone, Debug)]
struct Histogram {
    series: Series,
    /// One for each bound, and those above all.
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

/// What one number is of.
#[derive(Clone, Debug)]
struct Series {
    family: Family,
    labels: Vec<(&'static str, String)>,
}

/// The same, lent: most numbers are known already, and nothing is copied to find them.
#[derive(Clone, Copy)]
struct Lent<'a> {
    family: Family,
    labels: Labels<'a>,
    /// Where it is counted when there is no room for its own series.
    others: Labels<'a>,
}

/// Names and values of labels.
type Labels<'a> = &'a [(&'static str, &'a str)];

/// What is counted by labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Requests,
    Attempts,
    Failovers,
    Tokens,
    Cost,
    FirstByte,
    Total,
}

/// What is true now, for the gauges.
#[derive(Debug)]
pub struct Now<'a> {
    /// The commit of this binary.
    pub commit: &'a str,
    /// Generations that run.
    pub in_flight: usize,
    /// Generations that wait.
    pub queued: usize,
    /// The targets.
    pub targets: &'a [Target],
    /// The client keys whose requests are counted.
    pub clients: &'a [Client],
}

impl Family {
    /// Name, kind and meaning.
    fn about(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Requests => ("llmgate_requests_total", "counter", "Requests that ended."),
            Self::Attempts => {
                ("llmgate_attempts_total", "counter", "Calls to targets; class ok is an answer.")
            }
            Self::Failovers => {
                ("llmgate_failovers_total", "counter", "Times that a request went on to another target.")
            }
            Self::Tokens => {
                ("llmgate_tokens_total", "counter", "Tokens; cached and cache_write are part of input.")
            }
            Self::Cost => ("llmgate_cost_usd_total", "counter", "USD, of answers that have a price."),
            Self::FirstByte => {
                ("llmgate_first_byte_seconds", "histogram", "From a call to its first byte, of answers.")
            }
            Self::Total => {
                ("llmgate_request_seconds", "histogram", "From a request to its end, by its last target.")
            }
        }
    }
}

impl Metrics {
    /// Counts one request.
    pub fn add(&self, record: &Record) {
        let model = record.alias.as_ref().map_or("direct", |alias| alias.as_str());
        let status = record.status.to_string();
        let ingress = record.ingress.name();
        let target = record.target.as_ref().map(ToString::to_string);
        let mut counts = self.0.lock();
        let request = Lent {
            family: Family::Requests,
            labels: &[("ingress", ingress), ("model", model), ("status", &status)],
            others: &[("ingress", ingress), ("model", "other"), ("status", "other")],
        };
        counts.count(request, 1.0);
        for (target, class) in &record.failures {
            counts.attempt(&target.to_string(), Class::name_of(*class));
        }
        let failovers = record.failovers();
        if failovers > 0 {
            let (labels, others): (Labels<'_>, Labels<'_>) = (&[("model", model)], &[("model", "other")]);
            counts.count(Lent { family: Family::Failovers, labels, others }, failovers as f64);
        }
        counts.losses += record.losses.len() as u64;
        if let Some(target) = target {
            counts.answer(&target, record);
        }
    }

    /// All of it in the text format.
    pub fn text(&self, now: &Now<'_>) -> String {
        // Copied, so that no request waits while it is written.
        let counts = self.0.lock().clone();
        let mut page = String::new();
        for family in [Family::Requests, Family::Attempts, Family::Failovers, Family::Tokens, Family::Cost] {
            let name = head(&mut page, family.about());
            for counter in counts.counters.iter().filter(|counter| counter.series.family == family) {
                sample(&mut page, name, &counter.series.text(), counter.value);
            }
        }
        for family in [Family::FirstByte, Family::Total] {
            let name = head(&mut page, family.about());
            let own = counts.histograms.iter().filter(|histogram| histogram.series.family == family);
            own.for_each(|histogram| histogram.write(&mut page, name));
        }
        gauges(&mut page, now);
        let name = head(
            &mut page,
            ("llmgate_losses_total", "counter", "What requests lost on their way to a target."),
        );
        sample(&mut page, name, "", counts.losses as f64);
        page
    }
}

impl Series {
    fn of(family: Family, labels: Labels<'_>) -> Self {
        let own = labels.iter().map(|(name, value)| (*name, cut(value).to_owned()));
        Self { family, labels: own.collect() }
    }

    fn is(&self, family: Family, labels: Labels<'_>) -> bool {
        let is_alike = |(own, other): (&(&str, String), &(&str, &str))| own.1 == cut(other.1);
        self.family == family && self.labels.iter().zip(labels).all(is_alike)
    }

    fn text(&self) -> String {
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        text(&labels)
    }
}

/// A label's value as it is kept.
fn cut(value: &str) -> &str {
    cut::first(value, LABEL_CHARACTERS).unwrap_or(value)
}

/// Labels as they stand between the braces.
fn text(labels: Labels<'_>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{name}=\"");
        for c in cut(value).chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                // Allowed, but nobody's friend on a terminal.
                c if c.is_control() => text.push('?'),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

impl Counts {
    fn attempt(&mut self, target: &str, class: &str) {
        let labels: Labels<'_> = &[("target", target), ("class", class)];
        let others: Labels<'_> = &[("target", "other"), ("class", "other")];
        self.count(Lent { family: Family::Attempts, labels, others }, 1.0);
    }

    /// What the target that was asked last has done.
    fn answer(&mut self, target: &str, record: &Record) {
        if record.answered {
            self.attempt(target, "ok");
        }
        let usage = &record.usage;
        for (kind, tokens) in [
            ("input", usage.input),
            ("cached", usage.cached),
            ("cache_write", usage.cache_write),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
        ] {
            let Some(tokens) = tokens.filter(|tokens| *tokens > 0) else { continue };
            let labels: Labels<'_> = &[("target", target), ("kind", kind)];
            let others: Labels<'_> = &[("target", "other"), ("kind", kind)];
            self.count(Lent { family: Family::Tokens, labels, others }, tokens as f64);
        }
        let (labels, others): (Labels<'_>, Labels<'_>) = (&[("target", target)], &[("target", "other")]);
        if let Some(cost) = record.cost {
            self.count(Lent { family: Family::Cost, labels, others }, cost);
        }
        if let Some(time) = record.answered_in.filter(|_| record.answered) {
            self.measure(Lent { family: Family::FirstByte, labels, others }, time);
        }
        self.measure(Lent { family: Family::Total, labels, others }, record.total);
    }

    fn count(&mut self, what: Lent<'_>, more: f64) {
        let Lent { family, labels, others } = what;
        let has_room = self.has_room(1);
        let counters = &mut self.counters;
        let place =
            |counters: &[Counter], labels| counters.iter().position(|one| one.series.is(family, labels));
        let known = place(counters, labels).or_else(|| place(counters, others).filter(|_| !has_room));
        if let Some(counter) = known.and_then(|index| counters.get_mut(index)) {
            counter.value += more;
        } else {
            let series = Series::of(family, if has_room { labels } else { others });
            counters.push(Counter { series, value: more });
        }
    }

    fn measure(&mut self, what: Lent<'_>, time: Duration) {
        let Lent { family, labels, others } = what;
        let has_room = self.has_room(Histogram::SERIES);
        let histograms = &mut self.histograms;
        let place = |all: &[Histogram], labels| all.iter().position(|one| one.series.is(family, labels));
        let known = place(histograms, labels).or_else(|| place(histograms, others).filter(|_| !has_room));
        if let Some(histogram) = known.and_then(|index| histograms.get_mut(index)) {
            histogram.add(time);
        } else {
            let series = Series::of(family, if has_room { labels } else { others });
            let mut histogram = Histogram { series, counts: [0; BOUNDS.len() + 1], sum: 0.0 };
            histogram.add(time);
            histograms.push(histogram);
        }
    }

    fn has_room(&self, series: usize) -> bool {
        self.counters.len() + self.histograms.len() * Histogram::SERIES + series <= MOST_COUNTED
    }
}

impl Histogram {
    /// A series for each bound, one for all, sum and count.
    const SERIES: usize = BOUNDS.len() + 3;

    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sum += seconds;
        let place = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    fn write(&self, page: &mut String, name: &str) {
        let mut sum = 0;
        let labels = self.series.text();
        for (index, count) in self.counts.iter().enumerate() {
            sum += count;
            let bound = BOUNDS.get(index).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            // Writing to a String cannot fail.
            let _ = writeln!(page, "{name}_bucket{{{labels},le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(page, "{name}_sum{{{labels}}} {}", self.sum);
        let _ = writeln!(page, "{name}_count{{{labels}}} {sum}");
    }
}

fn gauges(page: &mut String, now: &Now<'_>) {
    let name =
        head(page, ("llmgate_circuit_state", "gauge", "Breaker of a target: 0 closed, 1 half-open, 2 open."));
    for target in now.targets.iter().take(SHOWN_TARGETS) {
        let state = match target.circuit_state {
            "open" => 2.0,
            "half_open" => 1.0,
            _ => 0.0,
        };
        first_sample(page, name, &text(&[("target", &target.target.to_string())]), state);
    }
    let name = head(page, ("llmgate_bucket_remaining", "gauge", "What is left in a bucket's window."));
    let mut levels: Vec<(&'static str, String, &Bucket)> = Vec::new();
    for target in now.targets {
        levels.extend(target.buckets.iter().map(|bucket| ("target", target.target.to_string(), bucket)));
    }
    for client in now.clients {
        levels.extend(client.buckets.iter().map(|bucket| ("client", client.key.clone(), bucket)));
    }
    for (label, owner, bucket) in levels.into_iter().take(SHOWN_BUCKETS) {
        let labels = text(&[(label, &owner), ("bucket", &bucket.name), ("metric", bucket.metric)]);
        first_sample(page, name, &labels, bucket.limit.saturating_sub(bucket.used) as f64);
    }
    let name = head(page, ("llmgate_in_flight", "gauge", "Generations that run."));
    sample(page, name, "", now.in_flight as f64);
    let name = head(page, ("llmgate_queued", "gauge", "Generations that wait for a slot."));
    sample(page, name, "", now.queued as f64);
    let name = head(page, ("llmgate_build_info", "gauge", "What this binary is; always 1."));
    let build = text(&[("version", env!("CARGO_PKG_VERSION")), ("commit", now.commit)]);
    sample(page, name, &build, 1.0);
}

/// Begins a family.
fn head(page: &mut String, about: (&'static str, &str, &str)) -> &'static str {
    let (name, kind, help) = about;
    // Writing to a String cannot fail.
    let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    name
}

/// A series is told once, also where names are alike as far as they are kept.
fn first_sample(page: &mut String, name: &str, labels: &str, value: f64) {
    if !page.contains(&format!("{name}{{{labels}}}")) {
        sample(page, name, labels, value);
    }
}

fn sample(page: &mut String, name: &str, labels: &str, value: f64) {
    // Writing to a String cannot fail.
    let _ = if labels.is_empty() {
        writeln!(page, "{name} {value}")
    } else {
        writeln!(page, "{name}{{{labels}}} {value}")
    };
}

#[cfg(test)]
mod tests;

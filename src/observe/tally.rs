//! The sums of a session, for the line that `run` ends with.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::observe::record::Record;

/// What requests came to so far.
#[derive(Debug, Default)]
pub struct Tally {
    requests: AtomicU64,
    input: AtomicU64,
    cached: AtomicU64,
    output: AtomicU64,
    failovers: AtomicU64,
}

/// The sums at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Input tokens from a prompt cache.
    pub cached: u64,
    /// Output tokens.
    pub output: u64,
    /// Times that a request went on to another target.
    pub failovers: u64,
}

impl Tally {
    /// Adds one request.
    pub fn add(&self, record: &Record) {
        let add = |sum: &AtomicU64, more: u64| sum.fetch_add(more, Ordering::Relaxed);
        add(&self.requests, 1);
        add(&self.input, record.usage.input.unwrap_or(0));
        add(&self.cached, record.usage.cached.unwrap_or(0));
        add(&self.output, record.usage.output.unwrap_or(0));
        add(&self.failovers, record.failovers());
    }

    /// The sums now.
    pub fn sums(&self) -> Sums {
        let now = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        Sums {
            requests: now(&self.requests),
            input: now(&self.input),
            cached: now(&self.cached),
            output: now(&self.output),
            failovers: now(&self.failovers),
        }
    }
}

impl Sums {
    /// `3 requests, 1200 tokens in (25% cached), 340 out, cost ?, 0 failovers`; the cost is told
    /// when somebody knows it.
    pub fn line(&self, cost: Option<f64>) -> String {
        let cached = match (self.cached * 100).checked_div(self.input) {
            Some(share) => format!(" ({share}% cached)"),
            None => String::new(),
        };
        let cost = cost.map_or_else(|| "?".to_owned(), |cost| format!("{cost:.4} USD"));
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        format!(
            "{} request{}, {} tokens in{cached}, {} out, cost {cost}, {} failover{}",
            self.requests,
            plural(self.requests),
            self.input,
            self.output,
            self.failovers,
            plural(self.failovers),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_sums() {
        let sums = Sums { requests: 1, input: 1200, cached: 300, output: 40, failovers: 2 };
        assert_eq!(sums.line(None), "1 request, 1200 tokens in (25% cached), 40 out, cost ?, 2 failovers");
        assert_eq!(
            Sums::default().line(Some(0.5)),
            "0 requests, 0 tokens in, 0 out, cost 0.5000 USD, 0 failovers"
        );
    }
}

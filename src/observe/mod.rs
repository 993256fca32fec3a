//! Floor 4: what is told about requests afterwards. A request is told once, as a [`Record`]; every
//! reader of this floor is given it.

pub mod live;
pub mod log;
pub mod metrics;
pub mod record;
pub mod status;
pub mod tally;

use live::Board;
use metrics::Metrics;
use record::Record;
use status::Stats;
use tally::Tally;

/// All who are told of requests; carried over a reload.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The sums of this process.
    pub tally: Tally,
    /// The requests that run.
    pub board: Board,
    /// What the status shows.
    pub stats: Stats,
    /// What `/metrics` counts.
    pub metrics: Metrics,
}

impl Sinks {
    /// A request is over.
    pub fn tell(&self, record: &Record) {
        log::request(record);
        self.tally.add(record);
        self.stats.add(record);
        self.metrics.add(record);
    }
}

#[cfg(test)]
mod tests;

//! Floor 4: what is told about requests afterwards. A request is told once, as a [`Record`]; every
//! reader of this floor is given it.

pub mod append;
pub mod files;
pub mod hook;
pub mod ledger;
pub mod live;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod record;
pub mod recorder;
pub mod rotate;
pub mod status;
pub mod tally;
pub mod trace;
pub mod usage;

use files::Files;
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
    /// What is written of them.
    pub files: Files,
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
        self.files.tell(record);
        self.stats.add(record);
        self.metrics.add(record);
    }
}

#[cfg(test)]
mod tests;

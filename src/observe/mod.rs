//! Floor 4: what is told about requests afterwards. A request is told once, as a [`Record`]; every
//! reader of this floor is given it.

pub mod append;
pub mod log;
pub mod record;
pub mod rotate;
pub mod tally;

use record::Record;
use tally::Tally;

/// All who are told of requests; carried over a reload.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The sums of this process.
    pub tally: Tally,
}

impl Sinks {
    /// A request is over.
    pub fn tell(&self, record: &Record) {
        log::request(record);
        self.tally.add(record);
    }
}

//! Floor 4: what is told about requests afterwards. A request is told once, as a [`Record`]; every
//! reader of this floor is given it.

pub mod append;
pub mod files;
pub mod hook;
pub mod ledger;
pub mod log;
pub mod queue;
pub mod record;
pub mod recorder;
pub mod rotate;
pub mod tally;
pub mod trace;
pub mod usage;

use files::Files;
use record::Record;
use tally::Tally;

/// All who are told of requests; carried over a reload.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The sums of this process.
    pub tally: Tally,
    /// What is written of them.
    pub files: Files,
}

impl Sinks {
    /// A request is over.
    pub fn tell(&self, record: &Record) {
        log::request(record);
        self.tally.add(record);
        self.files.tell(record);
    }
}

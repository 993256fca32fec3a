//! Floor 4: what is told about requests afterwards.

pub mod log;
pub mod record;
pub mod tally;

//! Floor 1: pure decisions. Values in, values out; time and chance are arguments.

pub mod backoff;
pub mod breaker;
pub mod bucket;
pub mod budget;
pub mod class;
pub mod outcome;
pub mod step;
pub mod strategy;

#[cfg(test)]
mod draw;

//! Floor 1: pure decisions. Values in, values out; time and chance are arguments.

pub mod class;

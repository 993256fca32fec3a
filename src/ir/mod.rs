//! Floor 1: the neutral words between the four protocols.

pub mod response;

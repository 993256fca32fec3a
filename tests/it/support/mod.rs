//! What the tests are made with: a fake provider, the proxy in the process, a raw client, recorded
//! exchanges, seeded numbers.

pub mod client;
pub mod draw;
pub mod fixtures;
pub mod lane;
pub mod provider;
pub mod proxy;
pub mod rogue;

use std::time::Duration;

/// Only so that a bug fails instead of hanging; no test is decided by it.
pub const GUARD: Duration = Duration::from_secs(30);

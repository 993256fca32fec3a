//! What the tests are made with: a fake provider, the proxy in the process, a raw client, recorded
//! exchanges, seeded numbers.

pub(crate) mod client;
pub(crate) mod crossing;
pub(crate) mod draw;
pub(crate) mod duo;
pub(crate) mod fixtures;
pub(crate) mod golden;
pub(crate) mod lane;
pub(crate) mod provider;
pub(crate) mod proxy;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod rogue;
pub(crate) mod sdk;

use std::time::Duration;

/// Only so that a bug fails instead of hanging; no test is decided by it.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

//! A provider's connections, each in a lane of its own.
//!
//! ureq keeps its pool under one lock and walks through all of it for each call, comparing addresses:
//! with 64 connections that took a twelfth of the CPU of a request. So each of the calls that run at
//! the same time has an agent to itself, whose pool holds one connection. The lane used last is taken
//! first; those that are no longer needed grow old, and are closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ureq::Proxy;
use ureq::config::Config;

use crate::base::clock;
use crate::upstream::LONGEST_LINE;
use crate::upstream::connect::{self, Addresses, Unresolved};
use crate::upstream::tls::Tls;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);
/// So many of them are kept.
const MOST: usize = 64;

/// The lanes to one provider; cheap to clone, and then shared.
#[derive(Clone, Debug)]
pub(super) struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    tls: Tls,
    addresses: Addresses,
    /// Those that nobody uses, the one used last at the end.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    agent: ureq::Agent,
    since: Instant,
}

/// A lane while a call goes over it. It ends with the call, unless its connection can be used again.
pub(super) struct Lane {
    agent: ureq::Agent,
    home: Lanes,
    kept: bool,
}

impl Lanes {
    /// None yet.
    pub(super) fn new(proxy: Option<Proxy>, tls: &Tls) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE)
            .input_buffer_size(32 * 1024)
            .output_buffer_size(LONGEST_LINE)
            .build();
        let addresses = Addresses::default();
        Self(Arc::new(Shared { config, tls: tls.clone(), addresses, idle: Mutex::default() }))
    }

    /// Are they led through a proxy?
    pub(super) fn has_proxy(&self) -> bool {
        self.0.config.proxy().is_some()
    }

    /// The lane used last that is free, or a new one.
    pub(super) fn take(&self) -> Lane {
        let free = self.0.idle.lock().pop();
        let agent = free.map_or_else(|| self.open(), |idle| idle.agent);
        Lane { agent, home: self.clone(), kept: false }
    }

    #[inline(never)] // Its frame would lie under each call.
    fn open(&self) -> ureq::Agent {
        let chain = connect::chain(&self.0.tls, &self.0.addresses);
        ureq::Agent::with_parts(self.0.config.clone(), chain, Unresolved)
    }

    /// Keeps a lane that is free since `now`; closes those at the other end that are too old or too many.
    fn give(&self, agent: ureq::Agent, now: Instant) {
        let mut idle = self.0.idle.lock();
        idle.push(Idle { agent, since: now });
        let old = idle.iter().take_while(|idle| now.saturating_duration_since(idle.since) > IDLE).count();
        let surplus = idle.len().saturating_sub(MOST);
        let closed: Vec<Idle> = idle.drain(..old.max(surplus)).collect();
        drop(idle); // To close takes time, and others wait for the lock.
        drop(closed);
    }
}

impl Lane {
    /// What calls over it.
    pub(super) fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// The answer was read to its end: another call may use the connection.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.kept {
            self.home.give(self.agent.clone(), clock::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes() -> Lanes {
        Lanes::new(None, &Tls::new(Vec::new()))
    }

    fn idle(lanes: &Lanes) -> usize {
        lanes.0.idle.lock().len()
    }

    fn kept(lanes: &Lanes) -> Lane {
        let mut lane = lanes.take();
        lane.keep();
        lane
    }

    #[test]
    fn a_free_lane_is_taken_before_one_is_opened() {
        let lanes = lanes();
        let (first, second) = (kept(&lanes), kept(&lanes));
        drop(first);
        drop(second);
        assert_eq!(idle(&lanes), 2);
        let _again = lanes.take();
        assert_eq!(idle(&lanes), 1);
    }

    #[test]
    fn a_lane_without_a_connection_is_not_kept() {
        let lanes = lanes();
        drop(kept(&lanes));
        drop(lanes.take());
        assert_eq!(idle(&lanes), 0);
    }

    #[test]
    fn no_more_are_kept_than_the_limit() {
        let lanes = lanes();
        let taken: Vec<Lane> = (0..MOST + 3).map(|_| kept(&lanes)).collect();
        drop(taken);
        assert_eq!(idle(&lanes), MOST);
    }

    #[test]
    fn lanes_that_nobody_needs_are_closed() {
        let lanes = lanes();
        let now = clock::now();
        for _ in 0..3 {
            lanes.give(lanes.open(), now);
        }
        lanes.give(lanes.open(), now + IDLE);
        assert_eq!(idle(&lanes), 4);
        lanes.give(lanes.open(), now + IDLE + Duration::from_secs(1));
        assert_eq!(idle(&lanes), 2);
    }
}

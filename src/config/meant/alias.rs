//! The names that clients see, and where they lead.

use std::time::Duration;

use crate::base::id::{Alias, TargetId};

pub use crate::policy::strategy::Strategy;

/// One name that clients see, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasRoute {
    /// The name or pattern.
    pub alias: Alias,
    /// Is it on? The second of the three switches of a target.
    pub enabled: bool,
    /// Is it shown in model lists?
    pub listed: bool,
    /// Order inside one priority (SPEC 5.4).
    pub strategy: Strategy,
    /// How long a session stays on its target; zero is not at all.
    pub affinity: Duration,
    /// The targets, as written.
    pub targets: Vec<Target>,
    /// Aliases or targets to try after them.
    pub fallback: Vec<Fallback>,
}

/// One target of an alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Provider and model; the model `*` is the asked name.
    pub to: TargetId,
    /// Lower first.
    pub priority: u32,
    /// Share inside its priority.
    pub weight: u32,
    /// Is it on under this alias? The third of its three switches.
    pub enabled: bool,
    /// Its own `first_byte`.
    pub first_byte: Option<Duration>,
    /// Its own number of tries.
    pub attempts: Option<u32>,
    /// When it may be used (SPEC 5.3).
    pub when: When,
}

impl Target {
    /// A target of which nothing else is said.
    pub fn alone(to: TargetId) -> Self {
        Self {
            to,
            priority: 1,
            weight: 1,
            enabled: true,
            first_byte: None,
            attempts: None,
            when: When::default(),
        }
    }
}

/// When a target may be used (SPEC 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// At most so many input tokens.
    pub max_input: Option<u64>,
    /// At least so many input tokens.
    pub min_input: Option<u64>,
    /// Only with, or only without, images.
    pub has_images: Option<bool>,
    /// Only with, or only without, reasoning.
    pub thinking: Option<bool>,
}

/// Where an alias leads when its targets fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// To another alias.
    Alias(Alias),
    /// To a target.
    Target(TargetId),
}

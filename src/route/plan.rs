//! The routing decision as data: which targets may serve a request, in order, and which may not
//! (SPEC 5.3, 5.4). `route explain` and `/debug/routes` print what a request uses.

use std::fmt;
use std::time::Duration;

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::config::{AliasRoute, ModelSpec, Provider};
use crate::ir::estimate::Size;
use crate::policy::bucket::Exhausted;
use crate::policy::class::Class;
use crate::protocol::Protocol;

/// The targets of one request.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Those that may be used, in order.
    pub candidates: Vec<Candidate<'a>>,
    /// Those that may not, with the reason.
    pub skipped: Vec<Skipped<'a>>,
    /// The alias that the name led to; `None` for a direct route.
    pub alias: Option<&'a AliasRoute>,
    /// The session of the request (SPEC 5.5), where there is more than one place for it to stay at.
    pub session: Option<u64>,
}

impl<'a> Plan<'a> {
    /// The first target that may be used, else the first there is.
    pub fn first(&self) -> Option<&Candidate<'a>> {
        self.candidates.first().or_else(|| self.skipped.first().map(|skipped| &skipped.candidate))
    }
}

/// A target that a request may use.
#[derive(Clone)]
pub struct Candidate<'a> {
    /// Provider and model, the asked name put in for `*`.
    pub target: TargetId,
    /// The provider.
    pub provider: &'a Provider,
    /// What is spoken to it: the client's own protocol where it can, else the provider's first.
    pub protocol: Protocol,
    /// What is known of the model.
    pub spec: Option<&'a ModelSpec>,
    /// The group it stands in: the alias's priorities first, then those of its fallbacks.
    pub group: usize,
    /// Its priority, as written; lower first.
    pub priority: u32,
    /// Its share inside its priority, as written.
    pub weight: u32,
    /// The same as the strategy sees it now.
    pub effective_weight: f64,
    /// The target's own limit until the first byte.
    pub first_byte: Option<Duration>,
    /// The target's own number of tries.
    pub attempts: Option<u32>,
}

/// A target that may not be used.
#[derive(Clone, Debug)]
pub struct Skipped<'a> {
    /// The target.
    pub candidate: Candidate<'a>,
    /// Why.
    pub why: Skip,
}

/// Why a target is skipped; the words are those of SPEC 5.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// One of the three switches is off.
    Disabled,
    /// The model is known not to have what the request needs.
    Capability(&'static str),
    /// The request does not fit into the model's context.
    Context {
        /// Tokens of the request.
        input: u64,
        /// Tokens that it asks for.
        output: u64,
        /// Tokens that fit.
        context: u64,
    },
    /// A condition of the target is false: its key.
    When(&'static str),
    /// A bucket is exhausted: its name and why.
    Bucket(String, Exhausted),
    /// The target rests after a failure: of which class, and until when.
    Cooldown(Class, Millis),
    /// The breaker is open until then.
    Breaker(Millis),
    /// The lane to this target would refuse the request: the path of the field.
    Refusal(String),
    /// The client's own key may not go to another host.
    AuthMode,
}

impl Candidate<'_> {
    /// Characters that make a token for this target, in the estimate of input tokens (SPEC 7.3).
    pub fn characters_per_token(&self) -> f64 {
        let known = self.spec.and_then(|spec| spec.chars_per_token);
        known.unwrap_or_else(|| self.protocol.codec().characters_per_token())
    }

    /// Estimated input tokens, before what was learnt of the target.
    pub fn tokens(&self, size: Size) -> u64 {
        size.tokens(self.characters_per_token())
    }
}

/// Its name alone: a provider's own headers may hold a key, and a plan is logged.
impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Capability(name) => write!(f, "capability:{name}"),
            Self::Context { .. } => f.write_str("context"),
            Self::When(key) => write!(f, "when:{key}"),
            Self::Bucket(name, _) => write!(f, "bucket:{name}"),
            Self::Cooldown(class, _) => write!(f, "cooldown:{}", class.name()),
            Self::Breaker(_) => f.write_str("breaker"),
            Self::Refusal(path) => write!(f, "refusal:{path}"),
            Self::AuthMode => f.write_str("auth-mode"),
        }
    }
}

impl Skip {
    /// When the target may be used again, if time alone brings that.
    pub fn recovers_at(&self) -> Option<Millis> {
        match self {
            Self::Bucket(_, exhausted) => Some(exhausted.resets_at),
            Self::Cooldown(_, until) | Self::Breaker(until) => Some(*until),
            Self::Disabled
            | Self::Capability(_)
            | Self::Context { .. }
            | Self::When(_)
            | Self::Refusal(_)
            | Self::AuthMode => None,
        }
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.alias.map_or("direct", |route| route.alias.as_str()))?;
        self.candidates.iter().try_for_each(|candidate| write!(f, " {}", candidate.target))?;
        self.skipped.iter().try_for_each(|skipped| write!(f, " {}={}", skipped.candidate.target, skipped.why))
    }
}

impl<'a> Plan<'a> {
    /// A target may not be used after all.
    pub fn skip(&mut self, candidate: Candidate<'a>, why: Skip) {
        self.skipped.push(Skipped { candidate, why });
    }
}

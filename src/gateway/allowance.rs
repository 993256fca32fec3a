//! What a client's key may use (`client_auth.buckets`, SPEC 7.4, 10.1): a request takes one place in
//! the buckets of its key, however many calls it needs.

use crate::base::clock;
use crate::base::id::ModelName;
use crate::config::Bucket;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::nothing;
use crate::gateway::trouble::Trouble;
use crate::policy::bucket::Refund;
use crate::route::plan::Plan;
use crate::route::visit::Hold;
use crate::state::Owner;

/// What a request holds of its key's buckets.
pub(super) struct Allowance<'h> {
    hold: Hold<'h>,
    /// What is given back when no call succeeds; `None`, and so least of all, is nothing.
    refund: Option<Refund>,
}

/// Takes what a request needs; `None` where nothing is counted.
///
/// # Errors
/// A bucket of its key has no room.
pub(super) fn take<'l>(
    live: &'l Live,
    inbound: &Inbound,
    plan: &Plan<'_>,
) -> Result<Option<Allowance<'l>>, Trouble> {
    let Some(key) = inbound.key else { return Ok(None) };
    let rules: Vec<&Bucket> =
        live.config().client_buckets.iter().filter(|rule| counts(rule, live, inbound, plan)).collect();
    if rules.is_empty() {
        return Ok(None);
    }
    let first = plan.first().filter(|_| rules.iter().any(|rule| rule.tokens.is_some()));
    let tokens = first.map_or(0, |candidate| {
        let size = live.decoded(inbound).map(|decoded| decoded.size).unwrap_or_default();
        live.health.estimate(candidate, size)
    });
    let now = clock::millis();
    match live.health.reserve(&Owner::Key(key), &rules, tokens, now) {
        Ok(hold) => Ok(Some(Allowance { hold, refund: Some(Refund::RequestAndTokens) })),
        Err((rule, exhausted)) => {
            Err(nothing::empty_bucket(rule, ("this client key", "client"), &exhausted, now))
        }
    }
}

/// Does a bucket count this request? It names models as clients do: what was asked for, and what
/// that led to as it is written, since one model may be asked for by several names.
fn counts(rule: &Bucket, live: &Live, inbound: &Inbound, plan: &Plan<'_>) -> bool {
    let Some(models) = &rule.models else { return true };
    let default = live.config().default_model.as_ref().map(ModelName::as_str);
    let asked = inbound.asked.as_deref().or(default);
    let led = match plan.alias {
        Some(route) => Some(route.alias.to_string()),
        None => plan.first().map(|candidate| candidate.target.to_string()),
    };
    models.iter().any(|name| [asked, led.as_deref()].contains(&Some(name.as_str())))
}

impl Allowance<'_> {
    /// A call failed: the one that gives the least back counts.
    pub(super) fn tried(&mut self, refund: Option<Refund>) {
        self.refund = self.refund.min(refund);
    }

    /// A call succeeded, with so many input tokens.
    pub(super) fn settle(self, input: Option<u64>) {
        self.hold.settle(input);
    }

    /// None did.
    pub(super) fn fails(self, input: Option<u64>) {
        self.hold.fails(self.refund, input);
    }
}

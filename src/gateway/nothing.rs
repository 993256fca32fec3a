//! When no candidate is left (SPEC 5.3, 6.7): one more try where time alone is in the way, else why
//! the request cannot be served and when it may.

use crate::base::clock::Millis;
use crate::config::Bucket;
use crate::gateway::live::Live;
use crate::gateway::trouble::Trouble;
use crate::policy::bucket::Exhausted;
use crate::policy::class::Class;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::plan::{Candidate, Plan, Skip, Skipped};

/// Takes the one target out of a plan that may be tried although it rests: the soonest after a rate
/// limit or a missing model; one request each 30 s where only keys or quotas failed.
pub fn rescue<'a>(live: &Live, plan: &mut Plan<'a>, now: Millis) -> Option<Candidate<'a>> {
    let recovering = || plan.skipped.iter().filter(|skipped| skipped.why.recovers_at().is_some());
    let soonest = recovering().min_by_key(|skipped| skipped.why.recovers_at())?;
    let target = soonest.candidate.target.clone();
    let may = matches!(soonest.why, Skip::Cooldown(Class::RateLimit | Class::NotFound, _))
        || (recovering().all(of_key_or_quota) && live.health.lets_through(&target, now));
    let index = plan.skipped.iter().position(|skipped| skipped.candidate.target == target)?;
    may.then(|| plan.skipped.remove(index).candidate)
}

/// Does a target rest because its key or quota failed?
fn of_key_or_quota(skipped: &Skipped<'_>) -> bool {
    matches!(skipped.why, Skip::Cooldown(Class::Auth | Class::Quota, _))
}

/// Why no target can serve the request.
pub fn trouble(live: &Live, plan: &Plan<'_>, now: Millis) -> Trouble {
    let enabled: Vec<&Skipped<'_>> =
        plan.skipped.iter().filter(|skipped| skipped.why != Skip::Disabled).collect();
    if enabled.is_empty() {
        return degraded(
            live,
            "Every target of this model is disabled. Enable one in the configuration.",
            60,
        );
    }
    let recovering: Vec<&&Skipped<'_>> =
        enabled.iter().filter(|skipped| skipped.why.recovers_at().is_some()).collect();
    let Some(soonest) = recovering.iter().min_by_key(|skipped| skipped.why.recovers_at()) else {
        return unfit(&enabled);
    };
    if let Skip::Bucket(name, exhausted) = &soonest.why
        && recovering.iter().all(|skipped| matches!(skipped.why, Skip::Bucket(..)))
        && let provider = soonest.candidate.provider
        && let Some(rule) = provider.buckets.iter().find(|rule| rule.name == *name)
    {
        let scope = if rule.models.is_some() { "model" } else { "provider" };
        return empty_bucket(rule, (provider.name.as_str(), scope), exhausted, now);
    }
    let wait = soonest.why.recovers_at().map_or(1, |until| seconds(until, now));
    if recovering.iter().all(|skipped| of_key_or_quota(skipped))
        && let Some(rest) = live.health.rest_of(&soonest.candidate.target, now)
    {
        let kind = if rest.class == Class::Auth { FaultKind::UpstreamAuth } else { FaultKind::Quota };
        return Trouble::own(Fault::new(kind, rest.said).with_retry_after(Some(wait)));
    }
    let message = format!("No target of this model can be used now: {}.", reasons(&enabled));
    degraded(live, &message, wait)
}

/// The answer of test mode's `force_degraded`.
pub fn played(live: &Live) -> Trouble {
    degraded(live, "Test mode: degraded as asked for.", 1)
}

fn degraded(live: &Live, message: &str, wait: u64) -> Trouble {
    let message = format!("{} {message}", live.config().breaker.signal);
    let fault = Fault::new(FaultKind::Degraded, message.trim_start()).with_retry_after(Some(wait));
    Trouble::own(fault).with_header("x-llm-proxy-error-class", "provider_degraded")
}

/// Nothing left because the request fits no target.
fn unfit(skipped: &[&Skipped<'_>]) -> Trouble {
    let context = skipped.iter().filter_map(|skipped| {
        let Skip::Context { input, output, context } = skipped.why else { return None };
        Some((input, output, context))
    });
    let largest = context.max_by_key(|(.., context)| *context);
    if let Some((input, output, context)) =
        largest.filter(|_| skipped.iter().all(|skipped| matches!(skipped.why, Skip::Context { .. })))
    {
        // Claude Code shortens the conversation for the one, and asks for less for the other.
        let message = if input > context {
            format!("prompt is too long: {input} tokens > {context} maximum")
        } else {
            format!("input length and `max_tokens` exceed context limit: {input} + {output} > {context}")
        };
        return Trouble::own(Fault::new(FaultKind::Context, message));
    }
    let kind = if skipped.iter().all(|skipped| matches!(skipped.why, Skip::Refusal(_))) {
        FaultKind::UnsupportedParameter
    } else {
        FaultKind::Capability
    };
    let message = format!("No target of this model can serve this request: {}.", reasons(skipped));
    Trouble::own(Fault::new(kind, message))
}

/// A bucket has no room: whose it is, and what it limits.
pub(super) fn empty_bucket(
    rule: &Bucket,
    (owner, scope): (&str, &'static str),
    exhausted: &Exhausted,
    now: Millis,
) -> Trouble {
    let (name, window, wait) = (&rule.name, rule.shown_window(), seconds(exhausted.resets_at, now));
    let message = format!(
        "The bucket {name:?} of {owner} is empty: {} {} in {window}. It fills again in {wait} s.",
        exhausted.limit,
        exhausted.metric.name()
    );
    Trouble::own(Fault::new(FaultKind::RateLimit, message).with_retry_after(Some(wait)))
        .with_header("x-ratelimit-reason", format!("bucket:{name}"))
        .with_header("x-ratelimit-metric", exhausted.metric.name())
        .with_header("x-ratelimit-window", window)
        .with_header("x-ratelimit-scope", scope)
        .with_header("x-ratelimit-limit", exhausted.limit.to_string())
        .with_header("x-ratelimit-remaining", exhausted.remaining.to_string())
}

/// `a/x (vision), b/y (context)`
fn reasons(skipped: &[&Skipped<'_>]) -> String {
    let each = skipped.iter().map(|skipped| format!("{} ({})", skipped.candidate.target, skipped.why));
    each.collect::<Vec<_>>().join(", ")
}

/// Whole seconds from now, rounded up, at least one.
pub(super) fn seconds(until: Millis, now: Millis) -> u64 {
    until.since(now).as_millis().div_ceil(1000).max(1) as u64
}

//! Limits, timeouts and what follows a failure. 0 is taken where it has a meaning.

use super::{over_zero, some_over_zero};
use crate::config::errors::Errors;
use crate::config::read::Field;
use crate::config::scalar::Size;
use crate::config::{Breaker, Cooldown, Limits, ProviderTimeouts, Retry, Timeouts, raw};

/// What the degraded answer's text may hold, in characters.
const LONGEST_SIGNAL: usize = 256;

pub(super) fn limits(written: &raw::Limits, errors: &mut Errors) -> Limits {
    let default = Limits::default();
    let count = |value: Option<u32>, default| {
        value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    Limits {
        requests: count(some_over_zero(&written.requests, errors), default.requests),
        queue: count(written.queue.value(), default.queue),
        connections: count(some_over_zero(&written.connections, errors), default.connections),
        request_body: size(&written.request_body, default.request_body, errors),
        response_body: size(&written.response_body, default.response_body, errors),
        error_body: size(&written.error_body, default.error_body, errors),
        sse_frame: size(&written.sse_frame, default.sse_frame, errors),
    }
}

fn size(field: &Field<Size>, default: usize, errors: &mut Errors) -> usize {
    let bytes = some_over_zero(field, errors);
    bytes.map_or(default, |Size(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX))
}

pub(super) fn timeouts(written: &raw::Timeouts, errors: &mut Errors) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        connect: over_zero(&written.connect, default.connect, errors),
        first_byte: over_zero(&written.first_byte, default.first_byte, errors),
        buffered: over_zero(&written.buffered, default.buffered, errors),
        stream_idle: over_zero(&written.stream_idle, default.stream_idle, errors),
        total: over_zero(&written.total, default.total, errors),
        keepalive: written.keepalive.or(default.keepalive),
        commit_after: written.commit_after.or(default.commit_after),
        drain: written.drain.or(default.drain),
    }
}

/// A provider's own bounds; what it does not say holds in general.
pub(super) fn provider_timeouts(
    written: &raw::ProviderTimeouts,
    general: &Timeouts,
    errors: &mut Errors,
) -> ProviderTimeouts {
    ProviderTimeouts {
        connect: over_zero(&written.connect, general.connect, errors),
        first_byte: over_zero(&written.first_byte, general.first_byte, errors),
        buffered: over_zero(&written.buffered, general.buffered, errors),
        stream_idle: over_zero(&written.stream_idle, general.stream_idle, errors),
    }
}

pub(super) fn retry(written: &raw::Retry, errors: &mut Errors) -> Retry {
    let default = Retry::default();
    Retry {
        attempts: over_zero(&written.attempts, default.attempts, errors),
        total: written.total.or(default.total),
        base_delay: written.base_delay.or(default.base_delay),
        max_delay: written.max_delay.or(default.max_delay),
        max_wait: written.max_wait.or(default.max_wait),
        policy_fallback: written.policy_fallback.or(default.policy_fallback),
    }
}

pub(super) fn cooldown(written: &raw::Cooldown) -> Cooldown {
    let default = Cooldown::default();
    Cooldown {
        rate_limit: written.rate_limit.or(default.rate_limit),
        max_retry_after: written.max_retry_after.or(default.max_retry_after),
        quota: written.quota.or(default.quota),
        auth: written.auth.or(default.auth),
        not_found: written.not_found.or(default.not_found),
    }
}

pub(super) fn breaker(written: &raw::Breaker, errors: &mut Errors) -> Breaker {
    let default = Breaker::default();
    let too_long = |text: &str| text.chars().count() > LONGEST_SIGNAL;
    if let Some(at) = written.signal.given().filter(|at| too_long(&at.value)) {
        errors.refuse(&at.spot, &format!("must be at most {LONGEST_SIGNAL} characters"));
    }
    let breaker = Breaker {
        enabled: written.enabled.or(default.enabled),
        threshold: over_zero(&written.threshold, default.threshold, errors),
        window: over_zero(&written.window, default.window, errors),
        cooldown: over_zero(&written.cooldown, default.cooldown, errors),
        max_cooldown: written.max_cooldown.or(default.max_cooldown),
        retried_failures: written.retried_failures.or(default.retried_failures),
        signal: written.signal.or(default.signal),
    };
    if let Some(at) = written.max_cooldown.given().filter(|at| at.value < breaker.cooldown) {
        errors.refuse(&at.spot, "must not be less than breaker.cooldown");
    }
    Breaker {
        // A longer first rest than the default maximum is its own maximum.
        max_cooldown: breaker.max_cooldown.max(breaker.cooldown),
        ..breaker
    }
}

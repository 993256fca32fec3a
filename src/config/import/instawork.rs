//! Instawork/llm-proxy: its `features:`. Its providers are fixed, and keys come from the client.

use super::ours::{Ours, literal};
use super::section::{Report, Section};
use crate::base::object::{Object, object};
use crate::config::vendors::VENDORS;
use crate::config::{RetriedFailures, Words};

/// The providers that it knows.
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gemini"];

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    ours.set("client_auth", object! {"mode": "client_key"});
    ours.listen(&mut file, report);
    let mut features = file.section("features", report);
    let buckets = rate_limiting(features.section("rate_limiting", report), report);
    for vendor in VENDORS.iter().filter(|vendor| PROVIDERS.contains(&vendor.name)) {
        ours.vendor(vendor);
        if let Some(bucket) = &buckets {
            ours.of_provider(vendor.name, "buckets", vec![bucket.clone()].into());
        }
    }
    circuit_breaker(features.section("circuit_breaker", report), ours, report);
    features.ends(report);
    file.ends(report);
}

/// Its one limit per minute, as a bucket; 0 is no limit.
fn rate_limiting(mut rates: Section, report: &mut Report) -> Option<Object> {
    let is_off = rates.switch("enabled", report) == Some(false);
    let mut limits = rates.section("limits", report);
    let mut bucket = object! {"name": "minute"};
    for (theirs, here) in [("requests_per_minute", "requests"), ("tokens_per_minute", "tokens")] {
        if let Some(number) = limits.count(theirs, report).filter(|number| *number > 0 && !is_off) {
            bucket.put(here, number);
        }
    }
    limits.ends(report);
    rates.leave("estimation", "llmgate learns from reported usage how many tokens a text has", report);
    backend(&mut rates, report);
    rates.ends(report);
    let is_limit = bucket.len() > 1;
    bucket.put("window", "1m");
    is_limit.then_some(bucket)
}

fn circuit_breaker(mut breaker: Section, ours: &mut Ours, report: &mut Report) {
    ours.set_some("breaker.enabled", breaker.switch("enabled", report));
    let threshold = breaker.count("failure_threshold", report).filter(|count| *count > 0);
    ours.set_some("breaker.threshold", threshold);
    for (theirs, here) in [("window_seconds", "breaker.window"), ("cooldown_seconds", "breaker.cooldown")] {
        ours.set_time(here, breaker.time(theirs, report).filter(|time| !time.is_zero()));
    }
    let attempts = breaker.count("max_transient_retries", report).map(|retries| retries.saturating_add(1));
    ours.set_some("retry.attempts", attempts);
    breaker.leave("max_rate_limit_retries", "a rate limit is waited for at most twice", report);
    let path = breaker.path("retry_contribution_mode");
    if let Some(mode) = breaker.text("retry_contribution_mode", report) {
        match RetriedFailures::named(&mode) {
            Some(known) => ours.set("breaker.retried_failures", known.word()),
            None => report.dropped(&path, "it must be off, log or on"),
        }
    }
    ours.set_some("breaker.signal", breaker.text("degraded_signal", report).map(|text| literal(&text)));
    ours.set_some("test_mode", breaker.switch("test_mode_enabled", report).filter(|on| *on));
    let why = "each target has its own cooldown after a rate limit";
    breaker.leave("global_rate_limit_escalation_window", why, report);
    backend(&mut breaker, report);
    breaker.ends(report);
}

/// State is always shared by a file here.
fn backend(section: &mut Section, report: &mut Report) {
    let path = section.path("backend");
    match section.text("backend", report).as_deref() {
        Some("memory") | None => {}
        Some(_) => report.dropped(&path, "state is shared through a file"),
    }
    section.leave("redis", "state is shared through a file", report);
}

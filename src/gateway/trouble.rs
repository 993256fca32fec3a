//! Trouble: whatever keeps a request from its answer, and how its client is told.

use std::fmt;
use std::time::Duration;

use crate::base::cut::cut;
use crate::base::id::{RequestId, TargetId};
use crate::gateway::line::Headers;
use crate::observe::log::harmless;
use crate::policy::class::{Class, ClassRule, Evidence, classify};
use crate::policy::outcome::{KeyOwner, Late, Met, Verdict};
use crate::protocol::Codec;
use crate::protocol::error::ProviderError;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::snapshot::Unresolved;
use crate::upstream::{Failure, Phase, Stop};

/// Whatever keeps a request from its answer.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The class, when a target is the cause.
    pub class: Option<Class>,
    /// The upstream's HTTP status, or the one that an error inside an answer stands for; 0 when
    /// there is none.
    pub status: u16,
    /// For timeouts: what took too long.
    pub late: Late,
    /// The upstream's own error.
    pub upstream: Option<Box<ProviderError>>,
    /// Is nothing more to be tried: did the client leave, or the time for the request run out?
    pub is_final: bool,
    /// Does it hold for the provider's whole account, not for one model alone?
    pub is_of_account: bool,
    /// What the client is told.
    pub fault: Fault,
    /// The provider's own answer, which a client of the same protocol gets as it came.
    native: Option<Box<NativeError>>,
    /// More headers of the error answer.
    headers: Vec<(&'static str, String)>,
}

/// A provider's error answer.
#[derive(Clone, Debug)]
pub struct NativeError {
    /// Its status.
    pub status: u16,
    /// Its headers that a client may see.
    pub headers: Headers,
    /// Its body, secrets masked.
    pub body: String,
}

/// How a client is told that a call to `whom` failed.
pub(super) fn call_failed(failure: &Failure, whom: &dyn fmt::Display) -> Fault {
    let kind = match failure {
        Failure::Stopped(Stop::Total) | Failure::Late(_) | Failure::Slow(_) => FaultKind::Timeout,
        Failure::Unreachable(_) | Failure::Unusable(_) => FaultKind::Network,
        Failure::NoAnswer(_) => FaultKind::BadUpstream,
        Failure::Broken(_) => FaultKind::Cut,
        // A client that left is told nothing; the end of the process is told as what it is.
        Failure::Stopped(Stop::Gone | Stop::Shutdown) => FaultKind::Degraded,
    };
    let is_missed = matches!(failure, Failure::Unreachable(_));
    let advice = if is_missed { " Check its `base_url`, the network and `proxy`." } else { "" };
    let retry = matches!(failure, Failure::Stopped(Stop::Shutdown)).then_some(1);
    Fault::new(kind, format!("{whom}: {failure}.{advice}")).with_retry_after(retry)
}

/// Only so much of an upstream's own text is quoted.
const QUOTED_BYTES: usize = 2048;

impl Trouble {
    /// Something went wrong here.
    pub fn own(fault: Fault) -> Self {
        Self {
            class: None,
            status: 0,
            late: Late::Answer,
            upstream: None,
            is_final: false,
            is_of_account: false,
            fault,
            native: None,
            headers: Vec::new(),
        }
    }

    /// A model's name leads nowhere.
    pub fn unresolved(unresolved: &Unresolved) -> Self {
        Self::own(Fault::new(FaultKind::ModelNotFound, unresolved.to_string()))
    }

    /// The client left before anybody was asked.
    pub fn left() -> Self {
        Self::of(Class::Gone, Fault::new(FaultKind::Degraded, "the client left while it waited"))
    }

    fn of(class: Class, fault: Fault) -> Self {
        Self { class: Some(class), ..Self::own(fault) }
    }

    /// A request cannot be carried to a target: the path of what it would lose.
    pub fn refusal(path: &str, message: String) -> Self {
        Self::own(Fault::refusal(path, message))
    }

    /// A target's failure that is played, not met (SPEC 6.8).
    pub fn played(class: Class, status: u16, kind: FaultKind, target: &TargetId) -> Self {
        let fault =
            Fault::new(kind, format!("{target}: test mode: a {status} as asked for.")).with_status(status);
        Self { status, ..Self::of(class, fault) }
    }

    /// Waiting for a target was ended.
    pub fn of_stop(stop: Stop, target: &TargetId) -> Self {
        Self::of_failure(&Failure::Stopped(stop), target)
    }

    /// What follows from it (SPEC 6.1).
    pub fn verdict(&self, key: KeyOwner, policy_fallback: bool) -> Verdict {
        // What went wrong here is no target's fault, and no other target helps.
        let class = self.class.unwrap_or(Class::BadRequest);
        Met { class, status: self.status, late: self.late, key, policy_fallback }.verdict()
    }

    /// What upstream said of when to come back.
    pub fn retry_after(&self) -> Option<Duration> {
        self.fault.retry_after.map(Duration::from_secs)
    }

    /// Its class and words, for the log.
    pub fn shown(&self) -> String {
        let class = Class::name_of(self.class);
        format!("{class}: {}", harmless(&self.fault.message))
    }

    /// A call to a target failed.
    pub fn of_failure(failure: &Failure, target: &TargetId) -> Self {
        Self {
            late: if *failure == Failure::Late(Phase::Connect) { Late::Connect } else { Late::Answer },
            is_final: matches!(failure, Failure::Stopped(_)),
            ..Self::of(failure.class(), call_failed(failure, target))
        }
    }

    /// What a target sent is no answer, or no whole one.
    pub fn bad_answer(class: Class, target: &TargetId, what: &str) -> Self {
        let kind = if class == Class::Cut { FaultKind::Cut } else { FaultKind::BadUpstream };
        Self::of(class, Fault::new(kind, format!("{target}: {what}.")))
    }

    /// A target answered with an error, as a status or inside its answer. `body` is the text that
    /// classification searches.
    pub fn of_provider(error: &ProviderError, body: &str, report: &Report<'_>) -> Self {
        let evidence = Evidence {
            status: report.status,
            code: error.code.as_deref(),
            kind: error.kind.as_deref(),
            body,
            message: &error.message,
            tells_delay: error.retry_delay.is_some(),
            per_day: error.per_day,
        };
        let class = classify(&evidence, report.rules);
        let retry_after = report.retry_after.max(error.retry_delay);
        let fault = fault_of(class, report, &error.message).with_retry_after(retry_after);
        Self { status: report.status, upstream: Some(Box::new(error.clone())), ..Self::of(class, fault) }
    }

    /// The same with one more header of the error answer.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, with the answer that a client of the same protocol gets as it came.
    #[must_use]
    pub fn with_native(mut self, native: NativeError) -> Self {
        self.native = Some(Box::new(native));
        self
    }

    /// Has the client left, so that there is nobody to tell?
    pub fn is_gone(&self) -> bool {
        self.class == Some(Class::Gone) && self.fault.retry_after.is_none()
    }

    /// Status, headers and body of the error answer.
    pub fn answer(&self, codec: &dyn Codec, id: &RequestId) -> (u16, Headers, String) {
        if let Some(native) = &self.native {
            let mut headers = native.headers.clone();
            add_ids(&mut headers, codec, id);
            if let Some(seconds) = self.fault.retry_after.filter(|_| !headers.has("retry-after")) {
                headers.push("retry-after", seconds.to_string());
            }
            if let Some(advice) = self.fault.should_retry().filter(|_| !headers.has("x-should-retry")) {
                headers.push("x-should-retry", advice);
            }
            return (native.status, headers, native.body.clone());
        }
        let mut headers = Headers::default();
        headers.push("content-type", "application/json");
        add_ids(&mut headers, codec, id);
        if let Some(seconds) = self.fault.retry_after {
            headers.push("retry-after", seconds.to_string());
        }
        if let Some(advice) = self.fault.should_retry() {
            headers.push("x-should-retry", advice);
        }
        for (name, value) in &self.headers {
            headers.push(*name, value);
        }
        (codec.status(&self.fault), headers, codec.error_body(&self.fault, id.as_str()))
    }
}

/// What is known of an upstream error besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The target.
    pub target: &'a TargetId,
    /// The HTTP status, or the one that an error inside an answer stands for; 0 when unknown.
    pub status: u16,
    /// Seconds of `retry-after`.
    pub retry_after: Option<u64>,
    /// Own rules.
    pub rules: &'a [ClassRule],
    /// Was the client's own key used?
    pub client_key: bool,
    /// The variable that holds the proxy's key.
    pub key_variable: Option<&'a str>,
}

fn add_ids(headers: &mut Headers, codec: &dyn Codec, id: &RequestId) {
    headers.push("x-llmgate-request-id", id.as_str());
    if let Some(name) = codec.request_id_header().filter(|name| !headers.has(name)) {
        headers.push(name, id.as_str());
    }
}

fn fault_of(class: Class, report: &Report<'_>, message: &str) -> Fault {
    let target = report.target;
    let status = if report.status >= 400 { report.status } else { 500 };
    let silent = format!("answered with status {status} and no text");
    let said = if message.trim().is_empty() { &silent } else { cut(message, QUOTED_BYTES) };
    match class {
        Class::Auth if report.client_key => {
            Fault::new(FaultKind::ClientKey, format!("{target}: {said}")).with_status(status)
        }
        Class::Auth => {
            let variable = report.key_variable.map_or_else(String::new, |name| format!(" ({name})"));
            let dot = if said.ends_with(['.', '!', '?']) { "" } else { "." };
            let message = format!(
                "{target} refused the proxy's key: {said}{dot} Check the `api_key` of provider {}{variable}.",
                target.provider
            );
            Fault::new(FaultKind::UpstreamAuth, message)
        }
        Class::Transient if matches!(status, 503 | 529) => {
            Fault::new(FaultKind::Overloaded, format!("{target}: {said}")).with_status(status)
        }
        Class::Transient => Fault::new(FaultKind::Transient, format!("{target}: {said}")).with_status(status),
        Class::Forbidden => Fault::new(FaultKind::Forbidden, format!("{target}: {said}")).with_status(status),
        Class::BadRequest | Class::NotFound | Class::Policy => {
            Fault::new(kind_of(class), format!("{target}: {said}")).with_status(status)
        }
        Class::Context
        | Class::Quota
        | Class::RateLimit
        | Class::TooLarge
        | Class::Network
        | Class::Timeout
        | Class::BadUpstream
        | Class::Cut
        | Class::Gone => Fault::new(kind_of(class), format!("{target}: {said}")),
    }
}

fn kind_of(class: Class) -> FaultKind {
    match class {
        Class::Context => FaultKind::Context,
        Class::Quota => FaultKind::Quota,
        Class::RateLimit => FaultKind::RateLimit,
        Class::Auth => FaultKind::UpstreamAuth,
        Class::Forbidden => FaultKind::Forbidden,
        Class::Policy => FaultKind::Policy,
        Class::NotFound => FaultKind::ModelNotFound,
        Class::TooLarge => FaultKind::TooLarge,
        Class::BadRequest => FaultKind::BadRequest,
        Class::Transient => FaultKind::Transient,
        Class::Network => FaultKind::Network,
        Class::Timeout => FaultKind::Timeout,
        Class::BadUpstream => FaultKind::BadUpstream,
        Class::Cut | Class::Gone => FaultKind::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::outcome::Retry;

    #[test]
    fn of_what_comes_late_only_a_connection_is_tried_again() {
        let target = TargetId::parse("a/x").unwrap();
        for (phase, own_target) in [(Phase::Connect, Retry::Yes), (Phase::Body, Retry::Never)] {
            let trouble = Trouble::of_failure(&Failure::Late(phase), &target);
            assert_eq!(trouble.verdict(KeyOwner::Proxy, false).own_target, own_target);
        }
    }
}

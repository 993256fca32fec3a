//! What kind of failure an upstream answer is (SPEC 6.1). Own rules first, then the table.

use crate::base::pen::{Pen, Put};
use crate::base::words::{Words, words};

/// The kind of a failure. The names are those of the log, of `classify:` and of response headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request is longer than the model's context.
    Context,
    /// The account has no money or quota left.
    Quota,
    /// Too many requests or tokens for now.
    RateLimit,
    /// The key was refused.
    Auth,
    /// The key is good but not for this.
    Forbidden,
    /// The provider's moderation refused the content.
    Policy,
    /// The model is not there.
    NotFound,
    /// The body is too large for the provider.
    TooLarge,
    /// The request is wrong in itself.
    BadRequest,
    /// The provider has trouble of its own; another try may work.
    Transient,
    /// DNS, TCP, TLS or the proxy in between failed.
    Network,
    /// One of `timeouts:` ran out.
    Timeout,
    /// The answer is none: not JSON, not SSE, a redirect, a broken known event.
    BadUpstream,
    /// The body or stream ended early.
    Cut,
    /// The client left.
    Gone,
}

words! {
    Class {
        "context" = Context, "quota" = Quota, "rate_limit" = RateLimit, "auth" = Auth,
        "forbidden" = Forbidden, "policy" = Policy, "not_found" = NotFound, "too_large" = TooLarge,
        "bad_request" = BadRequest, "transient" = Transient, "network" = Network, "timeout" = Timeout,
        "bad_upstream" = BadUpstream, "cut" = Cut, "gone" = Gone,
    }
}

impl Class {
    /// The class's name.
    pub fn name(self) -> &'static str {
        self.word()
    }

    /// The name of a failure's class, or what stands for none.
    pub fn name_of(class: Option<Self>) -> &'static str {
        class.map_or("refused", Self::name)
    }
}

impl Put for Class {
    fn write(&self, pen: &mut Pen<'_>) {
        self.name().write(pen);
    }
}

/// Which statuses a rule of `classify:` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPattern {
    /// One status.
    Exactly(u16),
    /// `4xx`, `5xx`: all of one hundred.
    Hundred(u16),
    /// `*`: all.
    Any,
}

/// One rule of `classify:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassRule {
    /// The statuses it looks at.
    pub status: StatusPattern,
    /// A text to find in the first 4096 characters of the body, letter case aside.
    pub text: Option<String>,
    /// The class it gives.
    pub class: Class,
}

/// What an upstream error tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The HTTP status, or the one that an error inside a stream stands for; 0 when neither is known.
    pub status: u16,
    /// Its `code`.
    pub code: Option<&'a str>,
    /// Its `type`, or Google's `status`.
    pub kind: Option<&'a str>,
    /// The body.
    pub body: &'a str,
    /// Its own text.
    pub message: &'a str,
    /// Did Google tell when to come back (`RetryInfo`)?
    pub tells_delay: bool,
    /// Does a quota of Google's count by day?
    pub per_day: bool,
}

/// Only so much of a body is searched.
const SCANNED_CHARACTERS: usize = 4096;
/// A moderation's words count when they lead the message.
const LEADING_CHARACTERS: usize = 120;

const CONTEXT_WORDS: [&str; 17] = [
    "context_length_exceeded",
    "context length",
    "context window",
    "maximum context",
    "context limit",
    "prompt is too long",
    "input is too long",
    "input length",
    "too many tokens",
    "token count exceeds",
    "exceeds the maximum number of tokens",
    "reduce the length",
    // llama.cpp, vLLM, xAI (two), GitHub Copilot.
    "context size",
    "maximum model length",
    "maximum prompt length",
    "input_too_large",
    "prompt token count",
];
/// Anthropic says the second and the last with a 400.
const QUOTA_CODES: [&str; 4] =
    ["insufficient_quota", "credit balance", "billing_hard_limit_reached", "specified api usage limits"];
const QUOTA_WORDS: [&str; 2] = ["exceeded your current quota", "spending limit"];
const KEY_WORDS: [&str; 6] = ["api key", "api_key", "api-key", "credential", "authenticat", "unauthorized"];
const POLICY_WORDS: [&str; 7] = [
    "content_policy",
    "content_filter",
    "content filtering",
    "moderation",
    "safety",
    "usage policies",
    "usage policy",
];

/// What is missing is no model, but something that this request alone refers to: a thread of
/// Anthropic's, an answer's item of OpenAI's, a file of Google's, which it keeps for two days.
const KEPT_WORDS: [&str; 3] = ["thread_not_found", "item with id", "permission to access the file"];

/// The class of an upstream error: own rules first, then the table of SPEC 6.1 in its order.
pub fn classify(evidence: &Evidence<'_>, rules: &[ClassRule]) -> Class {
    let body: String = evidence.body.chars().take(SCANNED_CHARACTERS).collect::<String>().to_lowercase();
    let own = rules.iter().find(|rule| rule.matches(evidence.status, &body));
    own.map_or_else(|| by_table(evidence, &body), |rule| rule.class)
}

impl ClassRule {
    fn matches(&self, status: u16, lower_body: &str) -> bool {
        let status_fits = match self.status {
            StatusPattern::Exactly(wanted) => status == wanted,
            StatusPattern::Hundred(hundred) => status / 100 == hundred,
            StatusPattern::Any => true,
        };
        status_fits && self.text.as_ref().is_none_or(|text| lower_body.contains(&text.to_lowercase()))
    }
}

fn by_table(evidence: &Evidence<'_>, body: &str) -> Class {
    let status = evidence.status;
    // An error inside a stream is searched by its message alone, which need not repeat its code.
    let named = [evidence.code, evidence.kind].map(|name| name.unwrap_or_default().to_lowercase());
    let says = |words: &[&str]| {
        words.iter().any(|word| body.contains(word) || named.iter().any(|name| name.contains(word)))
    };
    if matches!(status, 400 | 413 | 422) && says(&CONTEXT_WORDS) {
        return Class::Context;
    }
    if is_quota(evidence, &says) {
        return Class::Quota;
    }
    // Mistral has a type for it.
    let is_missing_model = evidence.code == Some("model_not_found") || evidence.kind == Some("invalid_model");
    match status {
        429 => Class::RateLimit,
        401 => Class::Auth,
        400 if says(&["api_key_invalid", "incorrect api key"]) => Class::Auth,
        400 | 403 if is_missing_model => Class::NotFound,
        403 | 404 if says(&KEPT_WORDS) => Class::BadRequest,
        400 | 403 if is_policy(evidence) => Class::Policy,
        403 if says(&KEY_WORDS) => Class::Auth,
        403 => Class::Forbidden,
        // Gemini's word for a country it does not serve; other providers may.
        400 if says(&["user location is not supported"]) => Class::Forbidden,
        404 | 410 => Class::NotFound,
        413 => Class::TooLarge,
        408 | 409 => Class::Transient,
        400..=499 => Class::BadRequest,
        300..=399 => Class::BadUpstream,
        // 5xx, and an error inside a stream that tells nothing of its kind.
        _ => Class::Transient,
    }
}

fn is_quota(evidence: &Evidence<'_>, says: &dyn Fn(&[&str]) -> bool) -> bool {
    // Groq and OpenAI end the text of a rate limit with the address of their billing page.
    let is_rate_limit = evidence.code == Some("rate_limit_exceeded");
    let worded = match evidence.status {
        402 => true,
        400 => says(&QUOTA_CODES),
        403 | 429 => says(&QUOTA_CODES) || says(&QUOTA_WORDS) || (says(&["billing"]) && !is_rate_limit),
        _ => false,
    };
    // Gemini writes these words into every 429; only a quota by day does not come back soon.
    worded && (!evidence.tells_delay || evidence.per_day)
}

fn is_policy(evidence: &Evidence<'_>) -> bool {
    let leading: String =
        evidence.message.chars().take(LEADING_CHARACTERS).collect::<String>().to_lowercase();
    let places = [evidence.code.unwrap_or_default(), evidence.kind.unwrap_or_default(), &leading];
    places.iter().any(|place| POLICY_WORDS.iter().any(|word| place.to_lowercase().contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, class: Class) {
        let code = ["model_not_found", "content_filter"].into_iter().find(|code| body.contains(code));
        let tells_delay = body.contains("RetryInfo");
        let per_day = body.contains("PerDay");
        let evidence =
            Evidence { status, body, message: body, code, tells_delay, per_day, ..Evidence::default() };
        assert_eq!(classify(&evidence, &[]), class, "{status} {body}");
    }

    #[test]
    fn the_table_is_read_in_its_order() {
        check(400, "prompt is too long: 210000 tokens > 200000 maximum", Class::Context);
        check(413, "maximum context length", Class::Context);
        check(413, "request too large", Class::TooLarge);
        check(402, "pay", Class::Quota);
        check(400, "Your credit balance is too low to access the API", Class::Quota);
        check(400, "billing address is missing", Class::BadRequest);
        check(429, "You exceeded your current quota", Class::Quota);
        check(429, "You exceeded your current quota RetryInfo", Class::RateLimit);
        check(429, "You exceeded your current quota RetryInfo PerDay", Class::Quota);
        check(429, "slow down", Class::RateLimit);
        check(401, "no", Class::Auth);
        check(403, "Your API key has no access", Class::Auth);
        check(400, "API_KEY_INVALID", Class::Auth);
        check(403, "region", Class::Forbidden);
        check(403, "model_not_found", Class::NotFound);
        check(400, "content_filter", Class::Policy);
        check(403, "Rejected by our safety system", Class::Policy);
        check(404, "x", Class::NotFound);
        check(404, "Item with id 'rs_1' not found.", Class::BadRequest);
        check(410, "x", Class::NotFound);
        check(422, "x", Class::BadRequest);
        check(418, "x", Class::BadRequest);
        check(408, "x", Class::Transient);
        check(529, "x", Class::Transient);
        check(302, "x", Class::BadUpstream);
        check(200, "an error under a good status", Class::Transient);
        check(0, "an error event without a kind", Class::Transient);
    }

    #[test]
    fn own_rules_come_first() {
        let rule = |status, text: &str, class| ClassRule { status, text: Some(text.into()), class };
        let rules = [
            rule(StatusPattern::Hundred(4), "Daily Free Tier", Class::Quota),
            rule(StatusPattern::Exactly(500), "", Class::RateLimit),
            rule(StatusPattern::Any, "odd", Class::NotFound),
        ];
        let class = |status, body| classify(&Evidence { status, body, ..Evidence::default() }, &rules);
        assert_eq!(class(429, "daily free tier is over"), Class::Quota);
        assert_eq!(class(500, "x"), Class::RateLimit);
        assert_eq!(class(503, "odd"), Class::NotFound);
        assert_eq!(class(503, "x"), Class::Transient);
    }
}

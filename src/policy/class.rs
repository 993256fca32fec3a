//! What kind of failure an upstream answer is (SPEC 6.1). Own rules first, then the table.

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

impl Class {
    /// Every class with its name.
    pub const NAMES: [(&'static str, Self); 15] = [
        ("context", Self::Context),
        ("quota", Self::Quota),
        ("rate_limit", Self::RateLimit),
        ("auth", Self::Auth),
        ("forbidden", Self::Forbidden),
        ("policy", Self::Policy),
        ("not_found", Self::NotFound),
        ("too_large", Self::TooLarge),
        ("bad_request", Self::BadRequest),
        ("transient", Self::Transient),
        ("network", Self::Network),
        ("timeout", Self::Timeout),
        ("bad_upstream", Self::BadUpstream),
        ("cut", Self::Cut),
        ("gone", Self::Gone),
    ];

    /// The class's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, class)| *class == self).map_or("", |(name, _)| name)
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
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

//! Faults: what goes wrong here or upstream, as clients are told it (SPEC 9.2).
//!
//! One table for the statuses and words of all protocols; a codec only puts them into its shape.

/// One failure on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The row of the table.
    pub kind: FaultKind,
    /// HTTP status; the row's own, or the upstream's where SPEC 9.2 says "as upstream".
    pub status: u16,
    /// What happened, at which target, and the next step.
    pub message: String,
    /// When another try may work, in whole seconds.
    pub retry_after: Option<u64>,
    /// The path of what the lane to a target would refuse, when nothing was sent.
    pub refuses: Option<Box<str>>,
}

/// What is known of a request that was too long for a model, beside the provider's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overflow {
    /// Estimated tokens of the input.
    pub input: Option<u64>,
    /// Tokens that the model takes.
    pub context: Option<u64>,
}

/// The rows of SPEC 9.2, and what HTTP itself refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The client's key is missing or wrong.
    ClientKey,
    /// Address, Origin, Host or path are not allowed.
    Forbidden,
    /// The request is wrong.
    BadRequest,
    /// The request needs what is not carried.
    UnsupportedParameter,
    /// Longer than the model's context.
    Context,
    /// The body is too large.
    TooLarge,
    /// The body's encoding is not known.
    Encoding,
    /// The body stopped coming.
    Stalled,
    /// The model's name leads nowhere.
    ModelNotFound,
    /// The path leads nowhere.
    Endpoint,
    /// The path is known, the method is not for it.
    Method,
    /// No target can serve this request.
    Capability,
    /// Too many requests or tokens.
    RateLimit,
    /// The provider's quota is spent.
    Quota,
    /// The proxy's own budget is spent.
    Budget,
    /// The provider refused the proxy's key.
    UpstreamAuth,
    /// Moderation.
    Policy,
    /// The provider is overloaded (503, 529).
    Overloaded,
    /// The provider has other trouble.
    Transient,
    /// The provider was not reached.
    Network,
    /// Something took too long.
    Timeout,
    /// No target is left for now.
    Degraded,
    /// The proxy itself has too much to do.
    Busy,
    /// The provider's answer is none.
    BadUpstream,
    /// The provider's answer ended early.
    Cut,
    /// Our own fault.
    Internal,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// HTTP status.
    pub status: u16,
    /// `type` of OpenAI's error object.
    pub openai_type: &'static str,
    /// `code` of OpenAI's error object.
    pub openai_code: &'static str,
    /// `type` of Anthropic's error object.
    pub anthropic: &'static str,
    /// `status` of Google's error object.
    pub gemini: &'static str,
    /// Can the same request work when it is sent again?
    pub retry_helps: bool,
}

impl Fault {
    /// A fault with the status of its row.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, status: kind.row().status, message: message.into(), retry_after: None, refuses: None }
    }

    /// A request cannot be carried to a target: the path of what it would lose.
    pub fn refusal(path: &str, message: impl Into<String>) -> Self {
        Self { refuses: Some(path.into()), ..Self::new(FaultKind::UnsupportedParameter, message) }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with a time to wait.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// The value of `x-should-retry`, when it must be sent (SPEC 9.2).
    pub fn should_retry(&self) -> Option<&'static str> {
        let status_helps = !(400..500).contains(&self.status) || matches!(self.status, 408 | 409 | 429);
        (!self.kind.row().retry_helps || !status_helps).then_some("false")
    }
}

impl FaultKind {
    /// The row of this kind.
    #[rustfmt::skip] // a table reads best as one
    pub fn row(self) -> Row {
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        const QUOTA: &str = "insufficient_quota";
        let (retry_helps, [openai_type, openai_code, anthropic, gemini], status) = match self {
            Self::ClientKey => (false, [INVALID, "invalid_api_key", "authentication_error", "UNAUTHENTICATED"], 401),
            Self::Forbidden => (false, [INVALID, "forbidden", "permission_error", "PERMISSION_DENIED"], 403),
            Self::BadRequest => (false, [INVALID, "invalid_value", INVALID, "INVALID_ARGUMENT"], 400),
            Self::UnsupportedParameter => (false, [INVALID, "unsupported_parameter", INVALID, "INVALID_ARGUMENT"], 400),
            Self::Context => (false, [INVALID, "context_length_exceeded", INVALID, "INVALID_ARGUMENT"], 400),
            Self::TooLarge => (false, [INVALID, "request_too_large", "request_too_large", "INVALID_ARGUMENT"], 413),
            Self::Encoding => (false, [INVALID, "unsupported_encoding", INVALID, "INVALID_ARGUMENT"], 415),
            Self::Stalled => (true, [INVALID, "request_timeout", "timeout_error", "DEADLINE_EXCEEDED"], 408),
            Self::ModelNotFound => (false, [INVALID, "model_not_found", "not_found_error", "NOT_FOUND"], 404),
            Self::Endpoint => (false, [INVALID, "unsupported_endpoint", "not_found_error", "NOT_FOUND"], 404),
            Self::Method => (false, [INVALID, "method_not_allowed", INVALID, "INVALID_ARGUMENT"], 405),
            Self::Capability => (false, [INVALID, "unsupported_capability", INVALID, "INVALID_ARGUMENT"], 400),
            Self::RateLimit => (true, ["rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"], 429),
            Self::Quota => (false, [QUOTA, QUOTA, "billing_error", "RESOURCE_EXHAUSTED"], 429),
            Self::Budget => (false, [QUOTA, "proxy_budget_exceeded", "billing_error", "RESOURCE_EXHAUSTED"], 429),
            Self::UpstreamAuth => (false, ["api_error", "upstream_auth", "api_error", "INTERNAL"], 502),
            Self::Policy => (false, [INVALID, "invalid_prompt", INVALID, "PERMISSION_DENIED"], 400),
            Self::Overloaded => (true, [SERVER, "server_is_overloaded", "overloaded_error", "UNAVAILABLE"], 503),
            Self::Transient => (true, [SERVER, "upstream_error", "api_error", "UNAVAILABLE"], 500),
            Self::Network => (true, [SERVER, "upstream_unreachable", "api_error", "UNAVAILABLE"], 502),
            Self::Timeout => (true, [SERVER, "upstream_timeout", "timeout_error", "DEADLINE_EXCEEDED"], 504),
            Self::Degraded => (true, ["provider_degraded", "provider_degraded", "overloaded_error", "UNAVAILABLE"], 503),
            Self::Busy => (true, [SERVER, "proxy_busy", "overloaded_error", "UNAVAILABLE"], 503),
            Self::BadUpstream => (true, [SERVER, "upstream_invalid_response", "api_error", "INTERNAL"], 502),
            Self::Cut => (true, [SERVER, "upstream_stream_cut", "api_error", "UNAVAILABLE"], 502),
            Self::Internal => (true, [SERVER, "internal", "api_error", "INTERNAL"], 500),
        };
        Row { status, openai_type, openai_code, anthropic, gemini, retry_helps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_advised_against_where_it_cannot_help() {
        let advice = |kind, status| Fault::new(kind, "").with_status(status).should_retry();
        assert_eq!(advice(FaultKind::BadRequest, 400), Some("false"));
        assert_eq!(advice(FaultKind::RateLimit, 429), None);
        assert_eq!(advice(FaultKind::Quota, 429), Some("false"));
        assert_eq!(advice(FaultKind::UpstreamAuth, 502), Some("false"));
        assert_eq!(advice(FaultKind::Transient, 409), None);
        assert_eq!(advice(FaultKind::Cut, 502), None);
    }
}

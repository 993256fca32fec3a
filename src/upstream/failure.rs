//! Why a call has no answer, or no whole one: ureq's errors and our own stops as one type.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::policy::class::Class;
use crate::upstream::Stop;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The hook said stop.
    Stopped(Stop),
    /// A limit of `timeouts:` was reached.
    Late(Phase),
    /// A single question had no whole answer within its own limit.
    Slow(Duration),
    /// The provider was not reached: name, connection, TLS, proxy. What went wrong, cause by cause.
    Unreachable(String),
    /// What calls are made with cannot be used, a proxy's address or the file with private roots: none
    /// was made.
    Unusable(String),
    /// The connection broke while a head or body was awaited.
    Broken(String),
    /// What came is no HTTP answer.
    NoAnswer(String),
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The connection.
    Connect,
    /// The head of the answer.
    Head,
    /// More of the body.
    Body,
}

impl Failure {
    /// The class of this failure (SPEC 6.1). The time for the whole request counts as a timeout;
    /// the end of the process, which is not the target's fault, as a client that left.
    pub fn class(&self) -> Class {
        match self {
            Self::Stopped(Stop::Gone | Stop::Shutdown) => Class::Gone,
            Self::Stopped(Stop::Total) | Self::Late(_) | Self::Slow(_) => Class::Timeout,
            Self::Unreachable(_) | Self::Unusable(_) => Class::Network,
            Self::Broken(_) => Class::Cut,
            Self::NoAnswer(_) => Class::BadUpstream,
        }
    }
}

impl Failure {
    /// The same of a question whose only limit this is: it has none of `timeouts:`.
    pub(super) fn within(self, limit: Duration) -> Self {
        match self {
            Self::Stopped(Stop::Total) | Self::Late(_) => Self::Slow(limit),
            Self::Stopped(Stop::Gone | Stop::Shutdown)
            | Self::Slow(_)
            | Self::Unreachable(_)
            | Self::Unusable(_)
            | Self::Broken(_)
            | Self::NoAnswer(_) => self,
        }
    }

    /// Did the connection stand, and TLS fail?
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Unreachable(why) if why.starts_with("TLS: "))
    }

    /// Was the certificate signed by nobody who is trusted here?
    pub fn is_unknown_issuer(&self) -> bool {
        matches!(self, Self::Unreachable(why) if why.contains("UnknownIssuer"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(Stop::Gone) => f.write_str("the client left"),
            Self::Stopped(Stop::Shutdown) => f.write_str("llmgate is stopping"),
            Self::Stopped(Stop::Total) => f.write_str("the request took longer than `timeouts.total`"),
            Self::Late(Phase::Connect) => f.write_str("no connection within `timeouts.connect`"),
            Self::Late(Phase::Head) => f.write_str("no answer within `timeouts.first_byte` (or `buffered`)"),
            Self::Late(Phase::Body) => f.write_str("silence for longer than `timeouts.stream_idle`"),
            Self::Slow(limit) => write!(f, "no whole answer within {limit:?}"),
            Self::Unreachable(why) => write!(f, "not reached: {why}"),
            Self::Unusable(why) => f.write_str(why),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::NoAnswer(why) => write!(f, "no HTTP answer: {why}"),
        }
    }
}

impl Error for Failure {}

/// Our own stop, on its way through ureq as an io error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopped {
    ByHook(Stop),
    Late(Phase),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error for Stopped {}

/// A failure to reach the provider, on its way through ureq as an io error.
#[derive(Debug)]
pub(super) struct NotReached(pub(super) String);

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotReached {}

impl From<NotReached> for ureq::Error {
    fn from(why: NotReached) -> Self {
        Self::Io(io::Error::other(why))
    }
}

pub(super) fn not_reached(why: impl Into<String>) -> ureq::Error {
    NotReached(why.into()).into()
}

/// Did the connection itself break, as a pooled one does that the other side closed meanwhile?
pub(super) fn is_broken_connection(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error, ureq::Error::Io(error)
        if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof))
}

pub(super) fn of_ureq(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) => of_io(error),
        ureq::Error::Protocol(error) => Failure::NoAnswer(error.to_string()),
        ureq::Error::Http(error) => Failure::NoAnswer(error.to_string()),
        ureq::Error::LargeResponseHeader(..)
        | ureq::Error::BodyExceedsLimit(_)
        | ureq::Error::BodyStalled => Failure::NoAnswer(error.to_string()),
        other => Failure::Unreachable(chain(other)),
    }
}

pub(super) fn of_io(error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(stopped) = inner.and_then(|inner| inner.downcast_ref::<Stopped>()) {
        return match stopped {
            Stopped::ByHook(stop) => Failure::Stopped(*stop),
            Stopped::Late(phase) => Failure::Late(*phase),
        };
    }
    if let Some(NotReached(why)) = inner.and_then(|inner| inner.downcast_ref::<NotReached>()) {
        return Failure::Unreachable(why.clone());
    }
    // ureq wraps its own errors in io errors when a body is read.
    if let Some(wrapped) = inner.and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return of_ureq(wrapped);
    }
    Failure::Broken(chain(error))
}

/// An error and its causes, outermost first, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text, and its cause.
    #[derive(Debug)]
    struct Caused(&'static str, Option<Box<Self>>);

    impl fmt::Display for Caused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Caused {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    #[test]
    fn causes_are_said_once() {
        let cause = |text, cause: Caused| Caused(text, Some(Box::new(cause)));
        let error = cause("tls: bad name", cause("bad name", Caused("no such name", None)));
        assert_eq!(chain(&error), "tls: bad name: no such name");
    }
}

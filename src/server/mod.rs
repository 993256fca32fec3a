//! The client's side of the proxy: an HTTP/1.1 server of our own on `std::net`, a thread for each
//! connection, no more and no less of RFC 9110 and 9112 than agents use.
//!
//! ```text
//! listener ──socket──> worker: connection ──bytes──> head ──> Handler ──> reply ──> the client
//!                                            inlet ──> body ──^
//! ```
//!
//! Rules that hold for all of it: no input can panic it; nothing that a client declares is believed
//! before it is there; whatever is in doubt about the frame of a request ends the connection, so
//! that body bytes are never taken for a next request.

use std::time::Duration;

pub mod body;
pub mod connection;
pub mod head;
mod inlet;
pub mod listener;
pub mod reply;
pub mod slots;

/// Bounds of waiting on a client's socket. The default is SPEC 7.2; tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// For the first byte of a request, on a new connection and between two requests.
    pub idle: Duration,
    /// For a whole head, from its first byte.
    pub head: Duration,
    /// Silence inside a request body.
    pub body: Duration,
    /// One blocked write.
    pub write: Duration,
    /// For the client to close after an answer that ends the connection, while its bytes are
    /// thrown away.
    pub linger: Duration,
    /// Before a thread without a connection ends.
    pub worker: Duration,
    /// After a failed accept.
    pub accept_rest: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            worker: Duration::from_secs(10),
            accept_rest: Duration::from_millis(50),
        }
    }
}

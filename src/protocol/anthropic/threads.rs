//! Threads: conversations that Anthropic holds, of which a client sends only what is new. The SDKs'
//! tool runners begin one by themselves.

use crate::base::object::{Object, object};
use crate::protocol::fault::Fault;

/// The path of a thread that begins.
pub(super) const BEGUN: &str = "thread";
/// The path of a thread that goes on.
pub(super) const CONTINUED: &str = "thread.previous_message_id";

/// A thread is not there: Anthropic has a status and a type for it.
pub(super) fn is_missing(fault: &Fault) -> bool {
    fault.refuses.as_deref() == Some(CONTINUED)
}

/// What the SDKs look for in an error. Where the thread is not there, they send the whole
/// conversation; where there can be none, they go on without.
pub(super) fn details(fault: &Fault) -> Option<Object> {
    match fault.refuses.as_deref()? {
        CONTINUED => Some(object! {"error_code": "thread_not_found"}),
        BEGUN => Some(object! {"error_code": "thread_unsupported_request", "unsupported": vec![BEGUN]}),
        _ => None,
    }
}

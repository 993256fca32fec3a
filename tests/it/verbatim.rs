//! The same protocol on both sides, the same bytes: recorded exchanges through the proxy, and the
//! stream machine alone.

mod pipe;
mod proxied;

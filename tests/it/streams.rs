//! Streams on the translated lane: every recorded stream for every client.

mod laws;
mod scenarios;
mod whole;

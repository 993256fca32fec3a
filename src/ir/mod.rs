//! Floor 1: the neutral words between the four protocols.
//!
//! A translated request, answer or stream goes through these types, never from protocol to protocol
//! directly. They know no vendor: what only one vendor understands travels as [`carrier::State`].

pub mod arguments;
pub mod calls;
pub mod carrier;
pub mod collect;
pub mod estimate;
pub mod grammar;
pub mod loss;
pub mod names;
pub mod needs;
pub mod request;
pub mod response;
pub mod schema;
pub mod search;
pub mod stream;
pub mod tool;

//! Floor 0: words and tools that know nothing of what is built on them.

pub mod b64;
pub mod calendar;
pub mod chance;
pub mod channel;
pub mod clock;
pub mod cut;
pub mod env;
pub mod host;
pub mod id;
pub mod json;
pub mod object;
pub mod os;
pub mod pattern;
pub mod pause;
pub mod pen;
pub mod private;
pub mod quote;
pub mod secret;
pub mod sort;
pub mod spare;
pub mod splice;
pub mod sse;
pub mod surrogate;
pub mod table;
pub mod tree;
pub mod words;

//! What must hold for any bytes: a law for each place where bytes of others come in. A broken law
//! panics. The fuzz targets feed them, and `tests/it/fuzz.rs` whatever once broke one.

pub mod body;
pub mod codec;
pub mod config;
pub mod head;
pub mod parts;
pub mod sse;
pub mod state;

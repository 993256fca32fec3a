//! llmgate: a small proxy between coding agents and LLM providers.
//!
//! One crate, nine floors, bottom first: a module uses its own folder and the floors below it.
//! Start reading at [`gateway`]: it tells the story of one request.

pub mod base;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod ir;
pub mod observe;
pub mod policy;
pub mod protocol;
pub mod route;
pub mod server;
pub mod state;
pub mod translate;
pub mod upstream;

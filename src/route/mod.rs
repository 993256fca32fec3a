//! Floor 4: which targets may serve a request, in what order, and how they are.

pub mod ask;
mod exchange;
pub mod explain;
mod fit;
mod groups;
pub mod health;
pub mod levels;
pub mod plan;
pub mod planning;
mod rest;
pub mod snapshot;
pub mod spend;
pub mod visit;

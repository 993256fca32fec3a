//! Floor 4: which targets may serve a name, in what order.

pub mod plan;
pub mod snapshot;

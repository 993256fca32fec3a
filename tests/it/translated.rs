//! The translated lane: state that comes back, histories that stay the same, what is carried and
//! what is lost.

mod calls;
mod history;
mod loops;
mod losses;
mod pairs;
mod round;
mod search;

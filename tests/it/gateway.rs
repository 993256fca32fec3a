//! The gateway from outside: a client on one side, a fake provider on the other.

mod access;
mod budget;
mod classes;
mod convert;
mod count;
mod demo;
mod eligible;
mod failover;
mod faults;
mod headers;
mod hold;
mod hostile;
mod injection;
mod leaving;
mod limits;
mod memory;
mod models;
mod operation;
mod pairs;
mod pass;
mod refusals;
mod routes;
mod routing;
mod streams;
mod test_mode;
mod wire;

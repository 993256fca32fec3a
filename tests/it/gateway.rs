//! The gateway from outside: a client on one side, a fake provider on the other.

mod access;
mod convert;
mod count;
mod demo;
mod faults;
mod headers;
mod hold;
mod hostile;
mod leaving;
mod limits;
mod models;
mod operation;
mod pairs;
mod pass;
mod refusals;
mod routes;
mod streams;
mod views;
mod wire;

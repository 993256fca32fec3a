//! The tests that stand outside: files, sockets, processes.
#![cfg(test)]

mod classes;
mod cli;
mod config;
mod fuzz;
mod gateway;
mod golden;
mod records;
#[cfg(feature = "redis")]
mod redis;
mod run;
mod server;
mod state;
mod streams;
mod support;
mod tidy;
mod translated;
mod upstream;
mod verbatim;

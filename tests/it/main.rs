//! The tests that stand outside: files, sockets, processes.
#![cfg(test)]

mod classes;
mod cli;
mod config;
mod gateway;
mod run;
mod server;
mod state;
mod support;
mod tidy;
mod upstream;
mod verbatim;

//! The tests that stand outside: files, sockets, processes.
#![cfg(test)]

mod classes;
mod cli;
mod config;
mod gateway;
mod server;
mod state;
mod support;
mod tidy;
mod upstream;
mod verbatim;

//! The tests that stand outside: files, sockets, processes.
#![cfg(test)]

mod config;
mod server;
mod tidy;

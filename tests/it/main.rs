//! The tests that stand outside: files, sockets, processes.
#![cfg(test)]

mod cli;
mod config;
mod gateway;
mod golden;
mod server;
mod streams;
mod support;
mod tidy;
mod upstream;
mod verbatim;

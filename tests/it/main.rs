//! The whole from outside, in one test binary.

#![cfg(test)]

mod server;

//! The promises of speed and size, measured: the real binary between a client and a provider of this
//! program's own.
//!
//! ```text
//! cargo bench --bench load -- path/to/llmgate               # all of it, some three minutes
//! cargo bench --bench load -- path/to/llmgate ready idle    # these rows
//! ```
//!
//! Two targets with closed breakers behind one alias. Each figure stands beside a direct connection and,
//! where there is one, nginx (`NGINX=PATH`, or on the path) in the same run: ratios hold within a run
//! only. One line a promise: `pass` or `FAIL`, or `open` where it could not be measured. Ends with 1 if
//! any failed. Linux only, since it reads `/proc`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a program that measures"
)]

#[cfg(target_os = "linux")]
#[path = "load/answer.rs"]
mod answer;
#[cfg(target_os = "linux")]
#[path = "load/client.rs"]
mod client;
#[cfg(target_os = "linux")]
#[path = "load/mock.rs"]
mod mock;
#[cfg(target_os = "linux")]
#[path = "load/poller.rs"]
mod poller;
#[cfg(target_os = "linux")]
#[path = "load/process.rs"]
mod process;
#[cfg(target_os = "linux")]
#[path = "load/promises.rs"]
mod promises;
#[cfg(target_os = "linux")]
#[path = "load/requests.rs"]
mod requests;
#[cfg(target_os = "linux")]
#[path = "load/scenes.rs"]
mod scenes;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    promises::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("load runs on Linux only");
}

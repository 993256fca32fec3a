//! Load and abuse: starts the real binary before a provider of its own and treats it badly.
//!
//! ```text
//! cargo build --release && cargo bench --bench abuse            # target/release/llmgate
//! cargo bench --bench abuse -- path/to/llmgate burst leaver     # that binary, these trials
//! ```
//!
//! One line a trial: `pass` or `FAIL`, its name, its figures. Ends with 1 if any failed. Linux only,
//! since it reads `/proc`.
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
#[path = "abuse/client.rs"]
mod client;
#[cfg(target_os = "linux")]
#[path = "abuse/process.rs"]
mod process;
#[cfg(target_os = "linux")]
#[path = "abuse/trials/mod.rs"]
mod trials;
#[cfg(target_os = "linux")]
#[path = "abuse/upstream.rs"]
mod upstream;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    trials::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("abuse runs on Linux only");
}

//! Load and abuse: starts the real binary before a provider of its own and treats it badly.
//!
//! ```text
//! cargo build --release && cargo bench --bench abuse            # target/release/llmgate
//! cargo bench --bench abuse -- path/to/llmgate burst leaver     # that binary, these trials
//! ```
//!
//! One line a trial: `pass` or `FAIL`, its name, its figures. Ends with 1 if any failed. Linux only,
//! since it reads `/proc`.
//!
//! | abuse | trial |
//! |---|---|
//! | many connections at once, each served at once; kept ones starve nobody | `burst`, `burst_reuse`, `t1_keep_alive_burst` |
//! | lengths that no memory has | `t2_huge_lengths` |
//! | no file descriptors left; accept errors of other kinds: `server/listener/tests.rs` | `few_files` |
//! | thousands of resets | `t4_resets` |
//! | HTTP/2 without TLS, its preface | `t5_http2` |
//! | endless lines, headers, chunk sizes, trailers, bodies | `t6_endless` |
//! | 3,000 connections that are idle or stop in a head or a body | `idle_and_half_sent` |
//! | bodies that drip or stop | `t7_slow_bodies`, `patience` |
//! | bodies that end early, frames that could be read in two ways | `t8_short_bodies_and_smuggling` |
//! | `Expect: 100-continue`, bodies that nobody wants | `t9_expect` |
//! | header values that want to be two | `t10_split_headers` |
//! | clients that leave: in a body, before the head, in silence, in a big write, in a backoff (T11) | `leaver_*` |
//! | bytes that are not ASCII, TLS, trailers | `t12_odd_bytes` |
//! | HTTP/1.0, HEAD, absolute targets, `Connection: close`, pipelining | `old_and_head`, `t8_short_bodies_and_smuggling` |
//! | WebSocket | `websocket` |
//! | answers that wait for an acknowledgement | `nodelay` |
//! | gzip, zstd and JSON bombs | `bombs` |
//! | a provider that closes kept connections | `stale_pool` |
//! | a provider without an end, or that speaks another language | `provider_endless`, `provider_garbage` |
//! | a client that does not read | `slow_reader`, `patience` |
//! | a head that drips, a connection that is idle | `patience` |
//! | `limits.connections`, `requests`, `queue` | `connections`, `slots` |
//! | a stop while something runs, and a second one | `stopping`, `ending` |
//!
//! A panic in a request cannot be asked for from outside: `tests/it/server/life.rs`.
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

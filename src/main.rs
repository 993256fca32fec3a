//! Arguments in, exit code out.

use std::process::ExitCode;

/// The static build's own: musl's is slow and has one lock for all threads. What it keeps for each
/// thread is bounded in `.cargo/config.toml`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    llmgate::cli::run(std::env::args_os())
}

//! Arguments in, exit code out.

use std::process::ExitCode;

#[cfg(target_env = "musl")]
mod allocator {
    use std::alloc::System;

    use spin::mutex::SpinMutex;
    use spin::relax::Yield;
    use talc::TalcLock;
    use talc::source::GlobalAllocSource;

    /// Memory is taken from the system in blocks of so many bytes.
    const BLOCK: usize = 256 * 1024;

    /// The static build's own: musl's is slow and has one lock for all threads, behind which they
    /// queue up in the kernel. This one holds its lock for some nanoseconds; whoever meets it held
    /// lets others run.
    #[global_allocator]
    static ALLOCATOR: TalcLock<SpinMutex<(), Yield>, GlobalAllocSource<System>> =
        TalcLock::new(GlobalAllocSource::with_block_size(System, BLOCK));
}

fn main() -> ExitCode {
    llmgate::cli::run(std::env::args_os())
}

//! After all of it: is the process as it was, and does it end when asked?

use std::time::Duration;

use super::{Bench, Outcome, ms};
use crate::client::streamed;
use crate::process::wait_until;

/// Workers without a connection end after 10 s.
const QUIET: Duration = Duration::from_secs(15);
/// Threads more than at the start, and connections to the provider that the pool may keep.
const THREADS: u64 = 3;
const POOL: usize = 64;
/// `timeouts.drain`, two seconds for farewells, and a little.
const DRAIN: Duration = Duration::from_millis(4500);

/// One ordinary request, few threads and files, an end in time with a stream still running.
pub(super) fn ending(bench: &mut Bench) -> Outcome {
    let ordinary = bench.ordinary()?;
    let start = bench.start;
    let calm = wait_until(QUIET, || {
        let facts = bench.proxy.facts();
        facts.threads <= start.threads + THREADS && facts.files <= start.files + POOL
    });
    let facts = bench.proxy.facts();
    let calm = calm.ok_or_else(|| format!("{facts:?} after {QUIET:?}, {start:?} at the start"))?;
    let mut idle = bench.client()?;
    idle.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut running = bench.client()?;
    running.send(&streamed("up/first.last"))?;
    running.first_part()?;
    let (status, took) = bench.proxy.terminate(DRAIN).ok_or("it did not end in time after SIGTERM")?;
    let (farewell, _) = running.rest(Duration::from_secs(1));
    let told = farewell.contains("\"error\"") && farewell.ends_with("0\r\n\r\n");
    let figures = format!(
        "ordinary request {}, calm after {}: {} threads (start {}), {} files (start {}), {} KiB (start {}); \
         SIGTERM: {status} after {}, running stream told: {told}",
        ms(ordinary),
        ms(calm),
        facts.threads,
        start.threads,
        facts.files,
        start.files,
        facts.rss,
        start.rss,
        ms(took)
    );
    if status.success() && told { Ok(figures) } else { Err(figures.into()) }
}

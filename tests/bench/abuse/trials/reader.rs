//! A client that asks for much and reads nothing.

use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Outcome, ms};
use crate::client::streamed;
use crate::upstream::{BIG, Seen};

/// How long it is observed; far below the 30 s after which a blocked write ends.
const OBSERVED: Duration = Duration::from_secs(4);
/// What the proxy may grow by, KiB.
const GROWTH: u64 = 16 * 1024;

/// 64 MiB of events wait at the provider, not in the proxy.
pub(super) fn slow_reader(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let written = bench.upstream.written();
    let mut client = bench.client()?;
    client.send(&streamed("up/big.reader"))?;
    let ((), peak) = bench.proxy.peak_while(|| thread::sleep(OBSERVED));
    let taken = bench.upstream.written() - written;
    let grown = peak.saturating_sub(before.rss);
    drop(client);
    let since = Instant::now();
    let closed = loop {
        match bench.upstream.seen.recv_timeout(Duration::from_secs(3))? {
            Seen::Closed(_, at) => break at.saturating_duration_since(since),
            Seen::Request(_) => {}
        }
    };
    bench.proxy.files_fall_to(before.files, Duration::from_secs(3))?;
    let figures = format!(
        "{} of {} MiB taken from the provider, {grown} KiB more, provider closed {} after the client left",
        taken >> 20,
        BIG >> 20,
        ms(closed)
    );
    let all = u64::try_from(BIG)?;
    if grown > GROWTH || taken >= all || closed > Duration::from_secs(1) {
        Err(figures.into())
    } else {
        Ok(figures)
    }
}

//! 500 clients at once.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Outcome, median, ms};
use crate::client::{Client, streamed};
use crate::upstream::micros;

const CLIENTS: usize = 500;
const ROUNDS: usize = 3;
/// The first event is there so soon after it was written.
const FIRST: Duration = Duration::from_secs(1);
const STACK: usize = 128 * 1024;

/// What a client saw of one stream.
struct Lap {
    /// From the provider's write of the first event.
    first: Duration,
    /// From the request.
    whole: Duration,
}

/// Each round on new connections, towards the provider as well.
pub(super) fn fresh(bench: &mut Bench) -> Outcome {
    race(bench, "up/quick", false)
}

/// Every round on the same connections.
pub(super) fn reuse(bench: &mut Bench) -> Outcome {
    race(bench, "up/kept", true)
}

fn race(bench: &Bench, model: &str, reuse: bool) -> Outcome {
    let barrier = Barrier::new(CLIENTS);
    let run = || -> Vec<std::io::Result<Lap>> {
        let mut client = None;
        let mut laps = Vec::new();
        for _ in 0..ROUNDS {
            if !reuse {
                client = None;
            }
            barrier.wait();
            laps.push(lap(bench, model, &mut client));
        }
        laps
    };
    let laps: Vec<std::io::Result<Lap>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..CLIENTS {
            let thread = thread::Builder::new().stack_size(STACK);
            threads.push(thread.spawn_scoped(scope, run).expect("a thread"));
        }
        threads.into_iter().flat_map(|thread| thread.join().expect("a client")).collect()
    });
    let missed: Vec<&std::io::Error> = laps.iter().filter_map(|lap| lap.as_ref().err()).collect();
    if let Some(error) = missed.first() {
        return Err(format!("{} of {} not complete, such as: {error}", missed.len(), laps.len()).into());
    }
    let laps: Vec<Lap> = laps.into_iter().flatten().collect();
    let mut firsts: Vec<Duration> = laps.iter().map(|lap| lap.first).collect();
    let middle = median(&mut firsts);
    let worst = firsts.last().copied().unwrap_or_default();
    let whole = laps.iter().map(|lap| lap.whole).max().unwrap_or_default();
    let figures = format!(
        "{} streams, first event after max {} p50 {}, whole stream max {}",
        laps.len(),
        ms(worst),
        ms(middle),
        ms(whole)
    );
    if worst > FIRST { Err(figures.into()) } else { Ok(figures) }
}

fn lap(bench: &Bench, model: &str, client: &mut Option<Client>) -> std::io::Result<Lap> {
    let since = Instant::now();
    let client = match client {
        Some(client) => client,
        None => client.insert(bench.client()?),
    };
    client.send(&streamed(model))?;
    let (status, part) = client.first_part()?;
    let now = micros();
    let written = part.split("\"content\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let written: Option<u64> = written.and_then(|text| text.parse().ok());
    let Some(written) = written.filter(|_| status == 200) else {
        return Err(std::io::Error::other(format!("{status}: {part}")));
    };
    let last =
        if part.contains("[DONE]") { client.last_part().map(|_| part)? } else { client.last_part()? };
    if !last.contains("[DONE]") {
        return Err(std::io::Error::other(format!("the stream ends with {last:?}")));
    }
    Ok(Lap { first: Duration::from_micros(now.saturating_sub(written)), whole: since.elapsed() })
}

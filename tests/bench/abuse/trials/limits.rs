//! Every limit of connections, generations and time to end, in proxies of their own.

use std::time::{Duration, Instant};

use super::manners::is_healthy;
use super::{Bench, Outcome, ms, ordinary};
use crate::client::{Client, buffered, streamed};
use crate::process::{Proxy, wait_until};
use crate::upstream::Seen;

const SOON: Duration = Duration::from_secs(3);
const MOST: usize = 8;

/// `limits.connections`: who comes too many is told when to come again, and is served then.
pub(super) fn connections(bench: &mut Bench) -> Outcome {
    let proxy = bench.second("connections", &format!("limits: {{connections: {MOST}}}\n"))?;
    let mut crowd = Vec::new();
    for _ in 0..MOST {
        let mut client = Client::connect(proxy.address())?;
        if !is_healthy(&mut client) {
            return Err(format!("{} connections and no answer", crowd.len()).into());
        }
        crowd.push(client);
    }
    let mut refused = 0;
    for _ in 0..MOST {
        let mut client = Client::connect(proxy.address())?;
        // It may be refused before it asks.
        let _ = client.send(&buffered("up/quick"));
        let (text, ended) = client.rest(SOON);
        if !text.starts_with("HTTP/1.1 503 ") || !text.to_lowercase().contains("retry-after: 1") || !ended {
            return Err(format!("one too many got {text:?}, ended: {ended}").into());
        }
        refused += 1;
    }
    let kept = crowd.iter_mut().filter_map(|client| is_healthy(client).then_some(())).count();
    drop(crowd);
    let since = Instant::now();
    wait_until(SOON, || ordinary(&proxy).is_ok()).ok_or("nobody is served after the crowd has left")?;
    let figures = format!(
        "{MOST} held, {refused} more got 503, {kept} of the first still served; served again after {}",
        ms(since.elapsed())
    );
    if kept == MOST { Ok(figures) } else { Err(figures.into()) }
}

/// `limits.requests` and `limits.queue`: in order of arrival, who leaves loses the place, who comes
/// too many is told so, and nothing else waits.
pub(super) fn slots(bench: &mut Bench) -> Outcome {
    let proxy = bench.second("slots", "limits: {requests: 2, queue: 2}\ntimeouts: {drain: 1s}\n")?;
    let mut running = Vec::new();
    for name in ["first.r1", "first.r2"] {
        running.push(asked(&proxy, name)?);
        wait_for(bench, name)?;
    }
    let first = asked(&proxy, "first.w1")?;
    waiting(&proxy, 1)?;
    let second = asked(&proxy, "first.w2")?;
    waiting(&proxy, 2)?;
    let mut client = Client::connect(proxy.address())?;
    client.send(&buffered("up/quick"))?;
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let (text, _) = client.rest(SOON);
    if !text.starts_with("HTTP/1.1 503 ") || !text.to_lowercase().contains("retry-after: 1") {
        return Err(format!("one too many got {text:?}").into());
    }
    let since = Instant::now();
    for path in ["/health", "/v1/models", "/debug/status", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = Client::connect(proxy.address())?.ask(request.as_bytes())?;
        if answer.status != 200 {
            return Err(format!("{path} got {} while all slots are taken", answer.status).into());
        }
    }
    let beside = since.elapsed();
    drop(first);
    waiting(&proxy, 1)?;
    let third = asked(&proxy, "first.w3")?;
    waiting(&proxy, 2)?;
    drop(running.remove(0));
    wait_for(bench, "first.w2")?;
    drop(running);
    wait_for(bench, "first.w3")?;
    drop((second, third));
    let calm = wait_until(SOON, || metric(&proxy, "llmgate_in_flight") == Some(0));
    bench.upstream.hang_up();
    match calm {
        Some(_) => Ok(format!("2 run, 2 wait in order, a fifth got 503; 4 other answers in {}", ms(beside))),
        None => Err("slots are still taken after everybody has left".into()),
    }
}

/// While it drains: nothing new is begun, what runs is told; a second signal ends it at once.
pub(super) fn stopping(bench: &mut Bench) -> Outcome {
    let mut proxy = bench.second("stopping", "timeouts: {drain: 2s}\n")?;
    let mut kept = Client::connect(proxy.address())?;
    if !is_healthy(&mut kept) {
        return Err("no answer before the end".into());
    }
    let mut running = asked(&proxy, "first.stop")?;
    running.first_part()?;
    let since = Instant::now();
    proxy.signal();
    let refused = wait_until(SOON, || match Client::connect(proxy.address()) {
        Err(_) => true,
        Ok(mut client) => client.ask(&buffered("up/quick")).is_ok_and(|answer| answer.status == 503),
    });
    let refused = refused.ok_or("new requests are served while it stops")?;
    // A kept connection is closed, or told so.
    let met = kept.ask(&buffered("up/quick"));
    if met.as_ref().is_ok_and(|answer| answer.status != 503) {
        return Err("a kept connection begins something while it stops".into());
    }
    let (farewell, _) = running.rest(Duration::from_secs(6));
    let told = farewell.contains("\"error\"") && farewell.ends_with("0\r\n\r\n");
    let ended = wait_until(SOON, || !proxy.is_alive());
    let took = since.elapsed();
    let mut other = bench.second("stopping-twice", "timeouts: {drain: 60s}\n")?;
    let mut client = asked(&other, "first.twice")?;
    client.first_part()?;
    other.signal();
    std::thread::sleep(Duration::from_millis(300));
    let alive = other.is_alive();
    let twice = other.terminate(SOON);
    bench.upstream.hang_up();
    let figures = format!(
        "new ones refused after {}, running stream told: {told}, ended after {}; with two signals after {}",
        ms(refused),
        ms(took),
        twice.map_or_else(|| "never".to_owned(), |(_, took)| ms(took))
    );
    let good = told && ended.is_some() && alive && twice.is_some_and(|(_, took)| took < SOON);
    if good { Ok(figures) } else { Err(figures.into()) }
}

fn asked(proxy: &Proxy, name: &str) -> std::io::Result<Client> {
    let mut client = Client::connect(proxy.address())?;
    client.send(&streamed(&format!("up/{name}")))?;
    Ok(client)
}

/// Waits until the provider is asked for this one, before any other.
fn wait_for(bench: &Bench, name: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    loop {
        match bench.upstream.seen.recv_timeout(SOON)? {
            Seen::Request(met) if met == name => return Ok(()),
            Seen::Request(other) => return Err(format!("{other} came before {name}").into()),
            Seen::Closed(..) => {}
        }
    }
}

/// Waits until so many wait for a slot.
fn waiting(proxy: &Proxy, count: u64) -> Result<(), String> {
    let met = wait_until(SOON, || metric(proxy, "llmgate_queued") == Some(count));
    let now = metric(proxy, "llmgate_queued");
    met.map(drop).ok_or_else(|| format!("{now:?} wait for a slot, {count} expected"))
}

fn metric(proxy: &Proxy, name: &str) -> Option<u64> {
    let mut client = Client::connect(proxy.address()).ok()?;
    let answer = client.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

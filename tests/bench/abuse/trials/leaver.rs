//! Clients that leave at the worst moment: the call to the provider ends within a second.

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use super::{Bench, Outcome, ms};
use crate::client::{Client, Leave, buffered, chat, is_late, post, streamed};
use crate::process::wait_until;
use crate::upstream::{Seen, micros};

const CLIENTS: usize = 20;
/// The provider's connection is closed so soon.
const CLOSED: Duration = Duration::from_secs(1);
/// It is looked out for so long, so that a figure can be told.
const LOOK_OUT: Duration = Duration::from_secs(4);
const WAYS: [Leave; 3] = [Leave::Close, Leave::Reset, Leave::Half];
/// Without the one that nobody sees while the proxy waits for the client to read.
const WAYS_IN_A_WRITE: [Leave; 2] = [Leave::Close, Leave::Reset];

/// The moment to leave.
enum When {
    /// The provider has the request.
    Asked,
    /// The first event is here.
    FirstEvent,
    /// The first event is here, and a byte was sent behind the request.
    Pipelined,
    /// So many bytes are here, and more lie unread.
    Bytes(usize),
}

/// After a first event, while the provider is silent.
pub(super) fn silent(bench: &mut Bench) -> Outcome {
    leave(bench, "first", streamed, &When::FirstEvent)
}

/// Before the provider's head, streamed.
pub(super) fn before_the_head(bench: &mut Bench) -> Outcome {
    leave(bench, "head", streamed, &When::Asked)
}

/// Before the provider's head, buffered.
pub(super) fn buffered_silent(bench: &mut Bench) -> Outcome {
    leave(bench, "head", buffered, &When::Asked)
}

/// While a buffered answer comes, a byte each 100 ms.
pub(super) fn slow_answer(bench: &mut Bench) -> Outcome {
    leave(bench, "slow", buffered, &When::Asked)
}

/// While an event comes each 100 ms.
pub(super) fn trickle(bench: &mut Bench) -> Outcome {
    leave(bench, "trickle", streamed, &When::FirstEvent)
}

/// While a comment comes each 100 ms, before the first event.
pub(super) fn beat(bench: &mut Bench) -> Outcome {
    leave(bench, "beat", streamed, &When::Asked)
}

/// In the middle of a big answer, with much of it not read.
pub(super) fn big(bench: &mut Bench) -> Outcome {
    leave(bench, "big", streamed, &When::Bytes(256 * 1024))
}

/// With the first bytes of a next request sent already.
pub(super) fn with_bytes_behind(bench: &mut Bench) -> Outcome {
    leave(bench, "first", streamed, &When::Pipelined)
}

/// While the proxy waits to ask a busy provider again: it is not asked again.
pub(super) fn in_a_backoff(bench: &mut Bench) -> Outcome {
    const AGAIN: Duration = Duration::from_secs(7);
    let before = bench.proxy.facts();
    let name = format!("busy.{}", micros());
    let mut client = bench.client()?;
    client.send(&buffered(&format!("up/{name}")))?;
    bench.upstream.seen.recv_timeout(LOOK_OUT)?;
    // The provider's answer is on its way, and the delay begins: nothing is told yet.
    client.socket().set_read_timeout(Some(Duration::from_millis(500)))?;
    match client.text(1) {
        Err(error) if is_late(&error) => {}
        met => return Err(format!("told instead of asking again: {met:?}").into()),
    }
    drop(client);
    let took = bench.proxy.files_fall_to(before.files, LOOK_OUT)?;
    let until = Instant::now() + AGAIN;
    while let Ok(seen) = bench.upstream.seen.recv_deadline(until) {
        if matches!(&seen, Seen::Request(again) if *again == name) {
            return Err("the provider was asked again for a client that had left".into());
        }
    }
    let figures = format!("gone after {}, not asked again in {AGAIN:?}", ms(took));
    if took > CLOSED { Err(figures.into()) } else { Ok(figures) }
}

/// In the middle of its own request body: the provider hears nothing of it.
pub(super) fn in_its_body(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let arrived = bench.upstream.arrived();
    let part = format!("{{\"model\":\"up/quick\",\"pad\":\"{}", "x".repeat(100_000));
    let mut listening = Vec::new();
    for index in 0..CLIENTS {
        let framing =
            if index % 2 == 0 { "Content-Length: 900000\r\n" } else { "Transfer-Encoding: chunked\r\n" };
        let body = if index % 2 == 0 { part.clone() } else { format!("{:x}\r\n{part}", 900_000) };
        let mut client = bench.client()?;
        client.send(&post(framing, &body))?;
        listening.extend(client.leave(WAYS[index % WAYS.len()])?);
    }
    for client in listening {
        let (text, ended) = client.rest(CLOSED);
        if !ended || !text.starts_with("HTTP/1.1 400 ") {
            return Err(format!("a short body got {text:?}, ended: {ended}").into());
        }
    }
    let took = bench.proxy.files_fall_to(before.files, LOOK_OUT)?;
    if bench.upstream.arrived() != arrived {
        return Err("the provider heard of a request that was never complete".into());
    }
    Ok(format!("{CLIENTS} left, nothing reached the provider, connections gone after {}", ms(took)))
}

/// While the proxy sends a large request to a provider that does not take it.
pub(super) fn deaf_provider(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let request = chat("", "deaf/quick", false, &"x".repeat(16 * 1024 * 1024));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = bench.client()?;
        client.send(&request)?;
        clients.push(client);
    }
    let mut there = 0;
    while there < clients.len() {
        match bench.upstream.seen.recv_timeout(LOOK_OUT)? {
            Seen::Request(name) if name == "deaf" => there += 1,
            // From an earlier trial.
            Seen::Request(_) | Seen::Closed(..) => {}
        }
    }
    let during = bench.proxy.facts();
    drop(clients);
    let took = bench.proxy.files_fall_to(before.files, LOOK_OUT)?;
    let figures = format!(
        "{there} uploads ended after {} ({} files before, {} during)",
        ms(took),
        before.files,
        during.files
    );
    if took > CLOSED { Err(figures.into()) } else { Ok(figures) }
}

fn leave(bench: &Bench, script: &str, request: impl Fn(&str) -> Vec<u8>, when: &When) -> Outcome {
    let mut clients = Vec::new();
    for index in 0..u64::try_from(CLIENTS)? {
        let name = format!("{script}.{}", micros() + index);
        let mut client = bench.client()?;
        client.send(&request(&format!("up/{name}")))?;
        clients.push((name, client));
    }
    let mut there = 0;
    while there < CLIENTS {
        match bench.upstream.seen.recv_timeout(LOOK_OUT)? {
            Seen::Request(_) => there += 1,
            Seen::Closed(name, _) if is_ours(&name, &clients) => {
                return Err(format!("{name} was closed before anybody left").into());
            }
            // From an earlier trial.
            Seen::Closed(..) => {}
        }
    }
    for (_, client) in &mut clients {
        match when {
            When::Asked => {}
            When::FirstEvent => {
                client.first_part()?;
            }
            When::Pipelined => {
                client.first_part()?;
                client.send(b"GET /")?;
            }
            When::Bytes(bytes) => client.swallow(*bytes)?,
        }
    }
    let ways = if matches!(when, When::Bytes(_)) { &WAYS_IN_A_WRITE[..] } else { &WAYS[..] };
    let mut left = HashMap::new();
    let mut listening = Vec::new();
    for (index, (name, client)) in clients.into_iter().enumerate() {
        let how = ways[index % ways.len()];
        left.insert(name, (how, Instant::now()));
        listening.extend(client.leave(how)?);
    }
    let met = closes(bench, &mut left)?;
    drop(listening);
    // The next trial begins with none of these open.
    bench.upstream.hang_up();
    wait_until(LOOK_OUT, || bench.proxy.facts().files <= bench.start.files + 80);
    judge(&met, &left)
}

fn is_ours(name: &str, clients: &[(String, Client)]) -> bool {
    clients.iter().any(|(ours, _)| ours == name)
}

type Left = HashMap<String, (Leave, Instant)>;

/// How long each connection lived after its client left; those that lived on stay in `left`.
fn closes(bench: &Bench, left: &mut Left) -> Result<Vec<(Leave, Duration)>, Box<dyn Error + Send + Sync>> {
    let until = Instant::now() + LOOK_OUT;
    let mut met = Vec::new();
    while !left.is_empty() {
        let Ok(seen) = bench.upstream.seen.recv_deadline(until) else { break };
        match seen {
            Seen::Closed(name, at) => {
                if let Some((how, since)) = left.remove(&name) {
                    met.push((how, at.saturating_duration_since(since)));
                }
            }
            Seen::Request(name) => return Err(format!("{name} was asked again").into()),
        }
    }
    Ok(met)
}

fn judge(met: &[(Leave, Duration)], left: &Left) -> Outcome {
    let mut figures = Vec::new();
    let mut good = left.is_empty();
    for way in WAYS {
        let times = met.iter().filter(|(how, _)| *how == way).map(|(_, time)| *time);
        let worst = times.max();
        let stayed = left.values().filter(|(how, _)| *how == way).count();
        if worst.is_none() && stayed == 0 {
            continue;
        }
        let worst = worst.unwrap_or_default();
        let rest = if stayed == 0 { String::new() } else { format!(", {stayed} not at all") };
        figures.push(format!("{way:?} max {}{rest}", ms(worst)));
        good &= worst <= CLOSED;
    }
    let figures = format!("closed after {}", figures.join("; "));
    if good { Ok(figures) } else { Err(figures.into()) }
}

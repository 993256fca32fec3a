//! A provider that means harm, or is none: an error in the client's protocol, memory bounded.

use std::time::Duration;

use super::{Bench, Outcome, ms};
use crate::client::{answers, buffered, streamed};
use crate::upstream::GARBAGE;

/// What an endless answer may take beside its limit, which a buffer that doubles may reach twice; KiB.
const BESIDE: u64 = 24 * 1024;
const ENDS: Duration = Duration::from_secs(10);

/// Header values that hold a line end of some kind never make a second header (T10).
pub(super) fn split_headers(bench: &mut Bench) -> Outcome {
    let request = String::from_utf8(buffered("up/split"))?;
    let mut client = bench.client()?;
    client.send(request.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    let (text, ended) = client.rest(ENDS);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let odd = head.chars().any(|c| c.is_control() && c != '\r' && c != '\n');
    let lines = head.split(['\r', '\n', '\u{85}']);
    let split = lines.map(str::to_lowercase).any(|line| line.starts_with("set-cookie"));
    let figures = format!("{:?}, ended: {ended}", head.lines().next().unwrap_or_default());
    if split || odd || !ended || answers(&text) != 1 { Err(head.to_owned().into()) } else { Ok(figures) }
}

/// A provider that closes each connection after its answer, against its word: no client sees it.
pub(super) fn stale_pool(bench: &mut Bench) -> Outcome {
    const ASKED: usize = 200;
    let mut client = bench.client()?;
    for index in 0..ASKED {
        let answer = client.ask(&buffered("up/stale"))?;
        if answer.status != 200 {
            return Err(format!("request {index} got {}: {}", answer.status, answer.body).into());
        }
    }
    Ok(format!("{ASKED} answers from a provider that closed {ASKED} kept connections"))
}

/// Heads, events, answers and errors without an end.
pub(super) fn endless(bench: &mut Bench) -> Outcome {
    let mut figures = Vec::new();
    // The limits of SPEC 4.2, KiB; an error's body is cut, and its status stays.
    for (script, limit, expected) in [
        ("long-head", 64, &[502][..]),
        ("long-event", 8 * 1024, &[502]),
        ("long-answer", 64 * 1024, &[502]),
        ("long-error", 64, &[400, 502]),
    ] {
        let before = bench.proxy.facts();
        let request = if script == "long-event" { streamed } else { buffered };
        let request = request(&format!("up/{script}"));
        let (answer, peak) = bench.proxy.peak_while(|| bench.client()?.ask(&request));
        let answer = answer?;
        let more = peak.saturating_sub(before.rss);
        let figure = format!("{script} {} peak {more} KiB more", answer.status);
        // An error of the provider's own passes as it is, as far as it is read.
        let told =
            answer.body.contains("\"error\"") || (answer.status == 400 && answer.body.len() <= 64 * 1024);
        if !expected.contains(&answer.status) || !told || more > 2 * limit + BESIDE {
            return Err(format!("{figure}: {:.200}", answer.body).into());
        }
        figures.push(figure);
    }
    bench.ordinary()?;
    Ok(figures.join(", "))
}

/// Whatever is no answer of the protocol is an error, never an answer.
pub(super) fn garbage(bench: &mut Bench) -> Outcome {
    let mut statuses = Vec::new();
    for number in 0..GARBAGE.len() {
        for request in [buffered, streamed] {
            let answer = bench.client()?.ask(&request(&format!("up/garbage-{number}")))?;
            if answer.status < 400 || !answer.body.contains("\"error\"") {
                return Err(format!("number {number} got {}: {:.200}", answer.status, answer.body).into());
            }
            statuses.push(answer.status);
        }
    }
    let took = bench.ordinary()?;
    statuses.sort_unstable();
    statuses.dedup();
    Ok(format!(
        "{} kinds, whole and streamed: {statuses:?}; an ordinary request beside {}",
        GARBAGE.len(),
        ms(took)
    ))
}

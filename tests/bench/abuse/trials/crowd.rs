//! Many connections that do nothing, or stop in the middle.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::{Bench, Outcome, median, ms};
use crate::client::{Client, chat, post};

const IDLE: usize = 2000;
const HALF: usize = 500;
/// Clients one after another.
const VISITS: usize = 50;
/// What a visit may take more in a crowd.
const MORE: Duration = Duration::from_millis(50);
/// Until the proxy has let go of those who left.
const AWAY: Duration = Duration::from_secs(10);

/// 2,000 idle connections, 500 half-sent heads, 500 half-sent bodies.
pub(super) fn idle_and_half_sent(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let mut alone = visits(bench)?;
    let usual = median(&mut alone);
    let mut crowd = Vec::new();
    for index in 0..IDLE + 2 * HALF {
        let part: &[u8] = match index {
            0..IDLE => b"",
            index if index % 2 == 0 => b"POST /v1/chat/completions HTTP/1.1\r\nHost: local",
            _ => {
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{\"mod"
            }
        };
        crowd.push(sent(bench, part)?);
    }
    let there = crate::process::wait_until(AWAY, || bench.proxy.facts().files > crowd.len());
    if there.is_none() {
        return Err(format!("{:?}: not all connections were accepted", bench.proxy.facts()).into());
    }
    let full = bench.proxy.facts();
    let mut times = visits(bench)?;
    let crowded = median(&mut times);
    let worst = times.last().copied().unwrap_or_default();
    drop(crowd);
    let away = bench.proxy.files_fall_to(before.files + 2, AWAY)?;
    let figures = format!(
        "median {} alone, {} in the crowd, max {}; {} threads, {} files, {} MiB; all away after {}",
        ms(usual),
        ms(crowded),
        ms(worst),
        full.threads,
        full.files,
        full.rss / 1024,
        ms(away)
    );
    if worst > usual + MORE { Err(figures.into()) } else { Ok(figures) }
}

/// Bodies that come a few bytes at a time block nobody (T7).
pub(super) fn slow_bodies(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let request = chat("", "up/quick", false, &"slow".repeat(100));
    let (start, rest) = request.split_at(request.len() - 300);
    let mut slow = (0..HALF).map(|_| sent(bench, start)).collect::<io::Result<Vec<Client>>>()?;
    let mut times = Vec::new();
    for (index, byte) in rest.iter().enumerate() {
        for client in &mut slow {
            client.send(&[*byte])?;
        }
        if index % 30 == 0 {
            times.push(bench.ordinary()?);
        }
    }
    let middle = median(&mut times);
    let worst = times.last().copied().unwrap_or_default();
    for client in &mut slow {
        let answer = client.answer()?;
        if answer.status != 200 {
            return Err(format!("a slow body got {}: {}", answer.status, answer.body).into());
        }
    }
    drop(slow);
    let mut stopped = (0..HALF)
        .map(|_| sent(bench, &post("Content-Length: 9\r\n", "{")))
        .collect::<io::Result<Vec<_>>>()?;
    let beside = bench.ordinary()?;
    stopped.clear();
    bench.proxy.files_fall_to(before.files + 2, AWAY)?;
    let figures = format!(
        "{HALF} slow bodies all answered; beside them median {} max {}, beside stopped ones {}",
        ms(middle),
        ms(worst),
        ms(beside)
    );
    let limit = Duration::from_secs(1);
    if worst > limit || beside > limit { Err(figures.into()) } else { Ok(figures) }
}

fn sent(bench: &Bench, part: &[u8]) -> io::Result<Client> {
    let mut client = bench.client()?;
    client.send(part)?;
    Ok(client)
}

fn visits(bench: &Bench) -> Result<Vec<Duration>, Box<dyn Error + Send + Sync>> {
    (0..VISITS).map(|_| bench.ordinary()).collect()
}

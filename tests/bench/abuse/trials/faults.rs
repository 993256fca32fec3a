//! What has broken servers of this kind before: bursts, absurd lengths, resets, endless lines.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, Outcome, ms};
use crate::client::{Client, Leave, answers, buffered, is_late, post};
use crate::process::wait_until;

/// An endless sender gives up after so many bytes.
const ENDLESS: usize = 64 * 1024 * 1024;
/// So many bytes may lie in the buffers of a connection that is refused.
const BUFFERED: usize = 16 * 1024 * 1024;
/// What the proxy may grow by, KiB.
const GROWTH: u64 = 20 * 1024;
/// The default of `limits.request_body`, KiB.
const REQUEST_BODY: u64 = 32 * 1024;
/// Threads without a connection end after 10 s.
const WORKERS: Duration = Duration::from_secs(13);
const AWAY: Duration = Duration::from_secs(5);

/// Six keep-alive connections at once, thirty times (T1).
pub(super) fn keep_alive_burst(bench: &mut Bench) -> Outcome {
    let mut worst = Duration::ZERO;
    for round in 0..30 {
        let since = Instant::now();
        let mut clients = (0..6).map(|_| bench.client()).collect::<io::Result<Vec<Client>>>()?;
        for client in &mut clients {
            client.send(&buffered("up/quick"))?;
        }
        for client in &mut clients {
            let answer = client.answer()?;
            if answer.status != 200 {
                return Err(format!("round {round}: {}: {}", answer.status, answer.body).into());
            }
        }
        worst = worst.max(since.elapsed());
    }
    let figures = format!("30 times 6 at once, slowest round {}", ms(worst));
    if worst > Duration::from_secs(1) { Err(figures.into()) } else { Ok(figures) }
}

/// Lengths that no memory has (T2).
pub(super) fn huge_lengths(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let mut statuses = Vec::new();
    for length in ["4611686018427387904", "60000000000", "18446744073709551615", "18446744073709551616"] {
        let request = post(&format!("Content-Length: {length}\r\n"), "{}");
        let mut leaver = bench.client()?;
        leaver.send(&request)?;
        drop(leaver);
        let answer = bench.client()?.ask(&request)?;
        statuses.push(answer.status.to_string());
        if !(400..500).contains(&answer.status) {
            return Err(format!("length {length} got {}: {}", answer.status, answer.body).into());
        }
    }
    bench.ordinary()?;
    bench.proxy.files_fall_to(before.files, AWAY)?;
    Ok(format!("statuses {}, {} KiB more", statuses.join(" "), growth(bench, before.rss)))
}

/// Two times 5,000 requests that are reset at once (T4). An allocator may keep what the first 5,000
/// needed, once their threads have ended; the next 5,000 need no more.
pub(super) fn resets(bench: &mut Bench) -> Outcome {
    const RESETS: usize = 5000;
    let before = bench.proxy.facts();
    let requests = [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), buffered("up/quick")];
    let mut figures = Vec::new();
    let mut calm = Vec::new();
    for _ in 0..2 {
        let since = Instant::now();
        for index in 0..RESETS {
            let mut client = bench.client()?;
            // The proxy may have reset it first.
            let _ = client.send(&requests[index % requests.len()]);
            client.leave(Leave::Reset)?;
        }
        let took = since.elapsed();
        let away = bench.proxy.files_fall_to(before.files, AWAY)?;
        bench.ordinary()?;
        let full = bench.proxy.facts();
        wait_until(WORKERS, || bench.proxy.facts().threads <= bench.start.threads + 3);
        let rest = bench.proxy.facts();
        calm.push(rest.rss);
        figures.push(format!(
            "{RESETS} in {}, files back after {}, {} threads {} KiB, later {} threads {} KiB",
            ms(took),
            ms(away),
            full.threads,
            full.rss,
            rest.threads,
            rest.rss
        ));
    }
    let figures = figures.join("; ");
    let leaked = calm[1].saturating_sub(calm[0]);
    if leaked > GROWTH / 2 { Err(figures.into()) } else { Ok(figures) }
}

/// A version that is not spoken (T5).
pub(super) fn http2(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    for index in 0..100 {
        let line = if index % 2 == 0 { "GET / HTTP/2.0" } else { "PRI * HTTP/2.0" };
        let mut client = bench.client()?;
        client.send(format!("{line}\r\nHost: localhost\r\n\r\nSM\r\n\r\n").as_bytes())?;
        if index < 50 {
            continue;
        }
        let (text, ended) = client.rest(Duration::from_secs(3));
        if !ended || !text.starts_with("HTTP/1.1 505 ") || answers(&text) != 1 {
            return Err(format!("{line} got {text:?}, ended: {ended}").into());
        }
    }
    let away = bench.proxy.files_fall_to(before.files, AWAY)?;
    Ok(format!("100 refused with 505, files back after {}", ms(away)))
}

/// How an endless request begins, what it goes on with, and the status it gets.
type Endless = (&'static str, Vec<u8>, &'static str, &'static str);

/// A header line, a chunk-size line, a trailer without end; 200,000 headers (T6). And a body that
/// is refused at its limit only.
pub(super) fn endless(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let lines: [Endless; 6] = [
        ("line", b"GET /".to_vec(), "a", "431"),
        ("header", b"GET / HTTP/1.1\r\nHost: localhost\r\nx: ".to_vec(), "a", "431"),
        ("headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n".to_vec(), "x: y\r\n", "431"),
        ("chunk size", post(chunked, "1;"), "a", "400"),
        ("zeros", post(chunked, ""), "0", "400"),
        ("trailers", post(chunked, "2\r\n{}\r\n0\r\n"), "x: y\r\n", "400"),
    ];
    let figures = pour_all(bench, &lines, BUFFERED, GROWTH)?;
    // What came of a body is kept until it is refused, in a buffer that doubles.
    let chunks: [Endless; 1] = [("chunks", post(chunked, ""), "a\r\n          \r\n", "413")];
    let body = pour_all(bench, &chunks, ENDLESS, 2 * REQUEST_BODY + GROWTH)?;
    bench.ordinary()?;
    bench.proxy.files_fall_to(before.files, AWAY)?;
    Ok(format!("{figures}; {body}"))
}

fn pour_all(bench: &Bench, shapes: &[Endless], most: usize, growth: u64) -> Outcome {
    let before = bench.proxy.facts().rss;
    let (met, peak) = bench.proxy.peak_while(|| -> Outcome {
        let mut figures = Vec::new();
        for (name, start, more, status) in shapes {
            let (sent, answer) = pour(bench, start, more)?;
            // A reset may overtake the answer.
            let seen = answer.split(' ').nth(1).unwrap_or("closed");
            if sent >= most || !(answer.is_empty() || seen.starts_with(status)) {
                return Err(format!("{name}: {seen:?} after {sent} bytes").into());
            }
            figures.push(format!("{name} {seen} after {} KiB", sent / 1024));
        }
        Ok(figures.join(", "))
    });
    let more = peak.saturating_sub(before);
    let figures = format!("{}, peak {more} KiB more", met?);
    if more > growth { Err(figures.into()) } else { Ok(figures) }
}

/// Sends without end, and reads meanwhile; tells how many bytes went and what came back.
fn pour(bench: &Bench, start: &[u8], more: &str) -> io::Result<(usize, String)> {
    let mut client = bench.client()?;
    client.send(start)?;
    let part = more.repeat(64 * 1024 / more.len());
    let socket = client.socket();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut sent = 0;
            let mut out = socket;
            while sent < ENDLESS && out.write_all(part.as_bytes()).is_ok() {
                sent += part.len();
            }
            sent
        });
        let mut came = Vec::new();
        let mut bytes = [0; 4096];
        let mut source = socket;
        let met = loop {
            match source.read(&mut bytes) {
                Ok(0) => break Ok(()),
                Ok(count) => came.extend_from_slice(&bytes[..count]),
                Err(error) if is_late(&error) => break Err(error),
                Err(_) => break Ok(()),
            }
        };
        // A peer that shut its sending side down may still take bytes, for a second.
        if met.is_err() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let sent = writer.join().expect("a writer");
        met.map(|()| (sent, String::from_utf8_lossy(&came).into_owned()))
    })
}

fn growth(bench: &Bench, before: u64) -> u64 {
    bench.proxy.facts().rss.saturating_sub(before)
}

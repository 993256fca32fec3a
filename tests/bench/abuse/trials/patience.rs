//! The times of SPEC 7.2, waited for: a head that drips, a body that stops, a reader that stops, a
//! connection that is idle. All at once, since that takes a minute.

use std::thread;
use std::time::{Duration, Instant};

use super::manners::is_healthy;
use super::{Bench, Outcome};
use crate::client::{Client, post, streamed};
use crate::upstream::Seen;

/// More than the longest of them.
const LONG: Duration = Duration::from_secs(70);
const DRIP: Duration = Duration::from_secs(1);

/// How long it took, and what was said.
type Met = std::io::Result<(Duration, String)>;

pub(super) fn patience(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let mut reader = bench.client()?;
    reader.send(&streamed("up/big.patience"))?;
    let since = Instant::now();
    let (head, body, idle) = thread::scope(|scope| {
        let (head, body, idle) = (bench.client(), bench.client(), bench.client());
        let head = scope.spawn(|| dripping(head?));
        let body = scope.spawn(|| stopped(body?));
        let idle = scope.spawn(|| silent(idle?));
        (head.join().expect("a client"), body.join().expect("a client"), idle.join().expect("a client"))
    });
    let closed = loop {
        match bench.upstream.seen.try_recv().map_err(|_| "the reader that stopped kept its provider")? {
            Seen::Closed(name, at) if name == "big.patience" => break at.saturating_duration_since(since),
            Seen::Closed(..) | Seen::Request(_) => {}
        }
    };
    drop(reader);
    bench.proxy.files_fall_to(before.files, Duration::from_secs(3))?;
    let mut figures = Vec::new();
    let mut good = (30..36).contains(&closed.as_secs());
    for (name, met, seconds, says) in
        [("head", head, 30, "HTTP/1.1 408 "), ("body", body, 30, "HTTP/1.1 408 "), ("idle", idle, 60, "")]
    {
        let (took, text) = met?;
        good &= text.starts_with(says) && (text.is_empty() == says.is_empty());
        good &= (seconds - 1..seconds + 4).contains(&took.as_secs());
        figures.push(format!(
            "{name} {:?} after {:.1} s",
            text.get(..12).unwrap_or_default(),
            took.as_secs_f32()
        ));
    }
    let figures = format!("{}, reader gone after {:.1} s", figures.join(", "), closed.as_secs_f32());
    if good { Ok(figures) } else { Err(figures.into()) }
}

fn dripping(mut client: Client) -> Met {
    let since = Instant::now();
    client.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nx: ")?;
    while since.elapsed() < LONG && client.send(b"y").is_ok() && since.elapsed() < Duration::from_secs(29) {
        thread::sleep(DRIP);
    }
    let (text, _) = client.rest(LONG);
    Ok((since.elapsed(), text))
}

fn stopped(mut client: Client) -> Met {
    let since = Instant::now();
    client.send(&post("Content-Length: 900\r\n", "{\"model\""))?;
    let (text, _) = client.rest(LONG);
    Ok((since.elapsed(), text))
}

fn silent(mut client: Client) -> Met {
    if !is_healthy(&mut client) {
        return Err(std::io::Error::other("no answer before the silence"));
    }
    let since = Instant::now();
    let (text, _) = client.rest(LONG);
    Ok((since.elapsed(), text))
}

//! What HTTP allows and few clients do: it is answered as RFC 9110 and 9112 say, and never leaves a
//! connection in doubt.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Bench, Outcome, median, ms};
use crate::client::{Client, answers, post};

const ENDS: Duration = Duration::from_secs(3);
/// An answer that waits for nothing is there so soon.
const AT_ONCE: Duration = Duration::from_secs(1);
const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BODY: &str = "{\"model\":\"up/quick\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
/// What a body may expand to (`limits.request_body`), in a buffer that doubles, the old one beside the
/// new, and a little; KiB.
const GROWTH: u64 = 3 * 32 * 1024 + 20 * 1024;

/// `Expect: 100-continue` (T9): the word comes only when the body is wanted; after a refusal nothing
/// behind it is answered; an answer that needs no body does not wait for one.
pub(super) fn expect(bench: &mut Bench) -> Outcome {
    let mut client = bench.client()?;
    client.send(&post(&format!("Expect: 100-continue\r\nContent-Length: {}\r\n", BODY.len()), ""))?;
    let word = client.text(CONTINUE.len())?;
    client.send(format!("{BODY}{HEALTH}").as_bytes())?;
    let statuses = (client.answer()?.status, client.answer()?.status);
    if word != CONTINUE || statuses != (200, 200) {
        return Err(format!("{word:?}, then {statuses:?}").into());
    }
    let large = post("Expect: 100-continue\r\nContent-Length: 60000000000\r\n", HEALTH);
    let both = post("Expect: 100-continue\r\nContent-Length: 9\r\nContent-Length: 8\r\n", HEALTH);
    let lost = String::from_utf8(post("Expect: 100-continue\r\nContent-Length: 900\r\n", ""))?;
    let lost = lost.replace("/v1/chat/completions", "/v1/nowhere").into_bytes();
    let mute = String::from_utf8(post("Content-Length: 900\r\n", "{"))?;
    let mute = mute.replace("/v1/chat/completions", "/v1/nowhere").into_bytes();
    let mut told = Vec::new();
    for (name, request, status) in
        [("large", large, "413"), ("doubtful", both, "400"), ("lost", lost, "404"), ("mute", mute, "404")]
    {
        let since = Instant::now();
        let mut client = bench.client()?;
        client.send(&request)?;
        let first = client.text(12)?;
        let took = since.elapsed();
        let (text, ended) = client.rest(ENDS);
        if first != format!("HTTP/1.1 {status}") || answers(&text) != 0 || !ended || took > AT_ONCE {
            return Err(format!("{name}: {first:?} after {}, ended: {ended}, then {text:?}", ms(took)).into());
        }
        told.push(format!("{name} {status}"));
    }
    Ok(format!("100 then 200 and 200; without it {}", told.join(", ")))
}

/// Bytes that are not ASCII, and trailers (T12): an answer, and the next request is found.
pub(super) fn odd_bytes(bench: &mut Bench) -> Outcome {
    let refused: [&[u8]; 4] = [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\r\n\r\n",
        b"GET /health\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\xc3\xa4: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ];
    for request in refused {
        let mut client = bench.client()?;
        client.send(request)?;
        let (text, ended) = client.rest(ENDS);
        if !text.starts_with("HTTP/1.1 400 ") || !ended {
            let request = String::from_utf8_lossy(request);
            return Err(format!("{request:?} got {text:?}, ended: {ended}").into());
        }
    }
    let mut client = bench.client()?;
    let header = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: \u{e4}\u{202e}\r\n\r\n";
    let chunks = format!("{:x};a=b\r\n{BODY}\r\n0\r\nx: y\r\nz: w\r\n\r\n{HEALTH}", BODY.len());
    client.send(header.as_bytes())?;
    client.send(&post("Transfer-Encoding: chunked\r\n", &chunks))?;
    let statuses = (client.answer()?.status, client.answer()?.status, client.answer()?.status);
    if statuses != (200, 200, 200) {
        return Err(format!("UTF-8, trailers, and a request behind them got {statuses:?}").into());
    }
    Ok("4 refused with 400; UTF-8 in a header, trailers and what follows them are read".to_owned())
}

/// HTTP/1.0, HEAD, absolute targets, `Connection: close`, empty lines.
pub(super) fn old_and_head(bench: &mut Bench) -> Outcome {
    let stream = BODY.replace("\"messages\"", "\"stream\":true,\"messages\"");
    let length = stream.len();
    let old = format!("POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{stream}");
    let mut client = bench.client()?;
    client.send(old.as_bytes())?;
    let (text, ended) = client.rest(ENDS);
    let lower = text.to_lowercase();
    if !ended || !text.contains("[DONE]") || lower.contains("transfer-encoding") || answers(&text) != 1 {
        return Err(format!("a stream on 1.0 got {text:?}, ended: {ended}").into());
    }
    for (request, kept) in [
        ("GET /health HTTP/1.0\r\n\r\n", false),
        ("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", false),
        ("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", true),
        ("GET http://localhost/health HTTP/1.1\r\nHost: other\r\n\r\n", true),
        ("\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", true),
    ] {
        let mut client = bench.client()?;
        client.send(format!("{request}{HEALTH}").as_bytes())?;
        let last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        // It may have closed already.
        let _ = client.send(last.as_bytes());
        let (text, ended) = client.rest(ENDS);
        let expected = if kept { 3 } else { 1 };
        if answers(&text) != expected || text.matches("HTTP/1.1 200 ").count() != expected || !ended {
            return Err(format!("{request:?}: ended: {ended}, {text:?}").into());
        }
    }
    Ok("a stream on 1.0 ends with its connection; 6 forms of a request answered, and kept as they ask"
        .to_owned())
}

/// A WebSocket is refused at once.
pub(super) fn websocket(bench: &mut Bench) -> Outcome {
    let since = Instant::now();
    let mut client = bench.client()?;
    client.send(
        b"GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let first = client.text(12)?;
    let took = since.elapsed();
    let (text, ended) = client.rest(ENDS);
    let figures = format!("{first} after {}, ended: {ended}", ms(took));
    let good = first == "HTTP/1.1 426" && ended && took < AT_ONCE && answers(&text) == 0;
    if good { Ok(figures) } else { Err(figures.into()) }
}

/// Small answers on a kept connection do not wait for acknowledgements (44 ms each without
/// TCP_NODELAY).
pub(super) fn no_delay(bench: &mut Bench) -> Outcome {
    let mut client = bench.client()?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let since = Instant::now();
        let answer = client.ask(&post(&format!("Content-Length: {}\r\n", BODY.len()), BODY))?;
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.body).into());
        }
        times.push(since.elapsed());
    }
    let middle = median(&mut times);
    let figures = format!("100 answers on one connection, median {}", ms(middle));
    if middle > Duration::from_millis(20) { Err(figures.into()) } else { Ok(figures) }
}

/// Bodies that expand without end, and ones that are nested without end: refused, memory bounded.
pub(super) fn bombs(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let gzip = gzip_bomb()?;
    let zstd = zstd_bomb();
    let sizes = (gzip.len() / 1024, zstd.len() / 1024);
    let nested = format!("{{\"model\":\"up/quick\",\"messages\":{}", "[".repeat(4 << 20));
    let cases = [("gzip", gzip, 413), ("zstd", zstd, 413), ("identity", nested.into_bytes(), 400)];
    let (met, peak) = bench.proxy.peak_while(|| -> Outcome {
        for (coding, body, status) in cases {
            let head = format!("Content-Encoding: {coding}\r\nContent-Length: {}\r\n", body.len());
            let mut client = bench.client()?;
            client.send(&post(&head, ""))?;
            // It may be refused before all of it was sent.
            let _ = client.send(&body);
            let answer = client.answer()?;
            if answer.status != status {
                return Err(format!("{coding} got {}: {}", answer.status, answer.body).into());
            }
        }
        Ok(format!("gzip of {} KiB and zstd of {} KiB: 413; 4 Mi brackets: 400", sizes.0, sizes.1))
    });
    let more = peak.saturating_sub(before.rss);
    let figures = format!("{}; peak {more} KiB more", met?);
    bench.ordinary()?;
    if more > GROWTH { Err(figures.into()) } else { Ok(figures) }
}

/// 128 MiB of one byte.
fn gzip_bomb() -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let part = vec![b'0'; 1 << 20];
    for _ in 0..128 {
        encoder.write_all(&part)?;
    }
    encoder.finish()
}

/// 12 GiB in blocks that say "128 KiB of this byte" (RFC 8878, 3.1.1.2).
fn zstd_bomb() -> Vec<u8> {
    // A window of 2 MiB, nothing else said.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    let size: u32 = 128 * 1024;
    let block = (size << 3 | 1 << 1).to_le_bytes();
    for _ in 0..100_000 {
        frame.extend_from_slice(&block[..3]);
        frame.push(b'0');
    }
    frame
}

/// Is there an answer to a plain question?
pub(super) fn is_healthy(client: &mut Client) -> bool {
    client.ask(HEALTH.as_bytes()).is_ok_and(|answer| answer.status == 200)
}

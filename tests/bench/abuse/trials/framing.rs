//! Bodies that are too short, and requests that two servers could read in two ways: nothing of them
//! reaches the provider, and the bytes behind are never answered as a request.

use std::time::Duration;

use super::{Bench, Outcome};
use crate::client::{Leave, answers, buffered, post};

/// What would be answered if the bytes behind were taken for a request.
const BEHIND: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const ENDS: Duration = Duration::from_secs(3);
const BODY: &str = "{\"model\":\"up/quick\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/// Short bodies (T8), then the shapes of request smuggling.
pub(super) fn doubtful_frames(bench: &mut Bench) -> Outcome {
    let before = bench.proxy.facts();
    let arrived = bench.upstream.arrived();
    let short = short_bodies(bench)?;
    let mut refused = 0;
    for (name, request) in shapes() {
        let mut client = bench.client()?;
        client.send(&request)?;
        let (text, ended) = client.rest(ENDS);
        let answers = answers(&text);
        if !ended || answers != 1 || !text.starts_with("HTTP/1.1 400 ") {
            return Err(format!("{name}: {answers} answers, ended: {ended}: {text:?}").into());
        }
        refused += 1;
    }
    bench.proxy.files_fall_to(before.files, ENDS)?;
    if bench.upstream.arrived() != arrived {
        return Err("the provider heard of one of them".into());
    }
    // The same requests in their proper form: both are answered.
    let mut client = bench.client()?;
    client.send(&[buffered("up/quick"), BEHIND.into()].concat())?;
    let statuses = (client.answer()?.status, client.answer()?.status);
    if statuses != (200, 200) {
        return Err(format!("a proper pipeline got {statuses:?}").into());
    }
    Ok(format!("{short} short bodies and {refused} doubtful requests refused, nothing behind them answered"))
}

/// A whole JSON text in a frame that is not whole.
fn short_bodies(bench: &Bench) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let length = BODY.len();
    let frames = [
        post(&format!("Content-Length: {}\r\n", length + 1), BODY),
        post("Content-Length: 30000\r\n", BODY),
        post("Transfer-Encoding: chunked\r\n", &format!("{length:x}\r\n{BODY}")),
        post("Transfer-Encoding: chunked\r\n", &format!("{length:x}\r\n{BODY}\r\n")),
        post("Transfer-Encoding: chunked\r\n", &format!("{length:x}\r\n{BODY}\r\n0\r\n")),
        post("Transfer-Encoding: chunked\r\n", &format!("{:x}\r\n{BODY}", length + 9)),
    ];
    let mut count = 0;
    for frame in &frames {
        for how in [Leave::Close, Leave::Reset, Leave::Half] {
            let mut client = bench.client()?;
            client.send(frame)?;
            count += 1;
            let Some(client) = client.leave(how)? else { continue };
            let (text, ended) = client.rest(ENDS);
            if !ended || !text.starts_with("HTTP/1.1 400 ") {
                return Err(format!("a short body got {text:?}, ended: {ended}").into());
            }
        }
    }
    Ok(count)
}

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let length = BODY.len();
    let good = format!("Content-Length: {length}\r\n");
    let chunks = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let with = |headers: &str, body: &str| post(headers, &format!("{body}{BEHIND}"));
    let raw = |text: &str| format!("{text}{BEHIND}").into_bytes();
    vec![
        ("length and chunked", with(&format!("{good}Transfer-Encoding: chunked\r\n"), &chunks)),
        ("chunked and length", with(&format!("Transfer-Encoding: chunked\r\n{good}"), &chunks)),
        ("two lengths", with(&format!("{good}Content-Length: 3\r\n"), BODY)),
        ("length list", with(&format!("Content-Length: {length}, 3\r\n"), BODY)),
        ("length with plus", with(&format!("Content-Length: +{length}\r\n"), BODY)),
        ("length with minus", with("Content-Length: -1\r\n", BODY)),
        ("length in letters", with("Content-Length: abc\r\n", BODY)),
        ("length in hex", with(&format!("Content-Length: 0x{length:x}\r\n"), BODY)),
        ("length empty", with("Content-Length: \r\n", BODY)),
        ("length over 64 bits", with("Content-Length: 18446744073709551617\r\n", BODY)),
        ("coding unknown", with("Transfer-Encoding: identity\r\n", BODY)),
        ("coding before chunked", with("Transfer-Encoding: gzip, chunked\r\n", &chunks)),
        ("chunked twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &chunks)),
        ("chunked disguised", with("Transfer-Encoding: \u{b}chunked\r\n", &chunks)),
        ("folded line", with(&format!("{good}x: a\r\n b\r\n"), BODY)),
        ("folded coding", with("Transfer-Encoding:\r\n chunked\r\n", &chunks)),
        ("bare LF", with(&format!("x: a\n{good}"), BODY)),
        (
            "bare LF at the end",
            raw(&format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{good}\n{BODY}")),
        ),
        ("bare CR", with(&format!("x: a\rb: c\r\n{good}"), BODY)),
        ("NUL", with(&format!("x: a\0b\r\n{good}"), BODY)),
        ("space before colon", with(&format!("Content-Length : {length}\r\n"), BODY)),
        ("coding with space", with(&format!("{good}Transfer-Encoding : chunked\r\n"), &chunks)),
        ("no host", raw("GET /v1/models HTTP/1.1\r\n\r\n")),
        ("two hosts", raw("GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")),
        ("no version", raw("GET /v1/models\r\nHost: a\r\n\r\n")),
        (
            "chunked on 1.0",
            raw(&format!("POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")),
        ),
        ("chunk size with plus", with("Transfer-Encoding: chunked\r\n", &format!("+{chunks}"))),
        ("chunk size in 0x", with("Transfer-Encoding: chunked\r\n", &format!("0x{chunks}"))),
        ("chunk size negative", with("Transfer-Encoding: chunked\r\n", "-1\r\n")),
        (
            "chunk size too large",
            with("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n{}\r\n0\r\n\r\n"),
        ),
        ("chunk longer than said", with("Transfer-Encoding: chunked\r\n", "2\r\n{}x\r\n0\r\n\r\n")),
        ("chunk with bare LF", with("Transfer-Encoding: chunked\r\n", &chunks.replace("\r\n", "\n"))),
    ]
}

//! The bytes of an answer: lines that cannot become two, and the one place that writes them.

use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::base::clock;

/// A reader that takes less than this in all the time of a write takes nothing.
const HARDLY_ANYTHING: usize = 64 * 1024;

/// Writes both in one system call, if the system takes them at once.
pub(super) fn write_both(mut socket: &TcpStream, first: &[u8], second: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < first.len() + second.len() {
        let since = clock::now();
        let head = first.get(sent..).unwrap_or_default();
        let body = second.get(sent.saturating_sub(first.len())..).unwrap_or_default();
        let wrote = match head.is_empty() {
            true => socket.write(body),
            false => socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]),
        };
        match wrote {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                sent += count;
                // The system tells of a part when the time is over; another wait would double it.
                let all = sent == first.len() + second.len();
                if !all && count < HARDLY_ANYTHING && is_over(socket, since.elapsed()) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Unix says so when a write timeout is over.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_over(socket: &TcpStream, waited: Duration) -> bool {
    socket.write_timeout().ok().flatten().is_some_and(|limit| waited >= limit)
}

/// Writes the first line of an answer, whatever version the client speaks (RFC 9110, 6.2).
pub(super) fn status_line(head: &mut Vec<u8>, status: u16) {
    // Writing into memory cannot fail.
    let _ = write!(head, "HTTP/1.1 {status} {}\r\n", reason(status));
}

/// Writes a header line that cannot become two: a control character in a value turns into `?`, a
/// name that is no token is left out with its value.
pub(super) fn line(head: &mut Vec<u8>, name: &str, value: &str) {
    if name.is_empty() || !name.bytes().all(is_token) {
        return;
    }
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    let start = head.len();
    head.extend_from_slice(value.as_bytes());
    for byte in head.iter_mut().skip(start).filter(|byte| byte.is_ascii_control() && **byte != b'\t') {
        *byte = b'?';
    }
    head.extend_from_slice(b"\r\n");
}

/// May it stand in a header's name (RFC 9110, 5.6.2)?
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Is it a header that the frame of the answer decides?
pub(super) fn is_ours(name: &str) -> bool {
    let ours = ["connection", "content-length", "keep-alive", "transfer-encoding"];
    ours.iter().any(|our| name.eq_ignore_ascii_case(our))
}

/// RFC 9110, 15; the text is for people only, and may be empty.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        529 => "Overloaded",
        _ => "",
    }
}

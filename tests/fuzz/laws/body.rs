//! The body decoder: never more than the limit, the same for any split, and no byte of the next
//! request taken.

use llmgate::server::body::{self, BodyError};
use llmgate::server::head::{self, Head};

use super::parts::InParts;

/// More than this is too large.
const LIMIT: usize = 64 * 1024;

/// The first byte says how it is framed and compressed, the second how it comes.
pub fn check(bytes: &[u8]) {
    let [kind, seed, bytes @ ..] = bytes else { return };
    let coding = ["identity", "gzip", "zstd"][usize::from(kind % 3)];
    if kind & 0x80 == 0 {
        let head = head("Transfer-Encoding: chunked", coding);
        let met = same(&head, bytes, *seed);
        if coding == "identity" {
            chunked(bytes, met);
        }
    } else {
        // What is longer than declared is the next request; what is shorter is no body.
        let length = (bytes.len() + 8).saturating_sub(usize::from(kind >> 3 & 15));
        let met = same(&head(&format!("Content-Length: {length}"), coding), bytes, *seed);
        match (coding, bytes.split_at_checked(length)) {
            ("identity", Some((own, _))) if length > LIMIT => {
                assert_eq!(met, Err(BodyError::TooLarge), "{own:?}")
            }
            ("identity", Some((own, rest))) => assert_eq!(met, Ok((own.to_vec(), rest.to_vec()))),
            (_, None) => assert!(met.is_err(), "a short body is none"),
            (_, Some((_, rest))) => assert!(met.is_err() || met.is_ok_and(|(_, left)| left == rest)),
        }
    }
    framed(bytes, *seed);
}

type Met = Result<(Vec<u8>, Vec<u8>), BodyError>;

/// The body and what is left of the input, in one piece and in parts.
fn same(head: &Head, bytes: &[u8], seed: u8) -> Met {
    let whole = read(head, InParts::of(bytes, 11));
    let parted = read(head, InParts::of(bytes, seed));
    // Which of several faults is met first may depend on the pieces.
    assert_eq!(whole.as_ref().ok(), parted.as_ref().ok(), "however it comes");
    if let Ok((body, _)) = &whole {
        assert!(body.len() <= LIMIT, "{} bytes", body.len());
    }
    whole
}

fn read(head: &Head, mut source: InParts<'_>) -> Met {
    let (body, mut left) = body::decode(head, &mut source, LIMIT)?;
    left.extend(source.left());
    Ok((body, left))
}

/// Bytes in chunks are those bytes again, and the next request is untouched.
fn framed(bytes: &[u8], seed: u8) {
    let bytes = &bytes[..bytes.len().min(LIMIT)];
    let mut text = Vec::new();
    for part in super::parts::parts(bytes, seed) {
        text.extend_from_slice(format!("{:x};x=y\r\n", part.len()).as_bytes());
        text.extend_from_slice(part);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n");
    let met = read(&head("Transfer-Encoding: chunked", "identity"), InParts::of(&text, seed / 2));
    assert_eq!(met, Ok((bytes.to_vec(), b"GET / HTTP/1.1\r\n".to_vec())));
}

/// Whatever is taken for chunks, a plain reader of RFC 9112, 7.1 takes for the same ones.
fn chunked(bytes: &[u8], met: Met) {
    let Ok((body, left)) = met else { return };
    let (mut rest, mut plain) = (bytes, Vec::new());
    loop {
        let line = line(&mut rest);
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size =
            usize::from_str_radix(std::str::from_utf8(&line[..digits]).expect("hex"), 16).expect("a size");
        let tail = line[digits..].trim_ascii_start();
        assert!(tail.is_empty() || tail[0] == b';', "{line:?}");
        if size == 0 {
            break;
        }
        plain.extend_from_slice(&rest[..size]);
        assert_eq!(&rest[size..size + 2], b"\r\n");
        rest = &rest[size + 2..];
    }
    while !line(&mut rest).is_empty() {}
    assert_eq!((body, left), (plain, rest.to_vec()));
}

fn line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.windows(2).position(|two| two == b"\r\n").expect("a line has an end");
    let line = &rest[..end];
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{line:?}");
    *rest = &rest[end + 2..];
    line
}

fn head(framing: &str, coding: &str) -> Head {
    let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\nContent-Encoding: {coding}\r\n\r\n");
    head::parse(text.as_bytes()).expect("it is well formed").expect("it is whole").0
}

use super::*;

fn head(text: &str) -> Head {
    match parse(text.as_bytes()) {
        Ok(Some((head, taken))) => {
            assert_eq!(taken, text.len(), "{text:?}");
            head
        }
        other => panic!("{text:?}: {other:?}"),
    }
}

fn status(bytes: &[u8]) -> u16 {
    match parse(bytes) {
        Err(refusal) => {
            assert!(!refusal.message().is_empty());
            refusal.status()
        }
        Ok(_) => 0,
    }
}

#[test]
fn a_head_is_taken_apart() {
    let text = "POST /v1/messages/?beta=true&x=%20 HTTP/1.1\r\nHost: a:1\r\nX-A:  one \r\n\
                x-b:\r\nX-A: zwei \u{fc}\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n";
    let head = head(text);
    assert_eq!(head.method, Method::Post);
    assert_eq!(head.path, "/v1/messages/");
    assert_eq!(head.query.as_deref(), Some("beta=true&x=%20"));
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.framing, Framing::Length(12));
    assert!(head.keep_alive && head.expects_continue);
    let all: Vec<_> = head.headers.all("x-a").collect();
    assert_eq!(all, ["one", "zwei \u{fc}"]);
    assert_eq!(head.headers.first("x-b"), Some(""));
    assert_eq!(head.headers.first("x-c"), None);
    let names: Vec<_> = head.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["host", "x-a", "x-b", "x-a", "content-length", "expect"]
    );
}

#[test]
fn every_form_of_target_is_read() {
    for (target, path, query, host) in [
        ("GET /", "/", None, "a"),
        ("GET /a%2Fb?", "/a%2Fb", Some(""), "a"),
        ("GET /a?b=http://c/", "/a", Some("b=http://c/"), "a"),
        ("GET http://b:2/v1?x", "/v1", Some("x"), "b:2"),
        ("GET HTTPS://b", "/", None, "b"),
        ("GET http://b?x", "/", Some("x"), "b"),
        ("OPTIONS *", "*", None, "a"),
        ("CONNECT b:443", "b:443", None, "a"),
        ("GET /\u{fc}", "/\u{fc}", None, "a"),
    ] {
        let head = head(&format!("{target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.path, path, "{target}");
        assert_eq!(head.query.as_deref(), query, "{target}");
        assert_eq!(head.headers.first("host"), Some(host), "{target}");
    }
    let old = head("GET http://b/ HTTP/1.0\r\n\r\n");
    assert_eq!(old.headers.first("host"), Some("b"));
}

#[test]
fn connections_are_kept_as_the_version_says() {
    for (line, more, kept) in [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: te, Close\r\n", false),
        ("HTTP/1.1", "Connection: te\r\nConnection: close\r\n", false),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = head(&format!("GET / {line}\r\nHost: a\r\n{more}\r\n"));
        assert_eq!(head.keep_alive, kept, "{line} {more:?}");
    }
}

#[test]
fn the_frame_of_a_body_is_read() {
    for (headers, framing, expects) in [
        ("", Framing::None, false),
        ("Expect: 100-continue\r\n", Framing::None, false),
        (
            "Content-Length: 0\r\nExpect: 100-continue\r\n",
            Framing::Length(0),
            false,
        ),
        ("Content-Length: 007\r\n", Framing::Length(7), false),
        (
            "Content-Length: 7\r\ncontent-length: 7\r\n",
            Framing::Length(7),
            false,
        ),
        (
            "Content-Length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
            false,
        ),
        (
            "Transfer-Encoding: Chunked\r\nExpect: 100-continue\r\n",
            Framing::Chunked,
            true,
        ),
    ] {
        let head = head(&format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        assert_eq!(
            (head.framing, head.expects_continue),
            (framing, expects),
            "{headers:?}"
        );
    }
    let old = "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    assert!(!head(old).expects_continue);
}

/// Lines and versions, with the status of the refusal.
const BAD_LINES: &[(u16, &[u8])] = &[
    // Lines.
    (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    (400, b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\x00"),
    // Request lines.
    (400, b"garbage\r\n\r\n"),
    (400, b"GET /\r\n\r\n"),
    (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/x.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / ICY/1.1\r\nHost: a\r\n\r\n"),
    (400, b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET ?x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Versions.
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/2\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
];

/// Headers, with the status of the refusal.
const BAD_HEADERS: &[(u16, &[u8])] = &[
        // Headers.
        (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xbc: b\r\n\r\n"),
        // Host.
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, b"GET http://a/ HTTP/1.1\r\nX: a\r\nHost: a\r\nHost: a\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        // Frames.
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        (400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
];

#[test]
fn what_is_in_doubt_is_refused() {
    for (wanted, bytes) in BAD_LINES.iter().chain(BAD_HEADERS) {
        assert_eq!(
            status(bytes),
            *wanted,
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn a_large_head_is_refused_at_the_limit() {
    let of = |headers: usize| {
        let more = "X: y\r\n".repeat(headers - 1);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n")
    };
    assert_eq!(status(of(MAX_HEADERS).as_bytes()), 0);
    assert_eq!(status(of(MAX_HEADERS + 1).as_bytes()), 431);
    let of = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        let fill = "y".repeat(bytes - frame);
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {fill}\r\n\r\n")
    };
    assert_eq!(status(of(MAX_HEAD).as_bytes()), 0);
    assert_eq!(status(of(MAX_HEAD + 1).as_bytes()), 431);
    // Without an end, too, and for empty lines before it.
    assert_eq!(status(&vec![b'x'; MAX_HEAD + 1]), 431);
    assert_eq!(status("\r\n".repeat(MAX_HEAD).as_bytes()), 431);
}

#[test]
fn a_head_may_come_in_any_pieces() {
    let text = b"\r\n\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET";
    let mut scan = Scan::default();
    for end in 0..text.len() {
        let found = scan.find(&text[..end]).unwrap();
        let Some(span) = found else {
            assert_eq!(parse(&text[..end]), Ok(None));
            continue;
        };
        assert_eq!(span, 4..text.len() - 6);
        assert_eq!(read(&text[span]).unwrap().framing, Framing::Length(3));
        return;
    }
    panic!("no head found");
}

#[test]
fn any_cut_and_any_changed_byte_is_an_answer_and_no_panic() {
    let text = b"POST http://h/a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for at in 0..text.len() {
        let _ = parse(&text[..at]);
        for byte in 0..=255 {
            let mut bytes = text.to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes);
            let _ = path_of(&bytes);
        }
    }
}

#[test]
fn a_refused_request_still_shows_its_path() {
    assert_eq!(
        path_of(b"POST /v1/messages?x HTTP/2.0\r\n\r\n"),
        Some("/v1/messages")
    );
    assert_eq!(path_of(b"\r\nGET /a"), Some("/a"));
    assert_eq!(path_of(b"PRI * HTTP/2.0\r\n"), None);
    assert_eq!(path_of(b"\x16\x03\x01"), None);
    assert_eq!(path_of(b""), None);
}

//! Requests and answers: keep-alive, pipelining, versions, heads.

use super::*;

#[test]
fn requests_come_in_turn_on_one_connection() {
    let server = server();
    let mut client = server.connect();
    for path in ["/a", "/b", "/c"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.body), (200, format!("GET {path}")));
        assert!(!answer.head.contains("connection:"));
    }
    client.send(&post("/echo", "", b"hello"));
    assert_eq!(client.answer().body, "hello");
    client.send(b"GET /d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let last = client.rest();
    assert!(last.contains("\r\nconnection: close\r\n") && last.ends_with("GET /d"));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = server();
    let mut client = server.connect();
    let mut all = Vec::new();
    for number in 0..50 {
        all.extend(post("/echo", "", format!("body {number}").as_bytes()));
        all.extend(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").bytes());
        all.extend(CHUNKED.bytes());
        all.extend(b"3\r\nchu\r\n2\r\nnk\r\n0\r\n\r\n");
        // Its body is not read, but lies in the buffer.
        all.extend(post(
            "/early",
            "",
            b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        ));
    }
    client.send(&all[..4000]);
    client.0.shutdown(Shutdown::Write).unwrap();
    let some = client.rest();
    assert!(some.contains("GET /3") && !some.contains("smuggled"));

    let mut client = server.connect();
    for piece in all.chunks(97) {
        // A request may be cut anywhere.
        client.send(piece);
    }
    for number in 0..50 {
        assert_eq!(client.answer().body, format!("body {number}"));
        assert_eq!(client.answer().body, format!("GET /{number}"));
        assert_eq!(client.answer().body, "chunk");
        let early = client.answer();
        assert_eq!(early.status, 401);
        if early.head.contains("connection: close") {
            // The body was not whole in the buffer: then nothing follows.
            assert_eq!(client.rest(), "");
            return;
        }
    }
}

#[test]
fn an_old_client_is_answered_in_its_way() {
    let server = server();
    let whole = server.say(b"GET /a HTTP/1.0\r\n\r\n");
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(whole.contains("\r\nconnection: close\r\n") && whole.ends_with("GET /a"));
    // A stream is as long as the connection.
    let stream = server.say(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(stream.ends_with("\r\n\r\na!b!c!end"), "{stream}");
    assert!(stream.contains("\r\nconnection: close\r\n"));
    assert!(!stream.contains("transfer-encoding"));

    let mut client = server.connect();
    for _ in 0..2 {
        client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        assert!(answer.head.contains("\r\nconnection: keep-alive\r\n"));
        assert_eq!(answer.body, "GET /a");
    }
}

#[test]
fn a_stream_is_one_chunk_for_each_flush() {
    let server = server();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.until("\r\n\r\n");
        assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"));
        assert!(!head.contains("content-length"));
        let chunks = client.until("0\r\n\r\n");
        assert_eq!(
            chunks,
            "2\r\na!\r\n2\r\nb!\r\n2\r\nc!\r\n3\r\nend\r\n0\r\n\r\n"
        );
    }
}

#[test]
fn head_is_answered_without_a_body() {
    let server = server();
    let mut client = server.connect();
    client.send(b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        client
            .until("\r\n\r\n")
            .contains("\r\ncontent-length: 7\r\n")
    );
    client.send(b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    client.until("\r\n\r\n");
    assert_eq!(client.get("/b").body, "GET /b");
    let none = client.get("/no-content");
    assert_eq!(none.status, 204);
    assert!(!none.head.contains("content-length"));
    assert_eq!(client.get("/c").body, "GET /c");
}

#[test]
fn header_values_never_make_a_second_header() {
    let server = server();
    let answer = server.connect().get("/headers");
    assert_eq!(answer.body, "ok");
    let lines: Vec<_> = answer.head.lines().collect();
    assert!(lines.contains(&"x-a: a??x-b: c??\t\u{fc}") && lines.contains(&"x-d: "));
    assert_eq!(lines.len(), 5, "{lines:?}");
}

#[test]
fn an_absolute_target_is_reduced_to_its_path() {
    let server = server();
    let mut client = server.connect();
    assert_eq!(client.get("http://a:1/x/y/?z").body, "GET /x/y/");
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let server = server();
    let mut client = server.connect();
    client.send(b"\r\n\r\n");
    assert_eq!(client.get("/a").body, "GET /a");
    client.send(b"\r\n");
    assert_eq!(client.get("/b").body, "GET /b");
}

#[test]
fn a_refused_head_is_answered_and_ends_the_connection() {
    let server = server();
    let large = format!("GET /a HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(70_000));
    let many = format!(
        "GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(100)
    );
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for (status, path, head) in [
        (400, "/a", "GET /a HTTP/1.1\nHost: a\n\n"),
        (
            400,
            "/a",
            "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        ),
        (400, "/a", "GET /a HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        (400, "/a", "GET /a HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, "/a", "GET /a HTTP/1.1\r\n\r\n"),
        (400, "/a", "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (
            400,
            "/a",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            400,
            "/a",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        ),
        (
            400,
            "/a",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
        ),
        (
            400,
            "/a",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ),
        (400, "-", "garbage\r\n\r\n"),
        (431, "/a", &large),
        (431, "/a", &many),
        (505, "-", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (505, "/a", "GET /a HTTP/2.0\r\nHost: a\r\n\r\n"),
    ] {
        let text = server.say(format!("{head}{next}").as_bytes());
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head:?}: {text:?}"
        );
        assert!(text.contains("\r\nconnection: close\r\n"), "{head:?}");
        assert!(
            text.contains(&format!("\r\n\r\n{path}: ")),
            "{head:?}: {text:?}"
        );
        assert_eq!(
            text.matches("content-length: ").count(),
            1,
            "{head:?}: {text:?}"
        );
    }
}

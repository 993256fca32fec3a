//! The life of connections: limits, time, panics, clients that leave.

use super::*;

fn short(change: impl Fn(&mut Timings)) -> Timings {
    let mut timings = Timings::default();
    change(&mut timings);
    timings
}

const SOON: Duration = Duration::from_millis(30);

#[test]
fn a_burst_of_streams_is_served_at_once() {
    let server = server();
    let mut clients: Vec<_> = (0..60).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // All have begun before any may end.
    for client in &mut clients {
        client.until("5\r\nfirst\r\n");
    }
    assert_eq!(
        (server.running.connections(), server.running.requests()),
        (60, 60)
    );
    for _ in &clients {
        server.gate.send(()).unwrap();
    }
    for client in &mut clients {
        client.until("4\r\nlast\r\n0\r\n\r\n");
    }
    assert!(server.running.wait_quiet(Duration::from_secs(5)));
}

#[test]
fn kept_connections_starve_nobody() {
    let server = server();
    for _ in 0..10 {
        let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/a").status, 200);
        }
    }
}

#[test]
fn too_many_connections_are_turned_away() {
    let server = server_with(2, Timings::default());
    let mut first = server.connect();
    let mut second = server.connect();
    assert_eq!(first.get("/a").status, 200);
    assert_eq!(second.get("/a").status, 200);
    for _ in 0..3 {
        let mut third = server.connect();
        third.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = third.answer();
        assert_eq!(answer.status, 503);
        assert!(answer.head.contains("\r\nretry-after: 1\r\n"));
        assert!(answer.head.contains("\r\nconnection: close\r\n"));
        assert_eq!(third.rest(), "");
    }
    assert_eq!(first.get("/b").status, 200);
    drop(second);
    while server.running.connections() == 2 {
        thread::yield_now();
    }
    assert_eq!(server.connect().get("/a").status, 200);
    server.running.set_connections(1);
    while server.running.connections() > 1 {
        thread::yield_now();
    }
    assert!(
        server
            .say(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            .starts_with("HTTP/1.1 503 ")
    );
}

#[test]
fn a_panic_is_an_answer_and_ends_its_connection_only() {
    let server = server();
    let mut other = server.connect();
    assert_eq!(other.get("/a").status, 200);
    for path in ["/panic", "/panic-held"] {
        let text = server.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
        assert!(text.contains("\r\nconnection: close\r\n") && !text.contains("never seen"));
    }
    // A stream that had begun is seen to be cut.
    for path in ["/panic-stream", "/cut"] {
        let text = server.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(text.ends_with("\r\n\r\n4\r\npart\r\n"), "{text}");
    }
    assert_eq!(other.get("/b").status, 200);
    assert!(server.running.wait_quiet(Duration::from_secs(5)));
}

#[test]
fn a_cut_answer_to_an_old_client_is_no_proper_end() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /cut HTTP/1.0\r\n\r\n");
    let mut text = Vec::new();
    assert!(client.0.read_to_end(&mut text).is_err(), "{text:?}");
}

#[test]
fn a_handler_that_says_nothing_is_spoken_for() {
    let server = server();
    let text = server.say(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("\r\n\r\n/silent: "));
}

#[test]
fn a_client_that_leaves_is_seen() {
    let server = server();
    let mut client = server.connect();
    client.send(&post("/gone", "", b"hello"));
    drop(client);
    assert_eq!(server.told.recv(), Ok(Told::ClientGone));
    let mut client = server.connect();
    client.send(&post("/gone", "", b"hello"));
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.told.recv(), Ok(Told::ClientGone));
    // One that has sent more is there.
    let mut client = server.connect();
    let one = "GET /here HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(one.repeat(3).as_bytes());
    for _ in 0..3 {
        assert_eq!(client.answer().body, "here");
    }
}

#[test]
fn a_client_that_does_not_read_ends_the_answer() {
    let server = server_with(10, short(|timings| timings.write = SOON));
    let mut client = server.connect();
    client.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    let wanted = Told::Wrote(Err(std::io::ErrorKind::TimedOut));
    assert_eq!(server.told.recv(), Ok(wanted));
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = server_with(10, short(|timings| timings.idle = SOON));
    assert_eq!(server.connect().rest(), "");
    let mut client = server.connect();
    assert_eq!(client.get("/a").status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_slow_head_is_cut_off_however_it_drips() {
    let server = server_with(10, short(|timings| timings.head = SOON));
    let text = server.say(b"GET /slow HTTP/1.1\r\nHo");
    assert!(
        text.starts_with("HTTP/1.1 408 ") && text.contains("\r\n\r\n/slow: "),
        "{text}"
    );

    let client = server.connect();
    let mut writer = client.0.try_clone().unwrap();
    let (ended, end) = mpsc::channel::<()>();
    // A byte each few milliseconds, until the answer is there.
    let drip = thread::spawn(move || {
        let head = b"GET /drip HTTP/1.1\r\nX: ".iter().chain([&b'x'; 10_000]);
        for byte in head {
            let _ = writer.write_all(&[*byte]);
            if end.recv_timeout(Duration::from_millis(2)) != Err(mpsc::RecvTimeoutError::Timeout) {
                break;
            }
        }
    });
    let mut client = client;
    assert_eq!(client.answer().status, 408);
    drop(ended);
    drip.join().unwrap();
}

#[test]
fn a_body_that_stalls_is_told_and_closed() {
    let server = server_with(10, short(|timings| timings.body = SOON));
    for sent in [
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel".to_owned(),
        format!("{CHUNKED}5\r\nhello\r\n"),
        CHUNKED.replace("Host", "Content-Encoding: gzip\r\nHost"),
        CHUNKED.replace("Host", "Content-Encoding: zstd\r\nHost"),
    ] {
        let text = server.say(sent.as_bytes());
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
        assert!(text.contains("\r\nconnection: close\r\n"));
    }
}

#[test]
fn clients_that_reset_early_hurt_nobody() {
    let server = server();
    for _ in 0..200 {
        let mut client = server.connect();
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /st");
        // Unread bytes make the close a reset.
    }
    assert_eq!(server.connect().get("/a").status, 200);
    while server.running.connections() > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_stopping_server_ends_its_connections_with_their_answers() {
    let server = server();
    let mut kept = server.connect();
    assert_eq!(kept.get("/a").status, 200);
    let mut busy = server.connect();
    busy.send(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    busy.until("first\r\n");
    server.running.stop();
    assert!(!server.running.wait_quiet(Duration::from_millis(1)));
    assert!(kept.get("/b").head.contains("\r\nconnection: close\r\n"));
    server.gate.send(()).unwrap();
    busy.until("0\r\n\r\n");
    assert!(server.running.wait_quiet(Duration::from_secs(5)));
}

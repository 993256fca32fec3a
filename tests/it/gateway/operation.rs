//! Health, probes, administration, and the end of the process.

use std::thread;

use llmgate::protocol::Protocol;
use serde_json::json;

use crate::support::client::Client;
use crate::support::lane::{ASKED, KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use crate::support::rogue::Rogue;

const ADMIN: (&str, &str) = ("x-llmgate-admin", "1");

#[test]
fn health_and_probes() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    for path in ["/health", "/healthz", "/health/", "/health?x=1"] {
        let body = proxy.get(path).json();
        assert_eq!(body["status"], "ok");
        assert_eq!(body["providers"]["up"]["circuit_state"], "closed");
        assert_eq!(body["providers"]["up"]["enabled"], true);
    }
    // From elsewhere, perhaps through a reverse proxy on this machine.
    for header in [("host", "proxy.example"), ("x-forwarded-for", "10.0.0.1")] {
        assert_eq!(proxy.ask("GET", "/health", &[header], "").json(), json!({"status": "ok"}));
    }
    for (mode, tells) in [("{mode: client_key}", false), ("{mode: proxy_key, keys: [any-credential]}", true)]
    {
        let top = format!("client_auth: {mode}");
        let keyed = Proxy::start(&LANES[0].config_with("http://127.0.0.1:9", "", &top));
        let headers = [("host", "proxy.example"), ("x-api-key", "any-credential")];
        let told = keyed.ask("GET", "/health", &headers, "").json();
        assert_eq!(told.get("providers").is_some(), tells, "{mode}");
    }
    for path in ["/ready", "/readyz"] {
        assert_eq!(proxy.get(path).status(), 200);
    }
    for path in ["/", "/anthropic", "/openai", "/api/hello", "/anthropic/api/hello"] {
        assert_eq!(proxy.get(path).json()["name"], "llmgate", "{path}");
        let mut client = proxy.connect();
        client.ask("HEAD", path, &[], b"");
        assert_eq!(client.head().status, 200, "{path}");
        // Nothing follows the head: the next answer is the next head.
        client.ask("GET", "/ready", &[], b"");
        assert_eq!(client.answer().status(), 200);
    }
    let disabled = LANES[0].config_with("http://127.0.0.1:9", "enabled: false", "");
    assert_eq!(Proxy::start(&disabled).get("/ready").status(), 503);
}

#[test]
fn another_method_is_told_which_it_takes() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    for lane in &LANES {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = proxy.ask(method, &lane.stream_path(ASKED), &[], "");
            assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")), "{}", lane.name);
            lane.error_message(&answer.json());
        }
    }
    for path in ["/v1/models", "/health", "/ready", "/admin/state"] {
        let answer = proxy.ask("POST", path, &[ADMIN], "");
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    let answer = proxy.ask("GET", "/admin/reload", &[ADMIN], "");
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
}

#[test]
fn an_unknown_path_is_told_in_the_protocol_of_its_prefix() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    for (path, protocol) in [
        ("/v1/files", Protocol::OpenaiChat),
        ("/nothing", Protocol::OpenaiChat),
        ("/openai/v1/files", Protocol::OpenaiChat),
        ("/anthropic/v1/files", Protocol::Anthropic),
        ("/v1beta/files", Protocol::Gemini),
        ("/gemini/v1beta/files", Protocol::Gemini),
    ] {
        for method in ["GET", "POST"] {
            let answer = proxy.ask(method, path, &[], "");
            assert_eq!(answer.status(), 404, "{path}");
            let message = lane(protocol).error_message(&answer.json());
            assert!(message.contains("/v1/chat/completions") && message.contains("/health"), "{message}");
        }
    }
}

#[test]
fn a_websocket_is_refused_at_once() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    for path in ["/v1/responses", "/responses", "/openai/v1/responses"] {
        let mut client = proxy.connect();
        let headers = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
        client.ask("GET", path, &headers, b"");
        let answer = client.answer();
        assert_eq!((answer.status(), answer.header("connection")), (426, Some("close")), "{path}");
        lane(Protocol::OpenaiResponses).error_message(&answer.json());
        assert!(client.is_closed());
    }
}

#[test]
fn the_state_shows_no_key() {
    let top = "client_auth: {mode: proxy_key, keys: [gw_client-key-0123456789abcdef]}";
    let proxy =
        Proxy::start(&LANES[0].config_with("http://127.0.0.1:9", "headers: {x-secret: hush-hush-hush}", top));
    let key = ("x-api-key", "gw_client-key-0123456789abcdef");
    let answer = proxy.ask("GET", "/admin/state", &[key], "");
    assert_eq!(answer.json()["revision"], 1);
    for secret in [KEY, "gw_client-key-0123456789abcdef", "hush-hush-hush"] {
        assert!(!answer.text().contains(secret), "{secret}");
    }
    assert!(answer.text().contains("sk-pr****ghij"), "{}", answer.text());
}

#[test]
fn a_reload_takes_a_good_file_and_no_bad_one() {
    let lane = &LANES[0];
    let provider = Provider::start();
    let folder = Folder::new("reload");
    let config = lane.config(&provider.url());
    let path = folder.write("config.yaml", &config);
    let proxy = Proxy::start_with_file(&path);
    let reload = || proxy.ask("POST", "/admin/reload", &[ADMIN], "");
    let model = || {
        provider.will(Reply::json(200, &lane.pong("x")));
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
        provider.received().json()["model"].as_str().unwrap().to_owned()
    };
    assert_eq!(model(), UPSTREAM);

    folder.write("config.yaml", &config.replace(UPSTREAM, "newer"));
    let answer = reload();
    assert_eq!((answer.status(), answer.json()), (200, json!({"revision": 2})));
    assert_eq!(model(), "newer");

    folder.write("config.yaml", &config.replace("listen:", "lisen:").replace("openai-chat", "openai-chad"));
    let answer = reload();
    assert_eq!(answer.status(), 400);
    let errors = answer.json()["errors"].to_string();
    assert!(errors.contains("lisen") && errors.contains("openai-chad"), "{errors}");
    assert_eq!(proxy.get("/admin/state").json()["revision"], 2);
    assert_eq!(model(), "newer");

    folder.write("config.yaml", &config);
    assert_eq!(reload().json(), json!({"revision": 3}));
    assert_eq!(model(), UPSTREAM);
}

#[test]
fn a_running_request_keeps_what_it_began_with() {
    let lane = lane(Protocol::Anthropic);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&lane.content(UPSTREAM));
        visit.wait();
        visit.chunk(&lane.ending(UPSTREAM));
        visit.end();
    });
    let folder = Folder::new("reload-running");
    let path = folder.write("config.yaml", &lane.config(&rogue.url()));
    let proxy = Proxy::start_with_file(&path);
    let mut stream = proxy.stream("/v1/messages", &lane.streamed_ping(ASKED));
    assert_eq!(stream.event().unwrap(), lane.content(ASKED));
    folder.write("config.yaml", &lane.config("http://127.0.0.1:9").replace(ASKED, "renamed"));
    assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN], "").status(), 200);
    rogue.go();
    assert_eq!(stream.rest(), lane.ending(ASKED));
}

#[test]
fn at_the_end_streams_are_told_and_nothing_new_begins() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            assert!(visit.is_left());
            visit.tell("left");
        });
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "timeouts: {drain: 1ms}"));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.event().unwrap(), lane.content(ASKED));
        // A request that has begun before the end, and goes on after it.
        let mut late = proxy.connect();
        let body = lane.ping(ASKED);
        let (length, address) = (body.len(), proxy.address);
        late.send(
            format!("POST {} HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n", lane.path(ASKED))
                .as_bytes(),
        );
        assert_eq!(late.head().status, 100);
        thread::scope(|scope| {
            scope.spawn(|| proxy.server.drain());
            lane.told_in_stream(&stream.rest());
            assert_eq!(rogue.told(), "left");
            late.send(body.as_bytes());
            let answer = late.answer();
            assert_eq!(answer.status(), 503, "{}", answer.text());
            lane.error_message(&answer.json());
            assert_eq!(answer.header("retry-after"), Some("1"));
        });
        assert!(std::net::TcpStream::connect(proxy.address).is_err());
    }
}

#[test]
fn at_the_end_what_runs_may_finish() {
    let lane = lane(Protocol::OpenaiResponses);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&lane.content(UPSTREAM));
        visit.wait();
        visit.chunk(&lane.ending(UPSTREAM));
        visit.end();
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
    assert_eq!(stream.event().unwrap(), lane.content(ASKED));
    thread::scope(|scope| {
        scope.spawn(|| proxy.server.drain());
        rogue.go();
        assert_eq!(stream.rest(), lane.ending(ASKED));
    });
    assert!(std::net::TcpStream::connect(proxy.address).is_err());
}

#[test]
fn a_broken_request_is_answered_in_the_protocol_of_its_path() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    for lane in &LANES {
        let mut client = Client::connect(proxy.address);
        client.send(
            format!(
                "POST {} HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
                lane.path(ASKED)
            )
            .as_bytes(),
        );
        let answer = client.answer();
        assert_eq!(answer.status(), 400);
        lane.error_message(&answer.json());
    }
}

#[test]
fn at_the_end_who_waits_is_told_with_a_status() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.tell("asked");
            assert!(visit.is_left());
        });
        let top = "timeouts: {drain: 1ms}\nlimits: {requests: 1, queue: 5}";
        let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", top));
        let mut waits_for_head = proxy.connect();
        waits_for_head.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes());
        assert_eq!(rogue.told(), "asked");
        let mut waits_for_turn = proxy.connect();
        let (length, address) = (lane.ping(ASKED).len(), proxy.address);
        let path = lane.path(ASKED);
        waits_for_turn.send(
            format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
                .as_bytes(),
        );
        assert_eq!(waits_for_turn.head().status, 100);
        waits_for_turn.send(lane.ping(ASKED).as_bytes());
        thread::scope(|scope| {
            scope.spawn(|| proxy.server.drain());
            for client in [&mut waits_for_head, &mut waits_for_turn] {
                let answer = client.answer();
                assert_eq!(answer.status(), 503, "{}", answer.text());
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert!(lane.error_message(&answer.json()).contains("stopping"));
            }
        });
    }
}

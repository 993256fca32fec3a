//! Who may ask, through real sockets; the whole table is in the unit tests.

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use llmgate::protocol::Protocol;

const CLIENT_KEY: &str = "gw_client-key-0123456789";

#[test]
fn a_key_is_needed_where_one_is_set() {
    for lane in &LANES {
        let provider = Provider::start();
        let auth = format!("client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}");
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", &auth));
        let bearer = format!("Bearer {CLIENT_KEY}");
        for header in
            [("authorization", bearer.as_str()), ("x-api-key", CLIENT_KEY), ("x-goog-api-key", CLIENT_KEY)]
        {
            provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
            let answer = proxy.ask("POST", &lane.path(ASKED), &[header], &lane.ping(ASKED));
            assert_eq!(answer.status(), 200, "{}", answer.text());
            let received = provider.received();
            assert!(received.headers.iter().all(|(_, value)| !value.contains(CLIENT_KEY)));
        }
        for headers in
            [vec![], vec![("authorization", "Bearer wrong")], vec![("x-api-key", "gw_client-key-012345678")]]
        {
            let answer = proxy.ask("POST", &lane.path(ASKED), &headers, &lane.ping(ASKED));
            assert_eq!(answer.status(), 401);
            lane.error_message(&answer.json());
        }
        assert_eq!(proxy.get("/v1/models").status(), 401);
        assert_eq!(proxy.ask("GET", "/admin/state", &[], "").status(), 401);
        assert_eq!(proxy.ask("GET", "/admin/state", &[("x-api-key", CLIENT_KEY)], "").status(), 200);
        assert_eq!(proxy.get("/health").status(), 200);
        assert!(provider.is_idle());
    }
}

#[test]
fn a_key_in_the_query_is_taken_and_goes_no_further() {
    let lane = lane(Protocol::Gemini);
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    let auth = format!("client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}");
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", &auth));
    let answer = proxy.post(&format!("{}?key={CLIENT_KEY}", lane.path(ASKED)), &lane.ping(ASKED));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(provider.received().path, lane.upstream_path(UPSTREAM));
}

#[test]
fn a_web_page_cannot_spend_the_users_keys() {
    for lane in &LANES {
        let provider = Provider::start();
        let top = "access: {cors_origins: [\"https://listed.example\"]}";
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", top));
        for header in [
            ("host", "evil.example"),
            ("host", "127.0.0.1.evil.example:80"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let answer = proxy.ask("POST", &lane.path(ASKED), &[header], &lane.ping(ASKED));
            assert_eq!(answer.status(), 403, "{header:?}");
            lane.error_message(&answer.json());
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        assert!(provider.is_idle());
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        let listed = [("origin", "https://listed.example")];
        let answer = proxy.ask("POST", &lane.path(ASKED), &listed, &lane.ping(ASKED));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://listed.example"));
    }
}

#[test]
fn a_listed_page_may_ask_before_it_asks() {
    let lane = &LANES[0];
    let top = "access: {cors_origins: [\"https://listed.example\"]}";
    let proxy = Proxy::start(&lane.config_with("http://127.0.0.1:9", "", top));
    let headers = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "x-api-key, content-type"),
        ]
    };
    let asks = |origin: &'static str, path: &str| proxy.ask("OPTIONS", path, &headers(origin), "");
    let answer = asks("https://listed.example", "/v1/chat/completions");
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://listed.example"),
        ("access-control-allow-headers", "x-api-key, content-type"),
        ("access-control-max-age", "600"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    for (path, methods) in [
        ("/v1/chat/completions", "POST"),
        ("/v1/models", "GET, HEAD"),
        ("/v1/responses/resp_1", "GET, DELETE"),
        ("/v1/nothing", "GET, POST"),
    ] {
        let answer = asks("https://listed.example", path);
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{path}");
    }
    // Neither another method nor an OPTIONS that announces none is such a question.
    let listed = headers("https://listed.example");
    let path = "/v1/chat/completions";
    assert_eq!(proxy.ask("POST", path, &listed, &lane.ping(ASKED)).status(), 502);
    assert_eq!(proxy.ask("OPTIONS", path, &listed[..1], "").status(), 405);
    let answer = asks("https://evil.example", path);
    assert!(matches!(answer.status(), 403 | 405), "{}", answer.status());
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn local_endpoints_answer_this_machine_only() {
    let proxy = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    let admin = ("x-llmgate-admin", "1");
    for headers in [
        vec![],
        vec![admin, ("host", "evil.example")],
        vec![admin, ("x-forwarded-for", "10.0.0.1")],
        vec![admin, ("forwarded", "for=10.0.0.1")],
        vec![admin, ("x-real-ip", "10.0.0.1")],
        vec![admin, ("origin", "http://evil.example")],
    ] {
        let answer = proxy.ask("POST", "/admin/stop", &headers, "");
        assert_eq!(answer.status(), 403, "{headers:?}");
    }
    assert!(proxy.server.stop_asked().is_empty());
    assert_eq!(proxy.ask("POST", "/admin/stop", &[admin], "").status(), 202);
    assert!(proxy.server.stop_asked().recv_timeout(crate::support::GUARD).is_ok());
}

#[test]
fn addresses_that_are_not_allowed_get_nothing() {
    let top = "access: {allowed_ips: [10.0.0.0/8]}";
    let proxy = Proxy::start(&LANES[0].config_with("http://127.0.0.1:9", "", top));
    for path in ["/v1/models", "/health", "/admin/state"] {
        assert_eq!(proxy.get(path).status(), 403, "{path}");
    }
}

#[test]
fn local_endpoints_may_have_a_door_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let top = format!("access: {{admin_listen: \"{address}\"}}");
    let proxy = Proxy::start(&LANES[0].config_with("http://127.0.0.1:9", "", &top));
    assert_eq!(proxy.get("/admin/state").status(), 404);
    let mut admin = crate::support::client::Client::connect(address);
    for (path, status) in [("/admin/state", 200), ("/health", 200), ("/v1/models", 404)] {
        admin.ask("GET", path, &[], b"");
        assert_eq!(admin.answer().status(), status, "{path}");
    }
}

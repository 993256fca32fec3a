//! Requests that are handed on as they are: what a provider keeps (SPEC 3.3), and paths that are
//! unknown here (10.5).

use std::fmt::Write;

use crate::support::lane::KEY;
use crate::support::provider::{NOWHERE, Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;

const OWN: &str = "sk-client-own-key-0123456789";
const CLIENT_KEY: &str = "gw_client-key-0123456789";

/// Providers, each with its protocols and more; their key is ours.
fn config(providers: &[(&str, &str, &str)], top: &str) -> String {
    let mut text = format!("version: 1\nlisten: 127.0.0.1:0\n{top}\nproviders:\n");
    for (index, (url, protocol, more)) in providers.iter().enumerate() {
        writeln!(
            text,
            "  p{index}: {{protocol: {protocol}, base_url: \"{url}/base\", api_key: {KEY}{more}}}"
        )
        .unwrap();
    }
    text
}

fn keeper(provider: &Provider) -> Proxy {
    let url = provider.url();
    Proxy::start(&config(&[(&url, "[openai-responses, openai-chat]", ""), (&url, "anthropic", "")], ""))
}

#[test]
fn what_the_only_provider_keeps_is_fetched() {
    let provider = Provider::start();
    let proxy = keeper(&provider);
    for (method, path, body) in [
        ("GET", "/responses/resp_1?include[]=x&key=stays-here", ""),
        ("DELETE", "/responses/resp_1", ""),
        ("POST", "/responses/resp_1/cancel", ""),
        ("GET", "/responses/resp_1/input_items?limit=2", ""),
        ("POST", "/conversations", "{ \"metadata\" : {} }"),
        ("DELETE", "/conversations/conv_1/items/msg_1", ""),
    ] {
        for prefix in ["/v1", "/openai/v1", ""] {
            let told = "{ \"id\": \"x\",  \"unknown\": [1] }";
            provider.will(Reply::json(200, told).header("x-request-id", "req_1").header("set-cookie", "a=b"));
            let headers =
                [("openai-beta", "b"), ("authorization", OWN), ("content-type", "application/json")];
            let answer = proxy.ask(method, &format!("{prefix}{path}"), &headers, body);
            assert_eq!((answer.status(), answer.text().as_str()), (200, told), "{method} {path}");
            assert_eq!(answer.header("x-request-id"), Some("req_1"));
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("set-cookie"), None);
            let received = provider.received();
            let expected = path.replace("&key=stays-here", "");
            assert_eq!((&*received.method, &*received.path), (method, &*format!("/base{expected}")));
            assert_eq!(received.text(), body);
            assert_eq!(received.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
            assert_eq!(received.header("openai-beta"), Some("b"));
        }
    }
}

#[test]
fn a_trailing_slash_is_not_handed_on() {
    let provider = Provider::with(Reply::json(200, "{}"));
    assert_eq!(keeper(&provider).get("/v1/responses/resp_1/?a=b").status(), 200);
    assert_eq!(provider.received().path, "/base/responses/resp_1?a=b");
}

#[test]
fn errors_and_empty_answers_come_back_as_they_are() {
    let provider = Provider::start();
    let proxy = keeper(&provider);
    provider.will(Reply::json(404, &format!("{{\"error\":{{\"message\":\"not with {KEY}\"}}}}")));
    let answer = proxy.get("/v1/responses/resp_x");
    assert_eq!(
        (answer.status(), answer.text().as_str()),
        (404, "{\"error\":{\"message\":\"not with sk-pr****ghij\"}}")
    );
    provider.will(Reply::json(302, "").header("location", "/elsewhere"));
    let answer = proxy.get("/v1/responses/resp_1");
    assert_eq!((answer.status(), answer.header("location")), (502, None));
}

#[test]
fn an_answer_without_a_body_has_none() {
    let rogue = Rogue::once(|visit| {
        visit.request();
        visit.send("HTTP/1.1 204 No Content\r\n\r\n");
        visit.wait();
    });
    let proxy = Proxy::start(&config(&[(&rogue.url(), "openai-responses", "")], ""));
    let mut client = proxy.connect();
    client.ask("DELETE", "/v1/responses/resp_1", &[("connection", "close")], b"");
    let head = client.head();
    assert_eq!(
        (head.status, head.header("transfer-encoding"), head.header("content-length")),
        (204, None, None)
    );
    assert_eq!(client.until_closed(), "");
    rogue.go();
}

#[test]
fn nobody_guesses_where_something_is_kept() {
    let without = Proxy::start(&config(&[(NOWHERE, "openai-chat", "")], ""));
    assert_eq!(without.get("/v1/responses/resp_1").status(), 503);
    let both = Proxy::start(&config(
        &[(NOWHERE, "openai-responses", ""), (NOWHERE, "[openai-chat, openai-responses]", "")],
        "",
    ));
    let answer = both.get("/v1/responses/resp_1");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("p0") && answer.text().contains("p1"), "{}", answer.text());
    let answer = both.ask("PUT", "/v1/responses/resp_1", &[], "{}");
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, DELETE")));
    assert_eq!(Proxy::start_demo().get("/v1/responses/resp_1").status(), 503);
}

#[test]
fn a_clients_key_goes_along_where_that_is_the_mode() {
    let provider = Provider::with(Reply::json(200, "{}"));
    let auth = "client_auth: {mode: client_key}";
    let proxy = Proxy::start(&config(&[(&provider.url(), "openai-responses", "")], auth));
    assert_eq!(proxy.get("/v1/responses/resp_1").status(), 401);
    assert_eq!(proxy.ask("GET", "/v1/responses/resp_1", &[("x-api-key", OWN)], "").status(), 200);
    assert_eq!(provider.received().header("authorization"), Some(format!("Bearer {OWN}").as_str()));
}

#[test]
fn a_stream_comes_back_as_it_comes() {
    let rogue = Rogue::start(vec![
        Box::new(|visit| {
            visit.request();
            visit.begin();
            visit.chunk("data: 1\n\n");
            visit.wait();
            visit.chunk("data: 2\n\n");
            visit.end();
        }),
        Box::new(|visit| {
            visit.request();
            visit.begin();
            visit.chunk("data: 1\n\n");
            visit.reset();
        }),
    ]);
    let proxy = Proxy::start(&config(&[(&rogue.url(), "openai-responses", "")], ""));
    let begin = || {
        let mut client = proxy.connect();
        client.ask("GET", "/v1/responses/resp_1?stream=true", &[], b"");
        client
    };
    let mut stream = begin().stream();
    assert_eq!(stream.event().as_deref(), Some("data: 1\n\n"));
    rogue.go();
    assert_eq!(stream.rest(), "data: 2\n\n");
    let mut client = begin();
    assert_eq!(client.head().status, 200);
    // The last chunk never comes.
    assert_eq!(client.until_closed(), "9\r\ndata: 1\n\n\r\n");
}

/// Three that take unknown paths, one for each vendor's, and a proxy before them.
fn takers() -> ([Provider; 3], Proxy) {
    let takes = ", passthrough: true, headers: {x-secret: ours}";
    let providers = [Provider::start(), Provider::start(), Provider::start()];
    let [openai, anthropic, google] = providers.each_ref().map(Provider::url);
    let proxy = Proxy::start(&config(
        &[
            (&openai, "[openai-responses, openai-chat]", takes),
            (&anthropic, "anthropic", takes),
            (&google, "gemini", takes),
        ],
        "",
    ));
    (providers, proxy)
}

#[test]
fn unknown_paths_go_where_they_are_taken_with_the_clients_own_key() {
    let ([openai, anthropic, google], proxy) = takers();
    let (bearer, version) = (format!("Bearer {OWN}"), ("anthropic-version", "2023-06-01"));
    let (openai, anthropic, google) = (
        (&openai, "authorization", bearer.as_str()),
        (&anthropic, "x-api-key", OWN),
        (&google, "x-goog-api-key", OWN),
    );
    let (authorization, api_key, google_key) =
        (("authorization", OWN), ("x-api-key", OWN), ("x-goog-api-key", OWN));
    for (path, header, (provider, name, key), expected) in [
        ("/v1/embeddings", authorization, openai, "/base/embeddings"),
        ("/openai/v1/files?a=b", api_key, openai, "/base/files?a=b"),
        ("/openai/batches", api_key, openai, "/base/batches"),
        ("/anthropic/v1/files", api_key, anthropic, "/base/files"),
        ("/v1/messages/batches", version, (anthropic.0, "x-api-key", ""), "/base/messages/batches"),
        ("/v1beta/files/1?alt=media&key=k", google_key, google, "/base/files/1?alt=media"),
        ("/v1/cachedContents", google_key, google, "/base/cachedContents"),
        ("/v1beta/models/m:embedContent", google_key, google, "/base/models/m:embedContent"),
    ] {
        provider.will(Reply::whole(200, "audio/mp3", "\u{1}bytes"));
        let (kind, body) = ("multipart/form-data; boundary=x", "--x\r\nbytes \u{1}\r\n--x--");
        let answer = proxy.ask("POST", path, &[header, ("content-type", kind)], body);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "\u{1}bytes"), "{path}");
        assert_eq!(answer.header("content-type"), Some("audio/mp3"));
        let received = provider.received();
        assert_eq!((received.path.as_str(), received.text().as_str()), (expected, body));
        assert_eq!(received.header("content-type"), Some(kind));
        assert_eq!(received.header(name).unwrap_or_default(), key, "{path}");
        assert!(received.headers.iter().all(|(_, value)| !value.contains(KEY) && value != "ours"), "{path}");
    }
}

#[test]
fn other_paths_stay_unknown_and_none_climbs() {
    let (providers, proxy) = takers();
    for path in ["/embeddings", "/v2/embeddings", "/openaix/v1/files", "/favicon.ico"] {
        assert_eq!(proxy.get(path).status(), 404, "{path}");
    }
    for path in [
        "/openai/v1/../../admin",
        "/openai/v1/%2E%2e/x",
        "/openai/v1/x%2f..%2fy",
        "/openai/v1/%ff/%2e%2E/x",
        "/openai/v1/%ff%5c..%5cy",
        "/openai/v1/a\"b",
    ] {
        assert_eq!(proxy.get(path).status(), 400, "{path}");
    }
    assert_eq!(proxy.ask("GET", "/v1/embeddings", &[("origin", "https://evil.example")], "").status(), 403);
    assert!(providers.iter().all(Provider::is_idle));
}

#[test]
fn a_key_of_ours_goes_nowhere() {
    let provider = Provider::start();
    let auth = format!("client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}");
    let proxy = Proxy::start(&config(&[(&provider.url(), "openai-chat", ", passthrough: true")], &auth));
    assert_eq!(proxy.ask("GET", "/v1/files", &[("authorization", OWN)], "").status(), 401);
    let bearer = format!("Bearer {CLIENT_KEY}");
    for (own, expected) in [(None, None), (Some(OWN), Some(format!("Bearer {OWN}")))] {
        provider.will(Reply::json(200, "{}"));
        let own = own.map(|own| ("x-api-key", own));
        let headers: Vec<(&str, &str)> =
            [("authorization", bearer.as_str())].into_iter().chain(own).collect();
        assert_eq!(proxy.ask("GET", "/v1/files", &headers, "").status(), 200);
        let received = provider.received();
        assert_eq!(received.header("authorization"), expected.as_deref());
        assert!(received.headers.iter().all(|(_, value)| !value.contains(CLIENT_KEY)));
    }
}

#[test]
fn two_that_take_the_same_paths_are_named() {
    let takes = ", passthrough: true";
    let proxy =
        Proxy::start(&config(&[(NOWHERE, "openai-chat", takes), (NOWHERE, "openai-responses", takes)], ""));
    let answer = proxy.get("/v1/files");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("p0") && answer.text().contains("p1"), "{}", answer.text());
    // Nobody listens there.
    let one = Proxy::start(&config(&[(NOWHERE, "openai-chat", takes)], ""));
    assert_eq!(one.get("/v1/files").status(), 502);
}

#[test]
fn no_errand_switches_protocols() {
    let rogue = Rogue::once(|visit| {
        visit.request();
        visit.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    });
    let proxy = Proxy::start(&config(&[(&rogue.url(), "openai-responses", "")], ""));
    assert_eq!(proxy.get("/v1/responses/resp_1").status(), 502);
}

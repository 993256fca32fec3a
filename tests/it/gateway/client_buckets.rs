//! What each client key may use (`client_auth.buckets`): its own counts, one for a request however
//! many calls it takes, shared and kept like those of providers.

use llmgate::protocol::Protocol;

use super::eligible::check;
use crate::support::client::Answer;
use crate::support::duo::{FORGETFUL, ONCE, ask, config, in_turn, path, provider};
use crate::support::lane::{ASKED, LANES, Lane, lane};
use crate::support::provider::{NOWHERE, Provider, Reply};
use crate::support::proxy::{Folder, Proxy};

/// Two keys, as each protocol may send them.
const ONE: (&str, &str) = ("x-api-key", "gw_key-number-one-0123");
const TWO: (&str, &str) = ("authorization", "Bearer gw_key-number-two-0123");
const ADMIN: (&str, &str) = ("x-llmgate-admin", "1");

/// The two keys with these buckets.
fn keyed(buckets: &str) -> String {
    format!(
        "client_auth: {{mode: proxy_key, keys: [gw_key-number-one-0123, gw_key-number-two-0123], \
         buckets: [{buckets}]}}"
    )
}

/// One target, `a/first`; another provider that takes no name of its own accord.
fn one(client: &Lane, url: &str, top: &str) -> String {
    let providers = [provider("a", client, url, ""), provider("b", client, NOWHERE, "")];
    config(&format!("{ONCE}\n{FORGETFUL}\n{top}"), &providers, &in_turn(&["a/first"]))
}

/// Requests and tokens of the only bucket of a key.
fn used(proxy: &Proxy, key: usize) -> (u64, u64) {
    let status = proxy.ask("GET", "/debug/status", &[ONE], "").json();
    let client = &status["clients"][key];
    assert_eq!(client["key"], format!("client_auth.keys[{key}]"), "{status}");
    let count = |metric: &str| {
        let buckets = client["buckets"].as_array().unwrap();
        let bucket = buckets.iter().find(|bucket| bucket["metric"] == metric).unwrap();
        bucket["used"].as_u64().unwrap()
    };
    (count("requests"), count("tokens"))
}

fn asks(proxy: &Proxy, client: &Lane, model: &str) -> Answer {
    proxy.ask("POST", &client.path(model), &[ONE], &client.ping(model))
}

#[test]
fn a_key_has_its_own_limits() {
    for client in &LANES {
        let a = Provider::with(Reply::json(200, &client.pong("first")));
        let proxy = Proxy::start(&one(client, &a.url(), &keyed("{name: month, requests: 1, window: 1mo}")));
        assert_eq!(ask(&proxy, client, false, &[ONE]).status(), 200);
        a.received();
        // Of two valid keys the first in the file counts.
        for headers in [&[ONE][..], &[TWO, ONE]] {
            let answer = ask(&proxy, client, true, headers);
            let codes = ["rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"];
            let wait = check(client, &answer, 429, codes);
            assert!((1..=31 * 24 * 3600).contains(&wait), "{wait}");
            assert_eq!(answer.header("x-should-retry"), None);
            let told = ["reason", "metric", "window", "scope", "limit", "remaining"]
                .map(|name| answer.header(&format!("x-ratelimit-{name}")).unwrap().to_owned());
            assert_eq!(told, ["bucket:month", "requests", "1mo", "client", "1", "0"]);
            let message = client.error_message(&answer.json());
            assert!(message.contains("\"month\"") && !message.contains("gw_"), "{message}");
            assert!(a.is_idle());
        }
        a.will(Reply::json(200, &client.pong("first")));
        assert_eq!(ask(&proxy, client, false, &[TWO]).status(), 200);
        assert_eq!(ask(&proxy, client, false, &[TWO]).status(), 429);
    }
}

#[test]
fn the_key_of_the_environment_comes_last() {
    let client = lane(Protocol::Gemini);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let text = one(client, &a.url(), &keyed("{name: m, requests: 9, tokens: 99, window: 1mo}"));
    let proxy = Proxy::start_in(&text, &[("LLMGATE_KEY", "gw_key-number-three")]);
    let url = format!("{}?key=gw_key-number-three", client.path(ASKED));
    assert_eq!(proxy.post(&url, &client.ping(ASKED)).status(), 200);
    assert_eq!([0, 1, 2].map(|key| used(&proxy, key).0), [0, 0, 1]);
}

#[test]
fn tokens_are_those_that_were_read() {
    for client in &LANES {
        let a = Provider::start();
        let buckets = "{name: month, requests: 9, tokens: 20, window: 1mo}";
        let proxy = Proxy::start(&one(client, &a.url(), &keyed(buckets)));
        // Nine each; what is asked is estimated at less.
        for count in 1..=3 {
            a.will(Reply::json(200, &client.pong("first")));
            assert_eq!(ask(&proxy, client, false, &[ONE]).status(), 200);
            assert_eq!(used(&proxy, 0), (count, 9 * count));
        }
        let answer = ask(&proxy, client, false, &[ONE]);
        assert_eq!((answer.status(), answer.header("x-ratelimit-metric")), (429, Some("tokens")));
        assert_eq!((used(&proxy, 0), used(&proxy, 1)), ((3, 27), (0, 0)));
    }
}

#[test]
fn what_a_failure_gives_back() {
    let client = lane(Protocol::OpenaiChat);
    let buckets = "{name: month, requests: 9, tokens: 99, window: 1mo}";
    for (reply, expected) in [
        (None, (0, 0)),
        (Some(Reply::json(500, "{}")), (1, 0)),
        (Some(Reply::json(400, "{}")), (1, 0)),
        // It was read, and nobody says what it counted: the estimate stays.
        (Some(Reply::json(200, "no JSON")), (1, 1)),
        (Some(Reply::json(200, &client.pong("first"))), (1, 9)),
    ] {
        let a = Provider::start();
        let url = if reply.is_some() { a.url() } else { NOWHERE.to_owned() };
        let proxy = Proxy::start(&one(client, &url, &keyed(buckets)));
        let is_good = expected == (1, 9);
        reply.into_iter().for_each(|reply| a.will(reply));
        assert_eq!(ask(&proxy, client, false, &[ONE]).status() == 200, is_good);
        assert_eq!(used(&proxy, 0), expected);
    }
    // Nobody was called.
    let a = Provider::start();
    let proxy = Proxy::start(&one(client, &a.url(), &keyed(buckets)).replacen(
        "api_key",
        "enabled: false, api_key",
        1,
    ));
    assert_eq!(ask(&proxy, client, false, &[ONE]).status(), 503);
    assert_eq!(used(&proxy, 0), (0, 0));
}

#[test]
fn one_request_counts_once_however_many_calls_it_takes() {
    let client = lane(Protocol::Anthropic);
    let good = || Reply::json(200, &client.pong("second"));
    for (first, second, expected) in [
        (Some(500), Some(good()), (1, 9)),
        (None, Some(good()), (1, 9)),
        (Some(500), None, (1, 0)),
        (None, Some(Reply::json(500, "{}")), (1, 0)),
        (None, None, (0, 0)),
    ] {
        let (a, b) = (Provider::start(), Provider::start());
        let url =
            |server: &Provider, is_there: bool| if is_there { server.url() } else { NOWHERE.to_owned() };
        let providers = [
            provider("a", client, &url(&a, first.is_some()), ""),
            provider("b", client, &url(&b, second.is_some()), ""),
        ];
        first.into_iter().for_each(|status| a.will(Reply::json(status, "{}")));
        let is_good = second.is_some() && expected == (1, 9);
        second.into_iter().for_each(|reply| b.will(reply));
        let top = format!("{ONCE}\n{}", keyed("{name: month, requests: 1, tokens: 99, window: 1mo}"));
        let proxy = Proxy::start(&config(&top, &providers, &in_turn(&["a/first", "b/second"])));
        let answer = ask(&proxy, client, false, &[ONE]);
        assert_eq!(answer.status() == 200, is_good, "{}", answer.text());
        assert_eq!(path(&answer).1, "2");
        assert_eq!(used(&proxy, 0), expected);
    }
}

#[test]
fn models_are_named_as_clients_do() {
    let client = lane(Protocol::OpenaiChat);
    for (models, counted, free) in [
        ("[asked-name]", vec!["asked-name", "asked-name[1m]"], vec!["a/first", "other-2"]),
        ("[a/first]", vec!["a/first", "a:first"], vec!["asked-name", "a/second"]),
        ("[other-2]", vec!["other-2"], vec!["other-3", "asked-name"]),
        ("[\"other-*\", a/x]", vec!["other-2", "other-3", "a/x"], vec!["asked-name"]),
    ] {
        let a = Provider::start();
        let buckets = format!("{{name: m, models: {models}, requests: 9, tokens: 99, window: 1mo}}");
        let text = one(client, &a.url(), &keyed(&buckets)) + "  other-*: a/first\n";
        let proxy = Proxy::start(&text);
        let mut count = 0;
        for (name, more) in counted.iter().map(|name| (name, 1)).chain(free.iter().map(|name| (name, 0))) {
            a.will(Reply::json(200, &client.pong("first")));
            assert_eq!(asks(&proxy, client, name).status(), 200);
            count += more;
            assert_eq!(used(&proxy, 0).0, count, "{models} {name}");
        }
    }
    // No name is the default's.
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let buckets = keyed("{name: m, models: [asked-name], requests: 9, tokens: 99, window: 1mo}");
    let proxy = Proxy::start(&one(client, &a.url(), &format!("default_model: {ASKED}\n{buckets}")));
    let body = client.ping(ASKED).replace("\"model\":\"asked-name\", ", "");
    assert_eq!(proxy.ask("POST", &client.path(ASKED), &[ONE], &body).status(), 200);
    assert_eq!(used(&proxy, 0), (1, 9));
}

#[test]
fn counts_and_lists_are_free() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::with(Reply::json(200, "{\"input_tokens\":7}"));
    let buckets = keyed("{name: m, requests: 1, tokens: 1, window: 1mo}");
    let proxy = Proxy::start(&one(client, &a.url(), &buckets));
    let counted = proxy.ask("POST", "/v1/messages/count_tokens", &[ONE], &client.ping(ASKED));
    assert_eq!(counted.json()["input_tokens"], 7);
    assert_eq!(proxy.ask("GET", "/v1/models", &[ONE], "").status(), 200);
    assert_eq!(used(&proxy, 0), (0, 0));
}

#[test]
fn processes_share_the_counts_of_a_key() {
    let client = lane(Protocol::OpenaiChat);
    let folder = Folder::new("client-buckets");
    let state = folder.file("state.json");
    let buckets = keyed("{name: month, requests: 1, tokens: 99, window: 1mo}");
    let a = Provider::start();
    let text = one(client, &a.url(), &format!("state: {{file: \"{}\"}}\n{buckets}", state.display()));
    let first = Proxy::start(&text);
    a.will(Reply::json(200, &client.pong("first")));
    assert_eq!(ask(&first, client, false, &[TWO]).status(), 200);
    first.ends();
    let kept = std::fs::read_to_string(&state).unwrap();
    assert!(kept.contains("\"client_auth.keys[1]/month\"") && !kept.contains("gw_"), "{kept}");
    let second = Proxy::start(&text);
    assert_eq!(ask(&second, client, false, &[TWO]).status(), 429);
    assert_eq!((used(&second, 0), used(&second, 1)), ((0, 0), (1, 9)));
}

#[test]
fn a_reload_keeps_the_counts_also_of_a_key_that_is_changed() {
    let client = lane(Protocol::OpenaiChat);
    let folder = Folder::new("client-buckets-reload");
    let a = Provider::start();
    let text = one(client, &a.url(), &keyed("{name: month, requests: 1, tokens: 99, window: 1mo}"));
    let file = folder.write("config.yaml", &text);
    let proxy = Proxy::start_with_file(&file);
    a.will(Reply::json(200, &client.pong("first")));
    assert_eq!(ask(&proxy, client, false, &[TWO]).status(), 200);
    folder.write("config.yaml", &text.replace("number-two", "number-new"));
    assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN, ONE], "").status(), 200);
    assert_eq!(ask(&proxy, client, false, &[TWO]).status(), 401);
    let new = ("x-api-key", "gw_key-number-new-0123");
    assert_eq!(ask(&proxy, client, false, &[new]).status(), 429);
    assert_eq!(used(&proxy, 1), (1, 9));
}

#[test]
fn whoever_looks_on_sees_them() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let proxy = Proxy::start(&one(client, &a.url(), &keyed("{name: month, requests: 5, window: 1mo}")));
    assert_eq!(ask(&proxy, client, false, &[TWO]).status(), 200);
    let text = proxy.ask("GET", "/debug/status?as=text", &[ONE], "").text();
    let line = text.lines().find(|line| line.starts_with("client_auth.keys[1]")).unwrap();
    assert!(line.ends_with("  month 1/5 requests"), "{text}");
    let page = proxy.ask("GET", "/metrics", &[ONE], "").text();
    let level =
        "llmgate_bucket_remaining{client=\"client_auth.keys[1]\",bucket=\"month\",metric=\"requests\"} 4\n";
    assert!(page.contains(level), "{page}");
}

#[test]
fn no_path_leads_around_them() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let proxy = Proxy::start(&one(client, &a.url(), &keyed("{name: month, requests: 1, window: 1mo}")));
    assert_eq!(ask(&proxy, client, false, &[ONE]).status(), 200);
    a.received();
    let prompt = format!("{{\"model\":\"{ASKED}\",\"prompt\":\"ping\"}}");
    let ping = client.ping(ASKED);
    let responses = lane(Protocol::OpenaiResponses).ping(ASKED);
    for (path, body) in [
        ("/v1", &ping),
        ("/route", &ping),
        ("/v1/completions", &prompt),
        ("/v1/responses", &responses),
        ("/v1/responses/compact", &responses),
    ] {
        let answer = proxy.ask("POST", path, &[ONE], body);
        assert_eq!(answer.status(), 429, "{path}: {}", answer.text());
    }
    assert!(a.is_idle());
}

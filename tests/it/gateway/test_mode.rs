//! Faults on demand (SPEC 6.8), and what is asked of a request by headers from this machine.

use llmgate::protocol::Protocol;

use crate::support::duo::{ask, config, in_turn, path, provider, two};
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;

const HEADER: &str = "x-llm-proxy-test-mode";
const ON: &str = "test_mode: true\nretry: {base_delay: 0s, max_wait: 0s}\nbreaker: {threshold: 1}";

fn one(client: &Lane, url: &str, top: &str) -> Proxy {
    let providers = [provider("a", client, url, "")];
    Proxy::start(&config(top, &providers, &in_turn(&["a/first"])))
}

#[test]
fn each_fault_is_played() {
    for client in &LANES {
        let a = Provider::start();
        let proxy = one(client, &a.url(), ON);
        let answer = ask(&proxy, client, true, &[(HEADER, "force_degraded")]);
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
        assert_eq!(answer.header("x-llm-proxy-error-class"), Some("provider_degraded"));
        assert!(client.error_message(&answer.json()).contains("[LLM_PROXY_PROVIDER_DEGRADED]"));

        let answer = ask(&proxy, client, true, &[(HEADER, "force_rate_limit")]);
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("30")));
        assert!(a.is_idle());

        a.will(Reply::json(200, &client.pong("first")));
        let answer = ask(&proxy, client, false, &[(HEADER, "force_transient_recover")]);
        assert_eq!((answer.status(), path(&answer)), (200, ("a/first", "2", "-")));

        let many = [client.opening("first"), client.content("first").repeat(4), client.ending("first")];
        a.will(Reply::sse(many));
        let answer = ask(&proxy, client, true, &[(HEADER, "force_stream_cut")]);
        let text = answer.text();
        client.told_in_stream(&text);
        assert_eq!(text.matches(&client.says("pong")).count(), 3, "{text}");

        // None of it was the target's fault.
        a.will(Reply::json(200, &client.pong("first")));
        assert_eq!(path(&ask(&proxy, client, false, &[])), ("a/first", "1", "-"));

        let answer = ask(&proxy, client, false, &[(HEADER, "force_fun")]);
        assert_eq!(answer.status(), 400);
        assert!(client.error_message(&answer.json()).contains("force_stream_cut"));
    }
}

#[test]
fn a_slow_target_is_played_for_as_long_as_somebody_waits() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::start();
    let proxy = one(client, &a.url(), &format!("{ON}\ntimeouts: {{total: 30ms}}"));
    let answer = ask(&proxy, client, false, &[(HEADER, "force_slow")]);
    assert_eq!(answer.status(), 504);
    assert!(a.is_idle());
}

#[test]
fn the_query_asks_as_well_and_is_not_sent_on() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let proxy = one(client, &a.url(), ON);
    let path = |value: &str| format!("/v1/messages?beta=true&llm_proxy_test_mode={value}");
    assert_eq!(proxy.post(&path("force_degraded"), &client.ping(ASKED)).status(), 503);
    assert_eq!(proxy.post(&path("force_transient_recover"), &client.ping(ASKED)).status(), 200);
    assert_eq!(a.received().path, "/v1/messages?beta=true");
}

#[test]
fn without_test_mode_the_header_is_nothing() {
    let client = lane(Protocol::OpenaiChat);
    for value in ["force_degraded", "force_fun"] {
        let a = Provider::with(Reply::json(200, &client.pong("first")));
        let proxy = one(client, &a.url(), "");
        assert_eq!(ask(&proxy, client, false, &[(HEADER, value)]).status(), 200);
    }
}

#[test]
fn whoever_insists_is_not_kept_away_by_breakers_and_cooldowns() {
    let client = lane(Protocol::OpenaiChat);
    for status in [500, 429] {
        let (a, b) = (Provider::with(Reply::json(status, "{}")), Provider::start());
        let top = "retry: {attempts: 1}\nbreaker: {threshold: 1}\n\
                   client_auth: {mode: proxy_key, keys: [a-key-of-a-client]}";
        let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), top));
        let key = ("authorization", "Bearer a-key-of-a-client");
        let elsewhere = ("host", "proxy.example");
        let insists = ("x-llmgate-bypass-circuit", "1");
        for (headers, target) in [
            (vec![key], "b/up-model-1"),
            (vec![key], "b/up-model-1"),
            (vec![key, elsewhere, insists], "b/up-model-1"),
            (vec![key, ("x-llmgate-bypass-circuit", "0")], "b/up-model-1"),
            (vec![key, insists], "a/first"),
        ] {
            let server = if target == "a/first" { &a } else { &b };
            server.will(Reply::json(200, &client.pong(UPSTREAM)));
            let answer = ask(&proxy, client, false, &headers);
            assert_eq!((answer.status(), path(&answer).0), (200, target), "{headers:?}");
        }
    }
}

#[test]
fn buckets_keep_everybody_away() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let providers = [provider("a", client, &a.url(), "buckets: [{name: m, requests: 1, window: 1mo}]")];
    let proxy = Proxy::start(&config("", &providers, &in_turn(&["a/first"])));
    let insists = [("x-llmgate-bypass-circuit", "1")];
    assert_eq!(ask(&proxy, client, false, &insists).status(), 200);
    let answer = ask(&proxy, client, false, &insists);
    assert_eq!((answer.status(), path(&answer).2), (429, "a/first=bucket:m"));
}

#[test]
fn patience_may_be_shortened_from_this_machine() {
    let client = lane(Protocol::Anthropic);
    let slow = Rogue::once(|visit| {
        visit.request();
        assert!(visit.is_left());
    });
    let proxy = one(client, &slow.url(), "");
    let answer = ask(&proxy, client, false, &[("x-llmgate-timeout-ms", "30")]);
    assert_eq!(answer.status(), 504);
    // The target was given no time: that is no failure of its own.
    assert_eq!(proxy.settled(1)["targets"][0]["failures"], 0);
    // Longer than `total` it does not become.
    let slow = Rogue::once(|visit| {
        visit.request();
        assert!(visit.is_left());
    });
    let proxy = one(client, &slow.url(), "timeouts: {total: 30ms}");
    assert_eq!(ask(&proxy, client, false, &[("x-llmgate-timeout-ms", "600000")]).status(), 504);
}

//! When no target is eligible (SPEC 6.7): who is tried all the same, and what the client is told.

use llmgate::protocol::Protocol;

use crate::support::client::Answer;
use crate::support::duo::{ask, config, in_turn, path, provider, two};
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

const ONCE: &str = "retry: {attempts: 1, max_wait: 0s}";

fn one(client: &Lane, server: &Provider, top: &str, more: &str) -> Proxy {
    let providers = [provider("a", client, &server.url(), more)];
    Proxy::start(&config(top, &providers, &in_turn(&["a/first"])))
}

/// The status, the `code` of OpenAI's protocols or the like of the others, and the time to wait.
#[track_caller]
pub(super) fn check(client: &Lane, answer: &Answer, status: u16, codes: [&str; 3]) -> u64 {
    let body = answer.json();
    client.error_message(&body);
    let [openai, anthropic, gemini] = codes;
    let error = &body["error"];
    let (told, wanted) = match client.protocol {
        Protocol::OpenaiChat | Protocol::OpenaiResponses => (&error["code"], openai),
        Protocol::Anthropic => (&error["type"], anthropic),
        Protocol::Gemini => (&error["status"], gemini),
    };
    assert_eq!((answer.status(), told.as_str()), (status, Some(wanted)), "{body}");
    answer.header("retry-after").unwrap_or_else(|| panic!("{body}")).parse().unwrap()
}

const DEGRADED: [&str; 3] = ["provider_degraded", "overloaded_error", "UNAVAILABLE"];

#[test]
fn a_target_that_rests_for_a_while_is_tried_once() {
    for status in [429, 404] {
        let client = lane(Protocol::OpenaiChat);
        let a = Provider::with(Reply::json(status, "{}"));
        let proxy = one(client, &a, "retry: {attempts: 3, base_delay: 0s, max_wait: 0s}", "");
        assert_eq!(ask(&proxy, client, false, &[]).status(), status);
        a.will(Reply::json(status, "{}"));
        let second = ask(&proxy, client, false, &[]);
        assert_eq!((second.status(), path(&second)), (status, ("a/first", "1", "-")));
        a.will(Reply::json(200, &client.pong("first")));
        assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
    }
}

#[test]
fn of_several_that_rest_the_soonest_is_tried() {
    let client = lane(Protocol::Anthropic);
    let limited = |after| Reply::json(429, "{}").header("retry-after", after);
    let (a, b) = (Provider::with(limited("600")), Provider::with(limited("60")));
    let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), ONCE));
    assert_eq!(ask(&proxy, client, false, &[]).header("retry-after"), Some("60"));
    b.will(Reply::json(200, &client.pong("x")));
    let answer = ask(&proxy, client, false, &[]);
    assert_eq!(path(&answer), ("b/up-model-1", "1", "a/first=cooldown:rate_limit"));
}

#[test]
fn a_refused_key_or_a_spent_quota_is_asked_about_each_30_s() {
    for client in &LANES {
        for (status, code, codes) in [
            (401, 502, ["upstream_auth", "api_error", "INTERNAL"]),
            (402, 429, ["insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED"]),
        ] {
            let fails = || Reply::json(status, "{\"error\":{\"message\":\"no such luck\",\"type\":\"t\"}}");
            let a = Provider::with(fails());
            a.will(fails());
            let proxy = one(client, &a, "", "");
            // The first is asked, the second let through; the third is told without a call.
            for _ in 0..2 {
                ask(&proxy, client, false, &[]);
                a.received();
            }
            let answer = ask(&proxy, client, false, &[]);
            let code = if status == 402 && client.protocol == Protocol::Anthropic { 402 } else { code };
            let wait = check(client, &answer, code, codes);
            assert!((590..=900).contains(&wait), "{wait}");
            assert!(answer.text().contains("no such luck") && a.is_idle(), "{}", answer.text());
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
    }
}

#[test]
fn an_empty_bucket_is_told_with_all_its_numbers() {
    for client in &LANES {
        for (limit, metric, most) in [("requests: 1", "requests", "1"), ("tokens: 5", "tokens", "5")] {
            let a = Provider::with(Reply::json(200, &client.pong("first")));
            for (models, scope) in [("all", "provider"), ("[first]", "model")] {
                let bucket = format!("buckets: [{{name: month, models: {models}, {limit}, window: 1mo}}]");
                let proxy = one(client, &a, "", &bucket);
                if scope == "model" {
                    a.will(Reply::json(200, &client.pong("first")));
                }
                assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
                let answer = ask(&proxy, client, true, &[]);
                let codes = ["rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"];
                let wait = check(client, &answer, 429, codes);
                assert!((1..=31 * 24 * 3600).contains(&wait), "{wait}");
                let told = ["reason", "metric", "window", "scope", "limit", "remaining"]
                    .map(|name| answer.header(&format!("x-ratelimit-{name}")).unwrap().to_owned());
                assert_eq!(told, ["bucket:month", metric, "1mo", scope, most, "0"]);
                assert_eq!(path(&answer).2, "a/first=bucket:month");
            }
        }
    }
}

#[test]
fn a_probe_that_is_answered_closes_the_breaker() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(500, "{}"));
    let proxy = one(client, &a, &format!("{ONCE}\nbreaker: {{threshold: 1, cooldown: 1ms}}"), "");
    assert_eq!(ask(&proxy, client, false, &[]).status(), 500);
    a.will(Reply::json(200, &client.pong("first")));
    assert!((0..1000).any(|_| ask(&proxy, client, false, &[]).status() == 200), "no probe");
    assert_eq!(proxy.get("/health").json()["providers"]["a"]["circuit_state"], "closed");
}

#[test]
fn an_open_breaker_is_told_as_degraded_and_never_asked() {
    for client in &LANES {
        let a = Provider::with(Reply::json(500, "{}"));
        let proxy = one(client, &a, &format!("{ONCE}\nbreaker: {{threshold: 1, cooldown: 9s}}"), "");
        assert_eq!(ask(&proxy, client, false, &[]).status(), 500);
        a.received();
        for streamed in [false, true] {
            let answer = ask(&proxy, client, streamed, &[]);
            let wait = check(client, &answer, 503, DEGRADED);
            assert!((1..=9).contains(&wait), "{wait}");
            assert_eq!(answer.header("x-llm-proxy-error-class"), Some("provider_degraded"));
            let text = answer.text();
            assert!(
                text.contains("[LLM_PROXY_PROVIDER_DEGRADED]") && text.contains("a/first (breaker)"),
                "{text}"
            );
            assert_eq!(path(&answer), ("-", "0", "a/first=breaker"));
        }
        assert!(a.is_idle());
    }
}

#[test]
fn mixed_reasons_are_degraded() {
    let client = lane(Protocol::OpenaiResponses);
    let (a, b) = (Provider::with(Reply::json(401, "{}")), Provider::with(Reply::json(500, "{}")));
    let top = format!("{ONCE}\nbreaker: {{threshold: 1, signal: SIGNAL-7}}");
    let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), &top));
    ask(&proxy, client, false, &[]);
    let answer = ask(&proxy, client, false, &[]);
    assert!(check(client, &answer, 503, DEGRADED) <= 30);
    assert!(answer.text().contains("SIGNAL-7"));
    // The key is not tried: its turn would be later than the breaker's.
    assert_eq!(path(&answer), ("-", "0", "a/first=cooldown:auth, b/up-model-1=breaker"));
}

#[test]
fn what_one_cannot_carry_waits_for_the_other_that_rests() {
    let (client, other) = (lane(Protocol::OpenaiResponses), lane(Protocol::OpenaiChat));
    let body = client.ping(ASKED).replace("\"input\"", "\"previous_response_id\":\"resp_0\",\"input\"");
    let top = format!("{ONCE}\nbreaker: {{threshold: 1}}");
    for status in [429, 500] {
        let (a, b) = (Provider::with(Reply::json(status, "{}")), Provider::start());
        let proxy = Proxy::start(&two((client, &a.url()), (other, &b.url()), &top));
        assert_eq!(proxy.post("/v1/responses", &body).status(), status);
        a.received();
        a.will(Reply::json(200, &client.pong("first")));
        let answer = proxy.post("/v1/responses", &body);
        if status == 429 {
            assert_eq!(path(&answer), ("a/first", "1", "b/up-model-1=refusal:previous_response_id"));
        } else {
            check(client, &answer, 503, DEGRADED);
            assert_eq!(path(&answer).2, "a/first=breaker, b/up-model-1=refusal:previous_response_id");
        }
        assert!(b.is_idle());
    }
    // One that could not carry it either is not waited for.
    let (a, b) = (Provider::with(Reply::json(500, "{}")), Provider::start());
    let proxy = Proxy::start(&two((other, &a.url()), (other, &b.url()), &top));
    b.will(Reply::json(200, &other.pong(UPSTREAM)));
    assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
    let answer = proxy.post("/v1/responses", &body);
    assert_eq!((answer.status(), path(&answer).2), (400, "a/first=breaker"));
}

#[test]
fn a_model_that_is_switched_off_is_degraded() {
    let client = lane(Protocol::Gemini);
    let a = Provider::start();
    let other = provider("other", client, &a.url(), "");
    let providers = [provider("a", client, &a.url(), "enabled: false"), other];
    let proxy = Proxy::start(&config("", &providers, &in_turn(&["a/first"])));
    let answer = ask(&proxy, client, false, &[]);
    check(client, &answer, 503, DEGRADED);
    assert_eq!(path(&answer).2, "a/first=disabled");
    assert_eq!(answer.header("x-llm-proxy-error-class"), Some("provider_degraded"));
}

#[test]
fn what_fits_nowhere_is_the_clients_to_change() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::start();
    for (models, body, status, said) in [
        ("{context: 40}", "long", 400, "prompt is too long: "),
        ("{context: 40}", "ping", 400, "input length and `max_tokens` exceed context limit: 1 + 50 > 40"),
        ("{tools: false}", "tools", 400, "capability:tools"),
        ("{input: [text]}", "image", 400, "capability:vision"),
        ("{stream: false}", "stream", 400, "capability:stream"),
    ] {
        let proxy = one(client, &a, "", &format!("models: {{first: {models}}}"));
        let ping = client.ping("asked-name");
        let body = match body {
            "tools" => ping.replace("\"messages\"", "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],\"messages\""),
            "image" => ping.replace("\"ping\"", "[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]"),
            "stream" => client.streamed_ping("asked-name"),
            "long" => ping.replace("ping", &"ping ".repeat(50)),
            _ => ping,
        };
        let answer = proxy.post("/v1/messages", &body);
        assert_eq!(answer.status(), status, "{}", answer.text());
        let message = client.error_message(&answer.json());
        assert!(message.contains(said), "{message}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    assert!(a.is_idle());
}

#[test]
fn an_image_by_url_goes_to_whoever_takes_it() {
    let (chat, anthropic) = (lane(Protocol::OpenaiChat), lane(Protocol::Anthropic));
    let (a, b) = (Provider::start(), Provider::with(Reply::json(200, &anthropic.pong(UPSTREAM))));
    let proxy = Proxy::start(&two((lane(Protocol::Gemini), &a.url()), (anthropic, &b.url()), ""));
    let content = "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.example/y.png\"}}]";
    let body =
        format!("{{\"model\":\"{ASKED}\",\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}");
    let answer = proxy.post(&chat.path(ASKED), &body);
    assert_eq!(path(&answer), ("b/up-model-1", "1", "a/first=capability:image_url"));
}

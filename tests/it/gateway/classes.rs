//! What follows from each class of failure (SPEC 6.1): as seen from outside, with a second target.

use llmgate::protocol::Protocol;

use crate::support::duo::{ask, config, in_turn, path, provider, two};
use crate::support::lane::{ASKED, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

const SECOND: &str = "b/up-model-1";

/// One row: the first target fails so each time it is asked; it is asked so often by the first
/// request, which the second target answers or not; and so the next request skips it.
struct Row {
    status: u16,
    body: &'static str,
    tries: usize,
    goes_on: bool,
    skipped: &'static str,
}

const fn row(status: u16, body: &'static str, tries: usize, goes_on: bool, skipped: &'static str) -> Row {
    Row { status, body, tries, goes_on, skipped }
}

#[rustfmt::skip] // a table reads best as one
const ROWS: [Row; 22] = [
    row(500, "{}", 2, true, "a/first=breaker"),
    row(502, "{}", 2, true, "a/first=breaker"),
    row(408, "{}", 2, true, "a/first=breaker"),
    row(409, "{}", 2, true, "a/first=breaker"),
    row(503, "{}", 1, true, "a/first=breaker"),
    row(529, "{}", 1, true, "a/first=breaker"),
    row(307, "{}", 2, true, "a/first=breaker"),
    row(200, "<html>", 2, true, "a/first=breaker"),
    row(200, "", 2, true, "a/first=breaker"),
    row(429, "{}", 1, true, "a/first=cooldown:rate_limit"),
    row(402, "{}", 1, true, "a/first=cooldown:quota"),
    row(429, "{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}", 1, true, "a/first=cooldown:quota"),
    row(400, "{\"error\":{\"message\":\"Your credit balance is too low\"}}", 1, true, "a/first=cooldown:quota"),
    row(401, "{}", 1, true, "a/first=cooldown:auth"),
    row(403, "{\"error\":{\"message\":\"api key not valid here\"}}", 1, true, "a/first=cooldown:auth"),
    row(403, "{}", 1, true, "a/first=cooldown:forbidden"),
    row(404, "{}", 1, true, "a/first=cooldown:not_found"),
    row(410, "{}", 1, true, "a/first=cooldown:not_found"),
    row(400, "{\"error\":{\"message\":\"content_policy\"}}", 1, false, "-"),
    row(400, "{\"error\":{\"message\":\"what is this\"}}", 1, false, "-"),
    row(422, "{}", 1, false, "-"),
    row(413, "{}", 1, false, "-"),
];

const SETTINGS: &str = "retry: {attempts: 2, base_delay: 0s, max_delay: 0s}\nbreaker: {threshold: 1}";

fn good(b: &Lane) -> Reply {
    Reply::json(200, &b.pong(UPSTREAM))
}

#[test]
fn each_class_has_its_consequences() {
    // On the native lane and on the other.
    for a in [lane(Protocol::Anthropic), lane(Protocol::Gemini)] {
        let client = lane(Protocol::Anthropic);
        for row in &ROWS {
            let (bad, b) = (Provider::start(), Provider::start());
            (0..4).for_each(|_| bad.will(Reply::json(row.status, row.body)));
            b.will(good(client));
            b.will(good(client));
            let proxy = Proxy::start(&two((a, &bad.url()), (client, &b.url()), SETTINGS));
            let answer = ask(&proxy, client, false, &[]);
            let case = format!("{} {} {}", a.name, row.status, row.body);
            for _ in 0..row.tries {
                bad.received();
            }
            assert!(bad.is_idle(), "{case}");
            let tries = (row.tries + usize::from(row.goes_on)).to_string();
            if row.goes_on {
                assert_eq!((answer.status(), path(&answer)), (200, (SECOND, tries.as_str(), "-")), "{case}");
            } else {
                assert_eq!(
                    (answer.status(), path(&answer).1),
                    (row.status, "1"),
                    "{case}: {}",
                    answer.text()
                );
            }
            let next = ask(&proxy, client, false, &[]);
            assert_eq!(path(&next).2, row.skipped, "{case}");
            assert_eq!(bad.is_idle(), row.goes_on, "{case}");
        }
    }
}

#[test]
fn a_refused_key_rests_the_whole_provider_and_others_do_not() {
    for (status, skipped) in
        [(401, "a/first=cooldown:auth, a/other=cooldown:auth"), (429, "a/first=cooldown:rate_limit")]
    {
        let client = lane(Protocol::OpenaiChat);
        let (a, b) = (Provider::with(Reply::json(status, "{}")), Provider::start());
        let providers = [provider("a", client, &a.url(), ""), provider("b", client, &b.url(), "")];
        let models = in_turn(&["a/first", SECOND, "a/other"]);
        let proxy = Proxy::start(&config(SETTINGS, &providers, &models));
        for wanted in ["-", skipped] {
            b.will(good(client));
            assert_eq!(path(&ask(&proxy, client, false, &[])).2, wanted);
        }
    }
}

#[test]
fn a_cooldown_ends_with_an_answer() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(429, "{}"));
    let b = Provider::with(good(client));
    let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), SETTINGS));
    assert_eq!(path(&ask(&proxy, client, false, &[])).0, SECOND);
    // Somebody insists, and it works.
    a.will(good(client));
    let bypass = [("x-llmgate-bypass-circuit", "1")];
    assert_eq!(path(&ask(&proxy, client, false, &bypass)), ("a/first", "1", "-"));
    a.will(good(client));
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("a/first", "1", "-"));
}

#[test]
fn own_rules_decide_first() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(400, "{\"error\":{\"message\":\"The Daily Free Tier is over\"}}"));
    let b = Provider::start();
    let top = format!("{SETTINGS}\nclassify: [{{status: 4xx, match: \"daily free tier\", as: quota}}]");
    let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), &top));
    for skipped in ["-", "a/first=cooldown:quota"] {
        b.will(good(client));
        assert_eq!(path(&ask(&proxy, client, false, &[])).2, skipped);
    }
}

#[test]
fn a_refusal_of_moderation_goes_on_where_that_is_set() {
    let client = lane(Protocol::OpenaiChat);
    for (set, status) in [(true, 200), (false, 400)] {
        let a =
            Provider::with(Reply::json(400, "{\"error\":{\"message\":\"no\",\"code\":\"content_filter\"}}"));
        let b = Provider::with(good(client));
        let top = format!("retry: {{policy_fallback: {set}}}");
        let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), &top));
        assert_eq!(ask(&proxy, client, false, &[]).status(), status);
    }
}

#[test]
fn a_request_that_does_not_fit_goes_to_a_larger_model_once() {
    let client = lane(Protocol::OpenaiChat);
    let long = "{\"error\":{\"message\":\"maximum context length is 9000 tokens\",\"code\":\"context_length_exceeded\"}}";
    let servers: Vec<Provider> = (0..4).map(|_| Provider::start()).collect();
    let sizes = [
        "first: {context: 9000}",
        "second: {context: 9000}",
        "third: {context: 20000}",
        "fourth: {context: 30000}",
    ];
    let names = ["a", "b", "c", "d"];
    let providers: Vec<String> = (0..4)
        .map(|at| provider(names[at], client, &servers[at].url(), &format!("models: {{{}}}", sizes[at])))
        .collect();
    let models = in_turn(&["a/first", "b/second", "c/third", "d/fourth"]);
    let proxy = Proxy::start(&config("retry: {attempts: 1}", &providers, &models));
    let long = || Reply::json(400, long);
    // The next larger one answers; another failure of it still leads to the next.
    servers[0].will(long());
    servers[2].will(good(client));
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("c/third", "2", "-"));
    servers[0].will(long());
    servers[2].will(Reply::json(500, "{}"));
    servers[3].will(good(client));
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("d/fourth", "3", "-"));
    // Once: when it is too small as well, the client is told, and can make its prompt smaller.
    servers[0].will(long());
    servers[2].will(long());
    let answer = ask(&proxy, client, false, &[]);
    assert_eq!((answer.status(), path(&answer).1), (400, "2"));
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
    assert!(servers[1].is_idle());
}

#[test]
fn tries_have_a_limit_for_the_request_and_for_a_target() {
    let client = lane(Protocol::OpenaiChat);
    let bad = || {
        let provider = Provider::start();
        (0..9).for_each(|_| provider.will(Reply::json(500, "{}")));
        provider
    };
    for (retry, own, tries) in [
        ("attempts: 3, total: 0", "", "6"),
        ("attempts: 3, total: 4", "", "4"),
        ("attempts: 1", "", "2"),
        ("attempts: 2", ", attempts: 4", "6"),
    ] {
        let (a, b) = (bad(), bad());
        let top = format!("retry: {{{retry}, base_delay: 0s, max_delay: 0s}}");
        let text = two((client, &a.url()), (client, &b.url()), &top);
        let text = text.replace("\"a/first\"", &format!("\"a/first\"{own}"));
        let answer = ask(&Proxy::start(&text), client, false, &[]);
        assert_eq!((answer.status(), path(&answer).1), (500, tries), "{retry} {own}");
    }
}

#[test]
fn where_a_bucket_has_no_room_for_a_retry_the_failure_is_told() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(500, "{\"error\":{\"message\":\"ill\"}}"));
    let bucket = "buckets: [{name: few, requests: 1, window: 1mo}]";
    let text =
        config("retry: {base_delay: 0s}", &[provider("a", client, &a.url(), bucket)], &in_turn(&["a/first"]));
    let answer = ask(&Proxy::start(&text), client, false, &[]);
    assert_eq!((answer.status(), path(&answer).1), (500, "1"));
    assert!(answer.text().contains("ill"), "{}", answer.text());
}

#[test]
fn an_answer_that_tells_no_usage_takes_its_estimate() {
    let client = lane(Protocol::OpenaiChat);
    let silent =
        "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"finish_reason\":\"stop\"}]}";
    let a = Provider::with(Reply::json(200, silent));
    let bucket = "buckets: [{name: few, tokens: 50, window: 1mo}]";
    let proxy = Proxy::start(&config("", &[provider("a", client, &a.url(), bucket)], &in_turn(&["a/first"])));
    let body = client.ping(ASKED).replace("ping", &"word ".repeat(100));
    assert_eq!(proxy.post(&client.path(ASKED), &body).status(), 200);
    let answer = ask(&proxy, client, false, &[]);
    assert_eq!((answer.status(), answer.header("x-ratelimit-metric")), (429, Some("tokens")));
}

#[test]
fn an_overloaded_target_is_not_asked_again_before_its_time() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::with(Reply::json(529, "{}").header("retry-after", "9"));
    a.will(good(client));
    let b = Provider::with(Reply::json(500, "{}"));
    let top = "retry: {attempts: 1, max_wait: 9s}\ntimeouts: {total: 300ms}";
    let text = two((client, &a.url()), (client, &b.url()), top);
    let text = text.replace("\"a/first\"", "\"a/first\", attempts: 2");
    assert_eq!(ask(&Proxy::start(&text), client, false, &[]).status(), 504);
}

#[test]
fn an_overloaded_target_is_asked_again_when_the_others_fail() {
    let client = lane(Protocol::Anthropic);
    let (a, b) = (Provider::with(Reply::json(529, "{}")), Provider::with(Reply::json(503, "{}")));
    a.will(good(client));
    let proxy = Proxy::start(&two((client, &a.url()), (client, &b.url()), "retry: {base_delay: 0s}"));
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("a/first", "3", "-"));
}

#[test]
fn a_rate_limit_is_waited_for_twice_and_no_longer_than_is_set() {
    let client = lane(Protocol::OpenaiChat);
    let alone = |a: &Provider, top: &str| {
        let providers = [provider("a", client, &a.url(), "")];
        Proxy::start(&config(top, &providers, &in_turn(&["a/first"])))
    };
    let limited = || Reply::json(429, "{}").header("retry-after", "0");
    for (limits, status, tries) in [(1, 200, "2"), (2, 200, "3"), (3, 429, "3")] {
        let a = Provider::start();
        (0..limits).for_each(|_| a.will(limited()));
        a.will(good(client));
        // `attempts` has nothing to do with it.
        let answer = ask(&alone(&a, "retry: {attempts: 1, base_delay: 0s}"), client, false, &[]);
        assert_eq!((answer.status(), path(&answer).1), (status, tries));
    }
    let a = Provider::with(Reply::json(429, "{}").header("retry-after", "31"));
    let answer = ask(&alone(&a, ""), client, false, &[]);
    assert_eq!((answer.status(), answer.header("retry-after"), path(&answer).1), (429, Some("31"), "1"));
}

#[test]
fn a_rate_limit_that_says_nothing_is_told_with_the_targets_own_cooldown() {
    for a in [lane(Protocol::OpenaiResponses), lane(Protocol::Anthropic)] {
        for (cooldown, told) in [("7s", "7"), ("200ms", "1"), ("0s", "1")] {
            let client = lane(Protocol::OpenaiResponses);
            let bad = Provider::with(Reply::json(429, "{\"error\":{\"message\":\"slow\",\"type\":\"t\"}}"));
            let providers = [provider("a", a, &bad.url(), "")];
            let top = format!("retry: {{max_wait: 0s}}\ncooldown: {{rate_limit: {cooldown}}}");
            let answer =
                ask(&Proxy::start(&config(&top, &providers, &in_turn(&["a/first"]))), client, true, &[]);
            assert_eq!(
                (answer.status(), answer.header("retry-after")),
                (429, Some(told)),
                "{}",
                answer.text()
            );
        }
    }
}

#[test]
fn a_provider_whose_account_has_nothing_left_rests_as_a_whole() {
    let client = lane(Protocol::OpenaiChat);
    for (requests, tokens, after, whole) in
        [("0", "0", "60", true), ("0", "7", "60", false), ("0", "0", "59", false), ("3", "0", "61", false)]
    {
        let limited = Reply::json(429, "{}")
            .header("retry-after", after)
            .header("x-ratelimit-remaining-requests", requests)
            .header("x-ratelimit-remaining-tokens", tokens);
        let (a, b) = (Provider::with(limited), Provider::start());
        let providers = [provider("a", client, &a.url(), ""), provider("b", client, &b.url(), "")];
        let proxy = Proxy::start(&config("", &providers, &in_turn(&["a/first", SECOND, "a/other"])));
        let other = if whole { ", a/other=cooldown:rate_limit" } else { "" };
        for skipped in ["-", &format!("a/first=cooldown:rate_limit{other}")] {
            b.will(good(client));
            assert_eq!(path(&ask(&proxy, client, false, &[])).2, skipped);
        }
    }
}

#[test]
fn claude_code_reads_an_exceeded_context_in_its_own_words() {
    let (client, target) = (lane(Protocol::Anthropic), lane(Protocol::OpenaiChat));
    let unknown = "Your input exceeds the context window of this model.";
    for (said, models, told) in [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            "",
            "prompt is too long: 9000 tokens > 8192 maximum",
        ),
        (unknown, "models: {first: {context: 1000}}", "prompt is too long: 1001 tokens > 1000 maximum"),
        (unknown, "", "prompt is too long"),
        (
            "The maximum context length is 200 tokens, you requested 250 tokens (150 in the messages, 100 in the completion).",
            "",
            "input length and `max_tokens` exceed context limit: 150 + 100 > 200",
        ),
    ] {
        let body = format!("{{\"error\":{{\"message\":\"{said}\",\"code\":\"context_length_exceeded\"}}}}");
        for (streamed, reply) in [
            (false, Reply::json(400, &body)),
            (true, Reply::json(400, &body)),
            (true, Reply::sse([format!("data: {body}\n\n")])),
        ] {
            let a = Provider::with(reply);
            let proxy =
                Proxy::start(&config("", &[provider("a", target, &a.url(), models)], &in_turn(&["a/first"])));
            let answer = ask(&proxy, client, streamed, &[]);
            let message = client.error_message(&answer.json());
            assert_eq!((answer.status(), message), (400, format!("{told}. a/first: {said}")));
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        }
    }
    // Others have a code for it.
    let other = lane(Protocol::OpenaiResponses);
    let a = Provider::with(Reply::json(400, "{\"error\":{\"message\":\"too many tokens\"}}"));
    let providers = [provider("a", target, &a.url(), "")];
    let answer = ask(&Proxy::start(&config("", &providers, &in_turn(&["a/first"]))), other, false, &[]);
    assert_eq!(answer.json()["error"]["message"], "a/first: too many tokens");
}

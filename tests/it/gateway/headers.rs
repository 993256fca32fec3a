//! Headers in both directions, credentials.

use crate::support::lane::{ASKED, KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Received, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;
use llmgate::protocol::Protocol;

const FORWARDED: [&str; 16] = [
    "anthropic-beta",
    "anthropic-new",
    "openai-beta",
    "x-openai-new",
    "x-codex-new",
    "x-claude-code-session-id",
    "x-stainless-os",
    "x-session-id",
    "session-id",
    "thread-id",
    "x-client-request-id",
    "originator",
    "idempotency-key",
    "x-app",
    "x-goog-api-client",
    "user-agent",
];

const NEVER_FORWARDED: [&str; 11] = [
    "cookie",
    "x-api-key",
    "api-key",
    "openai-api-key",
    "anthropic-api-key",
    "x-goog-api-key",
    "forwarded",
    "x-forwarded-for",
    "x-other",
    "referer",
    "proxy-authorization",
];

fn ask(lane_at: usize, provider: &Provider, config: &str, headers: &[(&str, &str)]) -> Received {
    let lane = &LANES[lane_at];
    provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
    let proxy = Proxy::start(config);
    let answer = proxy.ask("POST", &lane.path(ASKED), headers, &lane.ping(ASKED));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    provider.received()
}

#[test]
fn known_headers_are_forwarded_and_others_are_not() {
    for (at, lane) in LANES.iter().enumerate() {
        let provider = Provider::start();
        let names = FORWARDED.iter().chain(&NEVER_FORWARDED);
        let mut headers: Vec<(&str, &str)> = names.map(|name| (*name, "of-the-client")).collect();
        headers.push(("authorization", "Bearer of-the-client"));
        headers.push(("accept-encoding", "gzip, br"));
        let received = ask(at, &provider, &lane.config(&provider.url()), &headers);
        for name in FORWARDED {
            assert_eq!(received.header(name), Some("of-the-client"), "{} {name}", lane.name);
        }
        let leaked: Vec<_> = received
            .headers
            .iter()
            .filter(|(name, value)| value.contains("of-the-client") && !FORWARDED.contains(&name.as_str()))
            .collect();
        assert!(leaked.is_empty(), "{}: {leaked:?}", lane.name);
        let (name, before) = lane.credential;
        assert_eq!(received.header(name), Some(format!("{before}{KEY}").as_str()), "{}", lane.name);
        assert_eq!(received.header("accept-encoding"), Some("identity"));
        assert_eq!(received.header("content-type"), Some("application/json"));
        let host = provider.url().replace("http://", "");
        assert_eq!(received.header("host"), Some(host.as_str()));
    }
}

#[test]
fn a_list_in_several_lines_stays_whole() {
    for (at, lane) in LANES.iter().enumerate() {
        let provider = Provider::start();
        let lines = [
            ("anthropic-beta", "context-1m"),
            ("session-id", "s"),
            ("anthropic-beta", "files, skills"),
            ("session-id", "s"),
        ];
        let received = ask(at, &provider, &lane.config(&provider.url()), &lines);
        assert_eq!(received.header("anthropic-beta"), Some("context-1m, files, skills"), "{}", lane.name);
        assert_eq!(received.header("session-id"), Some("s"), "{}", lane.name);
    }
}

#[test]
fn what_is_missing_is_added_and_the_providers_own_win() {
    let lane = lane(Protocol::Anthropic);
    let provider = Provider::start();
    let config = lane.config(&provider.url());
    let received = ask(2, &provider, &config, &[]);
    assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
    assert!(received.header("user-agent").unwrap().starts_with("llmgate/"));
    let received = ask(2, &provider, &config, &[("anthropic-version", "2099-01-01")]);
    assert_eq!(received.header("anthropic-version"), Some("2099-01-01"));
    let own = "headers: {X-Title: my-laptop, Anthropic-Version: own, User-Agent: mine}";
    let config = lane.config_with(&provider.url(), own, "");
    let received =
        ask(2, &provider, &config, &[("anthropic-version", "2099-01-01"), ("user-agent", "theirs")]);
    for (name, value) in [("x-title", "my-laptop"), ("anthropic-version", "own"), ("user-agent", "mine")] {
        let values: Vec<_> = received.headers.iter().filter(|(known, _)| known == name).collect();
        assert_eq!(values, [&(name.to_owned(), value.to_owned())]);
    }
}

#[test]
fn the_credential_has_the_form_that_is_set() {
    for (at, lane) in LANES.iter().enumerate() {
        let provider = Provider::start();
        let bearer = format!("Bearer {KEY}");
        for (form, wanted) in [
            ("bearer", Some(("authorization", bearer.as_str()))),
            ("x-api-key", Some(("x-api-key", KEY))),
            ("x-goog-api-key", Some(("x-goog-api-key", KEY))),
            ("none", None),
        ] {
            let config = lane.config_with(&provider.url(), &format!("auth: {form}"), "");
            let received = ask(at, &provider, &config, &[("x-api-key", "of-the-client")]);
            let sent: Vec<(&str, &str)> = received
                .headers
                .iter()
                .filter(|(_, value)| value.contains(KEY) || value.contains("of-the-client"))
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(sent, wanted.into_iter().collect::<Vec<_>>(), "{} {form}", lane.name);
        }
    }
}

#[test]
fn the_clients_own_key_goes_upstream_where_that_is_set() {
    for (at, lane) in LANES.iter().enumerate() {
        let provider = Provider::start();
        let config = lane.config_with(&provider.url(), "", "client_auth: {mode: client_key}");
        for header in [
            ("authorization", "Bearer own-key-1"),
            ("x-api-key", "own-key-1"),
            ("x-goog-api-key", "own-key-1"),
        ] {
            let received = ask(at, &provider, &config, &[header]);
            let (name, before) = lane.credential;
            assert_eq!(received.header(name), Some(format!("{before}own-key-1").as_str()), "{}", lane.name);
            assert_eq!(received.headers.iter().filter(|(_, value)| value.contains("own-key-1")).count(), 1);
            assert!(received.headers.iter().all(|(_, value)| !value.contains(KEY)));
        }
        let proxy = Proxy::start(&config);
        let refused = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(refused.status(), 401, "{}", refused.text());
        lane.error_message(&refused.json());
        assert!(provider.is_idle());
    }
}

#[test]
fn the_providers_headers_come_back() {
    let returned = [
        ("request-id", "r1"),
        ("x-request-id", "r2"),
        ("x-should-retry", "false"),
        ("openai-processing-ms", "7"),
        ("ratelimit-limit", "5"),
        ("x-ratelimit-remaining-tokens", "9"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-organization-id", "o"),
        ("openai-version", "2020"),
        ("x-codex-primary-used-percent", "3"),
    ];
    let kept = [("set-cookie", "a=b"), ("x-other", "c"), ("cf-ray", "d"), ("strict-transport-security", "e")];
    for lane in &LANES {
        for (streamed, reply) in [
            (false, Reply::json(200, &lane.pong(UPSTREAM))),
            (true, Reply::sse([lane.streamed_pong(UPSTREAM)])),
            (false, Reply::json(400, "{\"error\":{\"message\":\"bad\"}}")),
            (false, Reply::json(429, "{\"error\":{\"message\":\"slow down\"}}").header("retry-after", "1.2")),
        ] {
            let reply =
                returned.iter().chain(&kept).fold(reply, |reply, (name, value)| reply.header(name, value));
            let provider = Provider::with(reply);
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = match streamed {
                true => proxy.post(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)),
                false => proxy.post(&lane.path(ASKED), &lane.ping(ASKED)),
            };
            for (name, value) in returned {
                let values: Vec<_> = answer.head.headers.iter().filter(|(known, _)| known == name).collect();
                assert_eq!(values, [&(name.to_owned(), value.to_owned())], "{}", lane.name);
            }
            for (name, _) in kept {
                assert_eq!(answer.header(name), None, "{}", lane.name);
            }
            let wait = (answer.status() == 429).then_some("2");
            assert_eq!(answer.header("retry-after"), wait, "{}", lane.name);
        }
    }
}

#[test]
fn few_headers_of_ours_where_that_is_set() {
    let lane = lane(Protocol::OpenaiChat);
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", "response_headers: false"));
    let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
    let ours: Vec<_> = answer.head.headers.iter().filter(|(name, _)| name.starts_with("x-llmgate")).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(ours[0].0, "x-llmgate-request-id");
}

#[test]
fn as_many_headers_go_on_as_a_head_holds() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            let count =
                visit.request().headers.iter().filter(|(name, _)| name.starts_with("x-session-")).count();
            visit.tell(if count == 19 { "all" } else { "some" });
            visit.answer(&lane.pong(UPSTREAM));
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let value = "v".repeat(3000);
        let names: Vec<String> = (0..19).map(|number| format!("x-session-{number}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
        let answer = proxy.ask("POST", &lane.path(ASKED), &headers, &lane.ping(ASKED));
        assert_eq!(answer.status(), 200, "{}: {}", lane.name, answer.text());
        assert_eq!(rogue.told(), "all");
    }
}

#[test]
fn a_line_that_cannot_be_sent_is_no_targets_fault() {
    let long = "v".repeat(17_000);
    for lane in &LANES {
        let provider = Provider::start();
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let (path, body) = (lane.path(ASKED), lane.ping(ASKED));
        let refused = [
            proxy.ask("POST", &path, &[("x-session-more", &long)], &body),
            proxy.ask("POST", &format!("{path}?more={long}"), &[], &body),
        ];
        for answer in refused {
            assert_eq!(answer.status(), 431, "{}: {}", lane.name, answer.text());
            assert!(lane.error_message(&answer.json()).contains("16 KiB"));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
        assert!(provider.is_idle());
        let status = proxy.settled(2);
        assert_eq!(
            (&status["targets"][0]["failures"], &status["targets"][0]["errors"]),
            (&0.into(), &0.into())
        );
    }
}

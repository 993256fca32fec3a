//! Money (SPEC 7.5): a warning at 80 %, a refusal at 100 %, and what has no price.

use llmgate::protocol::Protocol;

use crate::support::duo::{ask, config, in_turn, provider};
use crate::support::lane::{LANES, Lane, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// Each answer has 9 tokens in and 2 out: 11 USD.
const PRICED: &str = "models: {first: {price: {input: 1000000, output: 1000000}}}";

fn proxy(client: &Lane, server: &Provider, budget: &str, model: &str) -> Proxy {
    let providers = [provider("a", client, &server.url(), model)];
    Proxy::start(&config(&format!("usage: {{budget: {{{budget}}}}}"), &providers, &in_turn(&["a/first"])))
}

#[test]
fn a_budget_warns_and_then_refuses() {
    for client in &LANES {
        for (budget, name) in
            [("session: 13", "session"), ("day: 13", "day"), ("session: 50, day: 13", "day")]
        {
            let a = Provider::start();
            let proxy = proxy(client, &a, budget, PRICED);
            for (streamed, share) in [(false, None), (true, Some("0.85"))] {
                a.will(match streamed {
                    true => Reply::sse([client.streamed_pong("first")]),
                    false => Reply::json(200, &client.pong("first")),
                });
                let answer = ask(&proxy, client, streamed, &[]);
                assert_eq!(
                    (answer.status(), answer.header("x-llmgate-budget")),
                    (200, share),
                    "{}",
                    client.name
                );
            }
            a.will(Reply::json(200, &client.pong("first")));
            assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
            let answer = ask(&proxy, client, false, &[]);
            let status = if client.protocol == Protocol::Anthropic { 402 } else { 429 };
            assert_eq!(answer.status(), status, "{}", answer.text());
            let message = client.error_message(&answer.json());
            assert!(message.contains(name) && message.contains("22.0000 of 13.0000 USD"), "{message}");
            assert_eq!(answer.header("x-llmgate-budget"), Some("1.69"));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            let wait = answer.header("retry-after").map(|wait| wait.parse::<u64>().unwrap());
            assert_eq!(wait.is_some_and(|wait| (1..=86400).contains(&wait)), name == "day");
        }
    }
}

#[test]
fn a_name_that_leads_nowhere_is_told_before_a_budget() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let other = provider("other", client, "http://127.0.0.1:9", "");
    let providers = [provider("a", client, &a.url(), PRICED), other];
    let proxy = Proxy::start(&config("usage: {budget: {session: 1}}", &providers, &in_turn(&["a/first"])));
    assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
    assert_eq!(ask(&proxy, client, false, &[]).status(), 429);
    assert_eq!(proxy.post("/v1/chat/completions", &client.ping("nobody")).status(), 404);
}

#[test]
fn what_has_no_price_costs_nothing_of_a_budget() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::start();
    let proxy = proxy(client, &a, "session: 0.0001", "");
    for _ in 0..3 {
        a.will(Reply::json(200, &client.pong("first")));
        let answer = ask(&proxy, client, false, &[]);
        assert_eq!((answer.status(), answer.header("x-llmgate-budget")), (200, None));
    }
}

#[test]
fn counting_is_free() {
    let client = lane(Protocol::Anthropic);
    let a = Provider::with(Reply::json(200, &client.pong("first")));
    let proxy = proxy(client, &a, "session: 1", PRICED);
    assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
    a.will(Reply::json(200, "{\"input_tokens\":7}"));
    let answer = proxy.post("/v1/messages/count_tokens", &client.ping("asked-name"));
    assert_eq!((answer.status(), answer.json()["input_tokens"].as_u64()), (200, Some(7)));
}

//! `/debug/routes`: the plan as data, with the live health (SPEC 5.6).

use llmgate::protocol::Protocol;
use serde_json::{Value, json};

use crate::support::lane::{LANES, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

fn config(url: &str) -> String {
    format!(
        "version: 1\nlisten: 127.0.0.1:0\ndefault_model: coding\nproviders:\n  \
         up: {{protocol: anthropic, base_url: '{url}/v1', buckets: [{{name: few, models: [small], requests: 1, window: 1mo}}]}}\n  \
         other: {{protocol: openai-chat, base_url: '{url}/v1'}}\n  \
         off: {{protocol: gemini, base_url: '{url}/v1', enabled: false}}\n\
         models:\n  \
         coding:\n    affinity: 0\n    targets:\n      \
         - {{to: up/big, weight: 2}}\n      - {{to: other/big, priority: 2}}\n      - {{to: off/big, priority: 3}}\n    \
         fallback: [small]\n  small: up/small\n  hidden: {{listed: false, targets: [{{to: up/big}}]}}\n  \
         claude-*: up/*\n"
    )
}

fn routes(proxy: &Proxy, query: &str) -> Value {
    let answer = proxy.get(&format!("/debug/routes{query}"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_plan_is_told_in_full() {
    let proxy = Proxy::start(&config("http://127.0.0.1:9"));
    let told = routes(&proxy, "?model=coding&protocol=anthropic");
    let expected = json!({
        "asked": "coding", "protocol": "anthropic",
        "resolved": {"by": "alias", "name": null, "alias": "coding", "strategy": "auto"},
        "needs": [], "estimate": null,
        "candidates": [
            {"target": "up/big", "protocol": "anthropic", "lane": "native", "priority": 1, "weight": 2, "effective_weight": 2.0},
            {"target": "other/big", "protocol": "openai-chat", "lane": "translated", "priority": 2, "weight": 1, "effective_weight": 1.0},
            {"target": "up/small", "protocol": "anthropic", "lane": "native", "priority": 1, "weight": 1, "effective_weight": 1.0},
        ],
        "skipped": [
            {"target": "off/big", "protocol": "gemini", "reason": "disabled", "detail": null, "recovers_at": null, "recovers_in_s": null},
        ],
    });
    assert_eq!(told, expected);
}

#[test]
fn every_rule_of_names_is_told() {
    let proxy = Proxy::start(&config("http://127.0.0.1:9"));
    for (asked, by, name, alias) in [
        ("claude-x", "pattern", Value::Null, json!("claude-*")),
        ("up/any", "target", Value::Null, Value::Null),
        ("up:any%3A7b", "target", Value::Null, Value::Null),
        ("coding[1m]", "alias", json!("coding"), json!("coding")),
    ] {
        let resolved = &routes(&proxy, &format!("?model={asked}"))["resolved"];
        assert_eq!(
            (&resolved["by"], &resolved["name"], &resolved["alias"]),
            (&json!(by), &name, &alias),
            "{asked}"
        );
    }
    let only = Proxy::start(&LANES[0].config("http://127.0.0.1:9"));
    assert_eq!(routes(&only, "?model=anything")["resolved"]["by"], "only_provider");
}

#[test]
fn without_a_name_every_listed_one_is_told() {
    let proxy = Proxy::start(&config("http://127.0.0.1:9"));
    assert_eq!(names(&routes(&proxy, ""), "asked"), ["coding", "small"]);
}

#[test]
fn what_is_wrong_is_told() {
    let proxy = Proxy::start(&config("http://127.0.0.1:9"));
    let answer = proxy.get("/debug/routes?model=codign");
    assert_eq!(answer.status(), 404);
    assert!(answer.text().contains("coding"), "{}", answer.text());
    let answer = proxy.get("/debug/routes?model=coding&protocol=grpc");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("openai-responses"), "{}", answer.text());
    let outside = proxy.ask("GET", "/debug/routes", &[("x-forwarded-for", "10.0.0.1")], "");
    assert_eq!(outside.status(), 403);
}

#[test]
fn the_live_health_counts_and_a_look_changes_nothing() {
    let provider = Provider::start();
    let proxy = Proxy::start(&config(&provider.url()));
    let lane = lane(Protocol::Anthropic);
    provider.will(
        Reply::json(
            429,
            "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}",
        )
        .header("retry-after", "600"),
    );
    provider.will(Reply::json(200, &crate::support::lane::lane(Protocol::OpenaiChat).pong("big")));
    assert_eq!(proxy.post("/v1/messages", &lane.ping("coding")).status(), 200);
    provider.will(Reply::json(200, &lane.pong("small")));
    assert_eq!(proxy.post("/v1/messages", &lane.ping("small")).status(), 200);
    for _ in 0..3 {
        let told = routes(&proxy, "?model=coding&protocol=anthropic");
        assert_eq!(names(&told["candidates"], "target"), ["other/big"]);
        let skipped = told["skipped"].as_array().unwrap();
        let reasons: Vec<(&str, &str)> = skipped
            .iter()
            .map(|it| (it["target"].as_str().unwrap(), it["reason"].as_str().unwrap()))
            .collect();
        assert!(reasons.contains(&("up/big", "cooldown:rate_limit")), "{told}");
        assert!(reasons.contains(&("up/small", "bucket:few")), "{told}");
        let rest = skipped.iter().find(|it| it["target"] == "up/big").unwrap();
        assert!((1..=600).contains(&rest["recovers_in_s"].as_u64().unwrap()), "{told}");
        let full = skipped.iter().find(|it| it["target"] == "up/small").unwrap();
        assert_eq!(full["detail"], "0 of 1 requests left");
    }
}

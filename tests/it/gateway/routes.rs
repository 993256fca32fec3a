//! Names and where they lead.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// Two providers of a protocol, so that no name leads to the only one.
fn two(lane: &Lane, url: &str, models: &str) -> String {
    let line = |name: &str| format!("  {name}: {{protocol: {}, base_url: \"{url}/v1\"}}\n", lane.name);
    let providers = [line("up"), line("other")].concat();
    format!("version: 1\nlisten: 127.0.0.1:0\nproviders:\n{providers}models: {models}\n")
}

/// What the provider is asked for when a client asks for this.
#[track_caller]
fn leads(lane: &Lane, config: &str, provider: &Provider, asked: &str, model: &str) {
    provider.will(Reply::json(200, &lane.pong(model)));
    let proxy = Proxy::start(config);
    let answer = proxy.post(&lane.path(asked), &lane.ping(asked));
    assert_eq!((answer.status(), answer.text()), (200, lane.pong(asked)), "{} {asked}", lane.name);
    assert_eq!(provider.received().path, lane.upstream_path(model));
}

#[test]
fn names_lead_to_targets() {
    for lane in &LANES {
        let provider = Provider::start();
        let models = "{a: up/x, claude-*: up/*, claude-3-*: other/three, long: {targets: [up/y]}}";
        let models = models.replace("targets: [up/y]", "targets: [{to: up/y}]");
        let config = two(lane, &provider.url(), &models);
        for (asked, model) in [
            ("a", "x"),
            ("a[1m]", "x"),
            ("claude-9", "claude-9"),
            ("claude-3-5", "three"),
            ("long", "y"),
            ("up/direct", "direct"),
            ("other/with/slash", "with/slash"),
        ] {
            if lane.protocol == Protocol::Gemini && asked.contains('[') {
                continue;
            }
            leads(lane, &config, &provider, asked, model);
        }
    }
}

#[test]
fn the_only_provider_takes_every_name() {
    for lane in &LANES {
        let provider = Provider::start();
        let config = lane.config(&provider.url());
        leads(lane, &config, &provider, "never-heard-of", "never-heard-of");
    }
}

#[test]
fn a_name_that_leads_nowhere_is_told_with_its_like() {
    for lane in &LANES {
        let config = two(
            lane,
            "http://127.0.0.1:9",
            "{coding: up/x, closed: {enabled: false, targets: [{to: up/x}]}}",
        );
        let proxy = Proxy::start(&config);
        for asked in ["codign", "closed", "nobody/x"] {
            let answer = proxy.post(&lane.path(asked), &lane.ping(asked));
            assert_eq!(answer.status(), 404, "{}", answer.text());
            let message = lane.error_message(&answer.json());
            assert!(message.contains(asked) && message.contains("coding"), "{message}");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
        if lane.protocol == Protocol::OpenaiChat {
            let answer = proxy.post(&lane.path(""), "{\"messages\":[]}");
            assert_eq!(answer.status(), 404);
            assert!(lane.error_message(&answer.json()).contains("`default_model`"));
            let forbidden = Proxy::start(&config.replace("providers:", "direct_routes: false\nproviders:"));
            assert_eq!(forbidden.post(&lane.path("up/x"), &lane.ping("up/x")).status(), 404);
        }
    }
}

#[test]
fn the_default_takes_what_names_nothing() {
    let lane = lane(Protocol::Anthropic);
    let provider = Provider::start();
    let config = two(lane, &provider.url(), "{coding: up/x}")
        .replace("providers:", "default_model: coding\nproviders:");
    let proxy = Proxy::start(&config);
    provider.will(Reply::json(200, &lane.pong("x")));
    assert_eq!(proxy.post("/v1/messages", "{\"max_tokens\":5}").status(), 200);
    assert_eq!(provider.received().text(), "{\"max_tokens\":5,\"model\":\"x\"}");
    assert_eq!(proxy.post("/v1/messages", &lane.ping("unknown")).status(), 404);
    let config = config.replace("providers:", "unknown_model: default\nproviders:");
    leads(lane, &config, &provider, "unknown", "x");
}

#[test]
fn a_provider_of_several_protocols_is_spoken_to_in_the_clients() {
    let provider = Provider::start();
    for lane in LANES.iter().take(2) {
        let config = lane
            .config(&provider.url())
            .replace(&format!("protocol: {}", lane.name), "protocol: [openai-responses, openai-chat]");
        leads(lane, &config, &provider, ASKED, UPSTREAM);
    }
}

#[test]
fn what_is_switched_off_is_skipped() {
    for lane in &LANES {
        let provider = Provider::start();
        let targets = "[{to: other/x, enabled: false}, {to: up/y, priority: 2}]";
        let config = two(lane, &provider.url(), &format!("{{a: {{targets: {targets}}}}}"));
        provider.will(Reply::json(200, &lane.pong("y")));
        let proxy = Proxy::start(&config);
        let answer = proxy.post(&lane.path("a"), &lane.ping("a"));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("x-llmgate-skipped"), Some("other/x=disabled"));
        let config = config.replace("priority: 2", "enabled: false");
        let answer = Proxy::start(&config).post(&lane.path("a"), &lane.ping("a"));
        assert_eq!(answer.status(), 503, "{}", answer.text());
        lane.error_message(&answer.json());
    }
}

#[test]
fn every_prefix_leads_to_its_protocol() {
    for lane in &LANES {
        let (openai, anthropic) =
            (["/v1", "", "/openai/v1", "/openai"], ["/v1", "", "/anthropic/v1", "/anthropic"]);
        let gemini = ["/gemini/v1beta", "/gemini/v1", "/google/v1beta", "/google/v1", "/v1beta", "/v1"];
        let prefixes: &[&str] = match lane.protocol {
            Protocol::OpenaiChat | Protocol::OpenaiResponses => &openai,
            Protocol::Anthropic => &anthropic,
            Protocol::Gemini => &gemini,
        };
        let provider = Provider::start();
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let path = lane.path(ASKED);
        let below = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1")).unwrap();
        for prefix in prefixes {
            for end in ["", "/", "?beta=true"] {
                provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
                let answer = proxy.post(&format!("{prefix}{below}{end}"), &lane.ping(ASKED));
                assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)), "{prefix}{below}{end}");
                assert!(provider.received().path.starts_with(&lane.upstream_path(UPSTREAM)));
            }
        }
    }
}

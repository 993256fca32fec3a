//! What is shown of a running llmgate: status, metrics, dashboard.

use llmgate::protocol::Protocol;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{NOWHERE, Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;

const VIEWS: [&str; 4] = ["/debug/status", "/debug/status?as=text", "/metrics", "/dashboard"];
const CLIENT_KEY: &str = "gw_client-key-0123456789abcdef";

#[test]
fn without_keys_this_machine_alone_may_look() {
    let proxy = Proxy::start(&LANES[0].config(NOWHERE));
    for path in VIEWS {
        assert_eq!(proxy.get(path).status(), 200, "{path}");
        for header in [
            ("host", "proxy.example"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("origin", "https://evil.example"),
        ] {
            assert_eq!(proxy.ask("GET", path, &[header], "").status(), 403, "{path} {header:?}");
        }
        let answer = proxy.ask("POST", path, &[("x-llmgate-admin", "1")], "");
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}

#[test]
fn with_keys_a_key_is_needed_and_metrics_may_be_collected_from_elsewhere() {
    let keyed = format!("client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}");
    let proxy = Proxy::start(&LANES[0].config_with(NOWHERE, "", &keyed));
    let key = ("authorization", &*format!("Bearer {CLIENT_KEY}"));
    let elsewhere = ("host", "proxy.example");
    for path in ["/debug/status", "/metrics"] {
        assert_eq!(proxy.get(path).status(), 401, "{path}");
        assert_eq!(proxy.ask("GET", path, &[key], "").status(), 200, "{path}");
    }
    // The page holds nothing; it asks for the key by itself.
    assert_eq!(proxy.get("/dashboard").status(), 200);
    assert_eq!(proxy.ask("GET", "/dashboard", &[elsewhere, key], "").status(), 403);
    assert_eq!(proxy.ask("GET", "/debug/status", &[elsewhere, key], "").status(), 403);
    assert_eq!(proxy.ask("GET", "/metrics", &[elsewhere], "").status(), 403);
    assert_eq!(proxy.ask("GET", "/metrics", &[elsewhere, ("x-api-key", "wrong")], "").status(), 403);
    assert_eq!(proxy.ask("GET", "/metrics", &[elsewhere, key], "").status(), 200);
    // Any credential is taken in this mode, so that none opens the door from elsewhere.
    let any = Proxy::start(&LANES[0].config_with(NOWHERE, "", "client_auth: {mode: client_key}"));
    assert_eq!(any.ask("GET", "/metrics", &[elsewhere, key], "").status(), 403);
}

#[test]
fn with_a_door_of_their_own_they_are_nowhere_else() {
    let top = "access: {admin_listen: 127.0.0.1:0}";
    let proxy = Proxy::start(&LANES[0].config_with(NOWHERE, "", top));
    let local = proxy.server.local_addresses()[0];
    assert_ne!(local, proxy.address);
    for path in VIEWS {
        assert_eq!(proxy.get(path).status(), 404, "{path}");
        let mut client = Client::connect(local);
        client.ask("GET", path, &[], b"");
        assert_eq!(client.answer().status(), 200, "{path}");
    }
}

#[test]
fn the_dashboard_is_one_page_that_loads_nothing() {
    let proxy = Proxy::start(&LANES[0].config(NOWHERE));
    let page = proxy.get("/dashboard");
    let (html, policy) = (page.text(), page.header("content-security-policy").unwrap());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(html.len() <= 24 * 1024, "{}", html.len());
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
    for part in ["connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(html.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert_ne!(proxy.get("/dashboard").header("content-security-policy"), Some(policy));
    for never in
        ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "style=\"", " onclick"]
    {
        assert!(!html.contains(never), "{never}");
    }
    for foreign in ["src=\"", "href=\"http", "@import", "url(", "//cdn"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let off = Proxy::start(&LANES[0].config_with(NOWHERE, "", "dashboard: false"));
    assert_eq!(off.get("/dashboard").status(), 404);
    assert_eq!(off.get("/debug/status").status(), 200);
}

#[test]
fn a_failover_of_the_demo_is_seen_everywhere() {
    let proxy = Proxy::start_demo();
    let lane = lane(Protocol::Anthropic);
    let told = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)).rest();
    assert!(told.contains("message_stop"), "{told}");
    let status = proxy.settled(1);
    assert_eq!(status["session"]["failovers"], 1);
    let [overloaded, steady] = status["targets"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!(
        (&overloaded["target"], &steady["target"]),
        (&"demo/overloaded".into(), &"demo/steady".into())
    );
    assert!(overloaded["errors"].as_u64() >= Some(1) && steady["errors"] == 0, "{status}");
    assert_eq!(overloaded["last_error"]["class"], "transient");
    assert!(overloaded["last_error"]["text"].as_str().unwrap().contains("always overloaded"), "{status}");
    assert!(!overloaded["last_error"]["next"].as_str().unwrap().is_empty());
    assert!(steady["first_byte_ms"]["p50"].is_u64() && steady["tokens"]["output"].as_u64() > Some(0));
    assert!(steady["tokens_per_s"].as_f64() > Some(0.0) && steady["cost"] == 0.0, "{status}");
    let recent = &status["recent"][0];
    assert_eq!(
        (&recent["failed"][0]["target"], &recent["target"]),
        (&"demo/overloaded".into(), &"demo/steady".into())
    );
    assert_eq!(
        (&recent["model"], &recent["outcome"], &recent["lane"]),
        (&ASKED.into(), &"success".into(), &"native".into())
    );
    let metrics = proxy.get("/metrics").text();
    check_format(&metrics);
    for part in [
        "llmgate_failovers_total{model=\"*\"} 1",
        "llmgate_requests_total{ingress=\"anthropic\",model=\"*\",status=\"200\"} 1",
        "llmgate_attempts_total{target=\"demo/steady\",class=\"ok\"} 1",
        "llmgate_circuit_state{target=\"demo/overloaded\"} 0",
    ] {
        assert!(metrics.contains(part), "{part} is not in\n{metrics}");
    }
    let text = proxy.get("/debug/status?as=text").text();
    assert!(text.contains("demo/overloaded (transient) > demo/steady"), "{text}");
}

#[test]
fn an_open_breaker_is_seen_also_in_health() {
    let provider = Provider::start();
    let lane = &LANES[0];
    let top = "breaker: {threshold: 1}\nretry: {attempts: 1}";
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", top));
    provider.will(Reply::json(503, "{\"error\":{\"message\":\"no\"}}"));
    assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 503);
    let target = &proxy.settled(1)["targets"][0];
    assert_eq!(target["circuit_state"], "open");
    assert!(target["open_until"].as_u64() > Some(1_700_000_000_000), "{target}");
    let health = &proxy.get("/health").json()["providers"]["up"];
    assert_eq!((&health["circuit_state"], &health["circuit_failures"]), (&"open".into(), &1.into()));
    assert_eq!(health["circuit_cooldown_until"], target["open_until"]);
    assert!(proxy.get("/metrics").text().contains("llmgate_circuit_state{target=\"up/up-model-1\"} 2"));
}

#[test]
fn a_running_request_is_seen_with_its_phase() {
    let lane = lane(Protocol::OpenaiChat);
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.tell("asked");
        visit.wait();
        visit.begin();
        visit.chunk(&lane.content(UPSTREAM));
        visit.wait();
        visit.chunk(&lane.ending(UPSTREAM));
        visit.end();
    });
    let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", "limits: {requests: 1, queue: 5}"));
    let mut client = proxy.connect();
    client.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes());
    assert_eq!(rogue.told(), "asked");
    let held = proxy.get("/debug/status").json();
    assert_eq!((&held["in_flight"], &held["running"][0]["phase"]), (&1.into(), &"held".into()), "{held}");
    assert_eq!(held["running"][0]["target"], format!("up/{UPSTREAM}"));
    assert_eq!(
        (&held["running"][0]["model"], &held["running"][0]["ingress"]),
        (&ASKED.into(), &"openai-chat".into())
    );
    // A second one waits for the only slot.
    let mut waits = proxy.connect();
    waits.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes());
    proxy.until(|status| status["queued"] == 1 && status["running"][1]["phase"] == "waiting");
    waits.leave();
    rogue.go();
    let mut stream = client.stream();
    stream.event().unwrap();
    proxy.until(|status| status["running"][0]["phase"] == "streaming");
    rogue.go();
    stream.rest();
    let is_idle = |status: &Value| status["running"].as_array().is_some_and(Vec::is_empty);
    proxy.until(|status| is_idle(status) && status["in_flight"] == 0 && status["queued"] == 0);
}

#[test]
fn buckets_and_budgets_are_seen() {
    let lane = &LANES[0];
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    let more = format!(
        "buckets: [{{name: minute, requests: 10, tokens: 1000, window: 1d}}], \
         models: {{{UPSTREAM}: {{price: {{input: 1000, output: 1000}}}}}}"
    );
    let proxy = Proxy::start(&lane.config_with(
        &provider.url(),
        &more,
        "usage: {budget: {session: 5}, ledger: false}",
    ));
    assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
    let status = proxy.settled(1);
    let buckets = status["targets"][0]["buckets"].as_array().unwrap();
    let seen: Vec<_> =
        buckets.iter().map(|b| (b["metric"].as_str(), b["used"].as_u64(), b["limit"].as_u64())).collect();
    assert_eq!(seen, [(Some("requests"), Some(1), Some(10)), (Some("tokens"), Some(9), Some(1000))]);
    let session = &status["budget"]["session"];
    assert_eq!((session["spent"].as_f64(), session["limit"].as_f64()), (Some(0.011), Some(5.0)), "{status}");
    assert_eq!(status["session"]["tokens"]["input"], 9);
    let metrics = proxy.get("/metrics").text();
    let level = format!(
        "llmgate_bucket_remaining{{target=\"up/{UPSTREAM}\",bucket=\"minute\",metric=\"tokens\"}} 991"
    );
    assert!(metrics.contains(&level), "{metrics}");
    check_format(&metrics);
}

#[test]
fn hostile_names_and_texts_are_only_text() {
    let lane = &LANES[0];
    let provider = Provider::start();
    let hostile = "<img src=x onerror=alert(1)>\\\"} 1\nevil_metric 1\u{1b}[31m";
    let body = serde_json::json!({"error": {"message": format!("no {hostile}")}}).to_string();
    provider.will(Reply::json(400, &body));
    let proxy = Proxy::start(&lane.config(&provider.url()));
    let name = format!("up/{hostile}").replace('\n', " ").replace('\u{1b}', "");
    let ask = lane.ping("NAME").replace("\"NAME\"", &serde_json::to_string(&name).unwrap());
    assert_eq!(proxy.post(&lane.path("x"), &ask).status(), 400);
    let status = proxy.settled(1);
    assert_eq!(status["recent"][0]["model"], name);
    assert!(status["recent"][0]["detail"].as_str().unwrap().contains(hostile), "{status}");
    let metrics = proxy.get("/metrics").text();
    check_format(&metrics);
    assert!(!metrics.lines().any(|line| line.starts_with("evil")), "{metrics}");
    let text = proxy.get("/debug/status?as=text").text();
    assert!(text.lines().all(|line| !line.chars().any(char::is_control)), "{text:?}");
    assert!(!proxy.get("/dashboard").text().contains("onerror"));
}

#[test]
fn a_reload_that_fails_is_seen() {
    let folder = crate::support::proxy::Folder::new("views-reload");
    let config = LANES[0].config(NOWHERE);
    let path = folder.write("config.yaml", &config);
    let proxy = Proxy::start_with_file(&path);
    folder.write("config.yaml", "version: 2\n");
    assert_eq!(proxy.ask("POST", "/admin/reload", &[("x-llmgate-admin", "1")], "").status(), 400);
    let config = &proxy.get("/debug/status").json()["config"];
    assert_eq!((&config["revision"], &config["source"]), (&1.into(), &path.to_str().unwrap().into()));
    assert!(config["last_error"].as_str().unwrap().contains("version"), "{config}");
    assert!(config["loaded_at"].as_u64() > Some(1_700_000_000_000));
}

/// Is it the Prometheus text format 0.0.4: families whole and once, each sample under its own, label
/// values escaped, no series twice, histograms complete?
#[track_caller]
fn check_format(page: &str) {
    assert!(page.ends_with('\n'));
    let mut families: Vec<(&str, &str)> = Vec::new();
    let mut series: Vec<&str> = Vec::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap();
            assert!(
                help.len() > name.len() + 1 && families.iter().all(|(known, _)| *known != name),
                "{line}"
            );
            families.push((name, ""));
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let last = families.last_mut().unwrap();
            assert_eq!(*last, (name, ""), "{line}");
            last.1 = kind;
        } else {
            let (name, kind) = families.last().unwrap();
            let (key, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            let rest = key.strip_prefix(name).unwrap_or_else(|| panic!("{line} is not of {name}"));
            let rest = match *kind {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().find_map(|part| rest.strip_prefix(part)).unwrap()
                }
                _ => rest,
            };
            check_labels(rest);
            assert!(!series.contains(&key), "{line} is there twice");
            series.push(key);
        }
    }
    assert!(series.len() <= 500);
    for key in series.iter().filter(|key| key.contains("_count{")) {
        let of = key.trim_end_matches('}').replace("_count{", "_bucket{");
        assert_eq!(series.iter().filter(|key| key.starts_with(&format!("{of},le="))).count(), 12, "{key}");
    }
}

/// `{name="value",...}`, or nothing.
#[track_caller]
fn check_labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut rest = text.strip_prefix('{').unwrap();
    loop {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{text}");
        let mut escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !escaped;
            assert!(!escaped || ['\\', '"', 'n'].contains(&c), "{text}");
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = &value[end.unwrap() + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert_eq!(rest, "}", "{text}");
}

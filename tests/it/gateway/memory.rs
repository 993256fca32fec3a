//! What outlives a request: what targets refused, a reload, and what processes share.

use llmgate::protocol::Protocol;
use serde_json::Value;

use crate::support::duo::{ask, config, in_turn, path, provider, two};
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use crate::support::rogue::{Rogue, Visit};

const ADMIN: (&str, &str) = ("x-llmgate-admin", "1");

fn refusal(message: &str) -> Reply {
    refusal_of(400, message)
}

fn refusal_of(status: u16, message: &str) -> Reply {
    let body = serde_json::json!({"error": {"message": message, "type": "invalid_request_error"}});
    Reply::json(status, &body.to_string())
}

fn asks(proxy: &Proxy) -> crate::support::client::Answer {
    let client = lane(Protocol::OpenaiChat);
    let more = "\"temperature\":0.5,\"top_p\":0.9,\"stop\":[\"x\"],\"seed\":7,\"messages\"";
    proxy.post("/v1/chat/completions", &client.ping(ASKED).replace("\"messages\"", more))
}

#[test]
fn what_a_target_refuses_it_is_not_given_again_until_a_reload() {
    let target = lane(Protocol::Anthropic);
    let a = Provider::start();
    let folder = Folder::new("learnt");
    let text = config("retry: {attempts: 1}", &[provider("a", target, &a.url(), "")], &in_turn(&["a/first"]));
    let proxy = Proxy::start_with_file(&folder.write("config.yaml", &text));
    let good = || Reply::json(200, &target.pong("first"));
    a.will(refusal("`temperature` and `top_p` cannot both be specified for this model."));
    a.will(refusal("max_tokens: 50 > 20, which is the maximum allowed number of output tokens"));
    a.will(good());
    let answer = asks(&proxy);
    assert_eq!((answer.status(), path(&answer).1), (200, "3"), "{}", answer.text());
    let warned: Vec<_> = answer.head.headers.iter().filter(|(name, _)| name == "x-llmgate-warning").collect();
    assert!(warned.iter().any(|(_, text)| text.starts_with("top_p: ")), "{warned:?}");
    let sent: Vec<Value> = (0..3).map(|_| a.received().json()).collect();
    assert_eq!(sent[0]["top_p"], 0.9);
    assert_eq!((sent[1].get("top_p"), sent[1]["temperature"].as_f64()), (None, Some(0.5)));
    assert_eq!(sent[2]["max_tokens"], 20);
    // Each of these calls is counted as one, and none as an error.
    let counted = &proxy.settled(1)["targets"][0];
    let metrics = proxy.get("/metrics").text();
    for (class, calls) in [("bad_request", 2), ("ok", 1)] {
        let line = format!("llmgate_attempts_total{{target=\"a/first\",class=\"{class}\"}} {calls}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert_eq!((counted["requests"].as_u64(), counted["errors"].as_u64()), (Some(3), Some(0)));
    // The next request knows.
    a.will(good());
    assert_eq!(path(&asks(&proxy)).1, "1");
    let sent = a.received().json();
    assert_eq!((sent.get("top_p"), sent["max_tokens"].as_u64()), (None, Some(20)));
    // After a reload nothing is known.
    assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN], "").status(), 200);
    a.will(good());
    asks(&proxy);
    assert_eq!(a.received().json()["top_p"], 0.9);
}

#[test]
fn a_limit_that_was_lowered_or_renamed_raises_no_other() {
    let (client, target) = (lane(Protocol::Anthropic), lane(Protocol::OpenaiChat));
    let a = Provider::start();
    let proxy = Proxy::start(&config("", &[provider("a", target, &a.url(), "")], &in_turn(&["a/first"])));
    let asks = |limit: u64| {
        let body = client.ping(ASKED).replace("\"max_tokens\":50", &format!("\"max_tokens\":{limit}"));
        a.will(Reply::json(200, &target.pong("first")));
        let answer = proxy.post("/v1/messages", &body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        (answer.header("x-llmgate-warning").is_some(), a.received().json())
    };
    a.will(refusal("max_tokens must be at most 8192"));
    let (warned, first) = asks(32000);
    assert!(warned && first["max_tokens"] == 32000, "{first}");
    assert_eq!(a.received().json()["max_tokens"], 8192);
    // Who asks for less gets less, and has lost nothing.
    let (warned, sent) = asks(100);
    assert!(!warned && sent["max_tokens"] == 100, "{sent}");
    let (warned, sent) = asks(9000);
    assert!(warned && sent["max_tokens"] == 8192, "{sent}");
    a.will(refusal("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."));
    let (_, first) = asks(700);
    assert_eq!(first["max_tokens"], 700);
    assert_eq!(a.received().json()["max_completion_tokens"], 700);
    let (warned, sent) = asks(100);
    assert!(!warned && sent["max_completion_tokens"] == 100, "{sent}");
    assert_eq!(sent.get("max_tokens"), None);
    assert_eq!(asks(32000).1["max_completion_tokens"], 8192);
}

#[test]
fn three_times_a_request_is_made_smaller_and_no_more() {
    let target = lane(Protocol::Anthropic);
    let a = Provider::start();
    let client_text =
        two((target, &a.url()), (target, &a.url()), "retry: {attempts: 1}\nbreaker: {threshold: 1}");
    let proxy = Proxy::start(&client_text);
    for parameter in ["top_p", "temperature", "stop_sequences"] {
        a.will(refusal(&format!("`{parameter}` is not supported")));
    }
    a.will(refusal("`max_tokens` must be at most 20"));
    let answer = asks(&proxy);
    assert_eq!((answer.status(), path(&answer).1), (400, "4"), "{}", answer.text());
    assert!(!answer.text().contains("Tried"), "{}", answer.text());
    // None of it was a failure.
    a.will(Reply::json(200, &target.pong("first")));
    assert_eq!(path(&asks(&proxy)), ("a/first", "1", "-"));
}

#[test]
fn nothing_is_left_out_on_the_native_lane_nor_where_that_is_not_allowed() {
    let said = "`top_p` is not supported with this model";
    for (target, compat, status) in
        [("openai-chat", "max", 400), ("anthropic", "strict", 400), ("anthropic", "max", 403)]
    {
        let target = LANES.iter().find(|lane| lane.name == target).unwrap();
        let a = Provider::with(refusal_of(status, said));
        let top = format!("compat: {compat}");
        let text = config(&top, &[provider("a", target, &a.url(), "")], &in_turn(&["a/first"]));
        let client = lane(Protocol::OpenaiChat);
        let body = client.ping(ASKED).replace("\"messages\"", "\"top_p\":0.9,\"messages\"");
        let answer = Proxy::start(&text).post("/v1/chat/completions", &body);
        assert_eq!((answer.status(), path(&answer).1), (status, "1"), "{}", answer.text());
        assert!(answer.text().contains("top_p"));
    }
}

/// Two providers on two servers, `a` with a key of its own.
fn servers(a: &str, b: &str, key: &str, limit: u32) -> String {
    let client = lane(Protocol::OpenaiChat);
    let text = two((client, a), (client, b), "retry: {attempts: 1}\nbreaker: {threshold: 1}");
    text.replace("key-of-a-0123456789", key)
        .replace("breaker:", &format!("limits: {{queue: {limit}}}\nbreaker:"))
}

#[test]
fn a_reload_keeps_the_health_of_what_has_not_changed() {
    let client: &Lane = lane(Protocol::OpenaiChat);
    for (status, skipped, survives_key) in [
        (500, "a/first=breaker", true),
        (402, "a/first=cooldown:quota", false),
        (401, "a/first=cooldown:auth", false),
    ] {
        let (a, b, elsewhere) = (Provider::start(), Provider::start(), Provider::start());
        let folder = Folder::new(&format!("reload-health-{status}"));
        let file = folder.write("config.yaml", &servers(&a.url(), &b.url(), "key-one-0123456", 1));
        let proxy = Proxy::start_with_file(&file);
        let reload = |text: &str, wanted: u16| {
            folder.write("config.yaml", text);
            assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN], "").status(), wanted);
        };
        let goes = || {
            for server in [&a, &b, &elsewhere] {
                server.will(Reply::json(200, &client.pong(UPSTREAM)));
            }
            let answer = ask(&proxy, client, false, &[]);
            assert_eq!(answer.status(), 200);
            let (target, _, skipped) = path(&answer);
            (target.to_owned(), skipped.to_owned())
        };
        a.will(Reply::json(status, "{}"));
        let kept = ("b/up-model-1".to_owned(), skipped.to_owned());
        goes();
        assert_eq!(goes(), kept);
        reload(&servers(&a.url(), &b.url(), "key-one-0123456", 2), 200);
        assert_eq!(goes(), kept);
        reload("version: 1\nprovider: {}\n", 400);
        assert_eq!(goes(), kept);
        reload(&servers(&a.url(), &b.url(), "key-two-0123456", 2), 200);
        assert_eq!(goes().0, if survives_key { "b/up-model-1" } else { "a/first" }, "{status}");
        reload(&servers(&elsewhere.url(), &b.url(), "key-two-0123456", 2), 200);
        assert_eq!(goes(), ("a/first".to_owned(), "-".to_owned()), "{status}");
    }
}

#[test]
fn a_probe_that_streams_keeps_nobody_away() {
    let target = lane(Protocol::OpenaiChat);
    for client in &LANES {
        let fails = |visit: &mut Visit| {
            visit.request();
            visit.send("HTTP/1.1 500 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        };
        let streams = |visit: &mut Visit| {
            visit.request();
            visit.begin();
            visit.chunk(&target.opening(UPSTREAM));
            visit.chunk(&target.content(UPSTREAM));
            visit.wait();
            visit.chunk(&target.ending(UPSTREAM));
            visit.end();
        };
        let answers = |visit: &mut Visit| {
            visit.request();
            visit.answer(&target.pong(UPSTREAM));
        };
        let rogue = Rogue::start(vec![Box::new(fails), Box::new(streams), Box::new(answers)]);
        let top = "retry: {attempts: 1}\nbreaker: {threshold: 1, cooldown: 1ms}";
        let proxy =
            Proxy::start(&config(top, &[provider("a", target, &rogue.url(), "")], &in_turn(&["a/first"])));
        assert!(ask(&proxy, client, false, &[]).status() >= 500);
        proxy.until(|status| status["targets"][0]["circuit_state"] == "half_open");
        let mut probe = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED));
        probe.event().unwrap();
        let meanwhile = ask(&proxy, client, false, &[]);
        assert_eq!(meanwhile.status(), 200, "{}: {}", client.name, meanwhile.text());
        rogue.go();
        probe.rest();
    }
}

#[test]
fn a_breaker_that_is_switched_off_keeps_nobody_away() {
    let client: &Lane = lane(Protocol::OpenaiChat);
    let (a, b) = (Provider::start(), Provider::with(Reply::json(200, &client.pong(UPSTREAM))));
    let folder = Folder::new("breaker-off");
    let text = servers(&a.url(), &b.url(), "key-one-0123456", 1);
    let proxy = Proxy::start_with_file(&folder.write("config.yaml", &text));
    a.will(Reply::json(500, "{}"));
    assert_eq!(path(&ask(&proxy, client, false, &[])).0, "b/up-model-1");
    folder.write("config.yaml", &text.replace("threshold: 1", "enabled: false"));
    assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN], "").status(), 200);
    a.will(Reply::json(200, &client.pong("first")));
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("a/first", "1", "-"));
}

#[test]
fn what_an_old_key_met_says_nothing_of_the_new_one() {
    let client: &Lane = lane(Protocol::OpenaiChat);
    let b = Provider::with(Reply::json(200, &client.pong(UPSTREAM)));
    let refuses = |visit: &mut Visit| {
        visit.request();
        visit.tell("asked");
        visit.wait();
        visit.send("HTTP/1.1 401 no\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        visit.close();
    };
    let answers = move |visit: &mut Visit| {
        visit.request();
        visit.answer(&client.pong(UPSTREAM));
    };
    let a = Rogue::start(vec![Box::new(refuses), Box::new(answers)]);
    let folder = Folder::new("old-key");
    let file = folder.write("config.yaml", &servers(&a.url(), &b.url(), "key-one-0123456", 1));
    let proxy = Proxy::start_with_file(&file);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&proxy, client, false, &[]));
        assert_eq!(a.told(), "asked");
        folder.write("config.yaml", &servers(&a.url(), &b.url(), "key-two-0123456", 1));
        assert_eq!(proxy.ask("POST", "/admin/reload", &[ADMIN], "").status(), 200);
        a.go();
        assert_eq!(path(&first.join().unwrap()).0, "b/up-model-1");
    });
    assert_eq!(path(&ask(&proxy, client, false, &[])), ("a/first", "1", "-"));
}

/// A process that shares its state: it takes over what is there when it starts, and tells what it
/// knows when it ends.
fn sharing(state: &str, a: &Provider, b: &Provider) -> Proxy {
    let client = lane(Protocol::OpenaiChat);
    let bucket = "buckets: [{name: month, requests: 3, window: 1mo}]";
    let providers = [
        provider("a", client, &a.url(), ""),
        provider(
            "b",
            client,
            &b.url(),
            &format!("{bucket}, models: {{up-model-1: {{price: {{input: 1000000, output: 0}}}}}}"),
        ),
    ];
    let top = format!(
        "retry: {{attempts: 1, max_wait: 0s}}\nbreaker: {{threshold: 1}}\nusage: {{budget: {{day: 30}}}}\nstate: {state}"
    );
    Proxy::start(&config(&top, &providers, &in_turn(&["a/first", &format!("b/{UPSTREAM}")])))
}

/// State in the file of a folder.
fn in_file(folder: &Folder) -> String {
    format!("{{file: \"{}\"}}", folder.file("state.json").display())
}

#[test]
fn processes_share_cooldowns_breakers_buckets_and_money() {
    let folder = Folder::new("shared");
    check_sharing(|status| format!("{{file: \"{}\"}}", folder.file(&format!("{status}.json")).display()));
}

#[test]
#[cfg(feature = "redis")]
fn machines_share_cooldowns_breakers_buckets_and_money() {
    let redis = crate::support::redis::Redis::start("shared");
    check_sharing(|status| {
        // Statuses from 400 on, databases from 0.
        let url = redis.url_with("", &format!("/{}", status % 16));
        format!("{{store: redis, url: \"{}\"}}", url.expose())
    });
}

fn check_sharing(state: impl Fn(u16) -> String) {
    let client = lane(Protocol::OpenaiChat);
    for (status, skipped) in [
        (429, "a/first=cooldown:rate_limit"),
        (402, "a/first=cooldown:quota"),
        (500, "a/first=breaker"),
        (401, "-"),
    ] {
        let state = state(status);
        let (a, b) = (Provider::with(Reply::json(status, "{}")), Provider::start());
        let goes = |proxy: &Proxy| {
            b.will(Reply::json(200, &client.pong(UPSTREAM)));
            let answer = ask(proxy, client, false, &[]);
            (answer.status(), path(&answer).2.to_owned())
        };
        let first = sharing(&state, &a, &b);
        assert_eq!(goes(&first), (200, "-".to_owned()));
        first.ends();
        // Nine tokens at a dollar each.
        let second = sharing(&state, &a, &b);
        if status == 401 {
            // A refused key is each process's own affair: a new one asks again.
            a.will(Reply::json(401, "{}"));
        }
        assert_eq!(goes(&second), (200, skipped.to_owned()));
        second.ends();
        let third = sharing(&state, &a, &b);
        if status == 401 {
            a.will(Reply::json(401, "{}"));
        }
        let answer = {
            b.will(Reply::json(200, &client.pong(UPSTREAM)));
            ask(&third, client, false, &[])
        };
        assert_eq!((answer.status(), answer.header("x-llmgate-budget")), (200, None));
        third.ends();
        let fourth = sharing(&state, &a, &b);
        if status == 401 {
            a.will(Reply::json(401, "{}"));
        }
        // Three requests and 27 of 30 USD are gone, whoever made them.
        let answer = ask(&fourth, client, false, &[]);
        assert_eq!(answer.header("x-llmgate-budget"), Some("0.90"));
        assert!(answer.status() >= 400, "{}", answer.text());
        if status != 401 {
            assert!(path(&answer).2.contains("b/up-model-1=bucket:month"), "{:?}", path(&answer));
        }
    }
}

#[test]
fn trouble_with_the_state_file_stands_in_nobodys_way() {
    let client = lane(Protocol::OpenaiChat);
    let folder = Folder::new("state-trouble");
    for trouble in ["broken", "a folder", "locked", "newer"] {
        let folder = Folder::new(&format!(
            "{}-{}",
            folder.0.file_name().unwrap().to_str().unwrap(),
            trouble.replace(' ', "-")
        ));
        let file = folder.file("state.json");
        let lock = std::fs::File::create(folder.file("state.lock")).unwrap();
        match trouble {
            "broken" => std::fs::write(&file, "{\"version\":1,\"state\":{\"breakers\":[").unwrap(),
            "a folder" => std::fs::create_dir(&file).unwrap(),
            "newer" => std::fs::write(&file, "{\"version\":9}").unwrap(),
            _ => lock.lock().unwrap(),
        }
        let (a, b) = (Provider::with(Reply::json(500, "{}")), Provider::start());
        let proxy = sharing(&in_file(&folder), &a, &b);
        for skipped in ["-", "a/first=breaker"] {
            b.will(Reply::json(200, &client.pong(UPSTREAM)));
            let answer = ask(&proxy, client, false, &[]);
            assert_eq!((answer.status(), path(&answer).2), (200, skipped), "{trouble}");
        }
        assert_eq!(folder.file("state.json.bad").exists(), trouble == "broken");
    }
}

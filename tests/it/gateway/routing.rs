//! Which target a request goes to (SPEC 5): order, sessions, conditions, one host for a client's key.

use llmgate::protocol::Protocol;

use crate::support::client::Answer;
use crate::support::duo::{ask, config, in_turn, path, provider, two};
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// One server that is several providers, and a proxy before it.
struct Site {
    client: &'static Lane,
    server: Provider,
    proxy: Proxy,
}

impl Site {
    /// Providers `a`, `b`, `c`, with more keys of each, and the lines below `models:`.
    fn new(more: [&str; 3], models: &str, top: &str) -> Self {
        let client = lane(Protocol::OpenaiChat);
        let server = Provider::start();
        let url = server.url();
        let providers = [("a", more[0]), ("b", more[1]), ("c", more[2])]
            .map(|(name, more)| provider(name, client, &url, more));
        let proxy = Proxy::start(&config(top, &providers, models));
        Self { client, server, proxy }
    }

    /// The answer to a body with these headers, from whichever target.
    fn asks(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.server.will(Reply::json(200, &self.client.pong("x")));
        let answer = self.proxy.ask("POST", &self.client.path(ASKED), headers, body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer
    }

    fn target(&self, headers: &[(&str, &str)]) -> String {
        path(&self.asks(&self.client.ping(ASKED), headers)).0.to_owned()
    }

    /// The targets of so many requests, each of a session of its own.
    fn targets(&self, count: usize) -> String {
        let all = (0..count).map(|at| self.target(&[("x-llmgate-session", &at.to_string())]));
        all.collect::<Vec<_>>().join(" ")
    }
}

const NOTHING: [&str; 3] = ["", "", ""];

fn alias(keys: &str, targets: &str) -> String {
    format!("  {ASKED}: {{{keys}, targets: [{targets}]}}")
}

#[test]
fn strategies_order_inside_a_priority() {
    let three = "{to: a/x, weight: 2}, {to: b/x, weight: 1}, {to: c/x, priority: 2, weight: 9}";
    for (strategy, expected) in [
        ("ordered", "a/x a/x a/x a/x a/x a/x"),
        ("round-robin", "a/x b/x a/x b/x a/x b/x"),
        ("weighted-rr", "a/x b/x a/x a/x b/x a/x"),
        ("auto", "a/x b/x a/x a/x b/x a/x"),
    ] {
        let site = Site::new(NOTHING, &alias(&format!("strategy: {strategy}"), three), "");
        assert_eq!(site.targets(6), expected, "{strategy}");
    }
    let site = Site::new(NOTHING, &alias("strategy: random", three), "");
    let all = site.targets(64);
    assert!(all.contains("a/x") && all.contains("b/x") && !all.contains("c/x"), "{all}");
}

#[test]
fn the_default_spares_what_has_little_left() {
    let buckets = |requests: u32| format!("buckets: [{{name: month, requests: {requests}, window: 1mo}}]");
    let (few, many) = (buckets(2), buckets(1000));
    let site = Site::new([&few, &many, ""], &alias("strategy: auto", "{to: a/x}, {to: b/x}"), "");
    let all = site.targets(8);
    assert_eq!(all.matches("a/x").count(), 2, "{all}");
    let last = site.asks(&site.client.ping(ASKED), &[]);
    assert_eq!(path(&last), ("b/x", "1", "a/x=bucket:month"));
}

#[test]
fn a_session_stays_on_its_target() {
    let models = alias("strategy: round-robin", "{to: a/x}, {to: b/x}");
    for name in
        ["x-llmgate-session", "x-claude-code-session-id", "session-id", "x-session-affinity", "x-session-id"]
    {
        let site = Site::new(NOTHING, &models, "");
        let of = |value: &str| site.target(&[(name, value)]);
        assert_eq!(
            [of("1"), of("2"), of("1"), of("1"), of("2"), of("2")].join(" "),
            "a/x b/x a/x a/x b/x b/x"
        );
    }
    // The first of them that is present counts.
    let site = Site::new(NOTHING, &models, "");
    assert_eq!(site.target(&[("session-id", "1")]), "a/x");
    assert_eq!(site.target(&[("session-id", "1"), ("x-llmgate-session", "2")]), "b/x");
    assert_eq!(site.target(&[("session-id", "2"), ("x-llmgate-session", "2")]), "b/x");
    assert_eq!(site.target(&[("session-id", "2"), ("x-llmgate-session", "")]), "b/x");
    assert_eq!(site.target(&[("session-id", "1"), ("x-llmgate-session", "")]), "a/x");
    // Off.
    let site = Site::new(NOTHING, &alias("strategy: round-robin, affinity: 0", "{to: a/x}, {to: b/x}"), "");
    let of = |value: &str| site.target(&[("session-id", value)]);
    assert_eq!([of("1"), of("1"), of("1")].join(" "), "a/x b/x a/x");
}

#[test]
fn a_session_is_known_by_what_the_body_says() {
    let models = alias("strategy: round-robin", "{to: a/x}, {to: b/x}");
    let site = Site::new(NOTHING, &models, "");
    let of = |more: &str| {
        let body = site.client.ping(ASKED).replace("\"messages\"", &format!("{more}\"messages\""));
        path(&site.asks(&body, &[])).0.to_owned()
    };
    let (one, two) = ("\"prompt_cache_key\":\"1\",", "\"prompt_cache_key\":\"2\",");
    assert_eq!([of(one), of(two), of(one), of(one)].join(" "), "a/x b/x a/x a/x");
    // Nothing says it: the first words do, however the talk goes on.
    let site = Site::new(NOTHING, &models, "");
    let talk = |first: &str, more: &str| {
        let body = format!(
            "{{\"model\":\"{ASKED}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{first}\"}}{more}]}}"
        );
        path(&site.asks(&body, &[])).0.to_owned()
    };
    let more = ",{\"role\":\"assistant\",\"content\":\"hm\"},{\"role\":\"user\",\"content\":\"go on\"}";
    assert_eq!(
        [talk("one", ""), talk("two", ""), talk("one", more), talk("two", more)].join(" "),
        "a/x b/x a/x b/x"
    );
    // Anthropic's, as text and as JSON.
    let anthropic = lane(Protocol::Anthropic);
    let of = |user: &str| {
        site.server.will(Reply::json(200, &site.client.pong("x")));
        let body = anthropic
            .ping(ASKED)
            .replace("\"messages\"", &format!("\"metadata\":{{\"user_id\":{user}}},\"messages\""));
        path(&site.proxy.post("/v1/messages", &body)).0.to_owned()
    };
    let json =
        |device: u32| format!("\"{{\\\"device_id\\\":\\\"{device}\\\",\\\"session_id\\\":\\\"s\\\"}}\"");
    let first = of(&json(1));
    assert_ne!(of("\"user_7\""), first);
    assert_eq!(of(&json(2)), first);
}

#[test]
fn a_session_moves_when_its_target_fails_and_stays_there() {
    let site =
        Site::new(NOTHING, &alias("strategy: round-robin", "{to: a/x}, {to: b/x}"), "retry: {attempts: 1}");
    let session = [("session-id", "1")];
    assert_eq!(site.target(&session), "a/x");
    site.server.will(Reply::json(500, "{}"));
    assert_eq!(site.target(&session), "b/x");
    assert_eq!(site.target(&session), "b/x");
    // Among the targets of a fallback as well, and not away from a better priority.
    let models = "  asked-name: {targets: [c/gone], fallback: [others]}\n  others: {strategy: round-robin, targets: [{to: a/x}, {to: b/x}]}";
    let site = Site::new(["", "", "enabled: false"], &models.replace("[c/gone]", "[{to: c/gone}]"), "");
    let of = |value: &str| site.target(&[("session-id", value)]);
    assert_eq!([of("1"), of("2"), of("1"), of("2")].join(" "), "a/x b/x a/x b/x");
}

#[test]
fn fallbacks_follow_in_their_order() {
    let models = format!(
        "  {ASKED}: {{targets: [{{to: a/one}}], fallback: [deeper, c/last]}}\n  deeper: {{targets: [{{to: a/one}}, {{to: b/two, priority: 2}}], fallback: [b/three]}}"
    );
    let site = Site::new(NOTHING, &models, "retry: {attempts: 1, total: 0}");
    for fails in 0..4 {
        (0..fails).for_each(|_| site.server.will(Reply::json(500, "{}")));
        let expected = ["a/one", "b/two", "b/three", "c/last"][fails];
        assert_eq!(site.target(&[]), expected);
    }
    let models: Vec<_> = (0..10).map(|_| site.server.received().json()["model"].clone()).collect();
    assert_eq!(models, ["one", "one", "two", "one", "two", "three", "one", "two", "three", "last"]);
}

#[test]
fn a_target_may_stand_in_several_places() {
    // Switched off in one, or for other requests; once where it is fit.
    let models = alias(
        "strategy: ordered",
        "{to: a/x, enabled: false}, {to: b/x, when: {min_input: 1000}}, {to: c/x, priority: 2}, {to: b/x, priority: 3}, {to: a/x, priority: 4}",
    );
    let site = Site::new(NOTHING, &models, "retry: {attempts: 1}");
    let answer = site.asks(&site.client.ping(ASKED), &[]);
    assert_eq!(path(&answer), ("c/x", "1", "-"));
    (0..2).for_each(|_| site.server.will(Reply::json(500, "{}")));
    assert_eq!(path(&site.asks(&site.client.ping(ASKED), &[])), ("a/x", "3", "-"));
}

#[test]
fn conditions_choose_by_what_is_asked() {
    let models = alias(
        "strategy: ordered",
        "{to: a/small, when: {max_input: 20}}, {to: a/seeing, when: {has_images: true}}, {to: b/thinking, when: {thinking: true}}, {to: c/long, when: {min_input: 21}}",
    );
    let site = Site::new(NOTHING, &models, "");
    let of = |content: &str, more: &str| {
        let body = format!(
            "{{\"model\":\"{ASKED}\"{more},\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}"
        );
        let answer = site.asks(&body, &[]);
        let (target, _, skipped) = path(&answer);
        (target.to_owned(), skipped.to_owned())
    };
    let long = format!("\"{}\"", "word ".repeat(40));
    let image = "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]";
    assert_eq!(of("\"hi\"", "").0, "a/small");
    assert_eq!(
        of("\"hi\"", "").1,
        "a/seeing=when:has_images, b/thinking=when:thinking, c/long=when:min_input"
    );
    assert_eq!(of(image, "").0, "a/seeing");
    assert_eq!(of(&long, ",\"reasoning_effort\":\"high\"").0, "b/thinking");
    assert_eq!(
        of(&long, ""),
        (
            "c/long".to_owned(),
            "a/small=when:max_input, a/seeing=when:has_images, b/thinking=when:thinking".to_owned()
        )
    );
}

#[test]
fn who_cannot_serve_a_request_is_left_out() {
    let site = Site::new(
        ["models: {x: {input: [text], context: 300, max_output: 10}}", "models: {x: {tools: false}}", ""],
        &alias("strategy: ordered", "{to: a/x}, {to: b/x, priority: 2}, {to: c/x, priority: 3}"),
        "",
    );
    let of = |more: &str, content: &str| {
        let body = format!(
            "{{\"model\":\"{ASKED}\"{more},\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}"
        );
        let answer = site.asks(&body, &[]);
        let (target, _, skipped) = path(&answer);
        format!("{target} {skipped}")
    };
    let image = "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]";
    let tools = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]";
    assert_eq!(of("", "\"hi\""), "a/x -");
    assert_eq!(of("", image), "b/x a/x=capability:vision");
    assert_eq!(of(tools, image), "c/x a/x=capability:vision, b/x=capability:tools");
    // 1200 characters are 300 tokens; the output that is asked for counts as far as there may be any.
    let words = format!("\"{}\"", "x".repeat(1200));
    assert_eq!(of("", &words), "b/x a/x=context");
    let words = format!("\"{}\"", "x".repeat(1000));
    assert_eq!(of(",\"max_tokens\":100000", &words), "a/x -");
}

#[test]
fn the_vendors_search_is_a_need_where_nothing_may_be_lost() {
    for client in &LANES {
        let search = match client.protocol {
            Protocol::OpenaiChat => "\"web_search_options\":{}",
            Protocol::OpenaiResponses => "\"tools\":[{\"type\":\"web_search\"}]",
            Protocol::Anthropic => "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]",
            Protocol::Gemini => "\"tools\":[{\"google_search\":{}}]",
        };
        let body = client.ping(ASKED).replacen('{', &format!("{{{search},"), 1);
        for (compat, served) in
            [("max", ("a/first", "1", "-")), ("strict", ("b/up-model-1", "1", "a/first=capability:search"))]
        {
            let (a, b) = (Provider::start(), Provider::start());
            a.will(Reply::json(200, &client.pong("first")));
            b.will(Reply::json(200, &client.pong(UPSTREAM)));
            let models = "models: {first: {tools: {search: false}}}";
            let providers = [provider("a", client, &a.url(), models), provider("b", client, &b.url(), "")];
            let targets = in_turn(&["a/first", &format!("b/{UPSTREAM}")]);
            let proxy = Proxy::start(&config(&format!("compat: {compat}"), &providers, &targets));
            let answer = proxy.post(&client.path(ASKED), &body);
            assert_eq!((answer.status(), path(&answer)), (200, served), "{}", client.name);
        }
    }
}

#[test]
fn some_needs_are_none_where_something_may_be_lost() {
    let tools = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}],";
    let one_call = format!("\"parallel_tool_calls\":false,{tools}");
    let cases = [
        (tools, "b/x a/x=capability:parallel_tools"),
        (&one_call, "a/x -"),
        ("\"reasoning_effort\":\"high\",", "b/x a/x=capability:reasoning"),
        ("", "a/x -"),
    ];
    for compat in ["max", "strict"] {
        let known = "models: {x: {tools: {parallel: false}, reasoning: none}}";
        let targets = alias("strategy: ordered", "{to: a/x}, {to: b/x, priority: 2}");
        let site = Site::new([known, "", ""], &targets, &format!("compat: {compat}"));
        for (more, strict) in cases {
            let body = site.client.ping(ASKED).replacen('{', &format!("{{{more}"), 1);
            let answer = site.asks(&body, &[]);
            let (target, _, skipped) = path(&answer);
            let expected = if compat == "strict" { strict } else { "a/x -" };
            assert_eq!(format!("{target} {skipped}"), expected, "{compat} {more}");
        }
    }
}

#[test]
fn a_stateful_request_goes_where_it_can_be_carried() {
    let responses = lane(Protocol::OpenaiResponses);
    let (a, b) = (Provider::start(), Provider::with(Reply::json(200, &responses.pong(UPSTREAM))));
    let proxy = Proxy::start(&two((lane(Protocol::Anthropic), &a.url()), (responses, &b.url()), ""));
    let body = responses.ping(ASKED).replace("\"input\"", "\"previous_response_id\":\"resp_0\",\"input\"");
    let answer = proxy.post("/v1/responses", &body);
    assert_eq!(path(&answer), ("b/up-model-1", "1", "a/first=refusal:previous_response_id"));
    assert!(a.is_idle());
    // The failure of the one is told, not that the other was no choice.
    b.will(Reply::json(400, "{\"error\":{\"message\":\"no such response\"}}"));
    let answer = proxy.post("/v1/responses", &body);
    assert!(answer.text().contains("no such response"), "{}", answer.text());
    let turned = two((responses, &b.url()), (lane(Protocol::Anthropic), &a.url()), "retry: {attempts: 1}");
    b.will(Reply::json(500, "{\"error\":{\"message\":\"ill\"}}"));
    let answer = Proxy::start(&turned).post("/v1/responses", &body);
    assert_eq!((answer.status(), answer.text().contains("ill")), (500, true), "{}", answer.text());
}

#[test]
fn a_clients_key_goes_to_one_host_only() {
    for client in &LANES {
        let (a, b) = (Provider::start(), Provider::start());
        let (ours, theirs) = (provider("a", client, &a.url(), ""), provider("b", client, &b.url(), ""));
        let again = provider("c", client, &a.url(), "");
        let top = "client_auth: {mode: client_key}\nretry: {attempts: 1}";
        let models = in_turn(&["a/first", "b/theirs", "c/again"]);
        let proxy = Proxy::start(&config(top, &[ours, theirs, again], &models));
        a.will(Reply::json(500, "{}"));
        a.will(Reply::json(200, &client.pong("again")));
        let key = [("authorization", "Bearer key-of-the-client")];
        let answer = ask(&proxy, client, false, &key);
        assert_eq!(path(&answer), ("c/again", "2", "b/theirs=auth-mode"));
        // A refused key is the client's own affair: nothing rests.
        let refusal = "{\"error\":{\"message\":\"bad key\"}}";
        a.will(Reply::json(401, refusal));
        let answer = ask(&proxy, client, false, &key);
        assert_eq!((answer.status(), answer.text().as_str()), (401, refusal));
        a.will(Reply::json(200, &client.pong("first")));
        assert_eq!(path(&ask(&proxy, client, false, &key)).0, "a/first");
        assert!(b.is_idle());
    }
}

#[test]
fn the_limit_of_one_clients_key_holds_up_no_other_client() {
    let client = lane(Protocol::OpenaiChat);
    let a = Provider::start();
    let top = "client_auth: {mode: client_key}\nretry: {attempts: 1, max_wait: 0s}";
    let proxy = Proxy::start(&config(top, &[provider("a", client, &a.url(), "")], &in_turn(&["a/only"])));
    let quota = r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
    for (status, told) in [(429, "{}"), (429, quota), (402, "{}"), (403, "{}"), (404, "{}")] {
        a.will(Reply::json(status, told).header("retry-after", "600"));
        let poor = ask(&proxy, client, false, &[("authorization", "Bearer key-of-one")]);
        assert_eq!(poor.status(), status);
        a.will(Reply::json(200, &client.pong("only")));
        let other = ask(&proxy, client, false, &[("authorization", "Bearer key-of-another")]);
        assert_eq!(path(&other), ("a/only", "1", "-"), "{status}");
    }
}

#[test]
fn the_first_target_as_written_owns_the_clients_key() {
    let client = lane(Protocol::OpenaiChat);
    let (a, b) = (Provider::start(), Provider::start());
    let providers = [provider("a", client, &a.url(), "enabled: false"), provider("b", client, &b.url(), "")];
    let models = in_turn(&["a/first", "b/theirs"]);
    let proxy = Proxy::start(&config("client_auth: {mode: client_key}", &providers, &models));
    let answer = ask(&proxy, client, false, &[("authorization", "Bearer key-of-the-client")]);
    assert_eq!(path(&answer), ("-", "0", "a/first=disabled, b/theirs=auth-mode"));
    assert!(b.is_idle());
}

#[test]
fn a_clients_key_goes_to_no_other_host_for_want_of_a_target() {
    let limited = |after| Reply::json(429, "{}").header("retry-after", after);
    for client in &LANES {
        let (a, b) = (Provider::with(limited("600")), Provider::with(limited("60")));
        let providers = [provider("a", client, &a.url(), ""), provider("b", client, &b.url(), "")];
        let top = "client_auth: {mode: client_key}\nretry: {attempts: 1, max_wait: 0s}";
        let models = format!("{}\n  theirs: b/theirs", in_turn(&["a/first", "b/theirs"]));
        let proxy = Proxy::start(&config(top, &providers, &models));
        let key = [("authorization", "Bearer key-of-the-client")];
        // Both rest; the other host the shorter.
        let theirs = proxy.ask("POST", &client.path("theirs"), &key, &client.ping("theirs"));
        assert_eq!((theirs.status(), ask(&proxy, client, false, &key).status()), (429, 429));
        b.received();
        a.will(Reply::json(200, &client.pong("first")));
        let answer = ask(&proxy, client, false, &key);
        assert_eq!(path(&answer), ("a/first", "1", "b/theirs=auth-mode"));
        assert!(b.is_idle());
    }
}

#[test]
fn the_first_fallback_owns_the_clients_key_where_there_is_no_target() {
    let client = lane(Protocol::OpenaiChat);
    let (a, b) = (Provider::start(), Provider::start());
    let providers = [provider("a", client, &a.url(), ""), provider("b", client, &b.url(), "")];
    let top = "client_auth: {mode: client_key}\nretry: {attempts: 1}";
    for models in [
        format!("  {ASKED}: {{fallback: [a/first, b/theirs]}}"),
        format!("  {ASKED}: {{fallback: [inner, b/theirs]}}\n  inner: {{fallback: [a/first]}}"),
    ] {
        a.will(Reply::json(500, "{}"));
        let proxy = Proxy::start(&config(top, &providers, &models));
        let answer = ask(&proxy, client, false, &[("authorization", "Bearer key-of-the-client")]);
        assert_eq!((answer.status(), path(&answer)), (500, ("a/first", "1", "b/theirs=auth-mode")));
        assert!(b.is_idle());
    }
}

//! No secret is told anywhere, and nothing that was said is told in logs, ledger and files of single
//! requests (unless `log.bodies` asks for it). The trace holds what was said: that is what it is for.

use std::sync::OnceLock;

use llmgate::protocol::Protocol;
use parking_lot::Mutex;

use crate::records::texts;
use crate::support::lane::{ASKED, KEY, LANES, Lane, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};

/// What was said: a prompt, an answer, arguments of a tool.
const SAID: [&str; 4] = ["marked-prompt", "marked-answer", "marked-argument", "marked-result"];
const CLIENT_KEY: &str = "gw_marked-client-key-0123456789";
const HEADER_KEY: &str = "marked-header-key-0123456789abcd";
const HOOK_KEY: &str = "marked-hook-key-0123456789abcdef";
const SECRETS: [&str; 4] = [KEY, CLIENT_KEY, HEADER_KEY, HOOK_KEY];

#[test]
fn nothing_is_told_that_must_not_be() {
    let log = captured();
    let place = Folder::new("leaks");
    let mut seen = Seen::default();
    let hook = Provider::start();
    (0..LANES.len() * LANES.len() * ASKS).for_each(|_| hook.will(Reply::json(200, "{}")));
    for client in &LANES {
        for target in &LANES {
            let provider = Provider::start();
            let proxy = Proxy::start(&config(target, &provider.url(), &hook.url(), &place));
            flood(&proxy, &provider, client, target, &mut seen);
            proxy.server.drain();
        }
    }
    let log = log.lock().join("\n");
    assert!(log.contains("calls up/") && log.contains("outcome=error") && log.contains("outcome=success"));
    seen.check("log", &log, &[&SAID[..], &SECRETS].concat());
    seen.check("headers", &seen.headers.join("\n"), &[&SAID[..], &SECRETS].concat());
    seen.check("answers", &seen.answers.join("\n"), &SECRETS);
    let ledger = std::fs::read_to_string(place.file("usage.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), LANES.len() * LANES.len() * ASKS);
    seen.check("ledger", &ledger, &[&SAID[..], &SECRETS].concat());
    for folder in ["requests", "errors"] {
        let files = texts(&place.file(folder)).join("\n");
        assert!(files.contains("upstream_request"));
        seen.check(folder, &files, &[&SAID[..], &SECRETS].concat());
    }
    let trace = std::fs::read_to_string(place.file("trace.jsonl")).unwrap();
    seen.check("trace", &trace, &SECRETS);
    assert!(SAID.iter().all(|said| trace.contains(said)), "the flood is not what it should be");
    for _ in ledger.lines() {
        seen.check("hook", &hook.received().text(), &[&SAID[..], &SECRETS].concat());
    }
}

#[test]
fn a_clients_own_key_that_goes_upstream_is_told_nowhere() {
    let log = captured();
    let place = Folder::new("leaks-own");
    let own = "sk-marked-own-key-0123456789abcd";
    for lane in &LANES {
        let quoting = format!("{{\"error\":{{\"message\":\"bad key {own}\",\"type\":\"x\"}}}}");
        let provider = Provider::with(Reply::json(401, &quoting));
        let top = format!(
            "client_auth: {{mode: client_key}}\ntrace: {{file: \"{}\"}}",
            place.file("trace.jsonl").display()
        );
        let proxy = Proxy::start(&lane.config_with(&provider.url(), "", &top));
        let headers = [("authorization", &*format!("Bearer {own}"))];
        let answer = proxy.ask("POST", &lane.path(ASKED), &headers, &lane.ping(ASKED));
        assert_eq!(answer.status(), 401);
        proxy.server.drain();
        assert!(provider.received().headers.iter().any(|(_, value)| value.contains(own)));
        assert!(answer.text().contains("bad key sk-ma****abcd"), "{}", answer.text());
    }
    let trace = std::fs::read_to_string(place.file("trace.jsonl")).unwrap();
    assert!(trace.contains("bad key sk-ma****abcd"));
    let log = log.lock().join("\n");
    assert!(log.contains("bad key sk-ma****abcd"));
    Seen::default().check("log", &log, &[own]);
    Seen::default().check("trace", &trace, &[own]);
}

/// Requests of one flood that become a line of the ledger.
const ASKS: usize = 6;

#[derive(Default)]
struct Seen {
    headers: Vec<String>,
    answers: Vec<String>,
}

impl Seen {
    #[track_caller]
    fn check(&self, sink: &str, text: &str, forbidden: &[&str]) {
        for word in forbidden {
            let Some(at) = text.find(word) else { continue };
            let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            panic!("{sink} tells {word}: {}", text[start..].lines().next().unwrap());
        }
    }
}

fn config(target: &Lane, url: &str, hook: &str, place: &Folder) -> String {
    let path = |name: &str| place.file(name).display().to_string();
    let top = format!(
        "client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}\ncooldown: {{auth: 0s}}\nlog: {{requests_dir: \"{}\", errors_dir: \"{}\"}}\n\
         trace: {{file: \"{}\"}}\nusage: {{ledger: \"{}\", hook: {{url: \"{hook}\", authorization: {HOOK_KEY}}}}}",
        path("requests"),
        path("errors"),
        path("trace.jsonl"),
        path("usage.jsonl"),
    );
    target.config_with(url, &format!("headers: {{x-own-token: {HEADER_KEY}}}"), &top)
}

/// Whole and streamed, answered and refused, cut and broken.
fn flood(proxy: &Proxy, provider: &Provider, client: &Lane, target: &Lane, seen: &mut Seen) {
    let quoting = format!("{{\"error\":{{\"message\":\"bad key {KEY}, {HEADER_KEY}\",\"type\":\"x\"}}}}");
    let (whole, stream) = (answer(target.protocol), target.streamed_pong(UPSTREAM).replace("pong", SAID[1]));
    let cut = [target.opening(UPSTREAM), target.content(UPSTREAM).replace("pong", SAID[1])];
    let ask = |streamed: bool| match streamed {
        true => (client.stream_path(ASKED), client.streamed_ping(ASKED)),
        false => (client.path(ASKED), client.ping(ASKED)),
    };
    let replies = [
        (false, Reply::json(200, &whole)),
        (true, Reply::sse([stream])),
        (true, Reply::sse(cut)),
        (false, Reply::json(401, &quoting)),
        (false, Reply::json(400, &quoting)),
        (true, Reply::whole(200, "application/json", "{\"broken\": ")),
    ];
    assert_eq!(replies.len(), ASKS);
    for (streamed, reply) in replies {
        provider.will(reply);
        let (path, body) = ask(streamed);
        post(proxy, &path, &with_history(client.protocol, &body), seen);
        provider.received();
    }
    // Refused before any call.
    let (path, body) = ask(false);
    post(proxy, &path, &body.replace("ping", SAID[0])[1..], seen);
    post(proxy, &path, &format!("[\"{}\"]", SAID[0]), seen);
    if client.protocol != Protocol::Gemini {
        post(proxy, &path, &format!("{{\"stream\": \"{}\", \"{}\": 1}}", SAID[0], SAID[2]), seen);
    }
}

fn post(proxy: &Proxy, path: &str, body: &str, seen: &mut Seen) {
    let bearer = format!("Bearer {CLIENT_KEY}");
    let headers = [("authorization", bearer.as_str()), ("cookie", HEADER_KEY), ("user-agent", "agent/1")];
    // No query is the place for a key, but some clients put it there.
    let path = format!("{path}{}api-key={CLIENT_KEY}", if path.contains('?') { '&' } else { '?' });
    let answer = proxy.ask("POST", &path, &headers, body);
    seen.headers.extend(answer.head.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    seen.answers.push(answer.text());
}

/// The request with a prompt, a call and its result.
fn with_history(protocol: Protocol, ping: &str) -> String {
    let mut body: serde_json::Value = serde_json::from_str(ping).unwrap();
    let (prompt, argument, result) = (SAID[0], SAID[2], SAID[3]);
    let (name, turns) = match protocol {
        Protocol::OpenaiChat => (
            "messages",
            format!(
                r#"[{{"role":"user","content":"{prompt}"}},
                {{"role":"assistant","tool_calls":[{{"id":"call_1","type":"function","function":{{"name":"f","arguments":"{{\"x\":\"{argument}\"}}"}}}}]}},
                {{"role":"tool","tool_call_id":"call_1","content":"{result}"}},{{"role":"user","content":"{prompt}"}}]"#
            ),
        ),
        Protocol::OpenaiResponses => (
            "input",
            format!(
                r#"[{{"type":"message","role":"user","content":"{prompt}"}},
                {{"type":"function_call","call_id":"call_1","name":"f","arguments":"{{\"x\":\"{argument}\"}}"}},
                {{"type":"function_call_output","call_id":"call_1","output":"{result}"}},
                {{"type":"message","role":"user","content":"{prompt}"}}]"#
            ),
        ),
        Protocol::Anthropic => (
            "messages",
            format!(
                r#"[{{"role":"user","content":"{prompt}"}},
                {{"role":"assistant","content":[{{"type":"tool_use","id":"call_1","name":"f","input":{{"x":"{argument}"}}}}]}},
                {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"call_1","content":"{result}"}},{{"type":"text","text":"{prompt}"}}]}}]"#
            ),
        ),
        Protocol::Gemini => (
            "contents",
            format!(
                r#"[{{"role":"user","parts":[{{"text":"{prompt}"}}]}},
                {{"role":"model","parts":[{{"functionCall":{{"id":"call_1","name":"f","args":{{"x":"{argument}"}}}}}}]}},
                {{"role":"user","parts":[{{"functionResponse":{{"id":"call_1","name":"f","response":{{"output":"{result}"}}}}}},{{"text":"{prompt}"}}]}}]"#
            ),
        ),
    };
    body[name] = serde_json::from_str(&turns).unwrap();
    body.to_string()
}

/// A whole answer with a text and a call.
fn answer(protocol: Protocol) -> String {
    let (text, argument) = (SAID[1], SAID[2]);
    match protocol {
        Protocol::OpenaiChat => format!(
            r#"{{"id":"c","model":"m","choices":[{{"index":0,"finish_reason":"tool_calls","message":{{"role":"assistant","content":"{text}",
            "tool_calls":[{{"id":"c1","type":"function","function":{{"name":"f","arguments":"{{\"x\":\"{argument}\"}}"}}}}]}}}}]}}"#
        ),
        Protocol::OpenaiResponses => format!(
            r#"{{"id":"r","status":"completed","model":"m","output":[
            {{"type":"message","id":"m","role":"assistant","content":[{{"type":"output_text","text":"{text}"}}]}},
            {{"type":"function_call","call_id":"c1","name":"f","arguments":"{{\"x\":\"{argument}\"}}"}}]}}"#
        ),
        Protocol::Anthropic => format!(
            r#"{{"id":"m","type":"message","role":"assistant","model":"m","stop_reason":"tool_use","content":[
            {{"type":"text","text":"{text}"}},{{"type":"tool_use","id":"c1","name":"f","input":{{"x":"{argument}"}}}}]}}"#
        ),
        Protocol::Gemini => format!(
            r#"{{"candidates":[{{"finishReason":"STOP","content":{{"role":"model","parts":[{{"text":"{text}"}},
            {{"functionCall":{{"name":"f","args":{{"x":"{argument}"}}}}}}]}}}}]}}"#
        ),
    }
}

/// Every log line of this process, of every level, from now on.
fn captured() -> &'static Mutex<Vec<String>> {
    static LINES: OnceLock<&'static Mutex<Vec<String>>> = OnceLock::new();
    struct Capture(&'static Mutex<Vec<String>>);
    impl log::Log for Capture {
        fn enabled(&self, about: &log::Metadata<'_>) -> bool {
            about.target().starts_with("llmgate")
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                self.0.lock().push(record.args().to_string());
            }
        }
        fn flush(&self) {}
    }
    LINES.get_or_init(|| {
        let lines: &'static Mutex<Vec<String>> = Box::leak(Box::default());
        log::set_boxed_logger(Box::new(Capture(lines))).expect("no other test sets a logger");
        log::set_max_level(log::LevelFilter::Trace);
        lines
    })
}

//! `start` and what it writes: log, log file, trace.

use llmgate::protocol::Protocol;

use super::{Started, check_code, run, text};
use crate::support::lane::{ASKED, KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Folder;

#[test]
fn what_is_logged_and_traced_is_in_its_files() {
    let home = Folder::new("cli-files");
    let provider = Provider::with(Reply::json(200, &LANES[0].pong(UPSTREAM)));
    let yaml = LANES[0].config_with(&provider.url(), "", "log: {file: logs/llmgate.log}");
    let config = home.write("config.yaml", &yaml);
    let words = ["--config", config.to_str().unwrap(), "--trace", "trace/t.jsonl", "--log-level", "debug"];
    let started = Started::start(&home, &words, &[]);
    let mut client = started.client();
    client.ask("POST", &LANES[0].path(ASKED), &[], LANES[0].ping(ASKED).as_bytes());
    assert_eq!(client.answer().status(), 200);
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(0));
    let read = |name: &str| std::fs::read_to_string(home.file(name)).unwrap();
    assert_eq!(read("err"), "");
    let log = read("logs/llmgate.log");
    assert!(log.contains(" info req_") && log.contains(" debug calls up/") && !log.contains(KEY), "{log}");
    assert_eq!(read("trace/t.jsonl").lines().count(), 4);
    let output = run(&home, &["replay", "trace/t.jsonl", "--diff"], &[]);
    check_code(&output, 0);
    let blocked = home.write("blocked.yaml", &yaml.replace("logs/llmgate.log", "config.yaml/log"));
    let output = run(&home, &["start", "--config", blocked.to_str().unwrap()], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("`log.file` config.yaml/log"));
}

#[test]
fn no_name_of_a_client_makes_a_line_of_its_own() {
    let home = Folder::new("cli-forged");
    let yaml = "version: 1\nproviders:\n  up: {protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1'}\n  \
                demo: {base_url: 'demo:'}\nmodels:\n  '*': {targets: [{to: 'up/*'}, {to: demo/steady, priority: 2}]}\n";
    let config = home.write("config.yaml", yaml);
    let started = Started::start(&home, &["--config", config.to_str().unwrap(), "--log-level", "debug"], &[]);
    let mut client = started.client();
    let name = r"m\u001b[31m\n2026-01-01T00:00:00.000Z error forged\u202e";
    let path = LANES[0].path(ASKED);
    client.ask("POST", &path, &[], LANES[0].ping(ASKED).replace(ASKED, name).as_bytes());
    assert_eq!(client.answer().status(), 200);
    home.write("config.yaml", "version: 9\nx: 1\n");
    client.ask("POST", "/admin/reload", &[("x-llmgate-admin", "1")], b"");
    assert_eq!(client.answer().status(), 400);
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(0));
    let told = std::fs::read_to_string(home.file("err")).unwrap();
    assert!(told.contains(" plan: ") && told.contains(" failover: "), "{told}");
    assert!(told.contains("version") && told.contains(": x: unknown key"), "{told}");
    assert!(told.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{told:?}");
    assert!(!told.lines().any(|line| line.starts_with("2026-01-01")), "{told}");
}

#[test]
fn what_a_request_loses_is_told_in_words() {
    let home = Folder::new("cli-losses");
    let provider = Provider::with(Reply::json(200, &LANES[0].pong(UPSTREAM)));
    let config = home.write("config.yaml", &LANES[0].config(&provider.url()));
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    let mut client = started.client();
    let lane = lane(Protocol::Anthropic);
    let members: String = (0..10).map(|n| format!("\"own_{n}\": 1, ")).collect();
    let body = lane.ping(ASKED).replacen('{', &format!("{{{members}"), 1);
    client.ask("POST", &lane.path(ASKED), &[], body.as_bytes());
    let answer = client.answer();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let id = answer.header("x-llmgate-request-id").unwrap().to_owned();
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(0));
    let told = std::fs::read_to_string(home.file("err")).unwrap();
    let line = told.lines().find(|line| line.contains(&format!(" warn {id} lost: "))).expect(&told);
    assert!(
        line.contains("own_0: ") && line.contains("; own_7: ") && line.ends_with("; and 2 more"),
        "{line}"
    );
    assert_eq!(told.matches("lost: ").count(), 1, "{told}");
}

#[test]
fn each_demo_begins_anew_unless_a_file_is_named() {
    let home = Folder::new("cli-demo-state");
    let ask = |words: &[&str]| {
        let started = Started::start(&home, &[&["--demo"], words].concat(), &[]);
        let mut client = started.client();
        for _ in 0..5 {
            client.ask("POST", &LANES[0].path(ASKED), &[], LANES[0].ping(ASKED).as_bytes());
            assert_eq!(client.answer().header("x-llmgate-attempts"), Some("2"));
        }
        started.signal(rustix::process::Signal::TERM);
        assert_eq!(started.end().0, Some(0));
    };
    // The breaker of the first is no business of the second.
    ask(&[]);
    ask(&[]);
    assert!(!home.file(".local/state/llmgate/state.json").exists());
    ask(&["--state", "own/state.json"]);
    let state = std::fs::read_to_string(home.file("own/state.json")).unwrap();
    assert!(state.contains("demo/overloaded"), "{state}");
}

#[test]
fn what_takes_a_restart_is_told_as_long_as_it_does() {
    let home = Folder::new("cli-restart");
    let yaml = LANES[0].config("http://127.0.0.1:9");
    let config = home.write("config.yaml", &yaml);
    let started = Started::start(&home, &["--config", config.to_str().unwrap(), "--no-watch"], &[]);
    let door = format!("{yaml}access: {{admin_listen: '127.0.0.1:0'}}\n");
    let far = yaml.replace("http://127.0.0.1:9", "http://far.example");
    let more = format!("{yaml}log: {{level: debug, rotate: {{keep: 1}}}}\nstate: {{ttl: 1h}}\n");
    for text in [&door, &format!("{door}default_model: m\n"), &yaml, &far, &far, &more] {
        home.write("config.yaml", text);
        check_code(&run(&home, &["reload", "--url", &started.url], &[]), 0);
    }
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(0));
    let told = std::fs::read_to_string(home.file("err")).unwrap();
    assert_eq!(told.matches("`access.admin_listen` has changed: that needs a restart").count(), 2, "{told}");
    for key in ["log.level", "log.rotate", "state"] {
        assert_eq!(told.matches(&format!("`{key}` has changed: that needs a restart")).count(), 1, "{told}");
    }
    assert!(!told.contains("`log.file` has changed"), "{told}");
    assert_eq!(told.matches("http to far.example").count(), 1, "{told}");
}

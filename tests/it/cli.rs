//! The binary itself, with a clean environment.

mod add;
mod doctor;
mod first;
mod golden;
mod ready;
mod records;
mod shell;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;

use llmgate::protocol::Protocol;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::lane::{ASKED, KEY, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Folder;
use crate::support::rogue::Rogue;

const BINARY: &str = env!("CARGO_BIN_EXE_llmgate");

/// The binary with these words, and no variables but these and a home of its own.
fn command(home: &Folder, words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("HOME", &home.0).current_dir(&home.0).args(words).envs(variables.iter().copied());
    command
}

/// Runs it to its end.
fn run(home: &Folder, words: &[&str], variables: &[(&str, &str)]) -> Output {
    command(home, words, variables).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// A running `start`; killed when it is dropped.
struct Started {
    child: Child,
    out: BufReader<ChildStdout>,
    said: String,
    url: String,
}

impl Started {
    /// Starts it and waits until it listens. stderr goes to the file `err` in its home.
    fn start(home: &Folder, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let err = std::fs::File::create(home.file("err")).unwrap();
        let words: Vec<&str> = ["start", "--listen", "127.0.0.1:0"].iter().chain(words).copied().collect();
        let mut child = command(home, &words, variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut started = Self { child, out, said: String::new(), url: String::new() };
        while !started.said.contains("models: ") {
            if started.out.read_line(&mut started.said).unwrap() == 0 {
                let err = std::fs::read_to_string(home.file("err")).unwrap();
                panic!("it ended: {}{err}", started.said);
            }
        }
        let line = started.said.lines().find_map(|line| line.strip_prefix("listening on "));
        started.url = line.unwrap().to_owned();
        started
    }

    fn client(&self) -> Client {
        Client::connect(self.url.strip_prefix("http://").unwrap().parse().unwrap())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: its code, and all it said on stdout.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), format!("{}{rest}", self.said))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_and_version() {
    let home = Folder::new("cli-help");
    for words in [&["--help"][..], &["-h"], &["help"], &[]] {
        let output = run(&home, words, &[]);
        check_code(&output, 0);
        assert!(text(&output.stdout).contains("Usage: llmgate COMMAND"), "{words:?}");
    }
    for word in ["start", "serve", "config", "reload", "stop", "version"] {
        let output = run(&home, &[word, "--help"], &[]);
        check_code(&output, 0);
        assert!(text(&output.stdout).contains("Usage: llmgate"), "{word}");
    }
    let output = run(&home, &["version", "--json"], &[]);
    check_code(&output, 0);
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    assert!(facts["commit"].is_string() && facts["rustc"].is_string() && facts["features"].is_array());
    for words in [&["version"][..], &["--version"], &["-V"]] {
        let output = run(&home, words, &[]);
        check_code(&output, 0);
        assert!(text(&output.stdout).starts_with(&format!("llmgate {}", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn an_unknown_word_gets_the_nearest() {
    let home = Folder::new("cli-unknown");
    for (words, near) in [
        (&["strat"][..], "start"),
        (&["start", "--lisen", "x"], "--listen"),
        (&["config", "validat"], "validate"),
        (&["stop", "--ulr", "x"], "--url"),
        (&["start", "--log-level", "loud"], "debug, info, warn or error"),
    ] {
        let output = run(&home, words, &[]);
        check_code(&output, 2);
        assert!(text(&output.stderr).contains(near), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_status_is_told_as_text_and_as_json() {
    let home = Folder::new("cli-status");
    let started = Started::start(&home, &["--demo"], &[]);
    let output = run(&home, &["status", "--url", &started.url], &[]);
    check_code(&output, 0);
    let told = text(&output.stdout);
    assert!(
        told.starts_with("llmgate ") && told.contains("the built-in demo (--demo), revision 1"),
        "{told}"
    );
    assert!(told.contains("demo/overloaded"), "{told}");
    let output = run(&home, &["status", "--json", "--url", &started.url], &[]);
    check_code(&output, 0);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&status["version"], &status["in_flight"]), (&env!("CARGO_PKG_VERSION").into(), &0.into()));
    let dashboard = format!("dashboard: {}/dashboard", started.url);
    // Here stdout is no terminal.
    let output = run(&home, &["status", "--watch", "--url", &started.url], &[]);
    check_code(&output, 2);
    assert!(text(&output.stderr).contains("terminal") && output.stdout.is_empty());
    started.signal(rustix::process::Signal::TERM);
    let (_, said) = started.end();
    assert!(said.contains(&dashboard), "{said}");
    let output = run(&home, &["status", "--url", "http://127.0.0.1:9"], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("Is llmgate running there?"), "{}", text(&output.stderr));
}

#[test]
fn a_configuration_is_checked() {
    let home = Folder::new("cli-validate");
    let good = home.write("good.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let bad = LANES[0]
        .config("http://127.0.0.1:9")
        .replace("listen:", "lisen:")
        .replace("openai-chat", "openai-chad");
    let bad = home.write("bad.yaml", &bad);
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    for word in ["validate", "check"] {
        let output = run(&home, &["config", word, "--config", good], &[]);
        check_code(&output, 0);
        assert_eq!(text(&output.stdout), "ok: 1 providers, 1 models\n");
        let output = run(&home, &["config", word], &[("LLMGATE_CONFIG", bad)]);
        check_code(&output, 2);
        let told = text(&output.stderr);
        assert!(told.contains("listen") && told.contains("openai-chat"), "{told}");
        assert!(!told.contains(KEY), "{told}");
    }
    let output = run(&home, &["config", "validate", "--json", "--config", bad], &[]);
    check_code(&output, 2);
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["ok"], false);
    assert_eq!(facts["errors"].as_array().unwrap().len(), 2, "{facts}");
    let output = run(&home, &["config", "validate", "--config", "absent.yaml"], &[]);
    check_code(&output, 2);
    let output = run(&home, &["start", "--config", bad], &[]);
    check_code(&output, 2);
}

#[test]
fn a_file_in_the_working_directory_is_not_read() {
    let home = Folder::new("cli-local");
    home.write("llmgate.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let output = run(&home, &["config", "validate"], &[]);
    check_code(&output, 2);
    let output = run(&home, &["config", "validate"], &[("OPENAI_API_KEY", "sk-0123456789")]);
    check_code(&output, 0);
    assert!(text(&output.stderr).contains("--config"), "{}", text(&output.stderr));
}

#[test]
fn it_starts_reloads_and_stops() {
    let home = Folder::new("cli-life");
    let config = home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let config = config.to_str().unwrap();
    let ready = home.file("ready.json");
    let ready = ready.to_str().unwrap();
    let mut started = Started::start(&home, &["--config", config, "--ready-file", ready, "--no-watch"], &[]);
    let facts = ready_file(&mut started.child, Path::new(ready));
    assert_eq!(facts["url"], started.url.as_str());
    assert_eq!(facts["pid"], started.child.id());
    assert_eq!((&facts["version"], &facts["config"]), (&env!("CARGO_PKG_VERSION").into(), &config.into()));
    for line in ["providers: up", "models: asked-name"] {
        assert!(started.said.contains(line), "{}", started.said);
    }
    let mut client = started.client();
    client.ask("GET", "/health", &[], b"");
    assert_eq!(client.answer().json()["status"], "ok");

    let output = run(&home, &["reload", "--ready-file", ready], &[]);
    check_code(&output, 0);
    assert_eq!(text(&output.stdout), "reloaded: revision 2\n");
    home.write("config.yaml", "version: 9\n");
    let output = run(&home, &["reload", "--url", &started.url], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("version"), "{}", text(&output.stderr));

    let output = run(&home, &["stop", "--ready-file", ready], &[]);
    check_code(&output, 0);
    let url = started.url.clone();
    assert_eq!(started.end().0, Some(0));
    let output = run(&home, &["stop", "--url", &url], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("Is llmgate running there?"), "{}", text(&output.stderr));
}

/// Its facts, as soon as it is there: it is renamed into place.
fn ready_file(child: &mut Child, path: &Path) -> Value {
    loop {
        if let Ok(text) = std::fs::read(path) {
            return serde_json::from_slice(&text).unwrap();
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        thread::yield_now();
    }
}

#[test]
fn a_signal_ends_it_properly() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let home = Folder::new(&format!("cli-signal-{}", signal.as_raw()));
        let config = home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
        let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
        let mut client = started.client();
        client.ask("GET", "/ready", &[], b"");
        assert_eq!(client.answer().status(), 200);
        started.signal(signal);
        assert_eq!(started.end().0, Some(0));
    }
}

#[test]
fn the_log_tells_failovers_and_breakers() {
    let home = Folder::new("cli-failover");
    let started = Started::start(&home, &["--demo"], &[]);
    let lane = lane(Protocol::Anthropic);
    let mut client = started.client();
    for _ in 0..5 {
        client.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
        assert_eq!(client.answer().status(), 200);
    }
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(0));
    let told = std::fs::read_to_string(home.file("err")).unwrap();
    assert_eq!(told.matches(" failover: demo/overloaded -> demo/steady: transient: ").count(), 5, "{told}");
    assert_eq!(told.matches("breaker of demo/overloaded opens for 30 s").count(), 1, "{told}");
    assert_eq!(told.matches(" target=demo/steady ").count(), 5, "{told}");
    assert_eq!(told.matches(" attempts=2 ").count(), 5, "{told}");
    assert_eq!(told.matches(" failed=demo/overloaded:transient").count(), 5, "{told}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let lane = lane(Protocol::Anthropic);
    let home = Folder::new("cli-twice");
    let rogue = Rogue::once(move |visit| {
        visit.request();
        visit.begin();
        visit.chunk(&lane.content(UPSTREAM));
        visit.is_left();
    });
    let config = lane.config_with(&rogue.url(), "", "timeouts: {drain: 60s}");
    let config = home.write("config.yaml", &config);
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    let mut client = started.client();
    client.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes());
    let mut stream = client.stream();
    assert_eq!(stream.event().unwrap(), lane.content(ASKED));
    started.signal(rustix::process::Signal::TERM);
    // The first one has been heard when nobody is let in any more.
    let address = started.url.strip_prefix("http://").unwrap().to_owned();
    while TcpStream::connect(&address).is_ok() {
        thread::yield_now();
    }
    started.signal(rustix::process::Signal::TERM);
    assert_eq!(started.end().0, Some(1));
}

#[test]
fn a_key_is_needed_to_stop_it_where_one_is_set() {
    let home = Folder::new("cli-key");
    let auth = "client_auth: {mode: proxy_key, keys: [gw_client-key-0123456789]}";
    let config = home.write("config.yaml", &LANES[0].config_with("http://127.0.0.1:9", "", auth));
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    let url = started.url.clone();
    let output = run(&home, &["stop", "--url", &url], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("key is needed"), "{}", text(&output.stderr));
    let output = run(&home, &["stop", "--url", &url], &[("LLMGATE_KEY", "gw_client-key-0123456789")]);
    check_code(&output, 0);
    assert_eq!(started.end().0, Some(0));
}

#[test]
fn a_second_one_on_the_same_port_is_told_so() {
    let home = Folder::new("cli-second");
    let config = home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let config = config.to_str().unwrap();
    let started = Started::start(&home, &["--config", config], &[]);
    let address = started.url.strip_prefix("http://").unwrap();
    let output = run(&home, &["start", "--config", config, "--listen", address], &[]);
    check_code(&output, 1);
    let told = text(&output.stderr);
    assert!(told.contains(&format!("cannot listen on {address}")) && told.contains("--listen"), "{told}");
    assert!(!text(&output.stdout).contains("listening on"));
}

#[test]
fn an_open_address_needs_keys() {
    let home = Folder::new("cli-open");
    let config = home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
    let config = config.to_str().unwrap();
    for words in [&["--listen", "0.0.0.0:0"][..], &["--listen", "[::]:0"], &["--require-auth"]] {
        let words: Vec<&str> = ["start", "--config", config].iter().chain(words).copied().collect();
        let output = run(&home, &words, &[]);
        check_code(&output, 2);
        assert!(text(&output.stderr).contains("client_auth"), "{}", text(&output.stderr));
    }
}

#[test]
fn no_key_and_no_prompt_is_ever_shown() {
    const CLIENT_KEY: &str = "gw_client-marked-key-0123456789";
    const PROMPT: &str = "marked-prompt-0123456789";
    const OWN_HEADERS: &str = "headers: {x-extra-token: marked-token-0123456789abcdef}";
    const ANSWER: &str = "marked-answer-0123456789";
    for lane in &LANES {
        let home = Folder::new(&format!("cli-secrets-{}", lane.name));
        let provider = Provider::start();
        let auth = format!("client_auth: {{mode: proxy_key, keys: [{CLIENT_KEY}]}}");
        let config = home.write("config.yaml", &lane.config_with(&provider.url(), OWN_HEADERS, &auth));
        let words = ["--config", config.to_str().unwrap(), "--log-level", "debug"];
        let started = Started::start(&home, &words, &[]);
        let mut client = started.client();
        let body = lane.ping(ASKED).replace("ping", PROMPT);
        let pong = lane.pong(UPSTREAM).replace("pong", ANSWER);
        let told = format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {KEY}\"}}}}");
        for (key, reply) in [
            (CLIENT_KEY, Some(Reply::json(200, &pong))),
            (CLIENT_KEY, Some(Reply::json(401, &told))),
            (CLIENT_KEY, Some(Reply::json(400, &told.replace("API key", "thing")))),
            ("gw_wrong-marked-key-0123456789", None),
        ] {
            if let Some(reply) = reply {
                provider.will(reply);
            }
            let path = format!("{}?key={key}", lane.path(ASKED));
            client.ask("POST", &path, &[("authorization", &format!("Bearer {key}"))], body.as_bytes());
            assert!(!client.answer().text().contains(KEY));
        }
        started.signal(rustix::process::Signal::TERM);
        let (code, out) = started.end();
        assert_eq!(code, Some(0));
        let err = std::fs::read_to_string(home.file("err")).unwrap();
        assert!(err.contains("status=200") && err.contains("debug"), "{err}");
        for secret in [KEY, CLIENT_KEY, "gw_wrong-marked-key", "marked-token", PROMPT, ANSWER] {
            assert!(!out.contains(secret) && !err.contains(secret), "{} {secret}:\n{out}{err}", lane.name);
        }
    }
}

#[test]
fn keys_in_the_environment_are_enough() {
    let home = Folder::new("cli-zero");
    let key = "sk-ant-marked-0123456789abcdef";
    let started = Started::start(&home, &[], &[("ANTHROPIC_API_KEY", key)]);
    assert!(started.said.contains("providers: anthropic"), "{}", started.said);
    assert!(started.said.contains("ANTHROPIC_API_KEY"), "{}", started.said);
    let mut client = started.client();
    client.ask("GET", "/admin/state", &[], b"");
    let state = client.answer();
    assert_eq!(state.status(), 200);
    assert!(!state.text().contains(key));
    started.signal(rustix::process::Signal::TERM);
    let (code, out) = started.end();
    assert_eq!(code, Some(0));
    assert!(!out.contains(key));
}

#[test]
fn without_any_key_the_variables_are_listed() {
    let home = Folder::new("cli-none");
    let output = run(&home, &["start", "--listen", "127.0.0.1:0"], &[("OPENAI_API_KEY", "")]);
    check_code(&output, 2);
    let told = text(&output.stderr);
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "--config"] {
        assert!(told.contains(name), "{name}: {told}");
    }
    assert!(output.stdout.is_empty());
    let told = run(&home, &["config", "validate", "--json"], &[]).stdout;
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["errors"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn it_ends_with_its_parent() {
    let home = Folder::new("cli-parent");
    let config = home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
    // The shell is the parent; it ends when its input does.
    let script = "\"$0\" start --listen 127.0.0.1:0 --config \"$1\" --exit-with-parent & read line; exit 0";
    let mut shell = Command::new("/bin/sh")
        .args(["-c", script, BINARY, config.to_str().unwrap()])
        .env_clear()
        .env("HOME", &home.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let input: ChildStdin = shell.stdin.take().unwrap();
    let mut out = BufReader::new(shell.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("models: ") {
        assert!(out.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    let address = said.lines().find_map(|line| line.strip_prefix("listening on http://")).unwrap().to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(input);
    assert!(shell.wait().unwrap().success());
    // Its output ends when it does.
    out.read_to_string(&mut said).unwrap();
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn a_changed_file_is_seen_without_being_told() {
    let lane = lane(Protocol::Anthropic);
    let home = Folder::new("cli-watch");
    let provider = Provider::start();
    let config = home.write("config.yaml", &lane.config(&provider.url()));
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    home.write("config.yaml", &lane.config(&provider.url()).replace(UPSTREAM, "a-longer-name"));
    let mut client = started.client();
    // It looks when a request arrives, at most once a second.
    loop {
        provider.will(Reply::json(200, &lane.pong("m")));
        client.ask("POST", "/v1/messages", &[], lane.ping(ASKED).as_bytes());
        assert_eq!(client.answer().status(), 200);
        if provider.received().json()["model"] == "a-longer-name" {
            return;
        }
    }
}

#[test]
fn output_to_nobody_is_no_failure() {
    let home = Folder::new("cli-pipe");
    let mut child =
        command(&home, &["--help"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    check_code(&output, 0);
}

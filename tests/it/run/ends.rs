//! How a session ends: exit codes, signals, what cannot begin.

use std::net::TcpListener;

use rustix::process::{Pid, Signal, getpgid};

use super::{BINARY, Place, Session, ask, check_code, text};

#[test]
fn the_exit_code_is_the_clients() {
    for (fake, code) in
        [("exit:0", 0), ("exit:7", 7), ("exit:255", 255), ("die:KILL", 137), ("die:TERM", 143)]
    {
        let place = Place::new(&format!("run-code-{code}"));
        let session = place.demo("claude", &[], &[("FAKE", fake)]);
        assert_eq!(session.ended().code, Some(code), "{fake}");
    }
}

#[test]
fn term_and_hup_are_passed_on() {
    for (signal, name, code) in [(Signal::TERM, "TERM", 43), (Signal::HUP, "HUP", 44)] {
        let place = Place::new(&format!("run-signal-{name}"));
        let session = place.demo("claude", &[], &[]);
        session.signal(signal);
        let ended = session.ended();
        assert_eq!((ended.code, place.noted("signals").trim()), (Some(code), name), "{}", ended.err);
        assert!(place.files(".local/state/llmgate/run").is_empty());
    }
}

#[test]
fn interrupts_are_left_to_the_client() {
    let place = Place::new("run-interrupt");
    let session = place.demo("claude", &[], &[]);
    session.signal(Signal::INT);
    session.signal(Signal::QUIT);
    // It is still there and serves.
    let url = place.variable("ANTHROPIC_BASE_URL").unwrap();
    let key = place.variable("ANTHROPIC_AUTH_TOKEN").unwrap();
    assert_eq!(session.get(&url, "/v1/models", &key).status(), 200);
    assert_eq!(session.end().code, Some(0));
    assert_eq!(place.noted("signals"), "");
}

#[test]
fn a_client_that_does_not_end_is_killed() {
    let place = Place::new("run-deaf");
    let session = place.demo("claude", &["--process-stop-grace-secs", "0"], &[("FAKE", "deaf")]);
    session.signal(Signal::TERM);
    assert_eq!(session.ended().code, Some(137));
}

#[test]
fn the_client_is_in_the_foreground() {
    let place = Place::new("run-group");
    let session = place.demo("claude", &[], &[]);
    let client = Pid::from_raw(place.noted("pid").trim().parse().unwrap());
    let own = Pid::from_child(&session.child);
    assert_eq!(getpgid(client).unwrap(), getpgid(Some(own)).unwrap());
    use std::io::Write;
    let mut session = session;
    session.input.as_mut().unwrap().write_all(b"typed").unwrap();
    assert_eq!(session.end().code, Some(0));
    assert_eq!(place.noted("input"), "typed");
}

#[test]
fn the_file_limit_is_the_callers() {
    let place = Place::new("run-files");
    let mut command = place.program(
        std::path::Path::new("/bin/sh"),
        &["-c", "ulimit -S -n 300; exec \"$0\" run claude --demo", BINARY],
        &[],
    );
    command.env("FAKE", "exit:0");
    let session = Session::start(&place, command);
    assert_eq!(session.ended().code, Some(0));
    assert_eq!(place.noted("files").trim(), "300");
}

#[test]
fn a_client_that_is_missing_is_told_with_its_installation() {
    let place = Place::new("run-missing");
    std::fs::remove_file(place.home.file("bin/codex")).unwrap();
    let output = place.output(&["run", "codex", "--demo"], &[]);
    check_code(&output, 127);
    assert!(text(&output.stderr).contains("npm install -g @openai/codex"), "{}", text(&output.stderr));
    assert!(place.files(".local").is_empty());
}

#[test]
fn a_port_in_use_is_told_and_nothing_starts() {
    let place = Place::new("run-port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = place.output(&["run", "claude", "--demo", "--proxy-port", &port], &[]);
    check_code(&output, 1);
    let said = text(&output.stderr);
    assert!(said.contains("cannot listen") && said.contains("--proxy-port"), "{said}");
    assert_eq!(place.noted("argv"), "");
    assert!(place.files(".local/state/llmgate/run").is_empty());
}

#[test]
fn a_client_that_cannot_be_started_is_our_failure() {
    let place = Place::new("run-broken");
    let program = place.home.file("bin/claude");
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "#!/nowhere/sh\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = place.output(&["run", "claude", "--demo"], &[]);
    check_code(&output, 1);
    assert!(text(&output.stderr).contains("the log is in"), "{}", text(&output.stderr));
    assert!(place.files(".local/state/llmgate/run").is_empty());
    assert_eq!(place.files(".local/state/llmgate/logs").len(), 1);
}

#[test]
fn a_session_leaves_its_ledger_and_its_trace() {
    let place = Place::new("run-records");
    let session = place.demo("claude", &["--trace", "trace.jsonl", "--keep-logs"], &[]);
    let url = place.variable("ANTHROPIC_BASE_URL").unwrap();
    let key = place.variable("ANTHROPIC_AUTH_TOKEN").unwrap();
    let body = r#"{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    assert_eq!(ask(&url, "POST", "/v1/messages", &key, body).status(), 200);
    let ended = session.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let files = place.files(".local/state/llmgate");
    let text = |part: &str| {
        let (_, bytes) = files.iter().find(|(path, _)| path.to_string_lossy().contains(part)).unwrap();
        text(bytes)
    };
    assert_eq!(text("/usage-").lines().count(), 1);
    assert!(text("/logs/run-claude-").contains("outcome=success"));
    let trace = std::fs::read_to_string(place.home.file("ws/trace.jsonl")).unwrap();
    // The first target of the demo is always overloaded.
    assert_eq!(trace.lines().count(), 6, "{trace}");
    assert!(!trace.contains(&key));
    let output = place.output(&["replay", "trace.jsonl", "--diff"], &[]);
    check_code(&output, 0);
    let output = place.output(&["usage", "--by", "model"], &[]);
    check_code(&output, 0);
}

//! The ledger, from requests to sums.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use llmgate::base::clock::{self, Millis};
use llmgate::base::env::Env;
use llmgate::observe::ledger::{Ledger, Place, month_file};
use serde_json::{Value, json};

use crate::records::{ask_twice, lines, llmgate, said};
use crate::support::lane::{ASKED, LANES, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use crate::support::rogue::Rogue;

const COLUMNS: [&str; 23] = [
    "ts",
    "request_id",
    "session",
    "client",
    "ingress",
    "lane",
    "asked",
    "alias",
    "target",
    "stream",
    "status",
    "outcome",
    "class",
    "attempts",
    "input",
    "cached",
    "cache_write",
    "output",
    "reasoning",
    "cost",
    "first_byte_ms",
    "total_ms",
    "losses",
];

/// Names a ledger to a process that writes one.
const FILE: &str = "LLMGATE_TEST_LEDGER";
const PROCESSES: usize = 6;
const LINES: usize = 200;

#[test]
fn every_generation_is_a_line_with_every_column() {
    let folder = Folder::new("ledger-columns");
    let lane = &LANES[2];
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    provider.will(Reply::json(529, "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"later\"}}"));
    let priced = format!("models: {{{UPSTREAM}: {{price: {{input: 1, output: 10}}}}}}");
    let home = folder.0.to_str().unwrap();
    let yaml = lane.config_with(&provider.url(), &priced, "");
    let proxy = Proxy::start_in(&yaml, &[("XDG_STATE_HOME", home)]);
    let headers = [("user-agent", "agent/1.0 (x)"), ("x-llmgate-session", "one-session")];
    let answer = proxy.ask("POST", &lane.path(ASKED), &headers, &lane.ping(ASKED));
    let id = answer.header("x-llmgate-request-id").unwrap().to_owned();
    assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 529);
    proxy.server.drain();

    let written = lines(&folder.file("llmgate").join(month_file(clock::millis())));
    for line in &written {
        let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, COLUMNS);
    }
    let mut first = written[0].clone();
    for timing in ["ts", "first_byte_ms", "total_ms"] {
        assert!(!first[timing].is_null());
        first.as_object_mut().unwrap().shift_remove(timing);
    }
    assert_eq!(
        first,
        json!({
            "request_id": id, "session": "one-session", "client": "agent", "ingress": "anthropic",
            "lane": "native", "asked": ASKED, "alias": ASKED, "target": format!("up/{UPSTREAM}"), "stream": false,
            "status": 200, "outcome": "success", "class": null, "attempts": 1, "input": 9, "cached": null,
            "cache_write": null, "output": 2, "reasoning": null, "cost": 0.000_029, "losses": 0,
        })
    );
    let failed = (&written[1]["outcome"], &written[1]["class"], &written[1]["input"], &written[1]["cost"]);
    assert_eq!(failed, (&json!("error"), &json!("transient"), &Value::Null, &Value::Null));
    assert_eq!(written.len(), 2);
}

#[test]
fn a_request_that_the_end_of_the_process_ends_was_not_left_by_its_client() {
    let folder = Folder::new("ledger-stop");
    let lane = &LANES[2];
    let rogue = Rogue::once(|visit| {
        visit.request();
        visit.tell("asked");
        assert!(visit.is_left());
    });
    let home = folder.0.to_str().unwrap();
    let yaml = lane.config_with(&rogue.url(), "", "timeouts: {drain: 1ms}");
    let proxy = Proxy::start_in(&yaml, &[("XDG_STATE_HOME", home)]);
    let mut client = proxy.connect();
    client.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
    assert_eq!(rogue.told(), "asked");
    proxy.server.drain();
    assert_eq!(client.answer().status(), 503);
    let written = lines(&folder.file("llmgate").join(month_file(clock::millis())));
    assert_eq!((&written[0]["status"], &written[0]["outcome"]), (&json!(503), &json!("error")));
}

#[test]
fn a_ledger_that_is_off_or_cannot_be_written_stands_in_nobodys_way() {
    let folder = Folder::new("ledger-off");
    let lane = &LANES[0];
    let blocked = folder.write("blocked", "").join("ledger");
    for (usage, home) in [
        ("usage: {ledger: false}".to_owned(), folder.0.to_str().unwrap()),
        (format!("usage: {{ledger: \"{}\"}}", blocked.display()), ""),
    ] {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let yaml = lane.config_with(&provider.url(), "", &format!("{usage}\nstate: {{store: memory}}"));
        let proxy = Proxy::start_in(&yaml, &[("XDG_STATE_HOME", home)]);
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
        proxy.server.drain();
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn lines_of_processes_never_mix() {
    let folder = Folder::new("ledger-processes");
    let file = folder.file("usage.jsonl");
    let spawn = |number: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "records::ledger::a_process_writes", "--test-threads=1"]);
        command.env(FILE, &file).env("NUMBER", number.to_string()).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut found: Vec<(u64, u64)> = Vec::new();
    for line in lines(&file) {
        let length = line["length"].as_u64().unwrap();
        assert_eq!(line["text"].as_str().unwrap().len() as u64, length);
        found.push((line["process"].as_u64().unwrap(), length));
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), PROCESSES * LINES);
}

/// A process of the test above; run by itself it has nothing to do.
#[test]
fn a_process_writes() {
    let env = Env::of_process();
    let Some(file) = env.var(FILE) else { return };
    let process: usize = env.var("NUMBER").unwrap().parse().unwrap();
    let ledger = Ledger::new(Place::File(PathBuf::from(file)));
    for number in 0..LINES {
        let length = number * 97;
        let line = json!({"process": process, "length": length, "text": "x".repeat(length)});
        ledger.add(format!("{line}\n").as_bytes(), Millis(0));
    }
}

#[test]
fn sums_are_those_of_the_ledger() {
    let home = Folder::new("ledger-sums");
    let file = home.file("usage.jsonl");
    let mut unpriced = 0;
    for (lane, price) in LANES.iter().zip(["1", "2", "", "0.5"]) {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        provider.will(Reply::sse([lane.streamed_pong(UPSTREAM)]));
        let model = match price {
            "" => String::new(),
            price => format!("models: {{{UPSTREAM}: {{price: {{input: {price}, output: {price}}}}}}}"),
        };
        let usage = format!("usage: {{ledger: \"{}\"}}", file.display());
        let proxy = Proxy::start(&lane.config_with(&provider.url(), &model, &usage));
        ask_twice(&proxy, lane);
        unpriced += proxy.settled(2)["session"]["unpriced"].as_u64().unwrap();
        proxy.server.drain();
    }
    let written = lines(&file);
    let mut broken = std::fs::File::options().append(true).open(&file).unwrap();
    broken.write_all(b"{\"ts\":\"2026-\n").unwrap();
    for by in ["day", "model", "provider", "session"] {
        let output = llmgate(&home, &["usage", "--file", "usage.jsonl", "--json", "--by", by]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["broken"], 1);
        for column in ["input", "cached", "output", "cost"] {
            let sum: f64 = written.iter().filter_map(|line| line[column].as_f64()).sum();
            assert!((told["total"][column].as_f64().unwrap() - sum).abs() < 1e-12, "{column}: {told}");
        }
        assert_eq!(told["total"]["unpriced"], unpriced);
        assert_eq!(told["total"]["requests"], 8);
    }
    let output = llmgate(&home, &["usage", "--file", "usage.jsonl"]);
    assert!(said(&output).contains("+?") && said(&output).contains("1 broken"), "{}", said(&output));
    assert_eq!(llmgate(&home, &["usage", "--file", "none"]).status.code(), Some(1));
    assert_eq!(llmgate(&home, &["usage", "--since", "soon"]).status.code(), Some(2));
    // Without a file, a configuration or a key there is still the place where it would be.
    assert_eq!(llmgate(&home, &["usage"]).status.code(), Some(0));
}

//! The trace, the files of single requests, and `replay`.

use std::path::Path;

use serde_json::{Value, json};

use crate::records::{ask_twice, lines, llmgate, said, texts};
use crate::support::lane::{ASKED, KEY, LANES, Lane, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use crate::support::rogue::Rogue;

/// A provider that answers a whole request and a streamed one.
fn answering(target: &Lane) -> Provider {
    let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
    provider.will(Reply::sse([target.streamed_pong(UPSTREAM)]));
    provider
}

fn traced(file: &Path, more: &str) -> String {
    format!("trace: {{file: \"{}\"}}\n{more}", file.display())
}

#[test]
fn a_trace_holds_what_went_over_the_wire_and_replays_it() {
    let home = Folder::new("trace-replay");
    let file = home.file("trace.jsonl");
    let mut pairs = 0;
    for client in &LANES {
        for target in &LANES {
            let provider = answering(target);
            let top = traced(&file, "log: {bodies: true}");
            let proxy = Proxy::start(&target.config_with(&provider.url(), "", &top));
            let (whole, stream) = ask_twice(&proxy, client);
            proxy.server.drain();
            let written = lines(&file);
            let last = &written[written.len() - 8..];
            let phases: Vec<&str> = last.iter().map(|line| line["phase"].as_str().unwrap()).collect();
            let four = ["request", "upstream_request", "upstream_response", "response"];
            assert_eq!(phases, [four, four].concat());
            let body = |index: usize| last[index]["body"].as_str().unwrap();
            assert_eq!((body(0), body(4)), (&*client.ping(ASKED), &*client.streamed_ping(ASKED)));
            assert_eq!((body(1), body(5)), (&*provider.received().text(), &*provider.received().text()));
            assert_eq!((body(2), body(6)), (&*target.pong(UPSTREAM), &*target.streamed_pong(UPSTREAM)));
            assert_eq!((body(3), body(7)), (&*whole, &*stream));
            assert!(last.iter().all(|line| line["truncated"] == false));
            assert_eq!((&last[3]["outcome"], &last[3]["status"]), (&json!("completed"), &json!(200)));
            assert_eq!(last[7]["record"]["request_id"], last[4]["id"]);
            pairs += 1;
        }
    }
    let output = llmgate(&home, &["replay", "trace.jsonl", "--diff"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(said(&output).matches(": same\n").count(), pairs * 4, "{}", said(&output));
    let printed = llmgate(&home, &["replay", "trace.jsonl", "--json"]);
    let sent = lines(&file).into_iter().filter(|line| line["phase"] == "upstream_request");
    let told = said(&printed);
    let told = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let made: Vec<Value> = told.filter(|line| line["phase"] == "upstream_request").collect();
    assert!(sent.map(|line| line["body"].clone()).eq(made.iter().map(|line| line["body"].clone())));
    for target in &LANES {
        let output = llmgate(&home, &["replay", "trace.jsonl", "--to", target.name]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(said(&output).matches("ping").count(), pairs * 2);
    }
}

#[test]
fn a_shortened_conversation_is_replayed() {
    let home = Folder::new("trace-compact");
    let file = home.file("trace.jsonl");
    for target in &LANES {
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        let top = traced(&file, "log: {bodies: true}");
        let proxy = Proxy::start(&target.config_with(&provider.url(), "", &top));
        let body = json!({"model": ASKED, "input": "long"}).to_string();
        assert_eq!(proxy.post("/v1/responses/compact", &body).status(), 200);
        proxy.server.drain();
    }
    let output = llmgate(&home, &["replay", "trace.jsonl", "--diff"]);
    assert_eq!(said(&output).matches(": same\n").count(), LANES.len() * 2, "{}", said(&output));
}

#[test]
fn a_difference_is_shown() {
    let home = Folder::new("trace-differs");
    let file = home.file("trace.jsonl");
    let provider = answering(&LANES[2]);
    let proxy = Proxy::start(&LANES[2].config_with(&provider.url(), "", &traced(&file, "")));
    ask_twice(&proxy, &LANES[0]);
    proxy.server.drain();
    let recorded = std::fs::read_to_string(&file).unwrap();
    let changed = recorded.lines().map(|line| match line.contains("\"upstream_request\"") {
        true => format!("{}\n", line.replace("ping", "pang")),
        false => format!("{line}\n"),
    });
    home.write("trace.jsonl", &changed.collect::<String>());
    let output = llmgate(&home, &["replay", "trace.jsonl", "--diff"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("upstream_request up/up-model-1: differs") && said.contains("response: same"));
    let signs = |sign: char, word: &str| {
        said.lines().filter(|line| line.starts_with(sign) && line.contains(word)).count()
    };
    assert_eq!((signs('-', "pang"), signs('+', "ping")), (2, 2), "{said}");
}

#[test]
fn without_bodies_a_trace_holds_an_excerpt_and_replay_says_so() {
    let home = Folder::new("trace-excerpt");
    let file = home.file("trace.jsonl");
    let (client, target) = (&LANES[0], &LANES[2]);
    let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
    let top = format!("trace: {{file: \"{}\", max_text: 20}}", file.display());
    let proxy = Proxy::start(&target.config_with(&provider.url(), "", &top));
    let say = |role: &str, content: &str| json!({"role": role, "content": content});
    let messages = json!([
        say("user", "an old question"),
        say("assistant", "an old answer"),
        say("user", "a new question that is long")
    ]);
    let request = json!({"model": ASKED, "messages": messages}).to_string();
    assert_eq!(proxy.post(&client.path(ASKED), &request).status(), 200);
    proxy.server.drain();
    let written = lines(&file);
    for line in &written[..2] {
        let body = line["body"].as_str().unwrap();
        assert!(body.contains("a new question that … (+7)") && !body.contains("old"), "{body}");
        assert_eq!(line["truncated"], true);
    }
    let output = llmgate(&home, &["replay", "trace.jsonl", "--diff"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("only an excerpt of the request was recorded"), "{}", said(&output));
}

#[test]
fn a_providers_cookie_is_in_no_trace() {
    let home = Folder::new("trace-cookie");
    let file = home.file("trace.jsonl");
    let lane = &LANES[0];
    let reply = Reply::json(200, &lane.pong(UPSTREAM)).header("Set-Cookie", "__cf_bm=marked; HttpOnly");
    let provider = Provider::with(reply);
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", &traced(&file, "log: {bodies: true}")));
    assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
    proxy.server.drain();
    let heard = &lines(&file)[2]["headers"];
    assert!(heard.as_array().unwrap().contains(&json!("set-cookie: ***")), "{heard}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains("marked"));
}

#[test]
fn every_way_to_end_has_its_outcome() {
    let home = Folder::new("trace-outcomes");
    let file = home.file("trace.jsonl");
    for lane in &LANES {
        let start = |url: &str| Proxy::start(&lane.config_with(url, "", &traced(&file, "")));
        let outcome = |proxy: &Proxy| {
            proxy.server.drain();
            lines(&file).last().unwrap()["outcome"].as_str().unwrap().to_owned()
        };
        let refusing = Provider::with(Reply::json(400, "{\"error\":{\"message\":\"no\"}}"));
        let proxy = start(&refusing.url());
        proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(outcome(&proxy), "failed");
        let cut = Provider::with(Reply::sse([lane.opening(UPSTREAM), lane.content(UPSTREAM)]));
        let proxy = start(&cut.url());
        proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED)).rest();
        assert_eq!(outcome(&proxy), "stream_error");
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            assert!(visit.is_left());
            visit.tell("left");
        });
        let proxy = start(&rogue.url());
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        stream.event().unwrap();
        stream.leave();
        assert_eq!(rogue.told(), "left");
        assert_eq!(outcome(&proxy), "client_disconnected");
        let told = lines(&file).pop().unwrap();
        assert_eq!(told["body"].as_str().unwrap(), lane.content(ASKED));
    }
    let output = llmgate(&home, &["replay", "trace.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_request_has_a_file_of_its_own() {
    let home = Folder::new("trace-files");
    let (client, target) = (&LANES[2], &LANES[1]);
    for bodies in [false, true] {
        let (all, failed) = (home.file(&format!("all-{bodies}")), home.file(&format!("failed-{bodies}")));
        let provider = Provider::with(Reply::json(200, &target.pong(UPSTREAM)));
        provider.will(Reply::json(429, &format!("{{\"error\":{{\"message\":\"slow down, {KEY}\"}}}}")));
        let top = format!(
            "log: {{requests_dir: \"{}\", errors_dir: \"{}\", bodies: {bodies}}}",
            all.display(),
            failed.display()
        );
        let proxy = Proxy::start(&target.config_with(&provider.url(), "", &top));
        for _ in 0..2 {
            let headers = [("anthropic-beta", "seen")];
            proxy.ask("POST", &client.path(ASKED), &headers, &client.ping(ASKED));
        }
        proxy.server.drain();
        let (all, failed) = (texts(&all), texts(&failed));
        assert_eq!((all.len(), failed.len()), (2, 1));
        assert!(all.contains(&failed[0]) && failed[0].contains("\"outcome\":\"failed\""));
        for text in &all {
            assert_eq!(text.contains("ping"), bodies, "{text}");
            assert!(text.contains("anthropic-beta: seen") && text.contains("authorization: sk-pr****ghij"));
            assert!(!text.contains(KEY));
        }
    }
    let file = std::fs::read_dir(home.file("all-true")).unwrap().next().unwrap().unwrap().path();
    let output = llmgate(&home, &["replay", file.to_str().unwrap(), "--diff"]);
    assert!(said(&output).contains("upstream_request up/up-model-1: same"), "{}", said(&output));
    let file = std::fs::read_dir(home.file("all-false")).unwrap().next().unwrap().unwrap().path();
    let output = llmgate(&home, &["replay", file.to_str().unwrap()]);
    assert!(said(&output).contains("recorded without its body"), "{}", said(&output));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }
}

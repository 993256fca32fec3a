//! A running `start`, asked by the file that it writes.

use std::process::{Command, Stdio};

use super::{BINARY, Started, check_code, ready_file, run, text};
use crate::support::client::Client;
use crate::support::lane::LANES;
use crate::support::proxy::Folder;

const KEY: &str = "gw_client-key-0123456789";

#[test]
fn a_ready_file_leads_to_the_local_endpoints() {
    for (name, words, access) in [
        ("every-address", &["--listen", "0.0.0.0:0"][..], ""),
        ("own-door", &[], "\naccess: {admin_listen: '127.0.0.1:0'}"),
    ] {
        let home = Folder::new(&format!("cli-ready-{name}"));
        let top = format!("client_auth: {{mode: proxy_key, keys: [{KEY}]}}{access}");
        let config = home.write("config.yaml", &LANES[0].config_with("http://127.0.0.1:9", "", &top));
        let options = ["--config", config.to_str().unwrap(), "--ready-file", "ready.json"];
        let mut started = Started::start(&home, &[&options, words].concat(), &[]);
        let facts = ready_file(&mut started.child, &home.file("ready.json"));
        assert_eq!(facts["url"], started.url.as_str());
        assert_eq!(facts["admin_url"].is_string(), !access.is_empty(), "{facts}");
        let ask = |word| run(&home, &[word, "--ready-file", "ready.json"], &[("LLMGATE_KEY", KEY)]);
        let output = ask("reload");
        check_code(&output, 0);
        assert_eq!(text(&output.stdout), "reloaded: revision 2\n");
        let output = run(&home, &["reload", "--json", "--ready-file", "ready.json"], &[("LLMGATE_KEY", KEY)]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["revision"], 3);
        check_code(&ask("status"), 0);
        // As `start` tells it.
        let output = run(&home, &["models", "--url", &started.url], &[("LLMGATE_KEY", KEY)]);
        check_code(&output, 0);
        check_code(&ask("stop"), 0);
        assert_eq!(started.end().0, Some(0), "{name}");
    }
}

#[test]
fn what_is_odd_is_said_at_the_start() {
    let home = Folder::new("cli-odd");
    home.write("llmgate.yaml", "");
    let odd = LANES[0].config_with("http://far.example", "", "dashboard: false");
    let config = home.write("config.yaml", &odd);
    let started = Started::start(&home, &["--config", config.to_str().unwrap()], &[]);
    assert!(started.said.contains("\nnote: ./llmgate.yaml is not in use; name it with --config\n"));
    let err = std::fs::read_to_string(home.file("err")).unwrap();
    assert!(err.starts_with("warning: providers.up.base_url: http to far.example sends keys"), "{err}");
    check_code(&run(&home, &["stop", "--url", &format!("{}/", started.url)], &[]), 0);
    let (code, said) = started.end();
    assert!(code == Some(0) && !said.contains("dashboard"), "{said}");
}

#[test]
fn who_is_asked_in_vain_is_told_why() {
    let home = Folder::new("cli-in-vain");
    let started = Started::start(&home, &["--demo"], &[]);
    let over_tls = started.url.replace("http:", "https:");
    for word in ["reload", "stop", "status"] {
        for (url, why) in
            [(&*over_tls, "not reached: TLS: "), ("http://127.0.0.1:1", "not reached: 127.0.0.1:1: ")]
        {
            let output = run(&home, &[word, "--url", url], &[]);
            check_code(&output, 1);
            let said = text(&output.stderr);
            assert!(said.starts_with(&format!("{url}: {why}")), "{word}: {said}");
        }
    }
    check_code(&run(&home, &["stop", "--url", &started.url], &[]), 0);
    assert_eq!(started.end().0, Some(0));
}

#[test]
fn a_reload_takes_no_more_connections_than_there_are_files_for() {
    let home = Folder::new("cli-few-files");
    home.write("config.yaml", &LANES[0].config("http://127.0.0.1:9"));
    // Half of what is left beside its own: 16.
    let start = "ulimit -n 48 && exec \"$0\" start --config config.yaml --ready-file ready.json";
    let mut shell = Command::new("sh");
    shell.args(["-c", start, BINARY]).env_clear().env("HOME", &home.0).current_dir(&home.0);
    let mut child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let facts = ready_file(&mut child, &home.file("ready.json"));
    let address = facts["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    let reloaded = run(&home, &["reload", "--ready-file", "ready.json"], &[]);
    let mut clients: Vec<Client> = Vec::new();
    let statuses: Vec<u16> = (0..17)
        .map(|_| {
            let mut client = Client::connect(address);
            client.ask("GET", "/ready", &[], b"");
            let status = client.answer().status();
            clients.push(client);
            status
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    check_code(&reloaded, 0);
    assert_eq!(statuses.last(), Some(&503), "{statuses:?}");
}

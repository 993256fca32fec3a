//! A running `start`, asked by the file that it writes.

use super::{Started, check_code, ready_file, run, text};
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
        check_code(&ask("status"), 0);
        // As `start` tells it.
        let output = run(&home, &["models", "--url", &started.url], &[("LLMGATE_KEY", KEY)]);
        check_code(&output, 0);
        check_code(&ask("stop"), 0);
        assert_eq!(started.end().0, Some(0), "{name}");
    }
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

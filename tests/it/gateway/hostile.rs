//! Bodies that nobody should send: an error each time, and the proxy goes on.

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use llmgate::protocol::Protocol;

#[test]
fn a_body_that_is_no_object_is_refused() {
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let deep_string = format!("{{\"model\":{}", "[".repeat(100_000));
    for lane in &LANES {
        let provider = Provider::start();
        let proxy = Proxy::start(&lane.config(&provider.url()));
        let mut client = proxy.connect();
        let good = lane.ping(ASKED);
        let cases: Vec<Vec<u8>> = [
            "",
            " ",
            "null",
            "7",
            "\"text\"",
            "[]",
            "[{}]",
            "{",
            "}",
            "{]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":1} {}",
            "{\"a\":nul}",
            "{\"a\":\"\\u12\"}",
            "\u{feff}[]",
            "<html>",
            "a=b&c=d",
            &good[..good.len() - 1],
            &deep,
            &deep_string,
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([b"{\"a\":\"\xff\"}".to_vec(), b"\xc3\x28".to_vec(), vec![0; 100]])
        .collect();
        for body in cases {
            client.ask("POST", &lane.path(ASKED), &[], &body);
            let answer = client.answer();
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(answer.status(), 400, "{} {shown:?}: {}", lane.name, answer.text());
            lane.error_message(&answer.json());
        }
        assert!(provider.is_idle());
        // Deep but balanced: refused here or passed on, never a crash.
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        let answer = proxy.post(&lane.path(ASKED), &deep_object);
        assert!(matches!(answer.status(), 200 | 400 | 404), "{}", answer.text());
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        assert_eq!(proxy.post(&lane.path(ASKED), &good).status(), 200);
    }
}

#[test]
fn members_of_the_wrong_type_are_named() {
    for lane in LANES.iter().filter(|lane| lane.protocol != Protocol::Gemini) {
        let proxy = Proxy::start(&lane.config("http://127.0.0.1:9"));
        for (member, body) in [
            ("`model`", "{\"model\": 7}"),
            ("`model`", "{\"model\": [\"a\"]}"),
            ("`model`", "{\"model\": {}}"),
            ("`stream`", "{\"model\": \"asked-name\", \"stream\": \"yes\"}"),
            ("`stream`", "{\"model\": \"asked-name\", \"stream\": 1}"),
        ] {
            let answer = proxy.post(&lane.path(ASKED), body);
            assert_eq!(answer.status(), 400, "{body}");
            let message = lane.error_message(&answer.json());
            assert!(message.contains(member), "{message}");
        }
    }
}

#[test]
fn a_model_that_would_lead_elsewhere_is_not_found() {
    let lane = LANES.iter().find(|lane| lane.protocol == Protocol::Gemini).unwrap();
    let provider = Provider::start();
    let config = lane.config(&provider.url()).replace(&format!("models:\n  {ASKED}: up/{UPSTREAM}\n"), "");
    let proxy = Proxy::start(&config);
    for model in ["..%2F..%2Fv1%2Ffiles", "a%2F..%2Fb", "..", ".", "a%0D%0Ab", "a%00b", "a/../b"] {
        let answer = proxy.post(&lane.path(model), &lane.ping(ASKED));
        assert_eq!(answer.status(), 404, "{model}: {}", answer.text());
        // Nor may it be counted there.
        proxy.post(&format!("/v1beta/models/{model}:countTokens"), &lane.ping(ASKED));
        assert!(provider.is_idle(), "{model}");
    }
    provider.will(Reply::json(200, &lane.pong("x")));
    assert_eq!(proxy.post(&lane.path("a%2Fb%20c:d%3Fe"), &lane.ping(ASKED)).status(), 200);
    assert_eq!(provider.received().path, "/v1/models/a/b%20c%3Ad%3Fe:generateContent");
}

#[test]
fn names_of_others_make_no_headers() {
    for lane in LANES.iter().filter(|lane| lane.protocol != Protocol::Gemini) {
        let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
        let config = lane.config(&provider.url()).replace(&format!("{ASKED}: "), "\"*\": ");
        let proxy = Proxy::start(&config);
        let answer = proxy.post(&lane.path(ASKED), &lane.ping("ä b"));
        assert_eq!(answer.header("x-llmgate-model"), Some("? b"), "{}", answer.text());
    }
}

#[test]
fn a_name_said_twice_or_in_disguise_is_no_way_around() {
    for lane in LANES.iter().filter(|lane| lane.protocol != Protocol::Gemini) {
        for body in [
            "{\"model\":\"asked-name\",\"model\":\"other\"}",
            "{\"model\":\"other\",\"model\":\"asked-name\"}",
            "{\"mod\\u0065l\":\"asked-name\"}",
            "{\"model\":\"asked-name\",\"mod\\u0065l\":\"other\"}",
        ] {
            let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
            let config = lane.config(&provider.url()).replace("providers:", "direct_routes: false\nproviders:\n  second: {protocol: gemini, base_url: \"http://127.0.0.1:9/v1\"}");
            let proxy = Proxy::start(&config);
            let answer = proxy.post(&lane.path(ASKED), body);
            match answer.status() {
                // Readers differ in which of two they take: the provider must see only ours.
                200 => {
                    let received = provider.received().text();
                    assert!(!received.contains("other"), "{body} became {received}");
                    assert!(received.contains(UPSTREAM), "{body} became {received}");
                }
                status => assert!(matches!(status, 400 | 404), "{body}: {}", answer.text()),
            }
        }
    }
}

#[test]
fn a_query_that_is_none_is_the_clients_fault() {
    let lane = &LANES[0];
    let provider = Provider::start();
    let proxy = Proxy::start(&lane.config(&provider.url()));
    for query in ["x=\"a\"", "x=a|b", "x={a}", "x=<a>", "x=a\\b", "x=%", "x=^`", "&&&", "?", "x=#"] {
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        let answer = proxy.post(&format!("{}?{query}", lane.path(ASKED)), &lane.ping(ASKED));
        assert!(matches!(answer.status(), 200 | 400), "{query}: {} {}", answer.status(), answer.text());
        if answer.status() == 200 {
            provider.received();
        }
    }
}

#[test]
fn a_long_name_makes_a_short_header() {
    let lane = &LANES[0];
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    let config = lane.config(&provider.url()).replace(&format!("{ASKED}: "), "\"*\": ");
    let name = "x".repeat(1000);
    let answer = Proxy::start(&config).post(&lane.path(&name), &lane.ping(&name));
    assert_eq!(answer.header("x-llmgate-model").map(str::len), Some(512), "{}", answer.text());
    assert_eq!(answer.text(), lane.pong(&name));
}

#[test]
fn no_name_of_a_client_fills_memory_or_disk() {
    let place = Folder::new("long-names");
    let lane = lane(Protocol::Anthropic);
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    let top = format!("usage: {{ledger: \"{}\"}}", place.file("usage.jsonl").display());
    let config = lane.config_with(&provider.url(), "", &top);
    let proxy = Proxy::start(&config);
    let long = "x".repeat(100_000);
    for name in [long.clone(), format!("up/{long}")] {
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(&name));
        assert_eq!(answer.status(), 404, "{name:.9}");
        assert!(answer.text().len() < 3000, "{}", answer.text().len());
    }
    let headers = [("x-llmgate-session", &long[..50_000])];
    assert_eq!(proxy.ask("POST", &lane.path(ASKED), &headers, &lane.ping(ASKED)).status(), 200);
    proxy.ends();
    let ledger = std::fs::read_to_string(place.file("usage.jsonl")).unwrap();
    let longest = ledger.lines().map(str::len).max();
    assert!(ledger.lines().count() == 3 && longest < Some(2000), "{longest:?}");
}

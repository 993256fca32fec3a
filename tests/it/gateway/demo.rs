//! The built-in demo, asked by every client.

use crate::support::lane::{ASKED, LANES};
use crate::support::proxy::Proxy;

const GREETING: &str = "This is llmgate's built-in demo model, not a real LLM.";
const DEMO: &str = "version: 1\nlisten: 127.0.0.1:0\nproviders:\n  demo: {base_url: \"demo:\"}\nmodels:\n  \"*\": demo/steady\n";

#[test]
fn it_answers_every_client_whole_and_streamed() {
    let proxy = Proxy::start(DEMO);
    for client in &LANES {
        let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(answer.text().contains(GREETING) && answer.text().contains(ASKED), "{}", answer.text());
        assert_eq!(answer.header("x-llmgate-target"), Some("demo/steady"));
        let told = proxy.stream(&client.stream_path(ASKED), &client.streamed_ping(ASKED)).rest();
        assert!(told.contains("This is llmgate's built-in"), "{told}");
    }
}

#[test]
fn it_speaks_any_one_protocol_to_every_client() {
    for target in &LANES {
        let demo = format!("{{base_url: \"demo:\", protocol: {}}}", target.name);
        let proxy = Proxy::start(&DEMO.replace("{base_url: \"demo:\"}", &demo));
        for client in &LANES {
            let answer = proxy.post(&client.path(ASKED), &client.ping(ASKED));
            assert!(answer.text().contains(GREETING), "{}", answer.text());
            assert!(answer.text().contains(target.name), "{}", answer.text());
        }
    }
}

#[test]
fn its_faults_are_faults_like_any_providers() {
    for client in &LANES {
        // One for each, since failures open the breaker.
        let proxy = Proxy::start(&format!("{DEMO}retry: {{attempts: 1}}\n"));
        let asks = |words: &str| client.streamed_ping(ASKED).replace("ping", words);
        let answer = proxy.post(&client.stream_path(ASKED), &asks("demo:error 503"));
        assert_eq!(answer.status(), 503);
        assert!(client.error_message(&answer.json()).contains("asked for an error 503"));
        let told = proxy.stream(&client.stream_path(ASKED), &asks("demo:cut")).rest();
        assert!(told.contains("ended before") && !told.contains("[DONE]"), "{told}");
    }
    let direct = Proxy::start("version: 1\nlisten: 127.0.0.1:0\nproviders:\n  demo: {base_url: \"demo:\"}\n");
    for client in &LANES {
        let answer = direct.post(&client.path("demo/other"), &client.ping("demo/other"));
        assert_eq!(answer.status(), 404);
        assert!(answer.text().contains("steady"), "{}", answer.text());
    }
}

#[test]
fn the_demo_itself_shows_a_failover_and_an_open_breaker() {
    let proxy = Proxy::start_demo();
    for number in 1..=7 {
        let client = &LANES[number % LANES.len()];
        let answer = proxy.post(&client.path("any"), &client.ping("any"));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("x-llmgate-target"), Some("demo/steady"));
        let open = number > 5;
        assert_eq!(answer.header("x-llmgate-attempts"), Some(if open { "1" } else { "2" }));
        assert_eq!(answer.header("x-llmgate-skipped"), open.then_some("demo/overloaded=breaker"));
    }
}

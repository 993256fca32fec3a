//! OpenAI's older completions: a text that goes on. A provider that speaks Chat gets the request as
//! it came, no other gets it.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

const BODY: &str =
    r#"{"model":"asked-name","prompt":["Once upon"," a time"], "suffix":"end","max_tokens":9STREAM}"#;
const TOLD: &str = r#"{"id":"cmpl-1","object":"text_completion","model":"up-model-1","choices":[{"text":" there","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14}}"#;

fn body(stream: bool) -> String {
    BODY.replace("STREAM", if stream { ",\"stream\":true" } else { "" })
}

#[test]
fn a_chat_provider_goes_on_with_a_text() {
    let provider = Provider::start();
    let proxy = Proxy::start(&lane(Protocol::OpenaiChat).config(&provider.url()));
    for path in ["/v1/completions", "/openai/v1/completions"] {
        provider.will(Reply::json(200, TOLD));
        let answer = proxy.post(path, &body(false));
        assert_eq!((answer.status(), answer.text()), (200, TOLD.replace(UPSTREAM, ASKED)));
        assert_eq!(answer.header("x-llmgate-output-tokens"), Some("9"));
        let received = provider.received();
        assert_eq!(received.path, "/v1/completions");
        assert_eq!(received.text(), body(false).replace(ASKED, UPSTREAM));
    }
}

#[test]
fn it_is_streamed_event_by_event() {
    let event = |text: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"cmpl-1\",\"model\":\"{UPSTREAM}\",\"choices\":[{{\"text\":\"{text}\",\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
    let events = [event(" there", "null"), event(" was", "\"stop\"")];
    let done = "data: [DONE]\n\n";
    let provider = Provider::start();
    let proxy = Proxy::start(&lane(Protocol::OpenaiChat).config(&provider.url()));
    provider.will(Reply::sse([events[0].as_str(), events[1].as_str(), usage, done]));
    let told = proxy.stream("/v1/completions", &body(true)).rest();
    assert_eq!(told, format!("{}{done}", events.concat()).replace(UPSTREAM, ASKED));
    assert_eq!(provider.received().json()["stream_options"]["include_usage"], true);
    assert_eq!(proxy.settled(1)["session"]["tokens"]["output"], 2);
    // Without its end it is none.
    provider.will(Reply::sse([events[0].as_str()]));
    let told = proxy.stream("/v1/completions", &body(true)).rest();
    assert!(told.contains("\"error\"") && !told.contains("[DONE]"), "{told}");
    provider.received();
    // Nobody could gather such a stream.
    provider.will(Reply::sse([events[0].as_str(), events[1].as_str(), done]));
    assert_eq!(proxy.post("/v1/completions", &body(false)).status(), 502);
}

#[test]
fn no_other_protocol_gets_it() {
    for other in LANES.iter().filter(|lane| lane.protocol != Protocol::OpenaiChat) {
        let provider = Provider::start();
        let proxy = Proxy::start(&other.config(&provider.url()));
        let answer = proxy.post("/v1/completions", &body(false));
        assert_eq!(answer.status(), 400, "{}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("completions"), "{message}");
        assert!(provider.is_idle());
    }
    assert_eq!(Proxy::start_demo().post("/v1/completions", &body(false)).status(), 400);
}

#[test]
fn it_goes_to_the_next_provider_when_one_fails() {
    let (bad, good) = (Provider::with(Reply::json(503, "{}")), Provider::with(Reply::json(200, TOLD)));
    let proxy = Proxy::start(&format!(
        "version: 1\nlisten: 127.0.0.1:0\nretry: {{attempts: 1}}\nproviders:\n\
         \x20 bad: {{protocol: openai-chat, base_url: \"{}/v1\"}}\n\
         \x20 other: {{protocol: anthropic, base_url: \"{}/v1\"}}\n\
         \x20 good: {{protocol: openai-chat, base_url: \"{}/v1\"}}\nmodels:\n\
         \x20 {ASKED}: {{strategy: ordered, targets: [{{to: bad/m}}, {{to: other/m}}, {{to: good/{UPSTREAM}}}]}}\n",
        bad.url(),
        bad.url(),
        good.url()
    ));
    let answer = proxy.post("/v1/completions", &body(false));
    assert_eq!((answer.status(), answer.text()), (200, TOLD.replace(UPSTREAM, ASKED)));
    assert_eq!(answer.header("x-llmgate-skipped"), Some("other/m=capability:completions"));
    bad.received();
    assert!(bad.is_idle());
}

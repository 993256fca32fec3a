//! `/responses/compact`: forwarded to a target that speaks Responses, else not there.

use llmgate::protocol::Protocol;

use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

const BODY: &str = r#"{"model":"asked-name","input":[{"role":"user","content":"long"}],"odd":1}"#;

#[test]
fn a_native_target_shortens_the_conversation() {
    let told = format!(
        r#"{{"id":"resp_1","object":"response.compaction","model":"{UPSTREAM}","output":[{{"type":"compaction","encrypted_content":"x"}}],"usage":{{"input_tokens":9,"output_tokens":3}}}}"#
    );
    let provider = Provider::with(Reply::json(200, &told));
    let proxy = Proxy::start(&lane(Protocol::OpenaiResponses).config(&provider.url()));
    let answer = proxy.post("/openai/v1/responses/compact", BODY);
    assert_eq!((answer.status(), answer.text()), (200, told.replace(UPSTREAM, ASKED)));
    assert_eq!(answer.header("x-llmgate-input-tokens"), Some("9"));
    let received = provider.received();
    assert_eq!(received.path, "/v1/responses/compact");
    assert_eq!(received.text(), BODY.replace(ASKED, UPSTREAM));
}

#[test]
fn without_one_it_is_not_there() {
    for target in LANES.iter().filter(|lane| lane.protocol != Protocol::OpenaiResponses) {
        let provider = Provider::start();
        let proxy = Proxy::start(&target.config(&provider.url()));
        let answer = proxy.post("/v1/responses/compact", BODY);
        assert_eq!((answer.status(), &answer.json()["error"]["code"]), (404, &"unsupported_endpoint".into()));
        assert!(provider.is_idle());
    }
}

//! Recorded exchanges through the whole proxy.

use llmgate::protocol::Protocol;
use serde_json::Value;

use crate::support::fixtures;
use crate::support::lane::{ASKED, LANES, Lane, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;

/// The members of answers that name the model, as text before the name.
const MEMBERS: [&str; 6] = [
    "\"model\":\"",
    "\"model\": \"",
    "\"model\" : \"",
    "\"modelVersion\":\"",
    "\"modelVersion\": \"",
    "\"modelVersion\" : \"",
];

/// The model that a recording names.
fn model(text: &str) -> Option<String> {
    MEMBERS.iter().find_map(|member| {
        let name = text.split_once(member)?.1;
        Some(name[..name.find('"')?].to_owned())
    })
}

/// The recording with another model. Each occurrence of the name as such a member is one.
fn renamed(text: &str, from: &str, to: &str) -> String {
    MEMBERS.iter().fold(text.to_owned(), |text, member| {
        text.replace(&format!("{member}{from}\""), &format!("{member}{to}\""))
    })
}

#[test]
fn whole_answers_come_out_as_they_came() {
    for lane in &LANES {
        for fixture in fixtures::all("responses", lane.name) {
            let provider = Provider::with(Reply::json(200, &fixture.text));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            let wanted = match model(&fixture.text) {
                Some(model) => renamed(&fixture.text, &model, ASKED),
                None => fixture.text,
            };
            assert_eq!((answer.status(), answer.text()), (200, wanted), "{}", fixture.name);
        }
    }
}

#[test]
fn whole_answers_keep_the_model_where_its_name_is_the_same() {
    for lane in &LANES {
        for fixture in fixtures::all("responses", lane.name) {
            let provider = Provider::with(Reply::json(200, &fixture.text));
            let proxy = Proxy::start(&lane.config(&provider.url()));
            // A direct name is the provider's own, but for the provider before it: none is here.
            let answer = proxy.post(&lane.path(UPSTREAM), &lane.ping(UPSTREAM));
            assert_eq!((answer.status(), answer.text()), (200, fixture.text), "{}", fixture.name);
        }
    }
}

#[test]
fn streams_come_out_as_they_came_at_any_chunking() {
    for lane in &LANES {
        for fixture in fixtures::all("streams", lane.name) {
            let provider = Provider::start();
            let proxy = Proxy::start(&lane.config(&provider.url()));
            let wanted = match model(&fixture.text) {
                Some(model) => renamed(&fixture.text, &model, ASKED),
                None => fixture.text.clone(),
            };
            let wanted = seen_by_client(lane, &wanted);
            for size in [7, 64, 1000, 100_000] {
                provider.will(Reply::sse(fixture.text.as_bytes().chunks(size)));
                let body = match lane.protocol {
                    Protocol::OpenaiChat => lane.streamed_ping(ASKED).replace(
                        "\"stream\": true",
                        "\"stream\": true,\"stream_options\":{\"include_usage\":true}",
                    ),
                    _ => lane.streamed_ping(ASKED),
                };
                let mut stream = proxy.stream(&lane.stream_path(ASKED), &body);
                assert_eq!(stream.rest(), wanted, "{} in parts of {size}", fixture.name);
            }
        }
    }
}

/// Comments and signs of life before the first content are dropped (SPEC 6.6).
fn seen_by_client(lane: &Lane, stream: &str) -> String {
    let is_beat = |frame: &&str| {
        frame.starts_with(':') || (lane.protocol == Protocol::Anthropic && frame.starts_with("event: ping"))
    };
    let frames: Vec<&str> = stream.split_inclusive("\n\n").collect();
    let is_content = |frame: &&str| {
        [
            "_delta",
            "\"content\":\"",
            "refusal\":\"",
            "tool_use",
            "thinking",
            "function_call",
            "stop_reason",
            "reasoning",
        ]
        .iter()
        .any(|word| frame.contains(word))
            && !frame.contains("message_start")
            && !frame.contains("response.created")
            && !frame.contains("response.in_progress")
            && !frame.contains("\"content\":\"\"")
    };
    let first = frames.iter().position(is_content).unwrap_or(frames.len());
    frames
        .iter()
        .enumerate()
        .filter(|(at, frame)| *at > first || !is_beat(frame))
        .map(|(_, frame)| *frame)
        .collect()
}

#[test]
fn requests_arrive_as_they_were_sent() {
    for lane in &LANES {
        for fixture in fixtures::all("requests", lane.name) {
            let provider = Provider::start();
            let proxy = Proxy::start(&lane.config_with(
                &provider.url(),
                "models: {up-model-1: {strip_billing: false}}",
                "",
            ));
            let body: Value = serde_json::from_str(&fixture.text).unwrap();
            let wanted = match model_of_request(&body) {
                Some(model) => (
                    renamed_once(&fixture.text, &model, ASKED),
                    renamed_once(&fixture.text, &model, UPSTREAM),
                ),
                None => (fixture.text.clone(), fixture.text.clone()),
            };
            let (sent, mut wanted) = wanted;
            let streamed = body["stream"] == true;
            if streamed
                && lane.protocol == Protocol::OpenaiChat
                && body["stream_options"]["include_usage"] != true
            {
                wanted.truncate(wanted.len() - 1);
                wanted.push_str(",\"stream_options\":{\"include_usage\":true}}");
            }
            let path = match streamed {
                true => {
                    provider.will(Reply::sse([lane.streamed_pong(UPSTREAM)]));
                    lane.stream_path(ASKED)
                }
                false => {
                    provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
                    lane.path(ASKED)
                }
            };
            assert_eq!(proxy.post(&path, &sent).status(), 200, "{}", fixture.name);
            assert_eq!(provider.received().text(), wanted, "{}", fixture.name);
        }
    }
}

fn model_of_request(body: &Value) -> Option<String> {
    body.get("model")?.as_str().map(str::to_owned)
}

/// Only the request's own model; a model inside a tool or a message stays.
fn renamed_once(text: &str, from: &str, to: &str) -> String {
    let member = format!("\"model\":\"{from}\"");
    assert_eq!(text.matches(&member).count(), 1, "{text}");
    text.replacen(&member, &format!("\"model\":\"{to}\""), 1)
}

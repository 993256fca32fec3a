//! What a client is told piece by piece is what it would have been told at once.

use llmgate::base::sse::FrameReader;
use llmgate::ir::collect::Collector;
use llmgate::ir::request::Block;
use llmgate::ir::response::Response;
use llmgate::protocol::Protocol;
use llmgate::translate::pipe::StreamEnd;

use serde_json::{Value, json};

use crate::support::crossing::{self, FRAME, REQUEST_ID, called, pairs, with_ids_for};
use crate::support::fixtures;

/// A stream gathered to a whole answer.
pub(super) fn collected(protocol: Protocol, text: &str) -> Option<Response> {
    let mut reader = FrameReader::new(FRAME);
    reader.push(text.as_bytes());
    let mut decoder = protocol.codec().wire().stream_decoder(REQUEST_ID);
    let mut events = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let Some(text) = frame.text() else { continue };
        decoder.frame(frame.event_name(), &text, &mut events).unwrap();
    }
    decoder.finish(&mut events);
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.finish()
}

/// What a reader sees of an answer: neighbouring texts joined, so that it does not matter how a
/// protocol divides them.
fn seen(response: &Response) -> Vec<String> {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for block in &response.blocks {
        let (kind, text) = match block {
            Block::Text(text) => ("text", text.clone()),
            Block::Refusal(text) => ("refusal", text.clone()),
            Block::Reasoning(reasoning) => ("reasoning", reasoning.text.clone()),
            Block::Call(call) => ("call", format!("{} {} {}", call.id, call.name, plain(&call.arguments))),
            Block::Media(_) | Block::Result(_) => continue,
        };
        match seen.last_mut() {
            _ if text.is_empty() => {}
            Some((last, said)) if *last == kind && kind != "call" => said.push_str(&text),
            _ => seen.push((kind, text)),
        }
    }
    seen.into_iter().map(|(kind, text)| format!("{kind} {text}")).collect()
}

/// Where a recording has both forms, the stream says what the whole answer says.
#[test]
fn a_recorded_stream_says_what_its_whole_answer_says() {
    let mut compared = 0;
    for protocol in Protocol::ALL {
        let streams = fixtures::all("streams", protocol.name());
        for whole in fixtures::all("responses", protocol.name()) {
            let by_hand =
                ["codex_tools", "several_parts", "reasoning_custom_tool", "arguments_that_are_no_object"];
            let stream = streams.iter().find(|stream| stream.case == whole.case);
            let Some(stream) = stream.filter(|_| by_hand.contains(&whole.case.as_str())) else { continue };
            let answered = protocol.codec().wire().decode_response(&whole.text, REQUEST_ID).unwrap();
            let streamed = collected(protocol, &stream.text).unwrap();
            assert_eq!(seen(&streamed), seen(&answered), "{}", stream.name);
            assert_eq!(streamed.stop, answered.stop, "{}", stream.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

/// Arguments without the white space between their members; none are an empty object, and a lone
/// `input` is that of a free-form tool.
fn plain(arguments: &str) -> String {
    match serde_json::from_str::<Value>(arguments) {
        Ok(value) => match value["input"].as_str() {
            Some(input) => input.to_owned(),
            None => value.to_string(),
        },
        Err(_) if arguments.is_empty() => "{}".to_owned(),
        Err(_) => arguments.to_owned(),
    }
}

#[test]
fn a_stream_says_what_the_whole_answer_would_have_said() {
    for (from, to) in pairs() {
        for fixture in fixtures::all("streams", from.name()) {
            let place = format!("{} to {}", fixture.name, to.name());
            let original = with_ids_for(to, collected(from, &fixture.text).unwrap());
            let crossing = crossing::crossing(from, to, crossing::answer(called(&original.blocks)));
            let streamed = crossing::stream(&crossing, [fixture.text.as_bytes()]);
            assert_eq!(streamed.end, Ok(StreamEnd::Finished), "{place}");
            let streamed = collected(to, &streamed.text()).unwrap();
            let (body, _) = to.codec().wire().encode_response(&original, &crossing.answer);
            let whole = to.codec().wire().decode_response(&body, REQUEST_ID).unwrap();
            assert_eq!(seen(&streamed), seen(&whole), "{place}");
            assert_eq!(streamed.stop, whole.stop, "{place}");
            assert_eq!(streamed.usage, whole.usage, "{place}");
        }
    }
}

#[test]
fn what_is_said_survives_the_crossing() {
    for (from, to) in pairs() {
        for fixture in fixtures::all("streams", from.name()) {
            let original = with_ids_for(to, collected(from, &fixture.text).unwrap());
            let crossing = crossing::crossing(from, to, crossing::answer(called(&original.blocks)));
            let streamed = crossing::stream(&crossing, [fixture.text.as_bytes()]);
            let streamed = collected(to, &streamed.text()).unwrap();
            let place = format!("{} to {}", fixture.name, to.name());
            for kind in ["text ", "refusal ", "reasoning ", "call "] {
                let of_kind = |response: &Response| -> Vec<String> {
                    seen(response).into_iter().filter(|line| line.starts_with(kind)).collect()
                };
                let (told, meant) = (of_kind(&streamed), of_kind(&original));
                if kind == "refusal " && told.is_empty() {
                    // Anthropic and Gemini have no word for it but text.
                    let texts = seen(&streamed).concat();
                    assert!(meant.iter().all(|line| texts.contains(&line["refusal ".len()..])), "{place}");
                } else if kind == "call " {
                    assert_eq!(told, meant, "{place}");
                } else {
                    let joined = |lines: Vec<String>| lines.concat().replace(kind, "");
                    let (told, meant) = (joined(told), joined(meant));
                    assert!(told.contains(&meant), "{place}: {told:?} does not say {meant:?}");
                }
            }
        }
    }
}

/// A Chat client gets a free-form call as such where it offered that tool, else as a function.
#[test]
fn a_free_form_call_is_one_only_where_it_was_offered() {
    let (from, to) = (Protocol::OpenaiResponses, Protocol::OpenaiChat);
    let offer = r#"{"messages":[],"tools":[{"type":"custom","custom":{"name":"apply_patch"}}]}"#;
    for (tools, free_form) in [(Vec::new(), false), (crossing::read(to, offer).0.tools, true)] {
        let known = tools.into_iter().filter(|tool| tool.identity.is_some()).collect();
        let crossing = crossing::crossing(from, to, crossing::answer(known));
        let case = |kind: &str| {
            let all = fixtures::all(kind, from.name());
            all.into_iter().find(|fixture| fixture.case == "reasoning_custom_tool").unwrap().text
        };
        let whole = crossing.whole(&case("responses")).unwrap().body;
        let whole = to.codec().wire().decode_response(&whole, REQUEST_ID).unwrap();
        let streamed = crossing::stream(&crossing, [case("streams").as_bytes()]).text();
        for answer in [whole, collected(to, &streamed).unwrap()] {
            let call = answer.blocks.iter().find_map(|block| match block {
                Block::Call(call) if call.name == "apply_patch" => Some(call),
                _ => None,
            });
            let input = "*** Begin \"Patch\"\n*** End Patch\n";
            let function = json!({"input": input}).to_string();
            assert_eq!(call.unwrap().free_form, free_form);
            assert_eq!(call.unwrap().arguments, if free_form { input } else { &function });
        }
    }
}

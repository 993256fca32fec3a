//! There and back: what a client said and heard survives another protocol.

use llmgate::ir::request::{Block, Request, ResultPart, Role, Source};
use llmgate::protocol::Protocol;
use llmgate::protocol::dialect::Dialect;
use llmgate::protocol::tap::Facts;
use llmgate::protocol::wire::{AnswerContext, TargetContext};

use crate::support::crossing::{self, REQUEST_ID, called, model, pairs};
use crate::support::fixtures;

/// What is said in a conversation: who, and the words, the calls, what they gave. White space and
/// how a turn is divided do not count, nor do the words that stand for what is missing.
fn said(request: &Request) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = Vec::new();
    for turn in &request.turns {
        // Instructions in the middle are a user's words elsewhere.
        let who = if turn.role == Role::Assistant { "model" } else { "user" };
        for block in &turn.blocks {
            let (kind, text) = match block {
                Block::Text(text) | Block::Refusal(text) => (who, plain(text)),
                Block::Call(call) => ("call", format!("{} {}", call.name, arguments(&call.arguments))),
                Block::Result(result) => ("result", result.content.iter().map(part).collect()),
                Block::Media(_) | Block::Reasoning(_) => continue,
            };
            match said.last_mut() {
                _ if text.is_empty() => {}
                Some((last, told)) if last == kind && kind == who => told.push_str(&text),
                _ => said.push((kind.to_owned(), text)),
            }
        }
    }
    said
}

fn part(part: &ResultPart) -> String {
    match part {
        ResultPart::Text(text) => plain(text),
        ResultPart::Media(_) => String::new(),
    }
}

fn plain(text: &str) -> String {
    let mut text: String = text.split_whitespace().collect();
    for mark in ["<system-reminder>", "</system-reminder>", "[nooutputrecorded]"] {
        text = text.replace(mark, "");
    }
    while let Some(at) = text.find("[image").or_else(|| text.find("[document")) {
        let end = text[at..].find(']').map_or(text.len(), |end| at + end + 1);
        text.replace_range(at..end, "");
    }
    text
}

/// Arguments as a value; those of a free-form tool are its input.
fn arguments(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value["input"].as_str().map_or_else(|| value.to_string(), str::to_owned),
        Err(_) if text.trim().is_empty() => "{}".to_owned(),
        Err(_) => text.to_owned(),
    }
}

/// All media of a request, wherever they stand.
fn media(request: &Request) -> Vec<String> {
    let of_block = |block: &Block| -> Vec<String> {
        let data = |source: &Source| match source {
            Source::Inline { data, .. } => data.clone(),
            Source::Url(url) => url.clone(),
        };
        match block {
            Block::Media(media) => vec![data(&media.source)],
            Block::Result(result) => {
                let media = result.content.iter().filter_map(|part| match part {
                    ResultPart::Media(media) => Some(data(&media.source)),
                    ResultPart::Text(_) => None,
                });
                media.collect()
            }
            _ => Vec::new(),
        }
    };
    let mut all: Vec<String> =
        request.turns.iter().flat_map(|turn| &turn.blocks).flat_map(of_block).collect();
    all.sort();
    all
}

#[test]
fn a_conversation_survives_another_protocol() {
    for (from, to) in pairs() {
        for fixture in fixtures::all("requests", from.name()) {
            let place = format!("{} to {} and back", fixture.name, to.name());
            let (request, _) = crossing::read(from, &fixture.text);
            let (there, _) = crossing::write(&request, to);
            let (back, _) = crossing::read(to, &there);
            assert_eq!(said(&back), said(&request), "{place}");
            let names = |request: &Request| -> Vec<String> {
                request.tools.iter().map(|tool| tool.name.clone()).collect()
            };
            // Calls without tools have theirs declared at Anthropic.
            if !request.tools.is_empty() {
                assert_eq!(names(&back), names(&request), "{place}");
            }
            assert_eq!(plain(&back.system.concat()), plain(&request.system.concat()), "{place}");
            if to != Protocol::Gemini || !fixture.text.contains("http") {
                assert_eq!(media(&back), media(&request), "{place}");
            }
        }
    }
}

/// What one protocol can say, it says again.
#[test]
fn what_a_wire_can_say_of_a_request_comes_back() {
    for (from, to) in pairs() {
        let wire = to.codec().wire();
        let dialect = Dialect { provider: String::new(), ..crossing::dialect(to) };
        let target = TargetContext { model: model(to), dialect: &dialect, session: None };
        for fixture in fixtures::all("requests", from.name()) {
            let (request, _) = crossing::read(from, &fixture.text);
            let (first, _) = wire.encode_request(&request, &target);
            let (once, _) = wire.decode_request(&first).unwrap();
            let (second, _) = wire.encode_request(&once, &target);
            let (mut twice, _) = wire.decode_request(&second).unwrap();
            // Gemini hides thoughts unless they are asked for.
            twice.show_reasoning = once.show_reasoning;
            let place = format!("{} in the words of {}", fixture.name, to.name());
            assert_eq!(twice, once, "{place}");
        }
    }
}

#[test]
fn what_a_wire_can_say_of_an_answer_comes_back() {
    for (from, to) in pairs() {
        let wire = to.codec().wire();
        for fixture in fixtures::all("responses", from.name()) {
            let answered = from.codec().wire().decode_response(&fixture.text, REQUEST_ID).unwrap();
            let answer: AnswerContext = crossing::answer(called(&answered.blocks));
            let (first, _) = wire.encode_response(&answered, &answer);
            let mut once = wire.decode_response(&first, REQUEST_ID).unwrap();
            let (second, _) = wire.encode_response(&once, &answer);
            let mut twice = wire.decode_response(&second, REQUEST_ID).unwrap();
            for answer in [&mut once, &mut twice] {
                without_state(&mut answer.blocks);
            }
            assert_eq!(twice, once, "{} in the words of {}", fixture.name, to.name());
        }
    }
}

/// State stands wherever there is a part for it, and Chat gives back none; `loops` follows it.
fn without_state(blocks: &mut Vec<Block>) {
    for block in blocks.iter_mut() {
        match block {
            Block::Call(call) => call.state = None,
            Block::Reasoning(reasoning) => reasoning.state = None,
            _ => {}
        }
    }
    blocks.retain(|block| !matches!(block, Block::Reasoning(thought) if thought.text.is_empty()));
}

#[test]
fn a_translated_answer_tells_what_the_tap_hears_of_it() {
    for (from, to) in pairs().filter(|(from, to)| from != to) {
        for fixture in fixtures::all("responses", from.name()) {
            let mut heard = Facts::default();
            from.codec().tap_whole(&fixture.text, &mut heard);
            let told = crossing::crossing(from, to, AnswerContext::default());
            let told = told.whole(&fixture.text).unwrap().facts;
            assert_eq!(told, Facts { id: None, ..heard }, "{} for {}", fixture.name, to.name());
        }
    }
}

#[test]
fn an_answer_survives_another_protocol() {
    for (from, to) in pairs() {
        for fixture in fixtures::all("responses", from.name()) {
            let place = format!("{} for {}", fixture.name, to.name());
            let answered = from.codec().wire().decode_response(&fixture.text, REQUEST_ID).unwrap();
            let answered = crossing::with_ids_for(to, answered);
            let crossing = crossing::crossing(from, to, crossing::answer(called(&answered.blocks)));
            let body = crossing.whole(&fixture.text).unwrap().body;
            let heard = to.codec().wire().decode_response(&body, REQUEST_ID).unwrap();
            let words = |blocks: &[Block], reasons: bool| -> String {
                let texts = blocks.iter().filter_map(|block| match block {
                    Block::Text(text) | Block::Refusal(text) if !reasons => Some(text.as_str()),
                    Block::Reasoning(reasoning) if reasons => Some(reasoning.text.as_str()),
                    _ => None,
                });
                texts.collect()
            };
            let calls = |blocks: &[Block]| -> Vec<String> {
                let calls = blocks.iter().filter_map(|block| match block {
                    Block::Call(call) => {
                        Some(format!("{} {} {}", call.id, call.name, arguments(&call.arguments)))
                    }
                    _ => None,
                });
                calls.collect()
            };
            for reasons in [false, true] {
                let (heard, meant) = (words(&heard.blocks, reasons), words(&answered.blocks, reasons));
                assert_eq!(heard, meant, "{place}");
            }
            assert_eq!(calls(&heard.blocks), calls(&answered.blocks), "{place}");
        }
    }
}

//! Every protocol passes the same named scenarios, towards every client.

use llmgate::ir::request::Block;
use llmgate::ir::response::Response;
use llmgate::protocol::Protocol;
use llmgate::translate::pipe::{PipeError, StreamEnd};

use super::whole::collected;
use crate::support::crossing::{self, called};
use crate::support::fixtures;

/// The recordings that stand for the scenarios, by protocol.
fn cases(protocol: Protocol) -> [(&'static str, &'static str); 7] {
    let [tools, parallel, reasoning, usage] = match protocol {
        Protocol::OpenaiChat => ["codex_tools", "parallel_tools", "reasoning", "missing_usage_and_done"],
        Protocol::OpenaiResponses => {
            ["items_without_deltas", "parallel_tools", "reasoning_text", "missing_usage"]
        }
        Protocol::Anthropic => ["codex_tools", "parallel-calls", "thinking_limit", "missing_usage"],
        Protocol::Gemini => ["tool_call", "parallel_calls", "thinking", "missing_usage"],
    };
    [
        ("text", "text"),
        ("tools", tools),
        ("parallel tools", parallel),
        ("reasoning", reasoning),
        ("unknown event", "unknown_event"),
        ("missing usage", usage),
        ("empty answer", "empty_answer"),
    ]
}

fn words(answer: &Response) -> String {
    let texts = answer.blocks.iter().filter_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn calls(answer: &Response) -> usize {
    answer.blocks.iter().filter(|block| matches!(block, Block::Call(_))).count()
}

fn reasons(answer: &Response) -> bool {
    answer.blocks.iter().any(|block| matches!(block, Block::Reasoning(thought) if !thought.text.is_empty()))
}

#[test]
fn answers_are_told_to_every_client() {
    for from in Protocol::ALL {
        let all = fixtures::all("streams", from.name());
        for (scenario, case) in cases(from) {
            let fixture = all.iter().find(|fixture| fixture.case == case);
            let text = &fixture.unwrap_or_else(|| panic!("{} has no {case}", from.name())).text;
            let original = collected(from, text).unwrap();
            for to in Protocol::ALL {
                let place = format!("{scenario}, {} to {}", from.name(), to.name());
                let crossing = crossing::crossing(from, to, crossing::answer(called(&original.blocks)));
                let streamed = crossing::stream(&crossing, [text.as_bytes()]);
                assert_eq!(streamed.end, Ok(StreamEnd::Finished), "{place}");
                let told = collected(to, &streamed.text()).unwrap();
                match scenario {
                    "text" => assert!(!words(&told).is_empty() && calls(&told) == 0, "{place}"),
                    "tools" => assert!(calls(&told) > 0, "{place}"),
                    "parallel tools" => assert!(calls(&told) > 1, "{place}"),
                    "reasoning" => assert!(reasons(&told), "{place}"),
                    "unknown event" => assert_eq!(words(&told), "Hello", "{place}"),
                    "missing usage" => {
                        assert!(original.usage.is_empty(), "{place}");
                        assert_eq!(words(&told), "Hello", "{place}");
                        // A number that is demanded is the estimate.
                        assert_eq!(told.usage.input.unwrap_or(100), 100, "{place}");
                    }
                    _ => assert!(words(&told).is_empty() && calls(&told) == 0, "{place}"),
                }
            }
        }
    }
}

#[test]
fn failures_are_failures_for_every_client() {
    let scenarios = [
        ("truncated", Ok(StreamEnd::Truncated)),
        ("broken_event", Err(PipeError::BrokenFrame)),
        ("error_mid_stream", Ok(StreamEnd::Failed)),
    ];
    for (from, to) in crossing::pairs() {
        let all = fixtures::all("faults", from.name());
        for (case, end) in &scenarios {
            let fixture = all.iter().find(|fixture| fixture.case == *case).unwrap();
            let crossing = crossing::crossing(from, to, crossing::answer(Vec::new()));
            let streamed = crossing::stream(&crossing, [fixture.text.as_bytes()]);
            let place = format!("{case}, {} to {}", from.name(), to.name());
            // One that can be read and tells no answer is broken, too.
            let met = streamed.end.clone().map_err(|error| match error {
                PipeError::Unfit(_) => PipeError::BrokenFrame,
                other => other,
            });
            assert_eq!(met, *end, "{place}");
            assert!(streamed.text().contains("Hel"), "{place}: what came before is told");
        }
    }
}

//! Stream events -> one whole answer, and back.

use crate::ir::carrier::State;
use crate::ir::request::{Block, Reasoning, ToolCall};
use crate::ir::response::{Response, StopReason};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};

/// Gathers the events of one stream.
#[derive(Debug, Default)]
pub struct Collector {
    response: Response,
    blocks: Vec<(BlockId, Block)>,
    stop: Option<StopReason>,
}

impl Collector {
    /// Takes the next event.
    pub fn push(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Start { id, model } => {
                self.response.id = id;
                self.response.model = model;
            }
            StreamEvent::BlockStart { id, kind } => self.blocks.push((id, opened(kind))),
            StreamEvent::BlockDelta { id, delta } => {
                if let Some((_, block)) = self.blocks.iter_mut().rev().find(|(known, _)| *known == id) {
                    grow(block, delta);
                }
            }
            StreamEvent::Usage(usage) => self.response.usage.update(usage),
            StreamEvent::Finish { stop } => self.stop = Some(stop),
            StreamEvent::Lost { what } => self.response.lost.add(what),
            StreamEvent::BlockEnd { .. } => {}
        }
    }

    /// What came so far.
    pub fn blocks(self) -> Vec<Block> {
        self.blocks.into_iter().map(|(_, block)| block).collect()
    }

    /// The answer; `None` when the stream never came to its end.
    pub fn finish(mut self) -> Option<Response> {
        let stop = self.stop.take()?;
        let response = std::mem::take(&mut self.response);
        Some(Response { blocks: self.blocks(), stop, ..response })
    }
}

/// The events that tell a whole answer.
pub fn events(response: Response) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::Start { id: response.id, model: response.model }];
    events.extend(response.lost.into_names().into_iter().map(|what| StreamEvent::Lost { what }));
    for (block, number) in response.blocks.into_iter().zip(0..) {
        let id = BlockId(number);
        let Some((kind, text, state)) = taken_apart(block) else { continue };
        events.push(StreamEvent::BlockStart { id, kind });
        if !text.is_empty() {
            events.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text) });
        }
        events.extend(state.map(|state| StreamEvent::BlockDelta { id, delta: Delta::State(state) }));
        events.push(StreamEvent::BlockEnd { id });
    }
    if !response.usage.is_empty() {
        events.push(StreamEvent::Usage(response.usage));
    }
    events.push(StreamEvent::Finish { stop: response.stop });
    events
}

/// A block's kind, words and state; no stream has media or results in it.
fn taken_apart(block: Block) -> Option<(BlockKind, String, Option<State>)> {
    match block {
        Block::Text(text) => Some((BlockKind::Text, text, None)),
        Block::Refusal(text) => Some((BlockKind::Refusal, text, None)),
        Block::Reasoning(Reasoning { text, state }) => Some((BlockKind::Reasoning, text, state)),
        Block::Call(ToolCall { id, name, arguments, free_form, state }) => {
            Some((BlockKind::Call { id, name, free_form }, arguments, state))
        }
        Block::Media(_) | Block::Result(_) => None,
    }
}

fn opened(kind: BlockKind) -> Block {
    match kind {
        BlockKind::Text => Block::Text(String::new()),
        BlockKind::Refusal => Block::Refusal(String::new()),
        BlockKind::Reasoning => Block::Reasoning(Reasoning::default()),
        BlockKind::Call { id, name, free_form } => {
            Block::Call(ToolCall { id, name, arguments: String::new(), free_form, state: None })
        }
    }
}

fn grow(block: &mut Block, delta: Delta) {
    match (block, delta) {
        (Block::Text(text) | Block::Refusal(text), Delta::Text(more)) => text.push_str(&more),
        (Block::Reasoning(reasoning), Delta::Text(more)) => reasoning.text.push_str(&more),
        (Block::Reasoning(reasoning), Delta::State(state)) => reasoning.state = Some(state),
        (Block::Call(call), Delta::Text(more)) => call.arguments.push_str(&more),
        (Block::Call(call), Delta::State(state)) => call.state = Some(state),
        // The grammar has no such event.
        (Block::Text(_) | Block::Refusal(_) | Block::Media(_) | Block::Result(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::response::Usage;

    #[test]
    fn blocks_grow_side_by_side_and_keep_their_order() {
        let mut collector = Collector::default();
        let call = |id: &str| BlockKind::Call { id: id.into(), name: "f".into(), free_form: false };
        let text =
            |id, text: &str| StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text(text.into()) };
        for event in [
            StreamEvent::Start { id: None, model: Some("m".into()) },
            StreamEvent::BlockStart { id: BlockId(1), kind: call("a") },
            StreamEvent::BlockStart { id: BlockId(2), kind: call("b") },
            text(1, "{\"x\""),
            text(2, "{}"),
            text(1, ":1}"),
            StreamEvent::Finish { stop: StopReason::ToolCalls },
        ] {
            collector.push(event);
        }
        let response = collector.finish().unwrap();
        let arguments: Vec<&str> = response
            .blocks
            .iter()
            .map(|block| if let Block::Call(call) = block { call.arguments.as_str() } else { "" })
            .collect();
        assert_eq!(arguments, ["{\"x\":1}", "{}"]);
    }

    #[test]
    fn a_whole_answer_is_told_and_gathered_again() {
        let state = State::of("gemini", vec![serde_json::json!("s")]);
        let call = ToolCall {
            id: "1".into(),
            name: "f".into(),
            arguments: "{}".into(),
            free_form: false,
            state: Some(state.clone()),
        };
        let response = Response {
            blocks: vec![
                Block::Reasoning(Reasoning { text: String::new(), state: Some(state) }),
                Block::Text("words".into()),
                Block::Call(call),
            ],
            stop: StopReason::ToolCalls,
            usage: Usage { input: Some(9), output: Some(2), ..Usage::default() },
            ..Response::default()
        };
        let mut collector = Collector::default();
        let mut grammar = crate::ir::grammar::Grammar::default();
        for event in events(response.clone()) {
            grammar.check(&event).unwrap();
            collector.push(event);
        }
        assert_eq!(collector.finish(), Some(response));
    }

    #[test]
    fn a_stream_without_its_end_is_no_answer() {
        let mut collector = Collector::default();
        collector.push(StreamEvent::Start { id: None, model: None });
        assert!(collector.finish().is_none());
    }
}

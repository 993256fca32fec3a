//! What the demo tells: a request in, neutral events out.
//!
//! Commands stand in what the user said last: `demo:think`, `demo:tool NAME {json}`,
//! `demo:tools A B`, `demo:long`, `demo:slow`, `demo:cut`, `demo:error STATUS`. No tool is called
//! that was not named so.

use std::time::Duration;

use crate::ir::arguments;
use crate::ir::estimate;
use crate::ir::request::{Block, Request, ResultPart, Role, ToolResult};
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::ir::tool::{Tool, ToolForm};

/// With this every text answer begins.
const GREETING: &str = "This is llmgate's built-in demo model, not a real LLM.";
const COMMANDS: &str = "Say demo:think, demo:tool NAME {json}, demo:tools A B, demo:long, demo:slow, demo:cut \
    or demo:error STATUS to see more.";
/// Words of a text that make one event.
const WORDS_AN_EVENT: usize = 4;
const LONG_EVENTS: usize = 200;
const SLOW: Duration = Duration::from_secs(20);
/// Characters of an answer for a token of its usage.
const CHARACTERS_A_TOKEN: usize = 4;

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Script {
    /// An error of this status.
    Refuse(u16),
    /// An answer.
    Tell(Telling),
}

/// An answer as events.
#[derive(Debug)]
pub(super) struct Telling {
    /// The events; without [`StreamEvent::Finish`] the answer is cut.
    pub(super) events: Vec<StreamEvent>,
    /// Silence before the first of them.
    pub(super) silence: Duration,
    /// The estimate of the request's tokens.
    pub(super) input_tokens: u64,
}

/// What is told to a request that came in `protocol`, `size` bytes long.
pub(super) fn of(request: &Request, protocol: &str, size: usize) -> Script {
    let received = || {
        let tools = request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>();
        let tools =
            if tools.is_empty() { "no tools".to_owned() } else { format!("tools {}", tools.join(", ")) };
        format!(
            "{GREETING} Received by {protocol}: {} turns, {tools}, {size} bytes. {COMMANDS}",
            request.turns.len()
        )
    };
    let mut telling = Teller::new(request);
    match last_word(request) {
        Word::Nothing => telling.text(&received()),
        Word::Results(results) => telling.text(&format!("{GREETING} {}", sizes(&results))),
        Word::Command("think", _) => {
            telling.reasoning("The user wants to see reasoning. So I reason first, and then answer.");
            telling.text(&received());
        }
        Word::Command("tool", rest) => match call(request, rest) {
            Ok((tool, arguments)) => telling.call(tool, arguments),
            Err(NotOffered(told)) => telling.text(&format!("{GREETING} {told}")),
        },
        Word::Command("tools", rest) => {
            let named: Result<Vec<_>, _> = rest
                .lines()
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(|name| call(request, name))
                .collect();
            match named {
                Ok(calls) if !calls.is_empty() => {
                    calls.into_iter().for_each(|(tool, arguments)| telling.call(tool, arguments));
                }
                Ok(_) => telling.text(&format!("{GREETING} demo:tools wants the names of tools.")),
                Err(NotOffered(told)) => telling.text(&format!("{GREETING} {told}")),
            }
        }
        Word::Command("long", _) => telling.long(),
        Word::Command("slow", _) => {
            telling.silence = SLOW;
            telling.text(&received());
        }
        Word::Command("cut", _) => {
            telling.text(&received());
            return Script::Tell(telling.cut());
        }
        Word::Command("error", rest) => {
            let status = rest.split_whitespace().next().and_then(|word| word.parse().ok());
            match status.filter(|status| (400..600).contains(status)) {
                Some(status) => return Script::Refuse(status),
                None => telling.text(&format!("{GREETING} demo:error wants a status from 400 to 599.")),
            }
        }
        Word::Command(other, _) => {
            telling.text(&format!("{GREETING} There is no command demo:{other}. {COMMANDS}"));
        }
    }
    Script::Tell(telling.end())
}

/// What the user's side said last.
enum Word<'r> {
    Nothing,
    /// `demo:NAME`, and what stands after it.
    Command(&'r str, &'r str),
    /// What tools gave.
    Results(Vec<&'r ToolResult>),
}

/// Commands and results after the model's last turn; the later ones count.
fn last_word(request: &Request) -> Word<'_> {
    let model = request.turns.iter().rposition(|turn| turn.role == Role::Assistant);
    let since = request.turns.iter().skip(model.map_or(0, |index| index + 1));
    let mut last = Word::Nothing;
    for block in since.filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.blocks) {
        match block {
            Block::Text(text) => {
                if let Some((name, rest)) = command(text) {
                    last = Word::Command(name, rest);
                }
            }
            Block::Result(result) => match &mut last {
                Word::Results(results) => results.push(result),
                Word::Nothing | Word::Command(..) => last = Word::Results(vec![result]),
            },
            Block::Refusal(_) | Block::Media(_) | Block::Call(_) | Block::Reasoning(_) => {}
        }
    }
    last
}

/// The last `demo:NAME` of a text that begins a word.
fn command(text: &str) -> Option<(&str, &str)> {
    let begins =
        |at: &usize| !text.get(..*at).is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric()));
    let at = text.rmatch_indices("demo:").map(|(at, _)| at).find(begins)?;
    let after = text.get(at + "demo:".len()..)?;
    let end = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    (!name.is_empty()).then_some((name, rest))
}

/// No tool of that name was offered: what is told instead.
struct NotOffered(String);

/// `NAME {json}` as a call of an offered tool; without JSON its required arguments are empty.
fn call<'r>(request: &'r Request, words: &str) -> Result<(&'r Tool, String), NotOffered> {
    let words = words.trim_start();
    let (name, rest) = words.split_at(words.find(char::is_whitespace).unwrap_or(words.len()));
    let is_named = |tool: &&Tool| {
        tool.name == name || tool.identity.as_ref().is_some_and(|identity| identity.name == name)
    };
    let Some(tool) = request.tools.iter().find(is_named) else {
        let offered = request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(NotOffered(format!("No tool {name:?} was offered; these were: {offered}.")));
    };
    Ok((tool, arguments::of_words(&tool.form, rest)))
}

fn sizes(results: &[&ToolResult]) -> String {
    let size = |result: &&ToolResult| -> usize {
        let text = |part: &ResultPart| match part {
            ResultPart::Text(text) => text.len(),
            ResultPart::Media(_) => 0,
        };
        result.content.iter().map(text).sum()
    };
    let each: Vec<String> = results.iter().map(|result| format!("{} bytes", size(result))).collect();
    format!("The tool gave {}.", each.join(" and "))
}

/// Makes events, block by block.
struct Teller {
    events: Vec<StreamEvent>,
    silence: Duration,
    input_tokens: u64,
    turns: usize,
    blocks: u32,
    characters: usize,
    reasoned: usize,
    calls: bool,
}

impl Teller {
    fn new(request: &Request) -> Self {
        Self {
            events: vec![StreamEvent::Start { id: None, model: None }],
            silence: Duration::ZERO,
            input_tokens: estimate::size(request).tokens(CHARACTERS_A_TOKEN as f64),
            turns: request.turns.len(),
            blocks: 0,
            characters: 0,
            reasoned: 0,
            calls: false,
        }
    }

    fn block(&mut self, kind: BlockKind, parts: impl IntoIterator<Item = String>) {
        let id = BlockId(self.blocks);
        self.blocks += 1;
        self.events.push(StreamEvent::BlockStart { id, kind });
        for part in parts {
            self.characters += part.len();
            self.events.push(StreamEvent::BlockDelta { id, delta: Delta::Text(part) });
        }
        self.events.push(StreamEvent::BlockEnd { id });
    }

    fn text(&mut self, text: &str) {
        self.block(BlockKind::Text, pieces(text));
    }

    fn reasoning(&mut self, text: &str) {
        self.block(BlockKind::Reasoning, pieces(text));
        self.reasoned += text.len();
    }

    fn call(&mut self, tool: &Tool, arguments: String) {
        // Unique in the session: its history only grows.
        let id = format!("call_demo_{}_{}", self.turns, self.blocks);
        let free_form = matches!(tool.form, ToolForm::FreeForm { .. });
        self.block(BlockKind::Call { id, name: tool.name.clone(), free_form }, [arguments]);
        self.calls = true;
    }

    fn long(&mut self) {
        let lines = (1..LONG_EVENTS).map(|number| format!("Line {number} of a long answer.\n"));
        self.block(BlockKind::Text, std::iter::once(format!("{GREETING}\n")).chain(lines));
    }

    fn end(mut self) -> Telling {
        let usage = Usage {
            input: Some(self.input_tokens),
            output: Some(self.characters.div_ceil(CHARACTERS_A_TOKEN) as u64),
            reasoning: (self.reasoned > 0).then(|| self.reasoned.div_ceil(CHARACTERS_A_TOKEN) as u64),
            ..Usage::default()
        };
        self.events.push(StreamEvent::Usage(usage));
        self.events.push(StreamEvent::Finish {
            stop: if self.calls { StopReason::ToolCalls } else { StopReason::End },
        });
        self.told()
    }

    /// The answer breaks off in the middle of its text.
    fn cut(mut self) -> Telling {
        self.events.truncate(self.events.len() / 2);
        self.told()
    }

    fn told(self) -> Telling {
        Telling { events: self.events, silence: self.silence, input_tokens: self.input_tokens }
    }
}

/// A text in pieces of some words, each with the space after it.
fn pieces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    words.chunks(WORDS_AN_EVENT).map(<[&str]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ir::collect::Collector;
    use crate::ir::grammar;
    use crate::ir::request::Turn;
    use crate::ir::response::Response;
    use crate::ir::schema::Schema;

    fn request(words: &str) -> Request {
        let schema = json!({"type": "object", "required": ["path", "count", "deep"], "properties": {
            "path": {"type": "string"}, "count": {"type": "integer"}, "other": {},
            "deep": {"type": "object", "required": ["mode"], "properties": {"mode": {"enum": ["r", "w"]}}},
        }});
        let read = ToolForm::Function { schema: Schema::of(&schema), strict: None };
        let tool = |name: &str, form| Tool { name: name.into(), description: None, form, identity: None };
        Request {
            turns: vec![Turn::of(Role::User, Block::Text(words.into()))],
            tools: vec![tool("read", read), tool("patch", ToolForm::FreeForm { grammar: None })],
            ..Request::default()
        }
    }

    #[track_caller]
    fn telling(words: &str) -> Telling {
        match of(&request(words), "gemini", 77) {
            Script::Tell(telling) => telling,
            Script::Refuse(status) => panic!("refused with {status}"),
        }
    }

    #[track_caller]
    fn told(words: &str) -> Response {
        let mut collector = Collector::default();
        let mut grammar = grammar::Grammar::default();
        for event in telling(words).events {
            grammar.check(&event).unwrap();
            collector.push(event);
        }
        collector.finish().unwrap()
    }

    #[track_caller]
    fn text(words: &str) -> String {
        match told(words).blocks.last() {
            Some(Block::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_received_is_told() {
        let text = text("hello");
        assert!(text.starts_with(GREETING), "{text}");
        assert!(text.contains("gemini: 1 turns, tools read, patch, 77 bytes"), "{text}");
    }

    #[test]
    fn a_named_tool_is_called() {
        let call = |words: &str| match told(words).blocks.as_slice() {
            [Block::Call(call)] => (call.name.clone(), call.arguments.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            call(r#"demo:tool read {"path":"a b"} thanks"#),
            ("read".into(), r#"{"path":"a b"}"#.into())
        );
        assert_eq!(call("demo:tool read").1, r#"{"path":"","count":0,"deep":{"mode":"r"}}"#);
        assert_eq!(call(r#"demo:tool patch {"input":"*** x"}"#).1, "*** x");
        assert_eq!(call("demo:tool patch *** Begin\n+x\n").1, "*** Begin\n+x");
        assert_eq!(told("demo:tools read patch").blocks.len(), 2);
        assert!(text("demo:tool write").contains("No tool \"write\" was offered; these were: read, patch."));
        assert_eq!(told("demo:tool read").stop, StopReason::ToolCalls);
    }

    #[test]
    fn reasoning_length_silence_cuts_and_errors() {
        assert!(matches!(told("demo:think").blocks.as_slice(), [Block::Reasoning(_), Block::Text(_)]));
        let deltas = telling("demo:long").events;
        assert_eq!(
            deltas.iter().filter(|event| matches!(event, StreamEvent::BlockDelta { .. })).count(),
            200
        );
        assert_eq!(telling("demo:slow").silence, SLOW);
        let cut = telling("say demo:cut").events;
        assert!(!cut.iter().any(|event| matches!(event, StreamEvent::Finish { .. })));
        assert!(matches!(of(&request("demo:error 503"), "gemini", 1), Script::Refuse(503)));
        assert!(text("demo:error 200").contains("from 400 to 599"));
        assert!(text("demo:dance").contains("no command demo:dance"));
        assert!(text("mydemo:error 500").contains("Received"));
    }

    #[test]
    fn after_a_result_its_size_is_told_and_a_later_command_counts() {
        let result = Block::Result(ToolResult {
            id: "1".into(),
            name: None,
            content: vec![ResultPart::Text("12345".into())],
            failed: false,
        });
        let mut asked = request("demo:tool read");
        asked.turns.push(Turn::of(Role::Assistant, Block::Text("x".into())));
        asked.turns.push(Turn { role: Role::User, blocks: vec![result.clone(), result] });
        let Script::Tell(telling) = of(&asked, "gemini", 1) else { panic!() };
        let text = format!("{:?}", telling.events);
        assert!(text.contains("5 bytes"), "{text}");
        asked.turns.push(Turn::of(Role::User, Block::Text("demo:error 500".into())));
        assert!(matches!(of(&asked, "gemini", 1), Script::Refuse(500)));
    }
}

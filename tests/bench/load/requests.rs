//! Requests as clients of the three protocols write them: one prompt, one tool.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A sentence that prompts are made of.
const SENTENCE: &str = "Read the file, say what it does, and change as little of it as you can. ";
/// The alias that is asked for; the provider knows a model of this name, too.
pub(crate) const MODEL: &str = "bench";

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    Chat,
    Messages,
    Responses,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// Characters of the prompt.
    pub(crate) prompt: usize,
    pub(crate) stream: bool,
}

impl Language {
    pub(crate) fn request(self, address: SocketAddr, question: Question) -> Vec<u8> {
        let body = self.body(question).to_string();
        let path = match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        };
        format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: */*\r\n\
             authorization: Bearer sk-bench-0123456789abcdef\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Stands in the last event of a stream.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Chat => "[DONE]",
            Self::Messages => "message_stop",
            Self::Responses => "response.completed",
        }
    }

    fn body(self, question: Question) -> Value {
        let text: String = SENTENCE.chars().cycle().take(question.prompt).collect();
        let stream = question.stream;
        let (name, about) = ("read_file", "Reads a file");
        let schema = json!({
            "type": "object",
            "properties": {"path": {"type": "string", "description": "which file"}},
            "required": ["path"],
        });
        match self {
            Self::Chat => json!({
                "model": MODEL, "stream": stream, "max_tokens": 512,
                "messages": [
                    {"role": "system", "content": "You are brief."},
                    {"role": "user", "content": text},
                ],
                "tools": [{
                    "type": "function",
                    "function": {"name": name, "description": about, "parameters": schema},
                }],
            }),
            Self::Messages => json!({
                "model": MODEL, "stream": stream, "max_tokens": 512, "system": "You are brief.",
                "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}],
                "tools": [{"name": name, "description": about, "input_schema": schema}],
            }),
            Self::Responses => json!({
                "model": MODEL, "stream": stream, "max_output_tokens": 512, "store": false,
                "instructions": "You are brief.",
                "input": [{
                    "type": "message", "role": "user",
                    "content": [{"type": "input_text", "text": text}],
                }],
                "tools": [{
                    "type": "function", "name": name, "description": about, "parameters": schema,
                    "strict": false,
                }],
            }),
        }
    }
}

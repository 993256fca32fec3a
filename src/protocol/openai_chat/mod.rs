//! OpenAI Chat Completions. <https://platform.openai.com/docs/api-reference/chat>

mod call_ids;
mod calls;
mod chunk;
mod message;
mod messages;
mod request_decode;
mod request_encode;
mod response;
mod said;
mod stream_decode;
mod stream_encode;
mod tap;
mod thinking;
mod wire;

use crate::base::json::Members;
use crate::protocol::fault::Fault;
use crate::protocol::listing::{ListQuery, ModelCard};
use crate::protocol::tap::{Ask, AskError, Facts, Seen};
use crate::protocol::wire::Wire;
use crate::protocol::{Action, Codec, Stage, Task, openai};

/// How state of this protocol is known.
const ORIGIN: &str = "openai-chat";

/// This protocol's codec.
pub const CODEC: OpenaiChat = OpenaiChat;

/// OpenAI Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiChat;

impl Codec for OpenaiChat {
    fn name(&self) -> &'static str {
        "openai-chat"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &openai::PREFIXES
    }

    fn action(&self, below_prefix: &str) -> Option<Action> {
        let task = match below_prefix {
            "/chat/completions" => Task::Answer,
            "/completions" => Task::Complete,
            _ => return None,
        };
        Some(Action::Generate { task, model: None, stream: None })
    }

    fn error_body(&self, fault: &Fault, _request_id: &str) -> String {
        openai::error_body(fault).to_string()
    }

    fn error_frames(&self, fault: &Fault, _stage: &Stage<'_>) -> String {
        format!("data: {}\n\n", openai::error_body(fault))
    }

    fn keepalive(&self, _running: bool) -> &'static str {
        ": keepalive\n\n"
    }

    fn model_list(&self, cards: &[ModelCard], _query: &ListQuery) -> String {
        openai::model_list(cards)
    }

    fn model_entry(&self, card: &ModelCard) -> String {
        openai::entry(card).to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        openai::credential(key)
    }

    fn upstream_path(&self, _model: &str, _stream: bool) -> String {
        "/chat/completions".to_owned()
    }

    fn task_path(&self, task: Task) -> Option<&'static str> {
        (task == Task::Complete).then_some("/completions")
    }

    fn limit_fields(&self) -> &'static [&'static str] {
        &["max_tokens", "max_completion_tokens"]
    }

    fn droppable(&self) -> &'static [&'static str] {
        &[
            "temperature",
            "top_p",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "reasoning_effort",
            "verbosity",
            "parallel_tool_calls",
            "prompt_cache_key",
            "stream_options",
            "store",
            "metadata",
            "user",
            "service_tier",
        ]
    }

    fn ask_for_usage(&self, ask: &Ask) -> Option<(&'static str, &'static str)> {
        (ask.stream && !ask.wants_usage).then_some(("stream_options.include_usage", "true"))
    }

    fn wire(&self) -> &'static dyn Wire {
        &CODEC
    }

    fn tap_request(&self, text: &str, members: &Members) -> Result<Ask, AskError> {
        tap::request(text, members)
    }

    fn tap_whole(&self, text: &str, facts: &mut Facts) -> Seen {
        tap::whole(text, facts)
    }

    fn tap_frame(&self, event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
        tap::frame(event, text, facts)
    }
}

//! Anthropic Messages, the language of Claude Code. <https://docs.anthropic.com/en/api/messages>

mod answer_schema;
mod content;
mod events;
mod media;
mod models;
mod overflow;
mod own_tools;
mod request_decode;
mod request_encode;
mod response;
mod stream_decode;
mod stream_encode;
#[cfg(test)]
mod stream_tests;
mod tap;
#[cfg(test)]
mod tests;
mod thinking;
mod threads;
mod tools;
mod turns;
mod usage;
mod wire;

use serde_json::Value;

use crate::base::json::Members;
use crate::base::object::object;
use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_id};
use crate::ir::request::Request;
use crate::ir::response::Response;
use crate::protocol::dialect::{self, ReasoningStyle};
use crate::protocol::fault::{Fault, FaultKind, Overflow};
use crate::protocol::foreign::{self, Cleared};
use crate::protocol::listing::{ListQuery, ModelCard};
use crate::protocol::media::checked;

use crate::protocol::tap::{Ask, AskError, Facts, Seen};
use crate::protocol::wire::{AnswerContext, StreamDecoder, StreamEncoder, TargetContext, Wire, WireError};
use crate::protocol::{Action, Codec, Stage, Task};

/// This protocol's codec.
pub const CODEC: Anthropic = Anthropic;

/// Anthropic Messages.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Codec for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/anthropic/v1", "/anthropic", "/v1", ""]
    }

    fn action(&self, below_prefix: &str) -> Option<Action> {
        match below_prefix {
            "/messages" => Some(Action::Generate { task: Task::Answer, model: None, stream: None }),
            "/messages/count_tokens" => Some(Action::Count { model: None }),
            _ => None,
        }
    }

    /// Anthropic tells of money and of threads with a status of its own.
    fn status(&self, fault: &Fault) -> u16 {
        match fault.kind {
            FaultKind::Quota | FaultKind::Budget => 402,
            FaultKind::UnsupportedParameter if threads::is_missing(fault) => 404,
            _ => fault.status,
        }
    }

    fn error_body(&self, fault: &Fault, request_id: &str) -> String {
        let kind = match (fault.kind, fault.status) {
            (FaultKind::Policy, 403) => "permission_error",
            (FaultKind::UnsupportedParameter, _) if threads::is_missing(fault) => "not_found_error",
            _ => fault.kind.row().anthropic,
        };
        let mut error = object! {"type": kind, "message": fault.message.as_str()};
        error.put_some("details", threads::details(fault));
        object! {"type": "error", "error": error, "request_id": request_id}.to_string()
    }

    fn overflow(&self, said: &str, known: Overflow) -> Option<String> {
        overflow::words(said, known)
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("request-id")
    }

    fn error_frames(&self, fault: &Fault, stage: &Stage<'_>) -> String {
        format!("event: error\ndata: {}\n\n", self.error_body(fault, stage.request_id))
    }

    fn keepalive(&self, running: bool) -> &'static str {
        if running { "event: ping\ndata: {\"type\": \"ping\"}\n\n" } else { ": keepalive\n\n" }
    }

    fn model_list(&self, cards: &[ModelCard], query: &ListQuery) -> String {
        models::list(cards, query)
    }

    fn model_entry(&self, card: &ModelCard) -> String {
        models::entry(card).to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.to_owned())
    }

    fn upstream_path(&self, _model: &str, _stream: bool) -> String {
        "/messages".to_owned()
    }

    fn count_path(&self, _model: &str) -> Option<String> {
        Some("/messages/count_tokens".to_owned())
    }

    fn characters_per_token(&self) -> f64 {
        3.0
    }

    fn upstream_models_path(&self) -> &'static str {
        "/models?limit=1000"
    }

    fn required_header(&self) -> Option<(&'static str, &'static str)> {
        Some(("anthropic-version", "2023-06-01"))
    }

    fn limit_fields(&self) -> &'static [&'static str] {
        &["max_tokens"]
    }

    fn droppable(&self) -> &'static [&'static str] {
        &[
            "temperature",
            "top_p",
            "top_k",
            "stop_sequences",
            "output_config.effort",
            "thinking",
            "context_management",
            "metadata",
            "service_tier",
        ]
    }

    fn without_attribution(&self, text: &str, members: &Members) -> Option<(&'static str, String)> {
        tap::without_attribution(text, members)
    }

    fn reasoning_style(&self, model: &str) -> ReasoningStyle {
        dialect::style_by_name(model).unwrap_or(ReasoningStyle::Budget)
    }

    fn cleared(&self, text: &str, members: &Members, _strip_call_ids: bool) -> Option<Cleared> {
        let judge = |message: &str| {
            foreign::changed(message, |message| {
                let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) else {
                    return true;
                };
                blocks.retain(|block| !foreign::carries(block, "signature"));
                !blocks.is_empty()
            })
        };
        foreign::without("messages", members.get(text, "messages")?, foreign::is_marked, judge)
    }

    fn tap_request(&self, text: &str, members: &Members) -> Result<Ask, AskError> {
        tap::request(text, members)
    }

    fn tap_whole(&self, text: &str, facts: &mut Facts) -> Seen {
        tap::whole(text, facts)
    }

    fn wire(&self) -> &'static dyn Wire {
        &CODEC
    }

    fn tap_frame(&self, event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
        tap::frame(event, text, facts)
    }
}

impl Wire for Anthropic {
    fn decode_request(&self, text: &str) -> Result<(Request, Losses), WireError> {
        request_decode::decode(text).map(checked)
    }

    fn encode_request(&self, request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
        request_encode::encode(request, target)
    }

    fn can_search(&self, request: &Request) -> bool {
        request_encode::can_search(request)
    }

    fn name_rule(&self) -> NameRule {
        request_encode::NAMES
    }

    fn fit_call_id(&self, id: &str) -> String {
        fit_id(id, turns::ID_LENGTH)
    }

    fn decode_response(&self, text: &str, seed: &str) -> Result<Response, WireError> {
        response::decode(text, seed)
    }

    fn encode_response(&self, response: &Response, answer: &AnswerContext) -> (String, Losses) {
        response::encode(response, answer)
    }

    fn stream_decoder(&self, seed: &str) -> Box<dyn StreamDecoder> {
        Box::new(stream_decode::Decoder::new(seed))
    }

    fn stream_encoder(&self, answer: &AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_encode::Encoder::new(answer))
    }
}

//! OpenAI Responses, the language of Codex. <https://platform.openai.com/docs/api-reference/responses>

mod compaction;
mod input_encode;
mod item_encode;
mod items;
mod models;
mod own_tools;
mod request_decode;
mod request_encode;
mod response;
mod stream_decode;
mod stream_encode;
mod stream_items;
mod tap;
mod tools;
mod wire;

use serde_json::Value;

use crate::base::json::Members;
use crate::base::object::{Object, object};
use crate::base::sse;
use crate::base::tree::Tree;
use crate::ir::names::NameRule;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::foreign::{self, Cleared, Fate};
use crate::protocol::listing::{ListQuery, ModelCard};
use crate::protocol::tap::{Ask, AskError, Facts, Seen};
use crate::protocol::wire::Wire;
use crate::protocol::{Action, Codec, Stage, Task, openai};

/// How state of this protocol is known.
const ORIGIN: &str = "openai-responses";
/// The names that a function may have.
const NAMES: NameRule = NameRule { length: 128, extra: "", starts_with_letter: false };

/// This protocol's codec.
pub const CODEC: OpenaiResponses = OpenaiResponses;

/// OpenAI Responses.
#[derive(Clone, Copy, Debug)]
pub struct OpenaiResponses;

impl Codec for OpenaiResponses {
    fn name(&self) -> &'static str {
        "openai-responses"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &openai::PREFIXES
    }

    fn action(&self, below_prefix: &str) -> Option<Action> {
        match below_prefix {
            "/responses" => Some(Action::Generate { task: Task::Answer, model: None, stream: None }),
            "/responses/input_tokens" => Some(Action::Count { model: None }),
            "/responses/compact" => {
                Some(Action::Generate { task: Task::Compact, model: None, stream: Some(false) })
            }
            _ => stored(below_prefix).map(|allow| Action::Stored { allow }),
        }
    }

    fn error_body(&self, fault: &Fault, _request_id: &str) -> String {
        openai::error_body(fault).to_string()
    }

    /// Codex ignores an `error` event; it wants `response.failed`, and `response.created` before
    /// it when nothing was sent.
    fn error_frames(&self, fault: &Fault, stage: &Stage<'_>) -> String {
        let mut out = Vec::new();
        let mut sequence = stage.facts.sequence;
        let mut event = |kind: &str, response: Object| {
            sse::write_object(Some(kind), &mut out, |pen| {
                pen.put("type", kind);
                pen.put("sequence_number", &sequence);
                pen.put("response", &response);
            });
            sequence += 1;
        };
        if !stage.running {
            event("response.created", response(stage, "in_progress", None));
        }
        let error = object! {"code": stream_code(fault.kind), "message": stream_message(fault)};
        event("response.failed", response(stage, "failed", Some(error)));
        String::from_utf8(out).unwrap_or_default()
    }

    /// Any event resets Codex's timer of 300 s, a comment does not; before the first event only a
    /// comment is allowed.
    fn keepalive(&self, running: bool) -> &'static str {
        if running { "event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n" } else { ": keepalive\n\n" }
    }

    fn model_list(&self, cards: &[ModelCard], query: &ListQuery) -> String {
        if query.codex { models::catalogue(cards) } else { openai::model_list(cards) }
    }

    fn model_entry(&self, card: &ModelCard) -> String {
        openai::entry(card).to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        openai::credential(key)
    }

    fn upstream_path(&self, _model: &str, _stream: bool) -> String {
        "/responses".to_owned()
    }

    fn task_path(&self, task: Task) -> Option<&'static str> {
        (task == Task::Compact).then_some("/responses/compact")
    }

    fn count_path(&self, _model: &str) -> Option<String> {
        Some("/responses/input_tokens".to_owned())
    }

    fn count_body(&self, tokens: u64) -> String {
        object! {"object": "response.input_tokens", "input_tokens": tokens}.to_string()
    }

    fn limit_fields(&self) -> &'static [&'static str] {
        &["max_output_tokens"]
    }

    fn droppable(&self) -> &'static [&'static str] {
        &[
            "temperature",
            "top_p",
            "reasoning.effort",
            "reasoning.summary",
            "reasoning",
            "text.verbosity",
            "include",
            "parallel_tool_calls",
            "prompt_cache_key",
            "store",
            "metadata",
            "user",
            "service_tier",
            "truncation",
        ]
    }

    fn wire(&self) -> &'static dyn Wire {
        &CODEC
    }

    fn cleared(&self, text: &str, members: &Members, _strip_call_ids: bool) -> Option<Cleared> {
        let judge = |item: &str| {
            let Ok(item) = Tree::read(item).map(Tree::into_value) else { return Fate::Keep };
            match item.get("type").and_then(Value::as_str) {
                Some("reasoning") if foreign::carries(&item, "encrypted_content") => Fate::Drop,
                Some("compaction" | "context_compaction") => compaction::fate(&item),
                _ => Fate::Keep,
            }
        };
        foreign::without("input", members.get(text, "input")?, foreign::is_marked, judge)
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

/// What may be done with what OpenAI keeps: answers and conversations.
/// <https://platform.openai.com/docs/api-reference/responses>,
/// <https://platform.openai.com/docs/api-reference/conversations>
fn stored(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts.as_slice() {
        ["responses", _] | ["conversations", _, "items", _] => Some("GET, DELETE"),
        ["responses", _, "cancel"] | ["conversations"] => Some("POST"),
        ["responses", _, "input_items"] => Some("GET"),
        ["conversations", _] => Some("GET, POST, DELETE"),
        ["conversations", _, "items"] => Some("GET, POST"),
        _ => None,
    }
}

/// A response object without output; it has every field that the official SDK's type requires.
fn response(stage: &Stage<'_>, status: &str, error: Option<Object>) -> Object {
    let own_id = || format!("resp_{}", stage.request_id.trim_start_matches("req_"));
    let none = Vec::<&str>::new;
    object! {
        "id": stage.facts.id.clone().unwrap_or_else(own_id), "object": "response",
        "created_at": stage.created, "status": status, "error": error, "incomplete_details": (),
        "instructions": (), "metadata": Object::default(), "model": stage.model, "output": none(),
        "parallel_tool_calls": true, "temperature": (), "tool_choice": "auto", "tools": none(), "top_p": (),
    }
}

/// Codex acts on the code alone and gives up at `server_is_overloaded` (SPEC 9.1).
fn stream_code(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Overloaded
        | FaultKind::Transient
        | FaultKind::Network
        | FaultKind::Timeout
        | FaultKind::Cut
        | FaultKind::BadUpstream
        | FaultKind::Degraded
        | FaultKind::Busy
        | FaultKind::Internal => "server_error",
        FaultKind::BadRequest
        | FaultKind::UnsupportedParameter
        | FaultKind::Capability
        | FaultKind::Policy
        | FaultKind::UpstreamAuth
        // The provider's word on the client's own key.
        | FaultKind::ClientKey
        | FaultKind::Forbidden
        | FaultKind::TooLarge
        | FaultKind::ModelNotFound => "invalid_prompt",
        FaultKind::Context
        | FaultKind::Encoding
        | FaultKind::Stalled
        | FaultKind::Endpoint
        | FaultKind::Method
        | FaultKind::RateLimit
        | FaultKind::Quota
        | FaultKind::Budget => kind.row().openai_code,
    }
}

/// Codex obeys `Please try again in Ns.` at the end of a rate limit's message.
fn stream_message(fault: &Fault) -> String {
    match (fault.kind, fault.retry_after) {
        (FaultKind::RateLimit, Some(seconds)) => {
            format!("{} Please try again in {seconds}s.", fault.message)
        }
        _ => fault.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_fails_before_its_first_event_has_one_start_and_one_end() {
        let facts = Facts::default();
        let stage = Stage { running: false, model: "m", request_id: "req_1", created: 5, facts: &facts };
        let fault = Fault::new(FaultKind::RateLimit, "Slow down.").with_retry_after(Some(7));
        let frames = CODEC.error_frames(&fault, &stage);
        let kinds: Vec<&str> = frames.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        assert_eq!(kinds, ["response.created", "response.failed"]);
        assert!(frames.contains("Slow down. Please try again in 7s."));
        assert!(frames.contains("\"sequence_number\":1") && frames.contains("\"id\":\"resp_1\""));
    }

    #[test]
    fn codex_gives_up_where_a_retry_cannot_help() {
        for kind in [
            FaultKind::BadRequest,
            FaultKind::Capability,
            FaultKind::ClientKey,
            FaultKind::Context,
            FaultKind::Forbidden,
            FaultKind::ModelNotFound,
            FaultKind::Policy,
            FaultKind::Quota,
            FaultKind::TooLarge,
            FaultKind::UnsupportedParameter,
            FaultKind::UpstreamAuth,
        ] {
            let code = stream_code(kind);
            let is_final =
                ["invalid_prompt", "context_length_exceeded", "insufficient_quota"].contains(&code);
            assert!(is_final && !kind.row().retry_helps, "{kind:?} {code}");
        }
    }
}

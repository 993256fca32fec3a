//! Blocks of an answer as output items, for a whole answer and for the end of each streamed one.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ir::carrier::State;
use crate::ir::request::{CallKind, ToolIdentity};
use crate::ir::response::{StopReason, Usage};
use crate::protocol::openai_responses::own_tools;
use crate::protocol::wire::AnswerContext;

/// How the client knows the tools of its request, by their flat names.
pub(super) type Identities = HashMap<String, ToolIdentity>;

/// The kind of call item that the client expects for a tool.
pub(super) fn kind_of(name: &str, free_form: bool, known: &Identities) -> CallKind {
    let otherwise = if free_form { CallKind::Custom } else { CallKind::Function };
    known.get(name).map_or(otherwise, |identity| identity.kind)
}

/// A message with one part.
pub(super) fn message(id: &str, part: Value, status: &str) -> Value {
    let content = if part.is_null() { json!([]) } else { json!([part]) };
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

/// The part of a message.
pub(super) fn part(text: &str, is_refusal: bool) -> Value {
    if is_refusal {
        json!({"type": "refusal", "refusal": text})
    } else {
        json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
    }
}

/// A reasoning item; every one that we make carries where it came from.
pub(super) fn reasoning(id: &str, text: &str, state: &State) -> Value {
    let summary = if text.is_empty() { json!([]) } else { json!([{"type": "summary_text", "text": text}]) };
    json!({"id": id, "type": "reasoning", "summary": summary, "encrypted_content": state.pack()})
}

/// A call as the client expects it.
pub(super) struct Call<'a> {
    pub(super) item_id: &'a str,
    pub(super) call_id: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: CallKind,
    /// Raw arguments; for a free-form tool its input.
    pub(super) arguments: &'a str,
    pub(super) status: &'a str,
}

impl Call<'_> {
    pub(super) fn item(&self, known: &Identities) -> Value {
        let identity = known.get(self.name);
        let name = identity.map_or(self.name, |identity| identity.name.as_str());
        let namespace = identity.and_then(|identity| identity.namespace.as_deref());
        let own = match self.kind {
            CallKind::Function => json!({"type": "function_call", "name": name, "arguments": self.arguments}),
            CallKind::Custom => json!({"type": "custom_tool_call", "name": name, "input": self.arguments}),
            kind @ (CallKind::ToolSearch | CallKind::LocalShell | CallKind::Shell | CallKind::ApplyPatch) => {
                own_tools::item(kind, self.arguments)
            }
        };
        let mut item = json!({"id": self.item_id});
        if let (Some(item), Value::Object(mut own)) = (item.as_object_mut(), own) {
            item.extend(own.shift_remove_entry("type"));
            item.insert("status".to_owned(), self.status.into());
            item.insert("call_id".to_owned(), self.call_id.into());
            item.append(&mut own);
        }
        if let (Some(namespace), Some(object)) = (namespace, item.as_object_mut()) {
            object.insert("namespace".to_owned(), namespace.into());
        }
        item
    }
}

/// The prefix of an item's id.
pub(super) fn prefix(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Function => "fc_",
        CallKind::Custom => "ctc_",
        CallKind::ToolSearch => "tsc_",
        CallKind::LocalShell => "lsh_",
        CallKind::Shell => "sh_",
        CallKind::ApplyPatch => "apc_",
    }
}

/// `resp_` and the provider's id, or the request's.
pub(super) fn response_id(id: Option<&str>, answer: &AnswerContext) -> String {
    match id {
        Some(id) if id.starts_with("resp_") => id.to_owned(),
        Some(id) if !id.is_empty() => format!("resp_{id}"),
        _ => format!("resp_{}", answer.request_id.trim_start_matches("req_")),
    }
}

/// The response object.
pub(super) fn response<'a>(
    id: &'a str,
    answer: &'a AnswerContext,
    state: Progress<'a>,
) -> ResponseObject<'a> {
    let (status, reason) = match state.stop {
        None => ("in_progress", None),
        Some(StopReason::Limit | StopReason::ContextFull) => ("incomplete", Some("max_output_tokens")),
        Some(StopReason::Refuse) => ("incomplete", Some("content_filter")),
        Some(_) => ("completed", None),
    };
    ResponseObject {
        id,
        created_at: answer.created,
        status,
        incomplete_details: reason.map(|reason| Incomplete { reason }),
        model: &answer.model,
        output: state.output,
        usage: state.usage,
        ..ResponseObject::default()
    }
}

/// A response with every field that the official SDK's type requires, in the reference's order.
/// Typed, since each answer and three events of each stream hold one.
#[derive(Serialize)]
pub(super) struct ResponseObject<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    background: bool,
    error: Null,
    incomplete_details: Option<Incomplete>,
    instructions: Null,
    max_output_tokens: Null,
    metadata: Empty,
    model: &'a str,
    output: &'a [Value],
    parallel_tool_calls: bool,
    previous_response_id: Null,
    reasoning: NoReasoning,
    service_tier: &'static str,
    store: bool,
    temperature: Null,
    text: PlainText,
    tool_choice: &'static str,
    tools: [(); 0],
    top_p: Null,
    truncation: &'static str,
    user: Null,
    usage: Value,
}

/// A field that is there and says nothing.
type Null = ();

#[derive(Default, Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Incomplete {
    reason: &'static str,
}

#[derive(Default, Serialize)]
struct NoReasoning {
    effort: Null,
    summary: Null,
}

#[derive(Serialize)]
struct PlainText {
    format: PlainFormat,
}

#[derive(Serialize)]
struct PlainFormat {
    r#type: &'static str,
}

impl Default for ResponseObject<'_> {
    fn default() -> Self {
        Self {
            id: "",
            object: "response",
            created_at: 0,
            status: "",
            background: false,
            error: (),
            incomplete_details: None,
            instructions: (),
            max_output_tokens: (),
            metadata: Empty {},
            model: "",
            output: &[],
            parallel_tool_calls: true,
            previous_response_id: (),
            reasoning: NoReasoning::default(),
            service_tier: "default",
            store: false,
            temperature: (),
            text: PlainText { format: PlainFormat { r#type: "text" } },
            tool_choice: "auto",
            tools: [],
            top_p: (),
            truncation: "disabled",
            user: (),
            usage: Value::Null,
        }
    }
}

/// How far an answer has come.
pub(super) struct Progress<'a> {
    pub(super) stop: Option<&'a StopReason>,
    pub(super) output: &'a [Value],
    pub(super) usage: Value,
}

/// Token counts; where a number is demanded and none is known, the estimate or 0.
pub(super) fn usage(usage: &Usage, answer: &AnswerContext) -> Value {
    let input = usage.input.unwrap_or(answer.estimated_input);
    let output = usage.output.unwrap_or(0);
    let mut input_details = json!({"cached_tokens": usage.cached.unwrap_or(0)});
    if let (Some(count), Some(object)) = (usage.cache_write, input_details.as_object_mut()) {
        object.insert("cache_write_tokens".to_owned(), count.into());
    }
    json!({
        "input_tokens": input, "input_tokens_details": input_details, "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning.unwrap_or(0)},
        "total_tokens": input.saturating_add(output),
    })
}

//! Blocks of an answer as output items, for a whole answer and for the end of each streamed one.

use crate::base::pen::{Pen, Put};
use crate::base::table::Table;
use crate::ir::carrier::State;
use crate::ir::response::{StopReason, Usage};
use crate::ir::tool::{CallKind, ToolIdentity};
use crate::protocol::openai_responses::own_tools;
use crate::protocol::wire::AnswerContext;

/// How the client knows the tools of its request, by their flat names.
pub(super) type Identities = Table<String, ToolIdentity>;

/// The kind of call item that the client expects for a tool.
pub(super) fn kind_of(name: &str, free_form: bool, known: &Identities) -> CallKind {
    let otherwise = if free_form { CallKind::Custom } else { CallKind::Function };
    known.get(name).map_or(otherwise, |identity| identity.kind)
}

/// A message with one part, or with none yet.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) part: Option<Part<'a>>,
    pub(super) status: &'a str,
}

impl Put for Message<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("id", self.id);
            pen.put("type", "message");
            pen.put("status", self.status);
            pen.put("role", "assistant");
            pen.put("content", self.part.as_slice());
        });
    }
}

/// The part of a message.
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    pub(super) refusal: bool,
}

impl Put for Part<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            if self.refusal {
                pen.put("type", "refusal");
                pen.put("refusal", self.text);
            } else {
                pen.put("type", "output_text");
                pen.list_at("annotations", |_| {});
                pen.list_at("logprobs", |_| {});
                pen.put("text", self.text);
            }
        });
    }
}

/// A reasoning item; every one that we make carries where it came from.
pub(super) struct Thought<'a> {
    pub(super) id: &'a str,
    pub(super) text: &'a str,
    pub(super) state: Option<&'a State>,
}

impl Put for Thought<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("id", self.id);
            pen.put("type", "reasoning");
            let summary = Some(Summary(self.text)).filter(|summary| !summary.0.is_empty());
            pen.put("summary", summary.as_slice());
            let none = State::default();
            pen.put("encrypted_content", &self.state.unwrap_or(&none).pack());
        });
    }
}

/// A part of visible reasoning.
pub(super) struct Summary<'a>(pub(super) &'a str);

impl Put for Summary<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("type", "summary_text");
            pen.put("text", self.0);
        });
    }
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
    pub(super) known: &'a Identities,
}

impl Put for Call<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let identity = self.known.get(self.name);
        let name = identity.map_or(self.name, |identity| identity.name.as_str());
        pen.object(|pen| {
            pen.put("id", self.item_id);
            pen.put("type", own_tools::item_kind(self.kind));
            pen.put("status", self.status);
            pen.put("call_id", self.call_id);
            match self.kind {
                CallKind::Function => {
                    pen.put("name", name);
                    pen.put("arguments", self.arguments);
                }
                CallKind::Custom => {
                    pen.put("name", name);
                    pen.put("input", self.arguments);
                }
                kind @ (CallKind::ToolSearch
                | CallKind::LocalShell
                | CallKind::Shell
                | CallKind::ApplyPatch) => own_tools::item(kind, self.arguments, pen),
            }
            pen.put_some("namespace", identity.and_then(|identity| identity.namespace.as_deref()));
        });
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

/// The output items so far, as they are written: each is told again at the end.
pub(super) struct Output {
    text: Vec<u8>,
    /// How many there are.
    pub(super) len: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self { text: Vec::with_capacity(1024), len: 0 }
    }
}

impl Put for Output {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.list(|pen| pen.raw(&self.text));
    }
}

impl Output {
    /// Takes one more.
    pub(super) fn push(&mut self, item: &impl Put) {
        Pen::on(&mut self.text).add(item);
        self.len += 1;
    }
}

/// The response object, each time with every field that the official SDK's type requires, in the
/// reference's order.
pub(super) struct Envelope<'a> {
    pub(super) id: &'a str,
    pub(super) answer: &'a AnswerContext,
    pub(super) output: &'a dyn Put,
    /// How it ended, and what it took; while it runs there is neither.
    pub(super) end: Option<(&'a StopReason, &'a Usage)>,
}

impl Envelope<'_> {
    /// The word for how far it has come, and for why it is incomplete.
    pub(super) fn status(&self) -> (&'static str, Option<&'static str>) {
        match self.end {
            None => ("in_progress", None),
            Some((StopReason::Limit | StopReason::ContextFull, _)) => {
                ("incomplete", Some("max_output_tokens"))
            }
            Some((StopReason::Refuse, _)) => ("incomplete", Some("content_filter")),
            Some(_) => ("completed", None),
        }
    }
}

impl Put for Envelope<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| self.members(pen));
    }
}

impl Envelope<'_> {
    /// Writes its members.
    pub(super) fn members(&self, pen: &mut Pen<'_>) {
        let (status, reason) = self.status();
        pen.put("id", self.id);
        pen.put("object", "response");
        pen.put("created_at", &self.answer.created);
        pen.put("status", status);
        pen.raw(br#","background":false,"error":null,"incomplete_details":"#);
        match reason {
            Some(reason) => pen.object(|pen| pen.put("reason", reason)),
            None => pen.raw(b"null"),
        }
        pen.raw(br#","instructions":null,"max_output_tokens":null,"metadata":{}"#);
        pen.put("model", &self.answer.model);
        pen.put("output", self.output);
        pen.raw(SETTINGS);
        pen.key("usage");
        self.usage(pen);
    }

    /// Writes the members of an answer of `/responses/compact`.
    pub(super) fn compacted(&self, pen: &mut Pen<'_>) {
        pen.put("id", self.id);
        pen.put("object", "response.compaction");
        pen.put("created_at", &self.answer.created);
        pen.put("output", self.output);
        pen.key("usage");
        self.usage(pen);
    }

    fn usage(&self, pen: &mut Pen<'_>) {
        match self.end {
            Some((_, usage)) => count(usage, self.answer, pen),
            None => pen.raw(b"null"),
        }
    }
}

/// Fields that say how nothing in particular was asked for.
const SETTINGS: &[u8] = br#","parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":false,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","user":null"#;

/// Token counts; where a number is demanded and none is known, the estimate or 0.
fn count(usage: &Usage, answer: &AnswerContext, pen: &mut Pen<'_>) {
    let input = usage.input.unwrap_or(answer.estimated_input);
    let output = usage.output.unwrap_or(0);
    pen.object(|pen| {
        pen.put("input_tokens", &input);
        pen.object_at("input_tokens_details", |pen| {
            pen.put("cached_tokens", &usage.cached.unwrap_or(0));
            pen.put_some("cache_write_tokens", usage.cache_write);
        });
        pen.put("output_tokens", &output);
        pen.object_at("output_tokens_details", |pen| {
            pen.put("reasoning_tokens", &usage.reasoning.unwrap_or(0));
        });
        pen.put("total_tokens", &input.saturating_add(output));
    });
}

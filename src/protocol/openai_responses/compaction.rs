//! Compaction for a target of another protocol (SPEC 3.2, 8.3): a summary takes the place of a
//! conversation that has grown too long.
//!
//! OpenAI answers a `compaction_trigger`, or a call of `/responses/compact`, with an item that it
//! alone can read. Another target is asked for a summary by an ordinary turn; its words become the
//! item, packed as state of ours. When a client sends the item back, it is a message again, for
//! whichever target. <https://platform.openai.com/docs/api-reference/responses/compact>

use serde_json::Value;

use crate::base::json::{Members, elements};
use crate::base::object::object;
use crate::base::pen::{self, Pen, Put, Raw};
use crate::ir::carrier::State;
use crate::ir::request::{Block, Compaction, Request, Role, Turn};
use crate::ir::response::Response;
use crate::ir::stream::{BlockKind, Delta, StreamEvent};
use crate::ir::tool::ToolChoice;
use crate::protocol::foreign::Fate;
use crate::protocol::in_turn::InTurn;
use crate::protocol::openai_responses::item_encode::{Envelope, response_id};
use crate::protocol::openai_responses::stream_encode::Encoder;
use crate::protocol::wire::{AnswerContext, StreamEncoder};

/// The turn that asks for the summary.
const ASK: &str = "This conversation is about to be replaced by a summary; nothing else of it will be \
    known afterwards. Write that summary, so that the work can go on from it: what the user wants, with \
    every instruction and preference that still holds; what was done, decided and found out, with the \
    exact names, paths, commands and values that are still needed; what failed and why; what is left to \
    do, and the next step. Add nothing that the conversation does not show. Call no tools. Answer with \
    the summary alone.";

/// What stands before the summary when it is sent back.
const TOLD: &str = "Summary of the conversation so far, in place of which it stands:\n\n";

/// Makes of a request one for a summary.
pub(super) fn ask(request: &mut Request) {
    request.turns.push(Turn::of(Role::User, Block::Text(ASK.to_owned())));
    request.choice = Some(ToolChoice::None);
    request.format = None;
}

/// The user's messages of a request, which stay beside the summary: JSON items, as they came.
pub(super) fn kept(text: &str) -> Vec<String> {
    let input = Members::read(text).ok().and_then(|members| members.get(text, "input"));
    let Some(input) = input else { return Vec::new() };
    let is_of_user = |item: &&str| {
        Members::read(item).is_ok_and(|members| {
            members.string(item, "role").as_deref() == Some("user")
                && members.string(item, "type").is_none_or(|kind| kind == "message")
        })
    };
    match elements(input) {
        Ok(ranges) => {
            let items = ranges.into_iter().filter_map(|range| input.get(range));
            items.filter(is_of_user).map(str::to_owned).collect()
        }
        // A text alone is a message of the user's.
        Err(_) => vec![format!(r#"{{"type":"message","role":"user","content":{input}}}"#)],
    }
}

/// The message that a compaction item of ours stands for; `None` for a vendor's own.
pub(super) fn message(packed: &str) -> Option<String> {
    State::unpack(packed)?.summary().map(|summary| format!("{TOLD}{summary}"))
}

/// What becomes of a compaction item on the native lane: the vendor cannot read ours.
pub(super) fn fate(item: &Value) -> Fate {
    match item.get("encrypted_content").and_then(Value::as_str).and_then(message) {
        Some(text) => {
            let message = object! {"type": "message", "role": "user", "content": text};
            Fate::Become { json: message.to_string(), lossy: false }
        }
        None => Fate::Keep,
    }
}

/// The id of the item.
fn item_id(answer: &AnswerContext) -> String {
    format!("cmp_{}", answer.request_id.trim_start_matches("req_"))
}

/// The item.
struct Item<'a> {
    id: &'a str,
    summary: &'a str,
}

impl Put for Item<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("id", self.id);
            pen.put("type", "compaction");
            pen.put("encrypted_content", &State::of_summary(self.summary).pack());
        });
    }
}

/// Writes a whole answer whose text is the summary.
pub(super) fn encode(answered: &Response, answer: &AnswerContext, compaction: &Compaction) -> String {
    let summary = answered.text();
    let item = Item { id: &item_id(answer), summary: &summary };
    let id = response_id(answered.id.as_deref(), answer);
    let end = Some((&answered.stop, &answered.usage));
    let kept = match compaction {
        Compaction::Turn => &[][..],
        Compaction::List { kept } => kept,
    };
    let output = Output { kept, item };
    let envelope = Envelope { id: &id, answer, output: &output, end };
    match compaction {
        Compaction::Turn => pen::long(answered.length(), &envelope),
        Compaction::List { .. } => pen::long_object(answered.length(), |pen| envelope.compacted(pen)),
    }
}

/// What stays of the conversation, then the item.
struct Output<'a> {
    kept: &'a [String],
    item: Item<'a>,
}

impl Put for Output<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.list(|pen| {
            self.kept.iter().for_each(|item| pen.add(&Raw(item.as_bytes())));
            pen.add(&self.item);
        });
    }
}

/// Writes one stream whose text is the summary. All but the text is left out: Codex takes an answer
/// with exactly one item, and that a `compaction`.
pub(super) struct Summarizer {
    encoder: Encoder,
    id: String,
    turns: InTurn,
    in_text: bool,
    summary: String,
}

impl Summarizer {
    pub(super) fn new(answer: &AnswerContext) -> Self {
        Self {
            encoder: Encoder::new(answer),
            id: item_id(answer),
            turns: InTurn::default(),
            in_text: false,
            summary: String::new(),
        }
    }

    fn take(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::BlockStart { kind, .. } => self.in_text = *kind == BlockKind::Text,
            StreamEvent::BlockDelta { delta: Delta::Text(text), .. } if self.in_text => {
                self.summary.push_str(text);
            }
            StreamEvent::BlockDelta { .. } | StreamEvent::BlockEnd { .. } => {}
            StreamEvent::Start { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::Finish { .. }
            | StreamEvent::Lost { .. } => self.encoder.event(event, out),
        }
    }
}

impl StreamEncoder for Summarizer {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.next(event, |event| self.take(event, out));
        self.turns = turns;
    }

    fn kept(&self) -> usize {
        self.turns.kept() + self.summary.len()
    }

    fn progress(&self) -> (Option<String>, u64) {
        self.encoder.progress()
    }

    fn is_complete(&self) -> bool {
        !self.summary.trim().is_empty()
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.encoder.whole_item(&Item { id: &self.id, summary: &self.summary }, out);
        self.encoder.finish(out);
    }
}

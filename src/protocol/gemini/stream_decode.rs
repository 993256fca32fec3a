//! Gemini chunks -> events.
//!
//! Gemini has no boundaries: a text or a thought ends where something else begins; calls come
//! whole. Each chunk repeats the counts of tokens, and some servers say the finish reason before
//! their last words, so that both are told when the stream is over.

use crate::base::id::stable_hash;
use crate::base::table::Table;
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::loss::{Losses, Severity};
use crate::ir::request::Media;
use crate::ir::response::{StopReason, Usage};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::error;
use crate::protocol::fields::Fields;
use crate::protocol::gemini::part::{self, Part, Piece};
use crate::protocol::gemini::partial::Pieces;
use crate::protocol::gemini::{spelling, tap};
use crate::protocol::path::Path;
use crate::protocol::wire::{StreamDecoder, WireError};

/// What may stand beside the words of an answer.
const BESIDE: [&str; 3] = ["groundingMetadata", "citationMetadata", "urlContextMetadata"];

/// Ends at which the model tried to call a tool and failed: there is no answer.
const FAILURES: [&str; 5] = [
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
];

/// Reads one stream.
pub(super) struct Decoder {
    seed: String,
    started: bool,
    next: u32,
    /// Was anything told but thoughts?
    answered: bool,
    calls: usize,
    /// The ids of the calls.
    known: Table<String, ()>,
    pieces: Pieces,
    /// The text or the thought that is being told.
    open: Option<(Voice, BlockId)>,
    /// Media, each with the number of blocks before it: a stream has no place for them.
    pub(super) media: Vec<(usize, Media)>,
    usage: Usage,
    stop: Option<StopReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Text,
    Reasoning,
}

impl Decoder {
    pub(super) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            started: false,
            next: 0,
            answered: false,
            calls: 0,
            known: Table::default(),
            pieces: Pieces::default(),
            open: None,
            media: Vec::new(),
            usage: Usage::default(),
            stop: None,
        }
    }

    /// Takes one chunk, or a whole answer.
    pub(super) fn chunk(
        &mut self,
        mut chunk: Fields<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        if let Some(failure) = chunk.take("error") {
            return Err(WireError::new("error", format!("no error: {}", error::of_value(&failure).message)));
        }
        let (id, model) = (chunk.text("responseId")?, chunk.text("modelVersion")?);
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start { id, model });
        }
        if let Some(usage) = chunk.take("usageMetadata").map(spelling::camel) {
            tap::take_usage(&mut self.usage, &usage);
        }
        if let Some(mut feedback) = spelling::object(&mut chunk, "promptFeedback")?
            && let Some(reason) = feedback.word("blockReason")?
            && !reason.ends_with("_UNSPECIFIED")
        {
            self.stop = Some(StopReason::Refuse);
            lose_words(&mut feedback, "blockReasonMessage", out)?;
        }
        for mut candidate in spelling::objects(&mut chunk, "candidates")? {
            if candidate.count("index")?.unwrap_or(0) == 0 {
                self.candidate(candidate, out)?;
            }
        }
        Ok(())
    }

    fn candidate(&mut self, mut candidate: Fields<'_>, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if let Some(mut content) = spelling::object(&mut candidate, "content")? {
            let path = content.at("parts");
            for (index, value) in content.list("parts")?.unwrap_or_default().into_iter().enumerate() {
                let path = path.index(index);
                for part in self.pieces.next(value, &path)?.into_iter().flatten() {
                    self.told(part, path.clone(), out)?;
                }
            }
        }
        for name in BESIDE {
            let is_empty = |value: &Tree<'_>| matches!(value, Tree::Object(members) if members.is_empty());
            if candidate.take(name).is_some_and(|value| !is_empty(&value)) {
                out.push(StreamEvent::Lost { what: name.to_owned() });
            }
        }
        let Some(reason) = candidate.word("finishReason")? else { return Ok(()) };
        if let Some(call) = self.pieces.settle() {
            self.told(call, candidate.at("content"), out)?;
        }
        if FAILURES.contains(&reason.as_ref()) && !self.answered {
            let why = candidate.text("finishMessage")?.map_or_else(String::new, |why| format!(": {why}"));
            return Err(WireError::new(
                candidate.at("finishReason"),
                format!("an answer, not {reason}{why}"),
            ));
        }
        // With a regular end Google tells there what the answer holds.
        if reason != "STOP" {
            lose_words(&mut candidate, "finishMessage", out)?;
        }
        self.stop = stop(&reason).or_else(|| self.stop.take());
        Ok(())
    }

    /// Tells a part. What it holds beside its words has no place elsewhere.
    fn told(&mut self, value: Tree<'_>, path: Path, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let mut losses = Losses::default();
        let part = part::read(value, path, &mut losses)?;
        self.part(part, out);
        for loss in losses.iter().filter(|loss| loss.severity > Severity::Hint) {
            let name = loss.path.rsplit('.').next().unwrap_or_default();
            out.push(StreamEvent::Lost { what: name.to_owned() });
        }
        Ok(())
    }

    fn part(&mut self, part: Part<'_>, out: &mut Vec<StreamEvent>) {
        self.answered |= !matches!(part.piece, Piece::Thought(_) | Piece::Empty);
        let mut state = part.state;
        match part.piece {
            Piece::Call { id, name, arguments } => {
                let id = self.call(id, name, out);
                let state = state.take().map(Delta::State);
                let deltas = state.into_iter().chain([Delta::Text(arguments)]);
                out.extend(deltas.map(|delta| StreamEvent::BlockDelta { id, delta }));
                out.push(StreamEvent::BlockEnd { id });
            }
            Piece::Thought(text) => {
                self.say(Voice::Reasoning, text, out);
                if let (Some((_, id)), Some(state)) = (self.open, state.take()) {
                    out.push(StreamEvent::BlockDelta { id, delta: Delta::State(state) });
                    // A block takes one state.
                    self.close(out);
                }
            }
            Piece::Text(text) => {
                // Before its text where it can be; a text that is being told is not cut in two.
                if !matches!(self.open, Some((Voice::Text, _))) {
                    self.signature(state.take(), out);
                }
                self.say(Voice::Text, text, out);
            }
            Piece::Media(media) => {
                self.close(out);
                self.media.push((self.next as usize, media));
            }
            // Server tools are never shown as the client's; the words around them stay.
            Piece::Other(name) => {
                self.close(out);
                state = None;
                out.push(StreamEvent::Lost { what: name.to_owned() });
            }
            Piece::File | Piece::Result(_) => {
                self.close(out);
                state = None;
                out.push(StreamEvent::Lost { what: "a part".to_owned() });
            }
            Piece::Empty => {}
        }
        self.signature(state, out);
    }

    /// A signature without words of its own is a block of reasoning.
    fn signature(&mut self, state: Option<State>, out: &mut Vec<StreamEvent>) {
        let Some(state) = state else { return };
        self.close(out);
        let id = self.block(BlockKind::Reasoning, out);
        out.push(StreamEvent::BlockDelta { id, delta: Delta::State(state) });
        out.push(StreamEvent::BlockEnd { id });
    }

    fn say(&mut self, voice: Voice, text: String, out: &mut Vec<StreamEvent>) {
        let id = match self.open {
            Some((open, id)) if open == voice => id,
            _ => {
                self.close(out);
                let kind = match voice {
                    Voice::Text => BlockKind::Text,
                    Voice::Reasoning => BlockKind::Reasoning,
                };
                let id = self.block(kind, out);
                self.open = Some((voice, id));
                id
            }
        };
        out.push(StreamEvent::BlockDelta { id, delta: Delta::Text(text) });
    }

    fn call(&mut self, id: Option<String>, name: String, out: &mut Vec<StreamEvent>) -> BlockId {
        self.close(out);
        let made = format!("call_{:016x}{}", stable_hash(self.seed.as_bytes()), self.calls);
        self.calls += 1;
        // Some servers give all calls one id, and clients tell them apart by it.
        let id = id.filter(|id| !self.known.contains_key(id)).unwrap_or(made);
        self.known.insert(id.clone(), ());
        self.block(BlockKind::Call { id, name, free_form: false }, out)
    }

    fn block(&mut self, kind: BlockKind, out: &mut Vec<StreamEvent>) -> BlockId {
        let id = BlockId(self.next);
        self.next += 1;
        out.push(StreamEvent::BlockStart { id, kind });
        id
    }

    fn close(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some((_, id)) = self.open.take() {
            out.push(StreamEvent::BlockEnd { id });
        }
    }

    /// Ends the answer. Whole answers may leave their reason out; streams may not.
    pub(super) fn end(&mut self, out: &mut Vec<StreamEvent>) {
        self.close(out);
        if !self.usage.is_empty() {
            out.push(StreamEvent::Usage(self.usage));
        }
        let stop = self.stop.take().unwrap_or_default();
        out.push(StreamEvent::Finish { stop: stop.settled(self.calls > 0) });
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, _: Option<&str>, data: &str, out: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let value =
            Tree::read(data).map_err(|error| WireError::new("chunk", format!("a Gemini chunk: {error}")))?;
        self.chunk(spelling::fields(value, Path::default())?, out)?;
        out.extend(self.media.drain(..).map(|_| StreamEvent::Lost { what: "inlineData".to_owned() }));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.stop.is_some() {
            self.end(out);
        }
    }
}

/// Words of the provider about an end, which are no words of the answer.
fn lose_words(
    fields: &mut Fields<'_>,
    name: &'static str,
    out: &mut Vec<StreamEvent>,
) -> Result<(), WireError> {
    if fields.word(name)?.is_some_and(|words| !words.is_empty()) {
        out.push(StreamEvent::Lost { what: name.to_owned() });
    }
    Ok(())
}

/// A provider's word for why an answer ended, unless it says that it did not.
fn stop(reason: &str) -> Option<StopReason> {
    Some(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" => StopReason::End,
        "MAX_TOKENS" | "CONTINUATION" => StopReason::Limit,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED" => StopReason::Refuse,
        image if image.starts_with("IMAGE_") => StopReason::Refuse,
        other => StopReason::Other(other.to_owned()),
    })
}

#[cfg(test)]
mod tests;

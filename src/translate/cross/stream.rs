//! The translated lane of a stream: frames in, events between, frames out.

use crate::base::sse::FrameReader;
use crate::base::table::Table;
use crate::ir::calls::OwnIds;
use crate::ir::carrier::{Kept, State};
use crate::ir::loss::Losses;
use crate::ir::request::Block;
use crate::ir::response::Lost;
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::tap::{Facts, Kind};
use crate::protocol::wire::{StreamDecoder, StreamEncoder};
use crate::translate::cross::Crossing;
use crate::translate::framing::Framing;
use crate::translate::pipe::{PipeError, StreamEnd};

/// The stream machine of the translated lane: frames to events, events to frames.
pub struct Translated {
    crossing: Crossing,
    reader: FrameReader,
    limit: usize,
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    framing: Framing,
    events: Vec<StreamEvent>,
    words: Words,
    keeper: Keeper,
    ids: OwnIds,
    lost: Lost,
    facts: Facts,
    /// Did the target's answer end?
    ended: bool,
    /// Does the client's array have an element?
    begun: bool,
}

impl Translated {
    pub(in crate::translate) fn new(crossing: &Crossing, limit: usize, framing: Framing) -> Self {
        Self {
            reader: FrameReader::new(limit),
            limit,
            decoder: crossing.target_wire.stream_decoder(&crossing.answer.request_id),
            encoder: crossing.client_wire.stream_encoder(&crossing.answer),
            crossing: crossing.clone(),
            framing,
            events: Vec::new(),
            words: Words::default(),
            keeper: Keeper::default(),
            ids: OwnIds::default(),
            lost: Lost::default(),
            facts: Facts::default(),
            ended: false,
            begun: false,
        }
    }

    pub(in crate::translate) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    pub(in crate::translate) fn pull(&mut self, out: &mut Vec<u8>) -> Result<Option<Kind>, PipeError> {
        let frame = match self.reader.next_frame() {
            Err(_) => return Err(PipeError::FrameTooLong),
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => frame,
        };
        let Some(text) = frame.text() else { return Ok(Some(Kind::Beat)) };
        if self.decoder.words(frame.event_name(), &text, &mut self.events) {
            self.encode(out);
            return self.bounded(Kind::Content);
        }
        let kind = self.crossing.target.tap_frame(frame.event_name(), &text, &mut self.facts).kind;
        match kind {
            Kind::Broken => return Err(PipeError::BrokenFrame),
            Kind::Failure | Kind::Beat => return Ok(Some(kind)),
            _ => {}
        }
        let decoded = self.decoder.frame(frame.event_name(), &text, &mut self.events);
        decoded.map_err(PipeError::Unfit)?;
        self.encode(out);
        self.bounded(kind)
    }

    /// What waits in the encoder came in many frames, and is bounded like one.
    fn bounded(&self, kind: Kind) -> Result<Option<Kind>, PipeError> {
        if self.encoder.kept() > self.limit { Err(PipeError::FrameTooLong) } else { Ok(Some(kind)) }
    }

    pub(in crate::translate) fn finish(&mut self, out: &mut Vec<u8>) -> StreamEnd {
        if let Some(frame) = self.reader.rest()
            && let Some(text) = frame.text()
        {
            let kind = self.crossing.target.tap_frame(frame.event_name(), &text, &mut self.facts).kind;
            if !matches!(kind, Kind::Broken | Kind::Failure | Kind::Beat) {
                // A broken last frame only means that the stream was cut inside it.
                let _ = self.decoder.frame(frame.event_name(), &text, &mut self.events);
            }
        }
        if self.facts.error.is_some() {
            return StreamEnd::Failed;
        }
        self.decoder.finish(&mut self.events);
        self.encode(out);
        if self.ended && self.encoder.is_complete() { StreamEnd::Finished } else { StreamEnd::Truncated }
    }

    pub(in crate::translate) fn close(&mut self, out: &mut Vec<u8>) {
        let mark = out.len();
        self.encoder.finish(out);
        if self.framing == Framing::Array {
            array(out, mark, &mut self.begun);
            out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        }
    }

    pub(in crate::translate) fn take_kept(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.keeper.kept)
    }

    pub(in crate::translate) fn losses(&self) -> Losses {
        let mut losses = Losses::default();
        self.lost.tell(&mut losses);
        losses
    }

    pub(in crate::translate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Writes all of an answer that came whole; whether its client has what it must have.
    pub(super) fn tell(&mut self, events: Vec<StreamEvent>, out: &mut Vec<u8>) -> bool {
        self.events = events;
        self.encode(out);
        self.encoder.is_complete()
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        self.words.add_states(&self.crossing, &mut self.events);
        for mut event in self.events.drain(..) {
            self.crossing.localize(&mut event, &mut self.ids);
            if !self.crossing.client_wire.carries_state() {
                self.keeper.event(&event);
            }
            if let StreamEvent::Lost { what } = event {
                self.lost.add(what);
                continue;
            }
            if matches!(event, StreamEvent::Finish { .. }) {
                self.ended = true;
            }
            let mark = out.len();
            self.encoder.event(&event, out);
            if self.framing == Framing::Array {
                array(out, mark, &mut self.begun);
            }
        }
        let (id, sequence) = self.encoder.progress();
        self.facts.id = id;
        self.facts.sequence = sequence;
        // An error that comes now must be told by us, in the client's protocol.
        self.facts.finished = self.ended;
    }
}

/// Gathers the state that led to each call of an answer.
#[derive(Default)]
pub(super) struct Keeper {
    /// State of the reasoning so far.
    reasoning: Vec<State>,
    calls: Table<BlockId, usize>,
    pub(super) kept: Vec<Kept>,
}

impl Keeper {
    fn event(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::BlockStart { id, kind: BlockKind::Call { id: call_id, .. } } => {
                self.calls.insert(*id, self.kept.len());
                self.call(call_id, None);
            }
            StreamEvent::BlockDelta { id, delta: Delta::State(state) } => {
                match self.calls.get(id).and_then(|index| self.kept.get_mut(*index)) {
                    Some(kept) => kept.own = Some(state.clone()),
                    None => self.reasoning.push(state.clone()),
                }
            }
            _ => {}
        }
    }

    pub(super) fn block(&mut self, block: &Block) {
        match block {
            Block::Reasoning(reasoning) => self.reasoning.extend(reasoning.state.clone()),
            Block::Call(call) => self.call(&call.id, call.state.clone()),
            Block::Text(_) | Block::Refusal(_) | Block::Media(_) | Block::Result(_) => {}
        }
    }

    fn call(&mut self, call_id: &str, own: Option<State>) {
        let reasoning = self.reasoning.clone();
        self.kept.push(Kept { call_id: call_id.to_owned(), reasoning, own });
    }
}

/// The words of reasoning blocks that end without a state of their own.
#[derive(Default)]
struct Words(Table<BlockId, String>);

impl Words {
    /// Gives each such block a state, before its end.
    fn add_states(&mut self, crossing: &Crossing, events: &mut Vec<StreamEvent>) {
        let mut all = Vec::with_capacity(events.len());
        for event in events.drain(..) {
            match &event {
                StreamEvent::BlockStart { id, kind: BlockKind::Reasoning } => {
                    self.0.insert(*id, String::new());
                }
                StreamEvent::BlockDelta { id, delta: Delta::Text(text) } => {
                    if let Some(words) = self.0.get_mut(id) {
                        words.push_str(text);
                    }
                }
                StreamEvent::BlockDelta { id, delta: Delta::State(_) } => {
                    self.0.remove(id);
                }
                StreamEvent::BlockEnd { id } => {
                    if let Some(state) = self.0.remove(id).and_then(|words| crossing.state_of(&words)) {
                        all.push(StreamEvent::BlockDelta { id: *id, delta: Delta::State(state) });
                    }
                }
                _ => {}
            }
            all.push(event);
        }
        *events = all;
    }
}

/// Turns the event frames written since `mark` into elements of an array.
fn array(out: &mut Vec<u8>, mark: usize, begun: &mut bool) {
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(out.get(mark..).unwrap_or_default());
    out.truncate(mark);
    while let Ok(Some(frame)) = reader.next_frame() {
        if let Some(text) = frame.text() {
            out.extend_from_slice(if *begun { b",\n" } else { b"[" });
            out.extend_from_slice(text.as_bytes());
            *begun = true;
        }
    }
}

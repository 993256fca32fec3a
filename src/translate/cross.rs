//! The translated lane: a request for a target of another protocol, its answer for the client.

use crate::base::sse::FrameReader;
use crate::base::table::Table;
use crate::ir::carrier::{Kept, State};
use crate::ir::collect;
use crate::ir::loss::{Loss, Losses, Severity};
use crate::ir::names::NameMap;
use crate::ir::request::{Block, Request};
use crate::ir::response::{Lost, Response, StopReason};
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};
use crate::protocol::Codec;
use crate::protocol::tap::{Facts, Kind};
use crate::protocol::wire::{AnswerContext, StreamDecoder, StreamEncoder, TargetContext, Wire, WireError};
use crate::translate::framing::Framing;
use crate::translate::pipe::{PipeError, StreamEnd};

/// Everything that the way back must know.
#[derive(Clone)]
pub struct Crossing {
    /// What knows the target's protocol.
    pub target: &'static dyn Codec,
    /// Its wire.
    pub target_wire: &'static dyn Wire,
    /// The client's wire.
    pub client_wire: &'static dyn Wire,
    /// What the client's encoder must know.
    pub answer: AnswerContext,
    /// Tool names as the target sees them, and as the client knows them.
    pub names: NameMap,
    /// The provider, for reasoning state.
    pub provider: String,
    /// The model's name there.
    pub model: String,
}

/// Is a loss reason enough not to send a request?
pub fn refusal(losses: &Losses, strict: bool) -> Option<&Loss> {
    losses.first_of(if strict { Severity::Degrade } else { Severity::Refuse })
}

/// The body for a target, what was lost on the way, and the tool names as the target sees them.
pub fn outgoing(request: &Request, wire: &dyn Wire, target: &TargetContext<'_>) -> (String, Losses, NameMap) {
    let (body, mut losses) = wire.encode_request(request, target);
    if let Some(search) = &request.search
        && !(target.dialect.search && wire.can_search(request))
    {
        let why = "web search runs at its own vendor, and this target is not known to have one";
        if search.alone {
            losses.refuse(search.path.as_str(), why);
        } else {
            losses.degrade(search.path.as_str(), why);
        }
    }
    let rule = wire.name_rule();
    let names = || request.tools.iter().map(|tool| tool.name.as_str());
    for name in names().filter(|name| !rule.fits(name)) {
        losses.degrade(format!("tools.{name}"), "the target takes no such name; it is offered another");
    }
    let names = NameMap::new(names(), &rule);
    (body, losses, names)
}

/// A whole answer for a client.
pub struct Whole {
    /// Its body.
    pub body: String,
    /// What it lost.
    pub losses: Losses,
    /// State that its client has no field for.
    pub kept: Vec<Kept>,
    /// What it tells, so that nobody has to look at its text for that.
    pub facts: Facts,
}

/// A whole answer as a stream.
pub struct Streamed {
    /// All of it.
    pub frames: Vec<u8>,
    /// What it lost.
    pub losses: Losses,
    /// State that its client has no field for.
    pub kept: Vec<Kept>,
}

impl Crossing {
    /// A whole answer for the client.
    ///
    /// # Errors
    /// It is no answer of the target's protocol.
    pub fn whole(&self, text: &str) -> Result<Whole, WireError> {
        let response = self.target_wire.decode_response(text, &self.answer.request_id)?;
        self.told(response)
    }

    /// A whole answer as the stream that its client asked for.
    ///
    /// # Errors
    /// It is no answer of the target's protocol.
    pub fn streamed(&self, text: &str, framing: Framing) -> Result<Streamed, WireError> {
        let response = self.target_wire.decode_response(text, &self.answer.request_id)?;
        let mut pipe = Translated::new(self, 0, framing);
        pipe.events = collect::events(response);
        let mut frames = Vec::new();
        pipe.encode(&mut frames);
        if !pipe.encoder.is_complete() {
            return Err(no_summary());
        }
        pipe.close(&mut frames);
        Ok(Streamed { frames, losses: pipe.losses(), kept: pipe.take_kept() })
    }

    /// A whole answer of a target for its client.
    ///
    /// # Errors
    /// It is not what was asked for.
    pub(super) fn told(&self, mut response: Response) -> Result<Whole, WireError> {
        if self.answer.compaction.is_some() && response.text().trim().is_empty() {
            return Err(no_summary());
        }
        for block in &mut response.blocks {
            match block {
                Block::Call(call) => {
                    call.name = self.names.original(&call.name).to_owned();
                    call.state.iter_mut().for_each(|state| self.sign(&mut state.provider, &mut state.model));
                }
                Block::Reasoning(reasoning) => {
                    if reasoning.state.is_none() {
                        reasoning.state = self.state_of(&reasoning.text);
                    }
                    reasoning
                        .state
                        .iter_mut()
                        .for_each(|state| self.sign(&mut state.provider, &mut state.model));
                }
                Block::Text(_) | Block::Refusal(_) | Block::Media(_) | Block::Result(_) => {}
            }
        }
        let mut keeper = Keeper::default();
        if !self.client_wire.carries_state() {
            response.blocks.iter().for_each(|block| keeper.block(block));
        }
        let (body, mut losses) = self.client_wire.encode_response(&response, &self.answer);
        response.lost.tell(&mut losses);
        Ok(Whole { body, losses, kept: keeper.kept, facts: facts(&response) })
    }

    /// State names who made it, so that it goes back there only.
    fn sign(&self, provider: &mut String, model: &mut String) {
        self.provider.clone_into(provider);
        self.model.clone_into(model);
    }

    /// The state of reasoning whose origin gave none: its words, where the client would lose them;
    /// else where it came from, for a later target must know it for foreign (SPEC 8.6).
    fn state_of(&self, words: &str) -> Option<State> {
        let origin = self.target.name();
        if !self.answer.show_reasoning || !self.client_wire.keeps_reasoning() {
            (!words.is_empty()).then(|| State::of_text(origin, words))
        } else {
            self.client_wire.carries_state().then(|| State::of(origin, Vec::new()))
        }
    }

    fn localize(&self, event: &mut StreamEvent) {
        match event {
            StreamEvent::BlockStart { kind: BlockKind::Call { name, .. }, .. } => {
                *name = self.names.original(name).to_owned();
            }
            StreamEvent::BlockDelta { delta: Delta::State(state), .. } => {
                self.sign(&mut state.provider, &mut state.model);
            }
            _ => {}
        }
    }
}

/// A summary was asked for, and none came.
fn no_summary() -> WireError {
    WireError::new("answer", "a summary, in words")
}

/// What a whole answer tells.
fn facts(response: &Response) -> Facts {
    let incomplete =
        matches!(response.stop, StopReason::Limit | StopReason::ContextFull | StopReason::Refuse);
    Facts { usage: response.usage, finished: true, incomplete, ..Facts::default() }
}

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
    lost: Lost,
    facts: Facts,
    ended: bool,
    begun: bool,
}

impl Translated {
    pub(super) fn new(crossing: &Crossing, limit: usize, framing: Framing) -> Self {
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
            lost: Lost::default(),
            facts: Facts::default(),
            ended: false,
            begun: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    pub(super) fn pull(&mut self, out: &mut Vec<u8>) -> Result<Option<Kind>, PipeError> {
        let frame = match self.reader.next_frame() {
            Err(_) => return Err(PipeError::FrameTooLong),
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => frame,
        };
        let Some(text) = frame.text() else { return Ok(Some(Kind::Beat)) };
        let kind = self.crossing.target.tap_frame(frame.event_name(), &text, &mut self.facts).kind;
        match kind {
            Kind::Broken => return Err(PipeError::BrokenFrame),
            Kind::Failure | Kind::Beat => return Ok(Some(kind)),
            _ => {}
        }
        let decoded = self.decoder.frame(frame.event_name(), &text, &mut self.events);
        decoded.map_err(|_| PipeError::BrokenFrame)?;
        self.encode(out);
        // What waits in the encoder came in many frames, and is bounded like one.
        if self.encoder.kept() > self.limit { Err(PipeError::FrameTooLong) } else { Ok(Some(kind)) }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> StreamEnd {
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

    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        let mark = out.len();
        self.encoder.finish(out);
        self.frame(out, mark);
        if self.framing == Framing::Array {
            out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        }
    }

    pub(super) fn take_kept(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.keeper.kept)
    }

    pub(super) fn losses(&self) -> Losses {
        let mut losses = Losses::default();
        self.lost.tell(&mut losses);
        losses
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        self.words.add_states(&self.crossing, &mut self.events);
        for mut event in self.events.drain(..) {
            self.crossing.localize(&mut event);
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

    fn frame(&mut self, out: &mut Vec<u8>, mark: usize) {
        if self.framing == Framing::Array {
            array(out, mark, &mut self.begun);
        }
    }
}

/// Gathers the state that led to each call of an answer.
#[derive(Default)]
struct Keeper {
    /// State of the reasoning so far.
    reasoning: Vec<State>,
    calls: Table<BlockId, usize>,
    kept: Vec<Kept>,
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

    fn block(&mut self, block: &Block) {
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

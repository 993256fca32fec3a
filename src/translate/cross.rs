//! The translated lane: a request for a target of another protocol, its answer for the client.

pub(super) mod stream;

use crate::ir::calls::OwnIds;
use crate::ir::carrier::{Kept, State};
use crate::ir::collect;
use crate::ir::loss::{Loss, Losses, Severity};
use crate::ir::names::NameMap;
use crate::ir::request::{Block, Request};
use crate::ir::response::{Response, StopReason};
use crate::ir::stream::{BlockKind, Delta, StreamEvent};
use crate::protocol::Codec;
use crate::protocol::tap::Facts;
use crate::protocol::wire::{AnswerContext, TargetContext, Wire, WireError};
use crate::translate::cross::stream::{Keeper, Translated};
use crate::translate::framing::Framing;

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
        let why =
            "web search runs at its own vendor; a target is known to have one by `tools.search` of its model";
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
        let mut frames = Vec::new();
        if !pipe.tell(collect::events(response), &mut frames) {
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
        let mut ids = OwnIds::default();
        for block in &mut response.blocks {
            match block {
                Block::Call(call) => {
                    call.id = self.id_of(&call.id, &mut ids);
                    call.name = self.names.original(&call.name).to_owned();
                    call.state.iter_mut().for_each(|state| self.sign(state));
                }
                Block::Reasoning(reasoning) => {
                    if reasoning.state.is_none() {
                        reasoning.state = self.state_of(&reasoning.text);
                    }
                    reasoning.state.iter_mut().for_each(|state| self.sign(state));
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
    fn sign(&self, state: &mut State) {
        self.provider.clone_into(&mut state.provider);
        self.model.clone_into(&mut state.model);
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

    /// A call's id for the client: one of its own, which targets of the client's protocol take, too.
    fn id_of(&self, id: &str, ids: &mut OwnIds) -> String {
        ids.own(id, |id| self.client_wire.fit_call_id(id))
    }

    fn localize(&self, event: &mut StreamEvent, ids: &mut OwnIds) {
        match event {
            StreamEvent::BlockStart { kind: BlockKind::Call { id, name, .. }, .. } => {
                *id = self.id_of(id, ids);
                *name = self.names.original(name).to_owned();
            }
            StreamEvent::BlockDelta { delta: Delta::State(state), .. } => {
                self.sign(state);
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

//! A request as a plan asks about it.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::base::id::stable_hash;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::ir::needs::Needs;
use crate::ir::request::{Block, Request, Role};
use crate::protocol::{Protocol, Task};
use crate::route::ask::{Content, Question};

/// A request, and what is needed to decode it.
pub struct Asking<'a> {
    /// Everything a request may use.
    pub live: &'a Live,
    /// The request.
    pub inbound: &'a Inbound,
}

impl Question for Asking<'_> {
    fn name(&self) -> Option<&str> {
        self.inbound.asked.as_deref()
    }

    fn protocol(&self) -> Protocol {
        self.inbound.protocol
    }

    /// A body that cannot be decoded needs nothing: on the native lane its provider says what is
    /// wrong with it, on the other we do.
    fn content(&self) -> Content {
        self.live.decoded(self.inbound).map_or_else(
            |_| Content::default(),
            |decoded| Content {
                needs: Needs::of(&decoded.request),
                size: decoded.size,
                output: decoded.request.limit,
            },
        )
    }

    /// The session as the client names it, else its first words.
    fn session(&self) -> Option<u64> {
        match &self.inbound.session {
            Some(name) => Some(stable_hash(name.as_bytes())),
            None => first_words(&self.live.decoded(self.inbound).ok()?.request),
        }
    }

    fn native_only(&self) -> Option<&'static str> {
        (self.inbound.task == Task::Complete).then_some("completions")
    }

    fn bypasses(&self) -> bool {
        self.inbound.wishes.bypass
    }
}

fn first_words(request: &Request) -> Option<u64> {
    let system = request.system.first().map(String::as_str).unwrap_or_default();
    let said = request.turns.iter().filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.blocks);
    let user = said.into_iter().find_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        Block::Refusal(_) | Block::Media(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => None,
    })?;
    // Not the stable hash: that takes a byte at a time, and these texts can be long.
    let mut hasher = DefaultHasher::new();
    (system, user).hash(&mut hasher);
    Some(hasher.finish())
}

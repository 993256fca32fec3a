//! A request as one target gets it: body, address, headers, patience. `making` makes it.

mod making;

use std::borrow::Cow;
use std::cell::{Ref, RefCell};
use std::rc::Rc;

use crate::base::id::TargetId;
use crate::base::secret::masked;
use crate::base::splice::Edit;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::tape::Mask;
use crate::gateway::trouble::{Report, Trouble};
use crate::ir::names::NameMap;
use crate::observe::log::{detail, harmless, is_detailed};
use crate::policy::class::Class;
use crate::policy::outcome::KeyOwner;
use crate::protocol::{Codec, Task};
use crate::route::plan::Candidate;
use crate::translate::again::Recipe;
use crate::translate::concession::{self, Concession};
use crate::translate::cross::Crossing;
use crate::translate::verbatim::Options;
use crate::upstream::{self, Agent, Call, Failure, Header, Hook, Incoming, Patience, Speech};

pub use making::{prepare, prepare_count};
pub(super) use making::{session_key, wants};

/// A request as one target gets it, and what must be known of it when the answer comes.
pub struct Outgoing<'a> {
    /// Where it goes.
    pub candidate: &'a Candidate<'a>,
    /// How its answer goes to the client.
    pub lane: Lane,
    /// The most bytes of a whole answer.
    pub response_body: usize,
    /// The longest event of a stream.
    pub sse_frame: usize,
    /// What was lost on the way, worth a warning.
    pub warnings: Vec<String>,
    /// What was changed of it for what the target had refused.
    pub conceded: Vec<Edit>,
    /// What is needed to make it again, when somebody wants to know.
    pub recipe: Option<Box<Recipe>>,
    agent: &'a Agent,
    url: String,
    headers: Vec<Header<'a>>,
    body: RefCell<Cow<'a, str>>,
    patience: Patience,
    stream: bool,
    task: Task,
    client_key: bool,
    mask: Mask,
}

/// How an answer goes to the client.
pub enum Lane {
    /// Client and target speak the same protocol.
    Verbatim(Options),
    /// They do not.
    Translated(Box<Crossing>),
}

impl Outgoing<'_> {
    /// What knows the target's protocol.
    pub fn codec(&self) -> &'static dyn Codec {
        self.candidate.protocol.codec()
    }

    /// The target.
    pub fn target(&self) -> &TargetId {
        &self.candidate.target
    }

    /// Is it translated for the target?
    pub fn is_translated(&self) -> bool {
        matches!(self.lane, Lane::Translated(_))
    }

    /// The way back through the neutral model, also for a target of the client's own protocol: for
    /// an answer that came whole instead of streamed, or the other way round.
    ///
    /// # Errors
    /// The request is none of its protocol.
    pub fn crossing(&self, live: &Live, inbound: &Inbound) -> Result<Crossing, Trouble> {
        match &self.lane {
            Lane::Translated(crossing) => Ok(Crossing::clone(crossing)),
            // Its answer is none of its protocol's, as far as the decoders know.
            Lane::Verbatim(_) if self.task == Task::Complete => {
                let what = "sent a stream in place of a whole answer, or the other way round";
                Err(Trouble::bad_answer(Class::BadUpstream, self.target(), what))
            }
            Lane::Verbatim(_) => {
                let decoded = live.decoded(inbound)?;
                Ok(making::crossing(live, inbound, self.candidate, decoded, NameMap::default()))
            }
        }
    }

    /// Calls the target and waits for the head of its answer, whatever it is.
    ///
    /// # Errors
    /// It was not reached, or did not answer.
    pub fn send(&self, hook: &Rc<dyn Hook>) -> Result<Incoming, Failure> {
        if is_detailed() {
            let headers = self.shown_headers(self.mask).join(", ");
            // A client's query may hold a key where nobody looks for one.
            let address = self.url.split('?').next().unwrap_or_default();
            detail(format_args!("calls {}: {address} {headers}", self.target()));
        }
        let body = self.body();
        let call = Call {
            method: "POST",
            url: &self.url,
            headers: &self.headers,
            body: body.as_bytes(),
            patience: self.patience,
            speech: Speech {
                codec: self.codec(),
                model: self.target().model.as_str(),
                stream: self.stream,
                task: self.task,
            },
        };
        upstream::send(self.agent, &call, hook)
    }

    /// Whose key is used?
    pub fn key_owner(&self) -> KeyOwner {
        if self.client_key { KeyOwner::Client } else { KeyOwner::Proxy }
    }

    /// What an error asks to be changed of the request, if it refuses a parameter that may be lost.
    pub fn concession(&self, trouble: &Trouble) -> Option<Concession> {
        if !matches!(trouble.status, 400 | 422) {
            return None;
        }
        let error = trouble.upstream.as_ref()?;
        concession::of_refusal(self.codec(), &self.body(), error.param.as_deref(), &error.message)
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The body.
    pub fn body(&self) -> Ref<'_, str> {
        Ref::map(self.body.borrow(), |body| &**body)
    }

    /// It was answered for good: a long stream need not hold its body.
    pub fn forget_body(&self) {
        self.body.replace(Cow::Borrowed(""));
    }

    /// The headers for people, `name: value`.
    pub fn shown_headers(&self, mask: Mask) -> Vec<String> {
        let is_secret = |name: &str| {
            matches!(name, "authorization" | "x-api-key" | "x-goog-api-key")
                || self.candidate.provider.headers.iter().any(|own| own.name.eq_ignore_ascii_case(name))
        };
        let shown = |(name, value): &Header<'_>| match is_secret(name) && mask == Mask::Credentials {
            true => format!("{name}: {}", masked(value.trim_start_matches("Bearer "))),
            false => format!("{name}: {}", harmless(value)),
        };
        self.headers.iter().map(shown).collect()
    }

    /// What is known of an error with this status, besides its text.
    pub fn report<'r>(&'r self, live: &'r Live, status: u16, retry_after: Option<u64>) -> Report<'r> {
        Report {
            target: self.target(),
            status,
            retry_after,
            rules: &live.config().classify,
            client_key: self.client_key,
            key_variable: self.candidate.provider.key.as_ref().and_then(|key| key.variable.as_deref()),
        }
    }
}

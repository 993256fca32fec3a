//! From upstream to the client: an answer that is told whole. `relay::stream` relays one event by event.

mod stream;

use std::rc::Rc;
use std::time::Duration;

use crate::gateway::attempt;
use crate::gateway::headers;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::{Headers, Line};
use crate::gateway::live::Live;
use crate::gateway::outgoing::{Lane, Outgoing};
use crate::gateway::record::Story;
use crate::gateway::trouble::Trouble;
use crate::ir::loss::{Losses, Severity};
use crate::policy::class::Class;
use crate::protocol::error::ProviderError;
use crate::protocol::tap::{Facts, Kind, Seen};
use crate::protocol::wire::WireError;
use crate::route::visit::Visit;
use crate::translate::cross::Whole;
use crate::translate::gather::Gather;
use crate::translate::pipe::PipeError;
use crate::translate::verbatim;
use crate::upstream::{Failure, Incoming, Phase, Stop};

/// After the last event a provider has this long to end its answer, so that the connection can be
/// used again.
const AFTER_LAST: Duration = Duration::from_secs(1);
const LONGEST_READ: usize = 16 * 1024;

/// An answer on its way from a target to the client.
pub struct Relay<'a, 'o> {
    /// Everything a request may use.
    pub live: &'a Live,
    /// What was asked.
    pub inbound: &'a Inbound,
    /// What was sent.
    pub outgoing: &'a Outgoing<'o>,
    /// What its target's breaker is told by.
    pub visit: Option<&'a Visit<'a>>,
    /// Where it goes.
    pub line: &'a Rc<Line>,
    /// What it begins with.
    pub headers: Headers,
}

/// The end of a good answer. It is sent when all that follows from the answer is written down, so
/// that whoever has it meets a proxy that knows of it.
pub enum Ending {
    /// All of it: status, headers, body.
    Whole(u16, Headers, String),
    /// What is left of the stream.
    Stream(Vec<u8>),
}

impl Ending {
    /// Sends it.
    ///
    /// # Errors
    /// The client left.
    pub fn send(self, line: &Line) -> Result<(), Stop> {
        match self {
            Self::Whole(status, headers, body) => line.whole(status, &headers, body.as_bytes()),
            Self::Stream(rest) => line.finish(&rest),
        }
    }
}

impl Relay<'_, '_> {
    /// Relays a whole answer.
    ///
    /// # Errors
    /// It broke, is too long, is none, or is an error.
    #[inline(never)] // as `Story::end`
    pub fn whole(self, mut incoming: Incoming, story: &mut Story) -> Result<Ending, Trouble> {
        if is_events(&incoming) {
            return self.gathered(incoming, story);
        }
        let text = self.read_whole(&mut incoming)?;
        let (body, facts) = match &self.outgoing.lane {
            Lane::Verbatim(options) => {
                let (facts, seen) = self.look_at(&text)?;
                (verbatim::whole(&text, &seen, options.rename.as_deref()).unwrap_or(text), facts)
            }
            Lane::Translated(crossing) => match crossing.whole(&text) {
                Ok(mut whole) => {
                    let facts = std::mem::take(&mut whole.facts);
                    (self.keep(whole, story), facts)
                }
                Err(error) => {
                    // It may tell an error, which says more.
                    self.look_at(&text)?;
                    return Err(self.broken(&error));
                }
            },
        };
        story.learns(&facts);
        Ok(self.tell(incoming.status, body, story))
    }

    /// The text of a whole answer.
    fn read_whole(&self, incoming: &mut Incoming) -> Result<String, Trouble> {
        let limit = self.outgoing.response_body;
        let (body, complete) = attempt::read_up_to(incoming, limit).map_err(|error| self.failed(&error))?;
        self.line.tape.takes(&body);
        if !complete {
            return Err(self.bad("sent an answer longer than `limits.response_body`"));
        }
        match String::from_utf8(body) {
            Ok(text) if !text.trim().is_empty() => Ok(text),
            Ok(_) => Err(self.bad("sent an empty answer")),
            Err(_) => Err(self.bad("sent an answer that is no text")),
        }
    }

    /// What a whole answer tells; an error that it tells is one.
    fn look_at(&self, text: &str) -> Result<(Facts, Seen), Trouble> {
        let mut facts = Facts::default();
        let seen = self.outgoing.codec().tap_whole(text, &mut facts);
        match seen.kind {
            Kind::Broken => Err(self.bad("sent an answer that is no JSON of its protocol")),
            Kind::Failure => Err(self.told(&facts, text)),
            Kind::Opening
            | Kind::Beat
            | Kind::Content
            | Kind::End
            | Kind::Usage
            | Kind::Last
            | Kind::Unknown => Ok((facts, seen)),
        }
    }

    /// A stream came, though none was asked for: it is gathered.
    #[inline(never)] // as `Story::end`
    fn gathered(self, mut incoming: Incoming, story: &mut Story) -> Result<Ending, Trouble> {
        let crossing = self.outgoing.crossing(self.live, self.inbound)?;
        self.line.tape.crosses(&crossing);
        let mut gather = Gather::new(&crossing, self.outgoing.sse_frame);
        let mut part = vec![0_u8; LONGEST_READ];
        let mut sum = 0;
        loop {
            let count = match incoming.read(&mut part) {
                Ok(count) => count,
                Err(failure) if has_ended(gather.facts()) && is_end(&failure) => 0,
                Err(failure) => return Err(self.failed(&failure)),
            };
            if count == 0 {
                break;
            }
            sum += count;
            self.line.tape.takes(part.get(..count).unwrap_or_default());
            if sum > self.outgoing.response_body {
                return Err(self.bad("sent an answer longer than `limits.response_body`"));
            }
            gather.push(part.get(..count).unwrap_or_default()).map_err(|error| self.unfit(error))?;
            if has_ended(gather.facts()) {
                incoming.hurry(AFTER_LAST);
            }
        }
        let (whole, facts) = gather.finish();
        if facts.error.is_some() {
            return Err(self.told(&facts, ""));
        }
        let Some(whole) = whole else { return Err(self.cut_short()) };
        let body = self.keep(whole, story);
        story.learns(&facts);
        Ok(self.tell(incoming.status, body, story))
    }

    /// The body of a translated answer; what it lost is told, what its client cannot carry is kept.
    fn keep(&self, whole: Whole, story: &mut Story) -> String {
        loses(&whole.losses, story);
        self.live.remember(whole.kept);
        whole.body
    }

    fn tell(mut self, status: u16, body: String, story: &Story) -> Ending {
        headers::warn(&mut self.headers, story.lost());
        story.tells_usage(&mut self.headers);
        self.headers.push("content-type", "application/json");
        Ending::Whole(status, self.headers, body)
    }

    /// The provider told an error inside its answer.
    fn told(&self, facts: &Facts, body: &str) -> Trouble {
        let error = facts.error.clone().unwrap_or_default();
        let masked =
            ProviderError { message: self.line.masked(self.live, &error.message).into_owned(), ..error };
        let report = self.outgoing.report(self.live, masked.status.unwrap_or(0), None);
        let searched = if body.is_empty() { &masked.message } else { body };
        Trouble::of_provider(&masked, searched, &report)
    }

    fn unfit(&self, error: PipeError) -> Trouble {
        match error {
            PipeError::BrokenFrame => self.bad("sent an event that is not what its protocol says"),
            PipeError::Unfit(why) => {
                self.bad(&format!("sent a broken event: {}", self.line.masked(self.live, &why.to_string())))
            }
            PipeError::FrameTooLong => self.bad("sent an event longer than `limits.sse_frame`"),
        }
    }

    fn broken(&self, error: &WireError) -> Trouble {
        self.bad(&format!("sent a broken answer: {error}"))
    }

    fn cut_short(&self) -> Trouble {
        let what = "the stream ended before the answer was complete";
        Trouble::bad_answer(Class::Cut, self.outgoing.target(), what)
    }

    fn bad(&self, what: &str) -> Trouble {
        Trouble::bad_answer(Class::BadUpstream, self.outgoing.target(), what)
    }

    fn failed(&self, failure: &Failure) -> Trouble {
        Trouble::of_failure(failure, self.outgoing.target())
    }
}

/// What an answer lost is told and counted where a client may miss it.
fn loses(losses: &Losses, story: &mut Story) {
    let warnings = losses.iter().filter(|loss| loss.severity == Severity::Degrade);
    story.loses(warnings.map(ToString::to_string));
}

fn has_ended(facts: &Facts) -> bool {
    facts.finished || facts.error.is_some()
}

/// Does it end a body of which nothing is needed any more? Only a client that left ends more than that.
fn is_end(failure: &Failure) -> bool {
    match failure {
        Failure::Late(Phase::Body) | Failure::Broken(_) => true,
        Failure::Stopped(Stop::Total | Stop::Shutdown) => true,
        Failure::Stopped(Stop::Gone)
        | Failure::Late(Phase::Connect | Phase::Head)
        | Failure::Slow(_)
        | Failure::Unreachable(_)
        | Failure::Unusable(_)
        | Failure::NoAnswer(_) => false,
    }
}

fn is_events(incoming: &Incoming) -> bool {
    is_kind(incoming, "text/event-stream")
}

/// Is it of that media type, letter case aside (RFC 9110, 8.3.1)?
fn is_kind(incoming: &Incoming, kind: &str) -> bool {
    let told = incoming.header("content-type").and_then(|told| told.get(..kind.len()));
    told.is_some_and(|told| told.eq_ignore_ascii_case(kind))
}

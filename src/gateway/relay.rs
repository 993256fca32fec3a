//! From upstream to the client: a whole answer, or a stream event by event; the commit point.
//!
//! Before the first good event nothing of a stream is sent: the events that only open it are kept,
//! at most 16 of them, and an error among them is a real status. From then on every event goes
//! out as it comes (SPEC 6.6).

use std::rc::Rc;
use std::time::Duration;

use crate::gateway::attempt;
use crate::gateway::headers;
use crate::gateway::inbound::{Inbound, TestMode};
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
use crate::translate::again::HELD_FRAMES;
use crate::translate::cross::Whole;
use crate::translate::gather::Gather;
use crate::translate::pipe::{PipeError, StreamEnd, StreamPipe};
use crate::translate::verbatim;
use crate::upstream::{Failure, Incoming, Phase, Stop};

/// After the last event a provider has this long to end its answer, so that the connection can be
/// used again.
const AFTER_LAST: Duration = Duration::from_secs(1);
/// After the regular end of the answer it has this long for what may follow.
const AFTER_END: Duration = Duration::from_secs(15);
/// So much is read at a time at first, and kept between events: most are short.
const USUAL: usize = 1024;
const LONGEST_READ: usize = 16 * 1024;

/// After so many events of content the stream of test mode's `force_stream_cut` stops.
const PLAYED_EVENTS: u32 = 3;

/// An answer on its way from a target to the client.
pub struct Relay<'a, 'o> {
    /// Everything a request may use.
    pub live: &'a Live,
    /// What was asked.
    pub inbound: &'a Inbound,
    /// What was sent.
    pub outgoing: &'a Outgoing<'o>,
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

/// Events of a stream so far.
#[derive(Default)]
struct Counts {
    /// Held back.
    held: usize,
    /// Of content.
    content: u32,
}

/// Whether more of a stream is awaited.
enum Flow {
    GoOn,
    Close,
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
            _ => Ok((facts, seen)),
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
                Err(Failure::Late(Phase::Body) | Failure::Broken(_)) if has_ended(gather.facts()) => 0,
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

    /// Relays a stream.
    ///
    /// # Errors
    /// It broke, ended early, is none, or told an error before the commit point.
    #[inline(never)] // as `Story::end`
    pub fn stream(mut self, mut incoming: Incoming, story: &mut Story) -> Result<Ending, Trouble> {
        headers::warn(&mut self.headers, story.lost());
        if is_not_events(&incoming) {
            return self.instead_of_stream(incoming, story);
        }
        incoming.forget_headers();
        let mut pipe = match &self.outgoing.lane {
            Lane::Verbatim(options) => StreamPipe::verbatim(self.outgoing.codec(), options.clone()),
            Lane::Translated(crossing) => {
                StreamPipe::translated(crossing, self.outgoing.sse_frame, self.line.framing())
            }
        };
        let result = self.pump(&mut incoming, &mut pipe);
        story.learns(pipe.facts());
        loses(&pipe.losses(), story);
        self.live.remember(pipe.take_kept());
        result
    }

    fn pump(&self, incoming: &mut Incoming, pipe: &mut StreamPipe) -> Result<Ending, Trouble> {
        let mut part = vec![0_u8; USUAL];
        let mut out = Vec::new();
        let mut seen = Counts::default();
        let mut heard = false;
        loop {
            let count = match incoming.read(&mut part) {
                Ok(count) => count,
                // Only the end of the connection was still awaited, or an error came before that
                // says more than this one.
                Err(Failure::Late(Phase::Body) | Failure::Broken(_)) if has_ended(pipe.facts()) => 0,
                Err(failure) => return Err(self.failed(&failure)),
            };
            if count == 0 {
                break;
            }
            heard = true;
            self.line.tape.takes(part.get(..count).unwrap_or_default());
            pipe.push(part.get(..count).unwrap_or_default());
            let pulled = self.pull_all(pipe, incoming, &mut out, &mut seen);
            if matches!(pulled, Ok(Flow::Close)) {
                return Ok(close(pipe, out));
            }
            if self.line.is_committed() && !out.is_empty() {
                self.line.send(&out).map_err(|stop| self.failed(&Failure::Stopped(stop)))?;
                out.clear();
                out.shrink_to(USUAL);
            }
            pulled?;
            if count == part.len() && count < LONGEST_READ {
                part.resize(count * 4, 0);
            }
        }
        self.end(pipe, out, heard)
    }

    /// Takes every whole event that has come; what came before a bad one stays in `out`.
    fn pull_all(
        &self,
        pipe: &mut StreamPipe,
        incoming: &mut Incoming,
        out: &mut Vec<u8>,
        seen: &mut Counts,
    ) -> Result<Flow, Trouble> {
        while let Some(kind) = self.next(pipe, out, seen)? {
            match kind {
                // Whatever follows would make the failed answer look whole.
                Kind::Failure if pipe.facts().finished => return Ok(Flow::Close),
                Kind::Last | Kind::Failure => incoming.hurry(AFTER_LAST),
                Kind::End => incoming.hurry(AFTER_END),
                _ => {}
            }
        }
        Ok(Flow::GoOn)
    }

    /// Takes the next event: its bytes are kept in `out`, and the line is committed when it is time.
    fn next(
        &self,
        pipe: &mut StreamPipe,
        out: &mut Vec<u8>,
        seen: &mut Counts,
    ) -> Result<Option<Kind>, Trouble> {
        pipe.settle(out);
        let mark = out.len();
        let kind = match pipe.pull(out) {
            Ok(Some(kind)) => kind,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.unfit(error)),
        };
        if kind == Kind::Failure && !pipe.relays_errors() {
            return Err(self.told(pipe.facts(), ""));
        }
        if kind == Kind::Content && self.inbound.wishes.test == Some(TestMode::StreamCut) {
            seen.content += 1;
            if seen.content > PLAYED_EVENTS {
                out.truncate(mark);
                return Err(self.cut_short());
            }
        }
        if self.line.is_committed() {
            if kind == Kind::Failure {
                self.mask(out, mark);
            }
            return Ok(Some(kind));
        }
        match kind {
            Kind::Beat => out.truncate(mark),
            Kind::Failure => return Err(self.told(pipe.facts(), "")),
            Kind::Opening | Kind::Unknown if seen.held < HELD_FRAMES => seen.held += 1,
            _ => self.commit()?,
        }
        Ok(Some(kind))
    }

    fn end(&self, pipe: &mut StreamPipe, mut out: Vec<u8>, heard: bool) -> Result<Ending, Trouble> {
        let end = pipe.finish(&mut out);
        match end {
            StreamEnd::Truncated if !heard => return Err(self.bad("sent an empty answer")),
            StreamEnd::Truncated => {
                if self.line.is_committed() {
                    // What did come goes out before the error.
                    self.line.send(&out).map_err(|stop| self.failed(&Failure::Stopped(stop)))?;
                }
                return Err(self.cut_short());
            }
            StreamEnd::Failed if !self.line.is_committed() => return Err(self.told(pipe.facts(), "")),
            StreamEnd::Failed => self.mask(&mut out, 0),
            StreamEnd::Finished => {}
        }
        self.commit()?;
        if end == StreamEnd::Failed && !pipe.facts().finished {
            self.line.send(&out).map_err(|stop| self.failed(&Failure::Stopped(stop)))?;
            return Err(self.told(pipe.facts(), ""));
        }
        Ok(close(pipe, out))
    }

    fn commit(&self) -> Result<(), Trouble> {
        self.outgoing.forget_body();
        self.line.commit(&self.headers).map_err(|stop| self.failed(&Failure::Stopped(stop)))
    }

    /// A streamed request was answered with something that is no stream: a whole answer, which
    /// becomes one, an error, or nothing we can use.
    #[inline(never)] // as `Story::end`
    fn instead_of_stream(&self, mut incoming: Incoming, story: &mut Story) -> Result<Ending, Trouble> {
        let text = self.read_whole(&mut incoming)?;
        let (facts, _) = self.look_at(&text)?;
        let crossing = self.outgoing.crossing(self.live, self.inbound)?;
        self.line.tape.crosses(&crossing);
        let streamed = crossing.streamed(&text, self.line.framing()).map_err(|error| self.broken(&error))?;
        loses(&streamed.losses, story);
        self.live.remember(streamed.kept);
        story.learns(&facts);
        self.commit()?;
        Ok(Ending::Stream(streamed.frames))
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

    /// An error event may quote a key of ours.
    fn mask(&self, out: &mut Vec<u8>, from: usize) {
        let told = out.split_off(from.min(out.len()));
        let text = String::from_utf8_lossy(&told);
        out.extend_from_slice(self.line.masked(self.live, &text).as_bytes());
    }

    fn unfit(&self, error: PipeError) -> Trouble {
        self.bad(match error {
            PipeError::BrokenFrame => "sent an event that is not what its protocol says",
            PipeError::FrameTooLong => "sent an event longer than `limits.sse_frame`",
        })
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

/// What an answer lost is logged, and counted where a client may miss it.
fn loses(losses: &Losses, story: &mut Story) {
    losses.iter().for_each(|loss| log::warn!("{} lost: {loss}", story.id()));
    let warnings = losses.iter().filter(|loss| loss.severity == Severity::Degrade);
    story.loses(warnings.map(ToString::to_string));
}

fn close(pipe: &mut StreamPipe, mut out: Vec<u8>) -> Ending {
    pipe.close(&mut out);
    Ending::Stream(out)
}

fn has_ended(facts: &Facts) -> bool {
    facts.finished || facts.error.is_some()
}

fn is_events(incoming: &Incoming) -> bool {
    incoming.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// A server that does not name its kind may still stream; one that names JSON or a page does not.
fn is_not_events(incoming: &Incoming) -> bool {
    let kind = incoming.header("content-type").unwrap_or_default();
    kind.starts_with("application/json") || kind.starts_with("text/html")
}

//! A stream, event by event; the commit point.
//!
//! Before the first good event nothing of it is sent: the events that only open it are kept, at most
//! 16 of them, and an error among them is a real status. From then on every event goes out as it
//! comes (SPEC 6.6).

use std::time::Duration;

use super::{AFTER_LAST, Ending, LONGEST_READ, Relay, has_ended, is_end, is_kind, loses};
use crate::gateway::headers;
use crate::gateway::inbound::TestMode;
use crate::gateway::outgoing::Lane;
use crate::gateway::record::Story;
use crate::gateway::tally;
use crate::gateway::trouble::Trouble;
use crate::protocol::tap::Kind;
use crate::translate::pipe::{HELD_FRAMES, StreamEnd, StreamPipe};
use crate::upstream::{Failure, Incoming};

/// After the regular end of the answer it has this long for what may follow.
const AFTER_END: Duration = Duration::from_secs(15);
/// So much is read at a time at first, and kept between events: most are short.
const USUAL: usize = 1024;
/// After so many events of content the stream of test mode's `force_stream_cut` stops.
const PLAYED_EVENTS: u32 = 3;

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
                Err(failure) if has_ended(pipe.facts()) && is_end(&failure) => 0,
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
                part = vec![0; count * 4];
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
                // It failed, and the event that may say why is still to come.
                Kind::Unknown if pipe.facts().error.is_some() => incoming.hurry(AFTER_LAST),
                Kind::Opening | Kind::Beat | Kind::Content | Kind::Usage | Kind::Unknown | Kind::Broken => {}
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
        if kind == Kind::Content {
            if seen.content == 0 {
                tally::begins(self.visit, self.outgoing.candidate);
            }
            seen.content += 1;
            if seen.content > PLAYED_EVENTS && self.inbound.wishes.test == Some(TestMode::StreamCut) {
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
            Kind::Opening
            | Kind::Content
            | Kind::End
            | Kind::Usage
            | Kind::Last
            | Kind::Unknown
            | Kind::Broken => self.commit()?,
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
        if end == StreamEnd::Failed && !(pipe.relays_errors() && pipe.facts().finished) {
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

    /// An error event may quote a key of ours.
    fn mask(&self, out: &mut Vec<u8>, from: usize) {
        let told = out.split_off(from.min(out.len()));
        let text = String::from_utf8_lossy(&told);
        out.extend_from_slice(self.line.masked(self.live, &text).as_bytes());
    }
}

fn close(pipe: &mut StreamPipe, mut out: Vec<u8>) -> Ending {
    pipe.close(&mut out);
    Ending::Stream(out)
}

/// A server that does not name its kind may still stream; one that names JSON or a page does not.
fn is_not_events(incoming: &Incoming) -> bool {
    is_kind(incoming, "application/json") || is_kind(incoming, "text/html")
}

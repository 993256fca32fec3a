//! One call to one candidate: its head awaited, its error answer understood.

use std::rc::Rc;
use std::time::Duration;

use crate::base::cut::cut;
use crate::base::spare::lengthen;
use crate::gateway::headers;
use crate::gateway::line::Line;
use crate::gateway::live::Live;
use crate::gateway::outgoing::Outgoing;
use crate::gateway::record::Story;
use crate::gateway::trouble::{NativeError, Trouble};
use crate::policy::class::Class;
use crate::policy::outcome::KeyOwner;
use crate::protocol::error;
use crate::upstream::{Failure, Hook, Incoming};

/// Room for an answer whose length is not announced; most are no longer.
const FIRST_ROOM: usize = 4 * 1024;
/// An announced length is believed so far.
const BELIEVED: usize = 64 * 1024;
/// A provider that has nothing left for so long is degraded, not busy.
const A_WHILE: Duration = Duration::from_secs(60);

/// Calls the target and waits for the head of its answer.
///
/// # Errors
/// It was not reached, or answered with an error.
pub fn call(
    live: &Live,
    outgoing: &Outgoing<'_>,
    line: &Rc<Line>,
    story: &mut Story,
) -> Result<Incoming, Trouble> {
    let hook: Rc<dyn Hook> = Rc::clone(line) as Rc<dyn Hook>;
    line.tape.calls(outgoing);
    let mut incoming =
        outgoing.send(&hook).map_err(|failure| Trouble::of_failure(&failure, outgoing.target()))?;
    story.hears();
    line.tape.hears(&incoming);
    match incoming.status {
        200..=299 => Ok(incoming),
        // ureq takes the others below 200 for what they are, and waits on.
        ..200 => {
            let what = format!("switched protocols ({}), which nobody asked for", incoming.status);
            Err(Trouble::bad_answer(Class::BadUpstream, outgoing.target(), &what))
        }
        300..=399 => {
            let what = format!("answered with a redirect ({}), which is never followed", incoming.status);
            Err(Trouble::bad_answer(Class::BadUpstream, outgoing.target(), &what))
        }
        _ => Err(refused(live, outgoing, line, &mut incoming)),
    }
}

/// Reads at most `limit` bytes of a body; whether that was all of it.
///
/// # Errors
/// The body broke.
pub fn read_up_to(incoming: &mut Incoming, limit: usize) -> Result<(Vec<u8>, bool), Failure> {
    let (body, end) = read_what_comes(incoming, limit);
    Ok((body, end?))
}

/// The same; what came before the body broke is there, too.
fn read_what_comes(incoming: &mut Incoming, limit: usize) -> (Vec<u8>, Result<bool, Failure>) {
    // One byte more than is announced: its end shows without growing.
    let announced = incoming.header("content-length").and_then(|length| length.parse().ok());
    let room = announced.map_or(FIRST_ROOM, |length: usize| length.saturating_add(1).min(BELIEVED));
    let mut body = vec![0_u8; room];
    let mut filled = 0;
    loop {
        if filled == body.len() {
            lengthen(&mut body, filled * 2);
        }
        let read = incoming.read(body.get_mut(filled..).unwrap_or_default());
        let count = *read.as_ref().unwrap_or(&0);
        filled += count;
        if count == 0 || filled > limit {
            body.truncate(filled.min(limit));
            return (body, read.map(|_| filled <= limit));
        }
    }
}

fn refused(live: &Live, outgoing: &Outgoing<'_>, line: &Line, incoming: &mut Incoming) -> Trouble {
    let limit = live.config().limits.error_body;
    // A key that lies across the limit must be seen whole to be masked. What came before the body
    // broke may still tell the reason.
    let (body, _) = read_what_comes(incoming, limit + line.longest_secret(live));
    line.tape.takes(&body);
    let body = cut(&line.masked(live, &String::from_utf8_lossy(&body)), limit).to_owned();
    let error = error::read(&body);
    let report = outgoing.report(live, incoming.status, headers::retry_after(incoming));
    let mut trouble = Trouble::of_provider(&error, &body, &report);
    trouble.is_of_account = trouble.class == Some(Class::RateLimit) && is_of_account(incoming, &trouble);
    let is_own_key = trouble.class == Some(Class::Auth) && outgoing.key_owner() == KeyOwner::Proxy;
    if is_own_key || outgoing.is_translated() {
        return trouble;
    }
    let mut headers = headers::returned(incoming);
    headers.push("content-type", incoming.header("content-type").unwrap_or("application/json"));
    trouble.with_native(NativeError { status: incoming.status, headers, body })
}

/// Do OpenAI's headers say that neither a request nor a token is left for a while (SPEC 6.3)?
fn is_of_account(incoming: &Incoming, trouble: &Trouble) -> bool {
    let none_left = |name: &str| incoming.header(name).is_some_and(|left| left.trim() == "0");
    none_left("x-ratelimit-remaining-requests")
        && none_left("x-ratelimit-remaining-tokens")
        && trouble.retry_after() >= Some(A_WHILE)
}

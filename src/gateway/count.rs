//! Counts of input tokens (SPEC 3.2): asked of the first candidate where it speaks the client's
//! protocol, else estimated. A count is no generation: it takes no slot, spends no bucket and no
//! budget, and whatever goes wrong with it changes nothing and is answered with the estimate.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::gateway::attempt;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::{Headers, Line, SharedClient};
use crate::gateway::live::Live;
use crate::gateway::outgoing::{self, Outgoing};
use crate::gateway::trouble::Trouble;
use crate::observe::log::detail;
use crate::protocol::Protocol;
use crate::route::plan::Candidate;
use crate::route::planning::Purpose;
use crate::upstream::{Hook, Stop};

/// A target that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers a count.
pub fn answer(live: &Live, inbound: &Inbound, client: SharedClient) {
    let line = Rc::new(Line::new(live, inbound, client));
    let counted = count(live, inbound, &line);
    let mut headers = Headers::default();
    headers.push("content-type", "application/json");
    headers.push("x-llmgate-request-id", inbound.id.as_str());
    // A client that cannot be written to has left.
    let _ = match counted {
        Ok(body) => line.whole(200, &headers, body.as_bytes()),
        Err(trouble) => {
            let (status, headers, body) = trouble.answer(inbound.protocol.codec(), &inbound.id);
            line.whole(status, &headers, body.as_bytes())
        }
    };
}

fn count(live: &Live, inbound: &Inbound, line: &Rc<Line>) -> Result<String, Trouble> {
    let plan = live.plan(inbound, Purpose::Show)?;
    let first = plan.candidates.first();
    if let Some(body) = first.and_then(|candidate| ask(live, inbound, candidate, line)) {
        return Ok(body);
    }
    let size = live.decoded(inbound)?.size;
    let codec = inbound.protocol.codec();
    let tokens = first.map_or_else(
        || size.tokens(codec.characters_per_token()),
        |candidate| live.health.estimate(candidate, size),
    );
    Ok(codec.count_body(tokens))
}

/// The target's own count; `None` when it has none, or none in time.
fn ask(live: &Live, inbound: &Inbound, candidate: &Candidate<'_>, line: &Rc<Line>) -> Option<String> {
    let outgoing = outgoing::prepare_count(live, inbound, candidate, PATIENCE)?;
    let hook: Rc<dyn Hook> =
        Rc::new(Deadline { line: Rc::clone(line) as Rc<dyn Hook>, until: clock::now() + PATIENCE });
    let answered = read(&outgoing, &hook, inbound.protocol);
    if answered.is_none() {
        detail(format_args!("{} {} did not count; estimated instead", inbound.id, outgoing.target()));
    }
    answered
}

fn read(outgoing: &Outgoing<'_>, hook: &Rc<dyn Hook>, protocol: Protocol) -> Option<String> {
    let mut incoming = outgoing.send(hook).ok().filter(|incoming| incoming.status == 200)?;
    let (body, complete) = attempt::read_up_to(&mut incoming, outgoing.response_body).ok()?;
    let text = String::from_utf8(body).ok().filter(|_| complete)?;
    protocol.codec().is_count(&text).then_some(text)
}

/// The client's line, for so long.
struct Deadline {
    line: Rc<dyn Hook>,
    until: Instant,
}

impl Hook for Deadline {
    fn go_on(&self) -> Result<(), Stop> {
        if clock::now() >= self.until { Err(Stop::Total) } else { self.line.go_on() }
    }
}

//! Floor 5: the story of one request. START READING HERE.
//!
//! [`answer`] is the whole of it: the plan says which target may serve the request, [`attempt`]
//! calls it, [`relay`] moves its bytes to the client, and [`record`] tells afterwards what
//! happened. Whatever goes wrong on the way is a [`Trouble`], and [`Line::fail`] is the one place
//! where a client is told of one.

pub mod attempt;
pub mod headers;
pub mod inbound;
pub mod line;
pub mod live;
pub mod offer;
pub mod record;
pub mod relay;
pub mod trouble;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::protocol::fault::{Fault, FaultKind};
use crate::route::plan::{Candidate, Plan};
use crate::route::snapshot::Unresolved;
use crate::upstream::Hook;
use inbound::Inbound;
use line::{Line, SharedClient};
use live::Live;
use record::Story;
use relay::Relay;
use trouble::Trouble;

/// Answers one request: from its whole body to the last byte of the answer and the log line.
pub fn answer(live: &Live, inbound: &Inbound, client: SharedClient) {
    let line = Rc::new(Line::new(live, inbound, client));
    let mut story = Story::begin(inbound);
    let served = catch_unwind(AssertUnwindSafe(|| serve(live, inbound, &line, &mut story)));
    if let Err(trouble) = served.unwrap_or_else(|_| Err(panicked())) {
        story.fails(&trouble);
        line.fail(&trouble, &story);
    }
    story.end(&line, &live.tally);
}

/// A panic is our own fault; it ends this request and no other.
fn panicked() -> Trouble {
    let message =
        "llmgate failed at this request (a panic). Please report it with the log line of this request.";
    Trouble::own(Fault::new(FaultKind::Internal, message))
}

fn serve(live: &Live, inbound: &Inbound, line: &Rc<Line>, story: &mut Story) -> Result<(), Trouble> {
    let plan =
        live.snapshot.plan(inbound.asked.as_deref(), inbound.protocol).map_err(|name| unknown(&name))?;
    log::debug!("{} plan: {plan}", inbound.id);
    story.plans(&plan);
    let candidate = first(&plan)?;
    let outgoing = attempt::prepare(live, inbound, candidate)?;
    let hook: Rc<dyn Hook> = Rc::clone(line) as Rc<dyn Hook>;
    let incoming = attempt::call(live, &outgoing, &hook, story)?;
    let headers = headers::of_answer(inbound, story, &outgoing, &incoming);
    let relay = Relay { live, outgoing: &outgoing, line, headers };
    if inbound.ask.stream { relay.stream(incoming, story) } else { relay.whole(incoming, story) }
}

/// The target to call, or why there is none.
fn first<'p>(plan: &'p Plan<'p>) -> Result<&'p Candidate<'p>, Trouble> {
    let Some(candidate) = plan.candidates.first() else { return Err(none_left()) };
    if !candidate.target.model.is_safe_in_path() {
        let message = format!("The model name {:?} cannot stand in a path.", candidate.target.model.as_str());
        return Err(Trouble::own(Fault::new(FaultKind::ModelNotFound, message)));
    }
    Ok(candidate)
}

fn none_left() -> Trouble {
    let message = "Every target of this model is disabled. Enable one in the configuration.";
    Trouble::own(Fault::new(FaultKind::Degraded, message).with_retry_after(Some(60)))
}

fn unknown(unresolved: &Unresolved) -> Trouble {
    let near = if unresolved.nearest.is_empty() {
        String::new()
    } else {
        format!(" Known names like it: {}.", unresolved.nearest.join(", "))
    };
    let message = if unresolved.name.is_empty() {
        format!("The request names no model, and there is no `default_model`.{near}")
    } else {
        format!("The model {:?} leads to no target.{near}", unresolved.name)
    };
    Trouble::own(Fault::new(FaultKind::ModelNotFound, message))
}

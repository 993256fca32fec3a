//! Floor 5: the story of one request. START READING HERE.
//!
//! [`answer`] is the whole of it: the plan says which targets may serve the request, in what order;
//! [`tries`] goes from one to the next until one answers; [`attempt`] calls it, [`relay`] moves its
//! bytes to the client, and [`record`] tells afterwards what happened. Whatever goes wrong on the
//! way is a [`Trouble`], and [`Line::fail`] is the one place where a client is told of one.

mod allowance;
pub mod attempt;
mod budget;
pub mod check;
pub mod count;
pub mod errand;
pub mod explain;
pub mod headers;
mod hook;
pub mod inbound;
pub mod line;
pub mod live;
pub mod nothing;
pub mod offer;
pub mod outgoing;
mod outgoing_headers;
pub mod question;
pub mod record;
pub mod relay;
mod tally;
pub mod tape;
pub mod tries;
pub mod trouble;
pub mod wait;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::observe::live::Phase;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::planning::Purpose;
use inbound::{Inbound, TestMode};
use line::{Line, SharedClient};
use live::Live;
use record::Story;
use tries::Tries;
use trouble::Trouble;

/// Answers one request: from its whole body to the last byte of the answer and the log line.
pub fn answer(live: &Live, inbound: &Inbound, client: SharedClient) {
    let line = Rc::new(Line::new(live, inbound, client));
    inbound.run.is(Phase::Held);
    let mut story = Story::begin(inbound);
    let served = catch_unwind(AssertUnwindSafe(|| serve(live, inbound, &line, &mut story)));
    if let Err(trouble) = served.unwrap_or_else(|_| Err(panicked())) {
        story.fails(&trouble);
        line.fail(&trouble, &story);
    }
    story.end(live, inbound, &line);
}

/// A panic is our own fault; it ends this request and no other.
fn panicked() -> Trouble {
    let message =
        "llmgate failed at this request (a panic). Please report it with the log line of this request.";
    Trouble::own(Fault::new(FaultKind::Internal, message))
}

fn serve(live: &Live, inbound: &Inbound, line: &Rc<Line>, story: &mut Story) -> Result<(), Trouble> {
    if inbound.wishes.test == Some(TestMode::Degraded) {
        return Err(nothing::played(live));
    }
    let plan = live.plan(inbound, Purpose::Serve)?;
    log::debug!("{} plan: {plan}", inbound.id);
    story.plans(&plan);
    budget::check(live, story)?;
    let allowance = allowance::take(live, inbound, &plan)?;
    Tries::new(live, inbound, line, story, plan).within(allowance).run()
}

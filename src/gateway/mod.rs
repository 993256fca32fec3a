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

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use crate::observe::live::Phase;
use crate::observe::log::detail;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::planning::Purpose;
use crate::route::snapshot::Resolved;
use inbound::{Inbound, TestMode};
use line::{Line, SharedClient};
use live::Live;
use record::Story;
use tries::Tries;
use trouble::Trouble;

/// Answers one request: from its whole body to the last byte of the answer and the log line. A panic
/// is told and written down, and goes on: the connection ends with it.
// A frame of its own would be a page more of each thread's stack.
#[inline(always)]
pub fn answer(live: &Live, inbound: &Inbound, client: SharedClient) {
    let line = Rc::new(Line::new(live, inbound, client));
    inbound.run.is(Phase::Held);
    let mut story = Story::begin(inbound);
    let (served, panic) = match catch_unwind(AssertUnwindSafe(|| serve(live, inbound, &line, &mut story))) {
        Ok(served) => (served, None),
        Err(panic) => (Err(panicked()), Some(panic)),
    };
    if let Err(trouble) = served {
        story.fails(&trouble);
        line.fail(&trouble, &story);
    }
    story.end(live, inbound, &line);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// Ends a request that got no turn: it is told and written down, and no target was asked.
pub fn turn_away(live: &Live, inbound: &Inbound, client: SharedClient, trouble: &Trouble) {
    let line = Line::new(live, inbound, client);
    let mut story = Story::begin(inbound);
    if let Ok(Resolved::Alias(route, _)) = live.snapshot.resolve(inbound.asked.as_deref()) {
        story.asks_for(route);
    }
    story.fails(trouble);
    line.fail(trouble, &story);
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
    detail(format_args!("{} plan: {plan}", inbound.id));
    story.plans(&plan);
    budget::check(live, story)?;
    let allowance = allowance::take(live, inbound, &plan)?;
    Tries::new(live, inbound, line, story, plan).within(allowance).run()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::base::env::Env;
    use crate::base::id::RequestId;
    use crate::config::{Overrides, load};
    use crate::protocol::Protocol;
    use inbound::{Envelope, Wishes};
    use line::Client;

    /// A client that cannot be looked after; it keeps the statuses that it is told.
    struct Odd(Rc<RefCell<Vec<u16>>>);

    impl Client for Odd {
        fn is_gone(&self) -> bool {
            panic!("as it is meant to")
        }

        fn whole(&mut self, status: u16, _: &[(&str, &str)], _: &[u8]) -> io::Result<()> {
            self.0.borrow_mut().push(status);
            Ok(())
        }

        fn start(&mut self, _: u16, _: &[(&str, &str)]) -> io::Result<()> {
            Ok(())
        }

        fn bytes(&mut self, _: &[u8]) {}

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_told_and_ends_the_connection() {
        let overrides = Overrides { demo: true, ..Overrides::default() };
        let config = load(None, &Env::default(), &overrides).unwrap();
        let live = Live::new(Arc::new(config), &Env::default(), None).unwrap();
        let wishes = Wishes { test: Some(TestMode::Slow), ..Wishes::default() };
        let envelope = Envelope { wishes, ..Envelope::plain(Protocol::OpenaiChat) };
        let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#.to_vec();
        let inbound = Inbound::read(envelope, RequestId::random(), body).unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let client: SharedClient = Rc::new(RefCell::new(Odd(Rc::clone(&told))));
        // Whoever holds the connection learns of it.
        assert!(catch_unwind(AssertUnwindSafe(|| answer(&live, &inbound, client))).is_err());
        assert_eq!(*told.borrow(), [500]);
        assert_eq!(live.sinks.tally.sums().requests, 1);
    }
}

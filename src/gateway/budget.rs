//! Money before a request (SPEC 7.5): a budget that is spent refuses it, one that nearly is warns.

use crate::base::calendar;
use crate::base::clock::{self, Millis};
use crate::gateway::live::Live;
use crate::gateway::nothing::seconds;
use crate::gateway::record::Story;
use crate::gateway::trouble::Trouble;
use crate::policy::budget::{Budget, shown};
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::spend::{Tight, Which};

/// May one more request be paid for?
///
/// # Errors
/// A budget is spent.
pub(super) fn check(live: &Live, story: &mut Story) -> Result<(), Trouble> {
    let now = clock::millis();
    let Some(tight) = live.health.tight(&live.config().usage, now) else { return Ok(()) };
    story.warns_of_budget(tight.share());
    match tight.budget {
        Budget::Spent => Err(spent(&tight, now)),
        Budget::Warn(share) => {
            if live.health.warns_of(tight.which) {
                let (spent, limit) = (shown(tight.spent), shown(tight.limit));
                log::warn!(
                    "{} budget: {:.0} % spent ({spent} of {limit} USD)",
                    name(tight.which),
                    share * 100.0
                );
            }
            Ok(())
        }
        Budget::Free => Ok(()),
    }
}

fn spent(tight: &Tight, now: Millis) -> Trouble {
    let (spent, limit) = (shown(tight.spent), shown(tight.limit));
    let (until, wait) = match tight.which {
        Which::Session => ("this llmgate is started anew", None),
        Which::Day => ("midnight UTC", Some(seconds(calendar::next_day(now), now))),
    };
    let message = format!(
        "The {} budget is spent: {spent} of {limit} USD. It holds until {until}; `usage.budget` raises it.",
        name(tight.which)
    );
    Trouble::own(Fault::new(FaultKind::Budget, message).with_retry_after(wait))
}

fn name(which: Which) -> &'static str {
    match which {
        Which::Session => "session",
        Which::Day => "day",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_come_back_before_the_day_is_over() {
        let midnight = calendar::next_day(Millis(1_795_608_000_000));
        let tight = Tight { which: Which::Day, spent: 1.0, limit: 1.0, budget: Budget::Spent };
        for (left, wait) in [(1, 1), (1000, 1), (1001, 2), (10_900, 11)] {
            let trouble = spent(&tight, Millis(midnight.0 - left));
            assert_eq!(trouble.fault.retry_after, Some(wait), "{left} ms");
        }
    }
}

//! What the plan of a request would be (SPEC 5.6): made by the same code, carried out by nobody.

use crate::base::{chance, clock};
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::outgoing;
use crate::gateway::question::Asking;
use crate::gateway::trouble::Trouble;
use crate::protocol::Protocol;
use crate::route::ask::Question;
use crate::route::explain::{Explanation, NameOnly};
use crate::route::plan::Skip;
use crate::route::planning::{Moment, Purpose};
use crate::route::snapshot::Unresolved;

/// Where a name leads; `None` asks for the default.
///
/// # Errors
/// Nowhere.
pub fn of_name(live: &Live, name: Option<&str>, protocol: Protocol) -> Result<Explanation, Unresolved> {
    let (now, mut draw) = (clock::millis(), chance::share);
    let mut moment = Moment { health: &live.health, now, draw: &mut draw, purpose: Purpose::Show };
    let question = NameOnly { name, protocol };
    let plan = live.snapshot.plan(&question, &mut moment)?;
    live.snapshot.explanation(&question, None, &plan, (&live.health, now))
}

/// Where every listed name leads; patterns are no names.
pub fn of_listed(live: &Live, protocol: Protocol) -> Vec<Explanation> {
    let listed = live.config().models.iter().filter(|route| route.enabled && route.listed);
    let names = listed.filter(|route| route.alias.pattern_prefix().is_none());
    // A listed alias leads somewhere.
    names.filter_map(|route| of_name(live, Some(route.alias.as_str()), protocol).ok()).collect()
}

/// Where a request would go, refusals of its lanes among the reasons.
///
/// # Errors
/// Its name leads nowhere, or its body is no request of its protocol.
pub fn of_request(live: &Live, inbound: &Inbound) -> Result<Explanation, Trouble> {
    live.decoded(inbound)?;
    let asking = Asking { live, inbound };
    let mut plan = live.plan(inbound, Purpose::Show)?;
    for candidate in std::mem::take(&mut plan.candidates) {
        let refusal = match outgoing::prepare(live, inbound, &candidate, &[]) {
            Ok(_) => None,
            Err(trouble) => trouble.fault.refuses.map(|path| Skip::Refusal(path.to_string())),
        };
        match refusal {
            Some(why) => plan.skip(candidate, why),
            None => plan.candidates.push(candidate),
        }
    }
    let told =
        live.snapshot.explanation(&asking, Some(asking.content()), &plan, (&live.health, clock::millis()));
    told.map_err(|unresolved| Trouble::unresolved(&unresolved))
}

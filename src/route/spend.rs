//! Money spent (SPEC 7.5): by this process, and on this UTC day by all that share the state.

use crate::base::calendar;
use crate::base::clock::Millis;
use crate::config::UsageLog;
use crate::policy::breaker::SET_BACK;
use crate::policy::budget::Budget;
use crate::route::health::Health;
use crate::state::SpendEntry;

/// Money spent.
#[derive(Debug, Default)]
pub(super) struct Spend {
    session: SpendEntry,
    /// The day that the next two are of.
    day: String,
    /// By all processes, as last told by the store.
    shared: SpendEntry,
    /// By this one since then.
    untold: SpendEntry,
    /// Who was warned: the session's user, the day's.
    warned: [bool; 2],
}

/// Money spent, as it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// By this process.
    pub session: SpendEntry,
    /// On this UTC day.
    pub day: SpendEntry,
}

/// A budget that stands in the way, or is about to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tight {
    /// Which one.
    pub which: Which,
    /// USD that are spent.
    pub spent: f64,
    /// USD that may be.
    pub limit: f64,
    /// How the one stands to the other.
    pub budget: Budget,
}

/// Whose budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This process's.
    Session,
    /// This UTC day's.
    Day,
}

impl Spend {
    /// What was spent since the store was told, and on which day.
    pub(super) fn tell(&mut self) -> Option<(String, SpendEntry)> {
        let untold = std::mem::take(&mut self.untold);
        if untold == SpendEntry::default() {
            return None;
        }
        self.shared.add(untold);
        Some((self.day.clone(), untold))
    }

    /// What all processes have spent on the day that it has turned to.
    pub(super) fn adopt(&mut self, shared: SpendEntry) {
        self.shared = shared;
    }

    /// Begins a new day if one has come, and gives its name. The store may know of more that was spent
    /// on it. Threads read the clock before they get here: a time shortly before the day is nothing new.
    pub(super) fn turn(&mut self, now: Millis) -> &str {
        let day = calendar::day(now);
        if self.day != day && self.day != calendar::day(now.plus(SET_BACK)) {
            let session = self.session;
            let [warned, _] = self.warned;
            *self = Self { session, day, warned: [warned, false], ..Self::default() };
        }
        &self.day
    }

    fn add(&mut self, more: SpendEntry, now: Millis) {
        self.turn(now);
        self.session.add(more);
        self.untold.add(more);
    }

    fn spent(&mut self, now: Millis) -> Spent {
        self.turn(now);
        let mut day = self.shared;
        day.add(self.untold);
        Spent { session: self.session, day }
    }
}

impl Health {
    /// An answer was paid for; `None` when its price is not known.
    pub fn pays(&self, cost: Option<f64>, now: Millis) {
        let more = SpendEntry { usd: cost.unwrap_or(0.0), unpriced: u64::from(cost.is_none()) };
        self.with(|inner| inner.spend.add(more, now));
    }

    /// Is a warning due that this budget is nearly spent? Once for each.
    pub fn warns_of(&self, which: Which) -> bool {
        self.with(|inner| {
            let [session, day] = &mut inner.spend.warned;
            let warned = match which {
                Which::Session => session,
                Which::Day => day,
            };
            !std::mem::replace(warned, true)
        })
    }

    /// What was spent.
    pub fn spent(&self, now: Millis) -> Spent {
        self.with(|inner| inner.spend.spent(now))
    }

    /// The budget that is most in the way, if one is.
    pub fn tight(&self, limits: &UsageLog, now: Millis) -> Option<Tight> {
        if limits.session_budget.is_none() && limits.day_budget.is_none() {
            return None;
        }
        let spent = self.spent(now);
        let both = [
            (Which::Session, spent.session.usd, limits.session_budget),
            (Which::Day, spent.day.usd, limits.day_budget),
        ];
        let tight = both.into_iter().filter_map(|(which, spent, limit)| {
            let limit = limit?;
            let budget = Budget::check(spent, limit);
            (budget != Budget::Free).then_some(Tight { which, spent, limit, budget })
        });
        tight.max_by(|a, b| a.share().total_cmp(&b.share()))
    }
}

impl Tight {
    /// The share that is spent.
    pub fn share(&self) -> f64 {
        if self.limit > 0.0 { self.spent / self.limit } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Millis = Millis(1_795_608_000_000);

    fn limits(session: Option<f64>, day: Option<f64>) -> UsageLog {
        UsageLog { session_budget: session, day_budget: day, ledger: crate::config::Ledger::Off, hook: None }
    }

    #[test]
    fn the_tighter_budget_is_told() {
        let health = Health::default();
        health.pays(Some(0.85), NOON);
        health.pays(None, NOON);
        assert_eq!(health.tight(&limits(None, None), NOON), None);
        assert_eq!(health.tight(&limits(Some(2.0), Some(9.0)), NOON), None);
        let tight = health.tight(&limits(Some(1.0), Some(0.5)), NOON).unwrap();
        assert_eq!((tight.which, tight.budget), (Which::Day, Budget::Spent));
        let tight = health.tight(&limits(Some(0.5), Some(1.0)), NOON).unwrap();
        assert_eq!((tight.which, tight.budget), (Which::Session, Budget::Spent));
        let tight = health.tight(&limits(Some(1.0), None), NOON).unwrap();
        assert_eq!((tight.which, tight.budget), (Which::Session, Budget::Warn(0.85)));
        assert_eq!(health.spent(NOON).session.unpriced, 1);
    }

    #[test]
    fn a_new_day_begins_with_nothing_spent() {
        let health = Health::default();
        health.pays(Some(1.0), NOON);
        let next = NOON.plus(Duration::from_secs(24 * 3600));
        let spent = health.spent(next);
        assert_eq!((spent.day.usd, spent.session.usd), (0.0, 1.0));
    }

    #[test]
    fn who_read_the_clock_before_midnight_takes_nothing_from_the_new_day() {
        let health = Health::default();
        let midnight = calendar::next_day(NOON);
        let before = Millis(midnight.0 - 1);
        health.pays(Some(1.0), midnight);
        health.pays(Some(0.25), before);
        assert_eq!(health.spent(before).day.usd, 1.25);
        assert_eq!(health.spent(midnight).day.usd, 1.25);
        // A clock that was set back is another thing.
        assert_eq!(health.spent(NOON).day.usd, 0.0);
    }

    #[test]
    fn a_warning_is_due_once_for_each_budget_and_anew_on_a_new_day() {
        let health = Health::default();
        for (days, due) in [(0, [true, true]), (0, [false, false]), (1, [false, true])] {
            health.pays(Some(0.1), NOON.plus(Duration::from_secs(days * 24 * 3600)));
            assert_eq!([Which::Session, Which::Day].map(|which| health.warns_of(which)), due, "{days}");
        }
    }

    #[test]
    fn what_others_spend_counts_for_the_day() {
        let health = Health::default();
        health.pays(Some(1.0), NOON);
        let (_, told) = health.with(|inner| inner.spend.tell()).unwrap();
        assert_eq!(told.usd, 1.0);
        health.pays(Some(0.25), NOON);
        health.with(|inner| inner.spend.adopt(SpendEntry { usd: 5.0, unpriced: 2 }));
        assert_eq!(health.spent(NOON).day, SpendEntry { usd: 5.25, unpriced: 2 });
        assert!(health.with(|inner| inner.spend.tell()).is_some_and(|(_, told)| told.usd == 0.25));
        assert!(health.with(|inner| inner.spend.tell()).is_none());
    }
}

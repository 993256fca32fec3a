//! In what order the targets of one priority are tried (SPEC 5.4).
//!
//! Round robin and the weighted strategies remember something from request to request: a
//! [`Rotation`] for each alias. Targets come and go between requests (they cool down, are switched
//! off, do not fit), so that what is remembered hangs on a target's key, not on its place.

use crate::base::sort;
use crate::base::table::Table;

/// Order inside one priority (SPEC 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// As written.
    Ordered,
    /// Uniform.
    Random,
    /// In rotation.
    RoundRobin,
    /// Smooth weighted round robin.
    WeightedRoundRobin,
    /// The same, by remaining quota and recent failures.
    QuotaAware,
}

/// One of the targets to be ordered.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What it is remembered by; the same target has the same key in every request.
    pub key: u64,
    /// Its share as written. 0 is the last resort of the weighted strategies; the others know no
    /// weights.
    pub weight: u32,
    /// The smallest share that its buckets have left, 0.0 to 1.0.
    pub remaining: f64,
    /// Terminal failures in a row.
    pub recent_failures: u32,
}

/// What one alias remembers between requests; its priorities share it. In memory only; a copy of it
/// can be asked what would come without anything being changed.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    turn: u64,
    places: Table<u64, Place>,
}

/// What is remembered of one target.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The turn in which it was last first; 0 is never.
    last_first: u64,
    /// How much it is owed: it grows by the weight each time, who is first pays the sum of all.
    owed: f64,
}

/// Targets that are remembered although they were not there, at least.
const REMEMBERED: usize = 64;

impl Strategy {
    /// Indexes of all contenders, best first; moves the rotation on. `draw` gives numbers of 0.0..1.0.
    pub fn order(
        self,
        contenders: &[Contender],
        rotation: &mut Rotation,
        draw: &mut dyn FnMut() -> f64,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        match self {
            Self::Ordered => {}
            Self::Random => shuffle(&mut order, draw),
            Self::RoundRobin => rotation.rotate(contenders, &mut order),
            Self::WeightedRoundRobin => {
                rotation.weigh(contenders, &mut order, |contender| f64::from(contender.weight));
            }
            Self::QuotaAware => rotation.weigh(contenders, &mut order, Contender::effective_weight),
        }
        order
    }
}

impl Contender {
    /// Its weight after remaining quota and recent failures.
    pub fn effective_weight(&self) -> f64 {
        // A share that is no number counts as none.
        let remaining = if self.remaining > 0.0 { self.remaining.min(1.0) } else { 0.0 };
        let trust = (1.0 / (1.0 + 0.5 * f64::from(self.recent_failures))).clamp(0.05, 1.0);
        f64::from(self.weight) * remaining * trust
    }
}

impl Rotation {
    /// Who was first longest ago comes first. With the same targets each time this is a rotation;
    /// one that comes back after a while takes the next turn.
    fn rotate(&mut self, contenders: &[Contender], order: &mut [usize]) {
        let last_first = |index: &usize| self.place(contenders, *index).last_first;
        sort::by_key(order, last_first);
        self.first_is(contenders, order);
    }

    /// Smooth weighted round robin: each is owed its weight more, who is owed most comes first and
    /// pays the sum. Over `sum` requests each is first exactly `weight` times.
    fn weigh(&mut self, contenders: &[Contender], order: &mut [usize], weight: impl Fn(&Contender) -> f64) {
        let weights: Vec<f64> = contenders.iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        // No more can be owed while the weights stay as they are. They fall with a quota; what was
        // owed by the old ones must not keep a target away or in front for long.
        let most = sum * contenders.len() as f64;
        for (contender, weight) in contenders.iter().zip(&weights) {
            let place = self.places.get_or_default(contender.key);
            place.owed = place.owed.clamp(-sum, most) + weight;
        }
        let rank = |index: &usize| {
            let weight = weights.get(*index).copied().unwrap_or(0.0);
            (weight > 0.0, self.place(contenders, *index).owed)
        };
        sort::by(order, |a, b| {
            let ((a_has, a_owed), (b_has, b_owed)) = (rank(a), rank(b));
            b_has.cmp(&a_has).then(b_owed.total_cmp(&a_owed))
        });
        if let Some(first) = order.first().and_then(|index| contenders.get(*index)) {
            self.places.get_or_default(first.key).owed -= sum;
        }
        self.first_is(contenders, order);
    }

    fn first_is(&mut self, contenders: &[Contender], order: &[usize]) {
        let Some(first) = order.first().and_then(|index| contenders.get(*index)) else { return };
        self.turn += 1;
        self.places.get_or_default(first.key).last_first = self.turn;
        // A pattern such as `*` makes targets of whatever names clients think of.
        if self.places.len() > REMEMBERED.max(2 * contenders.len()) {
            self.places.retain(|key, _| contenders.iter().any(|contender| contender.key == *key));
        }
    }

    fn place(&self, contenders: &[Contender], index: usize) -> Place {
        let known = contenders.get(index).and_then(|contender| self.places.get(&contender.key));
        known.copied().unwrap_or_default()
    }
}

/// Fisher and Yates: every order is as likely as any other.
fn shuffle(order: &mut [usize], draw: &mut dyn FnMut() -> f64) {
    for last in (1..order.len()).rev() {
        let chosen = (draw() * (last + 1) as f64) as usize;
        order.swap(chosen.min(last), last);
    }
}

#[cfg(test)]
mod tests;

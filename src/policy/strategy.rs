//! In what order the targets of one priority are tried (SPEC 5.4).
//!
//! Round robin and the weighted strategies remember something from request to request: a
//! [`Rotation`] for each alias. Targets come and go between requests (they cool down, are switched
//! off, do not fit), so that what is remembered hangs on a target's key, not on its place.

use std::collections::HashMap;

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

/// What one alias remembers between requests. In memory only; a copy of it can be asked what would
/// come without anything being changed.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    turn: u64,
    places: HashMap<u64, Place>,
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
    /// Indexes of all contenders, best first. `draw` gives numbers of 0.0..1.0.
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
        order.sort_by_key(last_first);
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
            let place = self.places.entry(contender.key).or_default();
            place.owed = place.owed.clamp(-sum, most) + weight;
        }
        let rank = |index: &usize| {
            let weight = weights.get(*index).copied().unwrap_or(0.0);
            (weight > 0.0, self.place(contenders, *index).owed)
        };
        order.sort_by(|a, b| {
            let ((a_has, a_owed), (b_has, b_owed)) = (rank(a), rank(b));
            b_has.cmp(&a_has).then(b_owed.total_cmp(&a_owed))
        });
        if let Some(first) = order.first().and_then(|index| contenders.get(*index)) {
            self.places.entry(first.key).or_default().owed -= sum;
        }
        self.first_is(contenders, order);
    }

    fn first_is(&mut self, contenders: &[Contender], order: &[usize]) {
        let Some(first) = order.first().and_then(|index| contenders.get(*index)) else { return };
        self.turn += 1;
        self.places.entry(first.key).or_default().last_first = self.turn;
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
mod tests {
    use super::*;
    use crate::policy::draw::Draw;

    fn contender(key: u64, weight: u32) -> Contender {
        Contender { key, weight, remaining: 1.0, recent_failures: 0 }
    }

    /// The keys of contenders in the order that a strategy gives.
    fn keys(strategy: Strategy, contenders: &[Contender], rotation: &mut Rotation) -> Vec<u64> {
        let order = strategy.order(contenders, rotation, &mut || 0.0);
        order.into_iter().map(|index| contenders[index].key).collect()
    }

    /// The firsts of so many requests.
    fn firsts(strategy: Strategy, contenders: &[Contender], requests: usize) -> Vec<u64> {
        let mut rotation = Rotation::default();
        (0..requests).map(|_| keys(strategy, contenders, &mut rotation)[0]).collect()
    }

    #[test]
    fn every_order_names_every_contender_once() {
        let mut draw = Draw::seeded(7);
        let strategies = [
            Strategy::Ordered,
            Strategy::Random,
            Strategy::RoundRobin,
            Strategy::WeightedRoundRobin,
            Strategy::QuotaAware,
        ];
        let mut rotation = Rotation::default();
        for _ in 0..2000 {
            let count = draw.below(6);
            let contenders: Vec<Contender> = (0..count)
                .map(|_| Contender {
                    key: draw.below(200),
                    weight: draw.below(4) as u32,
                    remaining: if draw.below(9) == 0 { f64::NAN } else { draw.share() },
                    recent_failures: draw.below(40) as u32,
                })
                .collect();
            let strategy = strategies[draw.below(5) as usize];
            let mut order = strategy.order(&contenders, &mut rotation, &mut || draw.share());
            order.sort_unstable();
            assert_eq!(order, (0..count as usize).collect::<Vec<_>>());
            assert!(rotation.places.len() <= REMEMBERED + 6, "{}", rotation.places.len());
        }
    }

    #[test]
    fn ordered_is_as_written() {
        let three = [contender(3, 0), contender(1, 9), contender(2, 1)];
        assert_eq!(keys(Strategy::Ordered, &three, &mut Rotation::default()), [3, 1, 2]);
    }

    #[test]
    fn random_is_uniform() {
        let three = [contender(0, 1), contender(1, 1), contender(2, 9)];
        let mut draw = Draw::seeded(1);
        let mut counts = HashMap::new();
        for _ in 0..6000 {
            let order = Strategy::Random.order(&three, &mut Rotation::default(), &mut || draw.share());
            *counts.entry(order).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_draw_of_one_does_no_harm() {
        let order = Strategy::Random.order(&[contender(0, 1); 3], &mut Rotation::default(), &mut || 1.0);
        assert_eq!(order, [0, 1, 2]);
    }

    #[test]
    fn round_robin_rotates_and_outlives_an_absence() {
        let (a, b, c) = (contender(1, 1), contender(2, 1), contender(3, 1));
        let mut rotation = Rotation::default();
        let mut next = |contenders: &[Contender]| keys(Strategy::RoundRobin, contenders, &mut rotation);
        assert_eq!(next(&[a, b, c]), [1, 2, 3]);
        assert_eq!(next(&[a, b, c]), [2, 3, 1]);
        assert_eq!(next(&[a, b, c]), [3, 1, 2]);
        assert_eq!(next(&[a, c]), [1, 3]);
        assert_eq!(next(&[a, c]), [3, 1]);
        assert_eq!(next(&[a, b, c]), [2, 1, 3]);
        assert_eq!(next(&[a, b, c]), [1, 3, 2]);
    }

    #[test]
    fn weighted_round_robin_is_smooth() {
        let three = [contender(1, 5), contender(2, 1), contender(3, 1)];
        assert_eq!(firsts(Strategy::WeightedRoundRobin, &three, 7), [1, 1, 2, 1, 3, 1, 1]);
    }

    #[test]
    fn weighted_round_robin_is_exact_over_a_period() {
        for seed in 0..300 {
            let mut draw = Draw::seeded(seed);
            let count = 1 + draw.below(7);
            let contenders: Vec<Contender> =
                (0..count).map(|key| contender(key, 1 + draw.below(30) as u32)).collect();
            let sum: u32 = contenders.iter().map(|contender| contender.weight).sum();
            for strategy in [Strategy::WeightedRoundRobin, Strategy::QuotaAware] {
                let served = firsts(strategy, &contenders, 2 * sum as usize);
                for period in served.chunks(sum as usize) {
                    for contender in &contenders {
                        let times = period.iter().filter(|key| **key == contender.key).count();
                        assert_eq!(times, contender.weight as usize, "seed {seed}: {contenders:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_rest_follows_by_what_it_is_owed() {
        let three = [contender(1, 1), contender(2, 3), contender(3, 2)];
        let mut rotation = Rotation::default();
        assert_eq!(keys(Strategy::WeightedRoundRobin, &three, &mut rotation), [2, 3, 1]);
        // Owed now: 1 + 1, -3 + 3, 2 + 2.
        assert_eq!(keys(Strategy::WeightedRoundRobin, &three, &mut rotation), [3, 1, 2]);
    }

    #[test]
    fn no_weight_is_the_last_resort() {
        let with = [contender(1, 0), contender(2, 1), contender(3, 0)];
        for strategy in [Strategy::WeightedRoundRobin, Strategy::QuotaAware] {
            let mut rotation = Rotation::default();
            for _ in 0..50 {
                assert_eq!(keys(strategy, &with, &mut rotation), [2, 1, 3]);
            }
            let none = [contender(1, 0), contender(3, 0)];
            assert_eq!(keys(strategy, &none, &mut rotation), [1, 3]);
        }
    }

    #[test]
    fn quota_and_failures_lower_a_weight() {
        let weight = |weight, remaining, recent_failures| {
            Contender { key: 0, weight, remaining, recent_failures }.effective_weight()
        };
        assert_eq!(weight(4, 1.0, 0), 4.0);
        assert_eq!(weight(4, 0.25, 0), 1.0);
        assert_eq!(weight(4, 1.0, 2), 2.0);
        assert_eq!(weight(4, 0.5, 6), 0.5);
        assert_eq!(weight(100, 1.0, 1000), 5.0);
        assert_eq!(weight(4, 3.0, 0), 4.0);
        assert_eq!(weight(4, f64::NAN, 0), 0.0);
    }

    #[test]
    fn a_target_that_recovers_is_not_kept_away() {
        let mut rotation = Rotation::default();
        let mut both = [contender(1, 1000), contender(2, 1)];
        for _ in 0..10 {
            keys(Strategy::QuotaAware, &both, &mut rotation);
        }
        both[0].remaining = 0.001;
        let first = keys(Strategy::QuotaAware, &both, &mut rotation);
        assert_eq!(first, [2, 1]);
        let served: Vec<u64> = (0..4).map(|_| keys(Strategy::QuotaAware, &both, &mut rotation)[0]).collect();
        assert!(served.contains(&1) && served.contains(&2), "{served:?}");
    }
}

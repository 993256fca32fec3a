//! The six strategies, and what a rotation remembers.

use std::collections::HashMap;

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
    // Who was first before it was absent does not jump the queue.
    assert_eq!(next(&[b, c]), [3, 2]);
    assert_eq!(next(&[a, b, c]), [2, 1, 3]);
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

//! How what several processes know becomes one.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2026-11-18T10:55:30Z.
const NOW: Millis = Millis(1_794_999_330_000);

fn target(name: &str) -> TargetId {
    TargetId::parse(name).unwrap()
}

fn bucket() -> BucketId {
    BucketId { owner: Owner::Provider(ProviderName::parse("a").unwrap()), name: "per/minute".to_owned() }
}

fn counted(start: Millis, requests: u64, tokens: u64) -> Delta {
    let entry = BucketEntry { start, end: start.plus(HOUR), requests, tokens };
    let mut delta = Delta::default();
    delta.0.buckets.insert(bucket(), entry);
    delta
}

fn spent(usd: f64, unpriced: u64) -> Delta {
    let mut delta = Delta::default();
    delta.0.spend.insert("2026-11-18".to_owned(), SpendEntry { usd, unpriced });
    delta
}

fn rests(class: Class, until: Millis, at: Millis) -> Delta {
    let mut delta = Delta::default();
    delta.0.cooldowns.insert(target("a/x"), CooldownEntry { class, until, at });
    delta
}

fn broke(open_until: Option<Millis>, at: Millis) -> Delta {
    let entry = BreakerEntry { failures: 0, in_a_row: 5, open_until, cooldown_ms: 30_000, at };
    let mut delta = Delta::default();
    delta.0.breakers.insert(target("a/x"), entry);
    delta
}

fn learnt(factor: f64, at: Millis) -> Delta {
    let mut delta = Delta::default();
    delta.0.factors.insert(target("a/x"), FactorEntry { factor, at });
    delta
}

/// What is known after these, in this order.
fn merged(deltas: &[Delta]) -> Shared {
    let mut shared = Shared::default();
    for delta in deltas {
        shared.merge(delta);
    }
    shared
}

#[test]
fn counts_add_up_inside_one_window() {
    let later = NOW.plus(HOUR);
    let shared = merged(&[counted(NOW, 1, 100), counted(NOW, 2, 50), spent(0.5, 0), spent(0.25, 3)]);
    assert_eq!(shared.buckets.get(&bucket()).unwrap().counts(), Counts { requests: 3, tokens: 150 });
    assert_eq!(*shared.spend.get("2026-11-18").unwrap(), SpendEntry { usd: 0.75, unpriced: 3 });
    let shared = merged(&[counted(NOW, 9, 900), counted(later, 1, 10), counted(NOW, 7, 700)]);
    assert_eq!(shared.buckets.get(&bucket()).unwrap().counts(), Counts { requests: 1, tokens: 10 });
}

#[test]
fn of_everything_else_the_newest_is_right() {
    let (early, late) = (NOW, Millis(NOW.0 + 1));
    let shut = broke(Some(NOW.plus(HOUR)), late);
    for deltas in [[shut.clone(), broke(None, early)], [broke(None, early), shut.clone()]] {
        assert_eq!(merged(&deltas).breakers, shut.0.breakers);
    }
    let quota = rests(Class::Quota, NOW.plus(HOUR), late);
    let limit = rests(Class::RateLimit, NOW.plus(HOUR), early);
    assert_eq!(merged(&[quota.clone(), limit]).cooldowns, quota.0.cooldowns);
    assert_eq!(merged(&[learnt(1.5, late), learnt(0.7, early)]), learnt(1.5, late).0);
    // At the same time, what was told last.
    assert_eq!(merged(&[learnt(1.5, late), learnt(0.7, late)]), learnt(0.7, late).0);
}

#[test]
fn what_must_not_be_shared_is_not() {
    assert_eq!(merged(&[rests(Class::Auth, NOW.plus(HOUR), NOW)]), Shared::default());
    assert_eq!(merged(&[learnt(f64::NAN, NOW)]), Shared::default());
    assert_eq!(merged(&[spent(f64::INFINITY, 1)]), spent(0.0, 1).0);
}

#[test]
fn a_delta_that_was_not_taken_grows() {
    let mut kept = Delta::default();
    assert!(kept.is_empty());
    for later in [counted(NOW, 1, 100), spent(0.5, 1), learnt(1.1, NOW), counted(NOW, 1, 1)] {
        kept.append(&later);
    }
    assert!(!kept.is_empty());
    let at_once = merged(&[counted(NOW, 2, 101), spent(0.5, 1), learnt(1.1, NOW)]);
    assert_eq!(merged(&[kept]), at_once);
}

#[test]
fn entries_go_when_they_are_old_and_no_more_in_force() {
    let old = Millis(NOW.0 - 2 * 24 * 3_600_000);
    let check = |delta: Delta, stays: bool| {
        let mut shared = merged(std::slice::from_ref(&delta));
        shared.expire(NOW, DAY);
        assert_eq!(shared == delta.0, stays, "{delta:?}");
    };
    check(learnt(1.0, NOW), true);
    check(learnt(1.0, old), false);
    check(broke(None, old), false);
    check(broke(Some(NOW.plus(HOUR)), old), true);
    check(broke(Some(old), NOW), true);
    check(rests(Class::Quota, NOW.plus(HOUR), old), true);
    check(rests(Class::Quota, old, old), false);
    check(rests(Class::Quota, old, NOW), true);
    // A month's bucket that was not used for some days is still that month's.
    let month = BucketEntry { start: old, end: NOW.plus(HOUR), requests: 1, tokens: 1 };
    check(Delta(Shared { buckets: [(bucket(), month)].into_iter().collect(), ..Shared::default() }), true);
    check(counted(old, 1, 1), false);
    check(spent(1.0, 0), true);
    let days = ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"];
    let spend = days.map(|day| (day.to_owned(), SpendEntry::default())).into_iter().collect();
    let mut shared = Shared { spend, ..Shared::default() };
    shared.expire(NOW, DAY);
    assert_eq!(shared.spend.iter().map(|(day, _)| day).collect::<Vec<_>>(), ["2026-11-17", "2026-11-18"]);
}

#[test]
fn what_is_dated_ahead_comes_from_a_clock_that_was_set_back() {
    let ahead = NOW.plus(HOUR);
    let news = [learnt(1.0, ahead), broke(None, ahead), counted(ahead, 1, 1)];
    let mut shared = merged(&news);
    shared.expire(NOW, DAY);
    assert_eq!(shared, Shared::default());
}

#[test]
fn a_breaker_is_told_and_understood() {
    let memory = Memory {
        failures: 2,
        in_a_row: 3,
        open_until: Some(NOW),
        cooldown: Duration::from_secs(60),
        at: NOW,
    };
    assert_eq!(Memory::from(BreakerEntry::from(memory)), memory);
}

#[test]
fn memory_keeps_what_it_is_told() {
    let store = MemoryStore::new(DAY);
    store.exchange(&counted(NOW, 1, 10), NOW).unwrap();
    let shared = store.exchange(&counted(NOW, 1, 10), NOW).unwrap();
    assert_eq!(shared.buckets.get(&bucket()).unwrap().counts(), Counts { requests: 2, tokens: 20 });
    assert_eq!(store.exchange(&Delta::default(), NOW.plus(HOUR)).unwrap(), Shared::default());
}

#[test]
fn a_client_key_is_written_as_its_place() {
    for (owner, text) in
        [(bucket().owner, "a/per/minute"), (Owner::Key(12), "client_auth.keys[12]/per/minute")]
    {
        let id = BucketId { owner, ..bucket() };
        assert_eq!(id.to_string(), text);
        assert_eq!(BucketId::parse(text), Some(id));
    }
    for text in
        ["client_auth.keys[]/m", "client_auth.keys[-1]/m", "client_auth.keys[1/m", "client_auth.keys/m", "a"]
    {
        assert!(BucketId::parse(text).is_none(), "{text}");
    }
}

#[test]
fn of_many_targets_the_newest_are_kept() {
    let mut delta = Delta::default();
    for number in 0..MOST_TARGETS + 10 {
        let at = Millis(NOW.0 - number as u64);
        let entry = CooldownEntry { class: Class::NotFound, until: at.plus(HOUR), at };
        delta.0.cooldowns.insert(target(&format!("a/{number}")), entry);
        delta.0.factors.insert(target(&format!("a/{number}")), FactorEntry { factor: 1.5, at });
    }
    let mut shared = Shared::default();
    shared.renew(&delta, NOW, DAY);
    assert_eq!((shared.cooldowns.len(), shared.factors.len()), (MOST_TARGETS, MOST_TARGETS));
    assert!(shared.cooldowns.contains_key(&target("a/0")));
}

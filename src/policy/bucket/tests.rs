//! Buckets: the rules of SPEC 7.4 one by one, then against a plain model at random.

use super::*;
use crate::policy::draw::Draw;

const MINUTE: Window = Window { count: 1, unit: WindowUnit::Minute };
const LIMIT: Limit = Limit { requests: Some(3), tokens: Some(100), window: MINUTE };
/// 2026-11-18T10:55:30Z, a Wednesday.
const NOW: Millis = Millis(1_794_999_330_000);
const TURN: Millis = Millis(1_794_999_360_000);

fn counts(requests: u64, tokens: u64) -> Counts {
    Counts { requests, tokens }
}

#[test]
fn a_window_holds_so_many_requests() {
    let mut bucket = Bucket::default();
    let limit = Limit { tokens: None, ..LIMIT };
    for _ in 0..3 {
        let reservation = bucket.reserve(NOW, &limit, 1_000_000).unwrap();
        bucket.settle(reservation, None);
    }
    let full = Exhausted { metric: Metric::Requests, limit: 3, remaining: 0, resets_at: TURN };
    assert_eq!(bucket.room(NOW, &limit, 0), Err(full));
    assert_eq!(bucket.reserve(NOW, &limit, 0), Err(full));
    assert_eq!(bucket.room(TURN, &limit, 0), Ok(()));
}

#[test]
fn a_window_holds_so_many_tokens() {
    let mut bucket = Bucket::default();
    let first = bucket.reserve(NOW, &LIMIT, 60).unwrap();
    let full = Exhausted { metric: Metric::Tokens, limit: 100, remaining: 40, resets_at: TURN };
    assert_eq!(bucket.reserve(NOW, &LIMIT, 41), Err(full));
    let second = bucket.reserve(NOW, &LIMIT, 40).unwrap();
    assert_eq!(bucket.taken(NOW, &LIMIT), counts(2, 100));
    bucket.settle(first, Some(10));
    bucket.settle(second, Some(70));
    assert_eq!(bucket.taken(NOW, &LIMIT), counts(2, 80));
    assert_eq!(bucket.room(NOW, &LIMIT, 20), Ok(()));
}

#[test]
fn an_empty_window_lets_one_large_request_pass() {
    let mut bucket = Bucket::default();
    let large = bucket.reserve(NOW, &LIMIT, 5000).unwrap();
    assert!(bucket.reserve(NOW, &LIMIT, 1).is_err());
    // A 5xx gives the tokens back, so that the request may be tried again.
    bucket.release(large, Refund::TokensOnly);
    assert_eq!(bucket.taken(NOW, &LIMIT), counts(1, 0));
    let again = bucket.reserve(NOW, &LIMIT, 5000).unwrap();
    bucket.settle(again, Some(4000));
    let full = Exhausted { metric: Metric::Tokens, limit: 100, remaining: 0, resets_at: TURN };
    assert_eq!(bucket.room(NOW, &LIMIT, 1), Err(full));
    assert_eq!(bucket.remaining_share(NOW, &LIMIT), 0.0);
    assert_eq!(bucket.remaining_share(TURN, &LIMIT), 1.0);
}

#[test]
fn what_did_not_reach_its_target_is_given_back() {
    let mut bucket = Bucket::default();
    let reservation = bucket.reserve(NOW, &LIMIT, 30).unwrap();
    bucket.release(reservation, Refund::RequestAndTokens);
    assert_eq!((bucket.taken(NOW, &LIMIT), bucket.tell(MINUTE)), (counts(0, 0), None));
}

#[test]
fn a_settlement_of_an_old_window_is_left_alone() {
    let mut bucket = Bucket::default();
    let old = bucket.reserve(NOW, &LIMIT, 30).unwrap();
    let new = bucket.reserve(TURN, &LIMIT, 20).unwrap();
    bucket.settle(old, Some(90));
    assert_eq!(bucket.taken(TURN, &LIMIT), counts(1, 20));
    bucket.settle(new, None);
    assert_eq!(bucket.taken(TURN, &LIMIT), counts(1, 20));
}

#[test]
fn a_thread_that_read_the_clock_early_does_not_turn_the_window_back() {
    let mut bucket = Bucket::default();
    for _ in 0..3 {
        let reservation = bucket.reserve(TURN, &LIMIT, 1).unwrap();
        bucket.settle(reservation, None);
    }
    assert!(bucket.reserve(Millis(TURN.0 - 1), &LIMIT, 1).is_err());
    // An hour earlier the clock was set back.
    assert!(bucket.reserve(Millis(TURN.0 - 3_600_000), &LIMIT, 1).is_ok());
}

#[test]
fn the_smallest_share_counts() {
    let mut bucket = Bucket::default();
    let reservation = bucket.reserve(NOW, &Limit { requests: Some(4), ..LIMIT }, 40).unwrap();
    assert_eq!(bucket.remaining_share(NOW, &Limit { requests: Some(4), ..LIMIT }), 0.6);
    assert_eq!(bucket.remaining_share(NOW, &Limit { requests: Some(2), ..LIMIT }), 0.5);
    assert_eq!(bucket.remaining_share(NOW, &Limit { requests: None, tokens: None, ..LIMIT }), 1.0);
    bucket.release(reservation, Refund::RequestAndTokens);
}

#[test]
fn processes_that_exchange_counts_add_up() {
    let (mut a, mut b, mut shared) = (Bucket::default(), Bucket::default(), counts(0, 0));
    let mut exchange = |bucket: &mut Bucket| {
        if let Some((span, told)) = bucket.tell(MINUTE) {
            assert_eq!(span, MINUTE.around(NOW));
            shared.add(told);
        }
        let late = bucket.reserve(NOW, &LIMIT, 5).unwrap();
        bucket.adopt(MINUTE.around(NOW).start, shared, NOW, MINUTE);
        bucket.release(late, Refund::RequestAndTokens);
    };
    for (bucket, tokens) in [(&mut a, 10), (&mut b, 20)] {
        let reservation = bucket.reserve(NOW, &LIMIT, tokens).unwrap();
        bucket.settle(reservation, None);
        exchange(bucket);
    }
    exchange(&mut a);
    assert_eq!((a.taken(NOW, &LIMIT), b.taken(NOW, &LIMIT)), (counts(2, 30), counts(2, 30)));
    // The shared state was lost, or is of another window.
    a.adopt(MINUTE.around(NOW).start, counts(0, 0), NOW, MINUTE);
    a.adopt(TURN, counts(9, 9), NOW, MINUTE);
    assert_eq!(a.taken(NOW, &LIMIT), counts(2, 30));
}

#[test]
fn what_is_used_while_counts_are_exchanged_is_not_lost() {
    let mut bucket = Bucket::default();
    let start = MINUTE.around(NOW).start;
    for _ in 0..2 {
        let told = bucket.tell(MINUTE);
        let reservation = bucket.reserve(NOW, &LIMIT, 10).unwrap();
        bucket.settle(reservation, None);
        if let Some((_, mut total)) = told {
            total.add(counts(1, 20));
            bucket.adopt(start, total, NOW, MINUTE);
        }
    }
    assert_eq!(bucket.taken(NOW, &LIMIT), counts(3, 40));
}

#[test]
fn windows_are_aligned() {
    let around = |count, unit, at| {
        let span = Window { count, unit }.around(at);
        assert!(span.start <= at && at < span.end, "{span:?}");
        (span.start.0 / 1000, span.end.0 / 1000)
    };
    assert_eq!(around(1, WindowUnit::Second, NOW), (1_794_999_330, 1_794_999_331));
    assert_eq!(around(1, WindowUnit::Minute, NOW), (1_794_999_300, 1_794_999_360));
    assert_eq!(around(5, WindowUnit::Hour, NOW), (1_794_996_000, 1_795_014_000));
    assert_eq!(around(1, WindowUnit::Day, NOW), (1_794_960_000, 1_795_046_400));
    // Monday 2026-11-16 to Monday 2026-11-23.
    assert_eq!(around(1, WindowUnit::Week, NOW), (1_794_787_200, 1_795_392_000));
    // 2026-11-01 to 2026-12-01; October to December.
    assert_eq!(around(1, WindowUnit::Month, NOW), (1_793_491_200, 1_796_083_200));
    assert_eq!(around(3, WindowUnit::Month, NOW), (1_790_812_800, 1_798_761_600));
}

#[test]
fn one_window_ends_where_the_next_begins() {
    let units = [
        WindowUnit::Second,
        WindowUnit::Minute,
        WindowUnit::Hour,
        WindowUnit::Day,
        WindowUnit::Week,
        WindowUnit::Month,
    ];
    let mut draw = Draw::seeded(3);
    for _ in 0..5000 {
        let window = Window { count: 1 + draw.below(9) as u32, unit: units[draw.below(6) as usize] };
        // From 1980 on, so that no window reaches back to 1970.
        let at = Millis(315_532_800_000 + draw.below(1 << 31) * 997);
        let span = window.around(at);
        assert_eq!(window.around(span.end).start, span.end, "{window:?} {at:?}");
        assert_eq!(window.around(Millis(span.end.0 - 1)), span, "{window:?} {at:?}");
        assert_eq!(window.around(span.start), span, "{window:?} {at:?}");
    }
    let largest = Window { count: u32::MAX, unit: WindowUnit::Week };
    assert!(largest.around(NOW).end > NOW);
    assert!(Window { unit: WindowUnit::Month, ..largest }.around(NOW).end > NOW);
}

/// What a bucket should hold, told plainly.
#[derive(Default)]
struct Model {
    start: Millis,
    used: Counts,
    reserved: Counts,
}

/// Ends a reservation in one of the four ways; what should be used by it.
fn end(bucket: &mut Bucket, reservation: Reservation, estimate: u64, draw: &mut Draw) -> Counts {
    match draw.below(4) {
        0 => {
            bucket.settle(reservation, None);
            counts(1, estimate)
        }
        1 => {
            let actual = draw.below(200);
            bucket.settle(reservation, Some(actual));
            counts(1, actual)
        }
        2 => {
            bucket.release(reservation, Refund::TokensOnly);
            counts(1, 0)
        }
        _ => {
            bucket.release(reservation, Refund::RequestAndTokens);
            counts(0, 0)
        }
    }
}

#[test]
fn a_window_is_never_oversold() {
    for seed in 0..300 {
        let mut draw = Draw::seeded(seed);
        let metric = |draw: &mut Draw, most| (draw.below(4) > 0).then(|| 1 + draw.below(most));
        let limit = Limit { requests: metric(&mut draw, 8), tokens: metric(&mut draw, 200), window: MINUTE };
        let (mut bucket, mut model) = (Bucket::default(), Model::default());
        let (mut now, mut flying) = (NOW, Vec::new());
        for _ in 0..200 {
            now = Millis(now.0 + draw.below(4000));
            let start = MINUTE.around(now).start;
            if start != model.start {
                model = Model { start, ..Model::default() };
            }
            if draw.below(2) == 0 {
                let tokens = draw.below(120);
                let (requests, spent) = (
                    model.used.requests + model.reserved.requests,
                    model.used.tokens + model.reserved.tokens,
                );
                let fits = limit.requests.is_none_or(|most| requests < most)
                    && limit.tokens.is_none_or(|most| spent == 0 || spent + tokens.max(1) <= most);
                assert_eq!(bucket.room(now, &limit, tokens).is_ok(), fits, "seed {seed}");
                if let Ok(reservation) = bucket.reserve(now, &limit, tokens) {
                    assert!(fits, "seed {seed}");
                    model.reserved.add(counts(1, tokens));
                    flying.push((reservation, tokens, start));
                }
            } else if !flying.is_empty() {
                let chosen = draw.below(flying.len() as u64) as usize;
                let (reservation, estimate, of) = flying.swap_remove(chosen);
                let used = end(&mut bucket, reservation, estimate, &mut draw);
                if of == model.start {
                    model.reserved.requests -= 1;
                    model.reserved.tokens -= estimate;
                    model.used.add(used);
                }
            }
            let taken = bucket.taken(now, &limit);
            let expected = counts(
                model.used.requests + model.reserved.requests,
                model.used.tokens + model.reserved.tokens,
            );
            assert_eq!(taken, expected, "seed {seed}");
            assert!(limit.requests.is_none_or(|most| taken.requests <= most), "seed {seed}");
        }
    }
}

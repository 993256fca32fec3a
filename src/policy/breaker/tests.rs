//! The breaker, walked along its drawing, then driven at random and by many threads.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::policy::draw::Draw;

const SETTINGS: Settings = Settings {
    threshold: 3,
    window: Duration::from_secs(60),
    cooldown: Duration::from_secs(30),
    max_cooldown: Duration::from_secs(100),
};

fn at(seconds: u64) -> Millis {
    Millis(1_700_000_000_000 + seconds * 1000)
}

#[track_caller]
fn pass(breaker: &mut Breaker, now: u64) -> Ticket {
    match breaker.permit(at(now)) {
        Permit::Pass(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn probe(breaker: &mut Breaker, now: u64) -> Ticket {
    match breaker.permit(at(now)) {
        Permit::Probe(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// One request that meets a failure, while the breaker is closed.
#[track_caller]
fn fail(breaker: &mut Breaker, now: u64) -> Change {
    let ticket = pass(breaker, now);
    breaker.record(ticket, Signal::Failure, at(now), &SETTINGS)
}

/// Open since second 0, until second 30.
fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    assert_eq!(fail(&mut breaker, 0), Change::None);
    assert_eq!(fail(&mut breaker, 0), Change::None);
    assert_eq!(fail(&mut breaker, 0), Change::Opened { until: at(30) });
    breaker
}

#[test]
fn failures_inside_the_window_open_it() {
    let mut breaker = opened();
    assert_eq!(breaker.peek(at(29)), CircuitState::Open { until: at(30) });
    assert_eq!(breaker.permit(at(29)), Permit::Refuse { until: at(30) });
    assert_eq!(breaker.peek(at(30)), CircuitState::HalfOpen);
}

#[test]
fn the_probe_succeeds_when_its_answer_begins_and_fails_later_like_any_other() {
    let mut breaker = opened();
    let mut ticket = probe(&mut breaker, 30);
    assert_eq!(breaker.permit(at(30)), Permit::Refuse { until: at(30) });
    assert_eq!(breaker.answers(&mut ticket, at(31)), Change::Closed);
    assert_eq!(breaker.answers(&mut ticket, at(32)), Change::None);
    let other = pass(&mut breaker, 32);
    assert_eq!(breaker.record(ticket, Signal::Failure, at(33), &SETTINGS), Change::None);
    assert_eq!((breaker.failures_in_a_row(), breaker.failures(at(33), &SETTINGS)), (1, 1));
    assert_eq!(breaker.record(other, Signal::Success, at(34), &SETTINGS), Change::None);
}

#[test]
fn an_answer_that_begins_says_nothing_of_a_breaker_that_opened_since() {
    let mut breaker = Breaker::default();
    let mut early = pass(&mut breaker, 0);
    for _ in 0..SETTINGS.threshold {
        fail(&mut breaker, 0);
    }
    assert_eq!(breaker.answers(&mut early, at(1)), Change::None);
    assert_eq!(breaker.peek(at(1)), CircuitState::Open { until: at(30) });
    let probe = probe(&mut breaker, 30);
    assert_eq!(breaker.answers(&mut early, at(30)), Change::None);
    assert_eq!(breaker.record(probe, Signal::Success, at(31), &SETTINGS), Change::Closed);
}

#[test]
fn failures_that_lie_apart_do_not() {
    let mut breaker = Breaker::default();
    for now in [0, 10, 60, 80, 120, 180] {
        assert_eq!(fail(&mut breaker, now), Change::None, "{now}");
    }
    assert_eq!(breaker.failures(at(180), &SETTINGS), 1);
    assert_eq!(breaker.failures_in_a_row(), 6);
}

#[test]
fn a_success_ends_the_row_but_forgives_nothing() {
    let mut breaker = Breaker::default();
    fail(&mut breaker, 0);
    fail(&mut breaker, 1);
    let ticket = pass(&mut breaker, 2);
    assert_eq!(breaker.record(ticket, Signal::Success, at(2), &SETTINGS), Change::None);
    assert_eq!((breaker.failures_in_a_row(), breaker.failures(at(2), &SETTINGS)), (0, 2));
    assert_eq!(fail(&mut breaker, 3), Change::Opened { until: at(33) });
}

#[test]
fn a_good_probe_closes_it_and_a_bad_one_doubles_the_cooldown() {
    let mut breaker = opened();
    let (mut now, mut expected) = (30, [60, 100, 100].into_iter());
    for cooldown in &mut expected {
        let ticket = probe(&mut breaker, now);
        let change = breaker.record(ticket, Signal::Failure, at(now), &SETTINGS);
        now += cooldown;
        assert_eq!(change, Change::Opened { until: at(now) });
    }
    let ticket = probe(&mut breaker, now);
    assert_eq!(breaker.record(ticket, Signal::Success, at(now), &SETTINGS), Change::Closed);
    assert_eq!(breaker.failures(at(now), &SETTINGS), 0);
    for _ in 0..2 {
        fail(&mut breaker, now);
    }
    assert_eq!(fail(&mut breaker, now), Change::Opened { until: at(now + 30) });
}

#[test]
fn a_released_probe_can_be_had_again() {
    let mut breaker = opened();
    let ticket = probe(&mut breaker, 40);
    assert_eq!(breaker.permit(at(41)), Permit::Refuse { until: at(41) });
    assert_eq!(breaker.peek(at(41)), CircuitState::HalfOpen);
    assert_eq!(breaker.record(ticket, Signal::Release, at(42), &SETTINGS), Change::None);
    assert_eq!(breaker.refusal(at(42)), None);
    assert!(matches!(breaker.permit(at(42)), Permit::Probe(_)));
}

#[test]
fn a_request_from_before_tells_nothing_new() {
    let mut breaker = Breaker::default();
    let [first, second, third] = [(); 3].map(|()| pass(&mut breaker, 0));
    for _ in 0..3 {
        fail(&mut breaker, 0);
    }
    assert_eq!(breaker.record(first, Signal::Success, at(1), &SETTINGS), Change::None);
    assert_eq!(breaker.peek(at(1)), CircuitState::Open { until: at(30) });
    let ticket = probe(&mut breaker, 30);
    assert_eq!(breaker.record(second, Signal::Release, at(31), &SETTINGS), Change::None);
    assert_eq!(breaker.record(third, Signal::Failure, at(31), &SETTINGS), Change::None);
    assert_eq!(breaker.permit(at(31)), Permit::Refuse { until: at(31) });
    assert_eq!(breaker.record(ticket, Signal::Success, at(32), &SETTINGS), Change::Closed);
}

#[test]
fn a_threshold_of_zero_never_opens() {
    let (mut breaker, never) = (Breaker::default(), Settings { threshold: 0, ..SETTINGS });
    for now in 0..100 {
        let ticket = pass(&mut breaker, now);
        assert_eq!(breaker.record(ticket, Signal::Failure, at(now), &never), Change::None);
    }
    breaker.adopt(&Memory { open_until: Some(at(900)), at: at(200), ..Memory::default() }, &never);
    assert_eq!(breaker.peek(at(200)), CircuitState::Closed);
}

#[test]
fn a_thread_that_read_the_clock_early_is_no_probe() {
    let mut breaker = opened();
    assert_eq!(breaker.permit(Millis(at(0).0 - 1)), Permit::Refuse { until: at(30) });
}

#[test]
fn a_clock_that_was_set_back_ends_the_cooldown() {
    let mut breaker = opened();
    let early = Millis(1000);
    assert_eq!(breaker.peek(early), CircuitState::HalfOpen);
    assert!(matches!(breaker.permit(early), Permit::Probe(_)));
}

#[test]
fn failures_of_a_clock_that_was_set_back_count_no_more() {
    let mut breaker = Breaker::default();
    fail(&mut breaker, 3600);
    fail(&mut breaker, 3600);
    // A thread that read the clock a little before is no clock that was set back.
    assert_eq!(breaker.failures(at(3590), &SETTINGS), 2);
    assert_eq!(breaker.failures(at(0), &SETTINGS), 0);
    assert_eq!(fail(&mut breaker, 0), Change::None);
    assert_eq!(breaker.failures(at(0), &SETTINGS), 1);
}

#[test]
fn what_another_process_knows_is_adopted_when_it_is_newer() {
    let mut ours = Breaker::default();
    fail(&mut ours, 10);
    let theirs = opened().memory();
    assert_eq!((theirs.open_until, theirs.at), (Some(at(30)), at(0)));
    ours.adopt(&theirs, &SETTINGS);
    assert_eq!(ours.peek(at(10)), CircuitState::Closed);
    ours.adopt(&Memory { at: at(11), ..theirs }, &SETTINGS);
    assert_eq!(ours.peek(at(11)), CircuitState::Open { until: at(30) });
    let memory = ours.memory();
    ours.adopt(&memory, &SETTINGS);
    assert_eq!(ours.memory(), memory);

    let ticket = probe(&mut ours, 30);
    ours.adopt(&Memory { at: at(31), ..theirs }, &SETTINGS);
    assert_eq!(ours.record(ticket, Signal::Success, at(32), &SETTINGS), Change::Closed);

    ours.adopt(&Memory { failures: 9, at: at(40), ..Memory::default() }, &SETTINGS);
    assert_eq!(ours.peek(at(40)), CircuitState::Closed);
    assert_eq!(fail(&mut ours, 41), Change::Opened { until: at(71) });
}

#[test]
fn there_is_never_more_than_one_probe_whatever_happens() {
    for seed in 0..500 {
        let mut draw = Draw::seeded(seed);
        let (mut breaker, mut now) = (Breaker::default(), 0);
        let (mut passed, mut probes) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            now += draw.below(25);
            match draw.below(7) {
                0..=2 => match breaker.permit(at(now)) {
                    Permit::Pass(ticket) => passed.push(ticket),
                    Permit::Probe(ticket) => probes.push(ticket),
                    Permit::Refuse { until } => assert!(until >= at(now)),
                },
                3 => {
                    let state = (breaker.peek(at(now)), breaker.refusal(at(now)));
                    assert_eq!(state, (breaker.peek(at(now)), breaker.refusal(at(now))));
                    let open_until = draw.below(2) == 0;
                    let open_until = open_until.then(|| at(now + draw.below(50)));
                    let theirs = Memory { open_until, at: at(now), ..Memory::default() };
                    breaker.adopt(&theirs, &SETTINGS);
                }
                4 => passed.extend(probes.pop().map(|mut ticket| {
                    assert_eq!(breaker.answers(&mut ticket, at(now)), Change::Closed);
                    ticket
                })),
                kind => {
                    let from = if kind == 5 { &mut passed } else { &mut probes };
                    let signals = [Signal::Success, Signal::Failure, Signal::Release];
                    let signal = signals[draw.below(3) as usize];
                    if !from.is_empty() {
                        let ticket = from.swap_remove(draw.below(from.len() as u64) as usize);
                        breaker.record(ticket, signal, at(now), &SETTINGS);
                    }
                }
            }
            assert!(probes.len() <= 1, "seed {seed}");
        }
    }
}

#[test]
fn threads_share_one_probe() {
    let (breaker, out) = (Mutex::new(opened()), AtomicU32::new(0));
    let work = || {
        let mut probes = 0;
        for _ in 0..2000 {
            let permit = breaker.lock().permit(at(1000));
            let Permit::Probe(ticket) = permit else { continue };
            assert_eq!(out.fetch_add(1, Ordering::SeqCst), 0);
            std::thread::yield_now();
            out.fetch_sub(1, Ordering::SeqCst);
            breaker.lock().record(ticket, Signal::Release, at(1000), &SETTINGS);
            probes += 1;
        }
        probes
    };
    let probes: u32 = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(work));
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert!(probes > 0);
}

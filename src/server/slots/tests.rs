use std::sync::mpsc;
use std::thread;

use super::*;

/// Somebody who waits for a slot: where it gets it, and tells when it has it.
fn waiter(slots: &Slots, got: &mpsc::Sender<usize>, number: usize) -> thread::JoinHandle<()> {
    let (slots, got) = (slots.clone(), got.clone());
    let before = slots.queued();
    let there = slots.clone();
    let thread = thread::spawn(move || {
        let slot = slots.take(|| true).unwrap();
        got.send(number).unwrap();
        drop(slot);
    });
    while there.queued() == before {
        thread::yield_now();
    }
    thread
}

#[test]
fn slots_are_given_in_order_of_arrival() {
    let slots = Slots::new(1, 8);
    let first = slots.take(|| true).ok().unwrap();
    let (got, order) = mpsc::channel();
    let threads: Vec<_> = (0..5).map(|n| waiter(&slots, &got, n)).collect();
    assert_eq!((slots.in_flight(), slots.queued()), (1, 5));
    drop(first);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((slots.in_flight(), slots.queued()), (0, 0));
}

#[test]
fn a_full_queue_is_busy_and_a_client_that_left_gives_up_its_place() {
    let slots = Slots::new(1, 0);
    let held = slots.take(|| true).ok().unwrap();
    assert_eq!(slots.take(|| true).err(), Some(Refuse::Busy));
    slots.resize(1, 1);
    assert_eq!(slots.take(|| false).err(), Some(Refuse::Gone));
    assert_eq!((slots.in_flight(), slots.queued()), (1, 0));
    drop(held);
    assert!(slots.take(|| unreachable!("a slot is free")).is_ok());
}

#[test]
fn a_panic_loses_no_slot() {
    let slots = Slots::new(1, 4);
    let theirs = slots.clone();
    let died = thread::spawn(move || {
        let _slot = theirs.take(|| true).ok().unwrap();
        panic!("on purpose");
    });
    assert!(died.join().is_err());
    assert_eq!(slots.in_flight(), 0);

    // One who panics while it is asked, with the slot handed over meanwhile.
    let held = slots.take(|| true).ok().unwrap();
    let held = Mutex::new(Some(held));
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        slots.take(|| {
            drop(held.lock().take());
            panic!("on purpose");
        })
    }));
    assert!(asked.is_err());
    assert_eq!((slots.in_flight(), slots.queued()), (0, 0));
}

#[test]
fn a_reload_lets_those_who_wait_in_and_a_stop_sends_them_away() {
    let slots = Slots::new(1, 8);
    let held = slots.take(|| true).ok().unwrap();
    let (got, order) = mpsc::channel();
    let in_line = waiter(&slots, &got, 7);
    slots.resize(2, 8);
    assert_eq!(order.recv(), Ok(7));
    in_line.join().unwrap();

    slots.resize(1, 8);
    let theirs = slots.clone();
    let turned_away = thread::spawn(move || theirs.take(|| true).err());
    while slots.queued() == 0 {
        thread::yield_now();
    }
    slots.stop();
    assert_eq!(turned_away.join().unwrap(), Some(Refuse::Stopping));
    assert_eq!(slots.take(|| true).err(), Some(Refuse::Stopping));
    drop(held);
    assert_eq!((slots.in_flight(), slots.queued()), (0, 0));
}

#[test]
fn a_crowd_leaks_nothing_and_never_exceeds_the_limit() {
    let slots = Slots::new(3, 1000);
    let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let crowd: Vec<_> = (0..16)
        .map(|number| {
            let (slots, running) = (slots.clone(), Arc::clone(&running));
            thread::spawn(move || {
                for round in 0..200 {
                    let patient = (number + round) % 5 != 0;
                    let Ok(slot) = slots.take(|| patient) else {
                        continue;
                    };
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(slot);
                }
            })
        })
        .collect();
    for thread in crowd {
        thread.join().unwrap();
    }
    assert_eq!((slots.in_flight(), slots.queued()), (0, 0));
}

/// One client, as it goes through the gate.
enum Client {
    Outside,
    Waits(Place),
    Holds(Slot),
    Away,
}

/// What the gate must do: a plain queue.
#[derive(Default)]
struct Model {
    taken: Vec<usize>,
    waiting: VecDeque<usize>,
}

impl Model {
    fn leaves(&mut self, client: usize) {
        self.waiting.retain(|other| *other != client);
        if self.taken.contains(&client) {
            self.taken.retain(|other| *other != client);
            self.taken.extend(self.waiting.pop_front());
        }
    }
}

/// Lets the clients do one step after the other, as the row of choices says (the first where it ends);
/// how many there were to choose from at each step.
fn play(requests: usize, queue: usize, choices: &[usize]) -> Vec<usize> {
    let slots = Slots::new(requests, queue);
    let mut clients = [Client::Outside, Client::Outside, Client::Outside];
    let (mut model, mut counts) = (Model::default(), Vec::new());
    loop {
        let mut steps = Vec::new();
        for (number, client) in clients.iter().enumerate() {
            match client {
                Client::Outside | Client::Holds(_) => steps.push((number, false)),
                Client::Waits(place) => {
                    assert_eq!(place.is_granted(), model.taken.contains(&number), "{choices:?}");
                    steps.push((number, true));
                    if place.is_granted() {
                        steps.push((number, false));
                    }
                }
                Client::Away => {}
            }
        }
        if steps.is_empty() {
            assert_eq!((slots.in_flight(), slots.queued()), (0, 0), "{choices:?}");
            return counts;
        }
        let (number, gives_up) = steps[choices.get(counts.len()).copied().unwrap_or(0)];
        counts.push(steps.len());
        clients[number] = match std::mem::replace(&mut clients[number], Client::Away) {
            Client::Outside => match slots.arrive() {
                Ok(Turn::Now(slot)) => {
                    model.taken.push(number);
                    Client::Holds(slot)
                }
                Ok(Turn::Later(place)) => {
                    model.waiting.push_back(number);
                    Client::Waits(place)
                }
                Err(refuse) => {
                    assert_eq!((refuse, model.waiting.len()), (Refuse::Busy, queue), "{choices:?}");
                    Client::Away
                }
            },
            Client::Waits(place) if gives_up => {
                drop(place);
                model.leaves(number);
                Client::Away
            }
            Client::Waits(place) => Client::Holds(place.into_slot(slots.0.state.lock())),
            Client::Holds(slot) => {
                drop(slot);
                model.leaves(number);
                Client::Away
            }
            Client::Away => Client::Away,
        };
        let seen = (slots.in_flight(), slots.queued());
        assert_eq!(seen, (model.taken.len(), model.waiting.len()), "{choices:?}");
        assert!(seen.0 <= requests && (seen.0 == requests || seen.1 == 0), "{choices:?}: {seen:?}");
    }
}

#[test]
fn every_order_of_steps_keeps_the_queue() {
    let mut played = 0;
    for (requests, queue) in [(1, 0), (1, 1), (1, 2), (2, 1)] {
        let mut choices: Vec<usize> = Vec::new();
        loop {
            let counts = play(requests, queue, &choices);
            choices.resize(counts.len(), 0);
            played += 1;
            // The last choice that has another one left; those behind it begin anew.
            let Some(last) = (0..counts.len()).rev().find(|at| choices[*at] + 1 < counts[*at]) else { break };
            choices.truncate(last + 1);
            choices[last] += 1;
        }
    }
    assert!(played > 400, "{played}");
}

//! Machines that share state through a real redis server, which is killed, comes back with its data
//! or without it, and whose answers are lost. What the proxies make of it is in
//! `gateway/memory.rs`, too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::unbounded;
use llmgate::base::clock::{self, Millis};
use llmgate::base::secret::Secret;
use llmgate::protocol::Protocol;
use llmgate::state::{BucketEntry, BucketId, Delta, Outbox, RedisStore, Shared, StoreError};

use crate::support::GUARD;
use crate::support::duo::{ask, config, in_turn, provider};
use crate::support::lane::{UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::Proxy;
use crate::support::redis::{Fault, Redis};

const DAY: Duration = Duration::from_secs(24 * 3600);
const KEY: &str = "llmgate:state";

/// One machine: its store, and what it has to tell.
struct Machine {
    store: RedisStore,
    outbox: Outbox,
    /// When its window began: a test's all in one.
    start: Millis,
}

impl Machine {
    fn new(url: Secret, start: Millis) -> Self {
        Self { store: RedisStore::new(url, DAY), outbox: Outbox::default(), start }
    }

    /// Counts so many requests, and exchanges. What takes too long is done again, as in life: the
    /// tests do not depend on how busy this machine is.
    fn tells(&mut self, requests: u64) -> Result<Shared, StoreError> {
        let begin = clock::now();
        let mut news = counted(self.start, requests);
        loop {
            let done = self.outbox.exchange(&news, &self.store, clock::millis());
            match done {
                Err(error) if is_late(&error) && begin.elapsed() < GUARD => news = Delta::default(),
                done => return done,
            }
        }
    }

    /// As many are known then.
    #[track_caller]
    fn knows(&mut self, more: u64, all: u64) {
        let shared = self.tells(more).unwrap();
        assert_eq!(shared.buckets.get(&bucket()).map_or(0, |bucket| bucket.requests), all);
    }

    #[track_caller]
    fn fails(&mut self, more: u64) -> String {
        self.tells(more).unwrap_err().to_string()
    }
}

fn is_late(error: &StoreError) -> bool {
    matches!(error, StoreError::Busy) || error.to_string().contains("no answer in")
}

fn bucket() -> BucketId {
    BucketId::parse("a/minute").unwrap()
}

fn counted(start: Millis, requests: u64) -> Delta {
    let mut delta = Delta::default();
    let entry = BucketEntry { start, end: start.plus(DAY), requests, tokens: 0 };
    if requests > 0 {
        delta.0.buckets.insert(bucket(), entry);
    }
    delta
}

fn machines<const COUNT: usize>(redis: &Redis) -> [Machine; COUNT] {
    let start = clock::millis();
    [(); COUNT].map(|()| Machine::new(redis.url(), start))
}

/// What somebody else does there.
fn other(redis: &Redis) -> ::redis::Connection {
    ::redis::Client::open(redis.url().expose()).unwrap().get_connection().unwrap()
}

#[test]
fn machines_see_what_all_have_done() {
    let redis = Redis::start("all");
    let [mut a, mut b, mut c] = machines(&redis);
    a.knows(0, 0);
    a.knows(1, 1);
    b.knows(1, 2);
    b.knows(2, 4);
    a.knows(0, 4);
    c.knows(0, 4);
}

#[test]
fn many_at_once_lose_no_count() {
    let redis = Redis::start("many");
    let machines: [Machine; 6] = machines(&redis);
    std::thread::scope(|scope| {
        for mut machine in machines {
            scope.spawn(move || {
                for _ in 0..30 {
                    machine.tells(1).unwrap();
                }
            });
        }
    });
    let [mut last] = self::machines(&redis);
    last.knows(0, 180);
}

#[test]
fn what_is_lost_on_the_way_counts_once() {
    let redis = Redis::start("lost");
    let [mut a, mut b] = machines(&redis);
    b.knows(1, 1);
    let mut all = 1;
    for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
        // On its first connection, and on one that has stood for a while.
        for is_old in [false, true] {
            a = Machine::new(redis.url(), a.start);
            if is_old {
                a.knows(1, all + 1);
                all += 1;
            }
            redis.fault(fault);
            if is_old {
                // It is given again at once.
                a.knows(10, all + 10);
            } else {
                a.fails(10);
                b.knows(0, if fault == Fault::LoseAnswer { all + 10 } else { all });
                a.knows(100, all + 110);
                all += 100;
            }
            all += 10;
            b.knows(0, all);
        }
    }
}

#[test]
fn a_server_that_is_killed_comes_back_with_all_that_was_told_and_told_meanwhile() {
    for fault in [Fault::None, Fault::LoseAnswer, Fault::LoseRequest] {
        let mut redis = Redis::durable(&format!("killed-{fault:?}"));
        let [mut a, mut b] = machines(&redis);
        b.knows(1, 1);
        redis.fault(fault);
        let mut all = 3;
        if fault == Fault::None {
            a.knows(2, 3);
        } else {
            // A first connection: nothing is tried twice.
            a.fails(2);
        }
        redis.kill();
        for _ in 0..3 {
            a.fails(10);
            b.fails(100);
            all += 110;
        }
        redis.restart();
        a.tells(1000).unwrap();
        b.knows(10_000, all + 11_000);
        a.knows(0, all + 11_000);
    }
}

#[test]
fn a_server_that_comes_back_empty_is_given_what_was_known() {
    let mut redis = Redis::start("empty");
    let [mut a, mut b, mut late] = machines(&redis);
    a.knows(1, 1);
    b.knows(2, 3);
    a.knows(0, 3);
    redis.kill();
    a.fails(10);
    b.fails(20);
    redis.restart();
    // Who has nothing to say brings what it knows, too.
    redis.kill();
    redis.restart();
    late.knows(0, 0);
    a.knows(0, 13);
    b.knows(0, 33);
    late.knows(100, 133);
    a.knows(0, 133);
    redis.restart();
    b.knows(0, 33);
    a.knows(0, 33);
    late.knows(1, 34);
}

#[test]
fn a_lost_answer_counts_once_in_what_others_brought_back() {
    let mut redis = Redis::start("brought");
    let [mut a, mut b] = machines(&redis);
    b.knows(1, 1);
    redis.fault(Fault::LoseAnswer);
    let start = a.start;
    a.fails(10);
    // The other has seen it; it brings back the count and that it was taken.
    b.knows(0, 11);
    redis.restart();
    b.knows(0, 11);
    a.knows(0, 11);
    // Nobody has seen it: it went with the server, and comes again.
    let [mut a, mut b] = [(); 2].map(|()| Machine::new(redis.url_with("", "/1"), start));
    b.knows(1, 1);
    redis.fault(Fault::LoseAnswer);
    a.fails(10);
    redis.restart();
    b.knows(0, 1);
    a.knows(0, 11);
}

#[test]
fn who_deletes_the_value_wants_to_begin_anew() {
    let redis = Redis::start("deleted");
    let [mut a, mut b] = machines(&redis);
    a.knows(5, 5);
    b.knows(0, 5);
    let _: () = ::redis::cmd("DEL").arg(KEY).query(&mut other(&redis)).unwrap();
    a.knows(0, 0);
    b.knows(1, 1);
}

#[test]
fn a_connection_that_was_cut_is_made_again_at_once() {
    let redis = Redis::start("cut");
    let [mut a] = machines(&redis);
    a.knows(1, 1);
    redis.cut();
    a.knows(1, 2);
}

#[test]
fn what_is_no_state_is_set_aside() {
    let redis = Redis::start("broken");
    let [mut a] = machines(&redis);
    let mut other = other(&redis);
    for (text, all) in [("{\"version\":1,\"state\":{", 1), ("[\"not\",\"ours\"]", 1), ("{}", 1)] {
        let _: () = ::redis::cmd("SET").arg(KEY).arg(text).query(&mut other).unwrap();
        a.knows(0, 0);
        a.knows(1, all);
        let bad: String = ::redis::cmd("GET").arg("llmgate:state.bad").query(&mut other).unwrap();
        assert_eq!(bad, text);
    }
    let newer = "{\"version\":2,\"whatever\":[]}";
    let _: () = ::redis::cmd("SET").arg(KEY).arg(newer).query(&mut other).unwrap();
    let told = a.fails(1);
    assert!(told.contains("llmgate:state has version 2, this llmgate knows 1"), "{told}");
    let text: String = ::redis::cmd("GET").arg(KEY).query(&mut other).unwrap();
    assert_eq!(text, newer);
    let _: () = ::redis::cmd("DEL").arg(KEY).query(&mut other).unwrap();
    a.knows(0, 1);
}

#[test]
fn a_password_opens_and_is_never_told() {
    let redis = Redis::with("password", &["--requirepass", "hush@hush"]);
    let start = clock::millis();
    let machine = |login: &str, database: &str| Machine::new(redis.url_with(login, database), start);
    machine(":hush%40hush@", "").knows(1, 1);
    machine("default:hush%40hush@", "/0").knows(1, 2);
    machine(":hush%40hush@", "/3").knows(1, 1);
    for (login, why) in [
        ("", "NOAUTH"),
        (":wrong-wrong@", "authentication failed"),
        ("x:wrong-wrong@", "authentication failed"),
    ] {
        let told = machine(login, "").fails(1);
        assert!(told.contains(why) && !told.contains("wrong-wrong"), "{told}");
    }
    let told = machine(":hush%40hush@", "/99").fails(1);
    assert!(told.contains("database") && !told.contains("hush"), "{told}");
}

#[test]
fn trouble_is_told_with_the_server_and_the_reason() {
    let redis = Redis::start("told");
    let [mut a] = machines(&redis);
    let now = clock::millis();
    let off = now.plus(Duration::from_secs(300));
    let told = a.outbox.exchange(&counted(now, 1), &a.store, off).unwrap_err().to_string();
    let server = redis.url().expose().replace("redis://", "");
    assert!(told.starts_with(&format!("redis at {server}: the clock of this machine is ")), "{told}");
    redis.fault(Fault::Silence);
    let told = a.outbox.exchange(&counted(now, 1), &a.store, clock::millis()).unwrap_err().to_string();
    assert_eq!(told, format!("redis at {server}: no answer in 1s; state is not shared meanwhile"));
    redis.fault(Fault::None);
    a.knows(0, 2);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = Machine::new(Secret::new(&format!("redis://{free}")), now).fails(1);
    assert!(told.starts_with(&format!("redis at {free}: ")) && told.contains("refused"), "{told}");
}

/// Does something at its end, however it comes.
struct Ends<F: Fn()>(F);

impl<F: Fn()> Drop for Ends<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_server_that_never_answers_stands_in_nobodys_way() {
    let client = lane(Protocol::OpenaiChat);
    let redis = Redis::start("silent");
    redis.fault(Fault::Silence);
    let up = Provider::with(Reply::json(200, &client.pong(UPSTREAM)));
    let state = format!("state: {{store: redis, url: \"{}\"}}", redis.url().expose());
    let proxy =
        Proxy::start(&config(&state, &[provider("a", client, &up.url(), "")], &in_turn(&["a/up-model-1"])));
    assert_eq!(ask(&proxy, client, false, &[]).status(), 200);
    proxy.ends();
}

#[test]
fn requests_go_on_while_the_server_is_away_and_all_are_counted() {
    let client = lane(Protocol::OpenaiChat);
    let mut redis = Redis::durable("load");
    let ups = [(); 2].map(|()| Provider::start());
    let start = |up: &Provider| {
        let more = "buckets: [{name: minute, requests: 1000000, window: 1mo}], \
                    models: {up-model-1: {price: {input: 1000000, output: 0}}}";
        let state = format!("state: {{store: redis, url: \"{}\"}}", redis.url().expose());
        Proxy::start(&config(&state, &[provider("a", client, &up.url(), more)], &in_turn(&["a/up-model-1"])))
    };
    let proxies = ups.each_ref().map(start);
    let stops = AtomicBool::new(false);
    let stop = || stops.store(true, Ordering::Relaxed);
    let (tell, answered) = unbounded();
    let asked: u64 = std::thread::scope(|scope| {
        let loads = [0, 1].map(|at| {
            let (up, proxy, tell, stops) = (&ups[at], &proxies[at], tell.clone(), &stops);
            scope.spawn(move || {
                let mut asked = 0;
                while !stops.load(Ordering::Relaxed) {
                    up.will(Reply::json(200, &client.pong(UPSTREAM)));
                    let answer = ask(proxy, client, false, &[]);
                    assert_eq!(answer.status(), 200, "{}", answer.text());
                    asked += 1;
                    tell.send(()).unwrap();
                }
                asked
            })
        });
        // A failure ends the load, too.
        let load = Ends(stop);
        let some = || (0..50).for_each(|_| answered.recv_timeout(GUARD).unwrap());
        let [mut watcher] = machines(&redis);
        let mut known = || {
            let shared = watcher.tells(0).unwrap();
            shared.buckets.get(&bucket()).map_or(0, |bucket| bucket.requests)
        };
        // Until both have told something.
        while known() < 50 {
            some();
        }
        redis.kill();
        // Both have noticed, and answer nevertheless.
        (0..4).for_each(|_| redis.turned_away());
        while answered.try_recv().is_ok() {}
        some();
        redis.restart();
        let before = known();
        while known() == before {
            some();
        }
        drop(load);
        loads.into_iter().map(|load| load.join().unwrap()).sum()
    });
    for proxy in proxies {
        proxy.ends();
    }
    let [mut last] = machines(&redis);
    let shared = last.tells(0).unwrap();
    assert_eq!(shared.buckets.get(&bucket()).unwrap().requests, asked);
    let spent: f64 = shared.spend.iter().map(|(_, spent)| spent.usd).sum();
    // Nine tokens at a dollar each.
    assert_eq!(spent, 9.0 * asked as f64);
}

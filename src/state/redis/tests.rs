//! What a value becomes, without a server. With one: `tests/it/redis.rs`.

use super::*;
use crate::state::SpendEntry;

const NOW: Millis = Millis(1_794_999_330_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn spent(usd: f64) -> Delta {
    let mut delta = Delta::default();
    delta.0.spend.insert("2026-11-18".to_owned(), SpendEntry { usd, unpriced: 0 });
    delta
}

fn store(url: &str) -> RedisStore {
    RedisStore::new(Secret::new(url), DAY)
}

#[test]
fn what_has_the_same_number_is_taken_once() {
    let mut content = Content::default();
    let (one, two) = (spent(1.0), spent(2.0));
    let parcel = |process, number, delta| Parcel { process, number, delta, now: NOW };
    for (parcel, is_taken, usd) in [
        (parcel("a", 1, &one), true, 1.0),
        (parcel("a", 1, &one), false, 1.0),
        (parcel("b", 1, &one), true, 2.0),
        (parcel("a", 2, &two), true, 4.0),
        (parcel("a", 2, &two), false, 4.0),
        (parcel("a", 3, &Delta::default()), false, 4.0),
        (parcel("a", 3, &one), true, 5.0),
    ] {
        assert_eq!(content.take(&parcel), is_taken);
        assert_eq!(content.state, spent(usd).0);
        // What is written is read again.
        let bytes = pen::written(&content).into_bytes();
        assert_eq!(known(&bytes).unwrap(), (Some(content.clone()), None));
    }
}

#[test]
fn numbers_outlive_short_state_and_go_in_the_end() {
    let mut content = Content::default();
    content.take(&Parcel { process: "a", number: 1, delta: &spent(1.0), now: NOW });
    content.expire(NOW.plus(DAY), Duration::from_secs(1));
    assert_eq!((content.state.spend.len(), content.taken.len()), (0, 1));
    content.expire(NOW.plus(REMEMBERED), Duration::from_secs(1));
    assert!(content.taken.is_empty());
}

#[test]
fn a_value_is_state_or_something_else() {
    assert_eq!(known(b"").unwrap(), (None, None));
    let (content, why) = known(b"[1]").unwrap();
    assert!(content.is_none() && why.is_some());
    let newer = unfit(known(br#"{"version":2,"whatever":[]}"#).unwrap_err());
    assert!(newer.contains("llmgate:state has version 2, this llmgate knows 1"), "{newer}");
    // What a later llmgate added does no harm.
    let (content, _) = known(br#"{"version":1,"by":"x","state":{"moods":{}},"taken":{}}"#).unwrap();
    assert!(content.is_some());
}

#[track_caller]
fn unfit(trouble: Trouble) -> String {
    match trouble {
        Trouble::Unfit(said) => said,
        other => panic!("{other:?}"),
    }
}

#[test]
fn clocks_agree_or_are_told() {
    let second = |number: u64| Millis(NOW.0 + 1000 * number);
    check_clock(second(30), NOW).unwrap();
    check_clock(NOW, second(30)).unwrap();
    let told = unfit(check_clock(second(90), NOW).unwrap_err());
    assert_eq!(told, "the clock of this machine is 90 s ahead of the server's: set the clock");
    let told = unfit(check_clock(NOW, second(31)).unwrap_err());
    assert_eq!(told, "the clock of this machine is 31 s behind the server's: set the clock");
}

#[test]
fn a_server_is_named_without_its_password() {
    for url in ["redis://h.lan:7/1", "redis://u:hush%40hush@h.lan:7", "redis://:a@h.lan:7/"] {
        assert_eq!(store(url).server(), "h.lan:7");
        let server = (redis::ErrorKind::Client, "no such thing");
        let told = store(url).refused(Trouble::Server(server.into())).to_string();
        assert!(told.starts_with("redis at h.lan:7: no such thing") && !told.contains("hush"), "{told}");
    }
    let late = left(clock::now()).unwrap_err();
    let told = store("redis://h").refused(Trouble::Server(late)).to_string();
    assert_eq!(told, "redis at h: no answer in 1s; state is not shared meanwhile");
}

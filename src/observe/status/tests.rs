use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::base::clock::Millis;
use crate::observe::tests::answered;

/// A target with these sums, well otherwise.
pub(in crate::observe) fn shown(sums: &Sums) -> Target {
    Target {
        target: sums.target.clone(),
        enabled: true,
        circuit_state: "closed",
        failures: 0,
        open_until: None,
        cooldown: None,
        buckets: Vec::new(),
        requests: sums.requests,
        errors: sums.errors,
        last_error: sums.last_error.clone(),
        first_byte_ms: sums.first_byte_ms(),
        tokens_per_s: sums.tokens_per_s(),
        tokens: sums.tokens,
        cache_hit: sums.tokens.cache_hit(),
        cost: sums.cost,
        estimate_factor: 1.0,
    }
}

fn status(stats: &Stats) -> Status {
    let look = stats.look();
    let money = || Money { spent: 0.5, unpriced: 1, limit: Some(2.0) };
    Status {
        version: "0",
        pid: 7,
        uptime_s: 3700,
        now: Millis(1_795_608_090_000),
        config: Loaded {
            source: "a.yaml".to_owned(),
            revision: 1,
            loaded_at: Millis(1),
            last_error: Some("line 1\nline 2".to_owned()),
        },
        in_flight: 0,
        queued: 0,
        session: look.session,
        budget: Budgets { session: money(), day: money() },
        targets: look.targets.iter().map(shown).collect(),
        clients: Vec::new(),
        losses: look.losses,
        running: Vec::new(),
        recent: look.recent,
    }
}

#[test]
fn a_failover_is_counted_where_it_happened() {
    let stats = Stats::default();
    let mut record = answered("p/good");
    record.attempts = 2;
    record.failures = vec![(TargetId::parse("p/bad").unwrap(), Some(Class::Auth))];
    stats.fails(&record.failures[0].0, record.failures[0].1, "p/bad refused the key.");
    assert_eq!((stats.look().targets[0].errors, stats.look().session.requests), (1, 0));
    stats.add(&record);
    let look = stats.look();
    let [bad, good] = look.targets.as_slice() else { panic!("{look:?}") };
    assert_eq!((bad.requests, bad.errors, good.requests, good.errors), (1, 1, 1, 0));
    let error = bad.last_error.as_ref().unwrap();
    assert_eq!((error.class, error.text.as_str()), ("auth", "p/bad refused the key."));
    assert!(error.next.contains("api_key"));
    assert_eq!((look.session.requests, look.session.failovers), (1, 1));
    assert_eq!((good.tokens.cache_hit(), good.cost), (Some(0.4), Some(0.25)));
    assert_eq!(good.first_byte_ms().p95, Some(300));
    // 60 tokens in the 1.5 s after the first byte.
    assert_eq!(good.tokens_per_s(), Some(40.0));
    assert_eq!((bad.cost, bad.tokens_per_s(), bad.first_byte_ms().p50), (None, None, None));
}

#[test]
fn a_client_that_left_is_no_failure() {
    let stats = Stats::default();
    let mut record = answered("p/m");
    record.outcome = Outcome::Cancelled;
    record.answered = false;
    record.failures = vec![(TargetId::parse("p/m").unwrap(), Some(Class::Gone))];
    stats.fails(&record.failures[0].0, record.failures[0].1, "The client left.");
    stats.add(&record);
    let look = stats.look();
    assert_eq!((look.targets[0].requests, look.targets[0].errors), (1, 0));
    assert!(look.targets[0].last_error.is_none());
}

#[test]
fn percentiles_are_of_the_last_answers() {
    let stats = Stats::default();
    for ms in 0..(100 + SAMPLES as u64) {
        let mut record = answered("p/m");
        record.answered_in = Some(Duration::from_millis(ms));
        stats.add(&record);
    }
    let times = stats.look().targets[0].first_byte_ms();
    // The last 64: 100 to 163.
    assert_eq!((times.p50, times.p95), (Some(131), Some(160)));
}

#[test]
fn what_clients_send_is_bounded() {
    let stats = Stats::default();
    let long = "x".repeat(100_000);
    for number in 0..500 {
        let mut record = answered(&format!("p/{number}"));
        record.asked.clone_from(&long);
        record.detail = Some(long.clone());
        record.client = Some(long.clone());
        record.session = Some(long.clone());
        record.losses = vec![format!("{number}: {long}")];
        record.target = TargetId::parse(&format!("p/{number}{long}"));
        record.attempts = 100;
        record.failures = vec![(TargetId::parse(&format!("p/{long}")).unwrap(), None); 99];
        stats.fails(&record.failures[0].0, None, &long);
        stats.add(&record);
    }
    let look = stats.look();
    assert_eq!((look.recent.0.len(), look.targets.len(), look.losses.0.len()), (100, 100, 64));
    assert_eq!(look.losses.0.iter().map(|(_, count)| count).sum::<u64>(), 500);
    let json = status(&stats).json();
    assert!(json.len() < 500_000, "{}", json.len());
}

#[test]
fn it_is_told_as_json_and_as_text() {
    let stats = Stats::default();
    let mut record = answered("p/good");
    record.asked = "a\u{1b}[31m\nb".to_owned();
    record.losses = vec!["tools[0]: dropped".to_owned()];
    record.failures = vec![(TargetId::parse("p/bad").unwrap(), Some(Class::Transient))];
    record.attempts = 2;
    stats.fails(&record.failures[0].0, record.failures[0].1, "busy\u{7}");
    stats.add(&record);
    let status = status(&stats);
    let text = status.json();
    let json: BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
    for key in [
        "version",
        "pid",
        "uptime_s",
        "config",
        "in_flight",
        "queued",
        "session",
        "budget",
        "targets",
        "losses",
        "running",
        "recent",
    ] {
        assert!(json.contains_key(key), "{key}");
    }
    assert_eq!(json["losses"].get(), r#"{"tools[0]: dropped":1}"#);
    assert!(json["recent"].get().contains(r#""in":1000,"out":60,"cached":400"#), "{text}");
    let text = status.text();
    assert!(text.lines().all(|line| !line.chars().any(char::is_control)), "{text:?}");
    for part in [
        "up 1h 1m; configuration a.yaml, revision 1",
        "NOT RELOADED: line 1; line 2",
        "session 0.5000 USD of 2.0000 and 1 answers without a price",
        "p/bad (transient) > p/good",
        "transient: busy\\u{7} -> The provider has trouble",
        "1m 30s",
        "a\\u{1b}[31m\\nb",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

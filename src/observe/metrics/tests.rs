use super::*;
use crate::base::clock::Millis;
use crate::base::id::{Alias, TargetId};
use crate::observe::record::Outcome;
use crate::observe::status::tests::shown;
use crate::observe::status::{Stats, Sums};
use crate::observe::tests::answered;
use crate::policy::class::Class;

const NOTHING: Now<'_> = Now { commit: "abc", in_flight: 2, queued: 1, targets: &[], clients: &[] };

#[test]
fn counts_and_times_are_told() {
    let metrics = Metrics::default();
    let mut record = answered("p/good");
    record.attempts = 2;
    record.failures = vec![(TargetId::parse("p/bad").unwrap(), Some(Class::Transient))];
    record.losses = vec!["a: b".to_owned(), "c: d".to_owned()];
    metrics.add(&record);
    metrics.add(&answered("p/good"));
    let page = metrics.text(&NOTHING);
    for line in [
        "llmgate_requests_total{ingress=\"anthropic\",model=\"coding\",status=\"200\"} 2",
        "llmgate_attempts_total{target=\"p/bad\",class=\"transient\"} 1",
        "llmgate_attempts_total{target=\"p/good\",class=\"ok\"} 2",
        "llmgate_failovers_total{model=\"coding\"} 1",
        "llmgate_tokens_total{target=\"p/good\",kind=\"input\"} 2000",
        "llmgate_tokens_total{target=\"p/good\",kind=\"cached\"} 800",
        "llmgate_cost_usd_total{target=\"p/good\"} 0.5",
        "llmgate_first_byte_seconds_bucket{target=\"p/good\",le=\"0.25\"} 0",
        "llmgate_first_byte_seconds_bucket{target=\"p/good\",le=\"0.5\"} 2",
        "llmgate_first_byte_seconds_bucket{target=\"p/good\",le=\"+Inf\"} 2",
        "llmgate_first_byte_seconds_count{target=\"p/good\"} 2",
        "llmgate_request_seconds_sum{target=\"p/good\"} 4",
        "llmgate_losses_total 2",
        "llmgate_in_flight 2",
        "llmgate_queued 1",
        "llmgate_build_info{version=\"0.1.0\",commit=\"abc\"} 1",
    ] {
        assert!(page.lines().any(|own| own == line), "{line} is not in\n{page}");
    }
}

#[test]
fn labels_are_escaped_and_cut() {
    let labels = text(&[("a", "x\\\"\n\u{1b}ä"), ("b", &"y".repeat(5000))]);
    assert!(labels.starts_with("a=\"x\\\\\\\"\\n?ä\",b=\"y"), "{labels}");
    assert!(labels.chars().count() < 140);
}

#[test]
fn series_are_bounded_whatever_is_asked_for() {
    let metrics = Metrics::default();
    let stats = Stats::default();
    for number in 0..2000 {
        let mut record = answered(&format!("p/model-{number}"));
        record.alias = Alias::parse(&format!("alias-{number}"));
        record.status = 200 + (number % 300) as u16;
        record.attempts = 2;
        record.failures = vec![(TargetId::parse(&format!("q/{number}")).unwrap(), Some(Class::Cut))];
        record.usage.cache_write = Some(1);
        record.usage.reasoning = Some(1);
        metrics.add(&record);
        stats.add(&record);
    }
    let targets: Vec<Target> = stats.look().targets.iter().map(shown).collect();
    let page = metrics.text(&Now { targets: &targets, ..NOTHING });
    let mut series: Vec<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    assert!(series.len() <= 500 && series.len() > 400, "{}", series.len());
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "a series is there twice");
    // Nothing is lost: the sums are those of all requests.
    let sum = |name: &str| -> f64 {
        let own = page.lines().filter(|line| line.starts_with(name));
        own.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    assert_eq!(sum("llmgate_requests_total{"), 2000.0);
    assert_eq!(sum("llmgate_attempts_total{"), 4000.0);
    assert_eq!(sum("llmgate_request_seconds_count{"), 2000.0);
    assert_eq!(sum("llmgate_tokens_total{"), 2000.0 * 1462.0);
}

#[test]
fn a_client_that_left_is_no_answer() {
    let metrics = Metrics::default();
    let mut record = answered("p/m");
    record.outcome = Outcome::Cancelled;
    record.answered = false;
    // One of the two was asked again without a parameter, which counts as neither.
    record.attempts = 2;
    record.failures = vec![(TargetId::parse("p/m").unwrap(), Some(Class::Gone))];
    metrics.add(&record);
    let page = metrics.text(&NOTHING);
    assert!(page.contains("llmgate_attempts_total{target=\"p/m\",class=\"gone\"} 1"), "{page}");
    assert!(!page.contains("class=\"ok\"") && !page.contains("llmgate_first_byte_seconds_count{"), "{page}");
}

#[test]
fn gauges_tell_circuits_and_buckets() {
    let mut target = shown(&Sums::new(&TargetId::parse("p/m").unwrap()));
    target.circuit_state = "open";
    target.buckets = vec![Bucket {
        name: "minute".to_owned(),
        metric: "tokens",
        used: 70,
        limit: 50,
        resets_at: Millis(1),
    }];
    let clients = [Client { key: "client_auth.keys[1]".to_owned(), buckets: target.buckets.clone() }];
    let page = Metrics::default().text(&Now { targets: &[target], clients: &clients, ..NOTHING });
    assert!(page.contains("llmgate_circuit_state{target=\"p/m\"} 2\n"), "{page}");
    let level = "llmgate_bucket_remaining{target=\"p/m\",bucket=\"minute\",metric=\"tokens\"} 0\n";
    assert!(page.contains(level), "{page}");
    assert!(page.contains(&level.replace("target=\"p/m\"", "client=\"client_auth.keys[1]\"")), "{page}");
}

//! What providers really write into their errors, and the class it is (SPEC 6.1).

use llmgate::base::id::TargetId;
use llmgate::base::words::Words;
use llmgate::gateway::trouble::{Report, Trouble};
use llmgate::policy::class::Class;
use llmgate::protocol::error;
use serde_json::Value;

#[test]
fn errors_of_providers_get_their_class() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/classes.json")).unwrap();
    let target = TargetId::parse("a/x").unwrap();
    let (mut faults, mut seen) = (Vec::new(), Vec::new());
    for row in &rows {
        let body = row["body"].as_str().map_or_else(|| row["body"].to_string(), str::to_owned);
        let read = error::read(&body);
        // What has no status stands inside a stream, where the message alone is searched.
        let status = row["status"].as_u64().map(|status| status as u16);
        let body = if status.is_some() { body } else { read.message.clone() };
        let status = status.or(read.status).unwrap_or(0);
        let report = Report {
            target: &target,
            status,
            retry_after: None,
            rules: &[],
            client_key: false,
            key_variable: None,
        };
        let class = Trouble::of_provider(&read, &body, &report).class.unwrap();
        let expected = Class::named(row["class"].as_str().unwrap()).unwrap();
        if class != expected {
            faults.push(format!("{}: {status} {body}\n  is {class:?}, not {expected:?}", row["provider"]));
        }
        seen.push(expected);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (name, &class) in Class::WORDS.iter().zip(Class::CHOICES) {
        // No answer of a provider makes these.
        let elsewhere =
            matches!(class, Class::Network | Class::Timeout | Class::BadUpstream | Class::Cut | Class::Gone);
        assert_ne!(seen.contains(&class), elsewhere, "{name}");
    }
}

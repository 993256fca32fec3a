//! What the readers' own tests are given.

use std::time::Duration;

use super::record::{Outcome, Record};
use crate::base::clock::Millis;
use crate::base::id::{Alias, RequestId, TargetId};
use crate::ir::response::Usage;
use crate::protocol::Protocol;

/// A streamed request of alias `coding` that `target` answered within 2 s.
pub(super) fn answered(target: &str) -> Record {
    Record {
        id: RequestId::random(),
        at: Millis(1_795_608_000_000),
        client: None,
        session: Some("session-of-somebody".to_owned()),
        ingress: Protocol::Anthropic,
        asked: "coding".to_owned(),
        target: TargetId::parse(target),
        translated: false,
        stream: true,
        status: 200,
        outcome: Outcome::Success,
        class: None,
        detail: None,
        attempts: 1,
        answered: true,
        alias: Alias::parse("coding"),
        failures: Vec::new(),
        losses: Vec::new(),
        cost: Some(0.25),
        usage: Usage { input: Some(1000), cached: Some(400), output: Some(60), ..Usage::default() },
        first_byte: Some(Duration::from_millis(500)),
        answered_in: Some(Duration::from_millis(300)),
        total: Duration::from_secs(2),
    }
}

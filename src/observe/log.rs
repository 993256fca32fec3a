//! The log line of a request (SPEC 11.1). Prompts, answers and tool arguments are never in it.

use std::fmt::Write;
use std::time::Duration;

use crate::observe::record::{Outcome, Record};
use crate::policy::budget;
use crate::policy::class::Class;

/// Writes the line: info, or error when the request failed for the client.
pub fn request(record: &Record) {
    let level = if record.outcome == Outcome::Error { log::Level::Error } else { log::Level::Info };
    if log::log_enabled!(level) {
        log::log!(level, "{}", line(record));
    }
}

fn line(record: &Record) -> String {
    let mut line = record.id.as_str().to_owned();
    let mut put = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = write!(line, " {name}={}", harmless(value));
    };
    let session: String = record.session.as_deref().unwrap_or("-").chars().take(8).collect();
    put("session", &session);
    put("ingress", record.ingress.name());
    put("model", if record.asked.is_empty() { "-" } else { &record.asked });
    put("target", &record.target.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string));
    put("lane", record.lane().unwrap_or("-"));
    put("status", &record.status.to_string());
    put("outcome", record.outcome.name());
    if let Some(class) = record.class {
        put("class", class.name());
    }
    put("attempts", &record.attempts.to_string());
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    put("in", &count(record.usage.input));
    put("out", &count(record.usage.output));
    put("cached", &count(record.usage.cached));
    put("cost", &record.cost.map_or_else(|| "?".to_owned(), budget::shown));
    put("first_byte_ms", &record.first_byte.map_or_else(|| "-".to_owned(), milliseconds));
    put("total_ms", &milliseconds(record.total));
    if !record.losses.is_empty() {
        put("losses", &record.losses.len().to_string());
    }
    if record.failures.len() > 1 || (!record.failures.is_empty() && record.outcome != Outcome::Error) {
        let failures = record.failures.iter();
        let failures =
            failures.map(|(target, class)| format!("{target}:{}", class.map_or("refused", Class::name)));
        put("failed", &failures.collect::<Vec<_>>().join(","));
    }
    if let Some(detail) = &record.detail {
        put("detail", &format!("{detail:?}"));
    }
    line
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Text of others on its way to a terminal: control characters escaped.
pub fn harmless(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_reach_no_terminal() {
        assert_eq!(harmless("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(harmless("gpt-5 ä"), "gpt-5 ä");
    }
}

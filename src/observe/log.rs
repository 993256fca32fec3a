//! The log line of a request (SPEC 11.1). Prompts, answers and tool arguments are never in it.

use std::borrow::Cow;
use std::fmt::{Arguments, Write};
use std::time::Duration;

use crate::observe::record::{Outcome, Record};
use crate::policy::budget;
use crate::policy::class::Class;

/// Who writes the lines of level `debug`. The crate `log` leaves that level out of a release, for the
/// libraries' sake (Cargo.toml); so ours are of level `info`, under this name.
pub const DETAIL: &str = "llmgate::detail";

/// So many losses of a request are told in words, as in its headers.
const TOLD_LOSSES: usize = 8;

/// Writes a line of level `debug`.
pub fn detail(line: Arguments<'_>) {
    log::info!(target: DETAIL, "{line}");
}

/// Is level `debug` written?
pub fn is_detailed() -> bool {
    log::log_enabled!(target: DETAIL, log::Level::Info)
}

/// Writes the line: info, or error when the request failed for the client. What it lost is a warning.
pub fn request(record: &Record) {
    let level = if record.outcome == Outcome::Error { log::Level::Error } else { log::Level::Info };
    if log::log_enabled!(level) {
        log::log!(level, "{}", line(record));
    }
    if let Some(lost) = lost(record) {
        log::warn!("{} lost: {lost}", record.id);
    }
}

/// What was lost, in words: a client that had its head early has no header that tells it.
fn lost(record: &Record) -> Option<String> {
    let told: Vec<&str> = record.losses.iter().take(TOLD_LOSSES).map(String::as_str).collect();
    let more = record.losses.len().saturating_sub(TOLD_LOSSES);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    (!told.is_empty()).then(|| format!("{}{more}", told.join("; ")))
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
        let failures = failures.map(|(target, class)| format!("{target}:{}", Class::name_of(*class)));
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

/// Text of others on its way to a terminal: what moves, turns round or hides text is escaped.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain || !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    text.chars().flat_map(|c| if is_harmful(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Is it a control character, one of direction, or one that nobody sees? With the last two a line
/// reads as another than it is (CVE-2021-42574).
fn is_harmful(c: char) -> bool {
    let is_unseen = matches!(c,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}');
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    c.is_control() || is_unseen || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_reach_no_terminal() {
        assert_eq!(harmless("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(harmless("gpt-5 ä 模型 نموذج"), "gpt-5 ä 模型 نموذج");
    }

    #[test]
    fn no_text_of_others_reads_as_another() {
        for c in "\u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{200f}\u{2028}\u{feff}\u{e0041}".chars() {
            let escaped = format!("a{}b", c.escape_default());
            assert_eq!(harmless(&format!("a{c}b")), escaped);
            // Where a value is shown in quotes, std does the same.
            assert_eq!(format!("{:?}", format!("a{c}b")), format!("\"{escaped}\""));
        }
    }
}

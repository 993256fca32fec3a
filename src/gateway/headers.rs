//! Which headers pass, in which direction (SPEC 8.1, 11.2).

use crate::base::clock;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::Headers;
use crate::gateway::record::Story;
use crate::upstream::Incoming;

/// Headers of a client that go upstream on the native lane. Open lists: new names pass.
const FORWARDED_PREFIXES: [&str; 7] =
    ["anthropic-", "openai-", "x-openai-", "x-codex-", "x-claude-code-", "x-stainless-", "x-session-"];
const FORWARDED: [&str; 8] = [
    "session-id",
    "thread-id",
    "x-client-request-id",
    "originator",
    "idempotency-key",
    "x-app",
    "x-goog-api-client",
    "user-agent",
];
/// Client credentials; some of them begin like what is forwarded.
const NEVER_FORWARDED: [&str; 2] = ["openai-api-key", "anthropic-api-key"];

/// May a client's header go upstream? The name is in lower case.
pub fn is_forwarded(name: &str) -> bool {
    !NEVER_FORWARDED.contains(&name)
        && (FORWARDED.contains(&name) || FORWARDED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

const RETURNED_PREFIXES: [&str; 5] = ["ratelimit-", "x-ratelimit-", "anthropic-", "openai-", "x-codex-"];
const RETURNED: [&str; 3] = ["request-id", "x-request-id", "x-should-retry"];

/// The provider's headers that a client may see; `retry-after` in whole seconds.
pub fn returned(incoming: &Incoming) -> Headers {
    let passes = |name: &str| {
        RETURNED.contains(&name) || RETURNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut headers = Headers::roomy();
    for (name, value) in incoming.headers().filter(|(name, _)| passes(name)) {
        headers.push(name.to_owned(), value);
    }
    if let Some(seconds) = retry_after(incoming) {
        headers.push("retry-after", seconds.to_string());
    }
    headers
}

/// `retry-after` (seconds or HTTP date) and `retry-after-ms`, the longer of both, in whole
/// seconds, rounded up.
pub fn retry_after(incoming: &Incoming) -> Option<u64> {
    let ceil = |seconds: f64| (seconds.is_finite() && seconds >= 0.0).then(|| seconds.ceil() as u64);
    let plain = incoming.header("retry-after").and_then(|value| match value.trim().parse::<f64>() {
        Ok(seconds) => ceil(seconds),
        Err(_) => clock::until_http_date(value, clock::wall()).map(|left| left.as_secs_f64().ceil() as u64),
    });
    let milliseconds = incoming.header("retry-after-ms").and_then(|value| value.trim().parse::<f64>().ok());
    plain.max(milliseconds.and_then(|value| ceil(value / 1000.0)))
}

/// Values of our own headers are at most this long.
const VALUE_CHARACTERS: usize = 512;

/// The headers of an answer: the provider's, then ours. What is lost is told when it is known.
pub fn of_answer(inbound: &Inbound, story: &Story, incoming: &Incoming) -> Headers {
    let mut headers = returned(incoming);
    headers.push("x-llmgate-request-id", inbound.id.as_str());
    story.tells_target(&mut headers);
    if inbound.tell_all {
        headers.push("x-llmgate-ttfb-ms", story.first_byte_ms().to_string());
    }
    headers
}

/// Tells what was lost: at most eight warnings, and how many there are beyond (SPEC 8.9).
pub fn warn(headers: &mut Headers, lost: &[String]) {
    const MOST: usize = 8;
    for warning in lost.iter().take(MOST) {
        headers.push("x-llmgate-warning", shown(warning));
    }
    if lost.len() > MOST {
        headers.push("x-llmgate-warning", format!("and {} more", lost.len() - MOST));
    }
}

/// A text of others in a header: only visible ASCII and space, else `?`.
pub fn shown(text: &str) -> String {
    let is_visible = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.len() <= VALUE_CHARACTERS && text.chars().all(is_visible) {
        return text.to_owned();
    }
    text.chars().take(VALUE_CHARACTERS).map(|c| if is_visible(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_cookies_never_go_upstream() {
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "openai-api-key",
            "anthropic-api-key",
            "cookie",
            "x-goog-api-key",
            "host",
            "connection",
            "forwarded",
            "x-forwarded-for",
            "accept-encoding",
            "x-llmgate-session",
        ] {
            assert!(!is_forwarded(name), "{name}");
        }
        for name in
            ["anthropic-beta", "openai-beta", "x-codex-new", "x-stainless-os", "user-agent", "session-id"]
        {
            assert!(is_forwarded(name), "{name}");
        }
    }

    #[test]
    fn what_others_wrote_is_made_harmless() {
        assert_eq!(shown("a\r\nx: ä"), "a??x: ?");
        assert_eq!(shown(&"x".repeat(600)).len(), 512);
    }
}

//! Several targets behind one alias: what a configuration says of them, what a client sees of them.

use crate::support::client::Answer;
use crate::support::lane::{ASKED, Lane, UPSTREAM};
use crate::support::proxy::Proxy;

/// Tries without delays, each target once.
pub(crate) const ONCE: &str = "retry: {attempts: 1, base_delay: 0s, max_delay: 0s}";
/// Nothing that a failure leaves behind.
pub(crate) const FORGETFUL: &str =
    "cooldown: {rate_limit: 0s, quota: 0s, auth: 0s, not_found: 0s}\nbreaker: {enabled: false}";

/// A provider of a configuration: its name, what it speaks, where it is.
pub(crate) fn provider(name: &str, lane: &Lane, url: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "  {name}: {{protocol: {}, base_url: \"{url}/v1\", api_key: key-of-{name}-0123456789{comma}{more}}}\n",
        lane.name
    )
}

/// A configuration of these lines at the top, providers and lines below `models:`.
pub(crate) fn config(top: &str, providers: &[String], models: &str) -> String {
    let providers = providers.concat();
    format!("version: 1\nlisten: 127.0.0.1:0\n{top}\nproviders:\n{providers}models:\n{models}\n")
}

/// The alias [`ASKED`] for `a/first` and then `b/` [`UPSTREAM`].
pub(crate) fn two(a: (&Lane, &str), b: (&Lane, &str), top: &str) -> String {
    let providers = [provider("a", a.0, a.1, ""), provider("b", b.0, b.1, "")];
    config(top, &providers, &in_turn(&["a/first", &format!("b/{UPSTREAM}")]))
}

/// The alias [`ASKED`] for targets of falling priority.
pub(crate) fn in_turn(targets: &[&str]) -> String {
    let targets = targets.iter().enumerate();
    let targets = targets.map(|(at, target)| format!("{{to: \"{target}\", priority: {}}}", at + 1));
    format!("  {ASKED}: {{targets: [{}]}}", targets.collect::<Vec<_>>().join(", "))
}

/// Asks as a client of a protocol does.
pub(crate) fn ask(proxy: &Proxy, client: &Lane, streamed: bool, headers: &[(&str, &str)]) -> Answer {
    match streamed {
        true => proxy.ask("POST", &client.stream_path(ASKED), headers, &client.streamed_ping(ASKED)),
        false => proxy.ask("POST", &client.path(ASKED), headers, &client.ping(ASKED)),
    }
}

/// Where an answer came from, after how many tries, and who was skipped why.
pub(crate) fn path(answer: &Answer) -> (&str, &str, &str) {
    let header = |name| answer.header(name).unwrap_or("-");
    (header("x-llmgate-target"), header("x-llmgate-attempts"), header("x-llmgate-skipped"))
}

//! SPEC 8.12, row by row: what is carried, what is lost with a warning, what is refused; and what
//! `compat: strict` makes of it (SPEC 8.9).

mod anthropic;
mod chat;
mod chat_tools;
mod gemini;
mod responses;

use llmgate::ir::loss::{Losses, Severity};
use llmgate::protocol::Protocol;
use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use llmgate::translate::cross::refusal;
use serde_json::{Value, json};

use crate::support::crossing;

/// What becomes of one thing.
enum Fate {
    /// It is there, and nothing is said about it.
    Carried(&'static str),
    /// Something like it is there, with a warning that names this place.
    Nearly(&'static str, &'static str),
    /// It is not there, with a warning that names this place.
    Lost(&'static str),
    /// The request is refused because of this place.
    Refused(&'static str),
    /// It is not there, and nobody misses it.
    Dropped,
}

use Fate::{Carried, Dropped, Lost, Nearly, Refused};

const PNG: &str = "iVBORw0KGgo=";
const PDF: &str = "JVBERi0xLjcK";

/// A request of a protocol with these members.
fn request(from: Protocol, more: Value) -> String {
    let mut request = match from {
        C => json!({"model": "m", "messages": [{"role": "user", "content": "ping"}]}),
        R => json!({"model": "m", "input": [{"role": "user", "content": "ping"}]}),
        A => json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "ping"}]}),
        G => json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}),
    };
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request.to_string()
}

/// The same with one piece of content.
fn saying(from: Protocol, piece: Value) -> String {
    match from {
        C => request(C, json!({"messages": [{"role": "user", "content": [piece]}]})),
        R => request(R, json!({"input": [{"role": "user", "content": [piece]}]})),
        A => request(A, json!({"messages": [{"role": "user", "content": [piece]}]})),
        G => request(G, json!({"contents": [{"role": "user", "parts": [piece]}]})),
    }
}

/// The same with a function, and with another tool beside it.
fn with_tool(from: Protocol, other: Option<Value>, more: Value) -> String {
    let schema = json!({"type": "object", "properties": {}});
    let function = match from {
        C => json!({"type": "function", "function": {"name": "f", "parameters": schema}}),
        R => json!({"type": "function", "name": "f", "parameters": schema}),
        A => json!({"name": "f", "input_schema": schema}),
        G => json!({"functionDeclarations": [{"name": "f", "parameters": schema}]}),
    };
    let mut more = more;
    more["tools"] = std::iter::once(function).chain(other).collect();
    request(from, more)
}

/// One thing that a client asks for, and its fate at each target.
type Row = (&'static str, Protocol, String, Vec<(Protocol, Fate)>);

fn rows() -> Vec<Row> {
    let all = [chat::rows(), chat_tools::rows(), responses::rows(), anthropic::rows(), gemini::rows()];
    all.into_iter().flatten().collect()
}

#[test]
fn every_row_is_true() {
    for (name, from, request, fates) in rows() {
        for (to, fate) in fates {
            let (body, losses) = crossing::carry(from, to, &request);
            let place =
                format!("{name}, {} to {}: {body}\n{}", from.name(), to.name(), crossing::lines(&losses));
            let warned = worst(&losses) == Some(Severity::Degrade);
            match fate {
                Carried(text) => assert!(body.contains(text) && !warned, "{place}"),
                Nearly(text, path) => {
                    assert!(body.contains(text) && warned && names(&losses, path), "{place}");
                }
                Lost(path) => assert!(warned && names(&losses, path), "{place}"),
                Refused(path) => {
                    let refused = refusal(&losses, false).unwrap_or_else(|| panic!("{place}"));
                    assert!(refused.path.contains(path), "{place}");
                }
                Dropped => assert!(matches!(worst(&losses), None | Some(Severity::Hint)), "{place}"),
            }
        }
    }
}

#[test]
fn strict_refuses_what_is_lost_with_a_warning_and_nothing_else() {
    for (name, from, request, fates) in rows() {
        for (to, fate) in fates {
            let (_, losses) = crossing::carry(from, to, &request);
            let place = format!("{name}, {} to {}: {}", from.name(), to.name(), crossing::lines(&losses));
            let wanted = match fate {
                Carried(_) | Dropped => (false, false),
                Nearly(..) | Lost(_) => (false, true),
                Refused(_) => (true, true),
            };
            let met = (refusal(&losses, false).is_some(), refusal(&losses, true).is_some());
            assert_eq!(met, wanted, "{place}");
        }
    }
}

fn worst(losses: &Losses) -> Option<Severity> {
    losses.iter().map(|loss| loss.severity).max()
}

fn names(losses: &Losses, path: &str) -> bool {
    losses.iter().any(|loss| loss.severity == Severity::Degrade && loss.path.contains(path))
}

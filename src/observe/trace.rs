//! What went over the wire for one request, as lines (SPEC 11.6): the trace, and the files of
//! single requests. Secrets are masked before they come here.
//!
//! Bodies are kept whole with `log.bodies`; otherwise a trace holds an excerpt of them and says so
//! by `truncated`, and a request's own file holds none.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::base::clock::Millis;
use crate::observe::ledger::Entry;
use crate::observe::record::{Outcome, Record};
use crate::protocol::excerpt;
use crate::translate::again::Recipe;

/// What went over the wire for one request.
#[derive(Debug)]
pub struct Exchange {
    /// What happened.
    pub record: Record,
    /// The client's query, without its key.
    pub query: Option<String>,
    /// What it asked.
    pub asked: Message,
    /// The calls made for it.
    pub calls: Vec<Call>,
    /// What it was told.
    pub told: Message,
}

/// One call to a target.
#[derive(Debug, Default)]
pub struct Call {
    /// Where it went.
    pub target: String,
    /// The address.
    pub url: String,
    /// What is needed to make it again.
    pub recipe: Option<Recipe>,
    /// What was sent.
    pub sent: Message,
    /// What came back.
    pub heard: Option<Message>,
}

/// One message in one direction.
#[derive(Debug, Default)]
pub struct Message {
    /// When it began.
    pub at: Millis,
    /// Its status, of answers.
    pub status: Option<u16>,
    /// `name: value`, credentials masked.
    pub headers: Vec<String>,
    /// Its body, or what was kept of it.
    pub body: Vec<u8>,
    /// Was something of the body not kept?
    pub cut: bool,
}

/// How much of the bodies is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// All.
    Whole,
    /// Texts of at most so many characters, and of a history what is new.
    Excerpt(usize),
    /// Nothing.
    None,
}

/// One line, as it is written and read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// When.
    pub ts: String,
    /// The request.
    pub id: String,
    /// `request`, `upstream_request`, `upstream_response` or `response`.
    pub phase: String,
    /// The llmgate that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The client's protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The client's query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Which call, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<usize>,
    /// Where it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The status of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's line of the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    /// `name: value` each.
    pub headers: Vec<String>,
    /// What is needed to make it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// The body; without one, none was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Is something of the body missing?
    pub truncated: bool,
}

impl Exchange {
    /// Its lines, each with its line feed.
    pub fn lines(&self, bodies: Bodies) -> Vec<u8> {
        let record = &self.record;
        let mut lines = Vec::new();
        let mut add = |line: Line| lines.extend(super::ledger::line(&line));
        add(Line {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            protocol: Some(record.ingress.name().to_owned()),
            query: self.query.clone(),
            ..self.line("request", &self.asked, bodies)
        });
        for (call, attempt) in self.calls.iter().zip(1..) {
            add(Line {
                attempt: Some(attempt),
                target: Some(call.target.clone()),
                url: Some(call.url.clone()),
                recipe: call.recipe.clone(),
                ..self.line("upstream_request", &call.sent, bodies)
            });
            if let Some(heard) = &call.heard {
                let line = self.line("upstream_response", heard, bodies);
                add(Line { attempt: Some(attempt), target: Some(call.target.clone()), ..line });
            }
        }
        // Names and numbers can always be written.
        let entry = serde_json::to_string(&Entry::of(record)).ok();
        add(Line {
            outcome: Some(outcome(record).to_owned()),
            detail: record.detail.clone(),
            record: entry.and_then(|entry| RawValue::from_string(entry).ok()),
            ..self.line("response", &self.told, bodies)
        });
        lines
    }

    fn line(&self, phase: &str, message: &Message, bodies: Bodies) -> Line {
        let text = || String::from_utf8_lossy(&message.body);
        let (body, cut) = match bodies {
            Bodies::None => (None, false),
            Bodies::Whole => (Some(text().into_owned()), false),
            Bodies::Excerpt(most) => {
                let (body, cut) = excerpt::of(&text(), most);
                (Some(body), cut)
            }
        };
        Line {
            ts: message.at.rfc3339(),
            id: self.record.id.as_str().to_owned(),
            phase: phase.to_owned(),
            status: message.status,
            headers: message.headers.clone(),
            truncated: body.is_some() && (cut || message.cut),
            body,
            ..Line::default()
        }
    }

    /// About how many bytes it holds.
    pub fn size(&self) -> usize {
        let calls = self
            .calls
            .iter()
            .map(|call| call.sent.body.len() + call.heard.as_ref().map_or(0, |heard| heard.body.len()));
        self.asked.body.len() + self.told.body.len() + calls.sum::<usize>()
    }
}

/// The outcome in the words of SPEC 11.6.
fn outcome(record: &Record) -> &'static str {
    match record.outcome {
        Outcome::Success => "completed",
        Outcome::Incomplete => "incomplete",
        Outcome::Cancelled => "client_disconnected",
        Outcome::Error if record.stream && record.status == 200 => "stream_error",
        Outcome::Error => "failed",
    }
}

//! What went over the wire for one request, as lines (SPEC 11.6): the trace, and the files of
//! single requests. Secrets are masked before they come here.
//!
//! Bodies are kept whole with `log.bodies`; otherwise a trace holds an excerpt of them and says so
//! by `truncated`, and a request's own file holds none.

use std::borrow::Cow;

use crate::base::clock::Millis;
use crate::base::json::Members;
use crate::base::pen::{Pen, Put};
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

/// One line, as it is written.
#[derive(Default)]
struct Line<'a> {
    /// When.
    ts: String,
    /// The request.
    id: &'a str,
    /// `request`, `upstream_request`, `upstream_response` or `response`.
    phase: &'a str,
    /// The llmgate that wrote it.
    version: Option<&'a str>,
    /// The client's protocol.
    protocol: Option<&'a str>,
    /// The client's query.
    query: Option<&'a str>,
    /// Which call, from 1.
    attempt: Option<usize>,
    /// Where it went.
    target: Option<&'a str>,
    /// The address.
    url: Option<&'a str>,
    /// The status of an answer.
    status: Option<u16>,
    /// How it ended.
    outcome: Option<&'a str>,
    /// Why it failed.
    detail: Option<&'a str>,
    /// The request's line of the ledger.
    record: Option<Entry<'a>>,
    /// `name: value` each.
    headers: &'a [String],
    /// What is needed to make it again.
    recipe: Option<&'a Recipe>,
    /// The body; without one, none was written.
    body: Option<Cow<'a, str>>,
    /// Is something of the body missing?
    truncated: bool,
}

impl Put for Line<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("ts", &self.ts);
            pen.put("id", self.id);
            pen.put("phase", self.phase);
            pen.put_some("version", self.version);
            pen.put_some("protocol", self.protocol);
            pen.put_some("query", self.query);
            pen.put_some("attempt", self.attempt);
            pen.put_some("target", self.target);
            pen.put_some("url", self.url);
            pen.put_some("status", self.status);
            pen.put_some("outcome", self.outcome);
            pen.put_some("detail", self.detail);
            pen.put_some("record", self.record.as_ref());
            pen.put("headers", self.headers);
            pen.put_some("recipe", self.recipe);
            pen.put_some("body", self.body.as_ref());
            pen.put("truncated", &self.truncated);
        });
    }
}

/// One line, as it is read.
#[derive(Debug)]
pub struct Recorded {
    /// The request.
    pub id: String,
    /// `request`, `upstream_request`, `upstream_response` or `response`.
    pub phase: String,
    /// The client's protocol.
    pub protocol: Option<String>,
    /// Where it went.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// `name: value` each.
    pub headers: Vec<String>,
    /// What is needed to make it again.
    pub recipe: Option<Recipe>,
    /// The body; without one, none was written.
    pub body: Option<String>,
    /// Is something of the body missing?
    pub truncated: bool,
}

impl Recorded {
    /// Reads a line; `None` when it is none of a trace.
    pub fn read(line: &str) -> Option<Self> {
        let members = Members::read(line).ok()?;
        let text = |name: &str| members.string(line, name);
        Some(Self {
            id: text("id")?,
            phase: text("phase")?,
            protocol: text("protocol"),
            target: text("target"),
            outcome: text("outcome"),
            headers: serde_json::from_str(members.get(line, "headers")?).ok()?,
            recipe: members.get(line, "recipe").and_then(Recipe::read),
            body: text("body"),
            truncated: members.get(line, "truncated") == Some("true"),
        })
    }
}

impl Exchange {
    /// Its lines, each with its line feed.
    pub fn lines(&self, bodies: Bodies) -> Vec<u8> {
        let record = &self.record;
        let mut lines = Vec::with_capacity(8 * 1024);
        let mut add = |line: Line<'_>| {
            line.write(&mut Pen::on(&mut lines));
            lines.push(b'\n');
        };
        add(Line {
            version: Some(env!("CARGO_PKG_VERSION")),
            protocol: Some(record.ingress.name()),
            query: self.query.as_deref(),
            ..self.line("request", &self.asked, bodies)
        });
        for (call, attempt) in self.calls.iter().zip(1..) {
            add(Line {
                attempt: Some(attempt),
                target: Some(&call.target),
                url: Some(&call.url),
                recipe: call.recipe.as_ref(),
                ..self.line("upstream_request", &call.sent, bodies)
            });
            if let Some(heard) = &call.heard {
                let line = self.line("upstream_response", heard, bodies);
                add(Line { attempt: Some(attempt), target: Some(&call.target), ..line });
            }
        }
        add(Line {
            outcome: Some(outcome(record)),
            detail: record.detail.as_deref(),
            record: Some(Entry::of(record)),
            ..self.line("response", &self.told, bodies)
        });
        lines
    }

    fn line<'a>(&'a self, phase: &'a str, message: &'a Message, bodies: Bodies) -> Line<'a> {
        let text = || String::from_utf8_lossy(&message.body);
        let (body, cut) = match bodies {
            Bodies::None => (None, false),
            Bodies::Whole => (Some(text()), false),
            Bodies::Excerpt(most) => {
                let (body, cut) = excerpt::of(text(), most);
                (Some(body), cut)
            }
        };
        Line {
            ts: message.at.rfc3339(),
            id: self.record.id.as_str(),
            phase,
            status: message.status,
            headers: &message.headers,
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

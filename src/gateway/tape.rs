//! What goes over the wire for one request, kept while somebody wants to know (SPEC 11.6): copied
//! as it goes, masked and told when the client has its answer.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::base::clock;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::outgoing::{self, Lane, Outgoing};
use crate::observe::log::harmless;
use crate::observe::record::Record;
use crate::observe::trace::{Call, Exchange, Message};
use crate::translate::again::Recipe;
use crate::translate::cross::Crossing;
use crate::translate::framing::Framing;
use crate::upstream::Incoming;

/// So many bytes of a body are kept.
const MOST: usize = 16 * 1024 * 1024;

/// The tape of one request; most have none.
#[derive(Debug, Default)]
pub struct Tape(Option<RefCell<Reel>>);

#[derive(Debug, Default)]
struct Reel {
    /// The most bytes of a body.
    most: usize,
    calls: Vec<Call>,
    told: Message,
}

impl Tape {
    /// A tape that runs when somebody wants to know.
    pub fn new(live: &Live) -> Self {
        let reel =
            live.sinks.files.recorder().filter(|recorder| recorder.has_room()).map(|recorder| Reel {
                most: if recorder.wants_bodies() { MOST } else { 0 },
                ..Reel::default()
            });
        Self(reel.map(RefCell::new))
    }

    /// Does somebody want to know?
    pub fn runs(&self) -> bool {
        self.0.is_some()
    }

    /// A target is called.
    pub fn calls(&self, outgoing: &Outgoing<'_>) {
        self.with(|reel| {
            let mut sent = Message {
                at: clock::millis(),
                headers: outgoing.shown_headers(Mask::Credentials),
                ..Message::default()
            };
            add(&mut sent, outgoing.body().as_bytes(), reel.most);
            reel.calls.push(Call {
                target: outgoing.target().to_string(),
                url: outgoing.url().to_owned(),
                recipe: outgoing.recipe.as_deref().cloned(),
                sent,
                heard: None,
            });
        });
    }

    /// It answers.
    pub fn hears(&self, incoming: &Incoming) {
        self.with(|reel| {
            if let Some(call) = reel.calls.last_mut() {
                call.heard = Some(Message {
                    at: clock::millis(),
                    status: Some(incoming.status),
                    headers: incoming.headers().map(|(name, value)| header(name, value)).collect(),
                    ..Message::default()
                });
            }
        });
    }

    /// Its answer goes through the neutral model, though it speaks the client's protocol.
    pub fn crosses(&self, crossing: &Crossing) {
        self.with(|reel| {
            if let Some(recipe) = reel.calls.last_mut().and_then(|call| call.recipe.as_mut()) {
                recipe.crosses(crossing);
            }
        });
    }

    /// A part of its answer has come.
    pub fn takes(&self, part: &[u8]) {
        self.with(|reel| {
            if let Some(heard) = reel.calls.last_mut().and_then(|call| call.heard.as_mut()) {
                add(heard, part, reel.most);
            }
        });
    }

    /// The client's answer begins.
    pub fn answers(&self, status: u16, headers: &[(&str, &str)]) {
        self.with(|reel| {
            reel.told.at = clock::millis();
            reel.told.status = Some(status);
            reel.told.headers = headers.iter().map(|(name, value)| header(name, value)).collect();
        });
    }

    /// A part of it is sent.
    pub fn sends(&self, part: &[u8]) {
        self.with(|reel| add(&mut reel.told, part, reel.most));
    }

    /// All of it, when the request is over; `masked` masks the secrets in a text.
    pub fn exchange(&self, inbound: &Inbound, record: &Record, masked: &Masked<'_>) -> Option<Box<Exchange>> {
        let reel = self.0.as_ref()?.take();
        let headers = inbound.headers.iter().map(|(name, value)| header(name, value));
        let mut asked = Message { at: record.at, headers: headers.collect(), ..Message::default() };
        add(&mut asked, inbound.text.as_bytes(), reel.most);
        let mut exchange = Exchange {
            record: record.clone(),
            query: inbound.query.as_deref().map(|query| masked(query).into_owned()),
            asked,
            calls: reel.calls,
            told: reel.told,
        };
        for call in &mut exchange.calls {
            // The client's query is in it.
            if let Cow::Owned(other) = masked(&call.url) {
                call.url = other;
            }
        }
        let calls = exchange.calls.iter_mut();
        let messages = calls.flat_map(|call| std::iter::once(&mut call.sent).chain(&mut call.heard));
        for message in messages.chain([&mut exchange.asked, &mut exchange.told]) {
            mask(message, masked);
        }
        Some(Box::new(exchange))
    }

    fn with(&self, change: impl FnOnce(&mut Reel)) {
        if let Some(reel) = &self.0 {
            change(&mut reel.borrow_mut());
        }
    }
}

/// What [`Recipe::request`] and [`Recipe::answer`] need to do the same.
pub(super) fn recipe(live: &Live, inbound: &Inbound, outgoing: &Outgoing<'_>) -> Recipe {
    let candidate = outgoing.candidate;
    let wants = outgoing::wants(candidate);
    let mut recipe = Recipe {
        protocol: candidate.protocol.name().to_owned(),
        provider: candidate.provider.name.to_string(),
        model: candidate.target.model.to_string(),
        asked: inbound.asked.clone().unwrap_or_default(),
        stream: inbound.ask.stream,
        task: inbound.task,
        array: inbound.framing == Framing::Array,
        edits: wants.edits,
        max_output: wants.max_output,
        strip_attribution: wants.strip_attribution,
        strip_call_ids: wants.strip_call_ids,
        ..Recipe::default()
    };
    if let Lane::Translated(crossing) = &outgoing.lane {
        recipe.translated = true;
        recipe.dialect = Some(candidate.provider.dialect(candidate.protocol, &candidate.target.model));
        recipe.session = outgoing::session_key(inbound);
        recipe.edits.extend_from_slice(&outgoing.conceded);
        recipe.restored = live.decoded(inbound).is_ok_and(|decoded| decoded.restored);
        recipe.crosses(crossing);
    }
    recipe
}

/// What is masked in headers that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Credentials, and the provider's own headers.
    Credentials,
    /// Nothing (`log.mask: false`).
    Nothing,
}

/// A header as it is shown. A cookie is a credential, and nobody's business here.
fn header(name: &str, value: &str) -> String {
    if name == "set-cookie" {
        return format!("{name}: ***");
    }
    [name, ": ", &harmless(value)].concat()
}

fn add(message: &mut Message, part: &[u8], most: usize) {
    let room = most.saturating_sub(message.body.len()).min(part.len());
    message.cut |= room < part.len();
    message.body.extend_from_slice(part.get(..room).unwrap_or_default());
}

/// Masks the secrets in a text.
type Masked<'a> = dyn Fn(&str) -> Cow<'_, str> + 'a;

fn mask(message: &mut Message, masked: &Masked<'_>) {
    for header in &mut message.headers {
        if let Cow::Owned(other) = masked(header) {
            *header = other;
        }
    }
    let text = String::from_utf8_lossy(&message.body);
    // What was no text is no longer what it was.
    message.cut |= matches!(text, Cow::Owned(_));
    match (masked(&text), &text) {
        (Cow::Borrowed(_), Cow::Borrowed(_)) => {}
        (other, _) => message.body = other.into_owned().into_bytes(),
    }
}

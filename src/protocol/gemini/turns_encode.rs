//! Turns -> `contents`.
//!
//! Google demands that the user speaks first and the two speak in turn, that a turn with calls is
//! followed by one that begins with as many results, and, from Gemini 3 on, that the first call of
//! a turn is signed. So results are put right behind their calls, wherever they stood.

use serde_json::{Map, Value};

use crate::base::object::object;
use crate::base::pen::{self, Pen, Put};
use crate::ir::calls::{Pairs, Place};
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::names::{fit_id, fit_name};
use crate::ir::request::{
    Block, Media, MediaKind, Reasoning, Request, ResultPart, Role, Source, ToolCall, ToolResult, Turn,
};
use crate::protocol::gemini::part::{NO_SIGNATURE, ORIGIN, object_of};
use crate::protocol::gemini::request_encode::NAMES;
use crate::protocol::gemini::thinking::short_name;
use crate::protocol::reminder::reminder;
use crate::protocol::wire::TargetContext;

/// The longest call id that is sent as it is.
const LONGEST_ID: usize = 64;
const MODEL: &str = "model";
const USER: &str = "user";

/// Writes the conversation.
pub(super) fn contents(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> Vec<Spoken> {
    let pairs = Pairs::of(&request.turns);
    let mut writer =
        Writer { target, losses, pairs: &pairs, done: Vec::new(), owed: Vec::new(), signed: Vec::new() };
    for (index, turn) in request.turns.iter().enumerate() {
        match turn.role {
            Role::Assistant => writer.model(turn, index),
            Role::User => writer.user(turn, index),
            Role::Instructions => writer.instructions(turn),
        }
    }
    writer.finish()
}

/// A call whose result is to follow: its place, its id if it was sent with one, and its name.
struct Owed {
    place: Place,
    id: Option<String>,
    name: String,
}

/// A turn: its parts are written as they are found.
pub(super) struct Spoken {
    role: &'static str,
    parts: Vec<u8>,
}

impl Put for Spoken {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("role", self.role);
            pen.list_at("parts", |pen| pen.raw(&self.parts));
        });
    }
}

/// A part of words alone.
pub(super) struct Words<'a>(pub(super) &'a str);

impl Put for Words<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| pen.put("text", self.0));
    }
}

/// What a call gave.
struct Answered {
    owed: Owed,
    key: &'static str,
    said: String,
}

impl Put for Answered {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.object_at("functionResponse", |pen| {
                pen.put_some("id", self.owed.id.as_ref());
                pen.put("name", &self.owed.name);
                pen.object_at("response", |pen| pen.put(self.key, &self.said));
            });
        });
    }
}

struct Writer<'a, 't, 'r> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    pairs: &'a Pairs<'r>,
    done: Vec<Spoken>,
    /// The calls of the model's turn that is being written.
    owed: Vec<Owed>,
    /// Parts of calls, signed, which stood as state of reasoning; their calls are to come.
    signed: Vec<Value>,
}

impl Writer<'_, '_, '_> {
    fn finish(mut self) -> Vec<Spoken> {
        self.answer_calls();
        if self.done.first().is_none_or(|first| first.role == MODEL) {
            self.done.insert(0, Spoken { role: USER, parts: pen::written(&Words("...")).into_bytes() });
        }
        self.done
    }

    /// Adds a part to the turn of that role; neighbours are one turn.
    fn say(&mut self, role: &'static str, part: &dyn Put) {
        if self.done.last().is_none_or(|last| last.role != role) {
            self.done.push(Spoken { role, parts: Vec::new() });
        }
        if let Some(last) = self.done.last_mut() {
            Pen::on(&mut last.parts).add(part);
        }
    }

    fn user(&mut self, turn: &Turn, index: usize) {
        self.answer_calls();
        for (number, block) in turn.blocks.iter().enumerate() {
            match block {
                Block::Result(_) if self.pairs.is_matched((index, number)) => {}
                Block::Result(result) => {
                    self.losses.degrade("tool result", "it belongs to no call; sent as text of the user");
                    self.text(USER, &result_text(result));
                    self.result_media(result);
                }
                Block::Text(text) | Block::Refusal(text) => self.text(USER, text),
                Block::Media(media) => self.media(USER, media),
                Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
    }

    fn instructions(&mut self, turn: &Turn) {
        self.answer_calls();
        let texts = turn.blocks.iter().filter_map(Block::as_text).filter(|text| !text.is_empty());
        let text = texts.collect::<Vec<_>>().join("\n\n");
        if !text.is_empty() {
            self.text(USER, &reminder(&text));
        }
    }

    fn model(&mut self, turn: &Turn, index: usize) {
        let mut states = turn.blocks.iter().filter_map(Block::as_call).filter_map(|call| call.state.as_ref());
        let is_signed = states.any(|state| self.is_own(state));
        for (number, block) in turn.blocks.iter().enumerate() {
            match block {
                Block::Text(text) | Block::Refusal(text) => self.text(MODEL, text),
                Block::Media(media) => self.media(MODEL, media),
                // Of a turn with a call that the provider signed it made the words, too, and wants the call's
                // part alone.
                Block::Reasoning(reasoning) if is_signed && reasoning.state.is_none() => {}
                Block::Reasoning(reasoning) => self.reasoning(reasoning, index),
                Block::Call(call) => self.call(call, (index, number)),
                Block::Result(_) => {}
            }
        }
    }

    fn text(&mut self, role: &'static str, text: &str) {
        if !text.is_empty() {
            self.say(role, &Words(text));
        }
    }

    /// State goes back to the provider that made it, exactly. A call's part waits for its call: it
    /// stands here when a client of another protocol had no other place for it.
    fn reasoning(&mut self, reasoning: &Reasoning, index: usize) {
        let Some(state) = reasoning.state.as_ref().filter(|state| self.is_own(state)) else {
            if !reasoning.is_empty() {
                self.lose_reasoning(index);
            }
            return;
        };
        for part in &state.blocks {
            if part.get("functionCall").is_some() {
                self.signed.push(part.clone());
            } else if part.is_object() {
                self.say(MODEL, part);
            }
        }
    }

    fn is_own(&self, state: &State) -> bool {
        state.is_from(ORIGIN, &self.target.dialect.provider)
    }

    fn lose_reasoning(&mut self, index: usize) {
        self.losses.degrade(format!("turns[{index}].reasoning"), "foreign reasoning");
    }

    fn call(&mut self, call: &ToolCall, place: Place) {
        let name = fit_name(&call.name, &NAMES);
        let args = object_of(&call.arguments, call.free_form);
        let part = match self.own_part(call, &name, &args, place.0) {
            Some(part) => part,
            None => {
                let id = fit_id(&call.id, LONGEST_ID);
                let inner = object! {"id": id, "name": name.as_str(), "args": args};
                let mut part = object! {"functionCall": inner};
                part.put_some("thoughtSignature", self.must_sign().then_some(NO_SIGNATURE));
                part.into()
            }
        };
        let id = part.pointer("/functionCall/id").and_then(Value::as_str).map(str::to_owned);
        self.owed.push(Owed { place, id, name });
        self.say(MODEL, &part);
    }

    /// The part as the provider made it, if this is known.
    fn own_part(&mut self, call: &ToolCall, name: &str, args: &Value, index: usize) -> Option<Value> {
        let fits = |part: &Value| part.pointer("/functionCall/name").and_then(Value::as_str) == Some(name);
        if let Some(state) = &call.state {
            if self.is_own(state) {
                return state.blocks.iter().find(|part| fits(part)).cloned();
            }
            if !state.blocks.is_empty() {
                self.lose_reasoning(index);
            }
            return None;
        }
        let no_args = args.as_object().is_some_and(Map::is_empty);
        let same_args = |part: &Value| part.pointer("/functionCall/args").map_or(no_args, |own| own == args);
        let same = self.signed.iter().position(|part| fits(part) && same_args(part));
        let place = same.or_else(|| self.signed.iter().position(fits))?;
        Some(self.signed.remove(place))
    }

    /// Gemini 3 demands a signature on the first call of each turn.
    fn must_sign(&self) -> bool {
        self.owed.is_empty() && short_name(self.target.model).starts_with("gemini-3")
    }

    /// The turn with calls is over: their results follow, in the order of the calls.
    fn answer_calls(&mut self) {
        if !std::mem::take(&mut self.signed).is_empty() {
            self.losses.hint("reasoning", "the call that it signs is gone");
        }
        for owed in std::mem::take(&mut self.owed) {
            let result = self.pairs.result(owed.place);
            if result.is_none() {
                self.losses.degrade("tool call", "it has no result; an empty one is sent");
            }
            let key = if result.is_some_and(|result| result.failed) { "error" } else { "output" };
            let said = result.map_or_else(|| "[no output recorded]".to_owned(), result_text);
            self.say(USER, &Answered { owed, key, said });
            if let Some(result) = result {
                self.result_media(result);
            }
        }
    }

    fn result_media(&mut self, result: &ToolResult) {
        for part in &result.content {
            if let ResultPart::Media(media) = part {
                self.media(USER, media);
            }
        }
    }

    fn media(&mut self, role: &'static str, media: &Media) {
        let Source::Inline { mime, data } = &media.source else {
            let path = match media.kind {
                MediaKind::Image => "image",
                MediaKind::Document => "document",
                MediaKind::Audio => "audio",
            };
            self.losses.refuse(path, "Gemini takes no media by URL, and llmgate fetches none");
            return;
        };
        let refuses = self.target.dialect.refuses;
        let refused = match media.kind {
            MediaKind::Image => refuses.images,
            MediaKind::Document => refuses.pdf,
            MediaKind::Audio => false,
        };
        if refused {
            self.losses.degrade("media", "the target is known not to take it");
        } else {
            let data = object! {"mimeType": mime.as_str(), "data": data.as_str()};
            self.say(role, &object! {"inlineData": data});
        }
    }
}

fn result_text(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|part| match part {
        ResultPart::Text(text) => Some(text.as_str()),
        ResultPart::Media(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;

//! The conversation as the items of a request's `input`.

use crate::base::object::{Object, object};
use crate::base::pen::{Pen, Put, Raw};
use crate::ir::calls::{CallIds, FAILED};
use crate::ir::loss::Losses;
use crate::ir::names::fit_name;
use crate::ir::request::{
    Block, Media, MediaKind, Reasoning, Request, ResultPart, Role, Source, ToolCall, ToolResult, Turn,
};
use crate::protocol::openai_responses::{NAMES, ORIGIN};
use crate::protocol::wire::TargetContext;

/// The longest id of a call.
pub(super) const ID_LENGTH: usize = 64;

/// The items of a request, with commas between them.
pub(super) fn input(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> Vec<u8> {
    let mut writer = Writer { target, losses, input: Vec::with_capacity(request.length()) };
    writer.conversation(request);
    if writer.input.is_empty() {
        // Instructions alone are refused.
        writer.say("user", &Part::input(""));
    }
    writer.input
}

/// Writes the items.
struct Writer<'a, 't> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    /// The items, as they are written.
    input: Vec<u8>,
}

impl Writer<'_, '_> {
    fn conversation(&mut self, request: &Request) {
        let (calls, results) = paired(request);
        let (mut next_call, mut next_result) = (calls.iter(), results.into_iter());
        for turn in &request.turns {
            match turn.role {
                Role::Instructions => self.message("developer", turn),
                Role::User => {
                    for block in &turn.blocks {
                        let Block::Result(result) = block else { continue };
                        match next_result.next().flatten().and_then(|call| calls.get(call)) {
                            Some(call) => self.result(result, call),
                            None => {
                                self.losses.degrade(
                                    "tool result",
                                    "it belongs to no call; sent as text of the user",
                                );
                                self.loose(result);
                            }
                        }
                    }
                    self.message("user", turn);
                }
                Role::Assistant => self.assistant(turn, &mut next_call),
            }
        }
    }

    fn message(&mut self, role: &str, turn: &Turn) {
        let mut parts = Vec::new();
        for block in &turn.blocks {
            match block {
                Block::Text(text) | Block::Refusal(text) if !text.is_empty() => {
                    Pen::on(&mut parts).add(&Part::input(text));
                }
                Block::Media(media) => self.media(media, &mut parts),
                Block::Text(_)
                | Block::Refusal(_)
                | Block::Call(_)
                | Block::Result(_)
                | Block::Reasoning(_) => {}
            }
        }
        if !parts.is_empty() {
            self.say(role, &Raw(&parts));
        }
    }

    /// Adds a message of these parts.
    fn say(&mut self, role: &str, parts: &dyn Put) {
        Pen::on(&mut self.input).add_object(|pen| {
            pen.put("type", "message");
            pen.put("role", role);
            pen.list_at("content", |pen| parts.write(pen));
        });
    }

    fn assistant<'c>(&mut self, turn: &Turn, calls: &mut impl Iterator<Item = &'c Called>) {
        let mut missing = Vec::new();
        for block in &turn.blocks {
            match block {
                Block::Text(text) if !text.is_empty() => {
                    self.say("assistant", &Part { kind: "output_text", key: "text", text });
                }
                Block::Refusal(text) => {
                    self.say("assistant", &Part { kind: "refusal", key: "refusal", text });
                }
                Block::Call(call) => {
                    if call.state.as_ref().is_some_and(|state| !state.blocks.is_empty()) {
                        self.losses.degrade("reasoning", "foreign reasoning");
                    }
                    let Some(called) = calls.next() else { continue };
                    self.call(call, &called.id);
                    if !called.answered {
                        missing.push(called);
                    }
                }
                Block::Reasoning(reasoning) => {
                    let own = reasoning
                        .state
                        .as_ref()
                        .filter(|state| state.is_from(ORIGIN, &self.target.dialect.provider))
                        .filter(|state| !state.blocks.is_empty());
                    match own {
                        Some(state) => {
                            state.blocks.iter().for_each(|item| Pen::on(&mut self.input).add(item))
                        }
                        None => self.lose_reasoning(reasoning),
                    }
                }
                Block::Media(_) => self.losses.degrade("media", "the model's turn holds no media"),
                Block::Text(_) | Block::Result(_) => {}
            }
        }
        for call in missing {
            self.losses.degrade("tool call", "it has no result; an empty one is sent");
            self.output(call, &"[no output recorded]");
        }
    }

    /// Responses takes back no reasoning but its own.
    fn lose_reasoning(&mut self, reasoning: &Reasoning) {
        if !reasoning.is_empty() {
            self.losses.degrade("reasoning", "foreign reasoning");
        }
    }

    fn call(&mut self, call: &ToolCall, id: &str) {
        let (kind, key) =
            if call.free_form { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
        let is_empty = !call.free_form && call.arguments.trim().is_empty();
        Pen::on(&mut self.input).add_object(|pen| {
            pen.put("type", kind);
            pen.put("call_id", id);
            pen.put("name", &fit_name(&call.name, &NAMES));
            pen.put(key, if is_empty { "{}" } else { &call.arguments });
        });
    }

    fn result(&mut self, result: &ToolResult, call: &Called) {
        if !has_media(result) {
            return self.output(call, &plain(result));
        }
        let mut parts = vec![b'['];
        self.contents(result, &mut parts);
        parts.push(b']');
        self.output(call, &Raw(&parts));
    }

    /// Adds a result that belongs to no call.
    fn loose(&mut self, result: &ToolResult) {
        if !has_media(result) {
            return self.say("user", &Part::input(&plain(result)));
        }
        let mut parts = Vec::new();
        self.contents(result, &mut parts);
        if !parts.is_empty() {
            self.say("user", &Raw(&parts));
        }
    }

    /// Adds a part for each piece of a result.
    fn contents(&mut self, result: &ToolResult, parts: &mut Vec<u8>) {
        for part in &result.content {
            match part {
                ResultPart::Text(text) => Pen::on(parts).add(&Part::input(text)),
                ResultPart::Media(media) => self.media(media, parts),
            }
        }
    }

    /// Adds what a call gave.
    fn output(&mut self, call: &Called, output: &dyn Put) {
        let kind = if call.free_form { "custom_tool_call_output" } else { "function_call_output" };
        Pen::on(&mut self.input).add_object(|pen| {
            pen.put("type", kind);
            pen.put("call_id", &call.id);
            pen.put("output", output);
        });
    }

    /// Adds a part for a piece of media, where the target takes it.
    fn media(&mut self, media: &Media, parts: &mut Vec<u8>) {
        let refuses = self.target.dialect.refuses;
        let part = match (media.kind, &media.source) {
            (MediaKind::Image, Source::Inline { mime, data }) if !refuses.images => {
                image(&format!("data:{mime};base64,{data}"), media)
            }
            (MediaKind::Image, Source::Url(url)) if !refuses.image_urls => image(url, media),
            (MediaKind::Document, Source::Inline { mime, data }) if !refuses.pdf => {
                let name = media.name.as_deref().unwrap_or("document.pdf");
                let data = format!("data:{mime};base64,{data}");
                object! {"type": "input_file", "filename": name, "file_data": data}
            }
            (MediaKind::Document, Source::Url(url)) if !refuses.pdf => {
                object! {"type": "input_file", "file_url": url.as_str()}
            }
            (MediaKind::Audio, _) => return self.losses.refuse("audio", "Responses takes no sound"),
            (MediaKind::Image | MediaKind::Document, _) => {
                return self.losses.degrade("media", "the target is known not to take it");
            }
        };
        Pen::on(parts).add(&part);
    }
}

/// A call as it is sent.
struct Called {
    id: String,
    free_form: bool,
    answered: bool,
}

/// The calls of a history in their order, and for each result the call that it belongs to. An id
/// that comes again is another call's: a second output for one `call_id` is refused.
fn paired(request: &Request) -> (Vec<Called>, Vec<Option<usize>>) {
    let mut ids = CallIds::new(ID_LENGTH);
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    // Neighbouring turns of the model are one.
    let mut turns = 0;
    for turn in &request.turns {
        turns += usize::from(turn.role != Role::Assistant);
        for block in &turn.blocks {
            match (turn.role, block) {
                (Role::Assistant, Block::Call(call)) => {
                    let id = ids.call(&call.id, (turns, calls.len()));
                    calls.push(Called { id, free_form: call.free_form, answered: false });
                }
                (Role::User, Block::Result(result)) => {
                    let call = ids.result(&result.id).map(|(_, call)| call);
                    if let Some(called) = call.and_then(|call| calls.get_mut(call)) {
                        called.answered = true;
                    }
                    results.push(call);
                }
                _ => {}
            }
        }
    }
    (calls, results)
}

/// A part of a message that is a text.
struct Part<'a> {
    kind: &'static str,
    key: &'static str,
    text: &'a str,
}

impl<'a> Part<'a> {
    /// What is said to the model.
    fn input(text: &'a str) -> Self {
        Self { kind: "input_text", key: "text", text }
    }
}

impl Put for Part<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            pen.put("type", self.kind);
            pen.put(self.key, self.text);
        });
    }
}

fn has_media(result: &ToolResult) -> bool {
    result.content.iter().any(|part| matches!(part, ResultPart::Media(_)))
}

/// The text of a result; a failed tool is told by its text.
fn plain(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|part| match part {
        ResultPart::Text(text) => Some(text.as_str()),
        ResultPart::Media(_) => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n");
    if text.is_empty() && result.failed { FAILED.to_owned() } else { text }
}

fn image(url: &str, media: &Media) -> Object {
    let detail = media.detail.as_deref().unwrap_or("auto");
    object! {"type": "input_image", "image_url": url, "detail": detail}
}

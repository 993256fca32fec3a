//! The turns of a conversation as Chat's messages. Texts are borrowed until they are written: a
//! coding agent's history is long.

use std::borrow::Cow;

use crate::base::object::{Object, object};
use crate::base::pen;
use crate::ir::calls::{FAILED, Pairs, Place};
use crate::ir::loss::Losses;
use crate::ir::names::fit_name;
use crate::ir::request::{
    Block, Media, MediaKind, Request, ResultPart, Role, Source, ToolCall, ToolResult, Turn,
};
use crate::protocol::dialect::ReasoningField;
use crate::protocol::openai_chat::ORIGIN;
use crate::protocol::openai_chat::call_ids::CallIds;
use crate::protocol::openai_chat::message::{Call, Content, Message, Part};
use crate::protocol::openai_chat::request_encode::NAMES;
use crate::protocol::reminder::reminder;
use crate::protocol::wire::TargetContext;

/// The messages of a request.
pub(super) fn write<'r>(
    request: &'r Request,
    target: &TargetContext<'_>,
    losses: &mut Losses,
) -> Vec<Message<'r>> {
    let messages = Vec::with_capacity(request.turns.len() + 1);
    let (pairs, ids) = (Pairs::of(&request.turns), CallIds::of(target));
    let mut writer = Writer { target, losses, messages, pairs, ids };
    writer.conversation(request);
    writer.messages
}

/// Writes the conversation.
struct Writer<'r, 'a, 't> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    messages: Vec<Message<'r>>,
    pairs: Pairs<'r>,
    ids: CallIds,
}

impl<'r> Writer<'r, '_, '_> {
    fn conversation(&mut self, request: &'r Request) {
        if !request.system.is_empty() {
            self.say("system", joined(request.system.iter().map(String::as_str), "\n\n"));
        }
        let mut first = 0;
        // What the model said behind a call, and calls behind it, are one message: results must follow.
        let is_one = |one: &Turn, next: &Turn| {
            one.role == Role::Assistant
                && next.role == Role::Assistant
                && one.blocks.iter().any(|block| matches!(block, Block::Call(_)))
        };
        for turns in request.turns.chunk_by(is_one) {
            match turns {
                [turn] if turn.role == Role::Instructions => self.instructions(turn),
                [turn] if turn.role == Role::User => self.user(turn, first),
                turns => self.assistant(turns, first),
            }
            first += turns.len();
        }
    }

    fn say(&mut self, role: &'static str, text: Cow<'r, str>) {
        self.add(Message { role, content: Content::Text(text), ..Message::default() });
    }

    /// Mistral refuses a user who speaks before the model has answered to a result.
    fn add(&mut self, message: Message<'r>) {
        let is_early = message.role == "user" && self.messages.last().is_some_and(|last| last.role == "tool");
        if is_early && self.target.dialect.is_mistral {
            self.say("assistant", "...".into());
        }
        self.messages.push(message);
    }

    /// Many servers take `system` first only.
    fn instructions(&mut self, turn: &'r Turn) {
        let text = joined(texts(std::slice::from_ref(turn)), "\n\n");
        if text.is_empty() {
        } else if self.target.dialect.is_openai {
            self.say("developer", text);
        } else {
            let told = reminder(&text).into_owned();
            self.say("user", told.into());
        }
    }

    /// The results of a message's calls, and what was in them that a result cannot hold. They must
    /// follow their calls at once, whatever was said before they came.
    fn results(&mut self, turns: &'r [Turn], first: usize, ids: Vec<String>) {
        let mut pictures = Vec::new();
        for ((place, _), id) in calls(turns, first).zip(ids) {
            let text = self.result(place, &mut pictures);
            self.messages.push(Message {
                role: "tool",
                content: Content::Text(text),
                tool_call_id: Some(id),
                ..Message::default()
            });
        }
        let media = pictures.into_iter().filter_map(|media| self.media(media)).map(Part::Media).collect();
        self.parts(media);
    }

    fn result(&mut self, call: Place, pictures: &mut Vec<&'r Media>) -> Cow<'r, str> {
        match self.pairs.result(call) {
            Some(result) => result_text(result, pictures),
            None => {
                self.losses.degrade("tool call", "it has no result; an empty one is sent");
                "[no output recorded]".into()
            }
        }
    }

    /// What else a user said.
    fn user(&mut self, turn: &'r Turn, index: usize) {
        let mut parts = Vec::with_capacity(turn.blocks.len());
        for (number, block) in turn.blocks.iter().enumerate() {
            match block {
                Block::Result(_) if self.pairs.is_matched((index, number)) => {}
                Block::Result(result) => {
                    self.losses.degrade("tool result", "it belongs to no call; sent as text of the user");
                    self.loose(result, &mut parts);
                }
                Block::Text(text) | Block::Refusal(text) => parts.push(Part::Text(Cow::Borrowed(text))),
                Block::Media(media) => parts.extend(self.media(media).map(Part::Media)),
                Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
        self.parts(parts);
    }

    /// A result as parts of what the user said.
    fn loose(&mut self, result: &'r ToolResult, parts: &mut Vec<Part<'r>>) {
        if !result.content.iter().any(|part| matches!(part, ResultPart::Media(_))) {
            return parts.push(Part::Text(result_text(result, &mut Vec::new())));
        }
        for part in &result.content {
            match part {
                ResultPart::Text(text) => parts.push(Part::Text(Cow::Borrowed(text))),
                ResultPart::Media(media) => parts.extend(self.media(media).map(Part::Media)),
            }
        }
    }

    /// A user message: a plain text where there is only text.
    fn parts(&mut self, mut parts: Vec<Part<'r>>) {
        let all_text = parts.iter().all(|part| matches!(part, Part::Text(_)));
        let content = match (all_text, parts.len()) {
            (_, 0) => return,
            (true, 1) => match parts.remove(0) {
                Part::Text(text) => Content::Text(text),
                media @ Part::Media(_) => Content::Parts(vec![media]),
            },
            (true, _) => {
                let texts = parts.iter().filter_map(|part| match part {
                    Part::Text(text) => Some(text.as_ref()),
                    Part::Media(_) => None,
                });
                Content::Text(texts.collect::<Vec<_>>().join("\n\n").into())
            }
            (false, _) => Content::Parts(parts),
        };
        self.add(Message { role: "user", content, ..Message::default() });
    }

    fn assistant(&mut self, turns: &'r [Turn], first: usize) {
        let mut message = Message { role: "assistant", ..Message::default() };
        let mut refused = joined(refusals(turns), "\n\n");
        let mut said = joined(texts(turns), "\n\n");
        if !refused.is_empty() && !self.target.dialect.is_openai {
            // Elsewhere nobody knows the field, and an answer without words is refused.
            said = joined(texts(turns).chain(refusals(turns)), "\n\n");
            refused = Cow::default();
        }
        if !said.is_empty() {
            message.content = Content::Text(said);
        }
        message.refusal = (!refused.is_empty()).then_some(refused);
        message.tool_calls = calls(turns, first).map(|((index, _), call)| self.call(call, index)).collect();
        self.reasoning(turns, first, &mut message);
        for ((turn, number), _) in blocks(turns, first).filter(|(_, block)| matches!(block, Block::Media(_)))
        {
            self.losses.degrade(format!("turns[{turn}].blocks[{number}]"), "the model's turn holds no media");
        }
        if matches!(message.content, Content::Null)
            && message.tool_calls.is_empty()
            && message.refusal.is_none()
        {
            // Nothing that a reader would see: a turn of reasoning alone.
            return;
        }
        let ids = message.tool_calls.iter().map(|call| call.id.clone()).collect();
        self.messages.push(message);
        self.results(turns, first, ids);
    }

    /// State goes back to the provider that made it; visible reasoning to every turn with calls,
    /// where servers such as DeepSeek's demand it.
    fn reasoning(&mut self, turns: &'r [Turn], first: usize, message: &mut Message<'r>) {
        let mut words: Vec<&'r str> = Vec::new();
        for ((index, _), block) in blocks(turns, first) {
            let Block::Reasoning(reasoning) = block else { continue };
            match &reasoning.state {
                // Words are nobody's secret, whoever said them.
                Some(state) if state.text().is_some() => {
                    words.extend(state.text().filter(|_| reasoning.text.is_empty()));
                }
                Some(state) if state.blocks.is_empty() => {}
                Some(state) if state.is_from(ORIGIN, &self.target.dialect.provider) => {
                    message.reasoning_details.get_or_insert_default().extend(&state.blocks);
                }
                Some(_) => {
                    self.losses.degrade(format!("turns[{index}].reasoning"), "foreign reasoning");
                }
                None => {}
            }
            words.push(&reasoning.text);
        }
        let text = joined(words.into_iter().filter(|text| !text.is_empty()), "");
        if text.is_empty() || message.tool_calls.is_empty() {
            return;
        }
        match self.target.dialect.reasoning_field {
            ReasoningField::ReasoningContent => message.reasoning_content = Some(text),
            ReasoningField::Reasoning => message.reasoning = Some(text),
            ReasoningField::None => {}
        }
    }

    fn call(&mut self, call: &'r ToolCall, index: usize) -> Call<'r> {
        let provider = &self.target.dialect.provider;
        let own = call.state.as_ref().filter(|state| state.is_from(ORIGIN, provider));
        if own.is_none() && call.state.as_ref().is_some_and(|state| !state.blocks.is_empty()) {
            self.losses.degrade(format!("turns[{index}].reasoning"), "foreign reasoning");
        }
        Call {
            id: self.ids.next(call),
            name: fit_name(&call.name, &NAMES),
            arguments: arguments(call),
            extra_content: own.and_then(|state| state.blocks.first()),
        }
    }

    fn media(&mut self, media: &Media) -> Option<Object> {
        let refuses = self.target.dialect.refuses;
        match (media.kind, &media.source) {
            (MediaKind::Image, Source::Inline { mime, data }) if !refuses.images => {
                Some(image(&format!("data:{mime};base64,{data}"), media))
            }
            (MediaKind::Image, Source::Url(url)) if !refuses.image_urls => Some(image(url, media)),
            (MediaKind::Document, Source::Inline { mime, data }) if !refuses.pdf => {
                let name = media.name.as_deref().unwrap_or("document.pdf");
                let data = format!("data:{mime};base64,{data}");
                Some(object! {"type": "file", "file": object! {"filename": name, "file_data": data}})
            }
            (MediaKind::Audio, Source::Inline { mime, data }) => {
                let format = mime.rsplit('/').next().unwrap_or("wav").trim_start_matches("x-");
                let format = if format == "mpeg" { "mp3" } else { format };
                let audio = object! {"data": data.as_str(), "format": format};
                Some(object! {"type": "input_audio", "input_audio": audio})
            }
            (MediaKind::Document, Source::Url(_)) => {
                self.losses.refuse("document", "Chat takes no document by URL, and llmgate fetches none");
                None
            }
            (MediaKind::Audio, Source::Url(_)) => {
                self.losses.refuse("audio", "Chat takes no sound by URL, and llmgate fetches none");
                None
            }
            (MediaKind::Image | MediaKind::Document, _) => {
                self.losses.degrade("media", "the target is known not to take it");
                None
            }
        }
    }
}

/// The blocks of neighbouring turns with their places; `first` is the number of the first turn.
fn blocks(turns: &[Turn], first: usize) -> impl Iterator<Item = (Place, &Block)> {
    let numbered = turns.iter().zip(first..);
    numbered.flat_map(|(turn, index)| {
        turn.blocks.iter().enumerate().map(move |(number, block)| ((index, number), block))
    })
}

fn calls(turns: &[Turn], first: usize) -> impl Iterator<Item = (Place, &ToolCall)> {
    blocks(turns, first).filter_map(|(place, block)| Some((place, block.as_call()?)))
}

/// The texts that are not empty.
fn texts(turns: &[Turn]) -> impl Iterator<Item = &str> {
    turns.iter().flat_map(|turn| &turn.blocks).filter_map(Block::as_text).filter(|text| !text.is_empty())
}

/// The words with which the model refused.
fn refusals(turns: &[Turn]) -> impl Iterator<Item = &str> {
    turns.iter().flat_map(|turn| &turn.blocks).filter_map(Block::as_refusal).filter(|text| !text.is_empty())
}

/// Texts as one; a single one stays where it is.
fn joined<'r>(texts: impl Iterator<Item = &'r str>, between: &str) -> Cow<'r, str> {
    let texts: Vec<&str> = texts.collect();
    match texts.as_slice() {
        [only] => Cow::Borrowed(only),
        all => Cow::Owned(all.join(between)),
    }
}

/// The text of a result; its media are told of, and put aside for the next user message.
fn result_text<'r>(result: &'r ToolResult, pictures: &mut Vec<&'r Media>) -> Cow<'r, str> {
    match result.content.as_slice() {
        [ResultPart::Text(only)] if !(only.is_empty() && result.failed) => return Cow::Borrowed(only),
        [] | [ResultPart::Text(_)] if result.failed => return Cow::Borrowed(FAILED),
        _ => {}
    }
    let mut texts = Vec::new();
    for part in &result.content {
        match part {
            ResultPart::Text(text) => texts.push(Cow::Borrowed(text.as_str())),
            ResultPart::Media(media) => {
                pictures.push(media);
                let kind = match media.kind {
                    MediaKind::Image => "image",
                    MediaKind::Document => "document",
                    MediaKind::Audio => "sound",
                };
                texts.push(Cow::Owned(format!("[{kind} {} in the next message]", pictures.len())));
            }
        }
    }
    Cow::Owned(texts.join("\n"))
}

fn image(url: &str, media: &Media) -> Object {
    let mut image = object! {"url": url};
    let known = |detail: &&str| matches!(*detail, "auto" | "low" | "high");
    image.put_some("detail", media.detail.as_deref().filter(known));
    object! {"type": "image_url", "image_url": image}
}

/// A function's arguments; the input of a free-form tool is its one member.
fn arguments(call: &ToolCall) -> Cow<'_, str> {
    if call.free_form {
        Cow::Owned(pen::object(|pen| pen.put("input", &call.arguments)))
    } else if call.arguments.trim().is_empty() {
        Cow::Borrowed("{}")
    } else {
        Cow::Borrowed(&call.arguments)
    }
}

#[cfg(test)]
mod tests;

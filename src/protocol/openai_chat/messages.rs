//! The turns of a conversation as Chat's messages. Texts are borrowed until they are written: a
//! coding agent's history is long.

use std::borrow::Cow;

use crate::base::object::{Object, object};
use crate::base::pen;
use crate::base::table::Table;
use crate::ir::loss::Losses;
use crate::ir::names::{fit_id, fit_name, nine_characters};
use crate::ir::request::{
    Block, Media, MediaKind, Request, ResultPart, Role, Source, ToolCall, ToolResult, Turn,
};
use crate::protocol::dialect::ReasoningField;
use crate::protocol::openai_chat::message::{Call, Content, Message, Part};
use crate::protocol::openai_chat::request_encode::NAMES;
use crate::protocol::wire::TargetContext;

const ORIGIN: &str = "openai-chat";

/// The messages of a request.
pub(super) fn write<'r>(
    request: &'r Request,
    target: &TargetContext<'_>,
    losses: &mut Losses,
) -> Vec<Message<'r>> {
    let messages = Vec::with_capacity(request.turns.len() + 1);
    let mut writer = Writer { target, losses, messages, answered: results(request) };
    writer.conversation(request);
    writer.messages
}

/// Writes the conversation.
struct Writer<'r, 'a, 't> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    messages: Vec<Message<'r>>,
    /// Ids of the results that are there.
    answered: Table<&'r str, ()>,
}

impl<'r> Writer<'r, '_, '_> {
    fn conversation(&mut self, request: &'r Request) {
        if !request.system.is_empty() {
            self.say("system", joined(request.system.iter().map(String::as_str), "\n\n"));
        }
        let mut called = Table::default();
        let is_assistant = |turn: &Turn| turn.role == Role::Assistant;
        let mut index = 0;
        for turns in request.turns.chunk_by(|one, next| !is_assistant(one) && !is_assistant(next)) {
            // Results must follow their calls at once, whatever was said before they came.
            self.results(turns, &called);
            for turn in turns {
                match turn.role {
                    Role::Instructions => self.instructions(turn),
                    Role::User => self.user(turn, &called),
                    Role::Assistant => {
                        called.extend(calls(turn).map(|call| (call.id.as_str(), ())));
                        self.assistant(turn, index);
                    }
                }
                index += 1;
            }
        }
    }

    fn say(&mut self, role: &'static str, text: Cow<'r, str>) {
        self.messages.push(Message { role, content: Content::Text(text), ..Message::default() });
    }

    /// Many servers take `system` first only.
    fn instructions(&mut self, turn: &'r Turn) {
        let text = joined(texts(turn), "\n\n");
        if text.is_empty() {
        } else if self.target.dialect.is_openai {
            self.say("developer", text);
        } else {
            self.say("user", format!("<system-reminder>\n{text}\n</system-reminder>").into());
        }
    }

    /// The results of calls, and what was in them that a result cannot hold.
    fn results(&mut self, turns: &'r [Turn], called: &Table<&str, ()>) {
        let mut pictures = Vec::new();
        for block in turns.iter().flat_map(|turn| &turn.blocks) {
            if let Block::Result(result) = block
                && called.contains_key(result.id.as_str())
            {
                self.result(result, &mut pictures);
            }
        }
        let media = pictures.into_iter().filter_map(|media| self.media(media)).map(Part::Media).collect();
        self.parts(media);
    }

    /// What else a user said.
    fn user(&mut self, turn: &'r Turn, called: &Table<&str, ()>) {
        let mut parts = Vec::with_capacity(turn.blocks.len());
        for block in &turn.blocks {
            match block {
                Block::Result(result) if called.contains_key(result.id.as_str()) => {}
                Block::Result(result) => {
                    self.losses.degrade("tool result", "it belongs to no call; sent as text of the user");
                    parts.push(Part::Text(result_text(result, &mut Vec::new())));
                }
                Block::Text(text) | Block::Refusal(text) => parts.push(Part::Text(Cow::Borrowed(text))),
                Block::Media(media) => parts.extend(self.media(media).map(Part::Media)),
                Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
        self.parts(parts);
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
        self.messages.push(Message { role: "user", content, ..Message::default() });
    }

    fn result(&mut self, result: &'r ToolResult, pictures: &mut Vec<&'r Media>) {
        let text = result_text(result, pictures);
        let tool_call_id = Some(self.id(&result.id));
        self.messages.push(Message {
            role: "tool",
            content: Content::Text(text),
            tool_call_id,
            ..Message::default()
        });
    }

    fn assistant(&mut self, turn: &'r Turn, index: usize) {
        let mut message = Message { role: "assistant", ..Message::default() };
        let mut refused = joined(refusals(turn), "\n\n");
        let mut said = joined(texts(turn), "\n\n");
        if !refused.is_empty() && !self.target.dialect.is_openai {
            // Elsewhere nobody knows the field, and an answer without words is refused.
            said = joined(texts(turn).chain(refusals(turn)), "\n\n");
            refused = Cow::default();
        }
        if !said.is_empty() {
            message.content = Content::Text(said);
        }
        message.refusal = (!refused.is_empty()).then_some(refused);
        message.tool_calls = calls(turn).map(|call| self.call(call, index)).collect();
        self.reasoning(turn, index, &mut message);
        if matches!(message.content, Content::Null)
            && message.tool_calls.is_empty()
            && message.refusal.is_none()
        {
            // Nothing that a reader would see: a turn of reasoning alone.
            return;
        }
        self.messages.push(message);
        let answered = std::mem::take(&mut self.answered);
        for call in calls(turn).filter(|call| !answered.contains_key(call.id.as_str())) {
            self.losses.degrade("tool call", "it has no result; an empty one is sent");
            let content = Content::Text("[no output recorded]".into());
            let tool_call_id = Some(self.id(&call.id));
            self.messages.push(Message { role: "tool", content, tool_call_id, ..Message::default() });
        }
        self.answered = answered;
    }

    /// State goes back to the provider that made it; visible reasoning to every turn with calls,
    /// where servers such as DeepSeek's demand it.
    fn reasoning(&mut self, turn: &'r Turn, index: usize, message: &mut Message<'r>) {
        let mut words: Vec<&'r str> = Vec::new();
        for block in &turn.blocks {
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
            id: self.id(&call.id),
            name: fit_name(&call.name, &NAMES),
            arguments: arguments(call),
            extra_content: own.and_then(|state| state.blocks.first()),
        }
    }

    fn id(&self, id: &str) -> String {
        if self.target.dialect.nine_character_ids { nine_characters(id) } else { fit_id(id, 64) }
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

fn results(request: &Request) -> Table<&str, ()> {
    let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
    blocks
        .filter_map(
            |block| if let Block::Result(result) = block { Some((result.id.as_str(), ())) } else { None },
        )
        .collect()
}

fn calls(turn: &Turn) -> impl Iterator<Item = &ToolCall> {
    turn.blocks.iter().filter_map(|block| if let Block::Call(call) = block { Some(call) } else { None })
}

/// The texts of a turn that are not empty.
fn texts(turn: &Turn) -> impl Iterator<Item = &str> {
    turn.blocks.iter().filter_map(|block| match block {
        Block::Text(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
}

/// The words of a turn with which the model refused.
fn refusals(turn: &Turn) -> impl Iterator<Item = &str> {
    turn.blocks.iter().filter_map(|block| match block {
        Block::Refusal(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
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
    if let [ResultPart::Text(only)] = result.content.as_slice() {
        return Cow::Borrowed(only);
    }
    let mut texts = Vec::new();
    for part in &result.content {
        match part {
            ResultPart::Text(text) => texts.push(Cow::Borrowed(text.as_str())),
            ResultPart::Media(media) => {
                pictures.push(media);
                texts.push(Cow::Owned(format!("[image {} in the next message]", pictures.len())));
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

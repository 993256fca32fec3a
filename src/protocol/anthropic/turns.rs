//! The conversation as a target takes it (SPEC 8.2): turns of user and model, each call with its
//! result in the turn that follows, results first.

use super::content::ORIGIN;
use super::request_encode::NAMES;
use super::wire::{self, Block as Wire, Message};
use super::{media, media::Place};
use crate::ir::calls::CallIds;
use crate::ir::loss::Losses;
use crate::ir::names::fit_name;
use crate::ir::request::{Block, Reasoning, Request, ResultPart, Role, ToolCall, ToolResult, Turn};
use crate::protocol::dialect::Dialect;
use crate::protocol::reminder::reminder;
use std::borrow::Cow;

/// The result of a call that has none.
const NO_OUTPUT: &str = "[no output recorded]";

/// The turn before a conversation that the model begins.
const OPENING: &str = "...";

/// The longest id.
pub(super) const ID_LENGTH: usize = 256;

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

pub(super) fn encode<'a>(
    request: &'a Request,
    dialect: &'a Dialect,
    losses: &mut Losses,
) -> Vec<Message<'a>> {
    let mut draft = Draft { dialect, losses, entries: Vec::new(), ids: CallIds::new(ID_LENGTH) };
    for (index, turn) in request.turns.iter().enumerate() {
        draft.turn(turn, &format!("turns[{index}]"));
    }
    draft.finish()
}

/// The conversation as far as it is written.
struct Draft<'a, 'b> {
    dialect: &'a Dialect,
    losses: &'b mut Losses,
    entries: Vec<Entry<'a>>,
    /// Places are the entry, and the place among its calls.
    ids: CallIds<'a>,
}

/// A message, and what its calls gave.
struct Entry<'a> {
    role: &'static str,
    blocks: Vec<Wire<'a>>,
    calls: Vec<(String, Option<Wire<'a>>)>,
}

impl<'a> Draft<'a, '_> {
    fn turn(&mut self, turn: &'a Turn, path: &str) {
        let role = match turn.role {
            Role::User | Role::Instructions => USER,
            Role::Assistant => ASSISTANT,
        };
        for (index, block) in turn.blocks.iter().enumerate() {
            match block {
                Block::Text(text) if turn.role == Role::Instructions => self.text(role, reminder(text)),
                Block::Text(text) | Block::Refusal(text) => self.text(role, text.as_str().into()),
                Block::Media(_) if role == ASSISTANT => {
                    self.losses.degrade(format!("{path}.blocks[{index}]"), "the model's turn holds no media");
                }
                Block::Media(media) => {
                    let block = media::encode(media, self.dialect, Place(path, index), self.losses);
                    if let Some(block) = block {
                        self.entry(role).blocks.push(block);
                    }
                }
                Block::Call(call) => self.call(call),
                Block::Result(result) => self.result(result, path, index),
                Block::Reasoning(reasoning) => self.reasoning(reasoning),
            }
        }
    }

    /// The message of that role at the end; a new one where the other role spoke last.
    fn entry(&mut self, role: &'static str) -> &mut Entry<'a> {
        if self.entries.last().is_some_and(|entry| entry.role != role) {
            self.close();
        }
        let fits = self.entries.last().is_some_and(|entry| entry.role == role);
        let at = if fits { self.entries.len() - 1 } else { self.entries.len() };
        if !fits {
            self.entries.push(Entry { role, blocks: Vec::new(), calls: Vec::new() });
        }
        #[expect(clippy::indexing_slicing, reason = "`at` is the last entry, which is there")]
        &mut self.entries[at]
    }

    /// The model's turn never ends with thinking: what nothing followed is left out.
    fn close(&mut self) {
        let Some(entry) = self.entries.last_mut().filter(|entry| entry.role == ASSISTANT) else { return };
        while matches!(entry.blocks.last(), Some(Wire::Exact(_))) {
            entry.blocks.pop();
            self.losses.degrade("reasoning", "nothing followed it");
        }
        if entry.blocks.is_empty() {
            self.entries.pop();
        }
    }

    fn text(&mut self, role: &'static str, text: Cow<'a, str>) {
        if !text.trim().is_empty() {
            self.entry(role).blocks.push(Wire::text(text));
        }
    }

    fn call(&mut self, call: &'a ToolCall) {
        if call.state.is_some() {
            self.lose_reasoning();
        }
        let entry = self.entry(ASSISTANT);
        let number = entry.calls.len();
        let place = (self.entries.len() - 1, number);
        let id = self.ids.call(&call.id, place);
        let block = Wire::ToolUse {
            id: Cow::Owned(id.clone()),
            name: Cow::Owned(fit_name(&call.name, &NAMES)),
            input: wire::input(&call.arguments, call.free_form),
            cache_control: None,
        };
        let entry = self.entry(ASSISTANT);
        entry.blocks.push(block);
        entry.calls.push((id, None));
    }

    fn result(&mut self, result: &'a ToolResult, path: &str, index: usize) {
        let mut content = Vec::new();
        for part in &result.content {
            match part {
                ResultPart::Text(text) if text.trim().is_empty() => {}
                ResultPart::Text(text) => content.push(Wire::text(text.as_str())),
                ResultPart::Media(media) => {
                    content.extend(media::encode(media, self.dialect, Place(path, index), self.losses));
                }
            }
        }
        if content.is_empty() && result.failed {
            // A failure without a word is refused.
            content.push(Wire::text(NO_OUTPUT));
        }
        let place = self.ids.result(&result.id);
        let slot = place.and_then(|(entry, call)| self.entries.get_mut(entry)?.calls.get_mut(call));
        let Some((id, slot)) = slot else {
            self.losses.degrade(format!("{path}.blocks[{index}]"), "a result without its call");
            self.entry(USER).blocks.append(&mut content);
            return;
        };
        *slot = Some(Wire::ToolResult {
            tool_use_id: id.clone(),
            content,
            is_error: result.failed,
            cache_control: None,
        });
        // The user's turn begins here, even if nothing else is said in it.
        if place.is_some_and(|(entry, _)| entry + 1 == self.entries.len()) {
            self.entry(USER);
        }
    }

    fn reasoning(&mut self, reasoning: &'a Reasoning) {
        match &reasoning.state {
            Some(state) if state.is_from(ORIGIN, &self.dialect.provider) => {
                if !state.blocks.is_empty() {
                    self.entry(ASSISTANT).blocks.extend(state.blocks.iter().map(Wire::Exact));
                }
            }
            Some(_) | None if reasoning.is_empty() => {}
            Some(_) | None => self.lose_reasoning(),
        }
    }

    fn lose_reasoning(&mut self) {
        self.losses.degrade("reasoning", "foreign reasoning");
    }

    fn finish(mut self) -> Vec<Message<'a>> {
        self.close();
        let mut messages: Vec<Message<'a>> = Vec::with_capacity(self.entries.len() + 1);
        let mut owed: Vec<Wire<'a>> = Vec::new();
        for entry in self.entries {
            if entry.role == ASSISTANT && messages.is_empty() {
                messages.push(opening());
            }
            let mut content = std::mem::take(&mut owed);
            content.extend(entry.blocks);
            if !content.is_empty() {
                messages.push(Message { role: entry.role, content });
            }
            for (id, result) in entry.calls {
                owed.push(result.unwrap_or_else(|| {
                    self.losses.degrade("turns", "a call without its result");
                    Wire::ToolResult {
                        tool_use_id: id,
                        content: vec![Wire::text(NO_OUTPUT)],
                        is_error: false,
                        cache_control: None,
                    }
                }));
            }
        }
        if !owed.is_empty() {
            messages.push(Message { role: USER, content: owed });
        }
        if messages.is_empty() {
            messages.push(opening());
        }
        trim_end(&mut messages);
        messages
    }
}

fn opening<'a>() -> Message<'a> {
    Message { role: USER, content: vec![Wire::text(OPENING)] }
}

/// The model's words that are to be continued must not end with white space.
fn trim_end(messages: &mut [Message<'_>]) {
    let last = messages.last_mut().filter(|message| message.role == ASSISTANT);
    if let Some(Wire::Text { text, .. }) = last.and_then(|message| message.content.last_mut()) {
        let kept = text.trim_end().len();
        if kept < text.len() {
            *text = Cow::Owned(text.trim_end().to_owned());
        }
    }
}

#[cfg(test)]
mod tests;

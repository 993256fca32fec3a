//! Neutral words -> a request for a Chat target.
//!
//! What many servers demand is done for all: instructions first as one `system` message, a `tool`
//! message right behind the calls it belongs to, a plain text where there is only text.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_id, fit_name, nine_characters};
use crate::ir::request::{
    Block, Effort, Format, Level, Media, MediaKind, Request, ResultPart, Role, Source, Tool, ToolCall,
    ToolChoice, ToolForm, ToolResult, Turn,
};
use crate::protocol::dialect::{LimitField, ReasoningField, ReasoningStyle};
use crate::protocol::wire::TargetContext;

/// What a function may be called (OpenAI's reference, `tools.function.name`).
pub(super) const NAMES: NameRule = NameRule { length: 64, extra: "", starts_with_letter: false };
/// `stop` takes so many texts.
const MOST_STOPS: usize = 4;
const ORIGIN: &str = "openai-chat";
const LEVELS: [Level; 5] = [Level::Minimal, Level::Low, Level::Medium, Level::High, Level::XHigh];

/// Writes a request.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let mut writer = Writer { target, losses: &mut losses, messages: Vec::new(), answered: results(request) };
    writer.conversation(request);
    let messages = writer.messages;
    let dialect = target.dialect;
    let limit = request.limit.map(|limit| limit.min(dialect.max_output.unwrap_or(u64::MAX)));
    let has_tools = !request.tools.is_empty();
    let body = Body {
        model: target.model,
        messages,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request
            .choice
            .as_ref()
            .filter(|_| has_tools)
            .and_then(|c| choice(c, target, &mut losses)),
        parallel_tool_calls: (has_tools && request.one_call).then_some(false),
        reasoning_effort: effort(request, target, &mut losses),
        response_format: request.format.as_ref().map(format),
        verbosity: request.verbosity.as_deref(),
        temperature: request.sampling.temperature.clone(),
        top_p: request.sampling.top_p.clone(),
        stop: stops(request, &mut losses),
        seed: request.sampling.seed.clone(),
        presence_penalty: request.sampling.presence_penalty.clone(),
        frequency_penalty: request.sampling.frequency_penalty.clone(),
        max_tokens: limit.filter(|_| dialect.limit_field == LimitField::MaxTokens),
        max_completion_tokens: limit.filter(|_| dialect.limit_field == LimitField::MaxCompletionTokens),
        prompt_cache_key: request.cache_key.as_deref().or(target.session).filter(|_| dialect.is_openai),
        stream: request.stream.then_some(true),
        stream_options: request.stream.then(|| json!({"include_usage": true})),
    };
    if request.sampling.top_k.is_some() {
        losses.degrade("top_k", "Chat has no such field");
    }
    // A struct of texts, numbers and values can always be written.
    (serde_json::to_string(&body).unwrap_or_default(), losses)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
}

#[derive(Default, Serialize)]
struct Message {
    role: &'static str,
    /// Null where an assistant only calls.
    content: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

/// Writes the conversation.
struct Writer<'a, 't> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    messages: Vec<Message>,
    /// Ids of the results that are there.
    answered: HashSet<String>,
}

impl Writer<'_, '_> {
    fn conversation(&mut self, request: &Request) {
        if !request.system.is_empty() {
            self.say("system", request.system.join("\n\n"));
        }
        let mut called = HashSet::new();
        for (index, turn) in request.turns.iter().enumerate() {
            match turn.role {
                Role::Instructions => self.instructions(turn),
                Role::User => self.user(turn, &called),
                Role::Assistant => {
                    called.extend(calls(turn).map(|call| call.id.clone()));
                    self.assistant(turn, index);
                }
            }
        }
    }

    fn say(&mut self, role: &'static str, text: String) {
        self.messages.push(Message { role, content: text.into(), ..Message::default() });
    }

    /// Many servers take `system` first only.
    fn instructions(&mut self, turn: &Turn) {
        let text = joined(turn);
        if text.is_empty() {
        } else if self.target.dialect.is_openai {
            self.say("developer", text);
        } else {
            self.say("user", format!("<system-reminder>\n{text}\n</system-reminder>"));
        }
    }

    fn user(&mut self, turn: &Turn, called: &HashSet<String>) {
        let mut pictures = Vec::new();
        let mut parts = Vec::new();
        for block in &turn.blocks {
            match block {
                Block::Result(result) if called.contains(&result.id) => self.result(result, &mut pictures),
                Block::Result(result) => {
                    self.losses.degrade("tool result", "it belongs to no call; sent as text of the user");
                    parts.push(text_part(&result_text(result, &mut Vec::new())));
                }
                Block::Text(text) | Block::Refusal(text) => parts.push(text_part(text)),
                Block::Media(media) => parts.extend(self.media(media)),
                Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
        let media: Vec<Value> = pictures.iter().filter_map(|media| self.media(media)).collect();
        self.parts(media);
        self.parts(parts);
    }

    /// A user message: a plain text where there is only text.
    fn parts(&mut self, parts: Vec<Value>) {
        if parts.is_empty() {
            return;
        }
        let texts: Option<Vec<&str>> =
            parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
        let content = texts.map(|texts| Value::from(texts.join("\n\n")));
        let content = content.unwrap_or(Value::Array(parts));
        self.messages.push(Message { role: "user", content, ..Message::default() });
    }

    fn result(&mut self, result: &ToolResult, pictures: &mut Vec<Media>) {
        let text = result_text(result, pictures);
        let tool_call_id = Some(self.id(&result.id));
        self.messages.push(Message {
            role: "tool",
            content: text.into(),
            tool_call_id,
            ..Message::default()
        });
    }

    fn assistant(&mut self, turn: &Turn, index: usize) {
        let mut message = Message { role: "assistant", ..Message::default() };
        let texts: Vec<&str> = turn
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text(text) if !text.is_empty() => Some(text.as_str()),
                _ => None,
            })
            .collect();
        if !texts.is_empty() {
            message.content = texts.join("\n\n").into();
        }
        let refusals: Vec<&str> = turn
            .blocks
            .iter()
            .filter_map(|block| if let Block::Refusal(text) = block { Some(text.as_str()) } else { None })
            .collect();
        message.refusal = (!refusals.is_empty()).then(|| refusals.join("\n\n"));
        message.tool_calls = calls(turn).map(|call| self.call(call, index)).collect();
        self.reasoning(turn, index, &mut message);
        if message.content.is_null() && message.tool_calls.is_empty() && message.refusal.is_none() {
            // Nothing that a reader would see: a turn of reasoning alone.
            return;
        }
        self.messages.push(message);
        let answered = std::mem::take(&mut self.answered);
        for call in calls(turn).filter(|call| !answered.contains(&call.id)) {
            self.losses.degrade("tool call", "it has no result; an empty one is sent");
            let content = "[no output recorded]".into();
            let tool_call_id = Some(self.id(&call.id));
            self.messages.push(Message { role: "tool", content, tool_call_id, ..Message::default() });
        }
        self.answered = answered;
    }

    /// State goes back to the provider that made it; visible reasoning to every turn with calls,
    /// where servers such as DeepSeek's demand it.
    fn reasoning(&mut self, turn: &Turn, index: usize, message: &mut Message) {
        let mut text = String::new();
        for block in &turn.blocks {
            let Block::Reasoning(reasoning) = block else { continue };
            match &reasoning.state {
                // Words are nobody's secret, whoever said them.
                Some(state) if state.text().is_some() => {
                    text.push_str(state.text().filter(|_| reasoning.text.is_empty()).unwrap_or_default());
                }
                Some(state) if state.blocks.is_empty() => {}
                Some(state) if state.is_from(ORIGIN, &self.target.dialect.provider) => {
                    message.reasoning_details.get_or_insert_default().extend(state.blocks.iter().cloned());
                }
                Some(_) => {
                    self.losses.degrade(format!("turns[{index}].reasoning"), "foreign reasoning");
                }
                None => {}
            }
            text.push_str(&reasoning.text);
        }
        if text.is_empty() || message.tool_calls.is_empty() {
            return;
        }
        match self.target.dialect.reasoning_field {
            ReasoningField::ReasoningContent => message.reasoning_content = Some(text),
            ReasoningField::Reasoning => message.reasoning = Some(text),
            ReasoningField::None => {}
        }
    }

    fn call(&mut self, call: &ToolCall, index: usize) -> Value {
        let mut value = json!({
            "id": self.id(&call.id),
            "type": "function",
            "function": {"name": fit_name(&call.name, &NAMES), "arguments": arguments(call)},
        });
        let provider = &self.target.dialect.provider;
        let own = call.state.as_ref().filter(|state| state.is_from(ORIGIN, provider));
        if own.is_none() && call.state.as_ref().is_some_and(|state| !state.blocks.is_empty()) {
            self.losses.degrade(format!("turns[{index}].reasoning"), "foreign reasoning");
        }
        if let (Some(extra), Some(object)) =
            (own.and_then(|state| state.blocks.first()), value.as_object_mut())
        {
            object.insert("extra_content".to_owned(), extra.clone());
        }
        value
    }

    fn id(&self, id: &str) -> String {
        if self.target.dialect.nine_character_ids { nine_characters(id) } else { fit_id(id, 64) }
    }

    fn media(&mut self, media: &Media) -> Option<Value> {
        let refuses = self.target.dialect.refuses;
        match (media.kind, &media.source) {
            (MediaKind::Image, Source::Inline { mime, data }) if !refuses.images => {
                Some(image(&format!("data:{mime};base64,{data}"), media))
            }
            (MediaKind::Image, Source::Url(url)) if !refuses.image_urls => Some(image(url, media)),
            (MediaKind::Document, Source::Inline { mime, data }) if !refuses.pdf => {
                let name = media.name.as_deref().unwrap_or("document.pdf");
                let data = format!("data:{mime};base64,{data}");
                Some(json!({"type": "file", "file": {"filename": name, "file_data": data}}))
            }
            (MediaKind::Audio, Source::Inline { mime, data }) => {
                let format = mime.rsplit('/').next().unwrap_or("wav").trim_start_matches("x-");
                let format = if format == "mpeg" { "mp3" } else { format };
                Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
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

fn results(request: &Request) -> HashSet<String> {
    let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
    blocks
        .filter_map(|block| if let Block::Result(result) = block { Some(result.id.clone()) } else { None })
        .collect()
}

fn calls(turn: &Turn) -> impl Iterator<Item = &ToolCall> {
    turn.blocks.iter().filter_map(|block| if let Block::Call(call) = block { Some(call) } else { None })
}

fn joined(turn: &Turn) -> String {
    let texts = turn.blocks.iter().filter_map(|block| match block {
        Block::Text(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// The text of a result; its media are told of, and put aside for the next user message.
fn result_text(result: &ToolResult, pictures: &mut Vec<Media>) -> String {
    let mut texts = Vec::new();
    for part in &result.content {
        match part {
            ResultPart::Text(text) => texts.push(text.clone()),
            ResultPart::Media(media) => {
                pictures.push(media.clone());
                texts.push(format!("[image {} in the next message]", pictures.len()));
            }
        }
    }
    texts.join("\n")
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn image(url: &str, media: &Media) -> Value {
    match media.detail.as_deref().filter(|detail| matches!(*detail, "auto" | "low" | "high")) {
        Some(detail) => json!({"type": "image_url", "image_url": {"url": url, "detail": detail}}),
        None => json!({"type": "image_url", "image_url": {"url": url}}),
    }
}

/// A function's arguments; the input of a free-form tool is its one member.
fn arguments(call: &ToolCall) -> String {
    if call.free_form {
        json!({"input": call.arguments}).to_string()
    } else if call.arguments.trim().is_empty() {
        "{}".to_owned()
    } else {
        call.arguments.clone()
    }
}

fn tool(tool: &Tool) -> Value {
    let name = fit_name(&tool.name, &NAMES);
    let mut function = json!({"name": name});
    let (description, schema, strict) = match &tool.form {
        ToolForm::Function { schema, strict } => (tool.description.clone(), schema.clone(), *strict),
        ToolForm::FreeForm { grammar } => {
            let schema = json!({
                "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
            });
            let described =
                [tool.description.clone(), grammar.clone()].into_iter().flatten().collect::<Vec<_>>();
            ((!described.is_empty()).then(|| described.join("\n\n")), schema, None)
        }
    };
    if let Some(object) = function.as_object_mut() {
        object.extend(description.map(|text| ("description".to_owned(), Value::from(text))));
        object.insert("parameters".to_owned(), schema);
        object.extend(strict.map(|strict| ("strict".to_owned(), Value::from(strict))));
    }
    json!({"type": "function", "function": function})
}

fn choice(choice: &ToolChoice, target: &TargetContext<'_>, losses: &mut Losses) -> Option<Value> {
    let named = |name: &str| json!({"type": "function", "function": {"name": fit_name(name, &NAMES)}});
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Any => Some("required".into()),
        ToolChoice::One(name) => Some(named(name)),
        ToolChoice::OneOf(names) if target.dialect.is_openai => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            Some(json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}))
        }
        ToolChoice::OneOf(names) => match names.as_slice() {
            [only] => Some(named(only)),
            _ => {
                losses.degrade("tool_choice", "a choice among some tools; any of all is asked for");
                Some("required".into())
            }
        },
    }
}

fn effort(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> Option<&'static str> {
    let wanted = match request.effort {
        Effort::Unset => return None,
        Effort::Off if target.dialect.reasoning == ReasoningStyle::None => return None,
        Effort::Off => return Some("none"),
        Effort::On => Level::Medium,
        Effort::Level(level) => level,
        Effort::Budget(tokens) => Level::of_budget(tokens),
    };
    if target.dialect.reasoning == ReasoningStyle::None {
        losses.degrade("reasoning_effort", "the target does not reason");
        return None;
    }
    let level = wanted.nearest(&LEVELS);
    if level != wanted {
        losses.degrade("reasoning_effort", "the nearest level that Chat knows is used");
    }
    Some(level.name())
}

fn format(format: &Format) -> Value {
    match format {
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut inner = json!({"name": name.as_deref().unwrap_or("output")});
            if let Some(object) = inner.as_object_mut() {
                object
                    .extend(description.as_deref().map(|text| ("description".to_owned(), Value::from(text))));
                object.insert("schema".to_owned(), schema.clone());
                object.extend(strict.map(|strict| ("strict".to_owned(), Value::from(strict))));
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}

fn stops(request: &Request, losses: &mut Losses) -> Vec<String> {
    let stops = &request.sampling.stop;
    if stops.len() > MOST_STOPS {
        losses.degrade("stop", "Chat takes four stop texts");
    }
    stops.iter().take(MOST_STOPS).cloned().collect()
}

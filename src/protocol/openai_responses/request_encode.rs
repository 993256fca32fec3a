//! Neutral words -> a request for a Responses target.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::base::json;
use crate::ir::loss::Losses;
use crate::ir::names::{fit_id, fit_name};
use crate::ir::request::{
    Block, Effort, Format, Level, Media, MediaKind, Reasoning, Request, ResultPart, Role, Source, Tool,
    ToolCall, ToolChoice, ToolForm, ToolResult, Turn,
};
use crate::protocol::dialect::ReasoningStyle;
use crate::protocol::openai_responses::{NAMES, ORIGIN};
use crate::protocol::wire::TargetContext;

const LEVELS: [Level; 5] = [Level::Minimal, Level::Low, Level::Medium, Level::High, Level::XHigh];
/// The reference allows no lower limit.
const LEAST_OUTPUT: u64 = 16;
const ID_LENGTH: usize = 64;

/// Writes a request.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let mut writer = Writer { target, losses: &mut losses, input: Vec::new() };
    writer.conversation(request);
    let input = writer.input;
    let has_tools = !request.tools.is_empty();
    let most = target.dialect.max_output.unwrap_or(u64::MAX);
    let reasons = target.dialect.reasoning != ReasoningStyle::None;
    let body = Body {
        model: target.model,
        instructions: (!request.system.is_empty()).then(|| request.system.join("\n\n")),
        input,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: request.choice.as_ref().filter(|_| has_tools).map(|asked| choice(asked, &request.tools)),
        parallel_tool_calls: (has_tools && request.one_call).then_some(false),
        reasoning: reasoning(request, reasons, &mut losses),
        text: text(request),
        temperature: request.sampling.temperature.clone(),
        top_p: request.sampling.top_p.clone(),
        max_output_tokens: request.limit.map(|limit| limit.clamp(LEAST_OUTPUT, most.max(LEAST_OUTPUT))),
        prompt_cache_key: request.cache_key.as_deref().or(target.session),
        store: false,
        include: if reasons { vec!["reasoning.encrypted_content"] } else { Vec::new() },
        stream: request.stream.then_some(true),
    };
    lost(request, &mut losses);
    // A struct of texts, numbers and values can always be written.
    (json::written(&body), losses)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    store: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

/// What Responses has no field for.
fn lost(request: &Request, losses: &mut Losses) {
    let sampling = &request.sampling;
    let fields = [
        ("top_k", sampling.top_k.is_some()),
        ("stop", !sampling.stop.is_empty()),
        ("seed", sampling.seed.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
    ];
    for (name, _) in fields.iter().filter(|(_, is_set)| *is_set) {
        losses.degrade(*name, "Responses has no such field");
    }
}

struct Writer<'a, 't> {
    target: &'a TargetContext<'t>,
    losses: &'a mut Losses,
    input: Vec<Value>,
}

impl Writer<'_, '_> {
    fn conversation(&mut self, request: &Request) {
        let blocks = || request.turns.iter().flat_map(|turn| &turn.blocks);
        let answered: HashSet<&str> = blocks()
            .filter_map(|b| if let Block::Result(result) = b { Some(result.id.as_str()) } else { None })
            .collect();
        let called: HashSet<&str> = blocks()
            .filter_map(|b| if let Block::Call(call) = b { Some(call.id.as_str()) } else { None })
            .collect();
        let free: HashSet<&str> = blocks()
            .filter_map(|b| {
                if let Block::Call(call) = b { call.free_form.then_some(call.id.as_str()) } else { None }
            })
            .collect();
        for turn in &request.turns {
            match turn.role {
                Role::Instructions => self.message("developer", turn),
                Role::User => {
                    for block in &turn.blocks {
                        match block {
                            Block::Result(result) if called.contains(result.id.as_str()) => {
                                self.result(result, free.contains(result.id.as_str()));
                            }
                            Block::Result(result) => {
                                self.losses.degrade(
                                    "tool result",
                                    "it belongs to no call; sent as text of the user",
                                );
                                let text = json!([{"type": "input_text", "text": plain(result)}]);
                                self.input.push(json!({"type": "message", "role": "user", "content": text}));
                            }
                            Block::Text(_)
                            | Block::Refusal(_)
                            | Block::Media(_)
                            | Block::Call(_)
                            | Block::Reasoning(_) => {}
                        }
                    }
                    self.message("user", turn);
                }
                Role::Assistant => self.assistant(turn, &answered),
            }
        }
    }

    fn message(&mut self, role: &str, turn: &Turn) {
        let mut parts = Vec::new();
        for block in &turn.blocks {
            match block {
                Block::Text(text) | Block::Refusal(text) if !text.is_empty() => {
                    parts.push(json!({"type": "input_text", "text": text}));
                }
                Block::Media(media) => parts.extend(self.media(media)),
                Block::Text(_)
                | Block::Refusal(_)
                | Block::Call(_)
                | Block::Result(_)
                | Block::Reasoning(_) => {}
            }
        }
        if !parts.is_empty() {
            self.input.push(json!({"type": "message", "role": role, "content": parts}));
        }
    }

    fn assistant(&mut self, turn: &Turn, answered: &HashSet<&str>) {
        let mut missing = Vec::new();
        for block in &turn.blocks {
            match block {
                Block::Text(text) if !text.is_empty() => {
                    self.said(json!({"type": "output_text", "text": text}))
                }
                Block::Refusal(text) => self.said(json!({"type": "refusal", "refusal": text})),
                Block::Call(call) => {
                    if call.state.as_ref().is_some_and(|state| !state.blocks.is_empty()) {
                        self.losses.degrade("reasoning", "foreign reasoning");
                    }
                    let item = self.call(call);
                    self.input.push(item);
                    if !answered.contains(call.id.as_str()) {
                        missing.push(call);
                    }
                }
                Block::Reasoning(reasoning) => {
                    let own = reasoning
                        .state
                        .as_ref()
                        .filter(|state| state.is_from(ORIGIN, &self.target.dialect.provider))
                        .filter(|state| !state.blocks.is_empty());
                    match own {
                        Some(state) => self.input.extend(state.blocks.iter().cloned()),
                        None => self.lose_reasoning(reasoning),
                    }
                }
                Block::Text(_) | Block::Media(_) | Block::Result(_) => {}
            }
        }
        for call in missing {
            self.losses.degrade("tool call", "it has no result; an empty one is sent");
            let kind = if call.free_form { "custom_tool_call_output" } else { "function_call_output" };
            let id = fit_id(&call.id, ID_LENGTH);
            self.input.push(json!({"type": kind, "call_id": id, "output": "[no output recorded]"}));
        }
    }

    /// Responses takes back no reasoning but its own.
    fn lose_reasoning(&mut self, reasoning: &Reasoning) {
        let has_state = reasoning.state.as_ref().is_some_and(|state| !state.blocks.is_empty());
        if has_state || !reasoning.text.is_empty() {
            self.losses.degrade("reasoning", "foreign reasoning");
        }
    }

    fn said(&mut self, part: Value) {
        self.input.push(json!({"type": "message", "role": "assistant", "content": [part]}));
    }

    fn call(&self, call: &ToolCall) -> Value {
        let id = fit_id(&call.id, ID_LENGTH);
        let name = fit_name(&call.name, &NAMES);
        if call.free_form {
            return json!({"type": "custom_tool_call", "call_id": id, "name": name, "input": call.arguments});
        }
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments})
    }

    fn result(&mut self, result: &ToolResult, free_form: bool) {
        let has_media = result.content.iter().any(|part| matches!(part, ResultPart::Media(_)));
        let output = if has_media {
            let mut parts = Vec::new();
            for part in &result.content {
                match part {
                    ResultPart::Text(text) => parts.push(json!({"type": "input_text", "text": text})),
                    ResultPart::Media(media) => parts.extend(self.media(media)),
                }
            }
            Value::Array(parts)
        } else {
            plain(result).into()
        };
        let kind = if free_form { "custom_tool_call_output" } else { "function_call_output" };
        self.input.push(json!({"type": kind, "call_id": fit_id(&result.id, ID_LENGTH), "output": output}));
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
                Some(json!({"type": "input_file", "filename": name, "file_data": data}))
            }
            (MediaKind::Document, Source::Url(url)) if !refuses.pdf => {
                Some(json!({"type": "input_file", "file_url": url}))
            }
            (MediaKind::Audio, _) => {
                self.losses.refuse("audio", "Responses takes no sound");
                None
            }
            (MediaKind::Image | MediaKind::Document, _) => {
                self.losses.degrade("media", "the target is known not to take it");
                None
            }
        }
    }
}

/// The text of a result; a failed tool is told by its text.
fn plain(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|part| match part {
        ResultPart::Text(text) => Some(text.as_str()),
        ResultPart::Media(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn image(url: &str, media: &Media) -> Value {
    let detail = media.detail.as_deref().unwrap_or("auto");
    json!({"type": "input_image", "image_url": url, "detail": detail})
}

fn tool(tool: &Tool) -> Value {
    let name = fit_name(&tool.name, &NAMES);
    match &tool.form {
        ToolForm::Function { schema, strict } => {
            let mut value = json!({"type": "function", "name": name});
            if let Some(object) = value.as_object_mut() {
                object.extend(
                    tool.description.clone().map(|text| ("description".to_owned(), Value::from(text))),
                );
                object.insert("parameters".to_owned(), schema.clone());
                // Responses' own default is strict.
                object.insert("strict".to_owned(), Value::from(strict.unwrap_or(false)));
            }
            value
        }
        ToolForm::FreeForm { grammar } => {
            let described: Vec<String> =
                [tool.description.clone(), grammar.clone()].into_iter().flatten().collect();
            json!({"type": "custom", "name": name, "description": described.join("\n\n")})
        }
    }
}

fn choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    let is_free_form = |name: &str| {
        let mut known = tools.iter().filter(|tool| tool.name == name);
        known.any(|tool| matches!(tool.form, ToolForm::FreeForm { .. }))
    };
    let named = |name: &str| {
        let kind = if is_free_form(name) { "custom" } else { "function" };
        json!({"type": kind, "name": fit_name(name, &NAMES)})
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::One(name) => named(name),
        ToolChoice::OneOf(names) => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            json!({"type": "allowed_tools", "mode": "required", "tools": tools})
        }
    }
}

fn reasoning(request: &Request, reasons: bool, losses: &mut Losses) -> Option<Value> {
    let wanted = match request.effort {
        Effort::Unset => return reasons.then(|| json!({"summary": "auto"})),
        Effort::Off => return reasons.then(|| json!({"effort": "none"})),
        Effort::On => Level::Medium,
        Effort::Level(level) => level,
        Effort::Budget(tokens) => Level::of_budget(tokens),
    };
    if !reasons {
        losses.degrade("reasoning.effort", "the target does not reason");
        return None;
    }
    let level = wanted.nearest(&LEVELS);
    if level != wanted {
        losses.degrade("reasoning.effort", "the nearest level that Responses knows is used");
    }
    Some(json!({"effort": level.name(), "summary": "auto"}))
}

fn text(request: &Request) -> Option<Value> {
    let format = request.format.as_ref().map(|format| match format {
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut value = json!({"type": "json_schema", "name": name.as_deref().unwrap_or("output")});
            if let Some(object) = value.as_object_mut() {
                object.extend(description.clone().map(|text| ("description".to_owned(), Value::from(text))));
                object.insert("schema".to_owned(), schema.clone());
                object.extend(strict.map(|strict| ("strict".to_owned(), Value::from(strict))));
            }
            value
        }
    });
    match (format, &request.verbosity) {
        (None, None) => None,
        (Some(format), None) => Some(json!({"format": format})),
        (None, Some(verbosity)) => Some(json!({"verbosity": verbosity})),
        (Some(format), Some(verbosity)) => Some(json!({"format": format, "verbosity": verbosity})),
    }
}

//! Neutral words -> a request for a Responses target.

use serde_json::Value;

use crate::base::object::{Object, object};
use crate::base::pen::{self, Pen, Put, Raw};
use crate::base::table::Table;
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
    let length = request.length();
    let mut writer = Writer { target, losses: &mut losses, input: Vec::with_capacity(length) };
    writer.conversation(request);
    if writer.input.is_empty() {
        // Instructions alone are refused.
        writer.say("user", &Part::input(""));
    }
    let input = writer.input;
    let has_tools = !request.tools.is_empty();
    let most = target.dialect.max_output.unwrap_or(u64::MAX);
    let reasons = target.dialect.reasoning != ReasoningStyle::None;
    let reasoning = reasoning(request, reasons, &mut losses);
    lost(request, &mut losses);
    let body = pen::long_object(length, |pen| {
        pen.put("model", target.model);
        let instructions = (!request.system.is_empty()).then(|| request.system.join("\n\n"));
        pen.put_some("instructions", instructions);
        pen.list_at("input", |pen| pen.raw(&input));
        if has_tools {
            pen.put("tools", &request.tools.iter().map(Declared).collect::<Vec<_>>());
            let choice = request.choice.as_ref().map(|asked| choice(asked, &request.tools));
            pen.put_some("tool_choice", choice);
            pen.put_some("parallel_tool_calls", request.one_call.then_some(false));
        }
        pen.put_some("reasoning", reasoning);
        if request.format.is_some() || request.verbosity.is_some() {
            pen.object_at("text", |pen| {
                pen.put_some("format", request.format.as_ref().map(Wanted));
                pen.put_some("verbosity", request.verbosity.as_deref());
            });
        }
        pen.put_some("temperature", request.sampling.temperature.as_ref());
        pen.put_some("top_p", request.sampling.top_p.as_ref());
        let limit = request.limit.map(|limit| limit.clamp(LEAST_OUTPUT, most.max(LEAST_OUTPUT)));
        pen.put_some("max_output_tokens", limit);
        pen.put_some("prompt_cache_key", request.cache_key.as_deref().or(target.session));
        pen.put("store", &false);
        if reasons {
            pen.raw(br#","include":["reasoning.encrypted_content"]"#);
        }
        pen.put_some("stream", request.stream.then_some(true));
    });
    (body, losses)
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
    /// The items, as they are written.
    input: Vec<u8>,
}

impl Writer<'_, '_> {
    fn conversation(&mut self, request: &Request) {
        let blocks = || request.turns.iter().flat_map(|turn| &turn.blocks);
        let answered: Table<&str, ()> = blocks()
            .filter_map(|b| if let Block::Result(result) = b { Some((result.id.as_str(), ())) } else { None })
            .collect();
        let called: Table<&str, ()> = blocks()
            .filter_map(|b| if let Block::Call(call) = b { Some((call.id.as_str(), ())) } else { None })
            .collect();
        let free: Table<&str, ()> = blocks()
            .filter_map(|b| {
                if let Block::Call(call) = b {
                    call.free_form.then_some((call.id.as_str(), ()))
                } else {
                    None
                }
            })
            .collect();
        for turn in &request.turns {
            match turn.role {
                Role::Instructions => self.message("developer", turn),
                Role::User => {
                    for block in &turn.blocks {
                        match block {
                            Block::Result(result) if called.contains_key(result.id.as_str()) => {
                                self.result(result, free.contains_key(result.id.as_str()));
                            }
                            Block::Result(result) => {
                                self.losses.degrade(
                                    "tool result",
                                    "it belongs to no call; sent as text of the user",
                                );
                                self.say("user", &Part::input(&plain(result)));
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

    fn assistant(&mut self, turn: &Turn, answered: &Table<&str, ()>) {
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
                    self.call(call);
                    if !answered.contains_key(call.id.as_str()) {
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
                        Some(state) => {
                            state.blocks.iter().for_each(|item| Pen::on(&mut self.input).add(item))
                        }
                        None => self.lose_reasoning(reasoning),
                    }
                }
                Block::Text(_) | Block::Media(_) | Block::Result(_) => {}
            }
        }
        for call in missing {
            self.losses.degrade("tool call", "it has no result; an empty one is sent");
            self.output(&call.id, call.free_form, &"[no output recorded]");
        }
    }

    /// Responses takes back no reasoning but its own.
    fn lose_reasoning(&mut self, reasoning: &Reasoning) {
        let has_state = reasoning.state.as_ref().is_some_and(|state| !state.blocks.is_empty());
        if has_state || !reasoning.text.is_empty() {
            self.losses.degrade("reasoning", "foreign reasoning");
        }
    }

    fn call(&mut self, call: &ToolCall) {
        let (kind, key) =
            if call.free_form { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
        let is_empty = !call.free_form && call.arguments.trim().is_empty();
        Pen::on(&mut self.input).add_object(|pen| {
            pen.put("type", kind);
            pen.put("call_id", &fit_id(&call.id, ID_LENGTH));
            pen.put("name", &fit_name(&call.name, &NAMES));
            pen.put(key, if is_empty { "{}" } else { &call.arguments });
        });
    }

    fn result(&mut self, result: &ToolResult, free_form: bool) {
        let has_media = result.content.iter().any(|part| matches!(part, ResultPart::Media(_)));
        if !has_media {
            return self.output(&result.id, free_form, &plain(result));
        }
        let mut parts = vec![b'['];
        for part in &result.content {
            match part {
                ResultPart::Text(text) => Pen::on(&mut parts).add(&Part::input(text)),
                ResultPart::Media(media) => self.media(media, &mut parts),
            }
        }
        parts.push(b']');
        self.output(&result.id, free_form, &Raw(&parts));
    }

    /// Adds what a call gave.
    fn output(&mut self, id: &str, free_form: bool, output: &dyn Put) {
        let kind = if free_form { "custom_tool_call_output" } else { "function_call_output" };
        Pen::on(&mut self.input).add_object(|pen| {
            pen.put("type", kind);
            pen.put("call_id", &fit_id(id, ID_LENGTH));
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

/// The text of a result; a failed tool is told by its text.
fn plain(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|part| match part {
        ResultPart::Text(text) => Some(text.as_str()),
        ResultPart::Media(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn image(url: &str, media: &Media) -> Object {
    let detail = media.detail.as_deref().unwrap_or("auto");
    object! {"type": "input_image", "image_url": url, "detail": detail}
}

/// A tool as it is declared.
struct Declared<'a>(&'a Tool);

impl Put for Declared<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let tool = self.0;
        let name = fit_name(&tool.name, &NAMES);
        pen.object(|pen| match &tool.form {
            ToolForm::Function { schema, strict } => {
                pen.put("type", "function");
                pen.put("name", &name);
                pen.put_some("description", tool.description.as_deref());
                pen.put("parameters", schema);
                // Responses' own default is strict.
                pen.put("strict", &strict.unwrap_or(false));
            }
            ToolForm::FreeForm { grammar } => {
                pen.put("type", "custom");
                pen.put("name", &name);
                pen.put_some("description", tool.description.as_deref());
                if let Some(grammar) = grammar {
                    pen.object_at("format", |pen| {
                        pen.put("type", "grammar");
                        pen.put("syntax", &grammar.syntax);
                        pen.put("definition", &grammar.definition);
                    });
                }
            }
        });
    }
}

fn choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    let is_free_form = |name: &str| {
        let mut known = tools.iter().filter(|tool| tool.name == name);
        known.any(|tool| matches!(tool.form, ToolForm::FreeForm { .. }))
    };
    let named = |name: &str| {
        let kind = if is_free_form(name) { "custom" } else { "function" };
        Value::from(object! {"type": kind, "name": fit_name(name, &NAMES)})
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::One(name) => named(name),
        ToolChoice::OneOf(names) => {
            let tools: Vec<Value> = names.iter().map(|name| named(name)).collect();
            object! {"type": "allowed_tools", "mode": "required", "tools": tools}.into()
        }
    }
}

fn reasoning(request: &Request, reasons: bool, losses: &mut Losses) -> Option<Object> {
    let wanted = match request.effort {
        Effort::Unset => return reasons.then(|| object! {"summary": "auto"}),
        Effort::Off => return reasons.then(|| object! {"effort": "none"}),
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
    Some(object! {"effort": level.name(), "summary": "auto"})
}

/// The form of the answer.
struct Wanted<'a>(&'a Format);

impl Put for Wanted<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| match self.0 {
            Format::JsonObject => pen.put("type", "json_object"),
            Format::JsonSchema { name, description, schema, strict } => {
                pen.put("type", "json_schema");
                pen.put("name", name.as_deref().unwrap_or("output"));
                pen.put_some("description", description.as_deref());
                pen.put("schema", schema);
                pen.put_some("strict", *strict);
            }
        });
    }
}

//! A Chat client's request -> neutral words.

use serde_json::Value;

use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{
    Block, CallKind, Effort, Format, Level, Media, MediaKind, Reasoning, Request, ResultPart, Role, Sampling,
    Source, Tool, ToolCall, ToolChoice, ToolForm, ToolIdentity, ToolResult, Turn,
};
use crate::protocol::fields::{Fields, data_url};
use crate::protocol::wire::WireError;

const ORIGIN: &str = "openai-chat";

/// Reads a request.
pub(super) fn decode(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = Fields::parse(text)?;
    let mut losses = Losses::default();
    fields.take("model");
    let search = fields.has("web_search_options");
    let mut request = Request {
        search,
        stream: fields.flag("stream")?.unwrap_or(false),
        tools: tools(&mut fields, &mut losses)?,
        choice: choice(&mut fields)?,
        one_call: fields.flag("parallel_tool_calls")? == Some(false),
        sampling: sampling(&mut fields)?,
        effort: effort(&mut fields)?,
        format: format(&mut fields)?,
        verbosity: fields.text("verbosity")?,
        limit: limit(&mut fields)?,
        cache_key: fields.text("prompt_cache_key")?,
        ..Request::default()
    };
    for (index, message) in fields.list("messages")?.unwrap_or_default().into_iter().enumerate() {
        let message = Fields::of(message, format!("messages[{index}]"))?;
        self::message(message, &mut request, &mut losses)?;
    }
    refusals(&mut fields, &mut losses)?;
    fields.lose_rest(&mut losses);
    Ok((request, losses))
}

/// What would mean something else if it were left out.
fn refusals(fields: &mut Fields, losses: &mut Losses) -> Result<(), WireError> {
    if fields.count("n")?.is_some_and(|n| n > 1) {
        losses.refuse("n", "only one answer can be asked for at another protocol");
    }
    let modalities = fields.list("modalities")?.unwrap_or_default();
    if modalities.iter().any(|kind| kind != "text") {
        losses.refuse("modalities", "only text can be answered by another protocol");
    }
    Ok(())
}

fn message(mut message: Fields, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    let role = message.required_text("role")?;
    message.take("name");
    match role.as_str() {
        "system" | "developer" => {
            let text = instructions(&mut message)?;
            if !text.is_empty() && request.turns.is_empty() {
                request.system.push(text);
            } else if !text.is_empty() {
                request.turns.push(Turn::of(Role::Instructions, Block::Text(text)));
            }
        }
        "user" => {
            let blocks = content(&mut message, losses)?;
            request.turns.push(Turn { role: Role::User, blocks });
        }
        "assistant" => {
            let blocks = assistant(&mut message, losses)?;
            request.turns.push(Turn { role: Role::Assistant, blocks });
        }
        "tool" | "function" => {
            let result = result(&mut message, losses)?;
            request.turns.push(Turn::of(Role::User, Block::Result(result)));
        }
        _ => return Err(message.wrong("role", "system, developer, user, assistant or tool")),
    }
    message.lose_rest(losses);
    Ok(())
}

fn instructions(message: &mut Fields) -> Result<String, WireError> {
    let mut losses = Losses::default();
    let blocks = content(message, &mut losses)?;
    let texts = blocks.into_iter().filter_map(|block| match block {
        Block::Text(text) => Some(text),
        _ => None,
    });
    Ok(texts.collect::<Vec<_>>().join("\n\n"))
}

fn assistant(message: &mut Fields, losses: &mut Losses) -> Result<Vec<Block>, WireError> {
    let mut blocks = Vec::new();
    blocks.extend(reasoning(message)?.map(Block::Reasoning));
    blocks.extend(content(message, losses)?);
    blocks.extend(message.text("refusal")?.filter(|text| !text.is_empty()).map(Block::Refusal));
    for (index, call) in message.list("tool_calls")?.unwrap_or_default().into_iter().enumerate() {
        let call = Fields::of(call, message.at(&format!("tool_calls[{index}]")))?;
        blocks.push(Block::Call(self::call(call, losses)?));
    }
    Ok(blocks)
}

/// `reasoning_content`, else `reasoning`; `reasoning_details` are state of the server that made them.
pub(super) fn reasoning(message: &mut Fields) -> Result<Option<Reasoning>, WireError> {
    let content = message.text("reasoning_content")?;
    // Other providers put other things here; only a text is reasoning.
    let plain = message.take("reasoning").and_then(|value| value.as_str().map(str::to_owned));
    let details = message.list("reasoning_details")?.unwrap_or_default();
    let in_details = || {
        let part = |detail: &Value| {
            let text = detail.get("text").or_else(|| detail.get("summary"))?.as_str()?;
            Some(text.to_owned())
        };
        details.iter().filter_map(part).collect::<String>()
    };
    let text = content.or(plain).filter(|text| !text.is_empty()).unwrap_or_else(in_details);
    if text.is_empty() && details.is_empty() {
        return Ok(None);
    }
    let state = (!details.is_empty()).then(|| State::of(ORIGIN, details));
    Ok(Some(Reasoning { text, state }))
}

pub(super) fn call(mut call: Fields, losses: &mut Losses) -> Result<ToolCall, WireError> {
    let id = call.text("id")?.unwrap_or_default();
    call.take("index");
    let kind = call.text("type")?;
    let state = call.take("extra_content").map(|value| State::of(ORIGIN, vec![value]));
    let free_form = kind.as_deref() == Some("custom");
    let (inner, field) = if free_form { ("custom", "input") } else { ("function", "arguments") };
    let Some(mut function) = call.object(inner)? else {
        return Err(call.wrong(inner, "an object"));
    };
    let name = function.required_text("name")?;
    let arguments = match function.take(field) {
        None => String::new(),
        Some(Value::String(text)) => text,
        // Some servers give the object itself.
        Some(value) => value.to_string(),
    };
    call.lose_rest(losses);
    Ok(ToolCall { id, name, arguments, free_form, state })
}

fn result(message: &mut Fields, losses: &mut Losses) -> Result<ToolResult, WireError> {
    let id = message.text("tool_call_id")?.unwrap_or_default();
    let content = content(message, losses)?.into_iter().filter_map(|block| match block {
        Block::Text(text) => Some(ResultPart::Text(text)),
        Block::Media(media) => Some(ResultPart::Media(media)),
        Block::Refusal(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => None,
    });
    Ok(ToolResult { id, name: None, content: content.collect(), failed: false })
}

/// A message's `content`: a text, a list of parts, or nothing.
fn content(message: &mut Fields, losses: &mut Losses) -> Result<Vec<Block>, WireError> {
    let path = message.at("content");
    match message.take("content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Block::Text(text)]),
        Some(Value::Array(parts)) => {
            let mut blocks = Vec::new();
            for (index, part) in parts.into_iter().enumerate() {
                blocks.extend(self::part(Fields::of(part, format!("{path}[{index}]"))?, losses)?);
            }
            Ok(blocks)
        }
        Some(_) => Err(WireError::new(path, "a string or a list of parts")),
    }
}

fn part(mut part: Fields, losses: &mut Losses) -> Result<Option<Block>, WireError> {
    let kind = part.text("type")?;
    let block = match kind.as_deref().unwrap_or("text") {
        "text" | "input_text" | "output_text" => {
            part.text("text")?.filter(|text| !text.is_empty()).map(Block::Text)
        }
        "refusal" => part.text("refusal")?.map(Block::Refusal),
        "thinking" => {
            let text = thinking(&mut part);
            Some(Block::Reasoning(Reasoning { text, state: None }))
        }
        "image_url" => Some(Block::Media(image(&mut part)?)),
        "file" => file(&mut part, losses)?,
        "input_audio" => audio(&mut part)?,
        other => {
            losses.degrade(part.at("type"), format!("content of type {other:?} is not known"));
            return Ok(None);
        }
    };
    part.lose_rest(losses);
    Ok(block)
}

/// Mistral's parts of type `thinking` hold text parts.
pub(super) fn thinking(part: &mut Fields) -> String {
    match part.take("thinking") {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}

fn image(part: &mut Fields) -> Result<Media, WireError> {
    let (url, detail) = match part.take("image_url") {
        Some(Value::String(url)) => (url, None),
        Some(value) => {
            let mut image = Fields::of(value, part.at("image_url"))?;
            (image.required_text("url")?, image.text("detail")?)
        }
        None => return Err(part.wrong("image_url", "an object")),
    };
    Ok(Media { kind: MediaKind::Image, source: source(url), name: None, detail })
}

fn file(part: &mut Fields, losses: &mut Losses) -> Result<Option<Block>, WireError> {
    let Some(mut file) = part.object("file")? else {
        return Err(part.wrong("file", "an object"));
    };
    let name = file.text("filename")?;
    match file.text("file_data")? {
        Some(data) => {
            let source = match data_url(&data) {
                Some((mime, data)) => Source::Inline { mime, data },
                None => Source::Inline { mime: "application/pdf".to_owned(), data },
            };
            Ok(Some(Block::Media(Media { kind: MediaKind::Document, source, name, detail: None })))
        }
        None => {
            losses.refuse(file.at("file_id"), "a file that is stored at one provider is not at another");
            Ok(None)
        }
    }
}

fn audio(part: &mut Fields) -> Result<Option<Block>, WireError> {
    let Some(mut audio) = part.object("input_audio")? else {
        return Err(part.wrong("input_audio", "an object"));
    };
    let mime = format!("audio/{}", audio.text("format")?.unwrap_or_else(|| "wav".to_owned()));
    let source = Source::Inline { mime, data: audio.required_text("data")? };
    Ok(Some(Block::Media(Media { kind: MediaKind::Audio, source, name: None, detail: None })))
}

fn source(url: String) -> Source {
    match data_url(&url) {
        Some((mime, data)) => Source::Inline { mime, data },
        None => Source::Url(url),
    }
}

fn tools(fields: &mut Fields, losses: &mut Losses) -> Result<Vec<Tool>, WireError> {
    let mut tools = Vec::new();
    let mut foreign = Vec::new();
    for (index, tool) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(tool, format!("tools[{index}]"))?;
        let kind = tool.text("type")?.unwrap_or_else(|| "function".to_owned());
        match kind.as_str() {
            "function" => {
                let path = tool.at("function");
                let function = tool.object("function")?.ok_or_else(|| WireError::new(path, "an object"))?;
                tools.push(function_tool(function, losses)?);
            }
            "custom" => {
                let path = tool.at("custom");
                let custom = tool.object("custom")?.ok_or_else(|| WireError::new(path, "an object"))?;
                tools.push(custom_tool(custom)?);
            }
            _ => foreign.push((tool.at("type"), kind)),
        }
    }
    server_tools(foreign, tools.is_empty(), losses);
    Ok(tools)
}

/// Tools that run at the vendor are left out; a request that has no other cannot be meant.
fn server_tools(foreign: Vec<(String, String)>, alone: bool, losses: &mut Losses) {
    for (path, kind) in foreign {
        let why = format!("the tool {kind:?} runs at its own vendor only");
        if alone {
            losses.refuse(path, why);
        } else {
            losses.degrade(path, why);
        }
    }
}

fn function_tool(mut function: Fields, losses: &mut Losses) -> Result<Tool, WireError> {
    let empty = || serde_json::json!({"type": "object", "properties": {}});
    let tool = Tool {
        name: function.required_text("name")?,
        description: function.text("description")?,
        form: ToolForm::Function {
            schema: function.schema("parameters")?.unwrap_or_else(empty),
            strict: function.flag("strict")?,
        },
        identity: None,
    };
    function.lose_rest(losses);
    Ok(tool)
}

fn custom_tool(mut custom: Fields) -> Result<Tool, WireError> {
    let grammar = custom.take("format").and_then(|format| {
        let grammar = format.get("grammar")?;
        Some(grammar.get("definition")?.as_str()?.to_owned())
    });
    let name = custom.required_text("name")?;
    let identity = Some(ToolIdentity { namespace: None, name: name.clone(), kind: CallKind::Custom });
    let description = custom.text("description")?;
    Ok(Tool { name, description, form: ToolForm::FreeForm { grammar }, identity })
}

fn choice(fields: &mut Fields) -> Result<Option<ToolChoice>, WireError> {
    let path = fields.at("tool_choice");
    let wrong = || WireError::new(path.clone(), "auto, none, required or a tool");
    match fields.take("tool_choice") {
        None => Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" | "any" => Ok(Some(ToolChoice::Any)),
            _ => Err(wrong()),
        },
        Some(value) => {
            let named = |value: &Value| {
                let inner = value.get("function").or_else(|| value.get("custom")).unwrap_or(value);
                inner.get("name").and_then(Value::as_str).map(str::to_owned)
            };
            if let Some(name) = named(&value) {
                return Ok(Some(ToolChoice::One(name)));
            }
            let allowed = value.get("allowed_tools").ok_or_else(wrong)?;
            let tools = allowed.get("tools").and_then(Value::as_array).ok_or_else(wrong)?;
            let names: Vec<String> = tools.iter().filter_map(named).collect();
            match allowed.get("mode").and_then(Value::as_str) {
                Some("required") => Ok(Some(ToolChoice::OneOf(names))),
                _ => Ok(Some(ToolChoice::Auto)),
            }
        }
    }
}

fn sampling(fields: &mut Fields) -> Result<Sampling, WireError> {
    let stop = match fields.take("stop") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.number("top_k")?,
        stop,
        seed: fields.number("seed")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
    })
}

/// `reasoning_effort`; else what OpenRouter (`reasoning`) and others (`thinking`) say.
fn effort(fields: &mut Fields) -> Result<Effort, WireError> {
    let named = fields.text("reasoning_effort")?;
    let reasoning = fields.take("reasoning");
    let thinking = fields.take("thinking");
    if let Some(name) = named {
        return Ok(by_name(&name));
    }
    if let Some(reasoning) = reasoning {
        let tokens = reasoning.get("max_tokens").and_then(Value::as_u64);
        let level = reasoning.get("effort").and_then(Value::as_str).map(by_name);
        let enabled = reasoning.get("enabled").and_then(Value::as_bool);
        let switch = enabled.map(|on| if on { Effort::On } else { Effort::Off });
        return Ok(level.or_else(|| tokens.map(Effort::Budget)).or(switch).unwrap_or_default());
    }
    let kind = thinking.as_ref().and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    Ok(match kind {
        Some("enabled") => Effort::On,
        Some("disabled") => Effort::Off,
        _ => Effort::Unset,
    })
}

fn by_name(name: &str) -> Effort {
    match name {
        "none" => Effort::Off,
        _ => Level::named(name).map_or(Effort::On, Effort::Level),
    }
}

fn format(fields: &mut Fields) -> Result<Option<Format>, WireError> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(None) };
    match format.text("type")?.as_deref() {
        Some("json_object") => Ok(Some(Format::JsonObject)),
        Some("json_schema") => {
            let path = format.at("json_schema");
            let mut schema =
                format.object("json_schema")?.ok_or_else(|| WireError::new(path, "an object"))?;
            Ok(Some(Format::JsonSchema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                strict: schema.flag("strict")?,
                schema: schema.schema("schema")?.unwrap_or_else(|| serde_json::json!({})),
            }))
        }
        _ => Ok(None),
    }
}

fn limit(fields: &mut Fields) -> Result<Option<u64>, WireError> {
    let new = fields.count("max_completion_tokens")?;
    let old = fields.count("max_tokens")?;
    Ok(new.or(old))
}

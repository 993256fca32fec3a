//! A Chat client's request -> neutral words.

use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::{
    Block, Media, MediaKind, Reasoning, Request, ResultPart, Role, Sampling, Source, ToolResult, Turn,
};
use crate::ir::schema::Schema;
use crate::ir::search::Search;
use crate::ir::tool::{self, CallKind, Tool, ToolChoice, ToolForm, ToolIdentity};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::media;
use crate::protocol::openai;
use crate::protocol::openai_chat::{said, thinking};
use crate::protocol::path::Path;
use crate::protocol::search;
use crate::protocol::wire::WireError;

/// Reads a request.
pub(super) fn decode(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = Fields::parse(text)?;
    let mut losses = Losses::default();
    fields.skip("model");
    let mut request = Request {
        search: search(&mut fields)?,
        stream: fields.flag("stream")?.unwrap_or(false),
        tools: tools(&mut fields, &mut losses)?,
        choice: choice(&mut fields, &mut losses)?,
        one_call: fields.flag("parallel_tool_calls")? == Some(false),
        sampling: sampling(&mut fields)?,
        show_reasoning: thinking::is_hidden(&mut fields).then_some(false),
        effort: thinking::effort(&mut fields, &mut losses)?,
        format: openai::format(fields.object("response_format")?, Some("json_schema"), &mut losses)?,
        verbosity: fields.text("verbosity")?,
        limit: limit(&mut fields)?,
        cache_key: fields.text("prompt_cache_key")?,
        ..Request::default()
    };
    let messages = fields.objects("messages")?;
    request.turns.reserve(messages.len());
    for message in messages {
        self::message(message?, &mut request, &mut losses)?;
    }
    tool::settle(&mut request.choice, &request.tools, "tool_choice", &mut losses);
    refusals(&mut fields, &mut losses)?;
    fields.lose_rest(&mut losses);
    Ok((request, losses))
}

/// Reads a request for a text that goes on, as far as its size is asked for: no other protocol gets it.
/// <https://platform.openai.com/docs/api-reference/completions/create>
pub(super) fn decode_completion(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = Fields::parse(text)?;
    let prompts = match fields.take("prompt") {
        Some(Tree::List(prompts)) => prompts,
        Some(prompt) => vec![prompt],
        None => Vec::new(),
    };
    // Prompts may be tokens, as numbers.
    let texts = prompts.iter().filter_map(Tree::as_text);
    let blocks = texts.map(|text| Block::Text(text.to_owned())).collect();
    let turns = vec![Turn { role: Role::User, blocks }];
    Ok((Request { turns, limit: limit(&mut fields)?, ..Request::default() }, Losses::default()))
}

/// <https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat>
fn search(fields: &mut Fields<'_>) -> Result<Option<Search>, WireError> {
    let Some(mut options) = fields.object("web_search_options")? else { return Ok(None) };
    let place = search::place(&mut options)?;
    Ok(Some(Search { path: options.path().to_string(), place, ..Search::default() }))
}

/// What would mean something else if it were left out.
fn refusals(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<(), WireError> {
    if fields.count("n")?.is_some_and(|n| n > 1) {
        losses.refuse("n", "only one answer can be asked for at another protocol");
    }
    let modalities = fields.list("modalities")?.unwrap_or_default();
    if modalities.iter().any(|kind| kind.as_text() != Some("text")) {
        losses.refuse("modalities", "only text can be answered by another protocol");
    }
    if fields.list("functions")?.is_some_and(|functions| !functions.is_empty()) {
        losses.refuse("functions", "functions in the form that came before `tools` are not translated");
    }
    Ok(())
}

fn message(mut message: Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    let role = message.required_word("role")?;
    match role.as_ref() {
        "system" | "developer" => {
            let text = instructions(&mut message, losses)?;
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
            // The call that it belongs to has it.
            message.skip("name");
            let result = result(&mut message, losses)?;
            request.turns.push(Turn::of(Role::User, Block::Result(result)));
        }
        _ => return Err(message.wrong("role", "system, developer, user, assistant or tool")),
    }
    message.lose_rest(losses);
    Ok(())
}

fn instructions(message: &mut Fields<'_>, losses: &mut Losses) -> Result<String, WireError> {
    let mut texts = Vec::new();
    for block in content(message, losses)? {
        match block {
            Block::Text(text) => texts.push(text),
            Block::Refusal(_) | Block::Media(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => {
                losses.degrade(message.at("content"), "instructions are text");
            }
        }
    }
    Ok(texts.join("\n\n"))
}

fn assistant(message: &mut Fields<'_>, losses: &mut Losses) -> Result<Vec<Block>, WireError> {
    let mut blocks = Vec::new();
    blocks.extend(said::reasoning(message)?.map(Block::Reasoning));
    blocks.extend(content(message, losses)?);
    blocks.extend(message.text("refusal")?.filter(|text| !text.is_empty()).map(Block::Refusal));
    for call in message.objects("tool_calls")? {
        blocks.push(Block::Call(said::call(call?, losses)?));
    }
    Ok(blocks)
}

fn result(message: &mut Fields<'_>, losses: &mut Losses) -> Result<ToolResult, WireError> {
    let id = message.text("tool_call_id")?.unwrap_or_default();
    let content = content(message, losses)?.into_iter().filter_map(|block| match block {
        Block::Text(text) => Some(ResultPart::Text(text)),
        Block::Media(media) => Some(ResultPart::Media(media)),
        Block::Refusal(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => None,
    });
    Ok(ToolResult { id, name: None, content: content.collect(), failed: false })
}

/// A message's `content`: a text, a list of parts, or nothing.
fn content(message: &mut Fields<'_>, losses: &mut Losses) -> Result<Vec<Block>, WireError> {
    match message.take("content") {
        None => Ok(Vec::new()),
        Some(Tree::Text(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Tree::Text(text)) => Ok(vec![Block::Text(text.into_owned())]),
        Some(Tree::List(parts)) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for part in Objects::of(parts, message.at("content")) {
                blocks.extend(self::part(part?, losses)?);
            }
            Ok(blocks)
        }
        Some(_) => Err(message.wrong("content", "a string or a list of parts")),
    }
}

fn part(mut part: Fields<'_>, losses: &mut Losses) -> Result<Option<Block>, WireError> {
    let kind = part.word("type")?;
    let block = match kind.as_deref().unwrap_or("text") {
        "text" | "input_text" | "output_text" => {
            part.text("text")?.filter(|text| !text.is_empty()).map(Block::Text)
        }
        "refusal" => part.text("refusal")?.map(Block::Refusal),
        "thinking" => {
            let text = said::thinking(&mut part);
            Some(Block::Reasoning(Reasoning { text, state: None }))
        }
        "image_url" => Some(Block::Media(said::image(&mut part, losses)?)),
        "file" => file(&mut part, losses)?,
        // Mistral
        "document_url" => Some(Block::Media(said::document(&mut part)?)),
        "input_audio" => audio(&mut part, losses)?,
        other => {
            losses.degrade(part.at("type"), format!("content of type {other:?} is not known"));
            return Ok(None);
        }
    };
    part.lose_rest(losses);
    Ok(block)
}

fn file(part: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Block>, WireError> {
    let Some(mut file) = part.object("file")? else {
        return Err(part.wrong("file", "an object"));
    };
    let name = file.text("filename")?;
    match file.word("file_data")? {
        Some(data) => {
            let source = media::document(data);
            file.lose_rest(losses);
            Ok(Some(Block::Media(Media { kind: MediaKind::Document, source, name, detail: None })))
        }
        None => {
            losses.refuse(file.at("file_id"), "a file that is stored at one provider is not at another");
            Ok(None)
        }
    }
}

fn audio(part: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Block>, WireError> {
    let Some(mut audio) = part.object("input_audio")? else {
        return Err(part.wrong("input_audio", "an object"));
    };
    let mime = format!("audio/{}", audio.word("format")?.as_deref().unwrap_or("wav"));
    let source = Source::Inline { mime, data: audio.required_text("data")? };
    audio.lose_rest(losses);
    Ok(Some(Block::Media(Media { kind: MediaKind::Audio, source, name: None, detail: None })))
}

fn tools(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Vec<Tool>, WireError> {
    let mut tools = Vec::new();
    let mut foreign = Vec::new();
    for tool in fields.objects("tools")? {
        let mut tool = tool?;
        let kind = tool.word("type")?;
        match kind.as_deref().unwrap_or("function") {
            "function" => {
                let function = tool.object("function")?.ok_or_else(|| tool.wrong("function", "an object"))?;
                tools.push(function_tool(function, losses)?);
                tool.lose_rest(losses);
            }
            "custom" => {
                let custom = tool.object("custom")?.ok_or_else(|| tool.wrong("custom", "an object"))?;
                tools.push(custom_tool(custom, losses)?);
                tool.lose_rest(losses);
            }
            kind => foreign.push((tool.at("type"), format!("the tool {kind:?} runs at its own vendor only"))),
        }
    }
    server_tools(foreign, tools.is_empty(), losses);
    Ok(tools)
}

/// Tools that run at the vendor are left out; a request that has no other cannot be meant.
fn server_tools(foreign: Vec<(Path, String)>, alone: bool, losses: &mut Losses) {
    for (path, why) in foreign {
        if alone {
            losses.refuse(path, why);
        } else {
            losses.degrade(path, why);
        }
    }
}

fn function_tool(mut function: Fields<'_>, losses: &mut Losses) -> Result<Tool, WireError> {
    let tool = Tool {
        name: function.required_text("name")?,
        description: function.text("description")?,
        form: ToolForm::Function {
            schema: function.schema("parameters")?.unwrap_or_else(Schema::no_arguments),
            strict: function.flag("strict")?,
        },
        identity: None,
    };
    function.lose_rest(losses);
    Ok(tool)
}

fn custom_tool(mut custom: Fields<'_>, losses: &mut Losses) -> Result<Tool, WireError> {
    let format = custom.take("format");
    let grammar = format.and_then(|format| openai::grammar(format.get("grammar")?));
    let name = custom.required_text("name")?;
    let identity = Some(ToolIdentity { namespace: None, name: name.clone(), kind: CallKind::Custom });
    let description = custom.text("description")?;
    custom.lose_rest(losses);
    Ok(Tool { name, description, form: ToolForm::FreeForm { grammar }, identity })
}

fn choice(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<ToolChoice>, WireError> {
    let choice = fields.take("tool_choice");
    let wrong = || fields.wrong("tool_choice", "auto, none, required or a tool");
    match choice {
        None => Ok(None),
        Some(Tree::Text(word)) => match word.as_ref() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" | "any" => Ok(Some(ToolChoice::Any)),
            _ => Err(wrong()),
        },
        Some(value) => {
            let named = |value: &Tree<'_>| {
                let inner = value.get("function").or_else(|| value.get("custom")).unwrap_or(value);
                inner.text("name").map(str::to_owned)
            };
            if let Some(name) = named(&value) {
                return Ok(Some(ToolChoice::One(name)));
            }
            let allowed = value.get("allowed_tools").ok_or_else(wrong)?;
            let tools = allowed.list("tools").ok_or_else(wrong)?;
            let names: Vec<String> = tools.iter().filter_map(named).collect();
            match allowed.text("mode") {
                Some("required") => Ok(Some(ToolChoice::OneOf(names))),
                _ => {
                    losses.degrade(fields.at("tool_choice"), openai::FREE_CHOICE);
                    Ok(Some(ToolChoice::Auto))
                }
            }
        }
    }
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, WireError> {
    let stop = match fields.take("stop") {
        Some(Tree::Text(text)) => vec![text.into_owned()],
        Some(Tree::List(list)) => list.iter().filter_map(Tree::as_text).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.number("top_k")?,
        stop,
        // The second is Mistral's.
        seed: fields.number("seed")?.or(fields.number("random_seed")?),
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
    })
}

fn limit(fields: &mut Fields<'_>) -> Result<Option<u64>, WireError> {
    let new = fields.count("max_completion_tokens")?;
    let old = fields.count("max_tokens")?;
    Ok(new.or(old))
}

//! A Gemini client's request -> neutral words. Model and stream are in its path.

use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::{Format, Request, Sampling};
use crate::ir::schema::Schema;
use crate::ir::search::Search;
use crate::ir::tool::{self, Tool, ToolChoice, ToolForm};
use crate::protocol::fields::{Fields, parsed};
use crate::protocol::gemini::{schema, spelling, thinking, turns_decode};
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

/// Reads a request.
pub(super) fn decode(text: &str) -> Result<(Request, Losses), WireError> {
    let mut fields = spelling::fields(parsed(text)?, Path::default())?;
    let mut losses = Losses::default();
    let system = turns_decode::system(&mut fields, &mut losses)?;
    let turns = turns_decode::turns(&mut fields, &mut losses)?;
    let (tools, search) = tools(&mut fields, &mut losses)?;
    let mut request = Request {
        system,
        turns,
        tools,
        search,
        choice: choice(&mut fields, &mut losses)?,
        ..Request::default()
    };
    tool::settle(&mut request.choice, &request.tools, "toolConfig", &mut losses);
    if let Some(config) = spelling::object(&mut fields, "generationConfig")? {
        self::config(config, &mut request, &mut losses)?;
    }
    if fields.take("cachedContent").is_some() {
        losses.refuse("cachedContent", "content that is stored at Google is at no other provider");
    }
    fields.skip("model");
    for hint in ["labels", "serviceTier", "store"] {
        if fields.take(hint).is_some() {
            losses.hint(hint, "of no use to another provider");
        }
    }
    fields.lose_rest(&mut losses);
    Ok((request, losses))
}

fn config(mut config: Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    if config.count("candidateCount")?.is_some_and(|count| count > 1) {
        losses.refuse("generationConfig.candidateCount", "only one answer can be asked for elsewhere");
    }
    let modalities = config.list("responseModalities")?.unwrap_or_default();
    let is_text = |kind: &Tree<'_>| {
        let name = kind.as_text().unwrap_or_default();
        name.eq_ignore_ascii_case("text") || name == "MODALITY_UNSPECIFIED"
    };
    if !modalities.iter().all(is_text) {
        losses.refuse("generationConfig.responseModalities", "only text can be answered elsewhere");
    }
    request.sampling = sampling(&mut config)?;
    request.limit = config.count("maxOutputTokens")?;
    request.format = format(&mut config, losses)?;
    (request.effort, request.show_reasoning) = thinking::decode(&mut config, losses)?;
    config.lose_rest(losses);
    Ok(())
}

fn sampling(config: &mut Fields<'_>) -> Result<Sampling, WireError> {
    let stop = match config.take("stopSequences") {
        Some(Tree::Text(text)) => vec![text.into_owned()],
        Some(Tree::List(list)) => list.iter().filter_map(Tree::as_text).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: config.number("topK")?,
        stop,
        seed: config.number("seed")?,
        presence_penalty: config.number("presencePenalty")?,
        frequency_penalty: config.number("frequencyPenalty")?,
    })
}

/// A schema, in one of its three fields, or JSON of any form.
fn format(config: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Format>, WireError> {
    let mut mime = config.word("responseMimeType")?;
    let openapi = config.schema_tree("responseSchema")?;
    let mut schema = config.schema_tree("responseJsonSchema")?.or(openapi);
    // Vertex, instead of the others.
    for mut format in spelling::objects(config, "responseFormat")? {
        if let Some(mut text) = spelling::object(&mut format, "text")? {
            mime = text.word("mimeType")?.or(mime);
            schema = text.schema_tree("schema")?.or(schema);
            text.lose_rest(losses);
        }
        format.lose_rest(losses);
    }
    Ok(match (mime.as_deref(), schema) {
        (None | Some("" | "application/json" | "APPLICATION_JSON"), Some(schema)) => {
            Some(Format::JsonSchema {
                name: None,
                description: None,
                schema: Schema::of(&schema::plain(schema)),
                strict: None,
            })
        }
        (Some("application/json" | "APPLICATION_JSON"), None) => Some(Format::JsonObject),
        (None | Some("" | "text/plain"), _) => None,
        (Some(_), _) => {
            losses.degrade(config.at("responseMimeType"), "only JSON and plain text can be asked for");
            None
        }
    })
}

/// The functions, and Google's search.
fn tools(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<(Vec<Tool>, Option<Search>), WireError> {
    let mut tools = Vec::new();
    let mut search = None;
    let mut foreign = Vec::new();
    for mut tool in spelling::objects(fields, "tools")? {
        for declaration in spelling::objects(&mut tool, "functionDeclarations")? {
            tools.push(function(declaration, losses)?);
        }
        for name in ["googleSearch", "googleSearchRetrieval"] {
            let Some(own) = spelling::object(&mut tool, name)? else { continue };
            search = Some(Search { path: own.path().to_string(), ..Search::default() });
            own.lose_rest(losses);
        }
        // Every other member is a tool that runs at Google, with its settings.
        foreign.push(tool);
    }
    let alone = tools.is_empty();
    search.iter_mut().for_each(|search| search.alone = alone);
    for tool in foreign {
        server_tools(tool, alone && search.is_none(), losses);
    }
    Ok((tools, search))
}

/// Server tools are left out; a request that has no other cannot be meant.
fn server_tools(tool: Fields<'_>, alone: bool, losses: &mut Losses) {
    let mut found = Losses::default();
    tool.lose_rest(&mut found);
    for loss in found.iter() {
        let why = "the tool runs at Google only";
        if alone {
            losses.refuse(loss.path.clone(), why);
        } else {
            losses.degrade(loss.path.clone(), why);
        }
    }
}

fn function(mut function: Fields<'_>, losses: &mut Losses) -> Result<Tool, WireError> {
    let name = function.required_text("name")?;
    let description = function.text("description")?;
    let openapi = function.schema_tree("parameters")?;
    let mut parameters = function.schema_tree("parametersJsonSchema")?.or(openapi);
    if let Some(schema) = &mut parameters {
        // Arguments are an object elsewhere, never null.
        schema.take("nullable");
    }
    let schema = parameters.map_or_else(Schema::no_arguments, |tree| Schema::of(&schema::plain(tree)));
    // What it gives is told to no model elsewhere; google-genai always says it.
    ["response", "responseJsonSchema"].iter().for_each(|name| function.skip(name));
    function.lose_rest(losses);
    let form = ToolForm::Function { schema, strict: None };
    Ok(Tool { name, description, form, identity: None })
}

fn choice(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<ToolChoice>, WireError> {
    let Some(mut config) = spelling::object(fields, "toolConfig")? else { return Ok(None) };
    let calling = spelling::object(&mut config, "functionCallingConfig")?;
    config.lose_rest(losses);
    let Some(mut calling) = calling else { return Ok(None) };
    let mode = calling.word("mode")?.unwrap_or_default().to_ascii_uppercase();
    let allowed = calling.list("allowedFunctionNames")?.unwrap_or_default();
    if !allowed.is_empty() && mode != "ANY" {
        losses.degrade(
            calling.at("allowedFunctionNames"),
            "a choice that leaves the model free is of all tools",
        );
    }
    let mut names: Vec<String> = allowed.iter().filter_map(Tree::as_text).map(str::to_owned).collect();
    let choice = match mode.as_str() {
        "" | "MODE_UNSPECIFIED" => None,
        // A promise about arguments, not about calls.
        "AUTO" | "VALIDATED" => Some(ToolChoice::Auto),
        "NONE" => Some(ToolChoice::None),
        "ANY" if names.len() > 1 => Some(ToolChoice::OneOf(names)),
        "ANY" => Some(names.pop().map_or(ToolChoice::Any, ToolChoice::One)),
        _ => return Err(calling.wrong("mode", "AUTO, NONE, ANY or VALIDATED")),
    };
    calling.lose_rest(losses);
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::loss::Severity;
    use crate::ir::request::Effort;
    use serde_json::{Value, json};

    /// The worst loss of a request, and where.
    #[track_caller]
    fn check(request: Value, expected: Option<(&str, Severity)>) {
        let (_, losses) = decode(&request.to_string()).unwrap();
        let worst = [Severity::Refuse, Severity::Degrade, Severity::Hint]
            .into_iter()
            .find_map(|severity| losses.first_of(severity).filter(|loss| loss.severity == severity));
        assert_eq!(worst.map(|loss| (loss.path.as_str(), loss.severity)), expected, "{request}");
    }

    #[test]
    fn what_cannot_be_carried_is_told() {
        let function = json!({"functionDeclarations": [{"name": "f"}]});
        check(json!({"cached_content": "x"}), Some(("cachedContent", Severity::Refuse)));
        check(json!({"labels": {"a": "b"}}), Some(("labels", Severity::Hint)));
        check(json!({"safetySettings": [{}]}), Some(("safetySettings", Severity::Degrade)));
        check(json!({"safetySettings": []}), Some(("safetySettings", Severity::Hint)));
        check(json!({"tools": [{"codeExecution": {}}]}), Some(("tools[0].codeExecution", Severity::Refuse)));
        check(
            json!({"tools": [{"code_execution": {}}, function]}),
            Some(("tools[0].codeExecution", Severity::Degrade)),
        );
        // Another vendor may have a search of its own.
        check(json!({"tools": [{"google_search": {}}]}), None);
        check(
            json!({"generationConfig": {"candidateCount": 2}}),
            Some(("generationConfig.candidateCount", Severity::Refuse)),
        );
        check(
            json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}),
            Some(("generationConfig.responseModalities", Severity::Refuse)),
        );
        check(
            json!({"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}]}]}),
            Some(("contents[0].parts[0].fileData", Severity::Refuse)),
        );
        check(json!({"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}}), None);
    }

    #[test]
    fn both_spellings_say_the_same() {
        let camel = json!({
            "systemInstruction": {"parts": [{"text": "s"}]},
            "generationConfig": {"topP": 0.5, "maxOutputTokens": 5, "stopSequences": ["x"],
                "responseFormat": [{"text": {"mimeType": "APPLICATION_JSON", "schema": {"type": "STRING"}}}],
                "thinkingConfig": {"thinkingBudget": 0}},
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "OBJECT"}}, {"name": "g"}]}],
        });
        let snake = json!({
            "system_instruction": {"parts": {"text": "s"}},
            "generation_config": {"top_p": 0.5, "max_output_tokens": 5, "stop_sequences": ["x"],
                "response_mime_type": "application/json", "response_json_schema": {"type": "string"},
                "thinking_config": {"thinking_budget": 0}},
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f", "g"]}},
            "tools": {"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT"}}, {"name": "g"}]},
        });
        let (request, losses) = decode(&camel.to_string()).unwrap();
        assert_eq!(losses, Losses::default());
        assert_eq!(decode(&snake.to_string()).unwrap().0, request);
        assert_eq!((request.effort, request.limit), (Effort::Off, Some(5)));
        assert_eq!(request.choice, Some(ToolChoice::OneOf(vec!["f".into(), "g".into()])));
        assert_eq!(request.system, ["s"]);
    }
}

//! What stands in the messages of requests and of answers alike: reasoning, calls, images.

use serde_json::Value;

use crate::base::pen;
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Media, MediaKind, Reasoning, ToolCall};
use crate::protocol::fields::Fields;
use crate::protocol::media;
use crate::protocol::openai_chat::ORIGIN;
use crate::protocol::wire::WireError;

/// What GitHub Copilot calls `reasoning_content`.
pub(super) const COPILOT_REASONING: &str = "reasoning_text";

/// What stands beside an answer's words and has no place elsewhere: what was quoted, and what Groq's own
/// tools did.
pub(super) const UNCARRIED: [&str; 2] = ["annotations", "executed_tools"];

/// `reasoning_content`, else `reasoning`; `reasoning_details` are state of the server that made them.
pub(super) fn reasoning(message: &mut Fields<'_>) -> Result<Option<Reasoning>, WireError> {
    let copilot = message.text(COPILOT_REASONING)?;
    let content = message.text("reasoning_content")?.or(copilot);
    // Other providers put other things here; only a text is reasoning.
    let plain = message.take("reasoning").and_then(|value| value.as_text().map(str::to_owned));
    let details = message.list("reasoning_details")?.unwrap_or_default();
    let in_details = || details.iter().filter_map(detail).collect::<String>();
    let text = content.or(plain).filter(|text| !text.is_empty()).unwrap_or_else(in_details);
    if text.is_empty() && details.is_empty() {
        return Ok(None);
    }
    let exact = |details: Vec<Tree<'_>>| details.into_iter().map(Tree::into_value).collect();
    let state = (!details.is_empty()).then(|| State::of(ORIGIN, exact(details)));
    Ok(Some(Reasoning { text, state }))
}

/// The words of a detail of reasoning.
pub(super) fn detail<'d>(detail: &'d Tree<'_>) -> Option<&'d str> {
    detail.get("text").or_else(|| detail.get("summary"))?.as_text()
}

/// Adds a detail of a stream to those before it. OpenRouter cuts one into pieces, the signature last;
/// sent back in pieces it is refused, for the signature is that of all its words.
pub(super) fn join_detail(details: &mut Vec<Value>, detail: Value) {
    let goes_on = |last: &Value| {
        let is_same = |name: &&str| last.get(name) == detail.get(name);
        let is_signed = last.get("signature").is_some_and(|signature| !signature.is_null());
        ["type", "index"].iter().all(is_same) && !is_signed && detail.get("data").is_none()
    };
    let last = details.last_mut().filter(|last| goes_on(last)).and_then(Value::as_object_mut);
    let (Some(last), Value::Object(more)) = (last, &detail) else { return details.push(detail) };
    for (name, value) in more {
        match (last.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(Value::String(words)), Value::String(more)) if name == "text" || name == "summary" => {
                words.push_str(more);
            }
            _ => drop(last.insert(name.clone(), value.clone())),
        }
    }
}

/// Mistral's parts of type `thinking` hold text parts.
pub(super) fn thinking(part: &mut Fields<'_>) -> String {
    match part.take("thinking") {
        Some(Tree::Text(text)) => text.into_owned(),
        Some(Tree::List(parts)) => words(&parts),
        _ => String::new(),
    }
}

/// The words of a list of texts.
pub(super) fn words(parts: &[Tree<'_>]) -> String {
    parts.iter().filter_map(|part| part.text("text")).collect()
}

/// A call, of a history or an answer.
pub(super) fn call(mut call: Fields<'_>, losses: &mut Losses) -> Result<ToolCall, WireError> {
    let id = call.id("id")?.unwrap_or_default();
    call.skip("index");
    let kind = call.word("type")?;
    let state = call.take("extra_content").map(|value| State::of(ORIGIN, vec![value.into_value()]));
    let free_form = kind.as_deref() == Some("custom");
    let (inner, field) = if free_form { ("custom", "input") } else { ("function", "arguments") };
    let Some(mut function) = call.object(inner)? else {
        return Err(call.wrong(inner, "an object"));
    };
    let (name, arguments) = called(&mut function, field)?;
    function.lose_rest(losses);
    call.lose_rest(losses);
    Ok(ToolCall { id, name, arguments, free_form, state })
}

/// The call of an answer in the form that came before tools: one, without an id.
pub(super) fn function_call(message: &mut Fields<'_>) -> Option<ToolCall> {
    let (name, arguments) = called(&mut message.object_if_any("function_call")?, "arguments").ok()?;
    let call = ToolCall { id: String::new(), name, arguments, free_form: false, state: None };
    // Some servers send every member, empty.
    Some(call).filter(|call| !call.name.is_empty())
}

/// What is called, and with what.
fn called(function: &mut Fields<'_>, field: &str) -> Result<(String, String), WireError> {
    let name = function.required_text("name")?;
    let arguments = match function.take(field) {
        None => String::new(),
        // Some servers say so of a tool that takes none.
        Some(Tree::Text(text)) if text == "null" && field == "arguments" => String::new(),
        Some(Tree::Text(text)) => text.into_owned(),
        // Some servers give the object itself.
        Some(value) => pen::written(&value),
    };
    Ok((name, arguments))
}

/// An image: its URL, or an object that holds it.
pub(super) fn image(part: &mut Fields<'_>, losses: &mut Losses) -> Result<Media, WireError> {
    let (url, detail) = match part.take("image_url") {
        Some(Tree::Text(url)) => (url, None),
        Some(value) => {
            let mut image = Fields::of(value, part.at("image_url"))?;
            let named = (image.required_word("url")?, image.text("detail")?);
            image.lose_rest(losses);
            named
        }
        None => return Err(part.wrong("image_url", "an object")),
    };
    Ok(Media { kind: MediaKind::Image, source: media::source(&url), name: None, detail })
}

/// A document by its URL.
pub(super) fn document(part: &mut Fields<'_>) -> Result<Media, WireError> {
    let url = part.required_word("document_url")?;
    let name = part.text("document_name")?;
    Ok(Media { kind: MediaKind::Document, source: media::source(&url), name, detail: None })
}

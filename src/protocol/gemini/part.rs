//! One part of a turn or an answer, in either spelling.

use serde_json::{Value, json};

use crate::base::b64::decode as from_base64;
use crate::base::tree::Tree;
use crate::ir::carrier::{self, State};
use crate::ir::loss::Losses;
use crate::ir::request::{Media, MediaKind, Source};
use crate::protocol::fields::Fields;
use crate::protocol::gemini::spelling;
use crate::protocol::path::Path;
use crate::protocol::unwrap::{self, INPUT, RAW};
use crate::protocol::wire::WireError;

/// The protocol's name in [`State`].
pub(super) const ORIGIN: &str = "gemini";
/// What stands for a signature that nobody has. <https://ai.google.dev/gemini-api/docs/thought-signatures>
pub(super) const NO_SIGNATURE: &str = "skip_thought_signature_validator";
/// It, and its other name; also as base64, which the field is and LiteLLM writes.
const NO_SIGNATURES: [&str; 4] = [
    NO_SIGNATURE,
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
    "context_engineering_is_the_way_to_go",
    "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv",
];
/// Parts that tell of tools which run at Google.
const SERVER: [&str; 4] = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

/// One part.
pub(super) struct Part<'a> {
    pub(super) piece: Piece<'a>,
    pub(super) state: Option<State>,
}

/// What a part says.
pub(super) enum Piece<'a> {
    Text(String),
    Thought(String),
    Media(Media),
    Call {
        id: Option<String>,
        name: String,
        arguments: String,
    },
    /// A `functionResponse`, still unread.
    Result(Fields<'a>),
    /// A file that is stored somewhere.
    File,
    /// A part of a server tool, or one that is not known.
    Other(&'static str),
    /// Nothing, or nothing but a signature.
    Empty,
}

/// Reads a part.
pub(super) fn read<'a>(value: Tree<'a>, path: Path, losses: &mut Losses) -> Result<Part<'a>, WireError> {
    let value = spelling::camel(value);
    let state = state(&value);
    let mut part = Fields::of(value, path)?;
    part.skip("thoughtSignature");
    let is_thought = part.flag("thought")?.unwrap_or(false);
    let piece = piece(&mut part, is_thought, losses)?;
    if !matches!(piece, Piece::Other(_)) {
        part.lose_rest(losses);
    }
    Ok(Part { piece, state })
}

fn piece<'a>(part: &mut Fields<'a>, is_thought: bool, losses: &mut Losses) -> Result<Piece<'a>, WireError> {
    if let Some(call) = spelling::object(part, "functionCall")? {
        return self::call(call, losses);
    }
    if let Some(result) = spelling::object(part, "functionResponse")? {
        return Ok(Piece::Result(result));
    }
    if let Some(data) = spelling::object(part, "inlineData")? {
        return media(data, losses);
    }
    if part.take("fileData").is_some() {
        return Ok(Piece::File);
    }
    if let Some(name) = SERVER.into_iter().find(|name| part.has(name)) {
        return Ok(Piece::Other(name));
    }
    let text = part.text("text")?.unwrap_or_default();
    Ok(match (text.is_empty(), is_thought) {
        (true, _) => Piece::Empty,
        (false, true) => Piece::Thought(text),
        (false, false) => Piece::Text(text),
    })
}

fn call<'a>(mut call: Fields<'a>, losses: &mut Losses) -> Result<Piece<'a>, WireError> {
    let id = call.text("id")?.filter(|id| !id.is_empty());
    let name = call.required_text("name")?;
    let arguments = match call.take("args") {
        None => "{}".to_owned(),
        Some(args @ Tree::Object(_)) => unwrap::arguments(&args),
        Some(_) => return Err(call.wrong("args", "an object")),
    };
    call.lose_rest(losses);
    Ok(Piece::Call { id, name, arguments })
}

/// Arguments as the object that Google demands.
pub(super) fn object_of(arguments: &str, free_form: bool) -> Value {
    if free_form {
        return json!({INPUT: arguments});
    }
    if arguments.trim().is_empty() {
        return json!({});
    }
    match Tree::read(arguments) {
        Ok(object @ Tree::Object(_)) => object.into_value(),
        _ => json!({RAW: arguments}),
    }
}

/// Inline data; text of any sort is told as text.
pub(super) fn media<'a>(mut data: Fields<'a>, losses: &mut Losses) -> Result<Piece<'a>, WireError> {
    let mime = data.word("mimeType")?.unwrap_or_default();
    let name = data.text("displayName")?;
    let text = data.required_word("data")?;
    data.lose_rest(losses);
    let kind = match mime.split('/').next().unwrap_or_default() {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "text" => {
            let text = from_base64(&standard(&text)).and_then(|bytes| String::from_utf8(bytes).ok());
            return Ok(text.map_or(Piece::File, Piece::Text));
        }
        _ if mime == "application/pdf" => MediaKind::Document,
        // Video, and what nobody else takes.
        _ => return Ok(Piece::File),
    };
    let mime = mime.into_owned();
    let data = if text.contains(['-', '_']) { standard(&text) } else { text.into_owned() };
    Ok(Piece::Media(Media { kind, source: Source::Inline { mime, data }, name, detail: None }))
}

/// The state behind a part's signature. The words of a text that is signed are told as text, so
/// that its state is the signature alone; all other parts are kept exactly.
fn state(part: &Tree<'_>) -> Option<State> {
    let signature = part.text("thoughtSignature").filter(|text| !text.is_empty())?;
    if NO_SIGNATURES.contains(&signature) {
        return None;
    }
    if let Some(state) = unpack(signature) {
        return Some(state);
    }
    let is_thought = part.get("thought") == Some(&Tree::Bool(true));
    let is_call = part.get("functionCall").is_some();
    let has_words = part.text("text").is_some_and(|text| !text.is_empty());
    let exact = is_call || (is_thought && has_words);
    let kept =
        if exact { part.clone().into_value() } else { json!({"text": "", "thoughtSignature": signature}) };
    Some(State::of(ORIGIN, vec![kept]))
}

/// A carrier of ours. google-genai for Python decodes the field to bytes, and writes them again in
/// the alphabet for URLs.
fn unpack(signature: &str) -> Option<State> {
    // Signatures of Google's own are long, and begin otherwise.
    if !signature.starts_with(carrier::PREFIX) {
        return None;
    }
    State::unpack(&standard(signature))
}

/// Base64 of either alphabet in the standard one, with its padding.
fn standard(text: &str) -> String {
    let mut text = text.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Does a state that came on a call belong to the call itself, not to the reasoning before it?
/// Google signs calls; of other protocols only Chat servers do, with objects that have no `type`.
pub(super) fn is_of_call(state: &State) -> bool {
    match state.origin.as_str() {
        ORIGIN => state.blocks.iter().any(|block| block.get("functionCall").is_some()),
        "openai-chat" => {
            // Words of reasoning and its details are no state of a call.
            let is_detail = |block: &Value| block.get("type").is_some();
            !state.blocks.is_empty() && state.text().is_none() && !state.blocks.iter().any(is_detail)
        }
        _ => false,
    }
}

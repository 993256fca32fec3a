//! Google Gemini generateContent, the language of Gemini CLI.
//! <https://ai.google.dev/api/generate-content>

mod models;
mod part;
mod partial;
mod request_decode;
mod request_encode;
mod response;
mod schema;
mod spelling;
mod stream_decode;
mod stream_encode;
mod tap;
mod thinking;
mod turns_decode;
mod turns_encode;
mod wire;

#[cfg(test)]
mod recorded;

use serde_json::Value;

use crate::base::json::Members;
use crate::base::object::object;
use crate::protocol::dialect::{self, ReasoningStyle};
use crate::protocol::fault::Fault;
use crate::protocol::foreign::{self, Cleared};
use crate::protocol::listing::{ListQuery, ModelCard};
use crate::protocol::tap::{Ask, AskError, Facts, Seen, has_number};
use crate::protocol::wire::Wire;
use crate::protocol::{Action, Codec, Stage, Task, percent_decoded, percent_encoded};

/// This protocol's codec.
pub const CODEC: Gemini = Gemini;

/// Google Gemini generateContent.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Codec for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    /// google-genai for Python calls `/v1/models/...`.
    fn prefixes(&self) -> &'static [&'static str] {
        &["/gemini/v1beta", "/gemini/v1", "/google/v1beta", "/google/v1", "/v1beta", "/v1"]
    }

    fn action(&self, below_prefix: &str) -> Option<Action> {
        let (model, verb) = below_prefix.strip_prefix("/models/")?.rsplit_once(':')?;
        let model = Some(percent_decoded(model).into_owned()).filter(|model| !model.is_empty());
        match verb {
            "generateContent" => Some(Action::Generate { task: Task::Answer, model, stream: Some(false) }),
            "streamGenerateContent" => {
                Some(Action::Generate { task: Task::Answer, model, stream: Some(true) })
            }
            "countTokens" => Some(Action::Count { model }),
            _ => None,
        }
    }

    /// google-genai reads an error inside a stream only when `error` is the first key and `code`
    /// a number.
    fn error_body(&self, fault: &Fault, _request_id: &str) -> String {
        let row = fault.kind.row();
        let message = fault.message.as_str();
        let error = object! {"code": fault.status, "message": message, "status": row.gemini};
        object! {"error": error}.to_string()
    }

    fn takes_key_in_query(&self) -> bool {
        true
    }

    fn error_frames(&self, fault: &Fault, stage: &Stage<'_>) -> String {
        format!("data: {}\n\n", self.error_body(fault, stage.request_id))
    }

    /// Gemini CLI and google-genai for Python break on comments; an empty part is none to them.
    fn keepalive(&self, _running: bool) -> &'static str {
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}]}\n\n"
    }

    fn model_list(&self, cards: &[ModelCard], query: &ListQuery) -> String {
        models::list(cards, query)
    }

    fn model_entry(&self, card: &ModelCard) -> String {
        models::entry(card).to_string()
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("x-goog-api-key", key.to_owned())
    }

    fn upstream_models_path(&self) -> &'static str {
        "/models?pageSize=1000"
    }

    fn upstream_path(&self, model: &str, stream: bool) -> String {
        let model = percent_encoded(model);
        if stream {
            format!("/models/{model}:streamGenerateContent?alt=sse")
        } else {
            format!("/models/{model}:generateContent")
        }
    }

    fn count_path(&self, model: &str) -> Option<String> {
        Some(format!("/models/{}:countTokens", percent_encoded(model)))
    }

    fn count_body(&self, tokens: u64) -> String {
        object! {"totalTokens": tokens}.to_string()
    }

    fn is_count(&self, text: &str) -> bool {
        has_number(text, "totalTokens")
    }

    /// Either `contents` alone, or a whole request in `generateContentRequest`.
    fn counted<'t>(&self, text: &'t str, members: &Members) -> &'t str {
        members.get(text, "generateContentRequest").unwrap_or(text)
    }

    fn model_field(&self) -> Option<&'static str> {
        None
    }

    fn limit_fields(&self) -> &'static [&'static str] {
        &["generationConfig.maxOutputTokens"]
    }

    fn limit_spellings(&self) -> &'static [&'static str] {
        &[
            "generationConfig.max_output_tokens",
            "generation_config.maxOutputTokens",
            "generation_config.max_output_tokens",
        ]
    }

    fn droppable(&self) -> &'static [&'static str] {
        &[
            "generationConfig.temperature",
            "generationConfig.topP",
            "generationConfig.topK",
            "generationConfig.stopSequences",
            "generationConfig.seed",
            "generationConfig.presencePenalty",
            "generationConfig.frequencyPenalty",
            "generationConfig.thinkingConfig.thinkingBudget",
            "generationConfig.thinkingConfig.thinkingLevel",
            "generationConfig.thinkingConfig",
        ]
    }

    fn takes_image_urls(&self) -> bool {
        false
    }

    fn takes_comments(&self) -> bool {
        false
    }

    fn reasoning_style(&self, model: &str) -> ReasoningStyle {
        dialect::style_by_name(model).unwrap_or(ReasoningStyle::Budget)
    }

    fn wire(&self) -> &'static dyn Wire {
        &CODEC
    }

    /// Gemini 3 refuses the first call of a step without a signature; one that says so is let pass.
    fn cleared(&self, text: &str, members: &Members, strip_call_ids: bool) -> Option<Cleared> {
        let judge = |content: &str| {
            foreign::changed(content, |content| {
                let Some(parts) = content.get_mut("parts").and_then(Value::as_array_mut) else { return true };
                parts.retain_mut(|part| {
                    for name in ["functionCall", "functionResponse"] {
                        if let Some(call) = part.get_mut(name).and_then(Value::as_object_mut)
                            && strip_call_ids
                        {
                            call.shift_remove("id");
                        }
                    }
                    let is_foreign = foreign::carries(part, "thoughtSignature");
                    let Some(part) = part.as_object_mut().filter(|_| is_foreign) else { return true };
                    if part.contains_key("functionCall") {
                        part.insert("thoughtSignature".to_owned(), part::NO_SIGNATURE.into());
                    } else {
                        part.shift_remove("thoughtSignature");
                    }
                    part.get("thought").and_then(Value::as_bool) != Some(true)
                });
                !parts.is_empty()
            })
        };
        let may_hold = |text: &str| foreign::is_marked(text) || (strip_call_ids && text.contains("\"id\""));
        foreign::without("contents", members.get(text, "contents")?, may_hold, judge)
    }

    fn tap_request(&self, _text: &str, _members: &Members) -> Result<Ask, AskError> {
        // Model and stream are in the path.
        Ok(Ask { wants_usage: true, ..Ask::default() })
    }

    fn tap_whole(&self, text: &str, facts: &mut Facts) -> Seen {
        tap::whole(text, facts)
    }

    fn tap_frame(&self, _event: Option<&str>, text: &str, facts: &mut Facts) -> Seen {
        tap::frame(text, facts)
    }
}

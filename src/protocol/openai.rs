//! What OpenAI's two protocols share: paths, credential, error object, model list.
//! <https://platform.openai.com/docs/api-reference>

use serde_json::{Map, Value, json};

use crate::protocol::fault::Fault;
use crate::protocol::listing::ModelCard;

/// The paths under which OpenAI's clients find us.
pub(super) const PREFIXES: [&str; 4] = ["/openai/v1", "/openai", "/v1", ""];

/// `Authorization: Bearer KEY`.
pub(super) fn credential(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

/// `{"error":{"message","type","param":null,"code"}}`
pub(super) fn error_body(fault: &Fault) -> Value {
    let row = fault.kind.row();
    json!({"error": {
        "message": fault.message, "type": row.openai_type, "param": null, "code": row.openai_code,
    }})
}

/// `{"object":"list","data":[...]}`
pub(super) fn model_list(cards: &[ModelCard]) -> String {
    let data: Vec<Value> = cards.iter().map(entry).collect();
    json!({"object": "list", "data": data}).to_string()
}

/// One model, with what is known of it under `x_llmgate`; unknown values are absent.
pub(super) fn entry(card: &ModelCard) -> Value {
    let mut more = Map::new();
    put(&mut more, "upstream_name", card.upstream_name.as_deref());
    put(&mut more, "upstream_model", card.upstream_model.as_deref());
    let mut limits = Map::new();
    put(&mut limits, "context_window", card.context_window);
    put(&mut limits, "max_output_tokens", card.max_output_tokens);
    put_object(&mut more, "limits", limits);
    let mut surface = Map::new();
    if let Some(input) = &card.input {
        surface.insert("modalities".to_owned(), json!({"input": input, "output": ["text"]}));
    }
    let mut tools = Map::new();
    put(&mut tools, "supports_search", card.search);
    put(&mut tools, "supports_view_image", card.input.as_ref().map(|input| input.contains(&"image")));
    put(&mut tools, "apply_patch_transport", card.apply_patch);
    put(&mut tools, "supports_parallel_calls", card.parallel_calls);
    put_object(&mut surface, "tools", tools);
    put_object(&mut more, "surface", surface);
    json!({"id": card.id, "object": "model", "created": 0, "owned_by": "llmgate", "x_llmgate": more})
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

fn put_object(object: &mut Map<String, Value>, name: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        object.insert(name.to_owned(), Value::Object(inner));
    }
}

//! What OpenAI's two protocols share: paths, credential, grammars, error object, model list.
//! <https://platform.openai.com/docs/api-reference>

use crate::base::object::{Object, object};
use crate::base::tree::Tree;
use crate::ir::request::ToolGrammar;
use crate::protocol::fault::Fault;
use crate::protocol::listing::ModelCard;

/// The paths under which OpenAI's clients find us.
pub(super) const PREFIXES: [&str; 4] = ["/openai/v1", "/openai", "/v1", ""];

/// `Authorization: Bearer KEY`.
pub(super) fn credential(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

/// `{"syntax","definition"}`
pub(super) fn grammar(value: &Tree<'_>) -> Option<ToolGrammar> {
    let text = |name: &str| value.text(name).map(str::to_owned);
    Some(ToolGrammar {
        syntax: text("syntax").unwrap_or_else(|| "lark".to_owned()),
        definition: text("definition")?,
    })
}

/// `{"error":{"message","type","param":null,"code"}}`
pub(super) fn error_body(fault: &Fault) -> Object {
    let row = fault.kind.row();
    let message = fault.message.as_str();
    let error = object! {"message": message, "type": row.openai_type, "param": (), "code": row.openai_code};
    object! {"error": error}
}

/// `{"object":"list","data":[...]}`
pub(super) fn model_list(cards: &[ModelCard]) -> String {
    let data: Vec<Object> = cards.iter().map(entry).collect();
    object! {"object": "list", "data": data}.to_string()
}

/// One model, with what is known of it under `x_llmgate`; unknown values are absent.
pub(super) fn entry(card: &ModelCard) -> Object {
    let mut more = Object::default();
    more.put_some("upstream_name", card.upstream_name.as_deref());
    more.put_some("upstream_model", card.upstream_model.as_deref());
    let mut limits = Object::default();
    limits.put_some("context_window", card.context_window);
    limits.put_some("max_output_tokens", card.max_output_tokens);
    more.put_some("limits", some(limits));
    let mut surface = Object::default();
    let input = card.input.as_deref();
    surface.put_some("modalities", input.map(|input| object! {"input": input, "output": vec!["text"]}));
    let mut tools = Object::default();
    tools.put_some("supports_search", card.search);
    tools.put_some("supports_view_image", input.map(|input| input.contains(&"image")));
    tools.put_some("apply_patch_transport", card.apply_patch);
    tools.put_some("supports_parallel_calls", card.parallel_calls);
    surface.put_some("tools", some(tools));
    more.put_some("surface", some(surface));
    object! {
        "id": card.id.as_str(), "object": "model", "created": 0, "owned_by": "llmgate", "x_llmgate": more,
    }
}

/// An object that says something.
fn some(object: Object) -> Option<Object> {
    Some(object).filter(|object| !object.is_empty())
}

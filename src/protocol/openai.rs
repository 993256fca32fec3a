//! What OpenAI's two protocols share: paths, credential, grammars, error object, model list.
//! <https://platform.openai.com/docs/api-reference>

use std::borrow::Cow;

use crate::base::object::{Object, object};
use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::{Effort, Format, Level, Request};
use crate::ir::schema::{Schema, inner, is_of_objects};
use crate::ir::tool::{Tool, ToolForm, ToolGrammar};
use crate::protocol::fault::Fault;
use crate::protocol::fields::Fields;
use crate::protocol::listing::ModelCard;
use crate::protocol::parameters;
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

/// The paths under which OpenAI's clients find us.
pub(super) const PREFIXES: [&str; 4] = ["/openai/v1", "/openai", "/v1", ""];

/// What is lost of `allowed_tools` that need not be called.
pub(super) const FREE_CHOICE: &str = "a choice that leaves the model free is of all tools";

/// An effort by its name. One that is not known is some effort.
pub(super) fn effort(name: &str, path: Path, losses: &mut Losses) -> Effort {
    match (name, Level::named(name)) {
        ("none", _) => Effort::Off,
        (_, Some(level)) => Effort::Level(level),
        (_, None) => {
            losses.degrade(path, "a level that is not known");
            Effort::On
        }
    }
}

/// The form of an answer; `nested` is the member in which Chat writes a schema.
pub(super) fn format(
    format: Option<Fields<'_>>,
    nested: Option<&'static str>,
    losses: &mut Losses,
) -> Result<Option<Format>, WireError> {
    let Some(mut format) = format else { return Ok(None) };
    let wanted = match format.word("type")?.as_deref() {
        // Together, Fireworks and llama.cpp take a schema so, too.
        Some("json_object") if format.peek("schema").is_some_and(Tree::is_object) => {
            Some(json_schema(&mut format)?)
        }
        Some("json_object") => Some(Format::JsonObject),
        Some("json_schema") => Some(match nested {
            None => json_schema(&mut format)?,
            Some(name) => {
                let schema = format.object(name)?;
                let mut schema = schema.ok_or_else(|| format.wrong(name, "an object"))?;
                let wanted = json_schema(&mut schema)?;
                schema.lose_rest(losses);
                wanted
            }
        }),
        None | Some("text") => None,
        Some(other) => {
            losses.degrade(format.at("type"), format!("the format {other:?} is not known"));
            None
        }
    };
    format.lose_rest(losses);
    Ok(wanted)
}

fn json_schema(fields: &mut Fields<'_>) -> Result<Format, WireError> {
    Ok(Format::JsonSchema {
        name: fields.text("name")?,
        description: fields.text("description")?,
        strict: fields.flag("strict")?,
        schema: fields.schema("schema")?.unwrap_or_else(Schema::any),
    })
}

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

/// A tool as both protocols declare it.
pub(super) struct Declared<'a> {
    pub(super) tool: &'a Tool,
    /// What a function takes; of a free-form tool nothing.
    pub(super) parameters: Cow<'a, str>,
    pub(super) strict: Option<bool>,
}

/// The tools of a request.
pub(super) fn declared<'a>(request: &'a Request, losses: &mut Losses) -> Vec<Declared<'a>> {
    let declared = |tool: &'a Tool| {
        let parameters = match &tool.form {
            ToolForm::Function { schema, .. } => {
                parameters::of_lists(parameters::of_object(&tool.name, schema, losses))
            }
            ToolForm::FreeForm { .. } => Cow::default(),
        };
        let strict = strict(tool, &parameters, losses);
        Declared { tool, parameters, strict }
    };
    request.tools.iter().map(declared).collect()
}

/// Whether a function may be sent as strict. OpenAI demands of a strict one that each object of its
/// schema requires all its members and allows no other, and refuses the request otherwise; Anthropic
/// allows optional ones. Where a request came from is not looked at: one with such a schema from the
/// other of OpenAI's protocols would be refused, and goes through with a warning instead. The schema
/// of an answer is strict only where a client of OpenAI's said so, for whom the rule is the same.
fn strict(tool: &Tool, parameters: &str, losses: &mut Losses) -> Option<bool> {
    let ToolForm::Function { strict, .. } = &tool.form else { return None };
    if *strict != Some(true) || is_exact(&mut Tree::read(parameters).unwrap_or_default()) {
        return *strict;
    }
    let why = "a member of its schema is optional, or one of its objects open: sent as not strict";
    losses.degrade(format!("tools.{}.strict", tool.name), why);
    Some(false)
}

/// Does each object in a schema require all its members, and allow no other?
fn is_exact(schema: &mut Tree<'_>) -> bool {
    if is_of_objects(schema) {
        let required = schema.list("required").unwrap_or_default();
        let is_required = |name: &str| required.iter().any(|one| one.as_text() == Some(name));
        let all = match schema.get("properties") {
            Some(Tree::Object(members)) => members.iter().all(|(name, _)| is_required(name)),
            _ => true,
        };
        if !all || schema.get("additionalProperties") != Some(&Tree::Bool(false)) {
            return false;
        }
    }
    let Tree::Object(members) = schema else { return true };
    members.iter_mut().all(|(name, value)| inner(name, value).into_iter().all(is_exact))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::schema::Schema;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(schema: Value, asked: Option<bool>, sent: Option<bool>) {
        let form = ToolForm::Function { schema: Schema::of(&schema), strict: asked };
        let tool = Tool { name: "f".into(), description: None, form, identity: None };
        let mut losses = Losses::default();
        assert_eq!(strict(&tool, &schema.to_string(), &mut losses), sent, "{schema}");
        assert_eq!(losses.iter().count(), usize::from(asked != sent), "{schema}");
    }

    #[test]
    fn a_function_is_strict_where_its_schema_leaves_nothing_open() {
        let with = |inner: Value| {
            json!({
                "type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": false,
            })
        };
        let open = || json!({"type": "object", "properties": {"b": {}}, "required": ["b"]});
        let optional =
            || json!({"type": ["object", "null"], "properties": {"b": {}}, "additionalProperties": false});
        check(json!({}), Some(true), Some(true));
        check(with(with(json!({"type": "string", "default": open()}))), Some(true), Some(true));
        check(open(), None, None);
        check(open(), Some(false), Some(false));
        check(open(), Some(true), Some(false));
        check(with(optional()), Some(true), Some(false));
        check(with(json!({"anyOf": [{"type": "null"}, open()]})), Some(true), Some(false));
        check(with(json!({"items": {"properties": {}}})), Some(true), Some(false));
        check(json!({"$defs": {"d": optional()}, "type": "string"}), Some(true), Some(false));
    }
}

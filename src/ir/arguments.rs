//! Arguments of a call, made of words rather than by a model: what the demo's `demo:tool` gives.

use serde_json::{Map, Value};

use crate::base::tree::Tree;
use crate::ir::tool::ToolForm;

/// The arguments that the words after a tool's name stand for: for a function the JSON object that
/// they begin with, else an empty value for each required argument; for a free-form tool the text,
/// which may also stand in JSON (as a string, or as the member `input` of an object).
pub fn of_words(form: &ToolForm, words: &str) -> String {
    let given = serde_json::Deserializer::from_str(words).into_iter::<Tree<'_>>().next();
    let given = given.and_then(Result::ok).map(Tree::into_value);
    match (form, given) {
        (ToolForm::Function { .. }, Some(given)) if given.is_object() => given.to_string(),
        (ToolForm::Function { schema, .. }, _) => empty_object(&schema.value()).to_string(),
        (ToolForm::FreeForm { .. }, Some(Value::Object(given))) => {
            given.get("input").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        (ToolForm::FreeForm { .. }, Some(Value::String(given))) => given,
        (ToolForm::FreeForm { .. }, _) => words.trim().to_owned(),
    }
}

/// An object with an empty value for each property that the schema requires.
fn empty_object(schema: &Value) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let members: Map<String, Value> = names
        .map(|name| {
            let of = schema.get("properties").and_then(|all| all.get(name));
            (name.to_owned(), of.map_or_else(|| Value::from(""), empty_value))
        })
        .collect();
    Value::Object(members)
}

fn empty_value(schema: &Value) -> Value {
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => Value::from(0),
        Some("boolean") => Value::from(false),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => empty_object(schema),
        Some("null") => Value::Null,
        _ => Value::from(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ir::schema::Schema;

    #[test]
    fn words_become_what_the_tool_takes() {
        let schema = json!({"required": ["path", "mode", "count", "deep"], "properties": {
            "path": {"type": "string"}, "mode": {"enum": ["r", "w"]}, "count": {"type": "integer"}, "other": {},
            "deep": {"type": "object", "required": ["list", "none"], "properties": {
                "list": {"type": "array"}, "none": {"type": "null"}}}}});
        let function = ToolForm::Function { schema: Schema::of(&schema), strict: None };
        let free = ToolForm::FreeForm { grammar: None };
        for (form, words, arguments) in [
            (&function, r#" {"path":"a b"} thanks"#, r#"{"path":"a b"}"#),
            (&function, "", r#"{"path":"","mode":"r","count":0,"deep":{"list":[],"none":null}}"#),
            (&function, "7", r#"{"path":"","mode":"r","count":0,"deep":{"list":[],"none":null}}"#),
            (&function, "please", r#"{"path":"","mode":"r","count":0,"deep":{"list":[],"none":null}}"#),
            (&free, r#"{"input":"*** x"}"#, "*** x"),
            (&free, r#""quoted""#, "quoted"),
            (&free, " *** Begin\n+x\n", "*** Begin\n+x"),
        ] {
            assert_eq!(of_words(form, words), arguments, "{words}");
        }
    }
}

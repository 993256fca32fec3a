//! Both spellings of Google's field names. Google's JSON is that of protocol buffers: `functionCall`
//! and `function_call` are the same member. Read both, write the first.

use serde_json::{Map, Value};

use crate::protocol::fields::Fields;
use crate::protocol::wire::WireError;

/// An object with its members' names in camel case. What lies in them stays as it is: arguments
/// and schemas have names of their own.
pub(super) fn camel(value: Value) -> Value {
    match value {
        Value::Object(map) if map.keys().any(|name| name.contains('_')) => {
            let mut out = Map::new();
            for (name, value) in map {
                out.entry(camel_name(&name)).or_insert(value);
            }
            Value::Object(out)
        }
        value => value,
    }
}

/// Reads an object in either spelling.
pub(super) fn fields(value: Value, path: impl Into<String>) -> Result<Fields, WireError> {
    Fields::of(camel(value), path)
}

/// Takes an object in either spelling.
pub(super) fn object(outer: &mut Fields, name: &str) -> Result<Option<Fields>, WireError> {
    let path = outer.at(name);
    outer.take(name).map(|value| fields(value, path)).transpose()
}

/// Takes a list of objects; a lone object is a list of one.
pub(super) fn objects(outer: &mut Fields, name: &str) -> Result<Vec<Fields>, WireError> {
    let path = outer.at(name);
    let list = match outer.take(name) {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(value) => vec![value],
    };
    let numbered = list.into_iter().enumerate();
    numbered.map(|(index, value)| fields(value, format!("{path}[{index}]"))).collect()
}

fn camel_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 && !out.is_empty() => {
                out.push(first.to_ascii_uppercase());
                out.push_str(letters.as_str());
            }
            _ => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_become_camel_case_and_values_stay() {
        let value = json!({"function_call": {"args": {"file_path": 1}}, "thoughtSignature": "s"});
        let expected = json!({"functionCall": {"args": {"file_path": 1}}, "thoughtSignature": "s"});
        assert_eq!(camel(value), expected);
        assert_eq!(camel(json!({"aB": 1, "a_b": 2})), json!({"aB": 1}));
        assert_eq!(camel_name("parameters_json_schema"), "parametersJsonSchema");
    }
}

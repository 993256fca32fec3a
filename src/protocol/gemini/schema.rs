//! Google's schemas (OpenAPI 3.0 with upper-case types) -> JSON schema.

use serde_json::{Map, Value, json};

const TYPES: [&str; 7] = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// Members that hold one schema, or a list of them.
const INNER: [&str; 10] =
    ["items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "additionalProperties", "if", "then", "else"];
/// Members that hold schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "defs", "definitions"];
/// 64-bit numbers, which protocol buffers write as texts.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// What a function without parameters takes.
pub(super) fn empty() -> Value {
    json!({"type": "object", "properties": {}})
}

/// A schema with its types in lower case, at any depth.
pub(super) fn lower(schema: Value) -> Value {
    match schema {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter_map(|(name, value)| member(name, value)).collect())
        }
        Value::Array(list) => list.into_iter().map(lower).collect(),
        other => other,
    }
}

fn member(name: String, value: Value) -> Option<(String, Value)> {
    let value = match name.as_str() {
        "type" => kind(value)?,
        known if INNER.contains(&known) => lower(value),
        known if NAMED.contains(&known) => named(value),
        known if COUNTS.contains(&known) => count(value),
        _ => value,
    };
    Some((name, value))
}

fn kind(value: Value) -> Option<Value> {
    match value {
        Value::String(name) if name == "TYPE_UNSPECIFIED" => None,
        Value::String(name) if TYPES.iter().any(|known| known.eq_ignore_ascii_case(&name)) => {
            Some(name.to_ascii_lowercase().into())
        }
        Value::Array(list) => Some(list.into_iter().filter_map(kind).collect()),
        other => Some(other),
    }
}

fn named(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let lowered: Map<String, Value> =
                map.into_iter().map(|(name, schema)| (name, lower(schema))).collect();
            Value::Object(lowered)
        }
        other => other,
    }
}

fn count(value: Value) -> Value {
    let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
    number.map_or(value, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_lower_case_at_any_depth_and_names_stay() {
        let schema = json!({"type": "OBJECT", "properties": {
            "type": {"type": "STRING", "enum": ["STRING"]},
            "list": {"type": "ARRAY", "minItems": "2", "items": {"anyOf": [{"type": "NUMBER"}, {"type": ["NULL"]}]}},
        }, "required": ["type"]});
        let expected = json!({"type": "object", "properties": {
            "type": {"type": "string", "enum": ["STRING"]},
            "list": {"type": "array", "minItems": 2, "items": {"anyOf": [{"type": "number"}, {"type": ["null"]}]}},
        }, "required": ["type"]});
        assert_eq!(lower(schema), expected);
    }
}

//! Google's schemas (OpenAPI 3.0 with upper-case types) -> JSON schema.

use std::borrow::Cow;

use crate::base::tree::{Member, Tree, object};

const TYPES: [&str; 7] = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// Members that hold one schema, or a list of them.
const INNER: [&str; 10] =
    ["items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "additionalProperties", "if", "then", "else"];
/// Members that hold schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "defs", "definitions"];
/// 64-bit numbers, which protocol buffers write as texts.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// A schema with its types in lower case, at any depth.
pub(super) fn lower(schema: Tree<'_>) -> Tree<'_> {
    match schema {
        Tree::Object(members) => object(members.into_iter().filter_map(member).collect()),
        Tree::List(list) => Tree::List(list.into_iter().map(lower).collect()),
        other => other,
    }
}

fn member((name, value): Member<'_>) -> Option<Member<'_>> {
    let value = match name.as_ref() {
        "type" => kind(value)?,
        known if INNER.contains(&known) => lower(value),
        known if NAMED.contains(&known) => named(value),
        known if COUNTS.contains(&known) => count(value),
        _ => value,
    };
    Some((name, value))
}

fn kind(value: Tree<'_>) -> Option<Tree<'_>> {
    match value {
        Tree::Text(name) if name == "TYPE_UNSPECIFIED" => None,
        Tree::Text(name) => {
            let known = TYPES.iter().any(|known| known.eq_ignore_ascii_case(&name));
            Some(Tree::Text(if known { Cow::Owned(name.to_ascii_lowercase()) } else { name }))
        }
        Tree::List(list) => Some(Tree::List(list.into_iter().filter_map(kind).collect())),
        other => Some(other),
    }
}

fn named(value: Tree<'_>) -> Tree<'_> {
    match value {
        Tree::Object(members) => {
            Tree::Object(members.into_iter().map(|(name, schema)| (name, lower(schema))).collect())
        }
        other => other,
    }
}

fn count(value: Tree<'_>) -> Tree<'_> {
    let number = value.as_text().and_then(|text| text.parse::<u64>().ok());
    number.map_or(value, |number| Tree::Number(number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        assert_eq!(lower(schema.into()).into_value(), expected);
    }
}

//! Google's schemas (OpenAPI 3.0 with upper-case types) -> JSON schema. The native lane leaves them
//! as they are.

use std::borrow::Cow;

use crate::base::tree::{Member, Tree};
use crate::ir::schema::inner;

const TYPES: [&str; 7] = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
/// 64-bit numbers, which protocol buffers write as texts.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// A JSON schema that says the same.
pub(super) fn plain(mut schema: Tree<'_>) -> Tree<'_> {
    rewrite(&mut schema);
    schema
}

fn rewrite(schema: &mut Tree<'_>) {
    let Tree::Object(members) = schema else { return };
    for (name, value) in members.iter_mut() {
        inner(name, value).into_iter().for_each(rewrite);
    }
    *members = std::mem::take(members).into_iter().filter_map(member).collect();
    allow_null(members);
}

fn member((name, value): Member<'_>) -> Option<Member<'_>> {
    let value = match name.as_ref() {
        // The members of a JSON schema have no order.
        "propertyOrdering" => return None,
        "type" => kind(value)?,
        known if COUNTS.contains(&known) => count(value),
        _ => value,
    };
    Some((name, value))
}

/// `nullable`, which no JSON schema knows, as what it means.
fn allow_null(members: &mut Vec<Member<'_>>) {
    let is_nullable = |(name, value): &Member<'_>| name == "nullable" && *value == Tree::Bool(true);
    let nullable = members.iter().any(is_nullable);
    members.retain(|(name, _)| name != "nullable");
    for (name, value) in members.iter_mut().filter(|_| nullable) {
        let null = Tree::Text("null".into());
        let one = match name.as_ref() {
            "type" => null,
            "enum" => Tree::Null,
            "anyOf" | "oneOf" => Tree::Object(vec![("type".into(), null)]),
            _ => continue,
        };
        if let Tree::Text(_) = value {
            *value = Tree::List(vec![std::mem::take(value)]);
        }
        if let Tree::List(list) = value
            && !list.contains(&one)
        {
            list.push(one);
        }
    }
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
        assert_eq!(plain(schema.into()).into_value(), expected);
    }

    #[test]
    fn what_may_be_null_says_so_as_a_json_schema_does() {
        for (schema, expected) in [
            (json!({"type": "STRING", "nullable": true}), json!({"type": ["string", "null"]})),
            (json!({"type": "STRING", "nullable": false}), json!({"type": "string"})),
            (json!({"type": "NULL", "nullable": true}), json!({"type": ["null"]})),
            (json!({"type": ["STRING", "NULL"], "nullable": true}), json!({"type": ["string", "null"]})),
            (
                json!({"type": "STRING", "enum": ["a"], "nullable": true}),
                json!({"type": ["string", "null"], "enum": ["a", null]}),
            ),
            (
                json!({"items": {"anyOf": [{"type": "INTEGER"}], "nullable": true}}),
                json!({"items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}),
            ),
            (
                json!({"properties": {"nullable": {"default": {"nullable": true}}}, "propertyOrdering": ["nullable"]}),
                json!({"properties": {"nullable": {"default": {"nullable": true}}}}),
            ),
        ] {
            assert_eq!(plain(schema.clone().into()).into_value(), expected, "{schema}");
        }
    }
}

//! The schema of an answer as a target takes it: a small part of what JSON schemas can say, any
//! other word is refused. What it does not take is told to the model, in the description.
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>

use std::borrow::Cow;

use crate::base::tree::{Member, Tree};
use crate::ir::loss::Losses;
use crate::ir::schema::{inner, is_of_objects, tell};

/// The words that the target takes, whatever they say.
const WORDS: [&str; 10] = [
    "$schema",
    "$ref",
    "$defs",
    "definitions",
    "title",
    "type",
    "properties",
    "additionalProperties",
    "required",
    "anyOf",
];

/// The forms of texts that it knows.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Rewrites a schema, and those in it.
pub(super) fn fit(schema: &mut Tree<'_>, losses: &mut Losses) {
    let is_object = is_of_objects(schema);
    let Tree::Object(members) = schema else { return };
    rename_choice(members);
    wrap_reference(members);
    let (mut kept, untold): (Vec<_>, Vec<_>) = std::mem::take(members).into_iter().partition(is_taken);
    // The target wants each value to be of the one type named; the values say enough.
    let is_of_texts = |(_, value): &Member<'_>| match value {
        Tree::List(values) => values.iter().all(|value| value.as_text().is_some()),
        value => value.as_text().is_some(),
    };
    let mut values = kept.iter().filter(|(name, _)| name == "enum" || name == "const");
    if !values.all(is_of_texts) {
        kept.retain(|(name, _)| name != "type");
    }
    for (name, value) in &mut kept {
        inner(name, value).into_iter().for_each(|schema| fit(schema, losses));
    }
    *members = kept;
    if is_object {
        close(schema, losses);
    }
    tell(schema, untold);
}

/// The target knows `anyOf` only, which allows no less.
fn rename_choice(members: &mut [Member<'_>]) {
    if members.iter().all(|(name, _)| name != "anyOf") {
        let choice = members.iter_mut().find(|(name, _)| name == "oneOf");
        choice.into_iter().for_each(|(name, _)| *name = Cow::Borrowed("anyOf"));
    }
}

/// Beside a reference the target takes nothing but the definitions.
fn wrap_reference(members: &mut Vec<Member<'_>>) {
    let is_beside =
        |(name, _): &Member<'_>| !matches!(name.as_ref(), "$ref" | "$defs" | "definitions" | "$schema");
    if !members.iter().any(is_beside) || members.iter().any(|(name, _)| name == "anyOf") {
        return;
    }
    if let Some((name, value)) = members.iter_mut().find(|(name, _)| name == "$ref") {
        let reference =
            Tree::Object(vec![(std::mem::replace(name, Cow::Borrowed("anyOf")), std::mem::take(value))]);
        *value = Tree::List(vec![reference]);
    }
}

/// Does the target take it as it is?
fn is_taken((name, value): &Member<'_>) -> bool {
    let is_plain = |value: &Tree<'_>| !matches!(value, Tree::List(_) | Tree::Object(_));
    match (name.as_ref(), value) {
        ("allOf", Tree::List(_)) | ("items", Tree::Object(_)) | ("description", Tree::Text(_)) => true,
        ("enum", Tree::List(values)) => !values.is_empty() && values.iter().all(is_plain),
        ("const", value) => is_plain(value),
        ("format", Tree::Text(form)) => FORMATS.contains(&form.as_ref()),
        ("minItems", Tree::Number(least)) => matches!(least.as_u64(), Some(0 | 1)),
        (name, _) => WORDS.contains(&name),
    }
}

/// The target demands of each object that it is one, and allows no further members.
fn close(schema: &mut Tree<'_>, losses: &mut Losses) {
    if schema.get("type").is_none() {
        schema.put("type", Tree::Text("object".into()));
    }
    let before = schema.put("additionalProperties", Tree::Bool(false));
    if before.is_some_and(|before| before != Tree::Bool(false)) {
        losses.degrade("format.schema", "the target takes closed objects only");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(schema: Value, expected: Value, lost: usize) {
        let mut tree = Tree::from(schema.clone());
        let mut losses = Losses::default();
        fit(&mut tree, &mut losses);
        assert_eq!(tree.into_value(), expected, "{schema}");
        assert_eq!(losses.iter().count(), lost, "{schema}");
    }

    #[test]
    fn limits_are_told_in_the_description() {
        check(
            json!({"type": "integer", "description": "A.", "minimum": 1, "maximum": 2}),
            json!({"type": "integer", "description": "A.\n\n{minimum: 1, maximum: 2}"}),
            0,
        );
        check(json!({"minItems": 2}), json!({"description": "{minItems: 2}"}), 0);
        check(json!({"minItems": 1}), json!({"minItems": 1}), 0);
        check(json!({"format": "uuid"}), json!({"format": "uuid"}), 0);
        check(json!({"format": "regex"}), json!({"description": "{format: \"regex\"}"}), 0);
    }

    #[test]
    fn every_object_is_closed_and_no_value_is_touched() {
        let closed = |kind: Value| json!({"type": kind, "properties": {}, "additionalProperties": false});
        check(
            json!({"properties": {}}),
            json!({"properties": {}, "type": "object", "additionalProperties": false}),
            0,
        );
        let open = |kind: Value| json!({"type": kind, "properties": {}});
        for kind in [json!("object"), json!(["object", "null"])] {
            check(open(kind.clone()), closed(kind.clone()), 0);
            check(json!({"oneOf": [open(kind.clone())]}), json!({"anyOf": [closed(kind.clone())]}), 0);
            check(
                json!({"$defs": {"enum": open(kind.clone())}}),
                json!({"$defs": {"enum": closed(kind)}}),
                0,
            );
        }
        let free = json!({"type": "object", "additionalProperties": {"type": "string"}});
        check(free, json!({"type": "object", "additionalProperties": false}), 1);
        let value = json!({"default": {"type": "object"}, "enum": [{"type": "object"}]});
        let words = "{default: {\"type\":\"object\"}, enum: [{\"type\":\"object\"}]}";
        check(value, json!({"description": words}), 0);
        let nullable = json!({"type": ["string", "null"], "enum": ["a", null]});
        check(nullable, json!({"enum": ["a", null]}), 0);
        let texts = json!({"type": "string", "enum": ["a", "b"], "const": "a"});
        check(texts.clone(), texts, 0);
        check(json!({"enum": []}), json!({"description": "{enum: []}"}), 0);
        check(json!({"enum": ["a", null], "const": 1}), json!({"enum": ["a", null], "const": 1}), 0);
    }

    #[test]
    fn nothing_stands_beside_a_reference() {
        let alone = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}});
        check(alone.clone(), alone, 0);
        check(
            json!({"$ref": "#/$defs/a", "description": "A.", "default": 1}),
            json!({"anyOf": [{"$ref": "#/$defs/a"}], "description": "A.\n\n{default: 1}"}),
            0,
        );
    }
}

//! The schema of a function as vendors take it. OpenAI and Anthropic demand an object at its top, and no
//! choice there between several, OpenAI that its members are named, be it none; OpenAI and Google demand
//! to know what is in a list. Tools of MCP servers, which agents offer as they come, break each of these,
//! and one such tool fails the whole request: "input_schema does not support oneOf, allOf, or anyOf at
//! the top level", "schema must have type 'object' and not have 'oneOf'/'anyOf'/...", "object schema
//! missing properties", "array schema missing items", "items: missing field".

use std::borrow::Cow;

use crate::base::json::Members;
use crate::base::pen;
use crate::base::tree::{self, Keep, Member, Tree};
use crate::ir::loss::Losses;
use crate::ir::schema::{Schema, inner, tell};

/// What may not stand at the top.
const CHOICES: [&str; 6] = ["anyOf", "oneOf", "allOf", "enum", "const", "not"];

/// The schema of the function of that name, of an object and without a choice at its top.
pub(super) fn of_object<'s>(name: &str, schema: &'s Schema, losses: &mut Losses) -> Cow<'s, str> {
    let text = schema.text();
    let fits = Members::read(text).is_ok_and(|members| {
        members.get(text, "type") == Some(r#""object""#)
            && members.get(text, "properties").is_some_and(|named| named.starts_with('{'))
            && CHOICES.iter().all(|choice| members.range(text, choice).is_none())
    });
    if fits {
        return Cow::Borrowed(text);
    }
    let mut tree = schema.tree();
    let Tree::Object(members) = &mut tree else { return Cow::Borrowed(text) };
    let is_choice = |(name, _): &Member<'_>| CHOICES.contains(&name.as_ref());
    let (choices, mut kept): (Vec<_>, Vec<_>) = std::mem::take(members).into_iter().partition(is_choice);
    if !choices.is_empty() {
        losses.degrade(format!("tools.{name}.parameters"), "a choice at its top is told in words");
        name_all(&choices, &mut kept);
    }
    *members = kept;
    tree.put("type", Tree::Text("object".into()));
    if tree.object("properties").is_none() {
        tree.put("properties", Tree::Object(Vec::new()));
    }
    tell(&mut tree, choices);
    Cow::Owned(pen::written(&tree))
}

/// A schema whose lists each say of what they are.
pub(super) fn of_lists(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(r#""array""#) {
        return text;
    }
    let mut tree = Tree::read(&text).unwrap_or_default();
    if fill(&mut tree) { Cow::Owned(pen::written(&tree)) } else { text }
}

/// Adds the members that only its forms name; the words tell what they are, in each form another.
fn name_all<'a>(choices: &[Member<'a>], kept: &mut Vec<Member<'a>>) {
    let mut all = match kept.iter_mut().find(|(name, _)| name == "properties") {
        Some((_, Tree::Object(members))) => std::mem::take(members),
        _ => Vec::new(),
    };
    for (_, forms) in choices {
        let Tree::List(forms) = forms else { continue };
        for form in forms {
            let Some(Tree::Object(members)) = form.get("properties") else { continue };
            all.extend(members.iter().map(|(name, _)| (name.clone(), Tree::Object(Vec::new()))));
        }
    }
    tree::distinct(&mut all, Keep::First);
    kept.retain(|(name, _)| name != "properties");
    kept.push(("properties".into(), Tree::Object(all)));
}

/// Whether a list in it lacked its elements.
fn fill(schema: &mut Tree<'_>) -> bool {
    let is_list = match schema.get("type") {
        Some(Tree::List(types)) => types.iter().any(|one| one.as_text() == Some("array")),
        one => one.and_then(Tree::as_text) == Some("array"),
    };
    let lacks = is_list && ["items", "prefixItems"].iter().all(|name| schema.get(name).is_none());
    if lacks {
        schema.put("items", Tree::Object(Vec::new()));
    }
    let Tree::Object(members) = schema else { return lacks };
    let inside = members.iter_mut().flat_map(|(name, value)| inner(name, value));
    inside.fold(lacks, |filled, schema| fill(schema) | filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(schema: Value, expected: Value, lost: usize) {
        let (given, mut losses) = (Schema::of(&schema), Losses::default());
        let fitted = of_lists(of_object("f", &given, &mut losses));
        assert_eq!(serde_json::from_str::<Value>(&fitted).unwrap(), expected, "{schema}");
        assert_eq!(losses.iter().count(), lost, "{schema}");
        assert_eq!(matches!(fitted, Cow::Borrowed(_)), schema == expected, "{schema}");
    }

    #[test]
    fn the_top_is_an_object() {
        let nothing = json!({"type": "object", "properties": {}});
        for bare in [json!({}), json!({"type": "object"}), json!({"type": "object", "properties": null})] {
            check(bare, nothing.clone(), 0);
        }
        let plain = json!({"type": "object", "properties": {"anyOf": {"anyOf": [{}]}, "list": {"type": "array", "items": {}}}});
        check(plain.clone(), plain, 0);
        check(json!({"type": ["object", "null"], "properties": {}}), nothing, 0);
    }

    #[test]
    fn a_choice_at_the_top_is_told_in_words() {
        let one = json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
        check(
            json!({"type": "object", "properties": {"a": {}}, "anyOf": one["anyOf"]}),
            json!({"type": "object", "properties": {"a": {}},
                "description": "{anyOf: [{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}"}),
            1,
        );
        let form = |name: &str| json!({"type": "object", "properties": {"kind": {"const": name}, name: {}}});
        let forms = json!([form("a"), form("b")]);
        check(
            json!({"description": "D.", "oneOf": forms}),
            json!({"description": format!("D.\n\n{{oneOf: {forms}}}"), "type": "object",
                "properties": {"kind": {}, "a": {}, "b": {}}}),
            1,
        );
    }

    #[test]
    fn a_list_says_of_what_it_is() {
        let list = |more: Value| json!({"type": "object", "properties": {"l": more}});
        check(list(json!({"type": "array"})), list(json!({"type": "array", "items": {}})), 0);
        let tuple = list(json!({"type": "array", "prefixItems": [{}]}));
        check(tuple.clone(), tuple, 0);
        check(
            list(json!({"items": {"type": ["array", "null"]}, "enum": [{"type": "array"}]})),
            list(json!({"items": {"type": ["array", "null"], "items": {}}, "enum": [{"type": "array"}]})),
            0,
        );
    }
}

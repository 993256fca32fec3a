//! Both spellings of Google's field names. Google's JSON is that of protocol buffers: `functionCall`
//! and `function_call` are the same member. Read both, write the first.

use std::borrow::Cow;

use crate::base::tree::{Keep, Tree, distinct};
use crate::protocol::fields::Fields;
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

/// An object with its members' names in camel case; of two spellings of one name the first counts.
/// What lies in them stays as it is: arguments and schemas have names of their own.
pub(super) fn camel(value: Tree<'_>) -> Tree<'_> {
    match value {
        Tree::Object(mut members) if members.iter().any(|(name, _)| name.contains('_')) => {
            for (name, _) in &mut members {
                if name.contains('_') {
                    *name = Cow::Owned(camel_name(name));
                }
            }
            distinct(&mut members, Keep::First);
            Tree::Object(members)
        }
        value => value,
    }
}

/// Reads an object in either spelling.
pub(super) fn fields(value: Tree<'_>, path: Path) -> Result<Fields<'_>, WireError> {
    Fields::of(camel(value), path)
}

/// Takes an object in either spelling.
pub(super) fn object<'a>(
    outer: &mut Fields<'a>,
    name: &'static str,
) -> Result<Option<Fields<'a>>, WireError> {
    outer.take(name).map(|value| fields(value, outer.at(name))).transpose()
}

/// Takes a list of objects; a lone object is a list of one.
pub(super) fn objects<'a>(outer: &mut Fields<'a>, name: &'static str) -> Result<Vec<Fields<'a>>, WireError> {
    let list = match outer.take(name) {
        None => Vec::new(),
        Some(Tree::List(list)) => list,
        Some(value) => vec![value],
    };
    let path = outer.at(name);
    let numbered = list.into_iter().enumerate();
    numbered.map(|(index, value)| fields(value, path.index(index))).collect()
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
        assert_eq!(camel(value.into()).into_value(), expected);
        assert_eq!(camel(json!({"aB": 1, "a_b": 2}).into()).into_value(), json!({"aB": 1}));
        assert_eq!(camel_name("parameters_json_schema"), "parametersJsonSchema");
    }
}

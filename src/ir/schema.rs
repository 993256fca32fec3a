//! JSON schemas. Few between a client and a target have to understand one, so it is kept as the
//! text it will go out as.

use serde_json::Value;

use crate::base::pen::{self, Pen, Put};
use crate::base::tree::{Member, Tree};

/// A JSON schema: an object, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema(String);

impl Schema {
    /// The schema that a value is. It is an object, or what is done with it makes no sense.
    pub fn of(value: &impl Put) -> Self {
        Self(pen::written(value))
    }

    /// The schema that demands nothing.
    pub fn any() -> Self {
        Self("{}".to_owned())
    }

    /// What a function without parameters takes.
    pub fn no_arguments() -> Self {
        Self(NO_ARGUMENTS.to_owned())
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// It, taken apart.
    pub fn tree(&self) -> Tree<'_> {
        // It was written by us.
        Tree::read(&self.0).unwrap_or_default()
    }

    /// It as a value.
    pub fn value(&self) -> Value {
        self.tree().into_value()
    }
}

/// Members of a schema that hold one schema, or a list of them.
const INNER: [&str; 10] =
    ["items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "additionalProperties", "if", "then", "else"];
/// Members of a schema that hold schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "defs", "definitions"];

/// The schemas in a member of a schema. What lies in an example, a default or an `enum` is a value,
/// whatever it looks like.
pub fn inner<'t, 'a>(name: &str, value: &'t mut Tree<'a>) -> Vec<&'t mut Tree<'a>> {
    if value.is_object() && INNER.contains(&name) {
        return vec![value];
    }
    match value {
        Tree::Object(members) if NAMED.contains(&name) => {
            members.iter_mut().map(|(_, schema)| schema).collect()
        }
        Tree::List(list) if INNER.contains(&name) => list.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// Does a schema speak of objects? One without a type does where it names their members.
pub fn is_of_objects(schema: &Tree<'_>) -> bool {
    match schema.get("type") {
        Some(Tree::List(types)) => types.iter().any(|one| one.as_text() == Some("object")),
        Some(one) => one.as_text() == Some("object"),
        None => schema.get("properties").is_some(),
    }
}

/// Adds to the description what the target does not take, so that the model knows it.
pub fn tell(schema: &mut Tree<'_>, untold: Vec<Member<'_>>) {
    if untold.is_empty() {
        return;
    }
    let words: Vec<String> =
        untold.iter().map(|(name, value)| format!("{name}: {}", pen::written(value))).collect();
    let said = schema.text("description").map(|said| format!("{said}\n\n")).unwrap_or_default();
    schema.put("description", Tree::Text(format!("{said}{{{}}}", words.join(", ")).into()));
}

/// The schema of a function that takes nothing.
pub const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

impl Put for Schema {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(self.0.as_bytes());
    }
}

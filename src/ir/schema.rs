//! JSON schemas. Nobody between a client and a target has to understand one, so it is kept as the
//! text it will go out as.

use serde_json::Value;

use crate::base::pen::{self, Pen, Put};
use crate::base::tree::Tree;

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

/// The schema of a function that takes nothing.
pub const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

impl Put for Schema {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.raw(self.0.as_bytes());
    }
}

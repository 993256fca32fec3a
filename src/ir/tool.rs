//! Tools that a model may call, whichever protocol offered them.

use std::borrow::Cow;

use crate::ir::loss::Losses;
use crate::ir::request::MEMBERS;
use crate::ir::schema::Schema;

/// A tool that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// The name under which a model is offered it: flat, unique in the request.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it takes.
    pub form: ToolForm,
    /// How the client knows it, where that is more than the name.
    pub identity: Option<ToolIdentity>,
}

/// What a tool takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolForm {
    /// Arguments as a JSON schema says.
    Function {
        /// The schema.
        schema: Schema,
        /// Must they obey it?
        strict: Option<bool>,
    },
    /// Free text, perhaps in a grammar, which is told in words where it cannot be told otherwise.
    FreeForm {
        /// The grammar.
        grammar: Option<ToolGrammar>,
    },
}

/// What the text of a free-form tool must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolGrammar {
    /// How it is written: `lark` or `regex`.
    pub syntax: String,
    /// The rules.
    pub definition: String,
}

/// How a client knows a tool that was made flat for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolIdentity {
    /// The namespace it stands in.
    pub namespace: Option<String>,
    /// Its name there.
    pub name: String,
    /// The kind of call item that the client expects.
    pub kind: CallKind,
}

/// The kind of call item that a client expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// A function call.
    Function,
    /// A call of a free-form tool.
    Custom,
    /// The client's own search for tools.
    ToolSearch,
    /// A shell on the client's machine.
    LocalShell,
    /// The same in its newer form, several commands at once.
    Shell,
    /// The client's own way to change files.
    ApplyPatch,
}

/// Which tools may or must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Any,
    /// This one.
    One(String),
    /// At least one of these.
    OneOf(Vec<String>),
}

/// Takes out of a choice what does not go along: a target refuses a choice of a tool that it is not
/// offered. `path` is where the choice stands. Without tools there is none either way.
pub fn settle(choice: &mut Option<ToolChoice>, tools: &[Tool], path: &str, losses: &mut Losses) {
    let goes_along = |name: &String| tools.iter().any(|tool| tool.name == *name);
    let settled = match choice {
        _ if tools.is_empty() => return,
        Some(ToolChoice::One(name)) if !goes_along(name) => None,
        Some(ToolChoice::OneOf(names)) if names.is_empty() || !names.iter().all(goes_along) => {
            names.retain(goes_along);
            Some(std::mem::take(names)).filter(|names| !names.is_empty()).map(ToolChoice::OneOf)
        }
        _ => return,
    };
    losses.degrade(path, "it names a tool that does not go along");
    *choice = settled;
}

impl Tool {
    /// Its description, with the grammar of a free text behind it.
    pub fn in_words(&self) -> Option<Cow<'_, str>> {
        let grammar = match &self.form {
            ToolForm::FreeForm { grammar } => grammar.as_ref().map(|grammar| grammar.definition.as_str()),
            ToolForm::Function { .. } => None,
        };
        match (self.description.as_deref(), grammar) {
            (Some(description), Some(grammar)) => Some(Cow::Owned(format!("{description}\n\n{grammar}"))),
            (said, grammar) => said.or(grammar).map(Cow::Borrowed),
        }
    }

    /// About how many bytes it takes when it is written.
    pub(super) fn length(&self) -> usize {
        let form = match &self.form {
            ToolForm::Function { schema, .. } => schema.text().len(),
            ToolForm::FreeForm { grammar } => grammar.as_ref().map_or(0, |grammar| grammar.definition.len()),
        };
        self.name.len() + self.description.as_ref().map_or(0, String::len) + form + MEMBERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_names_only_what_goes_along() {
        let form = ToolForm::FreeForm { grammar: None };
        let tools = [Tool { name: "f".into(), description: None, form, identity: None }];
        let some =
            |names: &[&str]| Some(ToolChoice::OneOf(names.iter().map(|name| (*name).into()).collect()));
        for (choice, settled, told) in [
            (None, None, false),
            (Some(ToolChoice::Any), Some(ToolChoice::Any), false),
            (Some(ToolChoice::One("f".into())), Some(ToolChoice::One("f".into())), false),
            (Some(ToolChoice::One("g".into())), None, true),
            (some(&["f"]), some(&["f"]), false),
            (some(&["g", "f"]), some(&["f"]), true),
            (some(&["g"]), None, true),
            (some(&[]), None, true),
        ] {
            let (mut now, mut losses) = (choice.clone(), Losses::default());
            settle(&mut now, &tools, "tool_choice", &mut losses);
            assert_eq!((now, losses.iter().count() > 0), (settled, told), "{choice:?}");
            let mut alone = choice.clone();
            settle(&mut alone, &[], "tool_choice", &mut losses);
            assert_eq!(alone, choice);
        }
    }
}

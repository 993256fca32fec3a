//! One JSON object that is being read: known members are taken out of it with their types, and
//! what is left over is told as a loss. So known, unknown and broken stay three things, and every
//! error has its path.

use std::borrow::Cow;
use std::iter::Enumerate;
use std::vec;

use serde_json::Number;

use crate::base::tree::{Member, Tree};
use crate::ir::loss::Losses;
use crate::ir::schema::Schema;
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

/// Members that may be left out without a word, in all protocols (SPEC 8.9).
const HINTS: [&str; 20] = [
    "block_binding",
    "cache_control",
    "client_metadata",
    "include",
    "include_obfuscation",
    "metadata",
    "prompt_cache_breakpoint",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "truncation",
    "user",
    "internal_chat_message_metadata_passthrough",
    "eager_input_streaming",
    // A client of OpenRouter's asks for the counts, which come anyhow.
    "usage",
    // What OpenAI's SDKs read in an answer, beside the text that they read it in.
    "parsed",
    "parsed_arguments",
];

/// A JSON object that is being read.
pub(super) struct Fields<'a> {
    path: Path,
    members: Vec<Member<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads a whole text.
    pub(super) fn parse(text: &'a str) -> Result<Self, WireError> {
        Self::of(parsed(text)?, Path::default())
    }

    /// Reads a value at a path.
    #[inline(never)]
    pub(super) fn of(value: Tree<'a>, path: Path) -> Result<Self, WireError> {
        match value {
            Tree::Object(members) => Ok(Self { path, members }),
            _ => Err(WireError::new(path, "an object")),
        }
    }

    /// Its own path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a member.
    #[inline(never)]
    pub(super) fn at(&self, name: &'static str) -> Path {
        self.path.at(name)
    }

    /// Looks at a member.
    pub(super) fn peek(&self, name: &str) -> Option<&Tree<'a>> {
        self.members.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Takes a member; null counts as missing.
    #[inline(never)]
    pub(super) fn take(&mut self, name: &str) -> Option<Tree<'a>> {
        let place = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.remove(place);
        Some(value).filter(|value| !matches!(value, Tree::Null))
    }

    /// Takes a member that nobody needs.
    #[inline(never)]
    pub(super) fn skip(&mut self, name: &str) {
        self.take(name);
    }

    /// Is there a member that is not null?
    #[inline(never)]
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, value)| known == name && !matches!(value, Tree::Null))
    }

    /// The error of a member that is something else.
    #[cold]
    #[inline(never)]
    pub(super) fn wrong(&self, name: &'static str, expected: &str) -> WireError {
        WireError::new(self.at(name), expected)
    }

    /// A provider's answer that tells an error is none.
    pub(super) fn no_error(&self) -> Result<(), WireError> {
        if self.has("error") { Err(self.wrong("error", "nothing: it is no answer")) } else { Ok(()) }
    }

    /// Takes a string that is looked at and left: a type, a role.
    #[inline(never)]
    pub(super) fn word(&mut self, name: &'static str) -> Result<Option<Cow<'a, str>>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Tree::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// Takes one that must be there.
    #[inline(never)]
    pub(super) fn required_word(&mut self, name: &'static str) -> Result<Cow<'a, str>, WireError> {
        self.word(name)?.ok_or_else(|| self.wrong(name, "a string"))
    }

    /// Takes a string that is kept.
    #[inline(never)]
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, WireError> {
        Ok(self.word(name)?.map(Cow::into_owned))
    }

    /// Takes one that must be there.
    #[inline(never)]
    pub(super) fn required_text(&mut self, name: &'static str) -> Result<String, WireError> {
        self.required_word(name).map(Cow::into_owned)
    }

    /// Takes an id; some servers count theirs.
    #[inline(never)]
    pub(super) fn id(&mut self, name: &'static str) -> Result<Option<String>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Tree::Text(id)) => Ok(Some(id.into_owned())),
            Some(Tree::Number(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// Takes a switch.
    #[inline(never)]
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Tree::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// Takes a number as it was written.
    #[inline(never)]
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<Number>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Tree::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "a number")),
        }
    }

    /// Takes a whole number that is not negative; a fraction is cut off.
    #[inline(never)]
    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, WireError> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let whole = number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64));
        whole.map(Some).ok_or_else(|| self.wrong(name, "a number that is not negative"))
    }

    /// Takes a list.
    #[inline(never)]
    pub(super) fn list(&mut self, name: &'static str) -> Result<Option<Vec<Tree<'a>>>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Tree::List(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    /// Takes a list of objects; a missing one is empty.
    #[inline(never)]
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Objects<'a>, WireError> {
        Ok(Objects::of(self.list(name)?.unwrap_or_default(), self.at(name)))
    }

    /// Takes what is not carried: is it a list that holds anything?
    pub(super) fn drops_list(&mut self, name: &str) -> bool {
        !self.list_if_any(name).is_empty()
    }

    /// Takes a list, if it is one.
    pub(super) fn list_if_any(&mut self, name: &str) -> Vec<Tree<'a>> {
        match self.take(name) {
            Some(Tree::List(list)) => list,
            _ => Vec::new(),
        }
    }

    /// Takes an object, if it is one.
    pub(super) fn object_if_any(&mut self, name: &'static str) -> Option<Self> {
        Self::of(self.take(name)?, self.at(name)).ok()
    }

    /// Takes an object.
    #[inline(never)]
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(value, self.at(name)).map(Some),
        }
    }

    /// Takes a JSON schema.
    #[inline(never)]
    pub(super) fn schema(&mut self, name: &'static str) -> Result<Option<Schema>, WireError> {
        Ok(self.schema_tree(name)?.as_ref().map(Schema::of))
    }

    /// Takes a JSON schema that is not yet as it should be: an object.
    #[inline(never)]
    pub(super) fn schema_tree(&mut self, name: &'static str) -> Result<Option<Tree<'a>>, WireError> {
        match self.take(name) {
            Some(schema) if !schema.is_object() => Err(self.wrong(name, "a JSON schema")),
            schema => Ok(schema),
        }
    }

    /// What is left is not carried: hints without a word, the rest as a loss each.
    #[inline(never)]
    pub(super) fn lose_rest(self, losses: &mut Losses) {
        for (name, value) in &self.members {
            let path = self.path.named(name);
            if says_nothing(value) || HINTS.contains(&name.as_ref()) {
                losses.hint(path, "of no use to another provider");
            } else {
                losses.degrade(path, "not known to the target's protocol");
            }
        }
    }
}

/// The value of a whole text.
pub(super) fn parsed(text: &str) -> Result<Tree<'_>, WireError> {
    Tree::read(text).map_err(|error| WireError::new("", format!("JSON: {error}")))
}

/// The objects of a list, one after the other.
pub(super) struct Objects<'a> {
    path: Path,
    list: Enumerate<vec::IntoIter<Tree<'a>>>,
}

impl<'a> Objects<'a> {
    /// Those of a list at a path.
    pub(super) fn of(list: Vec<Tree<'a>>, path: Path) -> Self {
        Self { path, list: list.into_iter().enumerate() }
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Fields<'a>, WireError>;

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let (index, value) = self.list.next()?;
        Some(Fields::of(value, self.path.index(index)))
    }
}

/// Is a member the same as none? What is switched off or empty asks for nothing.
fn says_nothing(value: &Tree<'_>) -> bool {
    match value {
        Tree::Null | Tree::Bool(false) => true,
        Tree::List(list) => list.is_empty(),
        Tree::Object(members) => members.is_empty(),
        Tree::Text(text) => text.is_empty(),
        Tree::Bool(true) | Tree::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::loss::Severity;

    #[test]
    fn what_is_not_taken_is_lost_with_its_path() {
        let mut fields =
            Fields::parse(r#"{"a":1,"b":null,"user":"u","usage":{"include":true},"odd":[1]}"#).unwrap();
        assert_eq!(fields.count("a"), Ok(Some(1)));
        let mut losses = Losses::default();
        fields.lose_rest(&mut losses);
        let told: Vec<(String, Severity)> =
            losses.iter().map(|loss| (loss.path.clone(), loss.severity)).collect();
        let expected = [
            ("b", Severity::Hint),
            ("user", Severity::Hint),
            ("usage", Severity::Hint),
            ("odd", Severity::Degrade),
        ];
        assert_eq!(told, expected.map(|(path, severity)| (path.to_owned(), severity)));
    }

    #[test]
    fn a_member_of_another_type_is_an_error_with_its_path() {
        let mut fields =
            Fields::of(Tree::read(r#"{"n":"x"}"#).unwrap(), Path::default().at("tools").index(2)).unwrap();
        assert_eq!(fields.count("n").unwrap_err().to_string(), "`tools[2].n` must be a number");
    }

    #[test]
    fn a_count_may_be_written_as_a_fraction() {
        let count = |number: &str| Fields::parse(&format!(r#"{{"n":{number}}}"#)).unwrap().count("n");
        assert_eq!([count("4.0"), count("1e3"), count("0")], [Ok(Some(4)), Ok(Some(1000)), Ok(Some(0))]);
        assert!(count("-1").is_err());
    }
}

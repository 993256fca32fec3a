//! Replaces, adds or removes single JSON values by their path; every other byte stays as it was.

use serde_json::Error;

use crate::base::json::{Members, elements, quoted};
use crate::base::pen::{Pen, Put, members};

/// One change of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The names that lead to the value, outermost first.
    pub path: Vec<String>,
    /// What happens to it.
    pub change: Change,
}

/// What happens to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It becomes this JSON text; it is added when it is not there, with the objects around it.
    Set(String),
    /// It goes, with its name.
    Remove,
}

members! { Edit { path, change } }

impl Put for Change {
    fn write(&self, pen: &mut Pen<'_>) {
        match self {
            Self::Set(json) => pen.object(|pen| pen.put("Set", json)),
            Self::Remove => "Remove".write(pen),
        }
    }
}

impl Edit {
    /// Sets the value at a path to a JSON text.
    pub fn set(path: &[&str], json: String) -> Self {
        Self { path: path.iter().map(|name| (*name).to_owned()).collect(), change: Change::Set(json) }
    }

    /// Sets the value at a dotted path (`reasoning.summary`).
    pub fn set_dotted(path: &str, json: String) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), change: Change::Set(json) }
    }

    /// Removes the value at a dotted path.
    pub fn remove_dotted(path: &str) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), change: Change::Remove }
    }
}

impl Edit {
    /// Reads a list of them, as it is written.
    pub fn read_list(text: &str) -> Option<Vec<Self>> {
        elements(text).ok()?.into_iter().map(|place| Self::read(text.get(place)?)).collect()
    }

    fn read(text: &str) -> Option<Self> {
        let members = Members::read(text).ok()?;
        let change = match members.object(text, "change") {
            Some((inner, change)) => Change::Set(change.string(inner, "Set")?),
            None => Change::Remove,
        };
        Some(Self { path: serde_json::from_str(members.get(text, "path")?).ok()?, change })
    }
}

/// The object `text` with all edits made. Of two edits of one value the later one counts.
///
/// # Errors
/// The text is no JSON object.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, Error> {
    apply_known(text, &Members::read(text)?, edits)
}

/// The same for an object that was read before.
///
/// # Errors
/// An object on the way to an edited value is none; that cannot be, since it was read before.
pub fn apply_known(text: &str, members: &Members, edits: &[Edit]) -> Result<String, Error> {
    let edits: Vec<Step<'_>> =
        edits.iter().map(|edit| Step { path: &edit.path, change: &edit.change }).collect();
    let added: usize = edits.iter().map(Step::length).sum();
    let mut out = String::with_capacity(text.len() + added);
    object(text, members, &edits, &mut out)?;
    Ok(out)
}

/// What is left of an edit on the way down.
#[derive(Clone, Copy)]
struct Step<'a> {
    path: &'a [String],
    change: &'a Change,
}

impl Step<'_> {
    fn length(&self) -> usize {
        let names: usize = self.path.iter().map(|name| name.len() + 6).sum();
        names + if let Change::Set(json) = self.change { json.len() } else { 0 }
    }
}

/// Writes an object anew: each kept member with the bytes before it, then the added ones.
fn object(text: &str, members: &Members, edits: &[Step<'_>], out: &mut String) -> Result<(), Error> {
    let mut at = 0;
    let mut first = true;
    let mut opened = false;
    for (name, value) in members.iter(text) {
        let lead = text.get(at..value.start).unwrap_or_default();
        at = value.end;
        // Before the key stand white space and one `{` or `,`.
        let (before, key) = lead.split_at(lead.find('"').unwrap_or(lead.len()));
        if !opened {
            opened = true;
            out.push_str(before);
        }
        let mine: Vec<Step<'_>> = below(edits, name);
        if removes(&mine) {
            continue;
        }
        if !first {
            out.push_str(if before.contains(',') { before } else { "," });
        }
        first = false;
        out.push_str(key);
        member(text.get(value).unwrap_or_default(), &mine, out)?;
    }
    let tail = text.get(at..).unwrap_or_default();
    let (open, close) = tail.split_at(tail.rfind('}').unwrap_or(tail.len()));
    if !opened {
        out.push_str(open);
    }
    let known = |name: &str| members.iter(text).any(|(known, _)| known == name);
    let sets: Vec<Step<'_>> =
        edits.iter().copied().filter(|edit| matches!(edit.change, Change::Set(_))).collect();
    let mut done: Vec<&str> = Vec::new();
    for name in sets.iter().filter_map(|edit| edit.path.first()) {
        if known(name) || done.contains(&name.as_str()) || removes(&below(edits, name)) {
            continue;
        }
        done.push(name);
        if !first {
            out.push(',');
        }
        first = false;
        out.push_str(&quoted(name));
        out.push(':');
        member("null", &below(&sets, name), out)?;
    }
    if opened {
        out.push_str(open);
    }
    out.push_str(close);
    Ok(())
}

/// The edits of the member `name`, one step down.
fn below<'a>(edits: &[Step<'a>], name: &str) -> Vec<Step<'a>> {
    let step = |edit: &Step<'a>| {
        let (head, rest) = edit.path.split_first()?;
        (head == name).then_some(Step { path: rest, change: edit.change })
    };
    edits.iter().filter_map(step).collect()
}

/// Is it said last of a member as a whole that it goes?
fn removes(edits: &[Step<'_>]) -> bool {
    let whole = edits.iter().rev().find(|step| step.path.is_empty());
    matches!(whole.map(|step| step.change), Some(Change::Remove))
}

fn member(value: &str, edits: &[Step<'_>], out: &mut String) -> Result<(), Error> {
    let whole = edits.iter().rev().find(|step| step.path.is_empty());
    if let Some(Change::Set(json)) = whole.map(|step| step.change) {
        out.push_str(json);
        return Ok(());
    }
    if edits.is_empty() {
        out.push_str(value);
        return Ok(());
    }
    match Members::read(value) {
        Ok(members) => object(value, &members, edits, out),
        // What is no object gives way to one when something is to be set in it.
        Err(_) if edits.iter().any(|step| matches!(step.change, Change::Set(_))) => {
            object("{}", &Members::default(), edits, out)
        }
        Err(_) => {
            out.push_str(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, edits: &[Edit], expected: &str) {
        assert_eq!(apply(text, edits).unwrap(), expected);
    }

    fn set(path: &str, json: &str) -> Edit {
        Edit::set_dotted(path, json.to_owned())
    }

    #[test]
    fn a_value_is_replaced_and_every_other_byte_stays() {
        let text = "{ \"a\" : 1 ,\n\t\"model\": \"x\", \"z\":[ 1,2 ] }";
        check(text, &[set("model", "\"y\"")], "{ \"a\" : 1 ,\n\t\"model\": \"y\", \"z\":[ 1,2 ] }");
        check(text, &[], text);
    }

    #[test]
    fn a_missing_value_is_added_at_the_end() {
        check("{}", &[set("a", "1")], "{\"a\":1}");
        check("{ }", &[set("a.b", "1")], "{ \"a\":{\"b\":1}}");
        check("{\"x\":0 }", &[set("a", "1"), set("b", "2")], "{\"x\":0,\"a\":1,\"b\":2 }");
    }

    #[test]
    fn nested_values_are_reached() {
        check(
            "{\"o\":{\"k\":1, \"l\":2}}",
            &[set("o.k", "9"), set("o.m", "3")],
            "{\"o\":{\"k\":9, \"l\":2,\"m\":3}}",
        );
        check("{\"o\":null}", &[set("o.k", "9")], "{\"o\":{\"k\":9}}");
        check("{\"o\":null}", &[Edit::remove_dotted("o.k")], "{\"o\":null}");
    }

    #[test]
    fn several_values_are_added_to_one_new_object() {
        let both = [set("o.k", "1"), set("o.l.m", "2"), set("o.l.n", "3")];
        check("{}", &both, "{\"o\":{\"k\":1,\"l\":{\"m\":2,\"n\":3}}}");
        check("{\"o\":null}", &both, "{\"o\":{\"k\":1,\"l\":{\"m\":2,\"n\":3}}}");
        check("{}", &[set("a", "1"), set("a", "2")], "{\"a\":2}");
    }

    #[test]
    fn values_are_removed_with_their_commas() {
        let text = "{\"a\":1, \"b\":2, \"c\":3}";
        check(text, &[Edit::remove_dotted("a")], "{\"b\":2, \"c\":3}");
        check(text, &[Edit::remove_dotted("b")], "{\"a\":1, \"c\":3}");
        check(text, &[Edit::remove_dotted("c")], "{\"a\":1, \"b\":2}");
        let all: Vec<Edit> = ["a", "b", "c"].map(Edit::remove_dotted).to_vec();
        check(text, &all, "{}");
        check(
            text,
            &[Edit::remove_dotted("a"), Edit::remove_dotted("b"), set("d", "4")],
            "{\"c\":3,\"d\":4}",
        );
    }

    #[test]
    fn what_is_removed_after_all_is_not_added() {
        for text in ["{\"b\":0}", "{\"b\":0,\"a\":1}"] {
            check(text, &[set("a", "2"), Edit::remove_dotted("a")], "{\"b\":0}");
            check(text, &[Edit::remove_dotted("a"), set("a", "2")], "{\"b\":0,\"a\":2}");
        }
        check("{\"o\":{}}", &[set("o.a", "2"), Edit::remove_dotted("o.a")], "{\"o\":{}}");
    }

    #[test]
    fn names_given_twice_all_change() {
        check("{\"m\":1,\"m\":2}", &[set("m", "3")], "{\"m\":3,\"m\":3}");
    }
}

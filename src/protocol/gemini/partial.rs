//! A call that comes in pieces, where a client has asked Vertex AI for it (`streamFunctionCallArguments`):
//! its name, then values for places in its arguments, and no more once it goes on no longer.
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling>

use std::borrow::Cow;

use crate::base::tree::{self, Tree};
use crate::protocol::fields::Fields;
use crate::protocol::gemini::spelling;
use crate::protocol::path::Path;
use crate::protocol::wire::WireError;

/// The deepest place in arguments; a parser of JSON takes no deeper one.
const DEEPEST: usize = 100;

/// Each piece looks for its place: more members of an object than any call has would take long.
const MOST: usize = 4096;

/// Puts calls together.
#[derive(Debug, Default)]
pub(super) struct Pieces(Option<Growing>);

/// A call as far as it came.
#[derive(Debug, Default)]
struct Growing {
    id: Option<String>,
    name: Option<String>,
    signature: Option<String>,
    arguments: Tree<'static>,
}

/// A step to a place in arguments.
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl Pieces {
    /// Takes a part; gives what is whole now: the call of which pieces came before, and the part.
    pub(super) fn next<'a>(
        &mut self,
        part: Tree<'a>,
        path: &Path,
    ) -> Result<[Option<Tree<'a>>; 2], WireError> {
        let part = spelling::camel(part);
        if !is_piece(&part) {
            return Ok([self.settle(), Some(part)]);
        }
        let begins = part.get("functionCall").is_some_and(|call| call.text("name").is_some());
        let before = if begins { self.settle() } else { None };
        let goes_on = self.0.get_or_insert_default().take(part, path.clone())?;
        Ok([before, if goes_on { None } else { self.settle() }])
    }

    /// The call of which pieces came.
    pub(super) fn settle(&mut self) -> Option<Tree<'static>> {
        self.0.take().map(Growing::whole)
    }
}

/// Does a part tell a piece of a call? It names no function, or says that there is more.
fn is_piece(part: &Tree<'_>) -> bool {
    part.get("functionCall").filter(|call| call.is_object()).is_some_and(|call| {
        let has = |camel: &str, snake: &str| call.get(camel).or_else(|| call.get(snake)).cloned();
        call.text("name").is_none()
            || has("willContinue", "will_continue") == Some(Tree::Bool(true))
            || matches!(has("partialArgs", "partial_args"), Some(Tree::List(_)))
    })
}

impl Growing {
    /// Takes a piece; gives whether another follows.
    fn take(&mut self, part: Tree<'_>, path: Path) -> Result<bool, WireError> {
        let mut part = Fields::of(part, path)?;
        self.signature = part.text("thoughtSignature")?.or_else(|| self.signature.take());
        let Some(mut call) = spelling::object(&mut part, "functionCall")? else { return Ok(false) };
        self.id = call.text("id")?.or_else(|| self.id.take());
        self.name = call.text("name")?.or_else(|| self.name.take());
        if let Some(arguments) = call.take("args") {
            self.arguments = arguments.into_owned();
        }
        for piece in spelling::objects(&mut call, "partialArgs")? {
            self.put(piece)?;
        }
        Ok(call.flag("willContinue")?.unwrap_or(false))
    }

    /// The part of the whole call.
    fn whole(self) -> Tree<'static> {
        let text = |name: &'static str, text: Option<String>| Some((name.into(), Tree::Text(text?.into())));
        let arguments = Some(("args".into(), self.arguments));
        let call = [text("id", self.id), text("name", self.name), arguments];
        let call = tree::object(call.into_iter().flatten().collect());
        let part = [Some(("functionCall".into(), call)), text("thoughtSignature", self.signature)];
        tree::object(part.into_iter().flatten().collect())
    }

    /// Sets a value; a text goes on where one is.
    fn put(&mut self, mut piece: Fields<'_>) -> Result<(), WireError> {
        let path = piece.required_word("jsonPath")?;
        let place = steps(&path).and_then(|steps| steps.into_iter().try_fold(&mut self.arguments, enter));
        let Some(place) = place else { return Err(piece.wrong("jsonPath", "a place in the arguments")) };
        let value = ["stringValue", "numberValue", "boolValue"].into_iter().find_map(|name| piece.take(name));
        match (place, value) {
            (Tree::Text(text), Some(Tree::Text(more))) => text.to_mut().push_str(&more),
            (place, value) => *place = value.unwrap_or_default().into_owned(),
        }
        Ok(())
    }
}

/// The steps of `$.name[0]['name']`.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let (name, more) = after.split_at(after.find(['.', '[']).unwrap_or(after.len()));
            steps.push(Step::Name(name));
            rest = more;
            continue;
        }
        let inner = rest.strip_prefix('[')?;
        let quote = inner.chars().next().filter(|first| matches!(first, '\'' | '"'));
        let (step, more) = match quote {
            Some(quote) => {
                let (name, more) = inner.strip_prefix(quote)?.split_once(quote)?;
                (Step::Name(name), more.strip_prefix(']')?)
            }
            None => {
                let (index, more) = inner.split_once(']')?;
                (Step::Index(index.parse().ok()?), more)
            }
        };
        steps.push(step);
        rest = more;
    }
    (steps.len() < DEEPEST).then_some(steps)
}

/// The place behind a step; made where it is the next one.
fn enter<'t>(at: &'t mut Tree<'static>, step: Step<'_>) -> Option<&'t mut Tree<'static>> {
    if *at == Tree::Null {
        *at = match step {
            Step::Name(_) => Tree::Object(Vec::new()),
            Step::Index(_) => Tree::List(Vec::new()),
        };
    }
    match (at, step) {
        (Tree::Object(members), Step::Name(name)) => {
            let place = members.iter().position(|(known, _)| known == name).unwrap_or(members.len());
            if place == members.len() && place < MOST {
                members.push((Cow::Owned(name.to_owned()), Tree::Null));
            }
            members.get_mut(place).map(|(_, value)| value)
        }
        (Tree::List(list), Step::Index(index)) => {
            if index == list.len() {
                list.push(Tree::Null);
            }
            list.get_mut(index)
        }
        (
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Object(_),
            _,
        ) => None,
    }
}

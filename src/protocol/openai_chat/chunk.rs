//! A chunk of a Chat stream, read whole before anything of it is told: one that breaks in its middle
//! tells nothing.

use std::borrow::Cow;

use crate::base::tree::Tree;
use crate::ir::request::Block;
use crate::ir::response::{Lost, Usage};
use crate::protocol::fields::Fields;
use crate::protocol::openai_chat::response;
use crate::protocol::openai_chat::said::{COPILOT_REASONING, UNCARRIED};
use crate::protocol::openai_chat::tap;
use crate::protocol::wire::WireError;

/// A chunk.
pub(super) struct Chunk<'a> {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice<'a>>,
    pub(super) usage: Option<Usage>,
    /// Does it tell what was quoted (Perplexity, xAI)?
    pub(super) cites: bool,
    /// Does it tell an error, here or in a choice?
    failed: bool,
}

/// What it adds to one of the answers.
pub(super) struct Choice<'a> {
    pub(super) index: u64,
    pub(super) delta: Option<ChoiceDelta<'a>>,
    /// Is that all of the answer, which some servers tell once more at its end?
    pub(super) is_whole: bool,
    pub(super) finish_reason: Option<Cow<'a, str>>,
    /// Moonshot counts here.
    usage: Option<Tree<'a>>,
    failed: bool,
}

/// What an answer says next.
pub(super) struct ChoiceDelta<'a> {
    pub(super) content: Option<Tree<'a>>,
    /// The same in parts.
    pub(super) parts: Vec<Block>,
    pub(super) refusal: Option<Cow<'a, str>>,
    pub(super) reasoning_content: Option<Cow<'a, str>>,
    pub(super) reasoning: Option<Tree<'a>>,
    pub(super) reasoning_details: Vec<Tree<'a>>,
    pub(super) tool_calls: Vec<CallDelta<'a>>,
    /// What has no place elsewhere.
    pub(super) lost: Lost,
}

/// A piece of a call.
pub(super) struct CallDelta<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) function: Option<Function<'a>>,
    pub(super) custom: Option<Function<'a>>,
    pub(super) extra_content: Option<Tree<'a>>,
}

/// A piece of what is called, and with what.
pub(super) struct Function<'a> {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<Tree<'a>>,
}

impl<'a> Chunk<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, WireError> {
        let mut fields = Fields::parse(text)?;
        let choices = fields.objects("choices")?;
        let mut choices = choices.map(|choice| Choice::read(choice?)).collect::<Result<Vec<_>, _>>()?;
        let counted = choices.iter_mut().find_map(|choice| choice.usage.take());
        Ok(Self {
            id: fields.id("id")?,
            model: fields.text("model")?,
            cites: fields.drops_list("citations"),
            failed: fields.has("error") || choices.iter().any(|choice| choice.failed),
            choices,
            usage: fields.take("usage").or(counted).and_then(|usage| tap::usage(&usage)),
        })
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Text,
    Refusal,
    Reasoning,
}

impl<'a> Chunk<'a> {
    /// What it says where that is one text, written without escapes, and nothing else.
    pub(super) fn alone(&self) -> Option<(Voice, &'a str)> {
        match self.choices.as_slice() {
            [only] if self.is_words() && !self.cites && !only.is_whole => only.delta.as_ref()?.alone(),
            _ => None,
        }
    }

    /// Does it tell words of the answer and nothing else?
    pub(super) fn is_words(&self) -> bool {
        let [only] = self.choices.as_slice() else { return false };
        let told = only.index == 0 && only.goes_on() && only.delta.as_ref().is_some_and(ChoiceDelta::speaks);
        told && !self.failed && self.usage.is_none()
    }
}

impl<'a> Choice<'a> {
    fn read(mut choice: Fields<'a>) -> Result<Self, WireError> {
        let delta = choice.object("delta")?.map(ChoiceDelta::read).transpose()?;
        let is_whole = delta.is_none();
        let whole = || ChoiceDelta::read(choice.object_if_any("message")?).ok();
        Ok(Self {
            delta: delta.or_else(whole),
            is_whole,
            index: choice.count("index")?.unwrap_or(0),
            finish_reason: choice.word("finish_reason")?,
            usage: choice.take("usage"),
            failed: choice.has("error"),
        })
    }

    fn goes_on(&self) -> bool {
        self.finish_reason.as_deref().unwrap_or_default().is_empty()
    }
}

impl<'a> ChoiceDelta<'a> {
    fn read(mut delta: Fields<'a>) -> Result<Self, WireError> {
        let calls = delta.objects("tool_calls")?;
        let mut tool_calls = calls.map(|call| CallDelta::read(call?)).collect::<Result<Vec<_>, _>>()?;
        // The form that came before tools: one call, without an id. Some servers send it always, empty,
        // others tell the same call in both forms.
        let function = delta.object_if_any("function_call").map(Function::read).transpose()?;
        let function = function.filter(|function| tool_calls.is_empty() && function.says_something());
        tool_calls.extend(function.map(CallDelta::of));
        let mut lost = Lost::default();
        let uncarried = UNCARRIED.into_iter().chain(["images"]);
        uncarried.filter(|name| delta.drops_list(name)).for_each(|name| lost.add(name));
        let (content, parts) = match delta.take("content") {
            Some(Tree::List(parts)) => (None, response::parts(parts, &delta.at("content"), &mut lost)?),
            content => (content, Vec::new()),
        };
        Ok(Self {
            content,
            parts,
            refusal: delta.word("refusal")?,
            reasoning_content: match delta.word("reasoning_content")? {
                None => delta.word(COPILOT_REASONING)?,
                words => words,
            },
            reasoning: delta.take("reasoning"),
            reasoning_details: delta.list("reasoning_details")?.unwrap_or_default(),
            tool_calls,
            lost,
        })
    }
}

impl<'a> ChoiceDelta<'a> {
    fn alone(&self) -> Option<(Voice, &'a str)> {
        let Self {
            content,
            parts,
            refusal,
            reasoning_content,
            reasoning,
            reasoning_details,
            tool_calls,
            lost,
        } = self;
        if !(parts.is_empty() && reasoning_details.is_empty() && tool_calls.is_empty() && lost.is_empty()) {
            return None;
        }
        let text = |value: &Option<Tree<'a>>| match value {
            None | Some(Tree::Null) => Some(Cow::Borrowed("")),
            Some(Tree::Text(text)) => Some(text.clone()),
            Some(Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Object(_)) => None,
        };
        let word = |word: &Option<Cow<'a, str>>| word.clone().unwrap_or_default();
        let mut said = [
            (Voice::Text, text(content)?),
            (Voice::Refusal, word(refusal)),
            (Voice::Reasoning, word(reasoning_content)),
            (Voice::Reasoning, text(reasoning)?),
        ]
        .into_iter()
        .filter(|(_, words)| !words.is_empty());
        match (said.next()?, said.next()) {
            ((voice, Cow::Borrowed(words)), None) => Some((voice, words)),
            _ => None,
        }
    }

    fn speaks(&self) -> bool {
        let content = self.content.as_ref().and_then(Tree::as_text);
        let words = [content, self.reasoning_content.as_deref()];
        words.iter().flatten().any(|words| !words.is_empty()) || !self.tool_calls.is_empty()
    }
}

impl<'a> CallDelta<'a> {
    fn of(function: Function<'a>) -> Self {
        Self { index: None, id: None, function: Some(function), custom: None, extra_content: None }
    }

    fn read(mut call: Fields<'a>) -> Result<Self, WireError> {
        Ok(Self {
            index: call.count("index")?,
            id: call.id("id")?,
            function: call.object("function")?.map(Function::read).transpose()?,
            custom: call.object("custom")?.map(Function::read).transpose()?,
            extra_content: call.take("extra_content"),
        })
    }
}

impl<'a> Function<'a> {
    fn read(mut function: Fields<'a>) -> Result<Self, WireError> {
        let name = function.text("name")?;
        Ok(Self { name, arguments: function.take("arguments").or_else(|| function.take("input")) })
    }

    fn says_something(&self) -> bool {
        let is_empty = |arguments: &Tree<'_>| arguments.as_text() == Some("");
        self.name.as_deref().is_some_and(|name| !name.is_empty())
            || self.arguments.as_ref().is_some_and(|arguments| !is_empty(arguments))
    }
}

//! A request, whichever protocol it came in.

use serde_json::Number;

use crate::ir::carrier::State;
use crate::ir::schema::Schema;
use crate::ir::search::Search;
use crate::ir::tool::{Tool, ToolChoice};

/// A request for one answer. What the neutral model has no word for was noted as a loss where the
/// wire was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Is the answer wanted as a stream?
    pub stream: bool,
    /// Instructions before the conversation, in order.
    pub system: Vec<String>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// The vendor's own web search, if it is offered, too.
    pub search: Option<Search>,
    /// Which of the tools may or must be called.
    pub choice: Option<ToolChoice>,
    /// At most one call in an answer?
    pub one_call: bool,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How much is to be thought first.
    pub effort: Effort,
    /// Is the reasoning shown? `None`: as the target does it.
    pub show_reasoning: Option<bool>,
    /// The form of the answer.
    pub format: Option<Format>,
    /// `low`, `medium`, `high`: how wordy the answer is.
    pub verbosity: Option<String>,
    /// The most output tokens.
    pub limit: Option<u64>,
    /// What the client calls its prompt cache.
    pub cache_key: Option<String>,
    /// Is the answer to be a summary that takes the conversation's place?
    pub compaction: Option<Compaction>,
}

/// The form in which a client gets the summary that takes the place of its conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// An ordinary answer that holds it and nothing else.
    Turn,
    /// A list of all that is left of the conversation.
    List {
        /// What stays before the summary: JSON texts in the client's protocol.
        kept: Vec<String>,
    },
}

/// Neighbouring blocks of one speaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What.
    pub blocks: Vec<Block>,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
    /// Instructions in the middle of the conversation.
    Instructions,
}

/// One piece of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// The words of a refusal.
    Refusal(String),
    /// An image, a document, sound.
    Media(Media),
    /// A call of a tool.
    Call(ToolCall),
    /// What a tool gave.
    Result(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
}

/// An image, a document, sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source,
    /// The file's name, if it has one.
    pub name: Option<String>,
    /// How closely an image is to be looked at (OpenAI's `detail`).
    pub detail: Option<String>,
}

/// What a piece of media is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// An image.
    Image,
    /// A document; PDF is what targets take.
    Document,
    /// Sound.
    Audio,
}

/// Where a piece of media is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the request, base64.
    Inline {
        /// Its MIME type.
        mime: String,
        /// The base64 text.
        data: String,
    },
    /// At an address, which llmgate never fetches.
    Url(String),
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The id that its result will carry.
    pub id: String,
    /// The tool's name, as in [`Tool::name`].
    pub name: String,
    /// For a function JSON text, normally of an object; for a free-form tool its input.
    pub arguments: String,
    /// Is it a call of a free-form tool?
    pub free_form: bool,
    /// What only its vendor understands, such as Gemini's thought signature.
    pub state: Option<State>,
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call.
    pub id: String,
    /// The tool's name, where the protocol tells it.
    pub name: Option<String>,
    /// Texts and media, in order.
    pub content: Vec<ResultPart>,
    /// Did the tool fail?
    pub failed: bool,
}

/// One piece of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultPart {
    /// Text.
    Text(String),
    /// An image or a document.
    Media(Media),
}

/// What the model thought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// The part that people may read; may be empty.
    pub text: String,
    /// What only its vendor understands.
    pub state: Option<State>,
}

/// How tokens are drawn. Numbers stay as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Temperature.
    pub temperature: Option<Number>,
    /// The most likely tokens that have this probability together are drawn from.
    pub top_p: Option<Number>,
    /// So many of the most likely tokens are drawn from.
    pub top_k: Option<Number>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Seed.
    pub seed: Option<Number>,
    /// Presence penalty.
    pub presence_penalty: Option<Number>,
    /// Frequency penalty.
    pub frequency_penalty: Option<Number>,
}

/// Is a penalty one? 0, which many clients always send, is none.
pub fn is_penalty(number: &Option<Number>) -> bool {
    number.as_ref().is_some_and(|number| number.as_f64() != Some(0.0))
}

/// How much is to be thought first (SPEC 8.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Not said.
    #[default]
    Unset,
    /// Not at all.
    Off,
    /// On, without a number.
    On,
    /// By a level.
    Level(Level),
    /// So many tokens.
    Budget(u64),
}

/// Levels of effort, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Some JSON object.
    JsonObject,
    /// JSON as a schema says.
    JsonSchema {
        /// Its name.
        name: Option<String>,
        /// What it is.
        description: Option<String>,
        /// The schema.
        schema: Schema,
        /// Must it be obeyed?
        strict: Option<bool>,
    },
}

impl Level {
    /// All levels with their names, rising, and the budget that stands for each.
    pub const ALL: [(Self, &'static str, u64); 6] = [
        (Self::Minimal, "minimal", 1024),
        (Self::Low, "low", 4096),
        (Self::Medium, "medium", 8192),
        (Self::High, "high", 24_576),
        (Self::XHigh, "xhigh", 49_152),
        (Self::Max, "max", 65_536),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, ..)| *level == self).map_or("medium", |(_, name, _)| name)
    }

    /// The level of that name, letter case aside.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name)).map(|(level, ..)| *level)
    }

    /// The budget that stands for it, in tokens.
    pub fn budget(self) -> u64 {
        Self::ALL.iter().find(|(level, ..)| *level == self).map_or(8192, |(.., budget)| *budget)
    }

    /// The level that a budget stands for.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0..=1535 => Self::Minimal,
            1536..=5999 => Self::Low,
            6000..=23_999 => Self::Medium,
            24_000..=47_999 => Self::High,
            _ => Self::XHigh,
        }
    }

    /// The nearest lower of the levels that a target knows, else its lowest.
    pub fn nearest(self, known: &[Self]) -> Self {
        let lower = known.iter().filter(|level| **level <= self).max();
        lower.or_else(|| known.iter().min()).copied().unwrap_or(self)
    }
}

impl Request {
    /// About how many bytes it takes, so that whoever writes it makes room once.
    pub fn length(&self) -> usize {
        let said: usize = self.system.iter().map(String::len).sum();
        let offered: usize = self.tools.iter().map(Tool::length).sum();
        let turns = self.turns.iter().flat_map(|turn| &turn.blocks);
        said + offered + turns.map(Block::length).sum::<usize>()
    }
}

/// What stands around a text: names and quotes.
pub(super) const MEMBERS: usize = 128;

impl Reasoning {
    /// Has it neither words nor a state?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.state.as_ref().is_none_or(|state| state.blocks.is_empty())
    }
}

impl Block {
    /// Its words, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Its words, if it is a refusal.
    pub fn as_refusal(&self) -> Option<&str> {
        if let Self::Refusal(text) = self { Some(text) } else { None }
    }

    /// The call that it is.
    pub fn as_call(&self) -> Option<&ToolCall> {
        if let Self::Call(call) = self { Some(call) } else { None }
    }

    /// The reasoning that it is.
    pub fn as_reasoning(&self) -> Option<&Reasoning> {
        if let Self::Reasoning(reasoning) = self { Some(reasoning) } else { None }
    }

    /// About how many bytes it takes.
    pub fn length(&self) -> usize {
        let texts = match self {
            Self::Text(text) | Self::Refusal(text) => text.len(),
            Self::Media(media) => media.length(),
            Self::Call(call) => call.name.len() + call.arguments.len(),
            Self::Result(result) => result.content.iter().map(ResultPart::length).sum(),
            Self::Reasoning(reasoning) => reasoning.text.len(),
        };
        texts + MEMBERS
    }
}

impl ResultPart {
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Media(media) => media.length(),
        }
    }
}

impl Media {
    fn length(&self) -> usize {
        match &self.source {
            Source::Inline { data, .. } => data.len(),
            Source::Url(url) => url.len(),
        }
    }
}

impl Turn {
    /// A turn of one block.
    pub fn of(role: Role, block: Block) -> Self {
        Self { role, blocks: vec![block] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_budgets_stand_for_each_other() {
        for (level, name, budget) in Level::ALL {
            assert_eq!(Level::named(name), Some(level));
            assert_eq!(level.budget(), budget);
        }
        assert_eq!(Level::of_budget(Level::Medium.budget()), Level::Medium);
        assert_eq!(Level::of_budget(31_999), Level::High);
        assert_eq!(Level::of_budget(48_000), Level::XHigh);
    }

    #[test]
    fn an_unknown_level_falls_to_the_nearest_lower_one() {
        let known = [Level::Low, Level::Medium, Level::High];
        assert_eq!(Level::Max.nearest(&known), Level::High);
        assert_eq!(Level::Minimal.nearest(&known), Level::Low);
        assert_eq!(Level::Medium.nearest(&known), Level::Medium);
    }
}

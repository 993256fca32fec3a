//! What a target's refusal of a parameter asks for (SPEC 6.2): the request without it, or with the
//! number that it names. Only what may be lost (SPEC 8.9) is given up.

use crate::base::json::Members;
use crate::base::splice::Edit;
use crate::protocol::Codec;

/// Everyday words: a parameter of that name is meant only where it stands in quotes.
const EVERYDAY: [&str; 9] =
    ["stop", "user", "store", "include", "seed", "reasoning", "thinking", "effort", "summary"];
/// No target has a smaller limit of its output; a smaller number means something else.
const LEAST_LIMIT: u64 = 16;

/// What a target has refused, and is not given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concession {
    /// A parameter, as a dotted path: it is left out.
    Without(&'static str),
    /// A larger number there than this.
    AtMost(&'static str, u64),
    /// A number of that name; it has the other one.
    Renamed(&'static str, &'static str),
}

impl Concession {
    /// The parameter, as a dotted path.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Without(path) | Self::AtMost(path, _) | Self::Renamed(path, _) => path,
        }
    }

    /// Is anything lost by it?
    pub fn loses(&self) -> bool {
        match self {
            Self::Without(_) | Self::AtMost(..) => true,
            Self::Renamed(..) => false,
        }
    }

    /// Does a newer one take its place?
    pub fn gives_way_to(&self, newer: &Self) -> bool {
        self.path() == newer.path() && std::mem::discriminant(self) == std::mem::discriminant(newer)
    }

    /// The changes of a request; none where it asks for nothing that is refused.
    pub fn edits(&self, body: &str) -> Vec<Edit> {
        match *self {
            Self::Without(path) if has(body, path) => vec![Edit::remove_dotted(path)],
            Self::AtMost(path, most) if number(body, path).is_some_and(|asked| asked > most) => {
                vec![Edit::set_dotted(path, most.to_string())]
            }
            Self::Renamed(path, other) => number(body, path).map_or_else(Vec::new, |asked| {
                vec![Edit::remove_dotted(path), Edit::set_dotted(other, asked.to_string())]
            }),
            Self::Without(_) | Self::AtMost(..) => Vec::new(),
        }
    }
}

/// The change that a refusal asks for, if it is one: `body` is what was sent, `param` the parameter
/// that the error names, `said` its words.
pub fn of_refusal(codec: &dyn Codec, body: &str, param: Option<&str>, said: &str) -> Option<Concession> {
    lower_limit(codec, body, param, said).or_else(|| leave_out(codec, body, param, said))
}

/// The token limit is refused, and a smaller one or another name for it is stated.
fn lower_limit(codec: &dyn Codec, body: &str, param: Option<&str>, said: &str) -> Option<Concession> {
    let fields = codec.limit_fields();
    let (path, sent) = fields.iter().find_map(|path| Some((*path, number(body, path)?)))?;
    place_of(path, param, said)?;
    let renamed = fields.iter().find(|other| **other != path && place_of(other, None, said).is_some());
    if let Some(other) = renamed {
        return Some(Concession::Renamed(path, other));
    }
    let allowed = numbers(said).filter(|number| (LEAST_LIMIT..sent).contains(number)).max()?;
    Some(Concession::AtMost(path, allowed))
}

/// A parameter is refused: of several that are named, the last, and of one inside another the inner.
fn leave_out(codec: &dyn Codec, body: &str, param: Option<&str>, said: &str) -> Option<Concession> {
    let sent = codec.droppable().iter().filter(|path| has(body, path));
    let path = sent
        .filter_map(|path| Some((place_of(path, param, said)?, *path)))
        .max_by_key(|(at, path)| (*at, path.len()))?
        .1;
    Some(Concession::Without(path))
}

/// Where a refusal names a parameter: the error's own field says so, else its words.
fn place_of(path: &str, param: Option<&str>, said: &str) -> Option<usize> {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    let names_it = |param: &str| {
        let inside = param.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        inside || plain(param) == plain(leaf)
    };
    if let Some(param) = param {
        return names_it(param).then_some(usize::MAX);
    }
    words(said)
        .filter(|word| plain(word.text) == plain(leaf))
        .filter(|word| word.quoted || !EVERYDAY.contains(&leaf))
        .map(|word| word.at)
        .last()
}

/// Vendors write `topP` and `top_p` for the same.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

struct Word<'t> {
    text: &'t str,
    at: usize,
    quoted: bool,
}

/// The words of a text, of letters, digits and `_`.
fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut next = 0;
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').map(move |word| {
        let at = next;
        let after = text.get(at + word.len()..).and_then(|rest| rest.chars().next());
        next = at + word.len() + after.map_or(0, char::len_utf8);
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        Word { text: word, at, quoted: before.is_some_and(|c| "'\"`.".contains(c)) }
    });
    words.filter(|word| !word.text.is_empty())
}

/// The whole numbers of a text; a separator of thousands is none to it.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.,-".contains(c);
    text.split(move |c| !is_part(c)).filter_map(|word| {
        let word = word.trim_matches(|c: char| ".,-_".contains(c)).replace(',', "");
        word.parse().ok()
    })
}

fn has(body: &str, path: &str) -> bool {
    value(body, path).is_some_and(|value| value != "null")
}

fn number(body: &str, path: &str) -> Option<u64> {
    value(body, path)?.parse().ok()
}

/// The JSON text at a dotted path.
fn value<'b>(body: &'b str, path: &str) -> Option<&'b str> {
    path.split('.').try_fold(body, |object, name| Members::read(object).ok()?.get(object, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::splice;
    use crate::protocol::Protocol;

    #[track_caller]
    fn check(protocol: Protocol, body: &str, param: Option<&str>, said: &str, expected: Option<&str>) {
        let found = of_refusal(protocol.codec(), body, param, said);
        let after = found.map(|found| splice::apply(body, &found.edits(body)).unwrap());
        assert_eq!(after.as_deref(), expected, "{said}");
    }

    #[test]
    fn a_refused_parameter_is_left_out() {
        let body = r#"{"model":"m","temperature":1,"top_p":0.5,"stop":["x"],"messages":[]}"#;
        let chat = Protocol::OpenaiChat;
        let without = |name: &str| {
            Some(match name {
                "temperature" => r#"{"model":"m","top_p":0.5,"stop":["x"],"messages":[]}"#,
                "top_p" => r#"{"model":"m","temperature":1,"stop":["x"],"messages":[]}"#,
                _ => r#"{"model":"m","temperature":1,"top_p":0.5,"messages":[]}"#,
            })
        };
        check(chat, body, Some("temperature"), "Unsupported value", without("temperature"));
        check(chat, body, None, "Unsupported parameter: 'top_p' is not supported.", without("top_p"));
        check(chat, body, None, "temperature and top_p cannot both be given", without("top_p"));
        check(chat, body, None, "`stop` is not supported with this model", without("stop"));
        // An everyday word, a parameter that was not sent, one that must stay.
        check(chat, body, None, "please stop sending this", None);
        check(chat, body, None, "Unsupported parameter: 'seed'", None);
        check(chat, body, Some("messages"), "messages must not be empty", None);
        check(chat, body, Some("messages[0].content"), "is wrong", None);
        // Seen with OpenAI: an item of the history is meant, not the parameter of its name.
        let body = r#"{"input":[],"reasoning":{"effort":"high"}}"#;
        let said = "Item 'rs_1' of type 'reasoning' was provided without its required following item.";
        check(Protocol::OpenaiResponses, body, Some("input"), said, None);
    }

    #[test]
    fn each_vendor_names_its_own() {
        let body = r#"{"contents":[],"generationConfig":{"topP":0.9,"topK":64}}"#;
        let less = r#"{"contents":[],"generationConfig":{"topK":64}}"#;
        check(Protocol::Gemini, body, None, "Unable to submit: top_p is not supported", Some(less));
        let body =
            r#"{"input":"x","reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low"}}"#;
        let less = r#"{"input":"x","reasoning":{"summary":"auto"},"text":{"verbosity":"low"}}"#;
        let said = "Unsupported parameter: 'reasoning.effort' is not supported with this model.";
        check(Protocol::OpenaiResponses, body, Some("reasoning.effort"), said, Some(less));
        check(Protocol::OpenaiResponses, body, None, said, Some(less));
        let body = r#"{"max_tokens":9,"messages":[],"thinking":{"type":"adaptive"}}"#;
        let less = r#"{"max_tokens":9,"messages":[]}"#;
        check(Protocol::Anthropic, body, None, "\"thinking.type.adaptive\" is not supported", Some(less));
    }

    #[test]
    fn a_refused_limit_is_lowered_to_what_is_allowed() {
        let body = r#"{"model":"m","max_tokens":32000}"#;
        let lower = |n: u64| format!(r#"{{"model":"m","max_tokens":{n}}}"#);
        let chat = Protocol::OpenaiChat;
        let said = "max_tokens is too large: 32000. This model supports at most 16384 completion tokens";
        check(chat, body, Some("max_tokens"), said, Some(&lower(16384)));
        check(chat, body, None, "`max_tokens` must be less than or equal to `8,192`", Some(&lower(8192)));
        let said = "max_tokens: 32000 > 4096, which is the maximum allowed number of output tokens for claude-3-opus-20240229";
        check(Protocol::Anthropic, body, None, said, Some(&lower(4096)));
        check(chat, body, Some("max_tokens"), "must be positive", None);
        check(chat, body, Some("n"), "n is at most 4096", None);
        let said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        check(chat, body, Some("max_tokens"), said, Some(r#"{"model":"m","max_completion_tokens":32000}"#));
    }

    #[test]
    fn what_was_refused_once_changes_no_request_that_does_not_ask_for_it() {
        let small = r#"{"model":"m","max_tokens":100,"messages":[]}"#;
        for concession in [
            Concession::Without("top_p"),
            Concession::AtMost("max_tokens", 100),
            Concession::AtMost("max_completion_tokens", 50),
            Concession::Renamed("max_completion_tokens", "max_tokens"),
        ] {
            assert_eq!(concession.edits(small), [], "{concession:?}");
        }
        let renamed = Concession::Renamed("max_tokens", "max_completion_tokens");
        let after = splice::apply(small, &renamed.edits(small)).unwrap();
        assert_eq!(after, r#"{"model":"m","messages":[],"max_completion_tokens":100}"#);
    }
}

//! State that only its vendor understands, and the envelope in which it crosses another vendor's
//! protocol (SPEC 8.6).
//!
//! `LGC1` is standard base64 of the letters `LGC1` and one JSON object
//! `{"o": protocol, "p": provider, "m": model, "b": [original blocks]}`. It must be valid base64:
//! Gemini's SDKs decode the field that carries it.

use serde_json::Value;

use crate::base::b64;
use crate::base::object::{Object, object};
use crate::base::pen::Pen;

const MARK: &[u8] = b"LGC1";
/// The origin of what we made ourselves.
const OURS: &str = "llmgate";
/// With this every packed state begins: `LGC1` and the brace that follows it, in base64.
pub const PREFIX: &str = "TEdDMX";

/// State that only its vendor understands: where it came from, and its blocks as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The protocol it came in.
    pub origin: String,
    /// The provider that made it; empty as long as nobody has said so.
    pub provider: String,
    /// The model that made it.
    pub model: String,
    /// The blocks, exact; empty when the origin gave none.
    pub blocks: Vec<Value>,
}

impl State {
    /// State of a protocol; provider and model are said by whoever knows them.
    pub fn of(origin: &str, blocks: Vec<Value>) -> Self {
        Self { origin: origin.to_owned(), blocks, ..Self::default() }
    }

    /// Reasoning that the client is not shown, or would not send back: its words are the state.
    pub fn of_text(origin: &str, text: &str) -> Self {
        Self::of(origin, vec![object! {"text": text}.into()])
    }

    /// The words that [`State::of_text`] put in.
    pub fn text(&self) -> Option<&str> {
        match self.blocks.as_slice() {
            [Value::Object(only)] if only.len() == 1 => only.get("text")?.as_str(),
            _ => None,
        }
    }

    /// A summary that took the place of a conversation. It is no vendor's: every target is told it.
    pub fn of_summary(text: &str) -> Self {
        Self::of(OURS, vec![object! {"summary": text}.into()])
    }

    /// The words that [`State::of_summary`] put in.
    pub fn summary(&self) -> Option<&str> {
        match self.blocks.as_slice() {
            [only] if self.origin == OURS => only.get("summary")?.as_str(),
            _ => None,
        }
    }

    /// Was it made by that provider, in that protocol?
    pub fn is_from(&self, origin: &str, provider: &str) -> bool {
        self.origin == origin && self.provider == provider
    }

    /// Packs it for another vendor's opaque field.
    pub fn pack(&self) -> String {
        let mut bytes = MARK.to_vec();
        Pen::on(&mut bytes).object(|pen| {
            pen.put("o", &self.origin);
            pen.put("p", &self.provider);
            pen.put("m", &self.model);
            pen.put("b", &self.blocks);
        });
        b64::encode(&bytes)
    }

    /// Unpacks what [`State::pack`] made; `None` for everything else.
    pub fn unpack(field: &str) -> Option<Self> {
        if !field.starts_with(PREFIX) {
            return None;
        }
        let bytes = b64::decode(field)?;
        let object = Object::read(std::str::from_utf8(bytes.strip_prefix(MARK)?).ok()?)?;
        let text = |name: &str| object.text(&[name]).map(str::to_owned);
        let blocks = object.map().get("b")?.as_array()?.clone();
        Some(Self { origin: text("o")?, provider: text("p")?, model: text("m")?, blocks })
    }
}

/// The state that led to a call, for clients that have no field for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The call's id.
    pub call_id: String,
    /// State of the reasoning before it, in order.
    pub reasoning: Vec<State>,
    /// The call's own state.
    pub own: Option<State>,
}

impl Kept {
    /// Is there nothing to keep?
    pub fn is_empty(&self) -> bool {
        self.reasoning.is_empty() && self.own.is_none()
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let states = self.reasoning.iter().chain(&self.own);
        states.flat_map(|state| &state.blocks).map(|block| block.to_string().len()).sum::<usize>() + 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_crosses_and_comes_back_exactly() {
        let blocks = vec![json!({"type": "thinking", "thinking": "ä", "signature": "c2ln=="})];
        let state = State { provider: "p".into(), model: "m".into(), ..State::of("anthropic", blocks) };
        let packed = state.pack();
        assert_eq!(State::unpack(&packed), Some(state));
        assert_eq!(packed.len() % 4, 0);
    }

    #[test]
    fn what_is_none_is_left_alone() {
        for field in ["", "EqoBCkgIBxABGAIiQL8", "TEdDMXs", "TEdDMXt9", "not base64"] {
            assert_eq!(State::unpack(field), None, "{field}");
        }
    }
}

//! One JSON object that is being read: known members are taken out of it with their types, and
//! what is left over is told as a loss. So known, unknown and broken stay three things, and every
//! error has its path.

use serde_json::{Map, Number, Value};

use crate::ir::loss::Losses;
use crate::protocol::wire::WireError;

/// Members that may be left out without a word, in all protocols (SPEC 8.9).
const HINTS: [&str; 14] = [
    "cache_control",
    "client_metadata",
    "include",
    "include_obfuscation",
    "metadata",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "truncation",
    "user",
    "internal_chat_message_metadata_passthrough",
    "eager_input_streaming",
];

/// A JSON object that is being read.
pub(super) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Reads a whole text.
    pub(super) fn parse(text: &str) -> Result<Self, WireError> {
        match serde_json::from_str(text) {
            Ok(value) => Self::of(value, ""),
            Err(error) => Err(WireError::new("", format!("JSON: {error}"))),
        }
    }

    /// Reads a value at a path.
    #[inline(never)]
    pub(super) fn of(value: Value, path: impl Into<String>) -> Result<Self, WireError> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            _ => Err(WireError::new(path, "an object")),
        }
    }

    /// The path of a member.
    #[inline(never)]
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a member; null counts as missing.
    #[inline(never)]
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes a JSON schema: an object.
    #[inline(never)]
    pub(super) fn schema(&mut self, name: &str) -> Result<Option<Value>, WireError> {
        match self.take(name) {
            Some(schema) if !schema.is_object() => Err(self.wrong(name, "a JSON schema")),
            schema => Ok(schema),
        }
    }

    /// Is there a member that is not null?
    #[inline(never)]
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a string.
    #[inline(never)]
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// The error of a member that is something else.
    #[cold]
    #[inline(never)]
    pub(super) fn wrong(&self, name: &str, expected: &str) -> WireError {
        WireError::new(self.at(name), expected)
    }

    /// Takes a string that must be there.
    #[inline(never)]
    pub(super) fn required_text(&mut self, name: &str) -> Result<String, WireError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "a string"))
    }

    /// Takes a switch.
    #[inline(never)]
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// Takes a number as it was written.
    #[inline(never)]
    pub(super) fn number(&mut self, name: &str) -> Result<Option<Number>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "a number")),
        }
    }

    /// Takes a whole number that is not negative; a fraction is cut off.
    #[inline(never)]
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, WireError> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let whole = number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64));
        whole.map(Some).ok_or_else(|| self.wrong(name, "a number that is not negative"))
    }

    /// Takes a list.
    #[inline(never)]
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    /// Takes an object.
    #[inline(never)]
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, WireError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(value, self.at(name)).map(Some),
        }
    }

    /// What is left is not carried: hints without a word, the rest as a loss each.
    pub(super) fn lose_rest(self, losses: &mut Losses) {
        for (name, value) in &self.map {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            if says_nothing(value) || HINTS.contains(&name.as_str()) {
                losses.hint(path, "of no use to another provider");
            } else {
                losses.degrade(path, "not known to the target's protocol");
            }
        }
    }
}

/// Is a member the same as none? What is switched off or empty asks for nothing.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// The MIME type and the data of a `data:` URL with base64 in it.
pub(super) fn data_url(url: &str) -> Option<(String, String)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?.split(';').next()?;
    Some((mime.to_owned(), data.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::loss::Severity;

    #[test]
    fn what_is_not_taken_is_lost_with_its_path() {
        let mut fields = Fields::parse(r#"{"a":1,"b":null,"user":"u","odd":[1]}"#).unwrap();
        assert_eq!(fields.count("a"), Ok(Some(1)));
        let mut losses = Losses::default();
        fields.lose_rest(&mut losses);
        let told: Vec<(String, Severity)> =
            losses.iter().map(|loss| (loss.path.clone(), loss.severity)).collect();
        let expected = [("b", Severity::Hint), ("user", Severity::Hint), ("odd", Severity::Degrade)];
        assert_eq!(told, expected.map(|(path, severity)| (path.to_owned(), severity)));
    }

    #[test]
    fn a_member_of_another_type_is_an_error_with_its_path() {
        let mut fields = Fields::of(serde_json::json!({"n": "x"}), "tools[2]").unwrap();
        assert_eq!(fields.count("n").unwrap_err().to_string(), "`tools[2].n` must be a number");
    }

    #[test]
    fn data_urls_are_taken_apart() {
        assert_eq!(data_url("data:image/png;base64,AAAA"), Some(("image/png".into(), "AAAA".into())));
        assert_eq!(data_url("https://x/y.png"), None);
    }
}

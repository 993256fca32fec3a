//! What a history holds that its target cannot read, on the native lane. These are carriers (SPEC 8.6):
//! state of another provider that a client sends back, after a turn that was translated for it. The
//! target would refuse the request, so that the whole block goes, or becomes what the target can read;
//! every other byte of the history stays. With Vertex AI, ids of calls go, too.

use serde_json::Value;

use crate::base::json::elements;
use crate::base::tree::Tree;
use crate::ir::carrier;

/// What becomes of one element of a list.
pub(super) enum Fate {
    /// It stays as it came.
    Keep,
    /// It becomes another.
    Become {
        /// Its JSON text.
        json: String,
        /// Does that say less?
        lossy: bool,
    },
    /// It goes.
    Drop,
}

/// A member of a request whose list held what its target cannot read.
pub struct Cleared {
    /// The member.
    pub member: &'static str,
    /// Its new JSON text.
    pub json: String,
    /// Does the target get less than the client said?
    pub lossy: bool,
}

/// A member without what is foreign in its list; `None` where nothing is. `judge` is asked
/// only about elements that may hold it.
pub(super) fn without(
    member: &'static str,
    list: &str,
    may_hold: impl Fn(&str) -> bool,
    judge: impl Fn(&str) -> Fate,
) -> Option<Cleared> {
    if !may_hold(list) {
        return None;
    }
    let mut out = String::with_capacity(list.len());
    let (mut changed, mut lossy) = (false, false);
    for range in elements(list).ok()? {
        let element = list.get(range)?;
        let fate = if may_hold(element) { judge(element) } else { Fate::Keep };
        let (kept, loses) = match &fate {
            Fate::Keep => (element, false),
            Fate::Become { json, lossy } => (json.as_str(), *lossy),
            Fate::Drop => ("", true),
        };
        changed |= !matches!(fate, Fate::Keep);
        lossy |= loses;
        if !kept.is_empty() {
            out.push(if out.is_empty() { '[' } else { ',' });
            out.push_str(kept);
        }
    }
    if out.is_empty() {
        out.push('[');
    }
    out.push(']');
    changed.then_some(Cleared { member, json: out, lossy })
}

/// May a text hold a carrier of ours?
pub(super) fn is_marked(text: &str) -> bool {
    text.contains(carrier::PREFIX)
}

/// Does a member of an object hold a carrier of ours?
pub(super) fn carries(object: &Value, member: &str) -> bool {
    object.get(member).and_then(Value::as_str).is_some_and(|field| field.starts_with(carrier::PREFIX))
}

/// An element that was decoded, changed and is written again. One that cannot be decoded stays: its
/// provider will say what is wrong with it. Only with a carrier something is lost.
pub(super) fn changed(element: &str, change: impl FnOnce(&mut Value) -> bool) -> Fate {
    let Ok(before) = Tree::read(element).map(Tree::into_value) else { return Fate::Keep };
    let mut after = before.clone();
    match change(&mut after) {
        false => Fate::Drop,
        true if after == before => Fate::Keep,
        true => Fate::Become { json: after.to_string(), lossy: is_marked(element) },
    }
}

#[cfg(test)]
mod tests {
    use crate::base::json::Members;
    use crate::ir::carrier::State;
    use crate::protocol::Protocol;

    #[track_caller]
    fn check(protocol: Protocol, body: &str, expected: Option<&str>) {
        let packed = State::of("elsewhere", vec![]).pack();
        let body = body.replace("CARRIER", &packed);
        let members = Members::read(&body).unwrap();
        let found = protocol.codec().cleared(&body, &members, false);
        assert!(found.as_ref().is_none_or(|found| found.lossy), "{body}");
        assert_eq!(found.map(|found| found.json).as_deref(), expected, "{body}");
    }

    #[test]
    fn carriers_go_and_the_rest_stays_byte_for_byte() {
        let responses = Protocol::OpenaiResponses;
        let own = r#"{"type":"reasoning","encrypted_content":"gAAATEdDMX"}"#;
        let said = r#"{ "role":"user", "content":"TEdDMX is said" }"#;
        let foreign = r#"{"type":"reasoning","summary":[],"encrypted_content":"CARRIER"}"#;
        check(
            responses,
            &format!(r#"{{"input":[{own}, {foreign} ,{said}]}}"#),
            Some(&format!("[{own},{said}]")),
        );
        check(responses, &format!(r#"{{"input":[{own},{said}]}}"#), None);
        check(responses, r#"{"input":"TEdDMX"}"#, None);
        check(responses, &format!(r#"{{"input":[{foreign}]}}"#), Some("[]"));

        let thinking = r#"{"type":"thinking","thinking":"hm","signature":"CARRIER"}"#;
        let call = r#"{"type":"tool_use","id":"1","name":"f","input":{"b":1,"a":2}}"#;
        let user = r#"{"role":"user","content":"x"}"#;
        let body = format!(
            r#"{{"messages":[{user},{{"role":"assistant","content":[{thinking},{call}]}},{{"role":"assistant","content":[{thinking}]}}]}}"#
        );
        let expected = format!(r#"[{user},{{"role":"assistant","content":[{call}]}}]"#);
        check(Protocol::Anthropic, &body, Some(&expected));

        let body = r#"{"contents":[{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"CARRIER"},
            {"functionCall":{"name":"f","args":{}},"thoughtSignature":"CARRIER"},{"text":"x","thoughtSignature":"CARRIER"}]}]}"#;
        let expected = r#"[{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"text":"x"}]}]"#;
        check(Protocol::Gemini, body, Some(expected));
        check(Protocol::OpenaiChat, r#"{"messages":[{"role":"user","content":"CARRIER"}]}"#, None);
    }

    #[test]
    fn ids_of_calls_go_where_the_target_takes_none() {
        let said = r#"{ "role": "user", "parts": [{"text": "my \"id\""}] }"#;
        let body = format!(
            r#"{{"contents":[{said}, {{"role":"model","parts":[{{"functionCall":{{"id":"a","name":"f","args":{{"id":1}}}}}}]}},
            {{"role":"user","parts":[{{"functionResponse":{{"name":"f","response":{{"id":2}},"id":"a"}}}}]}}]}}"#
        );
        let members = Members::read(&body).unwrap();
        let gemini = Protocol::Gemini.codec();
        assert!(gemini.cleared(&body, &members, false).is_none());
        let cleared = gemini.cleared(&body, &members, true).unwrap();
        let expected = format!(
            r#"[{said},{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{{"id":1}}}}}}]}},{{"role":"user","parts":[{{"functionResponse":{{"name":"f","response":{{"id":2}}}}}}]}}]"#
        );
        assert_eq!(cleared.json, expected);
        assert!(!cleared.lossy);
    }
}

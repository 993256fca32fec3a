//! Floor 3: what goes out to a target and what comes back from it.
//!
//! The native lane: client and target speak the same protocol, so that bytes pass as they are but
//! for single values that are spliced (SPEC 8.1). The translated lane ([`cross`]): they do not, and
//! all goes through the neutral model. [`pipe`] is a stream on either.

pub mod again;
pub mod concession;
pub mod cross;
pub mod framing;
pub mod gather;
mod look;
pub mod pipe;
pub mod verbatim;

use std::borrow::Cow;

use crate::base::json::{Members, quoted};
use crate::base::splice::{self, Edit};
use crate::protocol::Codec;
use crate::protocol::tap::Ask;

/// A request body that was looked at, not decoded.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What knows its protocol.
    pub codec: &'static dyn Codec,
    /// The body.
    pub text: &'a str,
    /// Its members.
    pub members: &'a Members,
    /// What it asks for.
    pub ask: &'a Ask,
}

/// What a target wants of a request in its own protocol.
#[derive(Clone, Debug)]
pub struct Wants<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// The most output tokens it can write.
    pub max_output: Option<u64>,
    /// The user's own edits, made last.
    pub edits: Vec<Edit>,
    /// Does Claude Code's attribution block go (SPEC 8.8)?
    pub strip_attribution: bool,
    /// Do ids of calls go?
    pub strip_call_ids: bool,
}

/// A body for a target of the same protocol.
pub struct Body<'a> {
    /// Its text; untouched where nothing has to change.
    pub text: Cow<'a, str>,
    /// Was state of another provider left out?
    pub lost_state: bool,
}

/// The body as a target of the same protocol gets it.
pub fn outgoing<'a>(source: &Source<'a>, wants: &Wants<'_>) -> Body<'a> {
    let (edits, lost_state) = edits(source, wants);
    // The text was read before, so that this cannot fail; if it did, it would go as it came.
    let edited = (!edits.is_empty())
        .then(|| splice::apply_known(source.text, source.members, &edits))
        .and_then(Result::ok);
    Body { text: edited.map_or(Cow::Borrowed(source.text), Cow::Owned), lost_state }
}

/// What has to change, and whether state of another provider goes with it.
fn edits(source: &Source<'_>, wants: &Wants<'_>) -> (Vec<Edit>, bool) {
    let mut edits = Vec::new();
    if let Some(field) = source.codec.model_field()
        && (source.ask.model.as_deref() != Some(wants.model)
            || source.members.is_repeated(source.text, field))
    {
        edits.push(Edit::set(&[field], quoted(wants.model)));
    }
    if let Some(most) = wants.max_output {
        let too_high = |path: &&&str| number_at(source, path).is_some_and(|asked| asked > most);
        let fields = source.codec.limit_fields().iter().chain(source.codec.limit_spellings());
        let fields = fields.filter(too_high);
        edits.extend(fields.map(|path| Edit::set_dotted(path, most.to_string())));
    }
    if let Some((path, json)) = source.codec.ask_for_usage(source.ask) {
        edits.push(Edit::set_dotted(path, json.to_owned()));
    }
    if wants.strip_attribution
        && let Some((field, json)) = source.codec.without_attribution(source.text, source.members)
    {
        edits.push(Edit::set(&[field], json));
    }
    let mut lost_state = false;
    if let Some(cleared) = source.codec.cleared(source.text, source.members, wants.strip_call_ids) {
        edits.push(Edit::set(&[cleared.member], cleared.json));
        lost_state = cleared.lossy;
    }
    edits.extend(wants.edits.iter().cloned());
    (edits, lost_state)
}

/// The number at a dotted path of at most two names.
fn number_at(source: &Source<'_>, path: &str) -> Option<u64> {
    match path.split_once('.') {
        None => whole(source.members.get(source.text, path)?),
        Some((outer, inner)) => {
            let (text, members) = source.members.object(source.text, outer)?;
            whole(members.get(text, inner)?)
        }
    }
}

/// A number however it is written: `8e3`, `8000.0`.
fn whole(number: &str) -> Option<u64> {
    // Saturates: more is more than any limit.
    number.parse().ok().or_else(|| number.parse::<f64>().ok().map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    fn wants(model: &str) -> Wants<'_> {
        Wants { model, max_output: None, edits: Vec::new(), strip_attribution: false, strip_call_ids: false }
    }

    #[track_caller]
    fn check(protocol: Protocol, text: &str, wants: &Wants<'_>, expected: &str) {
        let members = Members::read(text).unwrap();
        let ask = protocol.codec().tap_request(text, &members).unwrap();
        let source = Source { codec: protocol.codec(), text, members: &members, ask: &ask };
        assert_eq!(outgoing(&source, wants).text, expected);
    }

    #[test]
    fn bytes_pass_unchanged_when_nothing_must_change() {
        let text = "{ \"model\":\"m\",\n \"unknown\" : [1,2] , \"stream\":false}";
        for protocol in [Protocol::OpenaiChat, Protocol::OpenaiResponses, Protocol::Anthropic] {
            check(protocol, text, &wants("m"), text);
        }
        check(Protocol::Gemini, "{\"contents\": []}", &wants("other"), "{\"contents\": []}");
    }

    #[test]
    fn ids_of_calls_go_where_they_are_refused() {
        let text =
            r#"{"contents": [{"parts": [{"functionCall": {"id": "a", "name": "f"}}]}], "other": {"id": 1}}"#;
        check(Protocol::Gemini, text, &wants("m"), text);
        let strips = Wants { strip_call_ids: true, ..wants("m") };
        let expected = r#"{"contents": [{"parts":[{"functionCall":{"name":"f"}}]}], "other": {"id": 1}}"#;
        check(Protocol::Gemini, text, &strips, expected);
    }

    #[test]
    fn the_targets_model_is_put_in() {
        check(
            Protocol::Anthropic,
            "{\"a\":1, \"model\": \"x\" }",
            &wants("y"),
            "{\"a\":1, \"model\": \"y\" }",
        );
        check(Protocol::OpenaiChat, "{}", &wants("y"), "{\"model\":\"y\"}");
        // A server that takes the first of two must not see another model than we did.
        let twice = "{\"model\":\"x\",\"model\":\"y\"}";
        check(Protocol::OpenaiChat, twice, &wants("y"), "{\"model\":\"y\",\"model\":\"y\"}");
    }

    #[test]
    fn a_chat_stream_is_asked_for_its_usage() {
        let text = "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"x\":1}}";
        let expected =
            "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"x\":1,\"include_usage\":true}}";
        check(Protocol::OpenaiChat, text, &wants("m"), expected);
        check(Protocol::OpenaiChat, expected, &wants("m"), expected);
    }

    #[test]
    fn limits_are_lowered_and_never_raised() {
        let wants = Wants { max_output: Some(100), ..wants("m") };
        let text = "{\"model\":\"m\",\"max_tokens\":101,\"max_completion_tokens\":99}";
        check(Protocol::OpenaiChat, text, &wants, &text.replace("101", "100"));
        for number in ["5000", "5e3", "101.0", "99999999999999999999999"] {
            let text = format!("{{\"model\":\"m\",\"max_tokens\":{number}}}");
            check(Protocol::Anthropic, &text, &wants, &text.replace(number, "100"));
        }
        let text = "{\"model\":\"m\",\"max_tokens\":100.0}";
        check(Protocol::Anthropic, text, &wants, text);
        for [config, limit] in [
            ["generationConfig", "maxOutputTokens"],
            ["generation_config", "max_output_tokens"],
            ["generationConfig", "max_output_tokens"],
        ] {
            let text = format!("{{\"{config}\":{{\"{limit}\":5000,\"topK\":1}}}}");
            check(Protocol::Gemini, &text, &wants, &text.replace("5000", "100"));
        }
    }

    #[test]
    fn own_fields_are_written_and_removed() {
        let edits =
            vec![Edit::set_dotted("reasoning.effort", "\"low\"".to_owned()), Edit::remove_dotted("store")];
        let wants = Wants { edits, ..wants("m") };
        let text = "{\"model\":\"m\",\"store\":true,\"x\":1}";
        check(
            Protocol::OpenaiResponses,
            text,
            &wants,
            "{\"model\":\"m\",\"x\":1,\"reasoning\":{\"effort\":\"low\"}}",
        );
    }

    #[test]
    fn the_attribution_block_goes_where_it_is_not_wanted() {
        let wants = Wants { strip_attribution: true, ..wants("m") };
        let block = "{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cc_version=2\"}";
        let text =
            format!("{{\"model\":\"m\",\"system\":[{block}, {{\"type\":\"text\",\"text\":\"Be.\"}}]}}");
        check(
            Protocol::Anthropic,
            &text,
            &wants,
            "{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"Be.\"}]}",
        );
        let other = "{\"model\":\"m\",\"system\":\"x-anthropic-billing-header: in a string stays\"}";
        check(Protocol::Anthropic, other, &wants, other);
    }
}

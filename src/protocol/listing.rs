//! Model lists: what is known of a name that clients may ask for, before a codec shapes it.

use serde_json::Value;

use crate::base::object::Object;
use crate::protocol::Protocol;

/// One name that clients may ask for (SPEC 3.4). `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCard {
    /// The name.
    pub id: String,
    /// The provider of the first target.
    pub upstream_name: Option<String>,
    /// The model of the first target.
    pub upstream_model: Option<String>,
    /// The smallest context of the first tier.
    pub context_window: Option<u64>,
    /// The smallest output limit of the first tier.
    pub max_output_tokens: Option<u64>,
    /// What all targets of the first tier take.
    pub input: Option<Vec<&'static str>>,
    /// Can all of them call tools?
    pub tools: Option<bool>,
    /// Several at once?
    pub parallel_calls: Option<bool>,
    /// With the vendor's own web search?
    pub search: Option<bool>,
    /// How `apply_patch` is offered: `freeform` or `function`.
    pub apply_patch: Option<&'static str>,
}

/// What a client asks of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many.
    pub limit: Option<usize>,
    /// Those after this one.
    pub after: Option<String>,
    /// Those before this one.
    pub before: Option<String>,
    /// Codex's catalogue instead of the plain list.
    pub codex: bool,
}

/// In whose shape a list is told: the prefix of the path says it; on a bare path (`None`) headers
/// do. Codex, known by its `client_version`, wants its own catalogue on OpenAI's and bare paths.
pub fn shape(prefix: Option<Protocol>, codex: bool, has_header: impl Fn(&str) -> bool) -> Protocol {
    match prefix {
        Some(Protocol::OpenaiChat | Protocol::OpenaiResponses) | None if codex => Protocol::OpenaiResponses,
        Some(protocol) => protocol,
        None if has_header("anthropic-version") => Protocol::Anthropic,
        None if has_header("x-goog-api-key") => Protocol::Gemini,
        None => Protocol::OpenaiChat,
    }
}

/// One page of a list, and whether more follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The entries.
    pub cards: &'a [ModelCard],
    /// Are there more?
    pub has_more: bool,
}

/// The page that a query asks for; `limit` is held in 1..1000.
pub fn page<'a>(cards: &'a [ModelCard], query: &ListQuery, default_limit: usize) -> Page<'a> {
    let limit = query.limit.unwrap_or(default_limit).clamp(1, 1000);
    let place = |id: &Option<String>| id.as_ref().and_then(|id| cards.iter().position(|card| card.id == *id));
    if let Some(end) = place(&query.before) {
        let start = end.saturating_sub(limit);
        return Page { cards: cards.get(start..end).unwrap_or_default(), has_more: start > 0 };
    }
    let start = place(&query.after).map_or(0, |at| at + 1);
    let rest = cards.get(start..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    Page { cards: shown, has_more: shown.len() < rest.len() }
}

/// The names in a provider's list of models, whichever protocol's.
pub fn names(body: &str) -> Vec<String> {
    let list = Object::read(body).unwrap_or_default();
    let name = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let ids = entries(&list, "data").iter().filter_map(|entry| name(entry, "id"));
    let paths = entries(&list, "models").iter().filter_map(|entry| name(entry, "name"));
    let named = ids.chain(paths.map(|path| path.trim_start_matches("models/").to_owned()));
    named.filter(|name| !name.is_empty()).collect()
}

/// Which protocol's list of models this is; OpenAI's two have the same. A guess by what the vendors'
/// servers write.
pub fn guess(body: &str) -> Option<Protocol> {
    let list = Object::read(body)?;
    let has_list = |key: &str| list.map().get(key).is_some_and(Value::is_array);
    if has_list("models") && !has_list("data") {
        return Some(Protocol::Gemini);
    }
    if !has_list("data") {
        return None;
    }
    let is_model = |entry: &Value| entry.get("type").and_then(Value::as_str) == Some("model");
    if list.map().get("has_more").is_some_and(Value::is_boolean)
        || entries(&list, "data").iter().any(is_model)
    {
        return Some(Protocol::Anthropic);
    }
    Some(Protocol::OpenaiChat)
}

/// What a running llmgate tells of its names in OpenAI's list; `None` when it is no such list.
pub fn cards(body: &str) -> Option<Vec<ModelCard>> {
    let list = Object::read(body)?;
    Some(entries(&list, "data").iter().map(card).collect())
}

/// The entries of a list; none where there is no such list.
fn entries<'a>(list: &'a Object, key: &str) -> &'a [Value] {
    list.map().get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// One of our own entries; what it leaves out is unknown.
fn card(entry: &Value) -> ModelCard {
    const KINDS: [&str; 5] = ["text", "image", "image_url", "pdf", "audio"];
    const FORMS: [&str; 2] = ["freeform", "function"];
    let known = |words: &[&'static str], word: &Value| words.iter().copied().find(|known| *word == **known);
    let at = |path: &str| entry.pointer(path);
    let text = |path: &str| at(path).and_then(Value::as_str).map(str::to_owned);
    let number = |path: &str| at(path).and_then(Value::as_u64);
    let flag = |path: &str| at(path).and_then(Value::as_bool);
    let input = at("/x_llmgate/surface/modalities/input").and_then(Value::as_array);
    let form = at("/x_llmgate/surface/tools/apply_patch_transport");
    ModelCard {
        id: text("/id").unwrap_or_default(),
        upstream_name: text("/x_llmgate/upstream_name"),
        upstream_model: text("/x_llmgate/upstream_model"),
        context_window: number("/x_llmgate/limits/context_window"),
        max_output_tokens: number("/x_llmgate/limits/max_output_tokens"),
        input: input.map(|kinds| kinds.iter().filter_map(|kind| known(&KINDS, kind)).collect()),
        tools: None,
        parallel_calls: flag("/x_llmgate/surface/tools/supports_parallel_calls"),
        search: flag("/x_llmgate/surface/tools/supports_search"),
        apply_patch: form.and_then(|form| known(&FORMS, form)),
    }
}

/// Codex's catalogue (SPEC 13.4).
pub fn codex_catalogue(cards: &[ModelCard]) -> String {
    let query = ListQuery { codex: true, ..ListQuery::default() };
    Protocol::OpenaiResponses.codec().model_list(cards, &query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_forward_and_back() {
        let cards: Vec<ModelCard> =
            ["a", "b", "c"].map(|id| ModelCard { id: id.into(), ..ModelCard::default() }).to_vec();
        let ids = |query: ListQuery| {
            let page = page(&cards, &query, 20);
            (page.cards.iter().map(|card| card.id.as_str()).collect::<Vec<_>>().join(""), page.has_more)
        };
        assert_eq!(ids(ListQuery::default()), ("abc".into(), false));
        assert_eq!(ids(ListQuery { limit: Some(2), ..ListQuery::default() }), ("ab".into(), true));
        assert_eq!(ids(ListQuery { after: Some("a".into()), ..ListQuery::default() }), ("bc".into(), false));
        assert_eq!(
            ids(ListQuery { before: Some("c".into()), limit: Some(1), ..ListQuery::default() }),
            ("b".into(), true)
        );
    }

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let card = ModelCard {
            id: "a".into(),
            upstream_name: Some("p".into()),
            upstream_model: Some("m".into()),
            context_window: Some(1000),
            input: Some(vec!["text", "pdf"]),
            search: Some(false),
            apply_patch: Some("function"),
            ..ModelCard::default()
        };
        let list = [card, ModelCard { id: "b".into(), ..ModelCard::default() }];
        let body = Protocol::OpenaiChat.codec().model_list(&list, &ListQuery::default());
        assert_eq!(cards(&body).as_deref(), Some(&list[..]));
        for protocol in Protocol::ALL {
            let body = protocol.codec().model_list(&list, &ListQuery::default());
            assert_eq!(names(&body), ["a", "b"]);
            let same = if protocol == Protocol::OpenaiResponses { Protocol::OpenaiChat } else { protocol };
            assert_eq!(guess(&body), Some(same), "{body}");
        }
        assert_eq!(cards("<html>"), None);
        assert!(names("[]").is_empty() && guess("[]").is_none() && guess("{}").is_none());
    }
}

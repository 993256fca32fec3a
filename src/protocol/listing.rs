//! Model lists: what is known of a name that clients may ask for, before a codec shapes it.

use serde::Deserialize;

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

/// One page of a list: where it begins and ends, and whether more follows.
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
    let list: Listed = serde_json::from_str(body).unwrap_or_default();
    let named = list.data.into_iter().map(|entry| entry.id);
    let paths = list.models.into_iter().map(|entry| entry.name.trim_start_matches("models/").to_owned());
    named.chain(paths).filter(|name| !name.is_empty()).collect()
}

/// Which protocol's list of models this is; OpenAI's two have the same. A guess by what the vendors'
/// servers write.
pub fn guess(body: &str) -> Option<Protocol> {
    let list: Shape = serde_json::from_str(body).ok()?;
    if list.models.is_some() && list.data.is_none() {
        return Some(Protocol::Gemini);
    }
    let data = list.data?;
    if list.has_more.is_some() || data.iter().any(|entry| entry.kind.as_deref() == Some("model")) {
        return Some(Protocol::Anthropic);
    }
    Some(Protocol::OpenaiChat)
}

/// What tells one vendor's list from another's.
#[derive(Deserialize)]
struct Shape {
    data: Option<Vec<ShapeEntry>>,
    models: Option<Vec<Named>>,
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct ShapeEntry {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What a running llmgate tells of its names in OpenAI's list; `None` when it is no such list.
pub fn cards(body: &str) -> Option<Vec<ModelCard>> {
    let list: Listed = serde_json::from_str(body).ok()?;
    Some(list.data.into_iter().map(ModelCard::from).collect())
}

/// Codex's catalogue (SPEC 13.4).
pub fn codex_catalogue(cards: &[ModelCard]) -> String {
    let query = ListQuery { codex: true, ..ListQuery::default() };
    Protocol::OpenaiResponses.codec().model_list(cards, &query)
}

#[derive(Default, Deserialize)]
struct Listed {
    #[serde(default)]
    data: Vec<Entry>,
    #[serde(default)]
    models: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    id: String,
    #[serde(default)]
    x_llmgate: Known,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Known {
    upstream_name: Option<String>,
    upstream_model: Option<String>,
    limits: Limits,
    surface: Surface,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Limits {
    context_window: Option<u64>,
    max_output_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Surface {
    modalities: Option<Modalities>,
    tools: Tools,
}

#[derive(Deserialize)]
struct Modalities {
    #[serde(default)]
    input: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tools {
    supports_search: Option<bool>,
    apply_patch_transport: Option<String>,
    supports_parallel_calls: Option<bool>,
}

impl From<Entry> for ModelCard {
    fn from(entry: Entry) -> Self {
        const KINDS: [&str; 5] = ["text", "image", "image_url", "pdf", "audio"];
        const FORMS: [&str; 2] = ["freeform", "function"];
        let known = |words: &[&'static str], word: &str| words.iter().copied().find(|known| *known == word);
        let Known { upstream_name, upstream_model, limits, surface } = entry.x_llmgate;
        let input = surface.modalities.map(|modalities| modalities.input);
        Self {
            id: entry.id,
            upstream_name,
            upstream_model,
            context_window: limits.context_window,
            max_output_tokens: limits.max_output_tokens,
            input: input.map(|kinds| kinds.iter().filter_map(|kind| known(&KINDS, kind)).collect()),
            tools: None,
            parallel_calls: surface.tools.supports_parallel_calls,
            search: surface.tools.supports_search,
            apply_patch: surface.tools.apply_patch_transport.and_then(|form| known(&FORMS, &form)),
        }
    }
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

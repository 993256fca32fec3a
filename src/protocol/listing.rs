//! Model lists: what is known of a name that clients may ask for, before a codec shapes it.

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
}

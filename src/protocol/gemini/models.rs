//! Google's model list. <https://ai.google.dev/api/models>

use crate::base::object::{Object, object};
use crate::protocol::listing::{ListQuery, ModelCard, page};

/// `pageSize` is 50 unless the client says otherwise.
const DEFAULT_LIMIT: usize = 50;

pub(super) fn list(cards: &[ModelCard], query: &ListQuery) -> String {
    let page = page(cards, query, DEFAULT_LIMIT);
    let models: Vec<Object> = page.cards.iter().map(entry).collect();
    let mut body = object! {"models": models};
    // The token is the last name shown: the next page begins after it.
    let last = page.cards.last().filter(|_| page.has_more);
    body.put_some("nextPageToken", last.map(|last| last.id.as_str()));
    body.to_string()
}

pub(super) fn entry(card: &ModelCard) -> Object {
    let mut entry = object! {"name": format!("models/{}", card.id), "displayName": card.id.as_str()};
    entry.put_some("inputTokenLimit", card.context_window);
    entry.put_some("outputTokenLimit", card.max_output_tokens);
    let methods = vec!["generateContent", "streamGenerateContent", "countTokens"];
    entry.put("supportedGenerationMethods", methods);
    entry
}

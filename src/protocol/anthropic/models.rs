//! Anthropic's model list. <https://docs.anthropic.com/en/api/models-list>

use crate::base::object::{Object, object};
use crate::protocol::listing::{ListQuery, ModelCard, page};

/// `limit` is 20 unless the client says otherwise.
const DEFAULT_LIMIT: usize = 20;

pub(super) fn list(cards: &[ModelCard], query: &ListQuery) -> String {
    let page = page(cards, query, DEFAULT_LIMIT);
    let data: Vec<Object> = page.cards.iter().map(entry).collect();
    let id = |card: Option<&ModelCard>| card.map(|card| card.id.clone());
    object! {
        "data": data,
        "has_more": page.has_more,
        "first_id": id(page.cards.first()),
        "last_id": id(page.cards.last()),
    }
    .to_string()
}

pub(super) fn entry(card: &ModelCard) -> Object {
    let id = card.id.as_str();
    object! {"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"}
}

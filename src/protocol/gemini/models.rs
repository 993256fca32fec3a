//! Google's model list. <https://ai.google.dev/api/models>

use serde_json::{Map, Value, json};

use crate::protocol::listing::{ListQuery, ModelCard, page};

/// `pageSize` is 50 unless the client says otherwise.
const DEFAULT_LIMIT: usize = 50;

pub(super) fn list(cards: &[ModelCard], query: &ListQuery) -> String {
    let page = page(cards, query, DEFAULT_LIMIT);
    let models: Vec<Value> = page.cards.iter().map(entry).collect();
    let mut body = Map::from_iter([("models".to_owned(), Value::Array(models))]);
    // The token is the last name shown: the next page begins after it.
    if let Some(last) = page.cards.last().filter(|_| page.has_more) {
        body.insert("nextPageToken".to_owned(), Value::from(last.id.as_str()));
    }
    Value::Object(body).to_string()
}

pub(super) fn entry(card: &ModelCard) -> Value {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), Value::from(format!("models/{}", card.id)));
    entry.insert("displayName".to_owned(), Value::from(card.id.as_str()));
    for (name, limit) in
        [("inputTokenLimit", card.context_window), ("outputTokenLimit", card.max_output_tokens)]
    {
        if let Some(limit) = limit {
            entry.insert(name.to_owned(), Value::from(limit));
        }
    }
    let methods = json!(["generateContent", "streamGenerateContent", "countTokens"]);
    entry.insert("supportedGenerationMethods".to_owned(), methods);
    Value::Object(entry)
}

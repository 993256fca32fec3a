//! Codex's model catalogue: `GET /models?client_version=...`, `model_catalog_json` (SPEC 13.4).

use crate::base::object::{Object, object};
use crate::protocol::listing::ModelCard;

/// `{"models":[entry...]}`
pub(super) fn catalogue(cards: &[ModelCard]) -> String {
    let models: Vec<Object> = cards.iter().map(entry).collect();
    object! {"models": models}.to_string()
}

/// What Codex tells the model first. With an entry of a catalogue it uses nothing of its own: an empty
/// text would leave the model without any instruction.
const INSTRUCTIONS: &str = include_str!("codex_instructions.md");

fn entry(card: &ModelCard) -> Object {
    let levels = ["low", "medium", "high", "xhigh"];
    let levels: Vec<Object> = levels.map(|level| object! {"effort": level, "description": level}).to_vec();
    let compact_at = card.context_window.map(|context| {
        let room = context.saturating_sub(card.max_output_tokens.unwrap_or(0));
        room * 85 / 100
    });
    let shown = |kind: &&str| matches!(*kind, "text" | "image");
    let input: Vec<&str> = match &card.input {
        Some(input) => input.iter().copied().filter(shown).collect(),
        None => vec!["text", "image"],
    };
    object! {
        "slug": card.id.as_str(),
        "display_name": card.id.as_str(),
        "supported_reasoning_levels": levels,
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": true,
        "priority": 0,
        "base_instructions": INSTRUCTIONS,
        "supports_reasoning_summaries": false,
        "support_verbosity": false,
        "truncation_policy": object! {"mode": "bytes", "limit": 10000},
        "apply_patch_tool_type": card.apply_patch.unwrap_or("freeform"),
        "supports_parallel_tool_calls": card.parallel_calls.unwrap_or(true),
        "experimental_supported_tools": Vec::<&str>::new(),
        "context_window": card.context_window,
        "auto_compact_token_limit": compact_at,
        "input_modalities": input,
        "supports_search_tool": card.search.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn compaction_begins_before_the_context_is_full() {
        let card = ModelCard {
            id: "m".into(),
            context_window: Some(200_000),
            max_output_tokens: Some(64_000),
            ..ModelCard::default()
        };
        assert_eq!(Value::from(entry(&card))["auto_compact_token_limit"], 115_600);
        assert_eq!(Value::from(entry(&ModelCard::default()))["context_window"], Value::Null);
    }
}

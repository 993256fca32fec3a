//! An estimate of a request's input tokens, before anyone counted them (SPEC 7.3).

use crate::ir::request::{Block, MediaKind, Request, ResultPart, Source, ToolForm};

/// Tokens of one image.
const IMAGE: u64 = 1600;
/// Bytes of a document for a token.
const DOCUMENT_BYTES: u64 = 30;
/// Characters for a token, as most tokenizers make of English and code.
const CHARACTERS: u64 = 4;

/// Estimated input tokens.
pub fn input_tokens(request: &Request) -> u64 {
    let mut sum = Sum::default();
    request.system.iter().for_each(|text| sum.text(text));
    for tool in &request.tools {
        sum.text(&tool.name);
        sum.text(tool.description.as_deref().unwrap_or_default());
        match &tool.form {
            ToolForm::Function { schema, .. } => sum.text(&schema.to_string()),
            ToolForm::FreeForm { grammar } => sum.text(grammar.as_deref().unwrap_or_default()),
        }
    }
    request.turns.iter().flat_map(|turn| &turn.blocks).for_each(|block| sum.block(block));
    sum.characters / CHARACTERS + sum.media
}

#[derive(Default)]
struct Sum {
    characters: u64,
    media: u64,
}

impl Sum {
    fn text(&mut self, text: &str) {
        self.characters += text.chars().count() as u64;
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Text(text) | Block::Refusal(text) => self.text(text),
            Block::Media(media) => self.media(media.kind, &media.source),
            Block::Call(call) => {
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Block::Result(result) => {
                for part in &result.content {
                    match part {
                        ResultPart::Text(text) => self.text(text),
                        ResultPart::Media(media) => self.media(media.kind, &media.source),
                    }
                }
            }
            Block::Reasoning(reasoning) => self.text(&reasoning.text),
        }
    }

    fn media(&mut self, kind: MediaKind, source: &Source) {
        self.media += match (kind, source) {
            (MediaKind::Image, _) => IMAGE,
            // Base64 has four characters for three bytes.
            (_, Source::Inline { data, .. }) => data.len() as u64 * 3 / 4 / DOCUMENT_BYTES,
            (_, Source::Url(_)) => IMAGE,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::request::{Role, Turn};

    #[test]
    fn four_characters_are_a_token() {
        let turns = vec![Turn::of(Role::User, Block::Text("x".repeat(400)))];
        assert_eq!(input_tokens(&Request { turns, ..Request::default() }), 100);
    }
}

//! An estimate of a request's input tokens, before anyone counted them (SPEC 7.3).

use crate::ir::request::{Block, MediaKind, Request, ResultPart, Source};
use crate::ir::tool::ToolForm;

/// Tokens of one image.
const IMAGE: u64 = 1600;
/// Bytes of a document for a token.
const DOCUMENT_BYTES: u64 = 30;

/// How much a request holds; how many tokens that is depends on who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Characters of all texts, tool schemas and arguments.
    pub characters: u64,
    /// Tokens of images and documents.
    pub media: u64,
}

impl Size {
    /// Estimated tokens for a reader that makes one token of so many characters: of any text at
    /// least one.
    pub fn tokens(self, characters_per_token: f64) -> u64 {
        // Saturates: no request has 2^53 characters.
        let text = (self.characters as f64 / characters_per_token.max(0.1)) as u64;
        text.max(self.characters.min(1)) + self.media
    }
}

/// How much a request holds.
pub fn size(request: &Request) -> Size {
    let mut size = Size::default();
    request.system.iter().for_each(|text| size.text(text));
    for tool in &request.tools {
        size.text(&tool.name);
        size.text(tool.description.as_deref().unwrap_or_default());
        match &tool.form {
            ToolForm::Function { schema, .. } => size.characters += schema.text().len() as u64,
            ToolForm::FreeForm { grammar } => {
                size.text(grammar.as_ref().map_or("", |grammar| grammar.definition.as_str()));
            }
        }
    }
    request.turns.iter().flat_map(|turn| &turn.blocks).for_each(|block| size.block(block));
    size
}

impl Size {
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
    use crate::ir::request::{Media, Role, ToolCall, Turn};
    use crate::ir::schema::Schema;
    use crate::ir::tool::{Tool, ToolGrammar};

    #[test]
    fn characters_schemas_and_media_are_counted() {
        let mut request = Request {
            system: vec!["äöü".into()],
            turns: vec![Turn::of(Role::User, Block::Text("x".repeat(397)))],
            ..Request::default()
        };
        assert_eq!(size(&request), Size { characters: 400, media: 0 });
        let schema = Schema::no_arguments();
        let form = ToolForm::Function { schema: schema.clone(), strict: None };
        request.tools.push(Tool { name: "f".into(), description: Some("äb".into()), form, identity: None });
        assert_eq!(size(&request).characters, 403 + schema.text().len() as u64);
        let grammar = Some(ToolGrammar { syntax: "lark".into(), definition: "start".into() });
        let form = ToolForm::FreeForm { grammar };
        request.tools.push(Tool { name: "g".into(), description: None, form, identity: None });
        let (id, name, arguments) = ("call_1".into(), "g".into(), "xyz".into());
        let call = ToolCall { id, name, arguments, free_form: true, state: None };
        request.turns.push(Turn::of(Role::Assistant, Block::Call(call)));
        assert_eq!(size(&request).characters, 413 + schema.text().len() as u64);
        let inline = |kind| {
            let source = Source::Inline { mime: "x/y".into(), data: "A".repeat(400) };
            Block::Media(Media { kind, source, name: None, detail: None })
        };
        request.turns.push(Turn::of(Role::User, inline(MediaKind::Image)));
        request.turns.push(Turn::of(Role::User, inline(MediaKind::Document)));
        assert_eq!(size(&request).media, 1600 + 10);
    }

    #[test]
    fn tokens_depend_on_the_reader() {
        let size = Size { characters: 400, media: 10 };
        assert_eq!((size.tokens(4.0), size.tokens(3.0)), (110, 143));
        assert!(size.tokens(0.0) > 0, "a reader of nothing ends nothing");
    }

    #[test]
    fn any_text_is_a_token_and_none_is_none() {
        let of = |characters| Size { characters, media: 0 }.tokens(4.0);
        assert_eq!([of(0), of(1), of(3), of(4), of(8)], [0, 1, 1, 1, 2]);
    }
}

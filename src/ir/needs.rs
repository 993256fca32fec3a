//! What a request asks of a model (SPEC 5.3): read from what it holds, in any turn.

use crate::ir::request::{Block, Effort, Media, MediaKind, Request, ResultPart, Source};

/// What a request asks of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tools are offered.
    pub tools: bool,
    /// Several of them may be called at once.
    pub parallel_tools: bool,
    /// Images inside the request.
    pub vision: bool,
    /// Images by URL.
    pub image_url: bool,
    /// PDF documents.
    pub pdf: bool,
    /// Sound.
    pub audio: bool,
    /// Reasoning is asked for.
    pub reasoning: bool,
    /// The vendor's own web search is offered.
    pub search: bool,
    /// The answer is to be streamed.
    pub stream: bool,
}

impl Needs {
    /// What a request asks for.
    pub fn of(request: &Request) -> Self {
        let tools = !request.tools.is_empty();
        let mut needs = Self {
            tools,
            parallel_tools: tools && !request.one_call,
            reasoning: !matches!(request.effort, Effort::Unset | Effort::Off),
            search: request.search.is_some(),
            stream: request.stream,
            ..Self::default()
        };
        for block in request.turns.iter().flat_map(|turn| &turn.blocks) {
            match block {
                Block::Media(media) => needs.media(media),
                Block::Result(result) => result.content.iter().for_each(|part| match part {
                    ResultPart::Media(media) => needs.media(media),
                    ResultPart::Text(_) => {}
                }),
                Block::Text(_) | Block::Refusal(_) | Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
        needs
    }

    /// The names of what is needed, as the configuration and `route explain` say them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("tools", self.tools),
            ("parallel_tools", self.parallel_tools),
            ("vision", self.vision),
            ("image_url", self.image_url),
            ("pdf", self.pdf),
            ("audio", self.audio),
            ("reasoning", self.reasoning),
            ("search", self.search),
            ("stream", self.stream),
        ];
        all.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name)
    }

    fn media(&mut self, media: &Media) {
        match (media.kind, &media.source) {
            (MediaKind::Image, Source::Inline { .. }) => self.vision = true,
            (MediaKind::Image, Source::Url(_)) => self.image_url = true,
            (MediaKind::Document, _) => self.pdf = true,
            (MediaKind::Audio, _) => self.audio = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::request::{Role, ToolResult, Turn};
    use crate::ir::search::Search;
    use crate::ir::tool::{Tool, ToolForm};

    #[test]
    fn needs_are_read_from_every_turn() {
        let media = |kind, source| Media { kind, source, name: None, detail: None };
        let inline = || Source::Inline { mime: "x/y".into(), data: "AAAA".into() };
        let result = ToolResult {
            id: "1".into(),
            name: None,
            content: vec![ResultPart::Media(media(MediaKind::Image, inline()))],
            failed: false,
        };
        let mut request = Request {
            stream: true,
            effort: Effort::Budget(9),
            turns: vec![
                Turn::of(Role::User, Block::Result(result)),
                Turn::of(Role::User, Block::Media(media(MediaKind::Image, Source::Url("https://x".into())))),
                Turn::of(Role::User, Block::Media(media(MediaKind::Document, inline()))),
            ],
            ..Request::default()
        };
        let names = |request: &Request| Needs::of(request).names().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&request), "vision image_url pdf reasoning stream");
        request.effort = Effort::Off;
        let form = ToolForm::FreeForm { grammar: None };
        request.tools.push(Tool { name: "f".into(), description: None, form, identity: None });
        assert_eq!(names(&request), "tools parallel_tools vision image_url pdf stream");
        request.search = Some(Search::default());
        assert_eq!(names(&request), "tools parallel_tools vision image_url pdf search stream");
        request.one_call = true;
        assert!(!Needs::of(&request).parallel_tools);
    }
}

//! What is seen of a native stream, frame by frame.
//!
//! Of a frame that differs from the one before in its words alone nothing new is to be seen; it is
//! compared, not read.

use crate::base::pattern::Pattern;
use crate::base::sse::{Data, Frame};
use crate::protocol::Codec;
use crate::protocol::tap::{Facts, Kind, Seen};

/// Looks at the frames of one stream.
pub(super) struct Look {
    codec: &'static dyn Codec,
    /// What the stream told so far.
    pub(super) facts: Facts,
    /// The last frame, when it says words, and what was seen of it.
    last: Option<(Pattern, Seen)>,
}

impl Look {
    pub(super) fn new(codec: &'static dyn Codec) -> Self {
        Self { codec, facts: Facts::default(), last: None }
    }

    /// Looks at the next frame, and its data as text.
    pub(super) fn at(&mut self, frame: &Frame<'_>, text: &str) -> Seen {
        if let Some((pattern, seen)) = &self.last
            && pattern.words(frame.raw).is_some()
        {
            return seen.clone();
        }
        let seen = self.codec.tap_frame(frame.event_name(), text, &mut self.facts);
        self.facts.is_unseen |= seen.kind == Kind::Failure && frame.is_bare_error();
        self.last = pattern(frame, text, &seen).map(|pattern| (pattern, seen.clone()));
        seen
    }
}

/// For the frames that follow one; `None` where it says no words, or the model's name lies behind them
/// and would move with their length.
fn pattern(frame: &Frame<'_>, text: &str, seen: &Seen) -> Option<Pattern> {
    let (Data::Line(line, place), Some(words)) = (&frame.data, &seen.words) else { return None };
    let moves = seen.model.as_ref().is_some_and(|model| model.start > words.start);
    // What is no UTF-8 lies elsewhere in the text.
    let is_same = *line == text.as_bytes();
    let words = place.start + words.start..place.start + words.end;
    (is_same && !moves).then(|| Pattern::of(frame.raw, words))?
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::base::sse::FrameReader;
    use crate::protocol::Protocol;

    /// What whoever relays a frame asks of it.
    fn see(look: &mut Look, data: &[u8]) -> (Kind, Option<Range<usize>>) {
        let mut reader = FrameReader::new(1 << 20);
        reader.push(&[b"data: ", data, b"\n\n"].concat());
        let frame = reader.next_frame().unwrap().unwrap();
        let seen = look.at(&frame, &frame.text().unwrap());
        (seen.kind, seen.model)
    }

    /// The second frame is seen as if it were the first.
    #[track_caller]
    fn check(protocol: Protocol, first: &[u8], second: &[u8]) {
        let [mut look, mut new] = [Look::new(protocol.codec()), Look::new(protocol.codec())];
        see(&mut look, first);
        assert_eq!(see(&mut look, second), see(&mut new, second), "{}", String::from_utf8_lossy(second));
    }

    #[test]
    fn a_frame_that_is_like_another_is_seen_as_it_is() {
        for words in ["b", "", "more words", r"\n", r"\u", "é", "\"", "}", "\t"] {
            let chat = |words| format!(r#"{{"choices":[{{"delta":{{"content":"{words}"}}}}],"model":"m"}}"#);
            check(Protocol::OpenaiChat, chat("a").as_bytes(), chat(words).as_bytes());
            let named = |words| {
                format!(r#"{{"model":"m","choices":[{{"index":0,"delta":{{"content":"{words}"}}}}]}}"#)
            };
            check(Protocol::OpenaiChat, named("a").as_bytes(), named(words).as_bytes());
            let gemini =
                |words| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{words}"}}]}}}}]}}"#);
            check(Protocol::Gemini, gemini("a").as_bytes(), gemini(words).as_bytes());
            let anthropic = |words| {
                format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{words}"}}}}"#
                )
            };
            check(Protocol::Anthropic, anthropic("a").as_bytes(), anthropic(words).as_bytes());
        }
    }

    #[test]
    fn words_behind_what_is_no_utf_8_are_found_where_they_lie() {
        let first = b"{\"x\":\"\xff\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}";
        let second = b"{\"x\":\"\xff\",\"choices\":[{\"delta\":{\"content\":\"a\" }]}";
        check(Protocol::OpenaiChat, first, second);
    }
}

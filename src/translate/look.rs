//! What is seen of a native stream, frame by frame.
//!
//! Most frames say the next words of an answer, and differ from the one before, byte for byte, in
//! nothing else. What was seen of that one holds for them: only their words are looked at.

use std::ops::Range;

use crate::base::sse::{Data, Frame};
use crate::protocol::Codec;
use crate::protocol::tap::{Facts, Seen};

/// The longest frame that is kept to compare the next with: so much stays with each open stream.
const LONGEST: usize = 512;

/// Looks at the frames of one stream.
pub(super) struct Look {
    codec: &'static dyn Codec,
    /// What the stream told so far.
    pub(super) facts: Facts,
    last: Option<Pattern>,
}

/// A frame that others may be like.
struct Pattern {
    frame: Vec<u8>,
    /// Where its words lie, quotes left out.
    words: Range<usize>,
    seen: Seen,
}

impl Look {
    pub(super) fn new(codec: &'static dyn Codec) -> Self {
        Self { codec, facts: Facts::default(), last: None }
    }

    /// Looks at the next frame, and its data as text.
    pub(super) fn at(&mut self, frame: &Frame<'_>, text: &str) -> Seen {
        if let Some(pattern) = self.last.as_ref().filter(|pattern| pattern.fits(frame.raw)) {
            return pattern.seen.clone();
        }
        let seen = self.codec.tap_frame(frame.event_name(), text, &mut self.facts);
        self.last = Pattern::of(frame, text, &seen);
        seen
    }
}

impl Pattern {
    /// `None` where a frame says no words, or too many, or the model's name lies behind them and would
    /// move with their length.
    fn of(frame: &Frame<'_>, text: &str, seen: &Seen) -> Option<Self> {
        let (Data::Line(line, data), Some(words)) = (&frame.data, &seen.words) else { return None };
        // What is no UTF-8 lies elsewhere in the text.
        let is_same = *line == text.as_bytes();
        let moves = seen.model.as_ref().is_some_and(|model| model.start > words.start);
        let words = data.start + words.start..data.start + words.end;
        let fits = frame.raw.len() <= LONGEST && is_same && !moves;
        fits.then(|| Self { frame: frame.raw.to_vec(), words, seen: seen.clone() })
    }

    /// Does a frame differ in its words alone? They need no escapes, and there are some.
    fn fits(&self, frame: &[u8]) -> bool {
        let is_plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
        let before = self.frame.get(..self.words.start);
        let after = self.frame.get(self.words.end..);
        before
            .and_then(|before| frame.strip_prefix(before))
            .and_then(|rest| rest.strip_suffix(after?))
            .is_some_and(|words| !words.is_empty() && words.iter().all(is_plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sse::FrameReader;
    use crate::protocol::Protocol;
    use crate::protocol::tap::Kind;

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

    #[test]
    fn what_is_alike_is_not_read() {
        let mut look = Look::new(Protocol::OpenaiChat.codec());
        let chunk = |words| format!(r#"{{"choices":[{{"delta":{{"content":"{words}"}}}}]}}"#);
        for (words, is_like) in
            [("a", false), ("b c", true), (r"\n", false), ("d", false), ("e", true), ("", false)]
        {
            let text = chunk(words);
            let fits =
                look.last.as_ref().is_some_and(|last| last.fits(format!("data: {text}\n\n").as_bytes()));
            assert_eq!(fits, is_like, "{text}");
            see(&mut look, text.as_bytes());
        }
    }
}

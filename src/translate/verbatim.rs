//! The stream machine of the native lane: bytes in, bytes out, no clock, no I/O.
//!
//! Every frame leaves as it came, but for the model's name where it is another one for the client,
//! and for the usage chunk of Chat when the client did not ask for it. Each frame is told with its
//! kind, so that the relay can hold back what must not be seen before the commit point.
//!
//! Input that stops before the provider said so is [`StreamEnd::Truncated`], never a quiet success.

use crate::base::json::quoted;
use crate::base::sse::{Frame, FrameReader};
use crate::protocol::Codec;
use crate::protocol::tap::{Facts, Kind, Seen};
use crate::translate::framing::Framing;
use crate::translate::look::Look;
use crate::translate::pipe::{PipeError, StreamEnd};

/// How to pipe one stream.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model's name for the client, when the provider knows it by another.
    pub rename: Option<String>,
    /// Is a chunk with nothing but token counts kept from the client?
    pub hide_usage: bool,
    /// How events are framed towards the client.
    pub framing: Framing,
    /// The longest frame, in bytes.
    pub limit: usize,
}

/// One stream on its way from a target to a client of the same protocol.
pub struct Verbatim {
    codec: &'static dyn Codec,
    reader: FrameReader,
    options: Options,
    renamed: Option<String>,
    look: Look,
    /// Was a frame given that is more than a sign of life?
    begun: bool,
    /// Did the last frame go to the client? What comes after one that did not, does not either.
    passed: bool,
}

impl Verbatim {
    /// A pipe for one stream.
    pub fn new(codec: &'static dyn Codec, options: Options) -> Self {
        let reader = FrameReader::new(options.limit);
        let renamed = options.rename.as_deref().map(quoted);
        Self { codec, reader, options, renamed, look: Look::new(codec), begun: false, passed: false }
    }

    /// Takes bytes from upstream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// Adds what still belongs to the frame before: a line feed that came after it. To be asked
    /// before the place of the next frame in `out` is noted; [`Verbatim::pull`] asks it, too.
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        let late = self.reader.late_line_feed();
        if late && self.options.framing == Framing::Events && self.begun && self.passed {
            out.push(b'\n');
        }
    }

    /// The next whole frame: its bytes for the client are added to `out`, its kind is returned.
    /// `None` when more bytes are needed.
    ///
    /// # Errors
    /// The frame breaks the protocol or the limit.
    pub fn pull(&mut self, out: &mut Vec<u8>) -> Result<Option<Kind>, PipeError> {
        self.settle(out);
        match self.reader.next_frame() {
            Err(_) => Err(PipeError::FrameTooLong),
            Ok(None) => Ok(None),
            Ok(Some(frame)) => {
                let step = Step { codec: self.codec, options: &self.options, name: self.renamed.as_deref() };
                let mark = out.len();
                let kind = step.take(&frame, self.begun, &mut self.look, out)?;
                self.begun |= kind != Kind::Beat;
                self.passed = out.len() > mark;
                Ok(Some(kind))
            }
        }
    }

    /// The input is at its end. A last frame without its blank line is taken when it is whole; a
    /// broken one is left out.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamEnd {
        self.settle(out);
        if let Some(frame) = self.reader.rest() {
            let step = Step { codec: self.codec, options: &self.options, name: self.renamed.as_deref() };
            let mark = out.len();
            match step.take(&frame, self.begun, &mut self.look, out) {
                Ok(Kind::Beat) | Err(_) => out.truncate(mark),
                Ok(_) => {
                    self.begun = true;
                    if self.options.framing == Framing::Events && out.len() > mark {
                        out.extend_from_slice(b"\n\n");
                    }
                }
            }
        }
        if self.facts().error.is_some() {
            StreamEnd::Failed
        } else if self.facts().finished {
            StreamEnd::Finished
        } else {
            StreamEnd::Truncated
        }
    }

    /// Writes what closes a stream that ended well.
    pub fn close(&self, out: &mut Vec<u8>) {
        if self.options.framing == Framing::Array {
            out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        }
    }

    /// What the stream told so far.
    pub fn facts(&self) -> &Facts {
        &self.look.facts
    }
}

/// What a frame is written with.
struct Step<'a> {
    codec: &'static dyn Codec,
    options: &'a Options,
    /// The model's name for the client, in quotes, when it is another.
    name: Option<&'a str>,
}

impl Step<'_> {
    fn take(
        &self,
        frame: &Frame<'_>,
        begun: bool,
        look: &mut Look,
        out: &mut Vec<u8>,
    ) -> Result<Kind, PipeError> {
        let Some(text) = frame.text() else {
            self.write_comment(frame, out);
            return Ok(Kind::Beat);
        };
        let seen = look.at(frame, &text);
        match seen.kind {
            Kind::Broken => return Err(PipeError::BrokenFrame),
            // Whoever relays it tells it anew.
            Kind::Failure if look.facts.is_unseen => return Ok(seen.kind),
            Kind::Usage if self.options.hide_usage => return Ok(Kind::Beat),
            Kind::Beat if !self.codec.takes_comments() => return Ok(Kind::Beat),
            _ => {}
        }
        let data = self.name.and_then(|name| renamed(&text, &seen, name));
        match (self.options.framing, data) {
            (Framing::Events, None) => out.extend_from_slice(frame.raw),
            (Framing::Events, Some(data)) => frame.write_with_data(&data, out),
            (Framing::Array, data) => {
                out.extend_from_slice(if begun { b",\n" } else { b"[" });
                out.extend_from_slice(data.as_deref().unwrap_or(&text).as_bytes());
            }
        }
        Ok(seen.kind)
    }

    /// A comment passes where clients take comments; a frame that is only a blank line does too.
    fn write_comment(&self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        if self.options.framing == Framing::Events && self.codec.takes_comments() {
            out.extend_from_slice(frame.raw);
        }
    }
}

/// A whole answer with the client's name for the model; `None` where it goes as it came.
pub fn whole(text: &str, seen: &Seen, rename: Option<&str>) -> Option<String> {
    renamed(text, seen, &quoted(rename?))
}

/// A text with another name for the model, in quotes; `None` where it is that already, or has none.
fn renamed(text: &str, seen: &Seen, name: &str) -> Option<String> {
    let range = seen.model.clone()?;
    let (before, after) = (text.get(..range.start)?, text.get(range.end..)?);
    (text.get(range)? != name).then(|| [before, name, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    fn options() -> Options {
        Options { rename: None, hide_usage: false, framing: Framing::Events, limit: 10_000 }
    }

    fn run(protocol: Protocol, options: Options, input: &str, step: usize) -> (String, Vec<Kind>, StreamEnd) {
        let mut pipe = Verbatim::new(protocol.codec(), options);
        let (mut out, mut kinds) = (Vec::new(), Vec::new());
        for part in input.as_bytes().chunks(step) {
            pipe.push(part);
            while let Some(kind) = pipe.pull(&mut out).unwrap() {
                kinds.push(kind);
            }
        }
        let end = pipe.finish(&mut out);
        pipe.close(&mut out);
        (String::from_utf8(out).unwrap(), kinds, end)
    }

    const CHAT: &str = "data: {\"model\":\"up\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n: note\n\n\
        data: {\"model\":\"up\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n";

    #[test]
    fn bytes_pass_as_they_are_at_any_split() {
        for step in 1..CHAT.len() {
            let (out, kinds, end) = run(Protocol::OpenaiChat, options(), CHAT, step);
            assert_eq!(out, CHAT);
            assert_eq!(kinds, [Kind::Content, Kind::Beat, Kind::End, Kind::Usage, Kind::Last]);
            assert_eq!(end, StreamEnd::Finished);
        }
    }

    #[test]
    fn the_clients_name_is_put_back_and_the_usage_hidden() {
        let options = Options { rename: Some("asked".into()), hide_usage: true, ..options() };
        let (out, _, _) = run(Protocol::OpenaiChat, options, CHAT, 7);
        let usage = "data: {\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
        assert_eq!(out, CHAT.replace(usage, "").replace("\"up\"", "\"asked\""));
    }

    #[test]
    fn an_early_end_is_no_success() {
        for cut in 0..CHAT.find("\"stop\"").unwrap() {
            let (_, _, end) = run(Protocol::OpenaiChat, options(), &CHAT[..cut], 5);
            assert_eq!(end, StreamEnd::Truncated, "{cut}");
        }
    }

    #[test]
    fn a_last_frame_without_its_blank_line_is_completed() {
        let input = "event: message_stop\ndata: {\"type\":\"message_stop\"}";
        let (out, _, end) = run(Protocol::Anthropic, options(), input, 3);
        assert_eq!(
            (out.as_str(), end),
            ("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", StreamEnd::Finished)
        );
        let (out, _, end) =
            run(Protocol::Anthropic, options(), "event: message_stop\ndata: {\"type\":\"mess", 3);
        assert_eq!((out.as_str(), end), ("", StreamEnd::Truncated));
    }

    #[test]
    fn gemini_without_events_is_an_array_and_takes_no_comments() {
        let input = ": hello\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n\
            data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n";
        let array = Options { framing: Framing::Array, ..options() };
        let (out, _, end) = run(Protocol::Gemini, array, input, 9);
        assert_eq!(crate::base::json::elements(&out).unwrap().len(), 2);
        assert_eq!(end, StreamEnd::Finished);
        let (out, _, _) = run(Protocol::Gemini, options(), input, 9);
        assert_eq!(out, input.replace(": hello\r\n\r\n", ""));
    }

    #[test]
    fn nothing_is_left_of_a_frame_that_is_kept_from_the_client() {
        let input = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n: beat\r\n\r\n\
            data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n";
        for step in 1..input.len() {
            let (out, _, _) = run(Protocol::Gemini, options(), input, step);
            assert_eq!(out, input.replace(": beat\r\n\r\n", ""), "{step}");
        }
    }

    #[test]
    fn a_failure_that_clients_do_not_read_is_not_relayed() {
        let begin = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        let bare = "{\n\"error\": {\"message\": \"full\"}}";
        for end in ["", "\n\ndata: [DONE]\n\n"] {
            let mut pipe = Verbatim::new(Protocol::OpenaiChat.codec(), options());
            let mut out = Vec::new();
            pipe.push(format!("{begin}{bare}{end}").as_bytes());
            while pipe.pull(&mut out).unwrap().is_some_and(|kind| kind != Kind::Failure) {}
            assert_eq!(pipe.finish(&mut out), StreamEnd::Failed);
            assert!(pipe.facts().is_unseen);
            assert!(out.starts_with(begin.as_bytes()) && !String::from_utf8_lossy(&out).contains("full"));
        }
    }

    #[test]
    fn a_broken_known_frame_is_an_error() {
        let mut pipe = Verbatim::new(Protocol::OpenaiChat.codec(), options());
        pipe.push(b"data: {\"choices\":[{\"del\n\n");
        assert_eq!(pipe.pull(&mut Vec::new()), Err(PipeError::BrokenFrame));
    }
}

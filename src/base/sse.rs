//! Server-sent events: bytes to frames, for any split of the input.
//!
//! Reads as WHATWG HTML 9.2.6 says: lines end with LF, CRLF or CR; a blank line ends a frame;
//! `data:` lines are joined by LF; a line that begins with a colon is a comment. The reader keeps
//! the bytes of each frame, so that a frame can be relayed exactly as it came. An error that is
//! bare JSON counts as data.

use std::borrow::Cow;
use std::ops::Range;

use crate::base::pen::Pen;

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where the frame that is being read begins.
    start: usize,
    /// Where its current line begins.
    line: usize,
    /// How far that line was searched for its end.
    searched: usize,
    /// The last frame ended with a CR; an LF that follows belongs to it.
    after_cr: bool,
    limit: usize,
}

/// A frame longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong;

/// One frame, blank line included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its bytes as they came.
    pub raw: &'a [u8],
    /// The last `event:` field.
    pub event: Option<&'a [u8]>,
    /// The `data:` fields.
    pub data: Data<'a>,
}

/// The data of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// There is none: a comment, a lone `event:`, a blank line.
    None,
    /// One line, and where it lies in the frame's bytes.
    Line(&'a [u8], Range<usize>),
    /// Several lines, joined by LF.
    Joined(Vec<u8>),
}

impl<'a> Frame<'a> {
    /// The data as text; bytes that are no UTF-8 become U+FFFD. `None` when there is no data, or
    /// nothing in it: such an event is none (WHATWG HTML, 9.2.6).
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match &self.data {
            Data::None | Data::Line(b"", _) => None,
            Data::Line(line, _) => Some(lossy(line)),
            Data::Joined(lines) => Some(lossy(lines)),
        }
    }

    /// The event's name; one that is no UTF-8 counts as none.
    pub fn event_name(&self) -> Option<&'a str> {
        self.event.and_then(|name| std::str::from_utf8(name).ok())
    }

    /// Is it JSON that begins with an `error`, without a field before it? So Google's servers, and some
    /// of OpenAI's protocol, tell a failure inside a stream: google-genai reads it, other clients see
    /// nothing.
    pub fn is_bare_error(&self) -> bool {
        let mut rest = self.raw.trim_ascii();
        let is_whole = rest.ends_with(b"}");
        for token in [&b"{"[..], b"\"error\"", b":"] {
            let Some(after) = rest.strip_prefix(token) else { return false };
            rest = after.trim_ascii_start();
        }
        is_whole && !rest.starts_with(b"null")
    }

    /// Writes the frame with other data, all else as it came.
    pub fn write_with_data(&self, data: &str, out: &mut Vec<u8>) {
        if let Data::Line(_, place) = &self.data {
            out.extend_from_slice(self.raw.get(..place.start).unwrap_or_default());
            out.extend_from_slice(data.as_bytes());
            out.extend_from_slice(self.raw.get(place.end..).unwrap_or_default());
            return;
        }
        write_name(self.event_name(), out);
        write_data(data, out);
    }
}

/// Writes a frame: `event:` when there is a name, then the data, then a blank line.
pub fn write(event: Option<&str>, data: &str, out: &mut Vec<u8>) {
    write_name(event, out);
    write_data(data, out);
}

/// The same for a JSON object of these members, which has no line ends of its own.
pub fn write_object(event: Option<&str>, out: &mut Vec<u8>, members: impl FnOnce(&mut Pen<'_>)) {
    write_name(event, out);
    out.extend_from_slice(b"data: ");
    Pen::on(out).object(members);
    out.extend_from_slice(b"\n\n");
}

fn write_name(event: Option<&str>, out: &mut Vec<u8>) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
}

fn write_data(data: &str, out: &mut Vec<u8>) {
    for line in data.split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

impl FrameReader {
    /// A reader that refuses frames of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, line: 0, searched: 0, after_cr: false, limit }
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// The frame is longer than the limit. The reader is of no more use then.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameTooLong> {
        let end = self.find_end();
        if end.unwrap_or(self.buffer.len()) - self.start > self.limit {
            return Err(FrameTooLong);
        }
        let Some(end) = end else { return Ok(None) };
        let raw = self.start..end;
        self.start = end;
        self.line = end;
        self.searched = end;
        Ok(Some(parse(self.buffer.get(raw).unwrap_or_default())))
    }

    /// Takes the LF of a blank line whose CR ended the last frame, if it has come since: whoever
    /// relays that frame owes it to readers that look for CRLF alone.
    pub fn late_line_feed(&mut self) -> bool {
        let came = self.after_cr && self.start == self.line && self.buffer.get(self.start) == Some(&b'\n');
        if came {
            self.start += 1;
            self.line = self.start;
            self.searched = self.start;
            self.after_cr = false;
        }
        came
    }

    /// What is left at the end of the input: a frame without its blank line.
    pub fn rest(&mut self) -> Option<Frame<'_>> {
        let raw = self.start..self.buffer.len();
        self.start = self.buffer.len();
        self.line = self.start;
        self.searched = self.start;
        (!raw.is_empty()).then(|| parse(self.buffer.get(raw).unwrap_or_default()))
    }

    /// Where the current frame ends, when its blank line is there.
    fn find_end(&mut self) -> Option<usize> {
        if self.after_cr && self.start == self.line {
            if *self.buffer.get(self.start)? == b'\n' {
                self.line += 1;
                self.searched = self.line;
            }
            self.after_cr = false;
        }
        loop {
            let unread = self.buffer.get(self.searched..)?;
            let Some(found) = line_end(unread) else {
                self.searched = self.buffer.len();
                return None;
            };
            let at = self.searched + found;
            let blank = at == self.line;
            let is_cr = self.buffer.get(at) == Some(&b'\r');
            let next = match (is_cr, self.buffer.get(at + 1)) {
                (false, _) => at + 1,
                (true, Some(b'\n')) => at + 2,
                (true, Some(_)) => at + 1,
                // A lone CR is the last byte: it ends a blank line; otherwise wait for its LF.
                (true, None) if blank => {
                    self.after_cr = true;
                    at + 1
                }
                (true, None) => {
                    self.searched = at;
                    return None;
                }
            };
            if blank {
                return Some(next);
            }
            self.line = next;
            self.searched = next;
        }
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', b'\r', bytes)
}

/// The same as [`String::from_utf8_lossy`], which looks at each byte by itself.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Reads the fields of a frame.
fn parse(raw: &[u8]) -> Frame<'_> {
    let mut frame = Frame { raw, event: None, data: Data::None };
    let mut at = if raw.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_end(rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        if let Some(value) = field(line, b"data") {
            let start = at + line.len() - value.len();
            frame.data = match frame.data {
                Data::None => Data::Line(value, start..start + value.len()),
                Data::Line(first, _) => Data::Joined([first, value].join(&b'\n')),
                Data::Joined(mut lines) => {
                    lines.push(b'\n');
                    lines.extend_from_slice(value);
                    Data::Joined(lines)
                }
            };
        } else if let Some(value) = field(line, b"event") {
            frame.event = Some(value);
        }
        at += length + 1;
    }
    if matches!(frame.data, Data::None) && frame.is_bare_error() {
        // A CR would end the line where the text is written again.
        let line_ends = |byte: &u8| if *byte == b'\r' { b'\n' } else { *byte };
        frame.data = Data::Joined(raw.trim_ascii().iter().map(line_ends).collect());
    }
    frame
}

/// The value of a field line, one space after the colon left out.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (Vec<u8>, Option<String>, Option<String>);

    fn read(input: &[u8], step: usize) -> Vec<Seen> {
        let mut reader = FrameReader::new(1000);
        let mut seen = Vec::new();
        let keep = |frame: Frame<'_>| {
            let event = frame.event_name().map(str::to_owned);
            (frame.raw.to_vec(), event, frame.text().map(Cow::into_owned))
        };
        for part in input.chunks(step) {
            reader.push(part);
            while let Some(frame) = reader.next_frame().unwrap() {
                seen.push(keep(frame));
            }
        }
        seen.extend(reader.rest().map(keep));
        seen
    }

    #[test]
    fn any_split_and_any_line_end_give_the_same_frames() {
        let lf = "event: a\ndata: {\"x\": \"ä\"}\n\n: note\n\ndata:1\ndata: 2\n\ndata: last";
        for (name, text) in
            [("lf", lf.to_owned()), ("crlf", lf.replace('\n', "\r\n")), ("cr", lf.replace('\n', "\r"))]
        {
            for step in 1..=text.len() {
                let seen = read(text.as_bytes(), step);
                let facts: Vec<_> =
                    seen.iter().filter(|f| f.2.is_some()).map(|f| (f.1.as_deref(), f.2.as_deref())).collect();
                let expected =
                    [(Some("a"), Some("{\"x\": \"ä\"}")), (None, Some("1\n2")), (None, Some("last"))];
                assert_eq!(facts, expected, "{name} {step}");
                let raw: Vec<u8> = seen.iter().flat_map(|f| f.0.clone()).collect();
                assert_eq!(raw, text.as_bytes(), "{name} {step}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_field() {
        let text = "\u{feff}data: 1\ndata: 2\ndata: 3\n\n";
        let seen = read(text.as_bytes(), text.len());
        assert_eq!(seen, [(text.as_bytes().to_vec(), None, Some("1\n2\n3".to_owned()))]);
    }

    #[test]
    fn a_frame_that_ends_with_cr_is_not_kept_waiting() {
        let mut reader = FrameReader::new(100);
        reader.push(b"data: 1\r\r");
        assert_eq!(reader.next_frame().unwrap().unwrap().text().unwrap(), "1");
        reader.push(b"\ndata: 2\n\n");
        assert_eq!(reader.next_frame().unwrap().unwrap().text().unwrap(), "2");
    }

    #[test]
    fn the_line_feed_of_a_frame_that_is_gone_is_taken_alone() {
        let mut reader = FrameReader::new(100);
        reader.push(b"data: 1\r\n\r");
        assert_eq!(reader.next_frame().unwrap().unwrap().raw, b"data: 1\r\n\r");
        assert!(!reader.late_line_feed());
        reader.push(b"\ndata: 2\n\n");
        assert!(reader.late_line_feed() && !reader.late_line_feed());
        assert_eq!(reader.next_frame().unwrap().unwrap().raw, b"data: 2\n\n");
    }

    #[test]
    fn data_is_replaced_in_its_place() {
        for (text, expected) in [
            ("id: 7\r\ndata:old\r\n\r\n", "id: 7\r\ndata:new\r\n\r\n"),
            ("event: a\ndata: of\ndata: old\n\n", "event: a\ndata: new\n\n"),
        ] {
            let mut reader = FrameReader::new(100);
            reader.push(text.as_bytes());
            let mut out = Vec::new();
            reader.next_frame().unwrap().unwrap().write_with_data("new", &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn an_error_in_bare_json_is_data() {
        for (end, line) in [("", "\n"), ("\n", "\n"), ("\r\n\r\n", "\n"), ("\r", "\r")] {
            let text = format!("data: 1\r\n\r\n{{{line}  \"error\": {{}}{line}}}{end}");
            for step in 1..=text.len() {
                let seen = read(text.as_bytes(), step);
                let data: Vec<_> = seen.iter().filter_map(|frame| frame.2.as_deref()).collect();
                assert_eq!(data, ["1", "{\n  \"error\": {}\n}"], "{end:?} {step}");
            }
        }
        let others =
            ["{\n \"error\": {\n", "{ is no field }\n\n", "{\"choices\": []}\n\n", "{\"error\": null}\n\n"];
        for other in others {
            assert_eq!(read(other.as_bytes(), 3).first().unwrap().2, None, "{other}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_early() {
        let mut reader = FrameReader::new(10);
        reader.push(b"data: 12345678");
        assert_eq!(reader.next_frame(), Err(FrameTooLong));
    }
}

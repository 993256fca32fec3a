//! Reads answers as they come, cut anywhere.

use crate::poller::find;

/// What is read next.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Length(usize),
    Size,
    Data(usize),
    /// The line feed behind a chunk.
    Gap,
    /// Lines behind the last chunk; one that is empty is the end.
    Trailer,
}

/// One answer after another on a connection that is kept.
pub(crate) struct Reader {
    part: Part,
    status: u16,
    /// A head or line that has not ended yet.
    line: Vec<u8>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { part: Part::Head, status: 0, line: Vec::new() }
    }

    /// Takes bytes; parts of the body go to `body`. Tells the status when the answer has ended.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        body: &mut impl FnMut(&[u8]),
    ) -> Result<Option<u16>, String> {
        loop {
            match self.part {
                Part::Head => {
                    let Some(count) = self.take_head(bytes)? else { return Ok(None) };
                    bytes = &bytes[count..];
                }
                Part::Length(0) => return self.ended(bytes),
                Part::Length(left) => {
                    let count = left.min(bytes.len());
                    body(&bytes[..count]);
                    bytes = &bytes[count..];
                    self.part = Part::Length(left - count);
                    if count < left {
                        return Ok(None);
                    }
                }
                Part::Size => {
                    let Some(count) = self.take_line(bytes) else { return Ok(None) };
                    bytes = &bytes[count..];
                    let size = std::str::from_utf8(&self.line).ok().map(str::trim);
                    let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
                    self.part = match size.ok_or("a chunk without a size")? {
                        0 => Part::Trailer,
                        size => Part::Data(size),
                    };
                    self.line.clear();
                }
                Part::Data(left) => {
                    let count = left.min(bytes.len());
                    body(&bytes[..count]);
                    bytes = &bytes[count..];
                    self.part = if count < left { Part::Data(left - count) } else { Part::Gap };
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                }
                Part::Gap | Part::Trailer => {
                    let Some(count) = self.take_line(bytes) else { return Ok(None) };
                    bytes = &bytes[count..];
                    let empty = self.line.trim_ascii().is_empty();
                    self.line.clear();
                    match (self.part, empty) {
                        (Part::Trailer, true) => return self.ended(bytes),
                        (Part::Trailer, false) => {}
                        (_, true) => self.part = Part::Size,
                        (_, false) => return Err("a chunk longer than its size".to_owned()),
                    }
                }
            }
        }
    }

    fn ended(&mut self, rest: &[u8]) -> Result<Option<u16>, String> {
        self.part = Part::Head;
        if rest.is_empty() { Ok(Some(self.status)) } else { Err("bytes behind the answer".to_owned()) }
    }

    /// How many bytes belong to the line, once it has ended.
    fn take_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |at| at + 1);
        self.line.extend_from_slice(&bytes[..count]);
        end.map(|_| count)
    }

    /// How many bytes belong to the head, once it has ended.
    fn take_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let before = self.line.len();
        self.line.extend_from_slice(bytes);
        let Some(at) = find(&self.line, b"\r\n\r\n") else { return Ok(None) };
        let head = String::from_utf8_lossy(&self.line[..at]).to_lowercase();
        self.line.clear();
        self.status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("no status")?;
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        self.part = match value("content-length:").map(str::parse) {
            Some(Ok(length)) => Part::Length(length),
            Some(Err(_)) => return Err("a length that is no number".to_owned()),
            None if value("transfer-encoding:") == Some("chunked") => Part::Size,
            None => return Err("an answer without a frame".to_owned()),
        };
        if value("connection:") == Some("close") {
            return Err("the connection is not kept".to_owned());
        }
        Ok(Some(at + 4 - before))
    }
}

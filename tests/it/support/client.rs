//! A raw HTTP client: what it sends and gets is visible byte for byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::GUARD;

/// One connection to the proxy.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    host: String,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    /// Its status.
    pub(crate) status: u16,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its head.
    pub(crate) head: Head,
    /// Its body, chunks joined.
    pub(crate) body: Vec<u8>,
}

/// The body of a streamed answer, as it comes.
pub(crate) struct Stream {
    client: Client,
    /// The head before it.
    pub(crate) head: Head,
    chunk_left: usize,
    /// Did the last chunk come? A stream that is cut has none.
    pub(crate) ended: bool,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(GUARD)).unwrap();
        Self { reader: BufReader::new(socket), host: address.to_string() }
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a request with a body; headers that are given win over our own.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let has = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !has("host") {
            head.push_str(&format!("host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat());
    }

    /// Reads a head. An interim answer (`100 Continue`) counts as one.
    pub(crate) fn head(&mut self) -> Head {
        let line = self.line();
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                return Head { status, headers };
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }

    /// Reads a whole answer.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut body = Vec::new();
        if let Some(length) = head.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.reader.read_exact(&mut body).unwrap();
        } else if head.header("transfer-encoding").is_some() {
            while let Some(size) = self.chunk_size() {
                let start = body.len();
                body.resize(start + size, 0);
                self.reader.read_exact(&mut body[start..]).unwrap();
                assert_eq!(self.line(), "");
            }
        }
        Answer { head, body }
    }

    /// Reads a head and gives what follows as a stream.
    pub(crate) fn stream(mut self) -> Stream {
        let head = self.head();
        assert_eq!(head.header("transfer-encoding"), Some("chunked"), "{head:?}");
        Stream { client: self, head, chunk_left: 0, ended: false }
    }

    /// Has the server closed the connection? Waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).is_ok() && rest.is_empty()
    }

    /// Every byte that comes before the server closes the connection, chunks as they are.
    pub(crate) fn until_closed(&mut self) -> String {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// Closes the sending side alone.
    pub(crate) fn half_close(&self) {
        self.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Leaves.
    pub(crate) fn leave(self) {
        // The server may have gone before.
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the connection ended: {line:?}");
        line.truncate(line.len() - 2);
        line
    }

    /// The size of the next chunk; `None` at the last one, whose end is read too.
    fn chunk_size(&mut self) -> Option<usize> {
        let size = usize::from_str_radix(&self.line(), 16).unwrap();
        if size == 0 {
            assert_eq!(self.line(), "");
        }
        (size > 0).then_some(size)
    }
}

impl Stream {
    /// The next frame of an event stream, blank line included; `None` at the end.
    pub(crate) fn event(&mut self) -> Option<String> {
        let mut frame = Vec::new();
        while let Some(byte) = self.byte() {
            frame.push(byte);
            if frame.ends_with(b"\n\n") || frame.ends_with(b"\r\n\r\n") {
                return Some(String::from_utf8(frame).unwrap());
            }
        }
        assert!(frame.is_empty(), "half a frame: {:?}", String::from_utf8_lossy(&frame));
        None
    }

    /// Everything up to the end.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        while let Some(byte) = self.byte() {
            rest.push(byte);
        }
        String::from_utf8(rest).unwrap()
    }

    /// The next bytes, so many.
    pub(crate) fn take(&mut self, count: usize) -> String {
        let bytes: Vec<u8> = (0..count).map(|_| self.byte().unwrap()).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// Leaves in the middle.
    pub(crate) fn leave(self) {
        self.client.leave();
    }

    fn byte(&mut self) -> Option<u8> {
        if self.ended {
            return None;
        }
        if self.chunk_left == 0 {
            match self.client.chunk_size() {
                Some(size) => self.chunk_left = size,
                None => {
                    self.ended = true;
                    return None;
                }
            }
        }
        let mut byte = [0];
        self.client.reader.read_exact(&mut byte).unwrap();
        self.chunk_left -= 1;
        if self.chunk_left == 0 {
            assert_eq!(self.client.line(), "");
        }
        Some(byte[0])
    }
}

impl Head {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Answer {
    /// Its status.
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Its body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }
}

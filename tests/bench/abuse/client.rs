//! A client by raw socket: it can do right, and every wrong thing as well.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// No read or write of a client waits longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to the proxy.
pub(crate) struct Client {
    socket: TcpStream,
    /// What came and was not taken.
    came: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It closes.
    Close,
    /// It resets the connection.
    Reset,
    /// It ends its sending side only, and listens on.
    Half,
}

/// How the body of an answer ends.
#[derive(Clone, Copy)]
enum Frame {
    Length(usize),
    Chunks,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, came: Vec::new() })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    /// Reads an answer to its end.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let (status, frame) = self.head()?;
        let mut body = Vec::new();
        match frame {
            Frame::Length(length) => {
                while self.came.len() < length {
                    self.more()?;
                }
                body.extend(self.came.drain(..length));
            }
            Frame::Chunks => {
                while let Some(part) = self.chunk()? {
                    body.extend(part);
                }
            }
        }
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads the head of an answer and the first part of its body.
    pub(crate) fn first_part(&mut self) -> io::Result<(u16, String)> {
        let (status, frame) = self.head()?;
        let part = match frame {
            Frame::Chunks => self.chunk()?.unwrap_or_default(),
            Frame::Length(_) => return Err(broken("a whole answer came instead of a stream")),
        };
        Ok((status, String::from_utf8_lossy(&part).into_owned()))
    }

    /// Reads the rest of a stream; its last part is returned.
    pub(crate) fn last_part(&mut self) -> io::Result<String> {
        let mut last = Vec::new();
        while let Some(part) = self.chunk()? {
            last = part;
        }
        Ok(String::from_utf8_lossy(&last).into_owned())
    }

    /// Reads at least so many bytes and throws them away.
    pub(crate) fn swallow(&mut self, bytes: usize) -> io::Result<()> {
        while self.came.len() < bytes {
            self.more()?;
        }
        self.came.clear();
        Ok(())
    }

    /// Reads so many bytes, as text.
    pub(crate) fn text(&mut self, bytes: usize) -> io::Result<String> {
        while self.came.len() < bytes {
            self.more()?;
        }
        let text: Vec<u8> = self.came.drain(..bytes).collect();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Reads until the connection ends, however it ends; the flag tells whether it did in time.
    pub(crate) fn rest(mut self, limit: Duration) -> (String, bool) {
        let _ = self.socket.set_read_timeout(Some(limit));
        let ended = loop {
            match self.more() {
                Ok(()) => {}
                Err(error) => break !is_late(&error),
            }
        };
        (String::from_utf8_lossy(&self.came).into_owned(), ended)
    }

    /// Leaves. The connection, if one is left, lives as long as what is returned.
    pub(crate) fn leave(self, how: Leave) -> io::Result<Option<Self>> {
        match how {
            Leave::Close => Ok(None),
            Leave::Reset => {
                rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO))?;
                Ok(None)
            }
            Leave::Half => {
                self.socket.shutdown(Shutdown::Write)?;
                Ok(Some(self))
            }
        }
    }

    fn head(&mut self) -> io::Result<(u16, Frame)> {
        let end = loop {
            if let Some(at) = self.came.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.came.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let frame = match length {
            Some(length) => {
                Frame::Length(length.trim().parse().map_err(|_| broken("a content-length that is none"))?)
            }
            None => Frame::Chunks,
        };
        Ok((status.ok_or_else(|| broken("no status line"))?, frame))
    }

    /// The next chunk; `None` is the end.
    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = loop {
            if let Some(at) = self.came.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            self.more()?;
        };
        let size = std::str::from_utf8(&self.came[..line]).ok();
        let size = size.and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or_else(|| broken("a chunk without a size"))?;
        while self.came.len() < line + 2 + size + 2 {
            self.more()?;
        }
        let part = self.came[line + 2..line + 2 + size].to_vec();
        self.came.drain(..line + 2 + size + 2);
        Ok((size > 0).then_some(part))
    }

    fn more(&mut self) -> io::Result<()> {
        let mut part = [0; 16 * 1024];
        match self.socket.read(&mut part)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.came.extend_from_slice(&part[..count]);
                Ok(())
            }
        }
    }
}

/// A streamed request for a script of the fake provider.
pub(crate) fn streamed(model: &str) -> Vec<u8> {
    chat("", model, true, "hi")
}

/// A buffered request for a script of the fake provider.
pub(crate) fn buffered(model: &str) -> Vec<u8> {
    chat("", model, false, "hi")
}

/// A request with headers of the caller's and a prompt.
pub(crate) fn chat(headers: &str, model: &str, stream: bool, prompt: &str) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}"
    );
    post(&format!("{headers}Content-Length: {}\r\n", body.len()), &body)
}

/// A request with these framing headers and these bytes behind them.
pub(crate) fn post(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         {headers}\r\n{body}"
    )
    .into_bytes()
}

/// Did nothing happen in time?
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// How many answers begin in these bytes?
pub(crate) fn answers(text: &str) -> usize {
    text.split("HTTP/1.1 ")
        .skip(1)
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        .count()
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

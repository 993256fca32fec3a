//! The fake provider: a script of ordinary replies, a list of what it received. On tiny_http, so
//! that our requests are read by a server that is not ours. What misbehaves is [`rogue`].
//!
//! [`rogue`]: crate::support::rogue

use std::io::Write;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::Value;

use crate::support::GUARD;

/// Where nobody listens. No free port that a test has let go: another test may get it.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// What one request gets.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    parts: Vec<Vec<u8>>,
    streamed: bool,
}

/// What the provider was sent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Its method.
    pub(crate) method: String,
    /// Its path and query.
    pub(crate) path: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// A provider at work; it ends when it is dropped.
pub(crate) struct Provider {
    server: Arc<tiny_http::Server>,
    script: Sender<Reply>,
    received: Receiver<Received>,
}

impl Provider {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let (script, replies) = unbounded();
        let (tell, received) = unbounded();
        let serving = Arc::clone(&server);
        thread::spawn(move || {
            // Ends with an error when the server is unblocked.
            while let Ok(request) = serving.recv() {
                serve(request, &replies, &tell);
            }
        });
        Self { server, script, received }
    }

    /// Starts one that gives a single reply.
    pub(crate) fn with(reply: Reply) -> Self {
        let provider = Self::start();
        provider.will(reply);
        provider
    }

    /// The next request gets this.
    pub(crate) fn will(&self, reply: Reply) {
        self.script.send(reply).unwrap();
    }

    /// Where it is, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    /// The next request that it received; waits for it.
    pub(crate) fn received(&self) -> Received {
        self.received.recv_timeout(GUARD).unwrap()
    }

    /// Did it receive nothing more?
    pub(crate) fn is_idle(&self) -> bool {
        self.received.is_empty()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

impl Reply {
    /// A body of JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::whole(status, "application/json", body)
    }

    /// A body of some kind.
    pub(crate) fn whole(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { status, headers, parts: vec![body.into()], streamed: false }
    }

    /// A body that is no text.
    pub(crate) fn bytes(body: &[u8]) -> Self {
        Self { parts: vec![body.to_vec()], ..Self::json(200, "") }
    }

    /// An event stream in these parts, each a chunk and a write of its own.
    pub(crate) fn sse<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
        let parts = parts.into_iter().map(|part| part.as_ref().to_vec()).filter(|part| !part.is_empty());
        Self { status: 200, headers, parts: parts.collect(), streamed: true }
    }

    /// The same with one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Received {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn serve(mut request: tiny_http::Request, replies: &Receiver<Reply>, tell: &Sender<Received>) {
    let mut body = Vec::new();
    request.as_reader().read_to_end(&mut body).unwrap();
    let headers = request.headers().iter();
    let received = Received {
        method: request.method().to_string(),
        path: request.url().to_owned(),
        headers: headers
            .map(|header| (header.field.to_string().to_lowercase(), header.value.to_string()))
            .collect(),
        body,
    };
    let reply = replies.try_recv().unwrap_or_else(|_| Reply::json(500, "{\"error\":\"not in the script\"}"));
    // The test may have ended.
    let _ = tell.send(received);
    // The proxy may have left.
    let _ = if reply.streamed { stream(request, &reply) } else { whole(request, &reply) };
}

fn whole(request: tiny_http::Request, reply: &Reply) -> std::io::Result<()> {
    let mut response = tiny_http::Response::from_data(reply.parts.concat()).with_status_code(reply.status);
    for (name, value) in &reply.headers {
        response.add_header(tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).unwrap());
    }
    request.respond(response)
}

fn stream(request: tiny_http::Request, reply: &Reply) -> std::io::Result<()> {
    let mut out = request.into_writer();
    write!(out, "HTTP/1.1 {} OK\r\ntransfer-encoding: chunked\r\n", reply.status)?;
    for (name, value) in &reply.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    write!(out, "\r\n")?;
    for part in &reply.parts {
        write!(out, "{:x}\r\n", part.len())?;
        out.write_all(part)?;
        write!(out, "\r\n")?;
        out.flush()?;
    }
    write!(out, "0\r\n\r\n")?;
    out.flush()
}

//! Bytes -> [`Head`]: the line and the headers of a request (RFC 9112, 2 to 6), and every reason to
//! refuse it. Pure: no input or output.
//!
//! httparse splits the lines but forgives more than a proxy may: what two servers could read in two
//! ways (bare LF, folded lines, two lengths) is refused here, since it is how requests are smuggled.

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::Status;

pub use self::headers::Headers;
use self::target::Target;

mod headers;
mod target;

/// A head may have so many bytes; more is 431.
pub const MAX_HEAD: usize = 64 * 1024;
/// A head may have so many headers; more is 431.
pub const MAX_HEADERS: usize = 100;

/// What a request says before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What is asked for.
    pub method: Method,
    /// The path as sent: percent signs and a final slash kept. Begins with `/`, but for `*` of
    /// OPTIONS and `host:port` of CONNECT.
    pub path: String,
    /// What follows the first `?`, as sent.
    pub query: Option<String>,
    /// The headers. After an absolute-form target, `host` is the target's (RFC 9112, 3.2.2).
    pub headers: Headers,
    /// The version of the request's last hop.
    pub version: Version,
    /// How the end of the body is found.
    pub framing: Framing,
    /// May the connection carry another request (RFC 9112, 9.3)?
    pub keep_alive: bool,
    /// Does the client wait for `100 Continue` before it sends the body (RFC 9110, 10.1.1)?
    pub expects_continue: bool,
}

/// A request method (RFC 9110, 9.3); letter case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: answered like GET, without the body.
    Head,
    /// POST.
    Post,
    /// DELETE.
    Delete,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// OPTIONS.
    Options,
    /// Any other token.
    Other(String),
}

/// A version of HTTP that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the end of a request body is found (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// It has so many bytes.
    Length(u64),
    /// It comes in chunks.
    Chunked,
}

/// Why bytes are no request. The connection ends after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head breaks a rule of RFC 9112; the text names it.
    BadRequest(&'static str),
    /// Over [`MAX_HEAD`] bytes or [`MAX_HEADERS`] headers.
    HeadTooLarge,
    /// A version of HTTP that is not spoken here, such as HTTP/2 without TLS.
    OtherVersion,
    /// The head did not come in time.
    Slow,
}

/// Reads a whole head: it and the bytes it took. `None`: more bytes are needed.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let Some(span) = Scan::default().find(bytes)? else {
        return Ok(None);
    };
    let end = span.end;
    let head = read(bytes.get(span).unwrap_or_default())?;
    Ok(Some((head, end)))
}

/// Looks for the end of a head in bytes that grow, at each byte once, and refuses what is wrong
/// with its lines.
#[derive(Debug, Default)]
pub struct Scan {
    /// How far it has looked.
    at: usize,
    /// Where the head begins, after empty lines (RFC 9112, 2.2).
    head: usize,
    /// Where the line in work begins.
    line: usize,
    /// The byte before `at`.
    previous: u8,
}

impl Scan {
    /// Where the head lies, its empty line included. `None`: more bytes are needed; then `bytes`
    /// must begin with the same bytes at the next call.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
        for (index, &byte) in bytes.iter().enumerate().skip(self.at) {
            if index >= MAX_HEAD {
                return Err(Refusal::HeadTooLarge);
            }
            match (self.previous, byte) {
                (b'\r', b'\n') if index != self.line + 1 => self.line = index + 1,
                (b'\r', b'\n') if self.line != self.head => return Ok(Some(self.head..index + 1)),
                (b'\r', b'\n') => {
                    self.head = index + 1;
                    self.line = index + 1;
                }
                (_, b'\n') => return Err(Refusal::BadRequest("a line ends without CR")),
                (b'\r', _) => return Err(Refusal::BadRequest("a CR stands inside a line")),
                (_, 0) => return Err(Refusal::BadRequest("a NUL byte in the head")),
                (_, b' ' | b'\t') if index == self.line => {
                    return Err(Refusal::BadRequest("a line begins with white space"));
                }
                _ => {}
            }
            self.previous = byte;
        }
        self.at = bytes.len();
        Ok(None)
    }

    /// Was nothing seen but whole empty lines? They may be thrown away, and a new scan begun.
    pub fn is_blank(&self) -> bool {
        self.at > 0 && self.at == self.head
    }
}

/// Reads the bytes that [`Scan`] found.
#[inline(never)] // its frame is not kept for the life of the request
pub fn read(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(Refusal::BadRequest("the head is not complete")),
        Err(error) => return Err(refusal(error, bytes)),
    }
    let version = match request.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let method = Method::of(request.method.unwrap_or_default());
    let target = Target::of(request.path.unwrap_or_default(), &method)?;
    let headers = headers(&request, &target, bytes.len())?;
    check_host(&headers, version)?;
    let framing = framing(&headers, version)?;
    Ok(Head {
        method,
        path: target.path.to_owned(),
        query: target.query.map(str::to_owned),
        version,
        framing,
        keep_alive: keep_alive(&headers, version),
        expects_continue: expects_continue(&headers, version, framing),
        headers,
    })
}

/// The path of a request that was refused, as far as one can be seen; it tells in which protocol to
/// answer.
pub fn path_of(bytes: &[u8]) -> Option<&str> {
    let mut lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty())?;
    let target = line.split(|byte| *byte == b' ').nth(1)?;
    let path = std::str::from_utf8(target).ok()?.split('?').next()?;
    path.starts_with('/').then_some(path)
}

fn refusal(error: httparse::Error, bytes: &[u8]) -> Refusal {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => Refusal::HeadTooLarge,
        Error::Version if names_a_version(bytes) => Refusal::OtherVersion,
        Error::Version => Refusal::BadRequest("the request line ends without an HTTP version"),
        Error::HeaderName => Refusal::BadRequest("a header name is not a token"),
        Error::HeaderValue => Refusal::BadRequest("a header value has a control character"),
        Error::Token | Error::NewLine | Error::Status => {
            Refusal::BadRequest("the request line is not `METHOD target HTTP/1.1`")
        }
    }
}

/// Is the request line whole, with a version of HTTP that we do not speak?
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let version = words.nth(2).filter(|_| words.next().is_none());
    let number = version.and_then(|version| version.strip_prefix(b"HTTP/"));
    number.is_some_and(|number| {
        number.first().is_some_and(u8::is_ascii_digit)
            && number.iter().all(|b| b.is_ascii_digit() || *b == b'.')
    })
}

impl Method {
    fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "OPTIONS" => Self::Options,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name as sent.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Other(name) => name,
        }
    }
}

fn headers(
    request: &httparse::Request<'_, '_>,
    target: &Target<'_>,
    bytes: usize,
) -> Result<Headers, Refusal> {
    let mut headers = Headers::with_room(bytes, request.headers.len() + 1);
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value)
            .map_err(|_| Refusal::BadRequest("a header value is not UTF-8"))?;
        let own_host = target.host.filter(|_| is_host(header.name));
        headers.push(header.name, own_host.unwrap_or(value));
    }
    if let (Some(host), None) = (target.host, headers.first("host")) {
        headers.push("host", host);
    }
    Ok(headers)
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

/// RFC 9112, 3.2: exactly one Host on 1.1, never two, and nothing that hides a second one.
fn check_host(headers: &Headers, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::Http11 => Err(Refusal::BadRequest("there is no Host header")),
        (_, Some(_)) => Err(Refusal::BadRequest("there are two Host headers")),
        (Some(host), None) if host.bytes().any(|byte| b" \t,/@?#".contains(&byte)) => {
            Err(Refusal::BadRequest("the Host header is not a host"))
        }
        _ => Ok(()),
    }
}

/// RFC 9112, 6.3, with every doubt refused.
fn framing(headers: &Headers, version: Version) -> Result<Framing, Refusal> {
    let mut codings = headers.all("transfer-encoding");
    let mut lengths = headers.all("content-length");
    let Some(coding) = codings.next() else {
        let Some(first) = lengths.next() else {
            return Ok(Framing::None);
        };
        let length = length(first)?;
        for other in lengths {
            if self::length(other)? != length {
                return Err(Refusal::BadRequest("two Content-Length headers differ"));
            }
        }
        return Ok(Framing::Length(length));
    };
    if lengths.next().is_some() {
        let both = "both Content-Length and Transfer-Encoding are given";
        return Err(Refusal::BadRequest(both));
    }
    if version == Version::Http10 {
        return Err(Refusal::BadRequest("HTTP/1.0 has no Transfer-Encoding"));
    }
    if codings.next().is_some() || !coding.eq_ignore_ascii_case("chunked") {
        let only = "the only Transfer-Encoding taken is chunked";
        return Err(Refusal::BadRequest(only));
    }
    Ok(Framing::Chunked)
}

fn length(text: &str) -> Result<u64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or(Refusal::BadRequest("Content-Length is not a number"))
}

fn keep_alive(headers: &Headers, version: Version) -> bool {
    let named = |option| headers.has_token("connection", option);
    match version {
        Version::Http10 => named("keep-alive") && !named("close"),
        Version::Http11 => !named("close"),
    }
}

fn expects_continue(headers: &Headers, version: Version, framing: Framing) -> bool {
    let has_body = !matches!(framing, Framing::None | Framing::Length(0));
    // An HTTP/1.0 client does not know 1xx answers (RFC 9110, 10.1.1).
    version == Version::Http11 && has_body && headers.has_token("expect", "100-continue")
}

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::HeadTooLarge => 431,
            Self::OtherVersion => 505,
            Self::Slow => 408,
        }
    }

    /// What is wrong, for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::BadRequest(what) => what,
            Self::HeadTooLarge => "the request head is over 64 KiB or 100 headers",
            Self::OtherVersion => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::Slow => "the request head did not arrive in time",
        }
    }
}

#[cfg(test)]
mod tests;

//! The request target: its forms, and the path in each (RFC 9112, 3.2).

use crate::server::head::{Method, Refusal};

/// A request target, taken apart (RFC 9112, 3.2).
pub(super) struct Target<'a> {
    /// Of an absolute form.
    pub(super) host: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn of(text: &'a str, method: &Method) -> Result<Self, Refusal> {
        let (host, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_http(scheme) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (host, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
                if host.is_empty() {
                    return Err(Refusal::BadRequest("the request target names no host"));
                }
                (Some(host), rest)
            }
            _ => (None, text),
        };
        let (path, query) = rest
            .split_once('?')
            .map_or((rest, None), |(path, query)| (path, Some(query)));
        let path = if host.is_some() && path.is_empty() {
            "/"
        } else {
            path
        };
        let special = match method {
            Method::Options => path == "*",
            Method::Other(name) => name == "CONNECT",
            _ => false,
        };
        if !path.starts_with('/') && !special {
            return Err(Refusal::BadRequest(
                "the request target does not begin with /",
            ));
        }
        Ok(Self { host, path, query })
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

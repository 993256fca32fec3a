//! The head parser: what it accepts can be read in one way only (RFC 9112), and it says the same
//! however the bytes came.

use llmgate::server::head::{self, Framing, Head, MAX_HEAD, MAX_HEADERS, Method, Refusal, Scan, Version};

use super::parts::parts;

/// The first byte says how the rest comes.
pub fn check(bytes: &[u8]) {
    let Some((&seed, bytes)) = bytes.split_first() else { return };
    let whole = head::parse(bytes);
    let _ = head::path_of(bytes);
    assert_eq!(whole, in_parts(bytes, seed), "however it comes");
    match whole {
        Err(refusal) => assert!(matches!(refusal.status(), 400 | 431 | 505), "{refusal:?}"),
        Ok(None) => assert!(bytes.len() <= MAX_HEAD),
        Ok(Some((head, taken))) => {
            let own = &bytes[..taken];
            assert_eq!(head::parse(own), Ok(Some((head.clone(), taken))), "whatever follows");
            lines(own);
            names_and_values(&head);
            framing(&head);
            again(&head);
        }
    }
}

fn in_parts(bytes: &[u8], seed: u8) -> Result<Option<(Head, usize)>, Refusal> {
    let (mut scan, mut came) = (Scan::default(), 0);
    for part in parts(bytes, seed) {
        came += part.len();
        if let Some(span) = scan.find(&bytes[..came])? {
            let end = span.end;
            return head::read(&bytes[span]).map(|head| Some((head, end)));
        }
        assert!(!scan.is_blank() || bytes[..came].iter().all(|byte| b"\r\n".contains(byte)));
    }
    Ok(None)
}

/// Every line ends with CR and LF, none is folded, and only the last is empty.
fn lines(own: &[u8]) {
    let text = String::from_utf8(own.to_vec()).expect("a head is UTF-8");
    let text = text.trim_start_matches("\r\n");
    let lines = text.strip_suffix("\r\n\r\n").expect("an empty line at the end");
    assert!(text.len() <= MAX_HEAD && !text.contains('\0'));
    for line in lines.split("\r\n") {
        assert!(
            !line.is_empty() && !line.contains(['\r', '\n']) && !line.starts_with([' ', '\t']),
            "{line:?}"
        );
    }
}

fn names_and_values(head: &Head) {
    assert!(head.headers.iter().count() <= MAX_HEADERS + 1);
    for (name, value) in head.headers.iter() {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(is_token), "{name:?}");
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(!value.contains(|c: char| c.is_ascii_control() && c != '\t'), "{name}: {value:?}");
    }
    let path = head.path.as_str();
    let special = matches!(head.method, Method::Options | Method::Other(_));
    assert!(path.starts_with('/') || special, "{path:?}");
    assert!(!path.contains([' ', '\r', '\n', '?']), "{path:?}");
    let hosts = head.headers.all("host").count();
    assert!(hosts == 1 || (hosts == 0 && head.version == Version::Http10), "{hosts} hosts");
}

/// One end of the body, which nobody can see elsewhere.
fn framing(head: &Head) {
    let lengths: Vec<&str> = head.headers.all("content-length").collect();
    let codings: Vec<&str> = head.headers.all("transfer-encoding").collect();
    match head.framing {
        Framing::None => assert!(lengths.is_empty() && codings.is_empty()),
        Framing::Length(length) => {
            assert!(codings.is_empty() && !lengths.is_empty());
            for text in lengths {
                assert!(text.bytes().all(|byte| byte.is_ascii_digit()), "{text:?}");
                assert_eq!(text.parse(), Ok(length));
            }
        }
        Framing::Chunked => {
            assert!(lengths.is_empty() && head.version == Version::Http11);
            assert!(codings.len() == 1 && codings[0].eq_ignore_ascii_case("chunked"), "{codings:?}");
        }
    }
    assert!(!head.expects_continue || !matches!(head.framing, Framing::None | Framing::Length(0)));
}

/// Written down, it is read as the same.
fn again(head: &Head) {
    let version = if head.version == Version::Http11 { "1.1" } else { "1.0" };
    let query = head.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    let mut text = format!("{} {}{query} HTTP/{version}\r\n", head.method.as_str(), head.path);
    for (name, value) in head.headers.iter() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    match head::parse(text.as_bytes()) {
        Ok(Some((met, taken))) => assert_eq!((&met, taken), (head, text.len()), "{text:?}"),
        // The host of an absolute form came on top, and spaces after colons.
        Err(Refusal::HeadTooLarge) => {}
        met => panic!("{text:?}: {met:?}"),
    }
}

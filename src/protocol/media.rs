//! Media as they enter the neutral model (SPEC 8.7): named by their own first bytes, and at an
//! address that any target can read.
//!
//! Agents name an image by its file's ending; a provider that looks inside refuses a wrong name in
//! this turn and, since the history is sent again, in every later one.

use std::borrow::Cow;

use crate::base::b64;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Media, MediaKind, Request, ResultPart, Source};

/// So many characters of base64 hold all that is looked at.
const HEAD: usize = 16;

/// A request that was read, its media looked at.
pub(super) fn checked((mut request, mut losses): (Request, Losses)) -> (Request, Losses) {
    for (turn, blocks) in request.turns.iter_mut().map(|turn| &mut turn.blocks).enumerate() {
        for (place, block) in blocks.iter_mut().enumerate() {
            let mut look_at = |media: &mut Media| {
                let path = || format!("turns[{turn}].blocks[{place}]");
                if is_out_of_reach(&media.source) {
                    losses.refuse(path(), "an address that only its own vendor or machine can read");
                } else if let Some(why) = correct(media) {
                    losses.degrade(path(), why);
                }
            };
            match block {
                Block::Media(media) => look_at(media),
                Block::Result(result) => {
                    for part in &mut result.content {
                        match part {
                            ResultPart::Media(media) => look_at(media),
                            ResultPart::Text(_) => {}
                        }
                    }
                }
                Block::Text(_) | Block::Refusal(_) | Block::Call(_) | Block::Reasoning(_) => {}
            }
        }
    }
    (request, losses)
}

/// Where the media of a URL are: inside it, if it is a `data:` URL with base64.
pub(super) fn source(url: &str) -> Source {
    data_url(url).unwrap_or_else(|| Source::Url(url.to_owned()))
}

/// Where a document is that comes as data: in a `data:` URL, or in base64 alone.
pub(super) fn document(data: Cow<'_, str>) -> Source {
    let pdf = |data| Source::Inline { mime: "application/pdf".to_owned(), data };
    data_url(&data).unwrap_or_else(|| pdf(data.into_owned()))
}

fn data_url(url: &str) -> Option<Source> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?.split(';').next()?;
    Some(Source::Inline { mime: mime.to_owned(), data: data.to_owned() })
}

/// Is it at an address such as `gs://` or `file://`?
fn is_out_of_reach(source: &Source) -> bool {
    match source {
        Source::Url(url) => !url.starts_with("https://") && !url.starts_with("http://"),
        Source::Inline { .. } => false,
    }
}

/// Corrects one piece; why, unless the name was only another spelling.
fn correct(media: &mut Media) -> Option<String> {
    let Source::Inline { mime, data } = &mut media.source else { return None };
    let (kind, true_mime) = kind_of(data)?;
    let was = std::mem::replace(mime, true_mime.to_owned());
    media.kind = kind;
    let is_spelling = was.is_empty() || was.eq_ignore_ascii_case(true_mime) || was == "image/jpg";
    (!is_spelling).then(|| format!("named {was}, but is {true_mime}"))
}

/// What base64 data begins like.
fn kind_of(data: &str) -> Option<(MediaKind, &'static str)> {
    let head = b64::decode(data.get(..HEAD).unwrap_or(data))?;
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    Some(match head.as_slice() {
        head if head.starts_with(b"\x89PNG\r\n\x1a\n") => (MediaKind::Image, "image/png"),
        head if head.starts_with(b"\xff\xd8\xff") => (MediaKind::Image, "image/jpeg"),
        head if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") => (MediaKind::Image, "image/gif"),
        _ if is_webp => (MediaKind::Image, "image/webp"),
        head if head.starts_with(b"%PDF-") => (MediaKind::Document, "application/pdf"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_taken_apart() {
        let inline = |mime: &str| Source::Inline { mime: mime.to_owned(), data: "AAAA".to_owned() };
        assert_eq!(source("data:image/png;base64,AAAA"), inline("image/png"));
        assert_eq!(source("https://x/y.png"), Source::Url("https://x/y.png".to_owned()));
        assert_eq!(document("AAAA".into()), inline("application/pdf"));
    }

    #[track_caller]
    fn check(named: &str, bytes: &[u8], kind: MediaKind, mime: &str, told: bool) {
        let source = Source::Inline { mime: named.to_owned(), data: b64::encode(bytes) };
        let mut media = Media { kind: MediaKind::Image, source, name: None, detail: None };
        assert_eq!(correct(&mut media).is_some(), told, "{named}");
        let Source::Inline { mime: now, .. } = media.source else { panic!("{named}") };
        assert_eq!((media.kind, now.as_str()), (kind, mime), "{named}");
    }

    #[test]
    fn the_data_say_what_they_are() {
        let png = b"\x89PNG\r\n\x1a\n and more than is looked at";
        check("image/jpeg", png, MediaKind::Image, "image/png", true);
        check("image/png", png, MediaKind::Image, "image/png", false);
        check("", png, MediaKind::Image, "image/png", false);
        check("image/jpg", b"\xff\xd8\xff\xe0", MediaKind::Image, "image/jpeg", false);
        check("image/png", b"GIF89a", MediaKind::Image, "image/gif", true);
        check("image/png", b"RIFF\0\0\0\0WEBPVP8 ", MediaKind::Image, "image/webp", true);
        check("image/png", b"RIFF\0\0\0\0WAVE", MediaKind::Image, "image/png", false);
        check("image/png", b"%PDF-1.7", MediaKind::Document, "application/pdf", true);
        check("image/png", b"whatever", MediaKind::Image, "image/png", false);
        check("image/png", b"", MediaKind::Image, "image/png", false);
    }
}

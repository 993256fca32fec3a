//! Images and documents as a target takes them (SPEC 8.7).

use std::borrow::Cow;

use super::wire::{Block, Source as Wire};
use crate::base::b64::decode;
use crate::ir::loss::Losses;
use crate::ir::request::{Media, MediaKind, Source};
use crate::protocol::dialect::Dialect;

/// The turn's path and the number of the block in it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a>(pub(super) &'a str, pub(super) usize);

/// The block for a piece of media; none where it is refused.
pub(super) fn encode<'a>(
    media: &'a Media,
    dialect: &Dialect,
    place: Place<'_>,
    losses: &mut Losses,
) -> Option<Block<'a>> {
    let refuses = dialect.refuses;
    let refused = match (media.kind, &media.source) {
        (MediaKind::Audio, _) => Some("the target takes no sound"),
        (MediaKind::Image, Source::Inline { .. }) if refuses.images => Some("the model takes no images"),
        (MediaKind::Image, Source::Url(_)) if refuses.images || refuses.image_urls => {
            Some("the model takes no images by URL")
        }
        (MediaKind::Document, _) if refuses.pdf => Some("the model takes no documents"),
        (_, Source::Url(url)) if !url.starts_with("https://") && !url.starts_with("http://") => {
            Some("an address that only its vendor can read")
        }
        (MediaKind::Image | MediaKind::Document, _) => None,
    };
    let block = match (refused, media.kind) {
        (None, MediaKind::Document) => document(media),
        (None, _) => Ok(Block::Image { source: source(&media.source), cache_control: None }),
        (Some(why), _) => Err(why),
    };
    block.map_err(|why| losses.refuse(format!("{}.blocks[{}]", place.0, place.1), why)).ok()
}

fn document(media: &Media) -> Result<Block<'_>, &'static str> {
    let source = match &media.source {
        Source::Inline { mime, data } if mime.starts_with("text/") => {
            let bytes = decode(data).ok_or("a document that is no base64")?;
            let data = String::from_utf8_lossy(&bytes).into_owned();
            Wire::Text { media_type: "text/plain", data }
        }
        Source::Inline { mime, .. } if mime != "application/pdf" => {
            return Err("the target takes PDF documents only");
        }
        source => self::source(source),
    };
    Ok(Block::Document { source, title: media.name.as_deref(), cache_control: None })
}

fn source(source: &Source) -> Wire<'_> {
    match source {
        Source::Inline { mime, data } => {
            Wire::Base64 { media_type: Cow::Borrowed(mime), data: Cow::Borrowed(data) }
        }
        Source::Url(url) => Wire::Url { url },
    }
}

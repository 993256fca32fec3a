//! `Content-Encoding`: undoes gzip and zstd (RFC 9110, 8.4; SPEC 7.1).

use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::server::body::blocks::Blocks;
use crate::server::body::frame::Frame;
use crate::server::body::{BodyError, ReadError, as_u64, read_within};
use crate::server::head::Headers;
use crate::server::inlet::Source;

/// A zstd window of this size is always taken, as RFC 8878, 3.1.1.1.2 recommends.
const USUAL_WINDOW: u64 = 8 * 1024 * 1024;
/// How a zstd frame begins (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    pub(super) fn of(headers: &Headers) -> Result<Self, BodyError> {
        let mut values = headers.all("content-encoding");
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::Identity),
            (Some(one), None) => one,
            (Some(one), Some(two)) => return Err(BodyError::Encoding(format!("{one}, {two}"))),
        };
        match value.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(BodyError::Encoding(value.to_owned())),
        }
    }

    /// Reads a body to the end of its frame. `believed`: bytes to set aside for it.
    pub(super) fn read<S: Source>(
        self,
        frame: &mut Frame<'_, S>,
        limit: usize,
        believed: usize,
    ) -> Result<Vec<u8>, BodyError> {
        let (body, what) = match self {
            Self::Identity => {
                let room = Vec::with_capacity(believed);
                (read_within(&mut *frame, limit, room), "its frame")
            }
            Self::Gzip => (gunzip(frame, limit), "it is not gzip"),
            Self::Zstd => (unzstd(frame, limit), "it is not zstd of one frame"),
        };
        body.map_err(|error| match (error, frame.failure()) {
            (ReadError::TooLarge, _) => BodyError::TooLarge,
            (ReadError::Source, Some(failure)) => failure,
            (ReadError::Source, None) => BodyError::Broken(what),
        })
    }
}

/// gzip of one or more members, up to the end of the frame.
#[inline(never)] // its decoder lies on the stack, which other bodies need not pay for
fn gunzip<S: Source>(frame: &mut Frame<'_, S>, limit: usize) -> Result<Vec<u8>, ReadError> {
    let decoder = MultiGzDecoder::new(BufReader::new(frame));
    read_within(decoder, limit, Vec::new())
}

/// zstd of one frame, up to the end of the frame around it.
#[inline(never)] // as gunzip
fn unzstd<S: Source>(frame: &mut Frame<'_, S>, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut source = BufReader::new(frame);
    let mut header = vec![0; ZSTD_MAGIC.len() + 1];
    source.read_exact(&mut header)?;
    let fields = header.last().copied().map(Fields::of).unwrap_or_default();
    let wanted = u64::try_from(fields.window + fields.dictionary + fields.content);
    let wanted = wanted.unwrap_or(u64::MAX);
    source.by_ref().take(wanted).read_to_end(&mut header)?;
    // The decoder keeps a window before it gives anything out, and it does not bound it.
    let window = window(&header, fields).ok_or(ReadError::Source)?;
    if window > as_u64(limit).max(USUAL_WINDOW) {
        return Err(ReadError::TooLarge);
    }
    let mut source = Cursor::new(header).chain(Blocks::new(source));
    // A hostile frame makes this decoder panic at some of its own assertions.
    let body = catch_unwind(AssertUnwindSafe(|| {
        let decoder = StreamingDecoder::new(&mut source).map_err(|_| ReadError::Source)?;
        read_within(decoder, limit, Vec::new())
    }));
    let body = body.unwrap_or(Err(ReadError::Source))?;
    match source.read(&mut [0])? {
        0 => Ok(body),
        _ => Err(ReadError::Source),
    }
}

/// How many bytes each field of a zstd frame header has (RFC 8878, 3.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fields {
    window: usize,
    dictionary: usize,
    content: usize,
}

impl Fields {
    fn of(descriptor: u8) -> Self {
        let single_segment = descriptor & 0x20 != 0;
        Self {
            window: usize::from(!single_segment),
            dictionary: match descriptor & 3 {
                3 => 4,
                bytes => usize::from(bytes),
            },
            content: match descriptor >> 6 {
                0 => usize::from(single_segment),
                log => 1 << log,
            },
        }
    }
}

/// How many bytes the decoder must keep (RFC 8878, 3.1.1.1.2); `None`: this is no frame.
fn window(header: &[u8], fields: Fields) -> Option<u64> {
    let rest = header.strip_prefix(&ZSTD_MAGIC)?.get(1..)?;
    if fields.window == 1 {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A single segment: the window is the content.
    let size = rest.get(fields.dictionary..)?;
    let digits = size.get(..fields.content)?.iter().rev();
    let size = digits.fold(0, |sum: u64, digit| (sum << 8) | u64::from(*digit));
    Some(if fields.content == 2 { size + 256 } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_from_the_frame_header() {
        let of = |tail: &[u8]| {
            let fields = tail.first().copied().map(Fields::of)?;
            window(&[&ZSTD_MAGIC, tail].concat(), fields)
        };
        assert_eq!(of(&[0x00, 0x00]), Some(1024));
        assert_eq!(of(&[0x00, 0xf8]), Some(1 << 41));
        assert_eq!(of(&[0x20, 7]), Some(7));
        assert_eq!(of(&[0x60, 1, 1]), Some(513));
        assert_eq!(of(&[0xa3, 9, 9, 9, 9, 0, 0, 1, 0]), Some(65536));
        assert_eq!(of(&[0xe0, 255, 255, 255, 255, 255, 255, 255, 255]), Some(u64::MAX));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0x20]), None);
        assert_eq!(window(b"hello world", Fields::of(b'o')), None);
    }
}

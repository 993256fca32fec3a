//! The reader of server-sent events: the same frames however the bytes came, and every byte in one
//! of them.

use llmgate::base::sse::{self, Frame, FrameReader};

use super::parts::parts;

/// What a reader of events would see of a frame.
type Seen = (Option<Vec<u8>>, String);

/// The first byte says how the rest comes, the second how long a frame may be.
pub fn check(bytes: &[u8]) {
    let [seed, limit, bytes @ ..] = bytes else { return };
    let whole = read(vec![bytes]);
    assert_eq!(whole, read(parts(bytes, *seed)), "however it comes");
    limited(&parts(bytes, *seed), usize::from(*limit));
    for (event, text) in whole {
        written(event, &text);
    }
}

fn read(parts: Vec<&[u8]>) -> Vec<Seen> {
    let bytes = parts.concat();
    let mut reader = FrameReader::new(usize::MAX);
    let (mut raw, mut seen) = (Vec::new(), Vec::new());
    let mut keep = |frame: Frame<'_>| {
        raw.extend_from_slice(frame.raw);
        let mut same = Vec::new();
        if let Some(text) = frame.text() {
            frame.write_with_data(&text, &mut same);
            seen.push((frame.event.map(<[u8]>::to_vec), text.into_owned()));
        }
    };
    for part in parts {
        reader.push(part);
        while let Some(frame) = reader.next_frame().expect("there is no limit") {
            keep(frame);
        }
    }
    if let Some(frame) = reader.rest() {
        keep(frame);
    }
    assert_eq!(raw, bytes, "no byte is lost or doubled");
    seen
}

/// No frame is longer than the limit, and no more than the limit and one part is ever kept.
fn limited(parts: &[&[u8]], limit: usize) {
    let mut reader = FrameReader::new(limit);
    for part in parts {
        reader.push(part);
        loop {
            let late = reader.late_line_feed();
            assert!(!late || !reader.late_line_feed());
            match reader.next_frame() {
                Ok(Some(frame)) => assert!(frame.raw.len() <= limit),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// A frame that we write is read as it was meant.
fn written(event: Option<Vec<u8>>, text: &str) {
    let event = event.and_then(|event| String::from_utf8(event).ok());
    let mut out = Vec::new();
    sse::write(event.as_deref(), text, &mut out);
    assert_eq!(read(vec![&out]), [(event.map(String::into_bytes), text.to_owned())]);
}

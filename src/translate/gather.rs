//! A stream that came instead of a whole answer: gathered, and told whole.

use crate::base::sse::FrameReader;
use crate::ir::collect::Collector;
use crate::ir::stream::StreamEvent;
use crate::protocol::tap::{Facts, Kind};
use crate::protocol::wire::StreamDecoder;
use crate::translate::cross::{Crossing, Whole};
use crate::translate::pipe::PipeError;

/// Gathers one stream.
pub struct Gather<'c> {
    crossing: &'c Crossing,
    reader: FrameReader,
    decoder: Box<dyn StreamDecoder>,
    events: Vec<StreamEvent>,
    collector: Collector,
    facts: Facts,
}

impl<'c> Gather<'c> {
    /// Begins; `limit` is the longest event.
    pub fn new(crossing: &'c Crossing, limit: usize) -> Self {
        Self {
            crossing,
            reader: FrameReader::new(limit),
            decoder: crossing.target_wire.stream_decoder(&crossing.answer.request_id),
            events: Vec::new(),
            collector: Collector::default(),
            facts: Facts::default(),
        }
    }

    /// Takes bytes of the stream. After an error in it, told by [`Gather::facts`], nothing counts.
    ///
    /// # Errors
    /// A frame breaks the protocol or the limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), PipeError> {
        self.reader.push(bytes);
        while let Some(frame) = self.reader.next_frame().map_err(|_| PipeError::FrameTooLong)? {
            if let Some(text) = frame.text() {
                take(
                    self.crossing,
                    &mut self.facts,
                    &mut *self.decoder,
                    (frame.event_name(), &text),
                    &mut self.events,
                )?;
            }
            self.events.drain(..).for_each(|event| self.collector.push(event));
        }
        Ok(())
    }

    /// What the stream told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The whole answer; `None` when the stream ended before it was complete.
    pub fn finish(mut self) -> (Option<Whole>, Facts) {
        if let Some(frame) = self.reader.rest()
            && let Some(text) = frame.text()
        {
            // A broken last frame only means that the stream was cut inside it.
            let _ = take(
                self.crossing,
                &mut self.facts,
                &mut *self.decoder,
                (frame.event_name(), &text),
                &mut self.events,
            );
        }
        self.decoder.finish(&mut self.events);
        self.events.drain(..).for_each(|event| self.collector.push(event));
        (self.collector.finish().and_then(|response| self.crossing.told(response).ok()), self.facts)
    }
}

fn take(
    crossing: &Crossing,
    facts: &mut Facts,
    decoder: &mut dyn StreamDecoder,
    (event, text): (Option<&str>, &str),
    events: &mut Vec<StreamEvent>,
) -> Result<(), PipeError> {
    match crossing.target.tap_frame(event, text, facts).kind {
        Kind::Broken => Err(PipeError::BrokenFrame),
        Kind::Failure | Kind::Beat => Ok(()),
        Kind::Opening | Kind::Content | Kind::End | Kind::Usage | Kind::Last | Kind::Unknown => {
            decoder.frame(event, text, events).map_err(PipeError::Unfit)
        }
    }
}

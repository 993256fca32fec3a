//! The laws of event order, as a checker.
//!
//! ```text
//! Before --Start--> Open --BlockStart, BlockDelta, BlockEnd, Usage--> Open --Finish--> After
//!                                                                               Usage: After
//! ```
//! `Start` first and once. Every block starts, grows, ends, and is never opened again. `Finish` at
//! most once, with all blocks closed; after it only token counts may come. `Lost` may stand
//! anywhere.

use crate::base::table::Table;
use crate::ir::stream::{BlockId, BlockKind, Delta, StreamEvent};

/// Watches the order of a stream's events.
#[derive(Debug, Default)]
pub struct Grammar {
    phase: Phase,
    blocks: Table<BlockId, Block>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Before,
    Open,
    After,
}

#[derive(Debug)]
struct Block {
    open: bool,
    takes_state: bool,
}

/// A law that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// An event before the start, or a second start.
    Start,
    /// A block that was opened twice.
    Reopen,
    /// A block that grew or ended without being open.
    NotOpen,
    /// A state where none belongs, or a second one.
    State,
    /// The end, with a block open.
    OpenAtEnd,
    /// Something after the end.
    AfterEnd,
}

impl Grammar {
    /// Takes the next event.
    ///
    /// # Errors
    /// It breaks a law.
    pub fn check(&mut self, event: &StreamEvent) -> Result<(), Breach> {
        match (self.phase, event) {
            (_, StreamEvent::Lost { .. }) => Ok(()),
            (Phase::Before, StreamEvent::Start { .. }) => {
                self.phase = Phase::Open;
                Ok(())
            }
            (Phase::Before, _) | (_, StreamEvent::Start { .. }) => Err(Breach::Start),
            (_, StreamEvent::Usage(_)) => Ok(()),
            (Phase::After, _) => Err(Breach::AfterEnd),
            (Phase::Open, event) => self.inside(event),
        }
    }

    /// Was the end told?
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::After
    }

    fn inside(&mut self, event: &StreamEvent) -> Result<(), Breach> {
        match event {
            StreamEvent::BlockStart { id, kind } => {
                let takes_state = matches!(kind, BlockKind::Reasoning | BlockKind::Call { .. });
                if self.blocks.contains_key(id) {
                    return Err(Breach::Reopen);
                }
                self.blocks.insert(*id, Block { open: true, takes_state });
                Ok(())
            }
            StreamEvent::BlockDelta { id, delta } => {
                let block = self.blocks.get_mut(id).filter(|block| block.open).ok_or(Breach::NotOpen)?;
                match delta {
                    Delta::Text(_) => Ok(()),
                    Delta::State(_) if block.takes_state => {
                        block.takes_state = false;
                        Ok(())
                    }
                    Delta::State(_) => Err(Breach::State),
                }
            }
            StreamEvent::BlockEnd { id } => {
                let block = self.blocks.get_mut(id).filter(|block| block.open).ok_or(Breach::NotOpen)?;
                block.open = false;
                Ok(())
            }
            StreamEvent::Finish { .. } => {
                self.phase = Phase::After;
                if self.blocks.iter().any(|(_, block)| block.open) { Err(Breach::OpenAtEnd) } else { Ok(()) }
            }
            StreamEvent::Start { .. } | StreamEvent::Usage(_) | StreamEvent::Lost { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::response::{StopReason, Usage};

    fn start() -> StreamEvent {
        StreamEvent::Start { id: None, model: None }
    }
    fn open(id: u32) -> StreamEvent {
        StreamEvent::BlockStart { id: BlockId(id), kind: BlockKind::Text }
    }
    fn grow(id: u32) -> StreamEvent {
        StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text("x".into()) }
    }
    fn close(id: u32) -> StreamEvent {
        StreamEvent::BlockEnd { id: BlockId(id) }
    }
    fn finish() -> StreamEvent {
        StreamEvent::Finish { stop: StopReason::End }
    }

    #[track_caller]
    fn check(events: &[StreamEvent], expected: Result<(), Breach>) {
        let mut grammar = Grammar::default();
        let result = events.iter().try_for_each(|event| grammar.check(event));
        assert_eq!(result, expected);
    }

    #[test]
    fn the_laws_hold() {
        let usage = StreamEvent::Usage(Usage::default());
        check(&[start(), open(0), grow(0), open(1), close(0), grow(1), close(1), finish(), usage], Ok(()));
        check(&[open(0)], Err(Breach::Start));
        check(&[start(), start()], Err(Breach::Start));
        check(&[start(), grow(0)], Err(Breach::NotOpen));
        check(&[start(), open(0), close(0), grow(0)], Err(Breach::NotOpen));
        check(&[start(), open(0), close(0), open(0)], Err(Breach::Reopen));
        check(&[start(), open(0), finish()], Err(Breach::OpenAtEnd));
        check(&[start(), finish(), open(0)], Err(Breach::AfterEnd));
        let state = crate::ir::carrier::State::default();
        let give = StreamEvent::BlockDelta { id: BlockId(0), delta: Delta::State(state) };
        check(&[start(), open(0), give.clone()], Err(Breach::State));
        let reasons = StreamEvent::BlockStart { id: BlockId(0), kind: BlockKind::Reasoning };
        check(&[start(), reasons.clone(), give.clone(), close(0)], Ok(()));
        check(&[start(), reasons, give.clone(), give], Err(Breach::State));
    }
}

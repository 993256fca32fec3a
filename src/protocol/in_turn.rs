//! One block at a time: some protocols let blocks grow side by side, others do not. The open block
//! streams; what comes for others meanwhile is kept, and follows in order.

use std::collections::VecDeque;

use crate::ir::stream::{BlockId, StreamEvent};

/// Puts events in turn.
#[derive(Debug, Default)]
pub(super) struct InTurn {
    open: Option<BlockId>,
    kept: VecDeque<(BlockId, Vec<StreamEvent>)>,
}

impl InTurn {
    /// The events that may be told now.
    pub(super) fn next(&mut self, event: &StreamEvent) -> Vec<StreamEvent> {
        let Some(id) = block_of(event) else {
            // The end: whatever was kept is told before it.
            let mut told = if matches!(event, StreamEvent::Finish { .. }) { self.all() } else { Vec::new() };
            told.push(event.clone());
            return told;
        };
        if self.open.is_some_and(|open| open != id) {
            match self.kept.iter_mut().find(|(known, _)| *known == id) {
                Some((_, events)) => events.push(event.clone()),
                None => self.kept.push_back((id, vec![event.clone()])),
            }
            return Vec::new();
        }
        self.open = Some(id);
        let mut told = vec![event.clone()];
        if matches!(event, StreamEvent::BlockEnd { .. }) {
            self.open = None;
            while let Some((id, events)) = self.kept.pop_front() {
                let ended = matches!(events.last(), Some(StreamEvent::BlockEnd { .. }));
                told.extend(events);
                if !ended {
                    self.open = Some(id);
                    break;
                }
            }
        }
        told
    }

    fn all(&mut self) -> Vec<StreamEvent> {
        self.kept.drain(..).flat_map(|(_, events)| events).collect()
    }
}

fn block_of(event: &StreamEvent) -> Option<BlockId> {
    match event {
        StreamEvent::BlockStart { id, .. }
        | StreamEvent::BlockDelta { id, .. }
        | StreamEvent::BlockEnd { id } => Some(*id),
        StreamEvent::Start { .. }
        | StreamEvent::Usage(_)
        | StreamEvent::Finish { .. }
        | StreamEvent::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::stream::{BlockKind, Delta};

    #[test]
    fn blocks_that_come_mixed_are_told_one_after_the_other() {
        let start = |id| StreamEvent::BlockStart { id: BlockId(id), kind: BlockKind::Text };
        let grow = |id| StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text("x".into()) };
        let end = |id| StreamEvent::BlockEnd { id: BlockId(id) };
        let mut turns = InTurn::default();
        let mixed = [start(0), start(1), grow(1), grow(0), start(2), end(1), end(0), grow(2), end(2)];
        let told: Vec<StreamEvent> = mixed.iter().flat_map(|event| turns.next(event)).collect();
        let expected = [start(0), grow(0), end(0), start(1), grow(1), end(1), start(2), grow(2), end(2)];
        assert_eq!(told, expected);
    }
}

//! One block at a time: some protocols let blocks grow side by side, others do not. The open block
//! streams; what comes for others meanwhile is kept, and follows in order.

use std::collections::VecDeque;

use crate::ir::stream::{BlockId, Delta, StreamEvent};

/// Puts events in turn.
#[derive(Debug, Default)]
pub(super) struct InTurn {
    open: Option<BlockId>,
    kept: VecDeque<(BlockId, Vec<StreamEvent>)>,
    bytes: usize,
}

impl InTurn {
    /// Tells what may be told now: the event, and what waited for it.
    pub(super) fn next(&mut self, event: &StreamEvent, mut tell: impl FnMut(&StreamEvent)) {
        let Some(id) = block_of(event) else {
            // The end: whatever was kept is told before it.
            if matches!(event, StreamEvent::Finish { .. }) {
                self.bytes = 0;
                self.kept.drain(..).flat_map(|(_, events)| events).for_each(|event| tell(&event));
            }
            return tell(event);
        };
        if self.open.is_some_and(|open| open != id) {
            return self.keep(id, event);
        }
        self.open = Some(id);
        tell(event);
        if matches!(event, StreamEvent::BlockEnd { .. }) {
            self.open = None;
            self.advance(tell);
        }
    }

    /// About how many bytes are kept.
    pub(super) fn kept(&self) -> usize {
        self.bytes
    }

    fn keep(&mut self, id: BlockId, event: &StreamEvent) {
        self.bytes += size(event);
        match self.kept.iter_mut().find(|(known, _)| *known == id) {
            Some((_, events)) => events.push(event.clone()),
            None => self.kept.push_back((id, vec![event.clone()])),
        }
    }

    /// Tells the kept blocks up to the first that has not ended, which is open now.
    fn advance(&mut self, mut tell: impl FnMut(&StreamEvent)) {
        while let Some((id, events)) = self.kept.pop_front() {
            let ended = matches!(events.last(), Some(StreamEvent::BlockEnd { .. }));
            self.bytes = self.bytes.saturating_sub(events.iter().map(size).sum());
            events.iter().for_each(&mut tell);
            if !ended {
                self.open = Some(id);
                return;
            }
        }
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
        | StreamEvent::Lost { .. } => None,
    }
}

/// About how many bytes an event takes.
fn size(event: &StreamEvent) -> usize {
    let text =
        if let StreamEvent::BlockDelta { delta: Delta::Text(text), .. } = event { text.len() } else { 0 };
    size_of::<StreamEvent>() + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::stream::BlockKind;

    fn start(id: u32) -> StreamEvent {
        StreamEvent::BlockStart { id: BlockId(id), kind: BlockKind::Text }
    }
    fn grow(id: u32) -> StreamEvent {
        StreamEvent::BlockDelta { id: BlockId(id), delta: Delta::Text("x".into()) }
    }
    fn end(id: u32) -> StreamEvent {
        StreamEvent::BlockEnd { id: BlockId(id) }
    }

    #[test]
    fn blocks_that_come_mixed_are_told_one_after_the_other() {
        for mixed in [
            [start(0), start(1), grow(1), grow(0), start(2), end(1), end(0), grow(2), end(2)],
            // The second is open when the first has ended.
            [start(0), start(1), grow(0), end(0), start(2), grow(1), grow(2), end(1), end(2)],
        ] {
            let mut turns = InTurn::default();
            let mut told = Vec::new();
            for event in mixed {
                turns.next(&event, |event| told.push(event.clone()));
            }
            let expected = [start(0), grow(0), end(0), start(1), grow(1), end(1), start(2), grow(2), end(2)];
            assert_eq!(told, expected);
            assert_eq!(turns.kept(), 0);
        }
    }

    #[test]
    fn what_waits_is_measured() {
        let mut turns = InTurn::default();
        turns.next(&start(0), |_| {});
        assert_eq!(turns.kept(), 0);
        turns.next(&grow(1), |_| panic!("it is not its turn"));
        assert!(turns.kept() > 0);
        turns.next(&end(0), |_| {});
        assert_eq!(turns.kept(), 0);
    }
}

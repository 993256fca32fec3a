//! The output items of a Responses stream, told apart.
//!
//! A number says which item an event belongs to. Some servers give each the same or none, or the next
//! one the number of the one before.

use crate::base::tree::Tree;
use crate::ir::stream::{BlockId, BlockKind};
use crate::protocol::fields::Fields;
use crate::protocol::wire::WireError;

/// Each event looks for its item, and for its part: more of them than any answer has would take long.
pub(super) const MOST: usize = 4096;

/// The items as they began.
#[derive(Default)]
pub(super) struct Items(Vec<Item>);

/// What was told of one of them.
#[derive(Default)]
pub(super) struct Item {
    /// Its number.
    pub(super) index: u64,
    identity: Identity,
    /// The open block.
    pub(super) open: Option<Open>,
    /// The blocks that were opened.
    pub(super) opened: usize,
    /// The part to which the last words belong, and all of which words were told.
    pub(super) part: Option<Part>,
    pub(super) told: Vec<Part>,
    /// Was it told whole?
    pub(super) done: bool,
    /// Does the last event hold it?
    found: bool,
}

/// A block that grows.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) id: BlockId,
    /// The bytes that were told of it.
    pub(super) told: usize,
}

/// A part of a message or of reasoning.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) is_summary: bool,
    pub(super) number: u64,
}

/// What may grow together: a server that calls a refusal a text means the same words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    Words,
    Reasoning,
    Call,
    /// The vendor's own.
    #[default]
    Other,
}

impl Sort {
    pub(super) fn of(kind: &BlockKind) -> Self {
        match kind {
            BlockKind::Text | BlockKind::Refusal => Self::Words,
            BlockKind::Reasoning => Self::Reasoning,
            BlockKind::Call { .. } => Self::Call,
        }
    }
}

/// By what an item is known again.
#[derive(Clone, Default)]
pub(super) struct Identity {
    pub(super) sort: Sort,
    /// The id of a call; may be empty.
    call: String,
}

impl Identity {
    pub(super) fn of(sort: Sort) -> Self {
        Self { sort, call: String::new() }
    }

    pub(super) fn read(item: &Tree<'_>) -> Self {
        Self::of_members(item.text("type"), item.text("call_id"))
    }

    pub(super) fn of_fields(item: &Fields<'_>) -> Self {
        let text = |name: &str| item.peek(name).and_then(Tree::as_text);
        Self::of_members(text("type"), text("call_id"))
    }

    fn of_members(kind: Option<&str>, call: Option<&str>) -> Self {
        match kind {
            Some("message") => Self::of(Sort::Words),
            Some("reasoning") => Self::of(Sort::Reasoning),
            Some("function_call" | "custom_tool_call") => {
                Self { sort: Sort::Call, call: call.unwrap_or_default().to_owned() }
            }
            _ => Self::default(),
        }
    }

    fn fits(&self, other: &Self) -> bool {
        let is_same = self.call == other.call || self.call.is_empty() || other.call.is_empty();
        self.sort == other.sort && is_same
    }
}

impl Items {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&mut self, place: usize) -> Option<&mut Item> {
        self.0.get_mut(place)
    }

    /// The place of a new one.
    pub(super) fn begin(&mut self, index: u64, identity: Identity) -> Result<usize, WireError> {
        if self.0.len() >= MOST {
            return Err(WireError::new("output_index", format!("that of one of {MOST} items at most")));
        }
        self.0.push(Item { index, identity, ..Item::default() });
        Ok(self.0.len() - 1)
    }

    /// The last one of a number.
    pub(super) fn last_of(&self, index: u64) -> Option<usize> {
        self.0.iter().rposition(|item| item.index == index)
    }

    /// One of a number that is not whole yet.
    pub(super) fn growing(&self, index: u64, identity: &Identity) -> Option<usize> {
        let place = self.0.iter().rposition(|item| item.index == index && item.identity.fits(identity));
        place.filter(|place| self.0.get(*place).is_some_and(|item| !item.done))
    }

    /// Was one of a number told whole?
    pub(super) fn is_done(&self, index: u64, identity: &Identity) -> bool {
        let mut items = self.0.iter().rev();
        items.find(|item| item.index == index && item.identity.fits(identity)).is_some_and(|item| item.done)
    }

    /// Were words of a part told, or its item whole?
    pub(super) fn has_told(&self, index: u64, sort: Sort, part: Part) -> bool {
        let mut items = self.0.iter().rev();
        let item = items.find(|item| item.index == index && item.identity.sort == sort);
        let grows = |item: &Item| item.open.is_some_and(|open| open.told > 0);
        item.is_some_and(|item| item.done || item.told.contains(&part) || (sort == Sort::Call && grows(item)))
    }

    /// What is thought next in an item is a paragraph of its own.
    pub(super) fn paragraph(&mut self, index: u64) {
        if let Some(place) = self.growing(index, &Identity::of(Sort::Reasoning))
            && let Some(item) = self.0.get_mut(place)
        {
            item.part = None;
        }
    }

    /// How many of a sort are among the first that began.
    pub(super) fn count(&self, sort: Sort, first: usize) -> usize {
        self.0.iter().take(first).filter(|item| item.identity.sort == sort).count()
    }

    /// An item of the whole output, among the first that began; each is found once. Where more began than
    /// there are, one of which nothing was told may have gone on under another number.
    pub(super) fn found(&mut self, identity: &Identity, first: usize, too_many: bool) -> Option<usize> {
        let find = |all: bool| {
            let mut items = self.0.iter().take(first);
            items.position(|item| {
                !item.found && (all || item.done || item.opened > 0) && item.identity.fits(identity)
            })
        };
        let place = find(!too_many).or_else(|| find(true))?;
        if let Some(item) = self.0.get_mut(place) {
            item.found = true;
        }
        Some(place)
    }
}

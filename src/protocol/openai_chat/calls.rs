//! The calls of a Chat stream, told apart.
//!
//! An index says which call a piece belongs to. Some servers count none, others give each call the
//! same, or the head of a call another than its rest; some give no id either.

use crate::ir::carrier::State;
use crate::ir::stream::BlockId;

/// A call of which a part has come.
#[derive(Default)]
pub(super) struct Call {
    pub(super) index: u64,
    /// The id it came with; may be empty.
    pub(super) given: String,
    /// Its name; empty until it is known. Some servers send it late.
    pub(super) name: String,
    pub(super) free_form: bool,
    /// Its block, once its name is known.
    pub(super) id: Option<BlockId>,
    /// What came of its arguments before that.
    pub(super) early: String,
    /// What only its server understands, until it is told.
    pub(super) state: Option<State>,
    /// Has that come?
    pub(super) signed: bool,
    pub(super) arguments: Progress,
    /// Did it begin with an empty object? Some servers tell its arguments behind one.
    pub(super) begins_empty: bool,
}

/// What a piece says of the call that it belongs to.
pub(super) struct Piece<'a> {
    pub(super) index: Option<u64>,
    pub(super) given: &'a str,
    pub(super) name: &'a str,
}

impl Piece<'_> {
    /// Where its call stands; `None` for a new one. An id that is not known begins a call (with an
    /// index only if a name comes with it, for there are servers that give each piece an id), and a
    /// piece with neither id nor name is never a new one.
    pub(super) fn place(&self, calls: &[Call]) -> Option<usize> {
        let has_name = !self.name.is_empty();
        let of_id = || calls.iter().rposition(|known| !self.given.is_empty() && known.given == self.given);
        let last = || calls.len().checked_sub(1);
        let same =
            |place: usize| calls.get(place).is_some_and(|known| !self.is_other(known)).then_some(place);
        let Some(index) = self.index else {
            return if self.given.is_empty() { last().and_then(same) } else { of_id() };
        };
        match calls.iter().rposition(|known| known.index == index) {
            Some(place) => same(place),
            None if has_name => None,
            None => of_id().or_else(|| last().filter(|_| self.given.is_empty())),
        }
    }

    /// Is it the head of another call, though its place is that of a known one? A name says so, with
    /// another id; without ids if it is another, or if all of the known call has come.
    fn is_other(&self, known: &Call) -> bool {
        match (self.name, known.given.as_str(), self.given) {
            ("", ..) => false,
            // A name that comes late belongs to what came before it.
            (name, "", "") => {
                !known.name.is_empty() && (known.name != name || known.arguments.are_complete())
            }
            (_, "", _) | (_, _, "") => false,
            (_, known, given) => known != given,
        }
    }
}

/// How far the JSON of a call's arguments has come.
#[derive(Default)]
pub(super) struct Progress {
    depth: u32,
    in_text: bool,
    escaped: bool,
    begun: bool,
}

impl Progress {
    /// Has nothing come yet?
    pub(super) fn is_none(&self) -> bool {
        !self.begun
    }

    /// Is the object, or the list, closed?
    fn are_complete(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_text
    }

    /// Takes a piece.
    pub(super) fn take(&mut self, piece: &str) {
        self.begun |= !piece.is_empty();
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.depth += 1,
                b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ids_a_name_begins_a_call_unless_it_comes_late() {
        let call = |name: &str, arguments: &str| {
            let mut call = Call { name: name.to_owned(), ..Call::default() };
            call.arguments.take(arguments);
            [call]
        };
        let place = |name, calls: &[Call]| Piece { index: Some(0), given: "", name }.place(calls);
        assert_eq!(place("", &call("f", "{}")), Some(0));
        assert_eq!(place("f", &call("", "{}")), Some(0), "it comes late");
        assert_eq!(place("f", &call("f", r#"{"a":"}"#)), Some(0), "it is told again with each piece");
        assert_eq!(place("f", &call("f", r#"{"a":"\"}"}"#)), None);
        assert_eq!(place("g", &call("f", "")), None);
    }
}

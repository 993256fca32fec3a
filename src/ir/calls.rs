//! The calls of a history and their results (SPEC 8.2): ids for targets that want each once, and
//! which result answers which call. Some models number their calls anew in every turn, and calls of
//! one turn may share an id.

use std::collections::{HashMap, VecDeque};

use crate::base::table::Table;
use crate::ir::names::fit_id;
use crate::ir::request::{Block, Role, ToolResult, Turn};

/// The result of a tool that failed without a word, where only words can say so.
pub const FAILED: &str = "[the tool failed without output]";

/// The place of a call, as the encoder counts: its turn, and which call it is.
pub type Place = (usize, usize);

/// The calls that wait for their result, by the id that the client knows; results come in their order.
#[derive(Debug, Default)]
struct Open<'a>(HashMap<&'a str, VecDeque<(usize, Place)>>);

impl<'a> Open<'a> {
    /// A call of a round. One of an earlier round with that id gets no result any more: what comes now
    /// is meant for this one.
    fn call(&mut self, id: &'a str, round: usize, place: Place) {
        let waiting = self.0.entry(id).or_default();
        // All that wait are of one round.
        if waiting.front().is_some_and(|(before, _)| *before != round) {
            waiting.clear();
        }
        waiting.push_back((round, place));
    }

    /// The call that a result belongs to; none when no call waits for it.
    fn result(&mut self, id: &str) -> Option<Place> {
        self.0.get_mut(id)?.pop_front().map(|(_, place)| place)
    }
}

/// Ids that are given once each.
#[derive(Debug, Default)]
pub struct OwnIds {
    /// Those that were given, and the last number behind each.
    given: HashMap<String, u32>,
}

impl OwnIds {
    /// The id for a call that no other call has; `fit` makes of any id one that may be sent.
    pub fn own(&mut self, id: &str, fit: impl Fn(&str) -> String) -> String {
        let fitted = fit(id);
        let mut own = fitted.clone();
        let mut number = self.given.get(&fitted).copied().unwrap_or_default();
        while self.given.contains_key(&own) {
            number += 1;
            own = fit(&format!("{fitted}_{number}"));
        }
        self.given.insert(own.clone(), 1);
        self.given.insert(fitted, number.max(1));
        own
    }
}

/// Ids for calls as they come, and for their results.
#[derive(Debug)]
pub struct CallIds<'a> {
    length: usize,
    given: OwnIds,
    open: Open<'a>,
}

impl<'a> CallIds<'a> {
    /// For a target that takes ids of at most that length.
    pub fn new(length: usize) -> Self {
        Self { length, given: OwnIds::default(), open: Open::default() }
    }

    /// The id for a call that no other call has.
    pub fn call(&mut self, id: &'a str, place: Place) -> String {
        self.open.call(id, place.0, place);
        self.given.own(id, |id| fit_id(id, self.length))
    }

    /// The call that a result belongs to; none when no call waits for it.
    pub fn result(&mut self, id: &str) -> Option<Place> {
        self.open.result(id)
    }
}

/// Which result answers which call. Ids may come twice, so that places are paired: a block's is its
/// turn, and its number there.
#[derive(Debug, Default)]
pub struct Pairs<'r> {
    results: Table<Place, &'r ToolResult>,
    matched: Table<Place, ()>,
}

impl<'r> Pairs<'r> {
    /// Those of a conversation.
    pub fn of(turns: &'r [Turn]) -> Self {
        let mut pairs = Self::default();
        let mut open = Open::default();
        // Neighbouring turns of the model are one.
        let mut round = 0;
        for (index, turn) in turns.iter().enumerate() {
            round += usize::from(turn.role != Role::Assistant);
            for (number, block) in turn.blocks.iter().enumerate() {
                let place = (index, number);
                if let (Block::Call(call), Role::Assistant) = (block, turn.role) {
                    open.call(&call.id, round, place);
                } else if let (Block::Result(result), Role::User) = (block, turn.role)
                    && let Some(call) = open.result(&result.id)
                {
                    pairs.results.insert(call, result);
                    pairs.matched.insert(place, ());
                }
            }
        }
        pairs
    }

    /// What the call at a place gave; none where nobody said so.
    pub fn result(&self, call: Place) -> Option<&'r ToolResult> {
        self.results.get(&call).copied()
    }

    /// Does the result at a place belong to a call?
    pub fn is_matched(&self, result: Place) -> bool {
        self.matched.contains_key(&result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::request::ToolCall;

    #[test]
    fn results_belong_to_the_last_call_of_their_id() {
        let call = |id: &str| {
            let (id, name, arguments) = (id.to_owned(), "f".to_owned(), String::new());
            Block::Call(ToolCall { id, name, arguments, free_form: false, state: None })
        };
        let result = |id: &str| {
            Block::Result(ToolResult { id: id.to_owned(), name: None, content: Vec::new(), failed: false })
        };
        let model = |blocks| Turn { role: Role::Assistant, blocks };
        let user = |blocks| Turn { role: Role::User, blocks };
        let turns = [
            user(vec![result("a")]),
            model(vec![call("a"), call("b")]),
            user(vec![]),
            model(vec![call("a"), call("a")]),
            user(vec![result("a"), result("a"), result("a"), result("b")]),
        ];
        let pairs = Pairs::of(&turns);
        let answered = [(1, 0), (1, 1), (3, 0), (3, 1)].map(|place| pairs.result(place).is_some());
        assert_eq!(answered, [false, true, true, true]);
        let matched = [(0, 0), (4, 0), (4, 1), (4, 2), (4, 3)].map(|place| pairs.is_matched(place));
        assert_eq!(matched, [false, true, true, false, true]);
    }

    #[test]
    fn each_call_has_an_id_of_its_own_and_results_follow_it() {
        let mut ids = CallIds::new(64);
        assert_eq!(ids.call("a", (0, 0)), "a");
        assert_eq!(ids.call("a", (0, 1)), "a_2");
        assert_eq!(ids.result("a"), Some((0, 0)));
        assert_eq!(ids.call("a", (1, 0)), "a_3");
        assert_eq!(ids.result("a"), Some((1, 0)), "the earlier one waits no more");
        assert_eq!(ids.result("a"), None);
        assert_eq!(ids.result("b"), None);
    }

    #[test]
    fn a_number_makes_no_id_that_is_there_or_too_long() {
        let mut ids = CallIds::new(64);
        let long = "x".repeat(64);
        let mut all: Vec<String> = Vec::new();
        for (turn, id) in ["a", "a_2", "a", "a_2", &long, &long, &long].into_iter().enumerate() {
            all.push(ids.call(id, (turn, 0)));
        }
        assert!(all.iter().all(|id| id.len() <= 64), "{all:?}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7, "{all:?}");
    }
}

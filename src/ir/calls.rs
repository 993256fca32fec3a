//! The calls of a history for targets that want the id of each once (SPEC 8.2). Some models number
//! their calls anew in every turn, and calls of one turn may share an id.

use std::collections::VecDeque;

use crate::base::table::Table;
use crate::ir::names::fit_id;

/// The place of a call, as the encoder counts: its turn, and which call it is.
pub type Place = (usize, usize);

/// Ids for calls as they come, and for their results.
#[derive(Debug)]
pub struct CallIds<'a> {
    length: usize,
    /// The ids that were given, and the last number behind each.
    given: Table<String, u32>,
    /// The calls that wait for their result, by the id that the client knows; results come in their order.
    open: Table<&'a str, VecDeque<Place>>,
}

impl<'a> CallIds<'a> {
    /// For a target that takes ids of at most that length.
    pub fn new(length: usize) -> Self {
        Self { length, given: Table::default(), open: Table::default() }
    }

    /// The id for a call that no other call has. A call of an earlier turn with the client's id gets
    /// no result any more: what comes now is meant for this one.
    pub fn call(&mut self, id: &'a str, place: Place) -> String {
        let fitted = fit_id(id, self.length);
        let mut own = fitted.clone();
        let mut number = self.given.get(&fitted).copied().unwrap_or_default();
        while self.given.contains_key(&own) {
            number += 1;
            own = fit_id(&format!("{fitted}_{number}"), self.length);
        }
        self.given.insert(own.clone(), 1);
        self.given.insert(fitted, number.max(1));
        let waiting = self.open.get_or_default(id);
        waiting.retain(|(turn, _)| *turn == place.0);
        waiting.push_back(place);
        own
    }

    /// The call that a result belongs to; none when no call waits for it.
    pub fn result(&mut self, id: &str) -> Option<Place> {
        self.open.get_mut(id)?.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

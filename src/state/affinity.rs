//! Which target a session stays on (SPEC 5.5): the one that last answered it, for the sake of its
//! prompt cache. In memory only, bounded in number and time.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::clock::Millis;
use crate::base::id::{Alias, TargetId};

/// So many sessions are remembered; who was used least recently goes first.
const MOST_SESSIONS: usize = 10_000;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Affinity(Mutex<Sessions>);

/// One session's requests for one alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// A hash of the session key.
    pub key: u64,
    /// The alias that was asked for.
    pub alias: Alias,
}

#[derive(Debug, Default)]
struct Sessions {
    entries: HashMap<Session, Entry>,
    /// Uses so far; each has its number.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    target: TargetId,
    last_use: u64,
    life: Duration,
    until: Millis,
}

impl Affinity {
    /// The session's target. This is a use: it is remembered for as long again.
    pub fn get(&self, session: &Session, now: Millis) -> Option<TargetId> {
        let sessions = &mut *self.0.lock();
        let entry = sessions.entries.get_mut(session)?;
        if entry.until <= now {
            sessions.entries.remove(session);
            return None;
        }
        sessions.uses += 1;
        entry.last_use = sessions.uses;
        entry.until = now.plus(entry.life);
        Some(entry.target.clone())
    }

    /// The session's target, for those who only want to know.
    pub fn peek(&self, session: &Session, now: Millis) -> Option<TargetId> {
        let sessions = self.0.lock();
        let entry = sessions.entries.get(session).filter(|entry| entry.until > now)?;
        Some(entry.target.clone())
    }

    /// The session was answered by that target, and stays on it for `life` after its last use; for
    /// no time at all, it is forgotten.
    pub fn set(&self, session: Session, target: TargetId, life: Duration, now: Millis) {
        let mut sessions = self.0.lock();
        if life.is_zero() {
            sessions.entries.remove(&session);
        } else {
            sessions.keep(session, target, life, now);
        }
    }
}

impl Sessions {
    fn keep(&mut self, session: Session, target: TargetId, life: Duration, now: Millis) {
        self.uses += 1;
        let entry = Entry { target, last_use: self.uses, life, until: now.plus(life) };
        self.entries.insert(session, entry);
        if self.entries.len() > MOST_SESSIONS {
            // Looked for: only a new session drives one out, and a list in order would have to be
            // kept with every use.
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last_use);
            if let Some(oldest) = oldest.map(|(session, _)| session.clone()) {
                self.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn session(key: u64) -> Session {
        Session { key, alias: Alias::parse("coding").unwrap() }
    }

    fn target(name: &str) -> TargetId {
        TargetId::parse(name).unwrap()
    }

    fn minute(number: u64) -> Millis {
        Millis(number * 60_000)
    }

    #[test]
    fn a_session_stays_for_an_hour_after_its_last_use() {
        let affinity = Affinity::default();
        affinity.set(session(1), target("a/x"), HOUR, minute(0));
        assert_eq!(affinity.get(&session(1), minute(59)), Some(target("a/x")));
        assert_eq!(affinity.peek(&session(1), minute(118)), Some(target("a/x")));
        assert_eq!(affinity.peek(&session(1), minute(119)), None);
        assert_eq!(affinity.get(&session(1), minute(119)), None);
        assert_eq!(affinity.get(&session(1), minute(60)), None);
    }

    #[test]
    fn each_alias_has_its_own() {
        let affinity = Affinity::default();
        let other = Session { key: 1, alias: Alias::parse("small").unwrap() };
        affinity.set(session(1), target("a/x"), HOUR, minute(0));
        affinity.set(other.clone(), target("b/y"), HOUR, minute(0));
        affinity.set(session(1), target("c/z"), HOUR, minute(1));
        assert_eq!(affinity.get(&session(1), minute(1)), Some(target("c/z")));
        assert_eq!(affinity.get(&other, minute(1)), Some(target("b/y")));
        affinity.set(other.clone(), target("b/y"), Duration::ZERO, minute(1));
        assert_eq!(affinity.get(&other, minute(1)), None);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let affinity = Affinity::default();
        for key in 0..MOST_SESSIONS as u64 {
            affinity.set(session(key), target("a/x"), HOUR, minute(0));
        }
        affinity.get(&session(0), minute(1));
        affinity.peek(&session(1), minute(1));
        affinity.set(session(1_000_000), target("a/x"), HOUR, minute(1));
        let known = [0, 1, 2, 1_000_000].map(|key| affinity.peek(&session(key), minute(1)).is_some());
        assert_eq!(known, [true, false, true, true]);
        assert_eq!(affinity.0.lock().entries.len(), MOST_SESSIONS);
    }
}

//! What is shared, as JSON and back: an object of entries for each table, by their keys.

use std::fmt::{self, Display};

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::base::pen::{Pen, Put, members};
use crate::base::table::Table;
use crate::base::tree::Tree;
use crate::base::words::Words;
use crate::policy::class::Class;
use crate::state::{BreakerEntry, BucketEntry, BucketId, CooldownEntry, FactorEntry, Shared, SpendEntry};

impl Put for Shared {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| {
            put(pen, "breakers", &self.breakers);
            put(pen, "cooldowns", &self.cooldowns);
            put(pen, "buckets", &self.buckets);
            put(pen, "spend", &self.spend);
            put(pen, "factors", &self.factors);
        });
    }
}

/// Writes a table.
pub(super) fn put<K: Ord + Display, E: Put>(pen: &mut Pen<'_>, name: &str, table: &Table<K, E>) {
    pen.object_at(name, |pen| {
        table.iter().for_each(|(key, entry)| pen.put_named(&key.to_string(), entry));
    });
}

members! {
    BreakerEntry { failures, in_a_row, open_until, cooldown_ms, at }
    CooldownEntry { class, until, at }
    BucketEntry { start, end, requests, tokens }
    SpendEntry { usd, unpriced }
    FactorEntry { factor, at }
}

/// What is no state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The table of that name is none.
    Table(&'static str),
    /// An entry of a table, by its key.
    Entry(&'static str, String),
}

impl Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "`{table}` is no table"),
            Self::Entry(table, key) => write!(f, "{key:?} in `{table}` is no entry"),
        }
    }
}

/// Reads what was written. A table that is missing is empty; what is not known is left out.
pub(super) fn shared(state: &Tree<'_>) -> Result<Shared, Flaw> {
    let mut all = Shared::default();
    each(state, "breakers", &mut |key, entry| {
        all.breakers.insert(TargetId::parse(key)?, breaker(entry)?);
        Some(())
    })?;
    each(state, "cooldowns", &mut |key, entry| {
        all.cooldowns.insert(TargetId::parse(key)?, cooldown(entry)?);
        Some(())
    })?;
    each(state, "buckets", &mut |key, entry| {
        all.buckets.insert(BucketId::parse(key)?, bucket(entry)?);
        Some(())
    })?;
    each(state, "spend", &mut |key, entry| {
        let spent = SpendEntry { usd: number(entry, "usd")?, unpriced: entry.count("unpriced")? };
        all.spend.insert(key.to_owned(), spent);
        Some(())
    })?;
    each(state, "factors", &mut |key, entry| {
        let learnt = FactorEntry { factor: number(entry, "factor")?, at: moment(entry, "at")? };
        all.factors.insert(TargetId::parse(key)?, learnt);
        Some(())
    })?;
    Ok(all)
}

/// Takes the entries of a table, each with its key.
pub(super) fn each(
    state: &Tree<'_>,
    table: &'static str,
    take: &mut dyn FnMut(&str, &Tree<'_>) -> Option<()>,
) -> Result<(), Flaw> {
    match state.get(table) {
        None if state.is_object() => Ok(()),
        Some(Tree::Object(entries)) => entries
            .iter()
            .try_for_each(|(key, entry)| take(key, entry).ok_or_else(|| Flaw::Entry(table, key.to_string()))),
        None | Some(Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_)) => {
            Err(Flaw::Table(table))
        }
    }
}

fn breaker(entry: &Tree<'_>) -> Option<BreakerEntry> {
    let small = |name| u32::try_from(entry.count(name)?).ok();
    Some(BreakerEntry {
        failures: small("failures")?,
        in_a_row: small("in_a_row")?,
        open_until: if entry.has("open_until") { Some(moment(entry, "open_until")?) } else { None },
        cooldown_ms: entry.count("cooldown_ms")?,
        at: moment(entry, "at")?,
    })
}

fn cooldown(entry: &Tree<'_>) -> Option<CooldownEntry> {
    Some(CooldownEntry {
        class: Class::named(entry.text("class")?)?,
        until: moment(entry, "until")?,
        at: moment(entry, "at")?,
    })
}

fn bucket(entry: &Tree<'_>) -> Option<BucketEntry> {
    Some(BucketEntry {
        start: moment(entry, "start")?,
        end: moment(entry, "end")?,
        requests: entry.count("requests")?,
        tokens: entry.count("tokens")?,
    })
}

pub(super) fn moment(entry: &Tree<'_>, name: &str) -> Option<Millis> {
    entry.count(name).map(Millis)
}

fn number(entry: &Tree<'_>, name: &str) -> Option<f64> {
    match entry.get(name)? {
        Tree::Number(number) => number.as_f64(),
        Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::List(_) | Tree::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pen;

    const ALL: &str = r#"{"breakers":{"a/x":{"failures":1,"in_a_row":2,"open_until":null,"cooldown_ms":3,"at":4},"b/y/z":{"failures":0,"in_a_row":0,"open_until":5,"cooldown_ms":0,"at":6}},"cooldowns":{"a/\"":{"class":"rate_limit","until":7,"at":8}},"buckets":{"a/per/minute":{"start":9,"end":10,"requests":18446744073709551615,"tokens":11},"client_auth.keys[3]/day":{"start":0,"end":0,"requests":0,"tokens":0}},"spend":{"2026-11-18":{"usd":0.1,"unpriced":12},"2026-11-19":{"usd":3.0,"unpriced":0}},"factors":{"a/x":{"factor":1.25,"at":13}}}"#;

    #[test]
    fn what_is_written_is_read() {
        let all = shared(&Tree::read(ALL).unwrap()).unwrap();
        assert_eq!(pen::written(&all), ALL);
        assert_eq!(shared(&Tree::read(r#"{"moods":{}}"#).unwrap()), Ok(Shared::default()));
    }

    #[test]
    fn what_is_something_else_is_told() {
        for (good, bad, why) in [
            (r#""failures":1"#, r#""failures":-1"#, r#""a/x" in `breakers` is no entry"#),
            (r#""failures":1"#, r#""failures":4294967296"#, r#""a/x" in `breakers` is no entry"#),
            (r#""in_a_row":2,"#, "", r#""a/x" in `breakers` is no entry"#),
            (r#""open_until":5"#, r#""open_until":"5""#, r#""b/y/z" in `breakers` is no entry"#),
            ("rate_limit", "bored", r#""a/\"" in `cooldowns` is no entry"#),
            ("keys[3]", "keys[x]", r#""client_auth.keys[x]/day" in `buckets` is no entry"#),
            (r#""tokens":11"#, r#""tokens":null"#, r#""a/per/minute" in `buckets` is no entry"#),
            ("0.1", "1e999", r#""2026-11-18" in `spend` is no entry"#),
            (r#"{"factor":1.25,"at":13}"#, "[1.25,13]", r#""a/x" in `factors` is no entry"#),
            (r#""factors":{"#, r#""factors":[],"more":{"#, "`factors` is no table"),
        ] {
            let text = ALL.replace(good, bad);
            let flaw = shared(&Tree::read(&text).unwrap()).unwrap_err();
            assert_eq!(flaw.to_string(), why, "{bad}");
        }
        assert!(shared(&Tree::Null).is_err());
    }
}

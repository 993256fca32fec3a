//! Whole numbers of a JSON object, found in its text: what an answer says of its tokens, in one read
//! that keeps nothing else.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Number;

/// Whole numbers of an object, by their names; `OUTER.NAME` is one of an inner object. `None` when
/// one of them is something else, or the text is no object.
pub fn counts<const N: usize>(text: &str, names: [&str; N]) -> Option<[Option<u64>; N]> {
    let mut found = [None; N];
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let counts = Counts { names: &names, outer: "", found: &mut found };
    let is_object = counts.deserialize(&mut deserializer).ok()?;
    is_object.then_some(found)
}

/// A whole number that is not negative, also where it is written as `3.0`.
pub fn whole(number: &Number) -> Option<u64> {
    let written = || number.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    number.as_u64().or_else(|| written().map(|number| number as u64))
}

/// Finds the numbers of an object; gives whether it is one, rather than null.
struct Counts<'a, 'f> {
    names: &'a [&'a str],
    /// The name of the inner object that is read.
    outer: &'a str,
    found: &'f mut [Option<u64>],
}

/// What is done with a member.
enum Step<'a> {
    /// It is the number at that place.
    Count(usize),
    /// It is an object that may hold some.
    Enter(&'a str),
    Skip,
}

/// Tells by its name what a member is.
struct StepSeed<'a>(&'a [&'a str], &'a str);

impl<'de, 'a> DeserializeSeed<'de> for StepSeed<'a> {
    type Value = Step<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Step<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for StepSeed<'a> {
    type Value = Step<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Step<'a>, E> {
        for (place, name) in self.0.iter().enumerate() {
            match name.split_once('.') {
                None if self.1.is_empty() && *name == key => return Ok(Step::Count(place)),
                Some((outer, _)) if self.1.is_empty() && outer == key => return Ok(Step::Enter(outer)),
                Some((outer, name)) if outer == self.1 && name == key => return Ok(Step::Count(place)),
                _ => {}
            }
        }
        Ok(Step::Skip)
    }
}

impl<'de> DeserializeSeed<'de> for Counts<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counts<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(step) = map.next_key_seed(StepSeed(self.names, self.outer))? {
            match step {
                Step::Count(place) => {
                    let number: Option<Number> = map.next_value()?;
                    let count =
                        number.map(|number| whole(&number).ok_or_else(|| A::Error::custom("no count")));
                    let count = count.transpose()?;
                    self.found.iter_mut().skip(place).take(1).for_each(|slot| *slot = count);
                }
                Step::Enter(outer) => {
                    map.next_value_seed(Counts { names: self.names, outer, found: &mut *self.found })?;
                }
                Step::Skip => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_at_two_depths() {
        let names = ["a", "o.a", "o.b", "p.a"];
        let text = r#"{"x":{"a":"no"},"a":1,"o":{"a":2,"b":null,"c":[1]},"p":null}"#;
        assert_eq!(counts(text, names), Some([Some(1), Some(2), None, None]));
        assert_eq!(counts(r#"{"a":12.0,"o":{"a":3e2}}"#, names), Some([Some(12), Some(300), None, None]));
        for text in
            ["null", "[]", "3", r#"{"a":"1"}"#, r#"{"a":-1}"#, r#"{"o":{"a":1.5}}"#, r#"{"o":3}"#, "{"]
        {
            assert_eq!(counts(text, names), None, "{text}");
        }
    }
}

//! Where something stands in a JSON text, written out only when somebody asks: most of what is read
//! is as it should be, and nobody does.

use std::fmt;
use std::rc::Rc;

/// A place: `messages[2].content`; the whole text is the empty one.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(Option<Rc<Step>>);

#[derive(Debug)]
struct Step {
    outer: Path,
    inner: Inner,
}

/// What of the outer place it is.
#[derive(Debug)]
enum Inner {
    Member(&'static str),
    Element(usize),
}

impl Path {
    /// A member of what stands here.
    #[inline(never)]
    pub(super) fn at(&self, name: &'static str) -> Self {
        Self(Some(Rc::new(Step { outer: self.clone(), inner: Inner::Member(name) })))
    }

    /// An element of what stands here.
    #[inline(never)]
    pub(super) fn index(&self, index: usize) -> Self {
        Self(Some(Rc::new(Step { outer: self.clone(), inner: Inner::Element(index) })))
    }

    /// A member whose name somebody else has given.
    pub(super) fn named(&self, name: &str) -> String {
        if self.0.is_none() { name.to_owned() } else { format!("{self}.{name}") }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        step.outer.fmt(f)?;
        match step.inner {
            Inner::Member(name) if step.outer.0.is_none() => f.write_str(name),
            Inner::Member(name) => write!(f, ".{name}"),
            Inner::Element(index) => write!(f, "[{index}]"),
        }
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

impl From<&Path> for String {
    fn from(path: &Path) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_people_write_them() {
        let message = Path::default().at("messages").index(2);
        assert_eq!(message.at("content").index(0).at("text").to_string(), "messages[2].content[0].text");
        assert_eq!(
            (message.named("odd"), Path::default().named("odd")),
            ("messages[2].odd".into(), "odd".into())
        );
        assert_eq!(String::from(Path::default()), "");
    }
}

//! A file that lines are added to: one write for each, so that lines of several processes never
//! mix, and none is half there unless the disk is full.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::clock::Millis;
use crate::base::private;

/// Whether the file is still in its place is looked at so often.
const LOOK: Duration = Duration::from_secs(1);

/// A file that lines are added to. Whoever moves or deletes it gets a new one in its place.
#[derive(Debug)]
pub struct Appended {
    path: PathBuf,
    file: File,
    looked: Millis,
    /// Does it end inside a line?
    torn: bool,
}

impl Appended {
    /// Opens it, or makes it with its folder.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path, now: Millis) -> io::Result<Self> {
        let file = private::appended(path)?;
        Ok(Self { path: path.to_owned(), file, looked: now, torn: false })
    }

    /// Adds a line, which ends with its line feed.
    ///
    /// # Errors
    /// It is not in the file, or not all of it; the next one begins a line all the same.
    pub fn line(&mut self, line: &[u8], now: Millis) -> io::Result<()> {
        if now.since(self.looked) >= LOOK || now < self.looked {
            self.looked = now;
            if !self.is_in_place() {
                *self = Self::open(&self.path, now)?;
            }
        }
        let written = if self.torn {
            self.file.write(&[b"\n", line].concat()).map(|count| count.saturating_sub(1))
        } else {
            self.file.write(line)
        };
        let written = written?;
        self.torn = written < line.len();
        if self.torn { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// What the system says of it.
    ///
    /// # Errors
    /// It says nothing.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Does its path still lead to it?
    pub fn is_in_place(&self) -> bool {
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(own)) => is_same(&there, &own),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
        }
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file that is open cannot be replaced here.
#[cfg(not(unix))]
fn is_same(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::chance;

    #[test]
    #[cfg(unix)]
    fn a_clock_that_is_set_back_keeps_no_file_that_was_moved_away() {
        let folder = std::env::temp_dir().join(format!("llmgate-append-{}", chance::hex::<8>()));
        let path = folder.join("log");
        let mut file = Appended::open(&path, Millis(3_600_000)).unwrap();
        fs::rename(&path, folder.join("mine")).unwrap();
        file.line(b"one\n", Millis(0)).unwrap();
        let written = fs::read_to_string(&path);
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(written.unwrap(), "one\n");
    }
}

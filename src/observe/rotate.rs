//! A log file that is changed for a new one, each UTC day or at a size. The old ones are
//! `FILE.1`, the newest, to `FILE.N`.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::calendar;
use crate::base::clock::Millis;
use crate::config::Rotate;
use crate::observe::append::Appended;

/// The file; each write to it is one whole line.
pub struct Rotating {
    path: PathBuf,
    rules: Rotate,
    now: Box<dyn Fn() -> Millis + Send>,
    file: Appended,
    size: u64,
    /// It is changed when this is over.
    day_ends: Millis,
}

impl fmt::Debug for Rotating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotating").field("path", &self.path).field("rules", &self.rules).finish()
    }
}

impl Rotating {
    /// Opens it, or makes it with its folder. What a file holds that is there belongs to the day of
    /// its last change.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path, rules: Rotate, now: Box<dyn Fn() -> Millis + Send>) -> io::Result<Self> {
        let at = now();
        let file = Appended::open(path, at)?;
        let about = file.metadata()?;
        let changed = about.modified().map_or(at, Millis::of);
        let day = if about.len() == 0 { at } else { changed };
        let day_ends = calendar::next_day(day);
        Ok(Self { path: path.to_owned(), rules, now, file, size: about.len(), day_ends })
    }

    /// The files at that path: itself and the old ones.
    pub fn all(path: &Path) -> impl Iterator<Item = PathBuf> {
        (0..).map(|number| numbered(path, number)).take_while(|path| path.exists())
    }

    /// A new file, unless another process has made one. A failure leaves the old one in use.
    fn change(&mut self, now: Millis) -> io::Result<()> {
        if self.file.is_in_place() {
            let is_free = |number: &u32| !numbered(&self.path, *number).exists();
            let last = (1..self.rules.keep).find(is_free).unwrap_or(self.rules.keep);
            for number in (0..last).rev() {
                fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1))?;
            }
            if self.rules.keep == 0 {
                fs::remove_file(&self.path)?;
            }
        }
        self.file = Appended::open(&self.path, now)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let now = (self.now)();
        let length = line.len() as u64;
        let is_full = self.size + length > self.rules.max_size && self.size > 0;
        let is_old = self.rules.daily && now >= self.day_ends;
        if is_full || (is_old && self.size > 0) {
            // What cannot be moved away is written on: a long log is better than none.
            let _ = self.change(now);
        }
        if is_old {
            self.day_ends = calendar::next_day(now);
        }
        self.file.line(line, now)?;
        self.size += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::chance;

    const DAY: u64 = 24 * 3600 * 1000;
    /// Late on a day.
    const START: u64 = 20_000 * DAY - 1000;

    /// A folder that is removed at the end, and a clock that is turned by hand.
    struct Place(PathBuf, Arc<AtomicU64>);

    impl Place {
        fn new() -> Self {
            let name = format!("llmgate-rotate-{}", chance::hex::<8>());
            Self(std::env::temp_dir().join(name), Arc::new(AtomicU64::new(START)))
        }

        fn open(&self, rules: Rotate) -> Rotating {
            let clock = Arc::clone(&self.1);
            let now = move || Millis(clock.load(Ordering::Relaxed));
            Rotating::open(&self.0.join("log"), rules, Box::new(now)).unwrap()
        }

        fn passes(&self, time: u64) {
            self.1.fetch_add(time, Ordering::Relaxed);
        }

        #[track_caller]
        fn holds(&self, files: &[(&str, &str)]) {
            let mut found: Vec<(String, String)> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let text = fs::read_to_string(entry.path()).unwrap();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            found.sort();
            let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            assert_eq!(found, files.collect::<Vec<_>>());
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn rules(daily: bool, max_size: u64, keep: u32) -> Rotate {
        Rotate { daily, max_size, keep }
    }

    #[test]
    fn a_day_has_its_file() {
        let place = Place::new();
        let mut log = place.open(rules(true, 1000, 2));
        log.write_all(b"one\n").unwrap();
        place.passes(999);
        log.write_all(b"two\n").unwrap();
        place.passes(1);
        log.write_all(b"three\n").unwrap();
        place.holds(&[("log", "three\n"), ("log.1", "one\ntwo\n")]);
        for line in ["four\n", "five\n"] {
            place.passes(DAY);
            log.write_all(line.as_bytes()).unwrap();
        }
        place.holds(&[("log", "five\n"), ("log.1", "four\n"), ("log.2", "three\n")]);
    }

    #[test]
    fn a_size_is_not_passed_and_no_line_is_cut() {
        let place = Place::new();
        let mut log = place.open(rules(false, 8, 1));
        for line in ["1234567\n", "a line longer than all of it\n", "b\n", "c\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        place.holds(&[("log", "b\nc\n"), ("log.1", "a line longer than all of it\n")]);
        place.passes(9 * DAY);
        log.write_all(b"d\n").unwrap();
        place.holds(&[("log", "b\nc\nd\n"), ("log.1", "a line longer than all of it\n")]);
    }

    #[test]
    fn what_is_there_is_continued_or_changed_for_a_new_one() {
        let place = Place::new();
        place.open(rules(true, 1000, 0)).write_all(b"one\n").unwrap();
        let file = fs::File::options().append(true).open(place.0.join("log")).unwrap();
        let at = |millis| std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
        file.set_modified(at(START)).unwrap();
        place.open(rules(true, 1000, 0)).write_all(b"two\n").unwrap();
        place.holds(&[("log", "one\ntwo\n")]);
        file.set_modified(at(START - DAY)).unwrap();
        place.open(rules(true, 1000, 0)).write_all(b"three\n").unwrap();
        place.holds(&[("log", "three\n")]);
    }

    #[test]
    #[cfg(unix)]
    fn who_moves_the_file_away_gets_a_new_one_and_two_processes_change_it_once() {
        let place = Place::new();
        let (mut one, mut two) = (place.open(rules(true, 1000, 3)), place.open(rules(true, 1000, 3)));
        one.write_all(b"one\n").unwrap();
        two.write_all(b"two\n").unwrap();
        place.passes(1000);
        one.write_all(b"three\n").unwrap();
        two.write_all(b"four\n").unwrap();
        place.holds(&[("log", "three\nfour\n"), ("log.1", "one\ntwo\n")]);
        fs::rename(place.0.join("log"), place.0.join("mine")).unwrap();
        place.passes(1000);
        one.write_all(b"five\n").unwrap();
        place.holds(&[("log", "five\n"), ("log.1", "one\ntwo\n"), ("mine", "three\nfour\n")]);
    }

    #[test]
    #[cfg(unix)]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new();
        place.open(rules(true, 1000, 1)).write_all(b"x\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place.0), mode(&place.0.join("log"))), (0o700, 0o600));
    }
}

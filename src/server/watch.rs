//! Is the configuration's file another one than before? Its size and time are looked at when a
//! request arrives, at most once a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::base::clock;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Watches one file.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    stamp: Stamp,
}

type Stamp = Option<(u64, SystemTime)>;

impl FileWatch {
    /// Watches a file from now on.
    pub fn new(path: &Path) -> Self {
        let seen = Seen { at: clock::now(), stamp: stamp(path) };
        Self { path: path.to_owned(), seen: Mutex::new(seen) }
    }

    /// The file is read now, whoever asked for it: as it stands it is known.
    pub fn is_read(&self) {
        self.seen.lock().stamp = stamp(&self.path);
    }

    /// Did the file change since it was last looked at? Told once for each change.
    pub fn has_changed(&self) -> bool {
        // Whoever finds it busy leaves the look to the other.
        let Some(mut seen) = self.seen.try_lock() else { return false };
        let now = clock::now();
        if now.duration_since(seen.at) < INTERVAL {
            return false;
        }
        seen.at = now;
        let stamp = stamp(&self.path);
        // A file that is gone is being replaced, or was removed: neither is news.
        let changed = stamp.is_some() && stamp != seen.stamp;
        if changed {
            seen.stamp = stamp;
        }
        changed
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_to_whoever_is_first() {
        let path = std::env::temp_dir().join(format!("llmgate-watch-{}", std::process::id()));
        let later = |watch: &FileWatch| watch.seen.lock().at -= INTERVAL;
        fs::write(&path, "a").unwrap();
        let watch = FileWatch::new(&path);
        fs::write(&path, "ab").unwrap();
        assert!(!watch.has_changed(), "at most once a second");
        later(&watch);
        assert!(watch.has_changed());
        later(&watch);
        assert!(!watch.has_changed());
        fs::write(&path, "abc").unwrap();
        watch.is_read();
        later(&watch);
        assert!(!watch.has_changed());
        fs::remove_file(&path).unwrap();
    }
}

//! The store that the processes of one machine share: a JSON file beside a lock.
//!
//! An exchange with something to say takes the lock, reads, merges, writes beside and renames: a
//! reader sees a whole file, whatever ends a process at whatever moment. One with nothing to say
//! reads only. Nothing here waits for long, and nothing runs by itself: the caller decides when,
//! never on the path of a request.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::base::clock::{self, Millis};
use crate::base::tree::Tree;
use crate::base::{pen, private};
use crate::state::stored::{Found, MOST_BYTES, VERSION, understand};
use crate::state::{Delta, MemoryStore, Shared, StateStore, StoreError, json};

/// The lock is waited for so long in all,
const PATIENCE: Duration = Duration::from_secs(1);
/// and looked at so often: nobody tells when it is free.
const LOOK: Duration = Duration::from_millis(2);

/// State in a file.
#[derive(Debug)]
pub struct FileStore {
    file: PathBuf,
    ttl: Duration,
    patience: Duration,
    /// Used while the file was written by a newer llmgate.
    memory: MemoryStore,
    /// Was that told?
    told: AtomicBool,
}

impl FileStore {
    /// State in that file; its lock lies beside it, as `state.lock` does beside `state.json`. The
    /// folder is made when something is written. Entries live for `ttl`.
    pub fn new(file: PathBuf, ttl: Duration) -> Self {
        let told = AtomicBool::new(false);
        Self { file, ttl, patience: PATIENCE, memory: MemoryStore::new(ttl), told }
    }

    fn read(&self) -> Result<Found<Shared>, StoreError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.file).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(understand(&bytes, content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(refused("cannot read", &self.file)(error)),
        }
    }

    /// Takes the lock; it ends with the file that is given back, or with the process.
    fn lock(&self) -> Result<File, StoreError> {
        if let Some(folder) = self.file.parent() {
            private::folder(folder).map_err(refused("cannot make the folder", folder))?;
        }
        let path = self.file.with_extension("lock");
        let lock = private::options()
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(refused("cannot open", &path))?;
        let start = clock::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if start.elapsed() >= self.patience => {
                    return Err(StoreError::Busy);
                }
                Err(TryLockError::WouldBlock) => clock::rest(LOOK),
                Err(TryLockError::Error(error)) => return Err(refused("cannot lock", &path)(error)),
            }
        }
    }

    fn write(&self, shared: &Shared) -> Result<(), StoreError> {
        let beside = with_suffix(&self.file, ".new");
        let refused = |error| refused("cannot write", &beside)(error);
        let text = pen::object(|pen| {
            pen.put("version", &u64::from(VERSION));
            pen.put("state", shared);
        });
        let mut file = private::file(&beside).map_err(refused)?;
        file.write_all(text.as_bytes()).map_err(refused)?;
        drop(file);
        fs::rename(&beside, &self.file).map_err(refused)
    }

    fn set_aside(&self, why: &str) -> Result<(), StoreError> {
        let bad = with_suffix(&self.file, ".bad");
        fs::rename(&self.file, &bad).map_err(refused("cannot move away", &self.file))?;
        let (file, bad) = (self.file.display(), bad.display());
        log::warn!("{file} is no state ({why}): moved to {bad}, starting afresh");
        Ok(())
    }

    fn tell_newer(&self, version: u32) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let file = self.file.display();
            log::warn!(
                "{file} has version {version}, this llmgate knows {VERSION}: it is left alone, state is \
                 not shared. Update llmgate, or name another file by `state.file`"
            );
        }
    }
}

impl StateStore for FileStore {
    fn exchange(&self, delta: &Delta, now: Millis) -> Result<Shared, StoreError> {
        if delta.is_empty() {
            match self.read()? {
                Found::State(mut shared) => {
                    shared.expire(now, self.ttl);
                    return Ok(shared);
                }
                Found::Nothing => return Ok(Shared::default()),
                Found::Newer(_) | Found::Broken(_) => {}
            }
        }
        let lock = self.lock()?;
        let mut shared = match self.read()? {
            Found::State(shared) => shared,
            Found::Nothing => Shared::default(),
            Found::Newer(version) => {
                self.tell_newer(version);
                return self.memory.exchange(delta, now);
            }
            Found::Broken(why) => {
                self.set_aside(&why)?;
                Shared::default()
            }
        };
        shared.renew(delta, now, self.ttl);
        self.write(&shared)?;
        drop(lock);
        Ok(shared)
    }
}

/// What is read when the version is known.
fn content(tree: &Tree<'_>) -> Result<Shared, json::Flaw> {
    json::shared(tree.get("state").unwrap_or(&Tree::Null))
}

fn refused<'a>(what: &'a str, path: &'a Path) -> impl Fn(std::io::Error) -> StoreError + 'a {
    move |error| StoreError::Io { what: format!("{what} {}", path.display()), error }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;

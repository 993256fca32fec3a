//! The folders and files of a session: durable homes, files that live as long as it, links to what
//! is the user's. Nobody but the owner may read them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::{chance, private};
use crate::cli::files;
use crate::cli::run::client::{Launch, Link, NewFile};

/// Files of one session; removed when it is dropped.
pub(super) struct SessionFiles {
    folder: PathBuf,
    /// Held as long as the session lives, so that a later one can tell what was left behind.
    _lock: File,
}

impl SessionFiles {
    /// A place for them; it is made by [`SessionFiles::make`].
    pub(super) fn place(state: &Path) -> PathBuf {
        state.join("run").join(format!("{}-{}", std::process::id(), chance::hex::<4>()))
    }

    /// Makes the folder. What sessions left behind that were killed is removed.
    pub(super) fn make(folder: PathBuf) -> io::Result<Self> {
        if let Some(above) = folder.parent() {
            private::folder(above)?;
            sweep(above);
        }
        let lock = private::file(&lock_of(&folder))?;
        lock.lock()?;
        private::folder(&folder)?;
        Ok(Self { folder, _lock: lock })
    }
}

impl Drop for SessionFiles {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Does what a launch asks for: files, and links to what is the user's.
pub(super) fn lay(launch: &Launch) -> io::Result<()> {
    for file in &launch.files {
        write(file).map_err(|error| told(&file.path, &error))?;
    }
    for link in &launch.links {
        show(link).map_err(|error| told(&link.ours, &error))?;
    }
    Ok(())
}

fn told(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

fn write(file: &NewFile) -> io::Result<()> {
    if let Some(folder) = file.path.parent() {
        private::folder(folder)?;
    }
    if file.only_if_absent {
        return unless(io::ErrorKind::AlreadyExists, files::write_new(&file.path, &file.text));
    }
    private::file(&file.path)?.write_all(file.text.as_bytes())
}

/// A folder of the user's is shown entry by entry: what a client adds to its own stays there.
fn show(link: &Link) -> io::Result<()> {
    if !link.theirs.is_dir() {
        if let Some(folder) = link.ours.parent() {
            private::folder(folder)?;
        }
        return show_one(&link.theirs, &link.ours);
    }
    private::folder(&link.ours)?;
    for entry in fs::read_dir(&link.ours)? {
        let ours = entry?.path();
        let gone = ours.is_symlink() && !ours.exists();
        if gone {
            unless(io::ErrorKind::NotFound, fs::remove_file(&ours))?;
        }
    }
    for entry in fs::read_dir(&link.theirs)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            show_one(&entry.path(), &link.ours.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What is there and no link of ours stays. Another session may do the same at this moment.
fn show_one(theirs: &Path, ours: &Path) -> io::Result<()> {
    match fs::read_link(ours) {
        Ok(target) if target == theirs && theirs.exists() => return Ok(()),
        Ok(_) => unless(io::ErrorKind::NotFound, fs::remove_file(ours))?,
        Err(_) if ours.exists() => return Ok(()),
        Err(_) => {}
    }
    if theirs.exists() { unless(io::ErrorKind::AlreadyExists, symlink(theirs, ours)) } else { Ok(()) }
}

/// What another session has done already is no failure.
fn unless(done: io::ErrorKind, result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == done => Ok(()),
        Ok(()) | Err(_) => result,
    }
}

#[cfg(unix)]
fn symlink(theirs: &Path, ours: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(theirs, ours)
}

/// Links need a right that users do not have here: the home goes without.
#[cfg(not(unix))]
fn symlink(_theirs: &Path, _ours: &Path) -> io::Result<()> {
    Ok(())
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Removes a session's folder, then its lock.
fn remove(folder: &Path) {
    // What cannot be removed now is looked at again by the next session.
    let _ = fs::remove_dir_all(folder);
    let _ = fs::remove_file(lock_of(folder));
}

/// Removes what sessions left behind whose process has gone: nobody holds their lock.
fn sweep(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|ending| ending != "lock") {
            continue;
        }
        let Ok(lock) = File::open(&path) else { continue };
        match lock.try_lock() {
            Ok(()) => remove(&path.with_extension("")),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is removed at the end.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn scratch() -> Scratch {
        let path = std::env::temp_dir().join(format!("llmgate-home-{}", chance::hex::<8>()));
        private::folder(&path).unwrap();
        Scratch(path)
    }

    #[test]
    fn what_a_killed_session_left_is_removed_and_what_lives_stays() {
        let state = scratch();
        let alive = SessionFiles::place(&state.0);
        let files = SessionFiles::make(alive.clone()).unwrap();
        let dead = state.0.join("run").join("1-dead");
        private::folder(&dead).unwrap();
        private::file(&dead.with_extension("lock")).unwrap();
        let second = SessionFiles::make(SessionFiles::place(&state.0)).unwrap();
        assert!(!dead.exists() && alive.exists());
        drop(second);
        drop(files);
        assert_eq!(fs::read_dir(state.0.join("run")).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn an_isolated_home_shows_what_is_the_users_and_keeps_its_own() {
        let place = scratch();
        let (theirs, ours) = (place.0.join("theirs"), place.0.join("ours"));
        fs::create_dir_all(theirs.join("skills/one")).unwrap();
        fs::write(theirs.join("AGENTS.md"), "a").unwrap();
        let mut launch = Launch::default();
        launch.show(Some(&theirs), &ours, &["AGENTS.md", "skills", "absent.md"]);
        lay(&launch).unwrap();
        assert_eq!(fs::read_to_string(ours.join("AGENTS.md")).unwrap(), "a");
        assert!(ours.join("skills/one").is_dir() && !ours.join("absent.md").is_symlink());
        fs::create_dir(ours.join("skills/own")).unwrap();
        fs::remove_dir(theirs.join("skills/one")).unwrap();
        fs::remove_file(theirs.join("AGENTS.md")).unwrap();
        lay(&launch).unwrap();
        assert!(!ours.join("skills/one").is_symlink() && !ours.join("AGENTS.md").is_symlink());
        assert!(ours.join("skills/own").is_dir() && !theirs.join("skills/own").exists());
    }

    #[test]
    #[cfg(unix)]
    fn sessions_that_begin_together_share_a_home() {
        let place = scratch();
        let (theirs, ours) = (place.0.join("theirs"), place.0.join("ours"));
        for n in 0..400 {
            fs::create_dir_all(theirs.join(format!("skills/{n}"))).unwrap();
        }
        let mut launch = Launch::default();
        launch.show(Some(&theirs), &ours, &["skills"]);
        let together = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    together.wait();
                    lay(&launch).unwrap();
                });
            }
        });
        assert_eq!(fs::read_dir(ours.join("skills")).unwrap().count(), 400);
    }
}

//! Files and folders that only their owner may read (SPEC 10.4).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::private;

/// Writes a private file that is not there yet; half of it is never left.
///
/// # Errors
/// Of kind `AlreadyExists`: it is.
pub(super) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = private::options().write(true).create_new(true).open(path)?;
    or_away(path, file.write_all(text.as_bytes()))
}

/// Writes a private file in place of what is there, so that a reader sees all of it or nothing. A link
/// leads where it led.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let beside = beside(&path);
    // What an earlier try left behind may have other rights.
    let _ = fs::remove_file(&beside);
    write_new(&beside, text)?;
    or_away(&beside, fs::rename(&beside, path))
}

/// Writes a file in place of one that still holds `old`: a reader sees all of the one or of the other.
/// A link leads where it led, owner and mode stay.
///
/// # Errors
/// It is no file that may be written, or somebody else writes it: then it is as it was.
pub(super) fn renew(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let about = path.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    // To rename asks the folder's rights only, not the file's.
    fs::OpenOptions::new().append(true).open(&path)?;
    let beside = beside(&path);
    // It keeps another llmgate away, too.
    let file = private::options().write(true).create_new(true).open(&beside).map_err(|error| {
        let said =
            format!("{}: {error}: remove it, unless another llmgate writes it just now", beside.display());
        if error.kind() == io::ErrorKind::AlreadyExists { io::Error::other(said) } else { error }
    })?;
    let done = fill(file, &about, new).and_then(|()| {
        if fs::read(&path)? != old.as_bytes() {
            return Err(io::Error::other("somebody else has just changed it: try again"));
        }
        fs::rename(&beside, &path)
    });
    or_away(&beside, done)
}

/// Writes a file that shall be whole on its disk before it takes another's place.
fn fill(mut file: File, about: &fs::Metadata, text: &str) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        fchown(&file, Some(about.uid()), Some(about.gid()))?;
    }
    file.set_permissions(about.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What failed leaves a file that is of no use to anybody; the error says more than that it stays.
fn or_away(path: &Path, done: io::Result<()>) -> io::Result<()> {
    if done.is_err() {
        let _ = fs::remove_file(path);
    }
    done
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    PathBuf::from(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_else_changed_stays() {
        let path = std::env::temp_dir().join(format!("llmgate-renew-{}", std::process::id()));
        fs::write(&path, "theirs").unwrap();
        let error = renew(&path, "old", "new").unwrap_err();
        assert!(error.to_string().contains("somebody else"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        renew(&path, "theirs", "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(!beside(&path).exists());
        fs::remove_file(&path).unwrap();
        assert!(renew(&std::env::temp_dir(), "", "").unwrap_err().to_string().contains("regular"));
    }
}

//! Files and folders that only their owner may read (SPEC 10.4).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::private;

/// Writes a private file that is not there yet.
///
/// # Errors
/// Of kind `AlreadyExists`: it is.
pub(super) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    private::options().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// Writes a private file in place of what is there, so that a reader sees all of it or nothing.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What an earlier try left behind may have other rights.
    let _ = fs::remove_file(&beside);
    write_new(&beside, text)?;
    fs::rename(&beside, path)
}

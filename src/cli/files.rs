//! Files and folders that only their owner may read (SPEC 10.4).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes a folder, and those above it, that only its owner may look into.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file that only its owner may read.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    open(path, fs::OpenOptions::new().write(true).create(true).truncate(true))
}

/// Writes a private file that is not there yet.
///
/// # Errors
/// Of kind `AlreadyExists`: it is.
pub(super) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    open(path, fs::OpenOptions::new().write(true).create_new(true))?.write_all(text.as_bytes())
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

fn open(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

//! Files and folders for their user alone: to whom one talks, what is said and how much is nobody
//! else's business.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder, and those above it; one that is there stays as it is.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if path.as_os_str().is_empty() { Ok(()) } else { builder.create(path) }
}

/// Options for a file that is made when it is not there.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// An empty file to write.
pub fn file(path: &Path) -> io::Result<File> {
    options().write(true).truncate(true).open(path)
}

/// A file to add to at its end, whoever else adds to it; its folder is made.
pub fn appended(path: &Path) -> io::Result<File> {
    if let Some(above) = path.parent() {
        folder(above)?;
    }
    options().append(true).open(path)
}

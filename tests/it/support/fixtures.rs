//! The recorded exchanges under `fixtures/`.

use std::fs;
use std::path::Path;

/// One recording.
pub(crate) struct Fixture {
    /// Folder and name, for messages.
    pub(crate) name: String,
    /// The name without folder and ending.
    pub(crate) case: String,
    /// What is in it.
    pub(crate) text: String,
}

/// All of a kind (`streams`, ...) for a protocol, by name; there is at least one.
pub(crate) fn all(kind: &str, protocol: &str) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind).join(protocol);
    let mut found: Vec<Fixture> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let case = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Fixture {
                name: format!("{kind}/{protocol}/{case}"),
                case,
                text: fs::read_to_string(path).unwrap(),
            }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty(), "{}", folder.display());
    found
}

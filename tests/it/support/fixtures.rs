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
    /// The tools of the request behind it, where `fixtures/tools` has a file of its name.
    pub(crate) tools: Option<String>,
}

/// All of a kind (`streams`, ...) for a protocol, by name; there is at least one.
pub(crate) fn all(kind: &str, protocol: &str) -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folder = root.join(kind).join(protocol);
    let mut found: Vec<Fixture> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let case = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Fixture {
                name: format!("{kind}/{protocol}/{case}"),
                tools: fs::read_to_string(root.join("tools").join(&case).with_extension("json")).ok(),
                text: fs::read_to_string(path).unwrap(),
                case,
            }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty(), "{}", folder.display());
    found
}

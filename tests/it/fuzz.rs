//! The laws of the fuzz targets, held against what once broke one, and against every recording.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use llmgate::protocol::Protocol;

use crate::support::fixtures;

#[path = "../fuzz/laws/mod.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzz targets")]
mod laws;

#[test]
fn what_was_found_is_not_found_again() {
    type Law = fn(&[u8]);
    let targets: [(&str, Law); 9] = [
        ("anthropic", |bytes| laws::codec::check(Protocol::Anthropic, bytes)),
        ("body", laws::body::check),
        ("config", laws::config::check),
        ("gemini", |bytes| laws::codec::check(Protocol::Gemini, bytes)),
        ("head", laws::head::check),
        ("openai_chat", |bytes| laws::codec::check(Protocol::OpenaiChat, bytes)),
        ("openai_responses", |bytes| laws::codec::check(Protocol::OpenaiResponses, bytes)),
        ("sse", laws::sse::check),
        ("state", laws::state::check),
    ];
    for (name, law) in targets {
        for path in files(&root().join("fuzz").join(name)) {
            holds(law, &fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
    let known: Vec<_> = targets.iter().map(|(name, _)| *name).collect();
    for path in files(&root().join("fuzz")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "{name} is no target");
    }
}

#[test]
fn recordings_keep_the_laws() {
    for protocol in Protocol::ALL {
        for (kind, letter) in
            [("requests", b'q'), ("responses", b'a'), ("errors", b'a'), ("streams", b's'), ("faults", b's')]
        {
            for fixture in fixtures::all(kind, protocol.name()) {
                for seed in [0, 0x53, 0xe5] {
                    let bytes = [&[letter, seed], fixture.text.as_bytes()].concat();
                    let law = |bytes: &[u8]| laws::codec::check(protocol, bytes);
                    holds(law, &bytes, &format!("{} with seed {seed}", fixture.name));
                    if letter == b's' {
                        let bytes = [&[seed, 255], fixture.text.as_bytes()].concat();
                        holds(laws::sse::check, &bytes, &fixture.name);
                    }
                }
            }
        }
    }
    for kind in ["config/valid", "config/invalid", "import"] {
        for path in files(&root().join(kind)) {
            holds(laws::config::check, &fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

#[track_caller]
fn holds(law: impl Fn(&[u8]), bytes: &[u8], name: &str) {
    let met = catch_unwind(AssertUnwindSafe(|| law(bytes)));
    assert!(met.is_ok(), "{name}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// What is in a folder, if there is one.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

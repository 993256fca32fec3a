//! The state file, as one process and as several see it. Processes that are killed are in
//! `tests/it/state.rs`.

use super::*;
use crate::policy::bucket::Counts;
use crate::state::{BucketEntry, BucketId};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOW: Millis = Millis(1_794_999_330_000);

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("llmgate-{}-state-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("made/state.json")
    }

    fn store(&self) -> FileStore {
        FileStore::new(self.file(), DAY)
    }

    /// Puts a file there before llmgate did.
    fn put(&self, text: &str) {
        private::folder(self.file().parent().unwrap()).unwrap();
        fs::write(self.file(), text).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("made")).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bucket() -> BucketId {
    BucketId::parse("a/minute").unwrap()
}

/// One more request.
fn one() -> Delta {
    let mut delta = Delta::default();
    let entry = BucketEntry { start: NOW, end: NOW.plus(DAY), requests: 1, tokens: 10 };
    delta.0.buckets.insert(bucket(), entry);
    delta
}

#[track_caller]
fn check(exchanged: Result<Shared, StoreError>, requests: u64) {
    let expected = Counts { requests, tokens: 10 * requests };
    assert_eq!(exchanged.unwrap().buckets.get(&bucket()).unwrap().counts(), expected);
}

#[test]
fn several_see_what_all_have_done() {
    let folder = Folder::new("several");
    let (a, b) = (folder.store(), folder.store());
    check(a.exchange(&one(), NOW), 1);
    check(b.exchange(&one(), NOW), 2);
    check(b.exchange(&one(), NOW), 3);
    check(a.exchange(&Delta::default(), NOW), 3);
    check(folder.store().exchange(&Delta::default(), NOW), 3);
    assert_eq!(folder.names(), ["state.json", "state.lock"]);
}

#[test]
fn who_has_nothing_to_say_writes_nothing() {
    let folder = Folder::new("quiet");
    assert_eq!(folder.store().exchange(&Delta::default(), NOW).unwrap(), Shared::default());
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
#[cfg(unix)]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    folder.store().exchange(&one(), NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.file().parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.file()), 0o600);
    assert_eq!(mode(&folder.file().with_extension("lock")), 0o600);
}

#[test]
fn a_broken_file_is_set_aside() {
    for (name, text) in [
        ("empty", ""),
        ("cut", r#"{"version":1,"state":{"buckets":{"#),
        ("other", r#"["not","ours"]"#),
        ("wrong", r#"{"version":1,"state":{"breakers":{"no target":{}}}}"#),
        ("unversioned", r#"{"state":{}}"#),
    ] {
        let folder = Folder::new(name);
        folder.put(text);
        check(folder.store().exchange(&one(), NOW), 1);
        assert_eq!(folder.names(), ["state.json", "state.json.bad", "state.lock"], "{name}");
        assert_eq!(fs::read_to_string(with_suffix(&folder.file(), ".bad")).unwrap(), text);
        check(folder.store().exchange(&one(), NOW), 2);
    }
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = Folder::new("newer");
    let text = r#"{"version":2,"whatever":[]}"#;
    folder.put(text);
    let store = folder.store();
    check(store.exchange(&one(), NOW), 1);
    check(store.exchange(&one(), NOW), 2);
    check(store.exchange(&Delta::default(), NOW), 2);
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
}

#[test]
fn fields_that_a_later_llmgate_added_do_no_harm() {
    let folder = Folder::new("fields");
    folder.put(r#"{"version":1,"by":"x","state":{"moods":{},"buckets":{}}}"#);
    check(folder.store().exchange(&one(), NOW), 1);
    assert_eq!(folder.names(), ["state.json", "state.lock"]);
}

#[test]
fn who_finds_the_lock_taken_gives_up_and_loses_nothing() {
    let folder = Folder::new("busy");
    let store = FileStore { patience: Duration::ZERO, ..folder.store() };
    check(store.exchange(&one(), NOW), 1);
    let held = folder.store().lock().unwrap();
    assert!(matches!(store.exchange(&one(), NOW), Err(StoreError::Busy)));
    check(store.exchange(&Delta::default(), NOW), 1);
    drop(held);
    check(store.exchange(&one(), NOW), 2);
}

#[test]
fn a_write_that_fails_counts_nothing() {
    let folder = Folder::new("fails");
    let store = folder.store();
    check(store.exchange(&one(), NOW), 1);
    let beside = with_suffix(&folder.file(), ".new");
    fs::create_dir(&beside).unwrap();
    let error = store.exchange(&one(), NOW).unwrap_err();
    assert!(error.to_string().contains("state.json.new"), "{error}");
    fs::remove_dir(&beside).unwrap();
    check(store.exchange(&one(), NOW), 2);
}

#[test]
fn a_writer_that_died_leaves_nothing_behind_that_matters() {
    let folder = Folder::new("died");
    check(folder.store().exchange(&one(), NOW), 1);
    fs::write(with_suffix(&folder.file(), ".new"), "half a fi").unwrap();
    check(folder.store().exchange(&one(), NOW), 2);
    assert_eq!(folder.names(), ["state.json", "state.lock"]);
}

#[test]
fn threads_of_one_process_lose_no_count() {
    let folder = Folder::new("threads");
    let store = folder.store();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    // Busy is no failure of this test: the delta is given again.
                    while matches!(store.exchange(&one(), NOW), Err(StoreError::Busy)) {}
                }
            });
        }
    });
    check(store.exchange(&Delta::default(), NOW), 100);
}

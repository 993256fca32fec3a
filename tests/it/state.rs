//! Processes that share one state file, and are killed while they write it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use llmgate::base::clock::Millis;
use llmgate::base::env::Env;
use llmgate::state::{BucketEntry, BucketId, Delta, FileStore, StateStore, StoreError};

use crate::support::proxy::Folder;

/// Names the state file to a process that counts.
const FILE: &str = "LLMGATE_TEST_STATE_FILE";
/// How often it counts; without it, until it is killed.
const ROUNDS: &str = "LLMGATE_TEST_STATE_ROUNDS";
/// What it says for each request that the file has taken.
const COUNTED: &str = "counted";

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOW: Millis = Millis(1_794_999_330_000);

#[test]
fn no_count_is_lost_and_no_file_is_torn_when_processes_are_killed() {
    let folder = Folder::new("state-killed");
    let file = folder.file("state.json");
    let said: usize = std::thread::scope(|scope| {
        let pair = || [scope.spawn(|| to_the_end(&file)), scope.spawn(|| killed(&file))];
        let threads = [(); 5].map(|()| pair());
        threads.into_iter().flatten().map(|thread| thread.join().unwrap()).sum()
    });
    let shared = FileStore::new(file, DAY).exchange(&Delta::default(), NOW).unwrap();
    let taken = shared.buckets.get(&bucket()).unwrap().requests as usize;
    // Each that was killed may have counted once more without being able to say so.
    assert!((said..=said + 5).contains(&taken), "{taken} taken, {said} said");
    assert!(!folder.file("state.json.bad").exists());
}

/// A process of the test above; run by itself it has nothing to do.
#[test]
fn a_process_counts() {
    let env = Env::of_process();
    let Some(file) = env.var(FILE) else { return };
    let rounds = env.var(ROUNDS).map_or(u32::MAX, |rounds| rounds.parse().unwrap());
    let store = FileStore::new(file.into(), DAY);
    let mut delta = Delta::default();
    let one = BucketEntry { start: NOW, end: NOW.plus(DAY), requests: 1, tokens: 0 };
    delta.0.buckets.insert(bucket(), one);
    for _ in 0..rounds {
        loop {
            match store.exchange(&delta, NOW) {
                Ok(_) => break,
                Err(StoreError::Busy) => {}
                Err(error) => panic!("{error}"),
            }
        }
        println!("{COUNTED}");
    }
}

fn bucket() -> BucketId {
    BucketId::parse("a/minute").unwrap()
}

/// Lets a process count to its end; how often it says to have counted.
fn to_the_end(file: &Path) -> usize {
    let (mut child, lines) = spawn(file, Some("40"));
    let said = lines.count();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, 40);
    said
}

/// Lets a process count for a while and kills it; how often it said to have counted.
fn killed(file: &Path) -> usize {
    let (mut child, mut lines) = spawn(file, None);
    let before = lines.by_ref().take(15).count();
    child.kill().unwrap();
    let after = lines.count();
    assert!(!child.wait().unwrap().success());
    assert_eq!(before, 15);
    before + after
}

/// This program again, as a process that counts, and the lines in which it says so.
fn spawn(file: &Path, rounds: Option<&str>) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "state::a_process_counts", "--nocapture", "--test-threads=1"]);
    command.env(FILE, file).envs(rounds.map(|rounds| (ROUNDS, rounds)));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map_while(Result::ok).filter(|line| line.ends_with(COUNTED)))
}

//! The state file: any bytes are state, or are moved away, or belong to a newer llmgate; and any
//! state can be worked with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use llmgate::base::clock::Millis;
use llmgate::base::env::Env;
use llmgate::base::pen;
use llmgate::base::tree::Tree;
use llmgate::config::{Config, Overrides, from_text};
use llmgate::protocol::Protocol;
use llmgate::route::explain::NameOnly;
use llmgate::route::health::Health;
use llmgate::route::planning::{Moment, Purpose};
use llmgate::route::snapshot::Snapshot;
use llmgate::state::{BucketEntry, BucketId, Delta, FileStore, Shared, StateStore};

/// The moment at which everything happens, and the life of an entry.
const NOW: Millis = Millis(1_794_999_330_000);
const TTL: Duration = Duration::from_secs(24 * 3600);

/// The bytes are the file.
pub fn check(bytes: &[u8]) {
    let folder = Folder::new();
    let (file, bad) = (folder.0.join("state.json"), folder.0.join("state.json.bad"));
    fs::write(&file, bytes).expect("the folder is ours");
    let store = FileStore::new(file.clone(), TTL);
    let news = news();
    let first = store.exchange(&Delta::default(), NOW).expect("any bytes are an answer");
    let second = store.exchange(&news, NOW).expect("any bytes are an answer");
    let kept = fs::read(&file).expect("there is a file now");
    if kept == bytes && !second.buckets.is_empty() {
        // It belongs to a newer llmgate, or it says just that already.
        assert!(!bad.exists());
    } else {
        let third = store.exchange(&Delta::default(), NOW).expect("what we wrote is state");
        assert_eq!(third, second, "what was written is read");
        match fs::read(&bad) {
            Ok(aside) => {
                assert_eq!(aside, bytes, "what is broken is kept");
                assert_eq!(first, Shared::default());
            }
            Err(_) => {
                let mut sum = first.clone();
                sum.renew(&news, NOW, TTL);
                assert_eq!(second, sum, "what was there and what came");
            }
        }
    }
    used(&first);
    used(&second);
}

/// Something to say.
fn news() -> Delta {
    let id = BucketId::parse("a/minute").expect("it is a bucket");
    let (start, end) = (Millis(NOW.0 - 30_000), Millis(NOW.0 + 30_000));
    let mut news = Delta::default();
    news.0.buckets.insert(id, BucketEntry { start, end, requests: 1, tokens: 10 });
    news
}

/// A request is planned, let through and counted; others are told.
fn used(shared: &Shared) {
    let config = Arc::new(config());
    let health = Health::default();
    health.adopt(shared, NOW, &config);
    let snapshot = Snapshot::new(Arc::clone(&config));
    for later in [0, 1, 61, 90_000] {
        let now = NOW.plus(Duration::from_secs(later));
        let question = NameOnly { name: Some("x"), protocol: Protocol::Anthropic };
        let mut moment = Moment { health: &health, now, draw: &mut || 0.5, purpose: Purpose::Serve };
        let plan = snapshot.plan(&question, &mut moment).expect("the name is known");
        let told = snapshot.explanation(&question, None, &plan, (&health, now));
        assert!(told.is_ok_and(|told| Tree::read(&pen::written(&told)).is_ok()));
        assert_eq!(plan.candidates.len() + plan.skipped.len(), 2);
        for skipped in &plan.skipped {
            skipped.why.recovers_at();
        }
        for candidate in &plan.candidates {
            let _ = health.enter(candidate, now, &config).map(drop);
            let _ = health.hold(candidate, 100, now).map(|hold| hold.settle(Some(90)));
            health.reports(&candidate.target, 100, 90, now);
            let condition = health.condition(&candidate.target, now, &config);
            assert!(condition.factor.is_finite(), "{condition:?}");
        }
        health.pays(Some(0.5), now);
        let spent = health.spent(now);
        assert!(!spent.day.usd.is_nan(), "{spent:?}");
        let _ = health.tight(&config.usage, now);
    }
    let Delta(told) = health.tell(&config);
    assert!(Tree::read(&pen::written(&told)).is_ok());
}

fn config() -> Config {
    let text = "version: 1\nusage: {budget: {day: 10}}\nproviders:\n\
        \x20 a: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1', buckets: [{name: minute, requests: 5, tokens: 900, window: 1m}]}\n\
        \x20 b: {protocol: openai-chat, base_url: 'http://127.0.0.1:2/v1'}\n\
        models: {x: {targets: [{to: a/x}, {to: b/x}]}}\n";
    from_text(text, Path::new("c.yaml"), &Env::default(), &Overrides::default()).expect("it is right")
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("llmgate-law-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

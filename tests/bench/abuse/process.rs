//! The proxy as a process, seen from outside.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long the binary may take to be ready.
const START: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A running proxy. It is killed on drop.
pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// What the system tells about the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) files: usize,
    pub(crate) threads: u64,
    /// Resident memory, KiB.
    pub(crate) rss: u64,
}

/// What to start.
pub(crate) struct Recipe<'a> {
    pub(crate) binary: &'a Path,
    /// For its configuration and its log.
    pub(crate) folder: &'a Path,
    pub(crate) upstream: SocketAddr,
    /// What `ulimit` says before it starts, such as `-n 64`.
    pub(crate) limits: Option<&'a str>,
    /// Lines of the configuration in place of the usual ones.
    pub(crate) settings: Option<&'a str>,
}

/// Room for every crowd, and a short end.
const SETTINGS: &str = "limits: {requests: 2000, connections: 4000}\ntimeouts: {drain: 2s}\n";

impl Proxy {
    pub(crate) fn start(recipe: &Recipe<'_>) -> io::Result<Self> {
        fs::create_dir_all(recipe.folder)?;
        let config = recipe.folder.join("config.yaml");
        let ready = recipe.folder.join("ready.json");
        let log = recipe.folder.join("log");
        fs::write(&config, configuration(recipe.upstream, recipe.settings.unwrap_or(SETTINGS)))?;
        let limit = recipe.limits.map_or_else(String::new, |limits| format!("ulimit {limits}; "));
        let child = Command::new("sh")
            .args(["-c", &format!("{limit}exec \"$0\" \"$@\"")])
            .arg(recipe.binary)
            .args(["start", "--exit-with-parent", "--log-level", "warn", "--config"])
            .arg(&config)
            .arg("--ready-file")
            .arg(&ready)
            .env_clear()
            .env("HOME", recipe.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut proxy = Self { child, address: nowhere, log };
        let stood = wait_until(START, || ready.exists() || !proxy.is_alive());
        if stood.is_none() || !proxy.is_alive() {
            return Err(io::Error::other(format!("the proxy did not start: {}", proxy.log())));
        }
        let facts: serde_json::Value = serde_json::from_slice(&fs::read(&ready)?)?;
        let url = facts["url"].as_str().unwrap_or_default();
        proxy.address = url.trim_start_matches("http://").parse().map_err(io::Error::other)?;
        Ok(proxy)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it wrote to its standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What the system tells now; a process that is gone has no files.
    pub(crate) fn facts(&self) -> Facts {
        let folder = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        Facts {
            files: fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count),
            threads: number("Threads:"),
            rss: number("VmRSS:"),
        }
    }

    /// Waits until at most so many files are open; tells how long that took.
    pub(crate) fn files_fall_to(&self, most: usize, limit: Duration) -> io::Result<Duration> {
        wait_until(limit, || self.facts().files <= most).ok_or_else(|| {
            let files = self.facts().files;
            io::Error::other(format!("{files} files open after {limit:?}, {most} expected"))
        })
    }

    /// The most memory, KiB, while something is done.
    pub(crate) fn peak_while<T>(&self, work: impl FnOnce() -> T) -> (T, u64) {
        let done = AtomicBool::new(false);
        let peak = AtomicU64::new(self.facts().rss);
        let result = thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    peak.fetch_max(self.facts().rss, Ordering::Relaxed);
                    thread::sleep(LOOK);
                }
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            result
        });
        (result, peak.load(Ordering::Relaxed))
    }

    /// Asks it to end, and does not wait.
    pub(crate) fn signal(&self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Asks it to end, as an operator does. `None`: it had not ended in time.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Option<(ExitStatus, Duration)> {
        self.signal();
        let took = wait_until(limit, || !self.is_alive())?;
        self.child.try_wait().ok().flatten().map(|status| (status, took))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds; tells how long that took.
pub(crate) fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> Option<Duration> {
    let since = Instant::now();
    loop {
        if holds() {
            return Some(since.elapsed());
        }
        if since.elapsed() >= limit {
            return None;
        }
        thread::sleep(LOOK);
    }
}

fn configuration(upstream: SocketAddr, settings: &str) -> String {
    format!(
        "version: 1\n\
         listen: 127.0.0.1:0\n\
         {settings}\
         providers:\n\
         \x20 up: {{protocol: openai-chat, base_url: 'http://{upstream}/v1', api_key: k}}\n\
         \x20 deaf: {{protocol: openai-chat, base_url: 'http://{upstream}/deaf', api_key: k}}\n"
    )
}

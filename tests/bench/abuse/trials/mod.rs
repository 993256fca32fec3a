//! The trials and their table.

use std::env;
use std::error::Error;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, buffered};
use crate::process::{Facts, Proxy, Recipe};
use crate::upstream::Upstream;

mod burst;
mod crowd;
mod ending;
mod faults;
mod files;
mod framing;
mod hostile;
mod leaver;
mod limits;
mod manners;
mod patience;
mod reader;

/// The program ends by itself after this time, whatever hangs.
const WHOLE: Duration = Duration::from_secs(600);

/// The figures of a trial, or what went wrong.
pub(crate) type Outcome = Result<String, Box<dyn Error + Send + Sync>>;

type Trial = (&'static str, fn(&mut Bench) -> Outcome);

/// In order; the last one ends the process.
const TRIALS: [Trial; 38] = [
    ("burst", burst::fresh),
    ("burst_reuse", burst::reuse),
    ("idle_and_half_sent", crowd::idle_and_half_sent),
    ("leaver_silent", leaver::silent),
    ("leaver_head", leaver::before_the_head),
    ("leaver_buffered", leaver::buffered_silent),
    ("leaver_slow_answer", leaver::slow_answer),
    ("leaver_trickle", leaver::trickle),
    ("leaver_beat", leaver::beat),
    ("leaver_big", leaver::big),
    ("leaver_body", leaver::in_its_body),
    ("leaver_upload", leaver::deaf_provider),
    ("leaver_pipelined", leaver::with_bytes_behind),
    ("leaver_backoff", leaver::in_a_backoff),
    ("few_files", files::few_files),
    ("t1_keep_alive_burst", faults::keep_alive_burst),
    ("t2_huge_lengths", faults::huge_lengths),
    ("t4_resets", faults::resets),
    ("t5_http2", faults::http2),
    ("t6_endless", faults::endless),
    ("t7_slow_bodies", crowd::slow_bodies),
    ("t8_short_bodies_and_smuggling", framing::doubtful_frames),
    ("t9_expect", manners::expect),
    ("t10_split_headers", hostile::split_headers),
    ("t12_odd_bytes", manners::odd_bytes),
    ("old_and_head", manners::old_and_head),
    ("websocket", manners::websocket),
    ("nodelay", manners::no_delay),
    ("bombs", manners::bombs),
    ("stale_pool", hostile::stale_pool),
    ("provider_endless", hostile::endless),
    ("provider_garbage", hostile::garbage),
    ("slow_reader", reader::slow_reader),
    ("connections", limits::connections),
    ("slots", limits::slots),
    ("stopping", limits::stopping),
    ("patience", patience::patience),
    ("ending", ending::ending),
];

/// What a trial has.
pub(crate) struct Bench {
    pub(crate) proxy: Proxy,
    pub(crate) upstream: Upstream,
    /// The process after its first answer.
    pub(crate) start: Facts,
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Bench {
    pub(crate) fn client(&self) -> std::io::Result<Client> {
        Client::connect(self.proxy.address())
    }

    /// Another proxy before the same provider.
    pub(crate) fn second(&self, name: &str, settings: &str) -> std::io::Result<Proxy> {
        let folder = self.folder.join(name);
        let settings = Some(settings);
        let (binary, upstream) = (&self.binary, self.upstream.address);
        Proxy::start(&Recipe { binary, folder: &folder, upstream, limits: None, settings })
    }

    /// One ordinary request on a connection of its own; how long it took.
    pub(crate) fn ordinary(&self) -> Result<Duration, Box<dyn Error + Send + Sync>> {
        ordinary(&self.proxy)
    }
}

/// One ordinary request on a connection of its own; how long it took.
pub(crate) fn ordinary(proxy: &Proxy) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let since = Instant::now();
    let answer = Client::connect(proxy.address())?.ask(&buffered("up/quick"))?;
    if answer.status != 200 || !answer.body.contains("hello") {
        return Err(format!("an ordinary request got {}: {}", answer.status, answer.body).into());
    }
    Ok(since.elapsed())
}

/// Runs all trials, or those that the arguments name.
pub(crate) fn run() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    // `cargo test --benches` runs this file as well, and says nothing.
    if words.is_empty() {
        println!("abuse: not run; `cargo bench --bench abuse`, or name a binary");
        return ExitCode::SUCCESS;
    }
    let mut words: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let mut binary = Path::new("target/release/llmgate");
    if words.first().is_some_and(|word| word.contains('/')) {
        binary = Path::new(words.remove(0));
    }
    raise_file_limit();
    let folder = env::temp_dir().join(format!("llmgate-abuse-{}", std::process::id()));
    let doomed = folder.clone();
    thread::spawn(move || {
        thread::sleep(WHOLE);
        println!("FAIL  the trials did not end in {WHOLE:?}");
        // The proxy ends with its parent.
        let _ = fs::remove_dir_all(doomed);
        std::process::exit(1);
    });
    let failed = match prepare(binary, &folder) {
        Ok(mut bench) => try_all(&mut bench, &words),
        Err(error) => {
            println!("FAIL  start: {error}");
            1
        }
    };
    let _ = fs::remove_dir_all(&folder);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn prepare(binary: &Path, folder: &Path) -> Result<Bench, Box<dyn Error + Send + Sync>> {
    let binary = binary.canonicalize()?;
    let upstream = Upstream::start()?;
    let main = folder.join("main");
    let recipe =
        Recipe { binary: &binary, folder: &main, upstream: upstream.address, limits: None, settings: None };
    let proxy = Proxy::start(&recipe)?;
    ordinary(&proxy)?;
    let start = proxy.facts();
    println!("start {start:?}");
    Ok(Bench { proxy, upstream, start, binary, folder: folder.to_owned() })
}

fn try_all(bench: &mut Bench, words: &[&str]) -> usize {
    let mut failed = 0;
    for (name, trial) in TRIALS {
        if !words.is_empty() && !words.iter().any(|word| name.starts_with(word)) {
            continue;
        }
        bench.upstream.forget();
        let since = Instant::now();
        let met = catch_unwind(AssertUnwindSafe(|| trial(bench)));
        let met = met.unwrap_or_else(|_| Err("the trial itself failed".into()));
        let took = since.elapsed().as_secs_f32();
        match met {
            Ok(figures) => println!("pass  {name}: {figures} ({took:.1} s)"),
            Err(error) => {
                failed += 1;
                println!("FAIL  {name}: {error} ({took:.1} s)");
            }
        }
    }
    let log = bench.proxy.log();
    if log.contains("panic") {
        failed += 1;
        println!("FAIL  log: {}", log.lines().find(|line| line.contains("panic")).unwrap_or_default());
    }
    failed
}

fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // A trial that needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// The middle one.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds, for people.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

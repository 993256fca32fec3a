//! Writes exchanges: into the trace, and into a file for each request. A thread of its own does it,
//! after the client has its answer. Where many wait it works a hundredth of the time: where that is too
//! little, exchanges are dropped and counted, and no request waits. (A thread of low priority would do the
//! same, but for the locks that it holds while it is put aside.)

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::base::channel::Receiver;
use crate::base::clock;
use crate::base::pause::Pause;
use crate::base::private;
use crate::config::Config;
use crate::observe::append::Appended;
use crate::observe::queue::{Item, Queue};
use crate::observe::record::Outcome;
use crate::observe::trace::{Bodies, Exchange};

/// So many exchanges wait,
const QUEUE: usize = 512;
/// and no more than so many bytes of them.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// While more than these wait,
const FEW: usize = 64;
/// the writer rests so many times as long as it wrote,
const REST: u32 = 99;
/// but no longer than this.
const LONGEST_REST: Duration = Duration::from_millis(50);
/// At the end a disk is given so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    trace: Option<PathBuf>,
    max_text: usize,
    requests: Option<PathBuf>,
    errors: Option<PathBuf>,
    bodies: bool,
}

/// The writer at work.
#[derive(Debug)]
pub struct Recorder {
    wants: Wants,
    queue: Queue,
    waiting: Arc<Waiting>,
    pause: Arc<Pause>,
}

/// What waits. It is asked by each request, so without a lock.
#[derive(Debug, Default)]
struct Waiting {
    exchanges: AtomicUsize,
    bytes: AtomicUsize,
}

impl Wants {
    /// What the configuration wants; `None` is nothing.
    pub fn of(config: &Config) -> Option<Self> {
        let log = &config.log;
        let wants = Self {
            trace: config.trace.file.clone(),
            max_text: config.trace.max_text,
            requests: log.requests_dir.clone(),
            errors: log.errors_dir.clone(),
            bodies: log.bodies,
        };
        (wants.trace.is_some() || wants.requests.is_some() || wants.errors.is_some()).then_some(wants)
    }
}

impl Recorder {
    /// Starts its thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(wants: Wants) -> io::Result<Self> {
        let waiting = Arc::new(Waiting::default());
        let wait = Arc::clone(&waiting);
        let mut writer = Writer { wants: wants.clone(), trace: None, told: Told::default() };
        let pause = Arc::new(Pause::default());
        let rests = Arc::clone(&pause);
        let run = move |exchanges: Receiver<Item>| {
            for item in exchanges {
                let Item::Exchange(exchange) = item else { continue };
                let since = clock::now();
                wait.leaves(exchange.size());
                writer.takes(&exchange);
                if wait.exchanges.load(Ordering::Relaxed) > FEW {
                    rests.rest(((clock::now() - since) * REST).min(LONGEST_REST));
                }
            }
        };
        let queue = Queue::start("trace", QUEUE, Box::new(run))?;
        Ok(Self { wants, queue, waiting, pause })
    }

    /// What it writes.
    pub fn wants(&self) -> &Wants {
        &self.wants
    }

    /// Are bodies needed?
    pub fn wants_bodies(&self) -> bool {
        self.wants.trace.is_some() || self.wants.bodies
    }

    /// Is there room for one more exchange? Where there is none, nobody takes the trouble to copy it;
    /// it counts as dropped.
    pub fn has_room(&self) -> bool {
        let has_room = self.waiting.exchanges.load(Ordering::Relaxed) < QUEUE
            && self.waiting.bytes.load(Ordering::Relaxed) <= MOST_BYTES;
        if !has_room {
            self.queue.drops();
        }
        has_room
    }

    /// Writes an exchange when its turn comes.
    pub fn keep(&self, exchange: Box<Exchange>) {
        let size = exchange.size();
        self.waiting.exchanges.fetch_add(1, Ordering::Relaxed);
        if self.waiting.bytes.fetch_add(size, Ordering::Relaxed) > MOST_BYTES {
            self.waiting.leaves(size);
            self.queue.drops();
        } else if !self.queue.put(Item::Exchange(exchange)) {
            self.waiting.leaves(size);
        }
    }

    /// Waits until all is written; not for long.
    pub fn finish(&self) {
        self.pause.end();
        self.queue.finish(PATIENCE);
        self.pause.begin();
    }
}

impl Waiting {
    fn leaves(&self, size: usize) {
        self.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}

struct Writer {
    wants: Wants,
    trace: Option<Appended>,
    told: Told,
}

/// Where nothing can be written, as the user was told: once, until something is written there.
#[derive(Debug, Default)]
struct Told(Vec<PathBuf>);

impl Writer {
    fn takes(&mut self, exchange: &Exchange) {
        let whole = if self.wants.bodies { Bodies::Whole } else { Bodies::None };
        if let Some(path) = self.wants.trace.clone() {
            let most = if self.wants.bodies { Bodies::Whole } else { Bodies::Excerpt(self.wants.max_text) };
            let written = self.trace(&path, &exchange.lines(most));
            self.check(&path, written);
        }
        let failed = exchange.record.outcome == Outcome::Error;
        let errors = self.wants.errors.clone().filter(|_| failed);
        let requests = self.wants.requests.clone();
        if let Some(folder) = errors.filter(|folder| requests.as_ref() != Some(folder)) {
            let written = own_file(&folder, exchange, whole);
            self.check(&folder, written);
        }
        if let Some(folder) = requests {
            let written = own_file(&folder, exchange, whole);
            self.check(&folder, written);
        }
    }

    fn trace(&mut self, path: &Path, lines: &[u8]) -> io::Result<()> {
        let now = clock::millis();
        let file = match &mut self.trace {
            Some(file) => file,
            None => self.trace.insert(Appended::open(path, now)?),
        };
        file.line(lines, now)
    }

    fn check(&mut self, path: &Path, written: io::Result<()>) {
        match written {
            Ok(()) => self.told.forget(path),
            Err(error) if self.told.is_news(path) => {
                log::error!("{} cannot be written: {error}", path.display());
            }
            Err(_) => {}
        }
    }
}

impl Told {
    /// Is it to be told of this place?
    fn is_news(&mut self, path: &Path) -> bool {
        let is_news = self.0.iter().all(|told| told != path);
        if is_news {
            self.0.push(path.to_owned());
        }
        is_news
    }

    fn forget(&mut self, path: &Path) {
        self.0.retain(|told| told != path);
    }
}

/// `FOLDER/2026-11-25T101530.123Z-ID.jsonl`
fn own_file(folder: &Path, exchange: &Exchange, bodies: Bodies) -> io::Result<()> {
    let record = &exchange.record;
    let name = format!("{}-{}.jsonl", record.at.rfc3339().replace(':', ""), record.id);
    private::folder(folder)?;
    private::file(&folder.join(name))?.write_all(&exchange.lines(bodies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_told_once() {
        let mut told = Told::default();
        let (broken, full) = (Path::new("broken"), Path::new("full"));
        assert!(told.is_news(broken) && told.is_news(full));
        // Another place that can be written says nothing of this one.
        told.forget(Path::new("good"));
        assert!(!told.is_news(broken) && !told.is_news(full));
        told.forget(broken);
        assert!(told.is_news(broken) && !told.is_news(full));
    }
}

//! What is measured, and how: the scenes, each over every way to the provider, in rounds.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Crowd, Streams, Tally, streams};
use crate::mock::{Mock, Script};
use crate::process::{Facts, Process, busy, facts};
use crate::requests::{Language, Question};

/// Small prompts, and a coding agent's.
const PROMPT: usize = 2_000;
const BIG_PROMPT: usize = 200_000;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scene {
    /// 100 connections, small whole answers, each asks again at once.
    Crowd,
    /// One connection, a prompt of 200 kB.
    Big,
    /// Streams after one another on one connection.
    First,
    /// 32 streams at once, a delta each 20 ms.
    Few,
    /// 256 streams at once, a delta each 50 ms.
    Many,
}

/// From the client to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Direct,
    Nginx,
    Native,
    Messages,
    Responses,
}

/// What one scene gave on one way, or the median of several. Times are milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figure {
    pub(crate) per_second: f64,
    /// Of the proxy, microseconds a request.
    pub(crate) cpu: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) first: f64,
    pub(crate) errors: usize,
    pub(crate) error: Option<String>,
}

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) mock: Mock,
    pub(crate) proxy: Process,
    pub(crate) nginx: Option<Process>,
}

/// All figures of all rounds.
#[derive(Default)]
pub(crate) struct Figures {
    of: HashMap<(Scene, Way), Vec<Figure>>,
    /// Cores that other processes used, for each figure.
    pub(crate) foreign: Vec<f64>,
}

impl Scene {
    pub(crate) const ALL: [Self; 5] = [Self::Crowd, Self::Big, Self::First, Self::Few, Self::Many];

    /// What it is called as an argument.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crowd => "c100",
            Self::Big => "big",
            Self::First => "s1",
            Self::Few => "s32",
            Self::Many => "s256",
        }
    }

    fn rounds(self) -> usize {
        match self {
            Self::Crowd | Self::Big => 3,
            Self::First | Self::Few | Self::Many => 2,
        }
    }
}

impl Way {
    const ALL: [Self; 5] = [Self::Direct, Self::Nginx, Self::Native, Self::Messages, Self::Responses];
    /// Those through the proxy.
    pub(crate) const OURS: [Self; 3] = [Self::Native, Self::Messages, Self::Responses];

    pub(crate) fn language(self) -> Language {
        match self {
            Self::Direct | Self::Nginx | Self::Native => Language::Chat,
            Self::Messages => Language::Messages,
            Self::Responses => Language::Responses,
        }
    }

    /// What it is called in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Native => "native",
            Self::Messages => "messages -> chat",
            Self::Responses => "responses -> chat",
        }
    }
}

impl Figures {
    /// Plays a scene on every way, in rounds.
    pub(crate) fn measure(&mut self, stage: &Stage, scene: Scene) -> io::Result<()> {
        for _ in 0..scene.rounds() {
            for way in Way::ALL {
                let (address, process) = match way {
                    Way::Direct => (stage.mock.address, None),
                    Way::Nginx => match &stage.nginx {
                        Some(nginx) => (nginx.address, Some(nginx)),
                        None => continue,
                    },
                    Way::Native | Way::Messages | Way::Responses => (stage.proxy.address, Some(&stage.proxy)),
                };
                let spent = |process: Option<&Process>| process.map_or(0.0, |process| process.facts().cpu);
                let own = || facts("self").cpu + spent(Some(&stage.proxy)) + spent(stage.nginx.as_ref());
                let (since, before) = (Instant::now(), busy() - own());
                let figure = play(scene, &stage.mock, way, (address, process))?;
                let foreign = (busy() - own() - before) / since.elapsed().as_micros() as f64;
                eprintln!("{} {}: {figure:?} others {foreign:.2}", scene.name(), way.name());
                self.foreign.push(foreign);
                self.of.entry((scene, way)).or_default().push(figure);
            }
        }
        Ok(())
    }

    /// The medians of all rounds, and the sum of all errors.
    pub(crate) fn get(&self, scene: Scene, way: Way) -> Option<Figure> {
        let all = self.of.get(&(scene, way))?;
        let middle = |field: fn(&Figure) -> f64| median(all.iter().map(field).collect());
        Some(Figure {
            per_second: middle(|figure| figure.per_second),
            cpu: middle(|figure| figure.cpu),
            p50: middle(|figure| figure.p50),
            p99: middle(|figure| figure.p99),
            first: middle(|figure| figure.first),
            errors: all.iter().map(|figure| figure.errors).sum(),
            error: all.iter().find_map(|figure| figure.error.clone()),
        })
    }
}

fn play(
    scene: Scene,
    mock: &Mock,
    way: Way,
    (address, process): (SocketAddr, Option<&Process>),
) -> io::Result<Figure> {
    let ms = Duration::from_millis;
    match scene {
        Scene::Crowd => asked(mock, way, (address, process), (100, PROMPT, 1_000)),
        Scene::Big => asked(mock, way, (address, process), (1, BIG_PROMPT, 4_000)),
        Scene::First => streamed(mock, way, address, (1, 20, ms(0)), (20, ms(5))),
        Scene::Few => streamed(mock, way, address, (32, 1, ms(500)), (100, ms(20))),
        Scene::Many => streamed(mock, way, address, (256, 1, ms(1000)), (60, ms(50))),
    }
}

/// Whole answers: connections, characters of the prompt and of the answer.
fn asked(
    mock: &Mock,
    way: Way,
    (address, process): (SocketAddr, Option<&Process>),
    (connections, prompt, answer): (usize, usize, usize),
) -> io::Result<Figure> {
    mock.play(Script::whole(answer));
    let request = way.language().request(address, Question { prompt, stream: false });
    let mut crowd = Crowd::connect(address, connections)?;
    let warm = crowd.ask(&request, Duration::from_millis(600))?;
    let cpu = || process.map_or(0.0, |process| process.facts().cpu);
    let before = cpu();
    let mut tally = crowd.ask(&request, Duration::from_millis(2000))?;
    let cpu = cpu() - before;
    tally.errors += warm.errors;
    let count = tally.answers.len() as f64;
    Ok(Figure {
        per_second: count / tally.took.as_secs_f64(),
        cpu: cpu / count,
        p50: share(&mut tally.answers, 0.5),
        p99: share(&mut tally.answers, 0.99),
        first: 0.0,
        errors: tally.errors,
        error: tally.error.or(warm.error),
    })
}

/// Streams: how many at once, how many after one another, their starts spread over; deltas, interval.
fn streamed(
    mock: &Mock,
    way: Way,
    address: SocketAddr,
    (count, repeat, ramp): (usize, usize, Duration),
    (deltas, interval): (u64, Duration),
) -> io::Result<Figure> {
    mock.play(Script::Stream { deltas, interval });
    let request = way.language().request(address, Question { prompt: PROMPT, stream: true });
    let end = way.language().end();
    let mut tally = streams(&Streams { address, request: &request, count, ramp, repeat, deltas, end })?;
    Ok(Figure {
        per_second: tally.delays.len() as f64 / tally.took.as_secs_f64(),
        cpu: 0.0,
        p50: share(&mut tally.delays, 0.5),
        p99: share(&mut tally.delays, 0.99),
        first: share(&mut tally.firsts, 0.5),
        errors: tally.errors,
        error: tally.error,
    })
}

/// A thousand streams on a fresh process: the most memory and threads meanwhile, and the errors.
pub(crate) fn thousand(
    mock: &Mock,
    way: Way,
    (binary, folder): (&Path, &Path),
) -> io::Result<(Facts, Tally)> {
    let (deltas, interval) = (25, Duration::from_millis(200));
    let proxy = Process::proxy(binary, folder, mock.address)?;
    mock.play(Script::Stream { deltas, interval });
    let request = way.language().request(proxy.address, Question { prompt: PROMPT, stream: true });
    let plan = Streams {
        address: proxy.address,
        request: &request,
        count: 1000,
        ramp: Duration::from_secs(3),
        repeat: 1,
        deltas,
        end: way.language().end(),
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = Facts::default();
            while !done.load(Ordering::Relaxed) {
                let now = proxy.facts();
                most.rss = most.rss.max(now.rss);
                most.threads = most.threads.max(now.threads);
                thread::sleep(Duration::from_millis(100));
            }
            most
        });
        let tally = streams(&plan);
        done.store(true, Ordering::Relaxed);
        Ok((watch.join().expect("the watch ends"), tally?))
    })
}

/// A share of sorted nanoseconds, in milliseconds.
fn share(times: &mut [u64], share: f64) -> f64 {
    times.sort_unstable();
    let at = (times.len().saturating_sub(1) as f64 * share).round() as usize;
    times.get(at).map_or(f64::NAN, |time| *time as f64 / 1e6)
}

/// The middle one; between two, the mean of both.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => (low + high) / 2.0,
        (None, _) | (_, None) => f64::NAN,
    }
}

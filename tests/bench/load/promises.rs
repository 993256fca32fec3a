//! The promises of speed and size, one row each.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use crate::mock::Mock;
use crate::process::Process;
use crate::scenes::{Figure, Figures, Scene, Stage, Way, median, thousand};

type Outcome<T> = Result<T, Box<dyn Error>>;
/// What is taken of a figure.
type Field = fn(&Figure) -> f64;

/// From ready to the look at idle memory.
const IDLE: Duration = Duration::from_secs(10);
/// Starts of which the median counts.
const STARTS: usize = 21;
const MIB: f64 = 1024.0 * 1024.0;

/// What became of a promise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail,
    /// It could not be measured here.
    Open,
}

/// The table, as it grows.
struct Table {
    words: Vec<String>,
    rows: Vec<(Verdict, [String; 3])>,
}

/// Measures all promises, or those that the arguments name.
pub(crate) fn run() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    // `cargo test --benches` runs this file as well, and says nothing.
    if words.is_empty() {
        println!("load: not run; `cargo bench --bench load -- path/to/llmgate`");
        return ExitCode::SUCCESS;
    }
    let mut words: Vec<String> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    let is_path = words.first().is_some_and(|word| word.contains('/'));
    let binary =
        if is_path { PathBuf::from(words.remove(0)) } else { PathBuf::from("target/release/llmgate") };
    let folder = env::temp_dir().join(format!("llmgate-load-{}", std::process::id()));
    let mut table = Table { words, rows: Vec::new() };
    let met = measure(&mut table, &binary, &folder);
    let _ = fs::remove_dir_all(&folder);
    table.print();
    if let Err(error) = met {
        println!("FAIL  {}: {error}", binary.display());
        return ExitCode::FAILURE;
    }
    let failed = table.rows.iter().any(|(verdict, _)| *verdict == Verdict::Fail);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(table: &mut Table, binary: &Path, folder: &Path) -> Outcome<()> {
    let binary = &binary.canonicalize()?;
    fs::create_dir_all(folder)?;
    raise_file_limit();
    let mock = Mock::start()?;
    if table.wants("binary") {
        table.binary(binary)?;
    }
    if table.wants("ready") {
        let start = || Process::proxy(binary, folder, mock.address);
        // The first one warms the file cache.
        start()?;
        let starts = (0..STARTS).map(|_| Ok(start()?.ready.as_secs_f64() * 1000.0));
        table.limit("ready", (median(starts.collect::<Outcome<_>>()?), 5.0), "ms");
    }
    if table.wants("idle") {
        let proxy = Process::proxy(binary, folder, mock.address)?;
        thread::sleep(IDLE);
        table.limit("idle memory", (proxy.facts().rss, 5.0), "MiB");
    }
    if table.wants("s1000") {
        for way in Way::OURS {
            let (most, tally) = thousand(&mock, way, (binary, folder))?;
            let good = most.rss <= 80.0 && most.threads <= 1010 && tally.errors == 0;
            table.row(
                good,
                format!("1000 open streams, {}", way.name()),
                "<= 80 MiB, 1010 threads, no error".to_owned(),
                format!("{:.1} MiB, {} threads, {} errors", most.rss, most.threads, tally.errors),
            );
            if let Some(error) = tally.error {
                println!("s1000 {}: {error}", way.name());
            }
        }
    }
    if Scene::ALL.into_iter().any(|scene| table.wants(scene.name())) {
        let nginx = Process::nginx(folder, mock.address)?;
        let stage = Stage { proxy: Process::proxy(binary, folder, mock.address)?, nginx, mock };
        scenes(table, &stage)?;
    }
    if table.wants("correctness") {
        let [promise, limit, measured] =
            ["correctness", "nothing lost or doubled", "`make test`, `make abuse`"];
        table.rows.push((Verdict::Open, [promise, limit, measured].map(str::to_owned)));
    }
    Ok(())
}

fn scenes(table: &mut Table, stage: &Stage) -> Outcome<()> {
    let mut figures = Figures::default();
    for scene in Scene::ALL {
        if table.wants(scene.name()) {
            figures.measure(stage, scene)?;
            table.scene(&figures, scene);
        }
    }
    let most = figures.foreign.iter().copied().fold(0.0, f64::max);
    println!("cores that others used meanwhile: median {:.2}, most {most:.2}\n", median(figures.foreign));
    Ok(())
}

impl Table {
    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| word == name)
    }

    fn row(&mut self, good: bool, promise: String, limit: String, measured: String) {
        let verdict = if good { Verdict::Pass } else { Verdict::Fail };
        self.rows.push((verdict, [promise, limit, measured]));
    }

    /// A figure with an upper limit.
    fn limit(&mut self, promise: &str, (measured, most): (f64, f64), unit: &str) {
        let (limit, measured_) = (format!("<= {most} {unit}"), format!("{measured:.2} {unit}"));
        self.row(measured <= most, promise.to_owned(), limit, measured_);
    }

    fn binary(&mut self, binary: &Path) -> Outcome<()> {
        let size = fs::metadata(binary)?.len() as f64 / MIB;
        let said = Command::new("ldd").arg(binary).output()?;
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        let is_static = said.contains("statically linked") || said.contains("not a dynamic executable");
        self.row(
            size <= 4.0 && is_static,
            "binary".to_owned(),
            "<= 4 MiB, static".to_owned(),
            format!("{size:.2} MiB, {}", if is_static { "static" } else { "dynamic" }),
        );
        Ok(())
    }

    /// The rows of a scene. Any error fails its way.
    fn scene(&mut self, figures: &Figures, scene: Scene) {
        let (direct, nginx) = (figures.get(scene, Way::Direct), figures.get(scene, Way::Nginx));
        for way in Way::OURS {
            let Some(own) = figures.get(scene, way) else { continue };
            match scene {
                Scene::Crowd => self.cost(way, &own, nginx.as_ref()),
                Scene::Big => {
                    let most = if way == Way::Native { 0.45 } else { 0.9 };
                    self.limit(&format!("a 200 kB prompt, {}", way.name()), (own.p50, most), "ms");
                    self.beside(direct.as_ref(), nginx.as_ref(), |figure| figure.p50);
                }
                Scene::First => {
                    self.limit(&format!("first event, {}", way.name()), (own.first, 0.5), "ms");
                    self.beside(direct.as_ref(), nginx.as_ref(), |figure| figure.first);
                }
                Scene::Few | Scene::Many => self.delay(scene, way, (&own, nginx.as_ref())),
            }
        }
        let all = [Way::Direct, Way::Nginx].into_iter().chain(Way::OURS);
        for (way, figure) in all.filter_map(|way| Some((way, figures.get(scene, way)?))) {
            if figure.errors > 0 {
                self.row(
                    false,
                    format!("{}, {}", scene.name(), way.name()),
                    "no error".to_owned(),
                    format!("{} errors: {}", figure.errors, figure.error.unwrap_or_default()),
                );
            }
        }
    }

    fn cost(&mut self, way: Way, own: &Figure, nginx: Option<&Figure>) {
        let (cpu, least) = if way == Way::Native { (60.0, 0.45) } else { (90.0, 0.30) };
        self.limit(&format!("CPU of a request, {}", way.name()), (own.cpu, cpu), "us");
        let share = nginx.map(|nginx| (own.per_second / nginx.per_second, nginx.per_second));
        self.ratio(
            share.map(|(share, _)| share >= least),
            format!("requests/s, {}", way.name()),
            format!(">= {least:.2} of nginx"),
            share.map(|(share, of)| format!("{share:.2} ({:.0} of {of:.0})", own.per_second)),
        );
    }

    fn delay(&mut self, scene: Scene, way: Way, (own, nginx): (&Figure, Option<&Figure>)) {
        let most = if way == Way::Native { 1.0 } else { 1.3 };
        let kinds: [(&str, Field); 2] = [("p50", |one| one.p50), ("p99", |one| one.p99)];
        for (kind, of) in kinds {
            // Of translated streams the middle is promised only.
            if kind == "p99" && way != Way::Native {
                continue;
            }
            self.ratio(
                nginx.map(|nginx| of(own) <= of(nginx) * most),
                format!("delay of an event, {}, {} {kind}", scene.name(), way.name()),
                format!("<= {most:.1} x nginx"),
                nginx.map(|nginx| {
                    format!("{:.2} ({:.3} of {:.3} ms)", of(own) / of(nginx), of(own), of(nginx))
                }),
            );
        }
    }

    /// A row that needs nginx.
    fn ratio(&mut self, good: Option<bool>, promise: String, limit: String, measured: Option<String>) {
        let verdict = match good {
            Some(true) => Verdict::Pass,
            Some(false) => Verdict::Fail,
            None => Verdict::Open,
        };
        let measured = measured.unwrap_or_else(|| "not measured (no nginx)".to_owned());
        self.rows.push((verdict, [promise, limit, measured]));
    }

    /// What the last row's figure is without the proxy, and through nginx.
    fn beside(&mut self, direct: Option<&Figure>, nginx: Option<&Figure>, of: impl Fn(&Figure) -> f64) {
        let Some((_, [_, _, measured])) = self.rows.last_mut() else { return };
        let told = |name: &str, figure: &Figure| format!("{name} {:.2}", of(figure));
        let told = [direct.map(|figure| told("direct", figure)), nginx.map(|figure| told("nginx", figure))];
        let told: Vec<String> = told.into_iter().flatten().collect();
        measured.push_str(&format!(" ({})", told.join(", ")));
    }

    fn print(&self) {
        let width = |at: usize| self.rows.iter().map(|(_, row)| row[at].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        println!("      {:first$}  {:second$}  measured", "promise", "limit");
        for (verdict, [promise, limit, measured]) in &self.rows {
            let verdict = match verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "FAIL",
                Verdict::Open => "open",
            };
            println!("{verdict}  {promise:first$}  {limit:second$}  {measured}");
        }
    }
}

/// A thousand streams have two ends in this process.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // What needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

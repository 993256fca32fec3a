//! `run`: real processes, with clients that write down what they were given.

mod clients;
mod ends;
mod exec;
mod homes;
mod models;
mod printed;
mod scripts;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use crate::support::client::{Answer, Client};
use crate::support::proxy::Folder;

const BINARY: &str = env!("CARGO_BIN_EXE_llmgate");

const CLIENTS: [&str; 9] =
    ["codex", "claude", "gemini", "opencode", "qwen", "copilot", "kilo", "kimi", "vibe"];

/// Every client: see there. It is linked, not written: a file that was just written may be busy, as
/// long as a process that another test started meanwhile has not closed it.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/run/fake.sh");

/// A home with every client in it.
struct Place {
    home: Folder,
}

impl Place {
    fn new(name: &str) -> Self {
        let home = Folder::new(name);
        for folder in ["bin", "out", "ws"] {
            fs::create_dir_all(home.file(folder)).unwrap();
        }
        for client in CLIENTS {
            symlink(FAKE, home.file(&format!("bin/{client}"))).unwrap();
        }
        Self { home }
    }

    /// The program with these words, in an environment of its own.
    fn program(&self, program: &Path, words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", &self.home.0)
            .env("PATH", format!("{}:/usr/bin:/bin", self.home.file("bin").display()))
            .env("FAKE_OUT", self.home.file("out"))
            .envs(variables.iter().copied())
            .current_dir(self.home.file("ws"))
            .args(words);
        command
    }

    /// `llmgate` with these words.
    fn llmgate(&self, words: &[&str], variables: &[(&str, &str)]) -> Command {
        self.program(Path::new(BINARY), words, variables)
    }

    /// Runs `llmgate` to its end.
    fn output(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        self.llmgate(words, variables).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts a session with `--demo` and waits until the client is there.
    fn demo(&self, client: &str, words: &[&str], variables: &[(&str, &str)]) -> Session<'_> {
        let words: Vec<&str> = ["run", client, "--demo"].iter().chain(words).copied().collect();
        Session::start(self, self.llmgate(&words, variables))
    }

    /// The folder of what outlives a process.
    fn state(&self, below: &str) -> PathBuf {
        self.home.file(".local/state/llmgate").join(below)
    }

    /// What the client wrote down.
    fn noted(&self, name: &str) -> String {
        fs::read_to_string(self.home.file("out").join(name)).unwrap_or_default()
    }

    fn argv(&self) -> Vec<String> {
        self.noted("argv").lines().map(str::to_owned).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        let text = self.noted("env");
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    }

    /// Names and contents of all files below a folder.
    fn files(&self, below: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.home.file(below), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
            files.insert(path, Vec::new());
        } else {
            let text = fs::read(&path).unwrap_or_default();
            files.insert(path, text);
        }
    }
}

/// A session whose client is there; killed when it is dropped.
struct Session<'a> {
    place: &'a Place,
    child: Child,
    input: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

/// How a session ended.
struct Ended {
    code: Option<i32>,
    err: String,
}

impl<'a> Session<'a> {
    fn start(place: &'a Place, mut command: Command) -> Self {
        let err = fs::File::create(place.home.file("err")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err).spawn().unwrap();
        let input = child.stdin.take();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let session = Self { place, child, input, out };
        assert_eq!(line, "ready\n", "{}", session.err());
        session
    }

    fn err(&self) -> String {
        fs::read_to_string(self.place.home.file("err")).unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Lets the client end, and waits for all of it.
    fn end(mut self) -> Ended {
        drop(self.input.take());
        self.ended()
    }

    /// Waits for the end.
    fn ended(mut self) -> Ended {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        Ended { code: self.child.wait().unwrap().code(), err: self.err() }
    }

    /// A GET with a key, at the URL that the client was told.
    fn get(&self, url: &str, path: &str, key: &str) -> Answer {
        ask(url, "GET", path, key, "")
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        drop(self.input.take());
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request with a key; the URL may have a path.
fn ask(url: &str, method: &str, path: &str, key: &str, body: &str) -> Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, below) = rest.split_once('/').map_or((rest, String::new()), |(a, b)| (a, format!("/{b}")));
    let address: SocketAddr = address.parse().unwrap();
    let mut client = Client::connect(address);
    let bearer = format!("Bearer {key}");
    client.ask(method, &format!("{below}{path}"), &[("authorization", &bearer)], body.as_bytes());
    client.answer()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

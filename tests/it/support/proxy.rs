//! The proxy, started in the process on a free port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use llmgate::base::clock;
use llmgate::base::env::Env;
use llmgate::config::{self, Overrides};
use llmgate::server::{Server, Setup};
use serde_json::Value;

use crate::support::GUARD;
use crate::support::client::{Answer, Client, Stream};

/// A proxy at work; it stops listening when it is dropped.
pub(crate) struct Proxy {
    /// The server itself.
    pub(crate) server: Server,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Proxy {
    /// Starts one with a configuration and an empty environment.
    pub(crate) fn start(yaml: &str) -> Self {
        Self::start_in(yaml, &[])
    }

    /// Starts one with a configuration and an environment.
    pub(crate) fn start_in(yaml: &str, variables: &[(&str, &str)]) -> Self {
        let env = Env::of(variables.iter().copied());
        let overrides = Overrides::default();
        let config = config::from_text(yaml, Path::new("test.yaml"), &env, &overrides)
            .unwrap_or_else(|errors| panic!("{errors}\n{yaml}"));
        Self::of(config, env)
    }

    /// Starts one with the built-in demo (`--demo`).
    pub(crate) fn start_demo() -> Self {
        let env = Env::default();
        let overrides =
            Overrides { demo: true, listen: Some("127.0.0.1:0".to_owned()), ..Overrides::default() };
        Self::of(config::load(None, &env, &overrides).unwrap(), env)
    }

    /// Starts one with the configuration of a file, which it can load again.
    pub(crate) fn start_with_file(path: &Path) -> Self {
        let env = Env::default();
        let config = config::load(Some(path), &env, &Overrides::default()).unwrap();
        Self::of(config, env)
    }

    fn of(config: config::Config, env: Env) -> Self {
        let setup = Setup { env, overrides: Overrides::default(), watch: false };
        let server = Server::start(config, setup).unwrap_or_else(|error| panic!("{error}"));
        let address = server.addresses()[0];
        Self { server, address }
    }

    /// Ends it as a process ends: when this returns, all is told to the state file.
    pub(crate) fn ends(self) {
        self.server.drain();
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own, up to the whole answer.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut client = self.connect();
        client.ask(method, path, headers, body.as_bytes());
        client.answer()
    }

    /// A POST up to the whole answer.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[], body)
    }

    /// A GET up to the whole answer.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// A POST whose answer is read as it comes.
    pub(crate) fn stream(&self, path: &str, body: &str) -> Stream {
        let mut client = self.connect();
        client.ask("POST", path, &[], body.as_bytes());
        client.stream()
    }

    /// The status once so many requests are told: a record is told after the last byte of its answer.
    pub(crate) fn settled(&self, requests: u64) -> Value {
        self.until(|status| status["session"]["requests"] == requests)
    }

    /// The first status of which this is so.
    pub(crate) fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut client = self.connect();
        let end = clock::now() + GUARD;
        loop {
            client.ask("GET", "/debug/status", &[], b"");
            let status = client.answer().json();
            if is_so(&status) {
                return status;
            }
            assert!(clock::now() < end, "{status}");
            std::thread::yield_now();
        }
    }
}

/// A folder of a test's own, removed when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Makes one; `name` is used by one test only.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("llmgate-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

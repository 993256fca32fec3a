//! The proxy and nginx as processes, seen from outside.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::requests::MODEL;

/// How long a process may take to answer.
const START: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const LOOK: Duration = Duration::from_micros(100);
/// The kernel's unit of CPU time, in microseconds, on every machine that Rust's std runs on.
const TICK: f64 = 10_000.0;

/// A running server. It is killed on drop.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer to `/health`.
    pub(crate) ready: Duration,
}

/// What the system tells about a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Microseconds, by ticks of ten milliseconds.
    pub(crate) cpu: f64,
    /// Resident memory, MiB.
    pub(crate) rss: f64,
    pub(crate) threads: u64,
}

impl Process {
    /// Starts the binary with two targets behind one alias.
    pub(crate) fn proxy(binary: &Path, folder: &Path, upstream: SocketAddr) -> io::Result<Self> {
        let address = free_address()?;
        let config = folder.join("config.yaml");
        let target =
            format!("{{protocol: openai-chat, base_url: 'http://{upstream}/v1', api_key: key-of-the-bench}}");
        fs::write(
            &config,
            format!(
                "version: 1\n\
                 listen: {address}\n\
                 state: {{store: memory}}\n\
                 usage: {{ledger: false}}\n\
                 log: {{level: warn}}\n\
                 providers:\n\
                 \x20 one: {target}\n\
                 \x20 two: {target}\n\
                 models:\n\
                 \x20 {MODEL}: {{targets: [{{to: one/{MODEL}}}, {{to: two/{MODEL}}}]}}\n"
            ),
        )?;
        let mut command = Command::new(binary);
        command.args(["start", "--exit-with-parent", "--config"]).arg(config);
        Self::start(command, folder, address)
    }

    /// Starts nginx as a plain relay; nothing when there is none.
    pub(crate) fn nginx(folder: &Path, upstream: SocketAddr) -> io::Result<Option<Self>> {
        let Some(binary) = nginx() else { return Ok(None) };
        let address = free_address()?;
        let config = folder.join("nginx.conf");
        let place = folder.display();
        fs::write(
            &config,
            format!(
                "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/nginx.log;\n\
                 worker_rlimit_nofile 8192; events {{ worker_connections 8192; }}\n\
                 http {{ access_log off; tcp_nodelay on; keepalive_requests 10000000;\n\
                 client_max_body_size 8m; client_body_buffer_size 1m;\n\
                 client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;\n\
                 uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
                 upstream mock {{ server {upstream}; keepalive 1100; keepalive_requests 10000000; }}\n\
                 server {{ listen {address}; location = /health {{ return 200 ok; }}\n\
                 location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_buffering off;\n\
                 proxy_request_buffering off; proxy_set_header Connection \"\"; }} }} }}\n"
            ),
        )?;
        let mut command = Command::new(binary);
        command.arg("-p").arg(folder).arg("-c").arg(config);
        Self::start(command, folder, address).map(Some)
    }

    fn start(mut command: Command, folder: &Path, address: SocketAddr) -> io::Result<Self> {
        let log = folder.join("log");
        command.env_clear().env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&log)?);
        let since = Instant::now();
        let mut process = Self { child: command.spawn()?, address, ready: Duration::ZERO };
        while !is_healthy(address) {
            if since.elapsed() > START || process.child.try_wait()?.is_some() {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(io::Error::other(format!("{command:?} did not start: {said}")));
            }
            thread::sleep(LOOK);
        }
        process.ready = since.elapsed();
        Ok(process)
    }

    /// What the system tells now.
    pub(crate) fn facts(&self) -> Facts {
        facts(&self.child.id().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the system tells of a process, by its name in `/proc`.
pub(crate) fn facts(name: &str) -> Facts {
    let read = |file: &str| fs::read_to_string(format!("/proc/{name}/{file}")).unwrap_or_default();
    let (stat, status) = (read("stat"), read("status"));
    // The command's name may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss = rss.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Facts { cpu: (field(11) + field(12)) * TICK, rss: rss.unwrap_or(0.0) / 1024.0, threads: field(17) as u64 }
}

/// CPU time that the whole machine has spent, in microseconds.
pub(crate) fn busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // Idle, and idle while a disk is waited for.
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    (ticks.iter().sum::<f64>() - idle) * TICK
}

/// Which nginx; `NGINX`, else the one on the path or where Debian has it.
fn nginx() -> Option<PathBuf> {
    if let Some(path) = env::var_os("NGINX") {
        return Some(path.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join("nginx")).find(|file| file.is_file())
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(START))?;
        write!(socket, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut first = [0; 12];
        socket.read_exact(&mut first)?;
        Ok(first.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

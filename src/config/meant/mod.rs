//! The configuration as meant: what [`check`](super::check) makes of what was written, names
//! resolved, defaults filled in, nothing left to doubt. Immutable; a reload makes a new one.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::base::id::ModelName;
use crate::base::secret::Secret;
use crate::policy::class::ClassRule;
use crate::policy::{backoff, breaker, step};

pub use crate::policy::backoff::Cooldown;
pub use alias::*;
pub use provider::*;
pub use records::*;

mod alias;
mod default;
mod provider;
mod records;

/// Everything a process was told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it came from.
    pub source: Source,
    /// `host:port` to listen on; port 0 means any free one.
    pub listen: String,
    /// The model when a request names none.
    pub default_model: Option<ModelName>,
    /// What a name that resolves to nothing gets.
    pub unknown_model: UnknownModel,
    /// May clients ask for `provider/model`?
    pub direct_routes: bool,
    /// What is done about what a protocol cannot carry.
    pub compat: Compat,
    /// May requests ask for faults (SPEC 6.8)?
    pub test_mode: bool,
    /// Which `x-llmgate-` headers answers carry.
    pub response_headers: ResponseHeaders,
    /// Is the dashboard served?
    pub dashboard: bool,
    /// Who may use the proxy.
    pub client_auth: ClientAuth,
    /// What each of its keys may use; none where keys cannot be told apart.
    pub client_buckets: Vec<Bucket>,
    /// From where.
    pub access: Access,
    /// How much at once.
    pub limits: Limits,
    /// How long.
    pub timeouts: Timeouts,
    /// SPEC 6.2.
    pub retry: Retry,
    /// SPEC 6.4.
    pub cooldown: Cooldown,
    /// SPEC 6.5.
    pub breaker: Breaker,
    /// Own rules about failures, first match wins.
    pub classify: Vec<ClassRule>,
    /// The upstream accounts, as written.
    pub providers: Vec<Provider>,
    /// The names that clients see, as written.
    pub models: Vec<AliasRoute>,
    /// SPEC 11.1.
    pub log: Log,
    /// SPEC 11.5, 7.5.
    pub usage: UsageLog,
    /// SPEC 11.6.
    pub trace: Trace,
    /// SPEC 14.
    pub state: State,
    /// A PEM file with private roots, added to the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// What is odd but allowed; told at start, one text each.
    pub warnings: Vec<String>,
}

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The environment alone (SPEC 4.4), with the variables (or `--local`) whose providers were made.
    Environment(Vec<String>),
    /// `--demo` (SPEC 4.5).
    Demo,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Demo => f.write_str("the built-in demo (--demo)"),
            Self::Environment(variables) => write!(f, "environment ({})", variables.join(", ")),
        }
    }
}

/// What a name that resolves to nothing gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownModel {
    /// 404.
    Refuse,
    /// The default model.
    UseDefault,
}

/// What is done about what a protocol cannot carry (SPEC 8.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// Drop it, and say so.
    Max,
    /// Refuse the request.
    Strict,
}

/// Which `x-llmgate-` headers answers carry (SPEC 11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseHeaders {
    /// All on loopback, few elsewhere.
    Auto,
    /// All.
    All,
    /// The request id alone.
    IdOnly,
}

/// Who may use the proxy (SPEC 10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Anyone who reaches it; client credentials are dropped.
    None,
    /// Holders of one of these keys.
    ProxyKey(Vec<Secret>),
    /// Holders of any credential, which goes upstream.
    ClientKey,
}

/// From where the proxy may be used (SPEC 10.2, 10.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Addresses that may connect; empty means all.
    pub allowed_ips: Vec<Network>,
    /// Origins of web pages that may call.
    pub cors_origins: Vec<String>,
    /// A loopback address of its own for the local endpoints.
    pub admin_listen: Option<SocketAddr>,
}

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// How many leading bits an address must share.
    pub prefix: u8,
}

/// Bounds of what is held at once. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Generations in parallel.
    pub requests: usize,
    /// Generations that wait for a slot.
    pub queue: usize,
    /// Connections.
    pub connections: usize,
    /// A request body, decompressed.
    pub request_body: usize,
    /// A buffered answer.
    pub response_body: usize,
    /// An upstream error's body.
    pub error_body: usize,
    /// One event of a stream, or one tool call.
    pub sse_frame: usize,
}

/// Bounds of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, name look-up and TLS included.
    pub connect: Duration,
    /// Until the head of a streamed answer.
    pub first_byte: Duration,
    /// Until the head of a whole answer.
    pub buffered: Duration,
    /// Silence inside a body.
    pub stream_idle: Duration,
    /// One client request with all its attempts.
    pub total: Duration,
    /// Silence towards the client before a ping; zero is never.
    pub keepalive: Duration,
    /// Waiting before the head is sent early; zero is never.
    pub commit_after: Duration,
    /// For running requests at stop.
    pub drain: Duration,
}

/// Retries of one target and of one request (SPEC 6.2, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries of one target.
    pub attempts: u32,
    /// Tries of one request; 0 is no limit.
    pub total: u32,
    /// Before the first retry.
    pub base_delay: Duration,
    /// Before any retry.
    pub max_delay: Duration,
    /// The longest Retry-After that is waited for.
    pub max_wait: Duration,
    /// May a moderation refusal go to another target?
    pub policy_fallback: bool,
}

/// The circuit breaker (SPEC 6.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Is there one?
    pub enabled: bool,
    /// Terminal failures that open it.
    pub threshold: u32,
    /// Inside this time.
    pub window: Duration,
    /// Open for this long at first.
    pub cooldown: Duration,
    /// And at most for this long.
    pub max_cooldown: Duration,
    /// Do failures that were retried count?
    pub retried_failures: RetriedFailures,
    /// The text in the answer when nothing is left.
    pub signal: String,
}

/// A rate limit is waited for so often in one request (SPEC 6.3).
const RATE_LIMIT_WAITS: u32 = 2;

impl Retry {
    /// How often a request may be tried at a target that may have its own number of tries.
    pub fn limits(&self, attempts: Option<u32>) -> step::Limits {
        step::Limits {
            attempts: attempts.unwrap_or(self.attempts),
            total: self.total,
            waits: RATE_LIMIT_WAITS,
            max_wait: self.max_wait,
            backoff: backoff::Settings { base: self.base_delay, max: self.max_delay },
        }
    }
}

impl Breaker {
    /// When it opens, and for how long; one that is switched off never does.
    pub fn settings(&self) -> breaker::Settings {
        breaker::Settings {
            threshold: if self.enabled { self.threshold } else { 0 },
            window: self.window,
            cooldown: self.cooldown,
            max_cooldown: self.max_cooldown,
        }
    }
}

/// Do failures that were retried count for the breaker?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetriedFailures {
    /// No.
    Ignore,
    /// No, but they are logged.
    Log,
    /// Yes.
    Count,
}

/// SPEC 14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What form it takes.
    pub store: Store,
    /// The file; `None` is the state directory's.
    pub file: Option<PathBuf>,
    /// The redis server's address, `redis://[[user]:password@]host[:port][/database]`.
    pub url: Option<Secret>,
    /// How long an entry lives.
    pub ttl: Duration,
}

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In this process.
    Memory,
    /// In a file.
    File,
    /// In redis (a cargo feature).
    Redis,
}

//! The configuration as meant: what [`check`] makes of what was written, names resolved, defaults
//! filled in, nothing left to doubt. Immutable; a reload makes a new one.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::base::id::{Alias, ModelName, ProviderName, TargetId};
use crate::base::secret::Secret;
use crate::policy::class::ClassRule;
use crate::protocol::Protocol;
use crate::protocol::dialect::{LimitField, ReasoningField, ReasoningStyle};

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
    /// SPEC 6.8.
    pub test_mode: bool,
    /// Which `x-llmgate-` headers answers carry.
    pub response_headers: ResponseHeaders,
    /// Is the dashboard served?
    pub dashboard: bool,
    /// Who may use the proxy.
    pub client_auth: ClientAuth,
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
    /// The environment alone (SPEC 4.4), with the variables whose providers were made.
    Environment(Vec<String>),
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

/// How long a target rests after a failure (SPEC 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// After a 429 without Retry-After.
    pub rate_limit: Duration,
    /// The longest Retry-After that is believed.
    pub max_retry_after: Duration,
    /// After a spent quota.
    pub quota: Duration,
    /// After a refused key.
    pub auth: Duration,
    /// After a missing model.
    pub not_found: Duration,
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

/// One upstream account.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name.
    pub name: ProviderName,
    /// What it speaks; the client's own protocol if listed, else the first.
    pub protocols: Vec<Protocol>,
    /// Where, with the version segment and without a final slash.
    pub base_url: String,
    /// Its key, if it wants one.
    pub key: Option<ProviderKey>,
    /// How the key is sent.
    pub auth: AuthForm,
    /// Switch 1 of 3.
    pub enabled: bool,
    /// How it is reached.
    pub proxy: ProxyChoice,
    /// SPEC 10.5.
    pub passthrough: bool,
    /// Headers added to every call; they win over all others.
    pub headers: Vec<(String, String)>,
    /// Its own bounds of waiting; the general ones filled in.
    pub timeouts: ProviderTimeouts,
    /// What is known of its models; one that is not here is unknown and allowed.
    pub models: Vec<ModelSpec>,
    /// SPEC 7.4.
    pub buckets: Vec<Bucket>,
}

/// A provider's key and where it came from, so that an error can name the variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderKey {
    /// The key.
    pub secret: Secret,
    /// The environment variable it came from, if it did.
    pub variable: Option<String>,
}

/// How a key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthForm {
    /// As the protocol wants it.
    Auto,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
    /// Not at all.
    None,
}

/// How a provider is reached. Loopback never goes through a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// Directly.
    Direct,
    /// Through this proxy, `http://host:port` or `socks5://host:port`.
    Through(Secret),
}

/// Bounds of waiting for one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderTimeouts {
    /// See [`Timeouts::connect`].
    pub connect: Duration,
    /// See [`Timeouts::first_byte`].
    pub first_byte: Duration,
    /// See [`Timeouts::buffered`].
    pub buffered: Duration,
    /// See [`Timeouts::stream_idle`].
    pub stream_idle: Duration,
}

/// What is known of one model. `None` is unknown, and unknown is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Its name at the provider.
    pub name: ModelName,
    /// Tokens that fit into it.
    pub context: Option<u64>,
    /// Tokens it can write.
    pub max_output: Option<u64>,
    /// What it takes as input.
    pub input: Option<Vec<Modality>>,
    /// What it can do with tools.
    pub tools: ToolAbility,
    /// How it is asked to reason.
    pub reasoning: Option<ReasoningStyle>,
    /// What it costs.
    pub price: Option<Price>,
    /// Fields written into every body, by dotted path.
    pub set: Vec<(String, Value)>,
    /// Fields removed from every body, by dotted path.
    pub drop: Vec<String>,
    /// Can it stream?
    pub stream: Option<bool>,
    /// Name of the output limit in Chat requests.
    pub limit_field: Option<LimitField>,
    /// Where a Chat server puts reasoning.
    pub reasoning_field: Option<ReasoningField>,
    /// For the estimate of input tokens.
    pub chars_per_token: Option<f64>,
    /// Are cache marks made for it (SPEC 8.8)?
    pub cache: CacheMarks,
    /// Is Claude Code's attribution block removed (SPEC 8.8)?
    pub strip_billing: StripBilling,
}

/// What a model takes as input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    /// Text.
    Text,
    /// Images inside the request.
    Image,
    /// Images by URL.
    ImageUrl,
    /// PDF documents.
    Pdf,
    /// Audio.
    Audio,
}

/// What a model can do with tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolAbility {
    /// Not said.
    Unknown,
    /// Nothing.
    None,
    /// Call them.
    Some {
        /// Several in one turn?
        parallel: Option<bool>,
        /// The vendor's own web search?
        search: Option<bool>,
        /// How `apply_patch` is offered.
        apply_patch: Option<ApplyPatch>,
    },
}

/// How `apply_patch` is offered to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyPatch {
    /// As a free-form tool.
    Freeform,
    /// As a function.
    Function,
}

/// USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Uncached input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from the cache; missing means the input price.
    pub cache_read: Option<f64>,
    /// Input written to the cache; missing means the input price.
    pub cache_write: Option<f64>,
}

/// Are cache marks made for a model?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMarks {
    /// Where they help.
    Auto,
    /// Never.
    Off,
}

/// Is Claude Code's attribution block removed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripBilling {
    /// For all hosts but Anthropic's own.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A limit of requests or tokens in a window (SPEC 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name, unique in its provider.
    pub name: String,
    /// The models it counts; `None` is all.
    pub models: Option<Vec<ModelName>>,
    /// Requests in a window.
    pub requests: Option<u64>,
    /// Input tokens in a window.
    pub tokens: Option<u64>,
    /// The window.
    pub window: Window,
}

/// A window aligned to UTC: so many of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: WindowUnit,
}

/// The unit of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowUnit {
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Calendar months.
    Month,
}

/// One name that clients see, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasRoute {
    /// The name or pattern.
    pub alias: Alias,
    /// Switch 2 of 3.
    pub enabled: bool,
    /// Is it shown in model lists?
    pub listed: bool,
    /// Order inside one priority (SPEC 5.4).
    pub strategy: Strategy,
    /// How long a session stays on its target; zero is not at all.
    pub affinity: Duration,
    /// The targets, as written.
    pub targets: Vec<Target>,
    /// Aliases or targets to try after them.
    pub fallback: Vec<Fallback>,
}

/// Order inside one priority (SPEC 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// As written.
    Ordered,
    /// Uniform.
    Random,
    /// In rotation.
    RoundRobin,
    /// Smooth weighted round robin.
    WeightedRoundRobin,
    /// The same, by remaining quota and recent failures.
    QuotaAware,
}

/// One target of an alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Provider and model; the model `*` is the asked name.
    pub to: TargetId,
    /// Lower first.
    pub priority: u32,
    /// Share inside its priority.
    pub weight: u32,
    /// Switch 3 of 3.
    pub enabled: bool,
    /// Its own `first_byte`.
    pub first_byte: Option<Duration>,
    /// Its own number of tries.
    pub attempts: Option<u32>,
    /// When it may be used (SPEC 5.3).
    pub when: When,
}

/// When a target may be used (SPEC 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// At most so many input tokens.
    pub max_input: Option<u64>,
    /// At least so many input tokens.
    pub min_input: Option<u64>,
    /// Only with, or only without, images.
    pub has_images: Option<bool>,
    /// Only with, or only without, reasoning.
    pub thinking: Option<bool>,
}

/// Where an alias leads when its targets fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// To another alias.
    Alias(Alias),
    /// To a target.
    Target(TargetId),
}

/// SPEC 11.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is written.
    pub level: LogLevel,
    /// A file; `None` is stderr.
    pub file: Option<PathBuf>,
    /// When the file is changed for a new one.
    pub rotate: Rotate,
    /// Are secrets masked in headers that are logged?
    pub mask: bool,
    /// A file for each request.
    pub requests_dir: Option<PathBuf>,
    /// A file for each failed request.
    pub errors_dir: Option<PathBuf>,
    /// Prompts and answers into those files?
    pub bodies: bool,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Headers (masked), plans, each attempt.
    Debug,
    /// A line for each request.
    Info,
    /// Failovers, losses, budgets.
    Warn,
    /// Final failures.
    Error,
}

/// When a log file is changed for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// Each UTC day.
    pub daily: bool,
    /// At this size in bytes.
    pub max_size: u64,
    /// How many old ones are kept.
    pub keep: u32,
}

/// SPEC 11.5, 7.5.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageLog {
    /// Where the ledger is written.
    pub ledger: Ledger,
    /// USD for this process.
    pub session_budget: Option<f64>,
    /// USD for a UTC day.
    pub day_budget: Option<f64>,
    /// Where each line is posted.
    pub hook: Option<UsageHook>,
}

/// Where the ledger is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Nowhere.
    Off,
    /// Into the state directory.
    StateDir,
    /// Into this file.
    File(PathBuf),
}

/// Where each ledger line is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageHook {
    /// The address.
    pub url: String,
    /// Value of the `Authorization` header.
    pub authorization: Option<Secret>,
    /// How long a post may take.
    pub timeout: Duration,
}

/// SPEC 11.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Characters of a text that are kept.
    pub max_text: usize,
}

/// SPEC 14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What form it takes.
    pub store: Store,
    /// The file; `None` is the state directory's.
    pub file: Option<PathBuf>,
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

//! Providers, their limits, and what is known of their models.

use std::time::Duration;

use serde_json::Value;

use crate::base::id::{ModelName, ProviderName};
use crate::base::secret::Secret;
use crate::config::units;
use crate::policy::bucket;
use crate::protocol::Protocol;
use crate::protocol::dialect::{LimitField, ReasoningField, ReasoningStyle};

pub use crate::policy::bucket::{Window, WindowUnit};
pub use crate::policy::budget::{Above, Price};

/// The `base_url` of the built-in demo (SPEC 4.5).
pub const DEMO_URL: &str = "demo:";

/// One upstream account.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name.
    pub name: ProviderName,
    /// What it speaks; the client's own protocol if listed, else the first. The demo speaks them all:
    /// where none is written, it is empty.
    pub protocols: Vec<Protocol>,
    /// Where, with the version segment and without a final slash.
    pub base_url: String,
    /// Its key, if it wants one.
    pub key: Option<ProviderKey>,
    /// How the key is sent.
    pub auth: AuthForm,
    /// Is it on? The first of the three switches of a target.
    pub enabled: bool,
    /// How it is reached.
    pub proxy: ProxyChoice,
    /// Are requests handed on to it whose path is none of ours (SPEC 10.5)?
    pub passthrough: bool,
    /// Headers added to every call; they win over all others.
    pub headers: Vec<OwnHeader>,
    /// Its own bounds of waiting; the general ones filled in.
    pub timeouts: ProviderTimeouts,
    /// What is known of its models; one that is not here is unknown and allowed.
    pub models: Vec<ModelSpec>,
    /// SPEC 7.4.
    pub buckets: Vec<Bucket>,
}

/// A header that every call of a provider carries.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnHeader {
    /// Its name, as written.
    pub name: String,
    /// Its value; it may be a credential.
    pub value: Secret,
    /// Is the value masked where the configuration is shown? It is when the name tells of a credential,
    /// and when it came from a variable: people keep there what nobody may see.
    pub is_secret: bool,
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
    /// See [`Timeouts::connect`](super::Timeouts::connect).
    pub connect: Duration,
    /// See [`Timeouts::first_byte`](super::Timeouts::first_byte).
    pub first_byte: Duration,
    /// See [`Timeouts::buffered`](super::Timeouts::buffered).
    pub buffered: Duration,
    /// See [`Timeouts::stream_idle`](super::Timeouts::stream_idle).
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

impl Bucket {
    /// Its window as it is written: `1m`, `1mo`.
    pub fn shown_window(&self) -> String {
        units::show_window(self.window)
    }

    /// Does it count requests for this model?
    pub fn counts(&self, model: &ModelName) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model))
    }

    /// What it holds in each window.
    pub fn limit(&self) -> bucket::Limit {
        bucket::Limit { requests: self.requests, tokens: self.tokens, window: self.window }
    }
}

//! The configuration as written. Each table here is the whole truth about which keys exist: the
//! reader and the list that docs/CONFIG.md is compared with are made of it.

use std::time::Duration;

use super::errors::Errors;
use super::file::{Kind, Node};
use super::read::{At, Empty, Entries, Field, Keys, Read, SECTION, Slot, bare, fill, section, wrong};
use super::scalar::{Anything, HeaderValue, Key, Size};
use super::words::Words;
use super::{
    ApplyPatch, AuthForm, CacheMarks, Compat, LogLevel, Modality, ResponseHeaders, RetriedFailures, Store,
    Strategy, StripBilling, UnknownModel, Window,
};
use crate::base::secret::Secret;
use crate::policy::class::Class;
use crate::protocol::Protocol;
use crate::protocol::dialect::{LimitField, ReasoningField, ReasoningStyle};

/// Every key path there is; names that the user chooses are `<name>`.
pub(super) fn key_paths() -> Vec<String> {
    let mut list = Vec::new();
    Root::KEYS.list("", &mut list);
    list
}

section! {
    /// The file.
    Root {
        version: u64,
        listen: String,
        default_model: String,
        unknown_model: UnknownModel,
        direct_routes: bool,
        compat: Compat,
        test_mode: bool,
        response_headers: ResponseHeaders,
        dashboard: bool,
        client_auth: ClientAuth,
        access: Access,
        limits: Limits,
        timeouts: Timeouts,
        retry: Retry,
        cooldown: Cooldown,
        breaker: Breaker,
        classify: Vec<At<ClassRule>>,
        providers: Entries<Provider>,
        models: Entries<Alias>,
        log: Log,
        usage: Usage,
        trace: Trace,
        state: State,
        tls: Tls,
    }

    /// `client_auth:`
    ClientAuth {
        mode: AuthMode,
        keys: Vec<At<Secret>>,
        buckets: Vec<At<Bucket>>,
    }

    /// `access:`
    Access {
        allowed_ips: Vec<At<String>>,
        cors_origins: Vec<At<String>>,
        admin_listen: String,
    }

    /// `limits:`
    Limits {
        requests: u32,
        queue: u32,
        connections: u32,
        request_body: Size,
        response_body: Size,
        error_body: Size,
        sse_frame: Size,
    }

    /// `timeouts:`
    Timeouts {
        connect: Duration,
        first_byte: Duration,
        buffered: Duration,
        stream_idle: Duration,
        total: Duration,
        keepalive: Duration,
        commit_after: Duration,
        drain: Duration,
    }

    /// `retry:`
    Retry {
        attempts: u32,
        total: u32,
        base_delay: Duration,
        max_delay: Duration,
        max_wait: Duration,
        policy_fallback: bool,
    }

    /// `cooldown:`
    Cooldown {
        rate_limit: Duration,
        max_retry_after: Duration,
        quota: Duration,
        auth: Duration,
        not_found: Duration,
    }

    /// `breaker:`
    Breaker {
        enabled: bool,
        threshold: u32,
        window: Duration,
        cooldown: Duration,
        max_cooldown: Duration,
        retried_failures: RetriedFailures,
        signal: String,
    }

    /// One rule of `classify:`.
    ClassRule {
        status: StatusText,
        r#match: String,
        r#as: Class,
    }

    /// One of `providers:`.
    Provider {
        protocol: Protocols,
        base_url: String,
        api_key: Key,
        api_key_env: String,
        auth: AuthForm,
        enabled: bool,
        proxy: String,
        passthrough: bool,
        headers: Entries<HeaderValue>,
        timeouts: ProviderTimeouts,
        models: Entries<Model>,
        buckets: Vec<At<Bucket>>,
    }

    /// `timeouts:` of a provider.
    ProviderTimeouts {
        connect: Duration,
        first_byte: Duration,
        buffered: Duration,
        stream_idle: Duration,
    }

    /// One of a provider's `models:`.
    Model {
        context: u64,
        max_output: u64,
        input: Vec<At<Modality>>,
        tools: Tools,
        reasoning: ReasoningStyle,
        price: Price,
        set: Entries<Anything>,
        drop: Vec<At<String>>,
        stream: bool,
        limit_field: LimitField,
        reasoning_field: ReasoningField,
        chars_per_token: f64,
        cache: CacheMarks,
        strip_billing: StripBilling,
    }

    /// `tools:` of a model, when it is no switch.
    ToolKeys {
        parallel: bool,
        search: bool,
        apply_patch: ApplyPatch,
    }

    /// `price:` of a model.
    Price {
        input: f64,
        output: f64,
        cache_read: f64,
        cache_write: f64,
        above: PriceAbove,
    }

    /// `price.above:` of a model.
    PriceAbove {
        tokens: u64,
        input: f64,
        output: f64,
        cache_read: f64,
        cache_write: f64,
    }

    /// One of `buckets:`.
    Bucket {
        name: String,
        models: BucketModels,
        requests: u64,
        tokens: u64,
        window: Window,
    }

    /// One of `models:`, in its long form.
    AliasKeys {
        enabled: bool,
        listed: bool,
        strategy: Strategy,
        affinity: Duration,
        targets: Vec<At<Target>>,
        fallback: Vec<At<String>>,
    }

    /// One of an alias's `targets:`.
    Target {
        to: String,
        priority: u32,
        weight: u32,
        enabled: bool,
        first_byte: Duration,
        attempts: u32,
        when: When,
    }

    /// `when:` of a target.
    When {
        max_input: u64,
        min_input: u64,
        has_images: bool,
        thinking: bool,
    }

    /// `log:`
    Log {
        level: LogLevel,
        file: String,
        rotate: Rotate,
        mask: bool,
        requests_dir: String,
        errors_dir: String,
        bodies: bool,
    }

    /// `log.rotate:`
    Rotate {
        daily: bool,
        max_size: Size,
        keep: u32,
    }

    /// `usage:`
    Usage {
        ledger: Ledger,
        budget: Budget,
        hook: Hook,
    }

    /// `usage.budget:`
    Budget {
        session: f64,
        day: f64,
    }

    /// `usage.hook:`
    Hook {
        url: String,
        authorization: Secret,
        timeout: Duration,
    }

    /// `trace:`
    Trace {
        file: String,
        max_text: u32,
    }

    /// `state:`
    State {
        store: Store,
        file: String,
        url: Secret,
        ttl: Duration,
    }

    /// `tls:`
    Tls {
        ca_file: String,
    }
}

/// `client_auth.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthMode {
    None,
    ProxyKey,
    ClientKey,
}

impl Words for AuthMode {
    const WORDS: &'static [&'static str] = &["none", "proxy_key", "client_key"];
    const CHOICES: &'static [Self] = &[Self::None, Self::ProxyKey, Self::ClientKey];
}

/// A key that may be written in two forms: a short one and a section or list.
macro_rules! two_forms {
    ($($(#[$doc:meta])* $name:ident: $takes:literal {
        $($variant:ident($type:ty) for $kind:pat,)+
    })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[allow(clippy::large_enum_variant, reason = "few, and gone once checked")]
        pub(super) enum $name {
            $($variant($type),)+
        }

        impl Read for $name {
            const TAKES: &'static [&'static str] = &[$takes];
            const KEYS: Keys = Keys::Forms(&[$(&<$type>::KEYS),+]);

            fn read(node: &Node, path: &str, errors: &mut Errors) -> Option<Self> {
                match &node.kind {
                    $($kind => <$type>::read(node, path, errors).map(Self::$variant),)+
                    Kind::Broken => None,
                    _ => {
                        wrong(node, path, Self::TAKES, errors);
                        None
                    }
                }
            }
        }
    )+};
}

two_forms! {
    /// `protocol` of a provider.
    Protocols: "anthropic, gemini, openai-chat or openai-responses, or a list of them" {
        One(Protocol) for Kind::Text(..),
        Several(Vec<At<Protocol>>) for Kind::List(_),
    }
    /// `tools` of a model.
    Tools: "true, false or a section with parallel, search, apply_patch" {
        Switch(bool) for Kind::Bool(_) | Kind::Text(..),
        Keys(ToolKeys) for Kind::Map(_),
    }
    /// `models` of a bucket.
    BucketModels: "all, or a list of models" {
        Word(String) for Kind::Text(..),
        List(Vec<At<String>>) for Kind::List(_),
    }
    /// One of `models:`.
    Alias: "`provider/model`, or a section with targets" {
        Short(At<String>) for Kind::Text(..),
        Long(AliasKeys) for Kind::Map(_) | Kind::Null,
    }
    /// `usage.ledger`
    Ledger: "true, false or a file path" {
        Switch(bool) for Kind::Bool(_),
        File(String) for Kind::Text(..),
    }
    /// `status` of a rule.
    StatusText: "a status such as 429, 4xx, 5xx or *" {
        Number(u64) for Kind::Number(_),
        Text(String) for Kind::Text(..),
    }
}

//! The configuration as written. Each table here is the whole truth about which keys exist: the
//! reader and the list that docs/CONFIG.md is compared with are made of it.

use std::time::Duration;

use super::errors::Errors;
use super::file::{Kind, Node};
use super::read::{At, Entries, Field, Keys, Read, SECTION, Slot, bare, fill, section, wrong};
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
        version: Field<u64>,
        listen: Field<String>,
        default_model: Field<String>,
        unknown_model: Field<UnknownModel>,
        direct_routes: Field<bool>,
        compat: Field<Compat>,
        test_mode: Field<bool>,
        response_headers: Field<ResponseHeaders>,
        dashboard: Field<bool>,
        client_auth: Field<ClientAuth>,
        access: Access,
        limits: Limits,
        timeouts: Timeouts,
        retry: Retry,
        cooldown: Cooldown,
        breaker: Breaker,
        classify: Vec<At<ClassRule>>,
        providers: Field<Entries<Provider>>,
        models: Entries<Alias>,
        log: Log,
        usage: Usage,
        trace: Trace,
        state: State,
        tls: Tls,
    }

    /// `client_auth:`
    ClientAuth {
        mode: Field<AuthMode>,
        keys: Vec<At<Secret>>,
        buckets: Vec<At<Bucket>>,
    }

    /// `access:`
    Access {
        allowed_ips: Vec<At<String>>,
        cors_origins: Vec<At<String>>,
        admin_listen: Field<String>,
    }

    /// `limits:`
    Limits {
        requests: Field<u32>,
        queue: Field<u32>,
        connections: Field<u32>,
        request_body: Field<Size>,
        response_body: Field<Size>,
        error_body: Field<Size>,
        sse_frame: Field<Size>,
    }

    /// `timeouts:`
    Timeouts {
        connect: Field<Duration>,
        first_byte: Field<Duration>,
        buffered: Field<Duration>,
        stream_idle: Field<Duration>,
        total: Field<Duration>,
        keepalive: Field<Duration>,
        commit_after: Field<Duration>,
        drain: Field<Duration>,
    }

    /// `retry:`
    Retry {
        attempts: Field<u32>,
        total: Field<u32>,
        base_delay: Field<Duration>,
        max_delay: Field<Duration>,
        max_wait: Field<Duration>,
        policy_fallback: Field<bool>,
    }

    /// `cooldown:`
    Cooldown {
        rate_limit: Field<Duration>,
        max_retry_after: Field<Duration>,
        quota: Field<Duration>,
        auth: Field<Duration>,
        not_found: Field<Duration>,
    }

    /// `breaker:`
    Breaker {
        enabled: Field<bool>,
        threshold: Field<u32>,
        window: Field<Duration>,
        cooldown: Field<Duration>,
        max_cooldown: Field<Duration>,
        retried_failures: Field<RetriedFailures>,
        signal: Field<String>,
    }

    /// One rule of `classify:`.
    ClassRule {
        status: Field<StatusText>,
        r#match: Field<String>,
        r#as: Field<Class>,
    }

    /// One of `providers:`.
    Provider {
        protocol: Field<Protocols>,
        base_url: Field<String>,
        api_key: Field<Key>,
        api_key_env: Field<String>,
        auth: Field<AuthForm>,
        enabled: Field<bool>,
        proxy: Field<String>,
        passthrough: Field<bool>,
        headers: Entries<HeaderValue>,
        timeouts: ProviderTimeouts,
        models: Entries<Model>,
        buckets: Vec<At<Bucket>>,
    }

    /// `timeouts:` of a provider.
    ProviderTimeouts {
        connect: Field<Duration>,
        first_byte: Field<Duration>,
        buffered: Field<Duration>,
        stream_idle: Field<Duration>,
    }

    /// One of a provider's `models:`.
    Model {
        context: Field<u64>,
        max_output: Field<u64>,
        input: Field<Vec<At<Modality>>>,
        tools: Field<Tools>,
        reasoning: Field<ReasoningStyle>,
        price: Field<Price>,
        set: Entries<Anything>,
        drop: Vec<At<String>>,
        stream: Field<bool>,
        limit_field: Field<LimitField>,
        reasoning_field: Field<ReasoningField>,
        chars_per_token: Field<f64>,
        cache: Field<CacheMarks>,
        strip_billing: Field<StripBilling>,
    }

    /// `tools:` of a model, when it is no switch.
    ToolKeys {
        parallel: Field<bool>,
        search: Field<bool>,
        apply_patch: Field<ApplyPatch>,
    }

    /// `price:` of a model.
    Price {
        input: Field<f64>,
        output: Field<f64>,
        cache_read: Field<f64>,
        cache_write: Field<f64>,
        above: Field<PriceAbove>,
    }

    /// `price.above:` of a model.
    PriceAbove {
        tokens: Field<u64>,
        input: Field<f64>,
        output: Field<f64>,
        cache_read: Field<f64>,
        cache_write: Field<f64>,
    }

    /// One of `buckets:`.
    Bucket {
        name: Field<String>,
        models: Field<BucketModels>,
        requests: Field<u64>,
        tokens: Field<u64>,
        window: Field<Window>,
    }

    /// One of `models:`, in its long form.
    AliasKeys {
        enabled: Field<bool>,
        listed: Field<bool>,
        strategy: Field<Strategy>,
        affinity: Field<Duration>,
        targets: Vec<At<Target>>,
        fallback: Vec<At<String>>,
    }

    /// One of an alias's `targets:`.
    Target {
        to: Field<String>,
        priority: Field<u32>,
        weight: Field<u32>,
        enabled: Field<bool>,
        first_byte: Field<Duration>,
        attempts: Field<u32>,
        when: Field<When>,
    }

    /// `when:` of a target.
    When {
        max_input: Field<u64>,
        min_input: Field<u64>,
        has_images: Field<bool>,
        thinking: Field<bool>,
    }

    /// `log:`
    Log {
        level: Field<LogLevel>,
        file: Field<String>,
        rotate: Rotate,
        mask: Field<bool>,
        requests_dir: Field<String>,
        errors_dir: Field<String>,
        bodies: Field<bool>,
    }

    /// `log.rotate:`
    Rotate {
        daily: Field<bool>,
        max_size: Field<Size>,
        keep: Field<u32>,
    }

    /// `usage:`
    Usage {
        ledger: Field<Ledger>,
        budget: Budget,
        hook: Hook,
    }

    /// `usage.budget:`
    Budget {
        session: Field<f64>,
        day: Field<f64>,
    }

    /// `usage.hook:`
    Hook {
        url: Field<String>,
        authorization: Field<Secret>,
        timeout: Field<Duration>,
    }

    /// `trace:`
    Trace {
        file: Field<String>,
        max_text: Field<u32>,
    }

    /// `state:`
    State {
        store: Field<Store>,
        file: Field<String>,
        url: Field<Secret>,
        ttl: Field<Duration>,
    }

    /// `tls:`
    Tls {
        ca_file: Field<String>,
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
        #[derive(Debug)]
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

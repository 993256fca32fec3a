//! The configuration in effect, with every default filled in and every key masked.

use serde_json::{Map, Value, json};

use super::units::{show_duration, show_size, show_window};
use super::{
    Access, AliasRoute, Bucket, ClientAuth, Config, Fallback, Ledger, ModelSpec, Network, Provider,
    ProxyChoice, Source, Target, ToolAbility, Words, is_credential, yaml,
};
use crate::base::secret::{Secret, masked as mask};
use crate::policy::class::StatusPattern;

/// The configuration as JSON, in the form of a file. Keys are masked.
pub fn masked(config: &Config) -> Value {
    let mut shown = general(config);
    shown.extend(bounds(config));
    shown.extend(records(config));
    let providers = config.providers.iter();
    let providers: Map<_, _> = providers.map(|it| (it.name.to_string(), provider(it))).collect();
    let models = config.models.iter();
    let models: Map<_, _> = models.map(|it| (it.alias.to_string(), alias(it))).collect();
    shown.insert("providers".to_owned(), providers.into());
    shown.insert("models".to_owned(), models.into());
    Value::Object(shown)
}

/// The same as YAML, with the source in a comment.
pub fn text(config: &Config) -> String {
    let source = match &config.source {
        Source::File(path) => path.display().to_string(),
        Source::Environment(variables) => format!("environment ({})", variables.join(", ")),
        Source::Demo => "--demo".to_owned(),
    };
    let mut shown = object(masked(config));
    shown.shift_remove("source");
    shown.shift_remove("warnings");
    // A file may name a key or its variable; what is shown can be used as one.
    let providers = shown.get_mut("providers").and_then(Value::as_object_mut);
    for provider in providers.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        let named = provider.get("api_key_env").is_some_and(Value::is_string);
        provider.shift_remove(if named { "api_key" } else { "api_key_env" });
    }
    shown.values_mut().for_each(with_dollars);
    format!("# The configuration in effect, from {source}. Keys are masked.\n{}", yaml::document(&shown))
}

/// Texts as a file writes them, where a dollar could mean a variable.
fn with_dollars(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("$$") || text.contains("${") => *text = text.replace('$', "$$"),
        Value::Array(list) => list.iter_mut().for_each(with_dollars),
        Value::Object(map) => map.values_mut().for_each(with_dollars),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn general(config: &Config) -> Map<String, Value> {
    let source = match &config.source {
        Source::File(path) => json!(path.display().to_string()),
        Source::Environment(variables) => json!({"environment": variables}),
        Source::Demo => json!("--demo"),
    };
    object(json!({
        "source": source,
        "version": 1,
        "listen": config.listen,
        "default_model": config.default_model.as_ref().map(|model| model.as_str()),
        "unknown_model": config.unknown_model.word(),
        "direct_routes": config.direct_routes,
        "compat": config.compat.word(),
        "test_mode": config.test_mode,
        "response_headers": config.response_headers.word(),
        "dashboard": config.dashboard,
        "client_auth": client_auth(&config.client_auth),
        "access": access(&config.access),
        "tls": {"ca_file": config.ca_file},
        "warnings": config.warnings,
    }))
}

fn client_auth(auth: &ClientAuth) -> Value {
    match auth {
        ClientAuth::None => json!({"mode": "none"}),
        ClientAuth::ProxyKey(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| key.masked()).collect();
            json!({"mode": "proxy_key", "keys": keys})
        }
        ClientAuth::ClientKey => json!({"mode": "client_key"}),
    }
}

fn access(access: &Access) -> Value {
    let network = |it: &Network| format!("{}/{}", it.address, it.prefix);
    json!({
        "allowed_ips": access.allowed_ips.iter().map(network).collect::<Vec<_>>(),
        "cors_origins": access.cors_origins,
        "admin_listen": access.admin_listen.map(|address| address.to_string()),
    })
}

fn bounds(config: &Config) -> Map<String, Value> {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    let (retry, cooldown, breaker) = (&config.retry, &config.cooldown, &config.breaker);
    let size = |bytes: usize| show_size(u64::try_from(bytes).unwrap_or(u64::MAX));
    object(json!({
        "limits": {
            "requests": limits.requests,
            "queue": limits.queue,
            "connections": limits.connections,
            "request_body": size(limits.request_body),
            "response_body": size(limits.response_body),
            "error_body": size(limits.error_body),
            "sse_frame": size(limits.sse_frame),
        },
        "timeouts": {
            "connect": show_duration(timeouts.connect),
            "first_byte": show_duration(timeouts.first_byte),
            "buffered": show_duration(timeouts.buffered),
            "stream_idle": show_duration(timeouts.stream_idle),
            "total": show_duration(timeouts.total),
            "keepalive": show_duration(timeouts.keepalive),
            "commit_after": show_duration(timeouts.commit_after),
            "drain": show_duration(timeouts.drain),
        },
        "retry": {
            "attempts": retry.attempts,
            "total": retry.total,
            "base_delay": show_duration(retry.base_delay),
            "max_delay": show_duration(retry.max_delay),
            "max_wait": show_duration(retry.max_wait),
            "policy_fallback": retry.policy_fallback,
        },
        "cooldown": {
            "rate_limit": show_duration(cooldown.rate_limit),
            "max_retry_after": show_duration(cooldown.max_retry_after),
            "quota": show_duration(cooldown.quota),
            "auth": show_duration(cooldown.auth),
            "not_found": show_duration(cooldown.not_found),
        },
        "breaker": {
            "enabled": breaker.enabled,
            "threshold": breaker.threshold,
            "window": show_duration(breaker.window),
            "cooldown": show_duration(breaker.cooldown),
            "max_cooldown": show_duration(breaker.max_cooldown),
            "retried_failures": breaker.retried_failures.word(),
            "signal": breaker.signal,
        },
    }))
}

fn records(config: &Config) -> Map<String, Value> {
    let (log, usage) = (&config.log, &config.usage);
    let ledger = match &usage.ledger {
        Ledger::Off => json!(false),
        Ledger::StateDir => json!(true),
        Ledger::File(path) => json!(path),
    };
    let hook = usage.hook.as_ref().map(|hook| {
        json!({
            "url": hook.url.split('?').next(),
            "authorization": hook.authorization.as_ref().map(|secret| secret.masked()),
            "timeout": show_duration(hook.timeout),
        })
    });
    let classify = config.classify.iter().map(|rule| {
        let status = match rule.status {
            StatusPattern::Exactly(status) => json!(status),
            StatusPattern::Hundred(hundred) => json!(format!("{hundred}xx")),
            StatusPattern::Any => json!("*"),
        };
        json!({"status": status, "match": rule.text, "as": rule.class.name()})
    });
    object(json!({
        "classify": classify.collect::<Vec<_>>(),
        "log": {
            "level": log.level.word(),
            "file": log.file,
            "rotate": {
                "daily": log.rotate.daily,
                "max_size": show_size(log.rotate.max_size),
                "keep": log.rotate.keep,
            },
            "mask": log.mask,
            "requests_dir": log.requests_dir,
            "errors_dir": log.errors_dir,
            "bodies": log.bodies,
        },
        "usage": {
            "ledger": ledger,
            "budget": {"session": usage.session_budget, "day": usage.day_budget},
            "hook": hook,
        },
        "trace": {"file": config.trace.file, "max_text": config.trace.max_text},
        "state": {
            "store": config.state.store.word(),
            "file": config.state.file,
            "url": config.state.url.as_ref().map(without_credentials),
            "ttl": show_duration(config.state.ttl),
        },
    }))
}

fn provider(provider: &Provider) -> Value {
    let key = provider.key.as_ref();
    let proxy = match &provider.proxy {
        ProxyChoice::Environment => "env".to_owned(),
        ProxyChoice::Direct => "direct".to_owned(),
        ProxyChoice::Through(address) => without_credentials(address),
    };
    let headers = provider.headers.iter().map(|(name, value)| {
        let shown = if is_credential(name) { mask(value) } else { value.clone() };
        (name.clone(), Value::from(shown))
    });
    let timeouts = &provider.timeouts;
    let protocols = provider.protocols.iter().map(|protocol| protocol.name());
    let models = provider.models.iter();
    json!({
        "protocol": protocols.collect::<Vec<_>>(),
        "base_url": provider.base_url,
        "api_key": key.map(|key| key.secret.masked()),
        "api_key_env": key.and_then(|key| key.variable.as_deref()),
        "auth": provider.auth.word(),
        "enabled": provider.enabled,
        "proxy": proxy,
        "passthrough": provider.passthrough,
        "headers": headers.collect::<Map<_, _>>(),
        "timeouts": {
            "connect": show_duration(timeouts.connect),
            "first_byte": show_duration(timeouts.first_byte),
            "buffered": show_duration(timeouts.buffered),
            "stream_idle": show_duration(timeouts.stream_idle),
        },
        "models": models.map(|it| (it.name.to_string(), model(it))).collect::<Map<_, _>>(),
        "buckets": provider.buckets.iter().map(bucket).collect::<Vec<_>>(),
    })
}

/// What is known of a model; what is unknown is left out.
fn model(model: &ModelSpec) -> Value {
    let input = model.input.as_ref();
    let tools = match model.tools {
        ToolAbility::Unknown => Value::Null,
        ToolAbility::None => json!(false),
        ToolAbility::Some { parallel, search, apply_patch } => json!({
            "parallel": parallel,
            "search": search,
            "apply_patch": apply_patch.map(Words::word),
        }),
    };
    let price = model.price.map(|price| {
        json!({
            "input": price.input,
            "output": price.output,
            "cache_read": price.cache_read.unwrap_or(price.input),
            "cache_write": price.cache_write.unwrap_or(price.input),
            "above": price.above.map(|above| object(json!({
                "tokens": above.tokens,
                "input": above.input,
                "output": above.output,
                "cache_read": above.cache_read,
                "cache_write": above.cache_write,
            }))),
        })
    });
    let set: Map<_, _> = model.set.iter().cloned().collect();
    let mut shown = object(json!({
        "context": model.context,
        "max_output": model.max_output,
        "input": input.map(|list| list.iter().map(|it| it.word()).collect::<Vec<_>>()),
        "tools": tools,
        "reasoning": model.reasoning.map(Words::word),
        "price": price,
        "set": set,
        "drop": model.drop,
        "stream": model.stream,
        "limit_field": model.limit_field.map(Words::word),
        "reasoning_field": model.reasoning_field.map(Words::word),
        "chars_per_token": model.chars_per_token,
        "cache": model.cache.word(),
        "strip_billing": model.strip_billing.word(),
    }));
    shown.retain(|_, value| !value.is_null());
    Value::Object(shown)
}

fn bucket(bucket: &Bucket) -> Value {
    let models = bucket.models.as_ref();
    json!({
        "name": bucket.name,
        "models": models.map_or_else(
            || json!("all"),
            |list| list.iter().map(|model| model.as_str()).collect(),
        ),
        "requests": bucket.requests,
        "tokens": bucket.tokens,
        "window": show_window(bucket.window),
    })
}

fn alias(route: &AliasRoute) -> Value {
    let fallback = route.fallback.iter().map(|fallback| match fallback {
        Fallback::Alias(alias) => alias.to_string(),
        Fallback::Target(target) => target.to_string(),
    });
    json!({
        "enabled": route.enabled,
        "listed": route.listed,
        "strategy": route.strategy.word(),
        "affinity": show_duration(route.affinity),
        "targets": route.targets.iter().map(target).collect::<Vec<_>>(),
        "fallback": fallback.collect::<Vec<_>>(),
    })
}

fn target(target: &Target) -> Value {
    let when = target.when;
    let mut when = object(json!({
        "max_input": when.max_input,
        "min_input": when.min_input,
        "has_images": when.has_images,
        "thinking": when.thinking,
    }));
    when.retain(|_, value| !value.is_null());
    json!({
        "to": target.to.to_string(),
        "priority": target.priority,
        "weight": target.weight,
        "enabled": target.enabled,
        "first_byte": target.first_byte.map(show_duration),
        "attempts": target.attempts,
        "when": when,
    })
}

/// An address as it is shown: user and password masked.
fn without_credentials(address: &Secret) -> String {
    let address = address.expose();
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://****@{host}"),
        (Some(_) | None, Some(_) | None) => address.to_owned(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

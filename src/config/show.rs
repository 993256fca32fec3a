//! The configuration in effect, with every default filled in and every key masked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::units::{show_duration, show_size, show_window};
use super::{
    Access, AliasRoute, Bucket, ClientAuth, Config, Fallback, Ledger, ModelSpec, Network, OwnHeader, Price,
    Provider, ProxyChoice, Source, Target, ToolAbility, UsageLog, When, Words, yaml,
};
use crate::base::object::{Object, object};
use crate::base::secret::{Secret, mask_known};
use crate::policy::class::{ClassRule, StatusPattern};

/// Shows members of a struct under their own names.
macro_rules! put {
    ($object:ident, $show:ident of $from:expr => $($key:ident),+) => {
        $show(&mut $object, &[$((stringify!($key), $from.$key)),+]);
    };
}

/// The configuration as JSON, in the form of a file. Keys are masked.
pub fn masked(config: &Config) -> Value {
    shown(config).into()
}

/// The same as YAML, with the source in a comment.
pub fn text(config: &Config) -> String {
    let source = match &config.source {
        Source::File(path) => path.display().to_string(),
        Source::Environment(variables) => format!("environment ({})", variables.join(", ")),
        Source::Demo => "--demo".to_owned(),
    };
    let mut shown = shown(config).into_map();
    shown.shift_remove("source");
    shown.shift_remove("warnings");
    shown.values_mut().for_each(with_dollars);
    // A file may name a key or its variable; what is shown can be used as one.
    let providers = shown.get_mut("providers").and_then(Value::as_object_mut);
    for provider in providers.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        let named = provider.get("api_key_env").is_some_and(Value::is_string);
        provider.shift_remove(if named { "api_key" } else { "api_key_env" });
        if provider.get("base_url").and_then(Value::as_str) == Some("") {
            // It is disabled; as in the file, its address is not looked at.
            provider.insert("base_url".to_owned(), "${NOT_EXPANDED}".into());
        }
    }
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

fn shown(config: &Config) -> Object {
    let mut shown = Object::default();
    general(config, &mut shown);
    bounds(config, &mut shown);
    after_failures(config, &mut shown);
    records(config, &mut shown);
    let mut providers = Object::default();
    let secrets = config.secrets();
    for it in &config.providers {
        providers.put(it.name.as_str(), provider(it, &secrets));
    }
    shown.put("providers", providers);
    let mut models = Object::default();
    for it in &config.models {
        models.put(it.alias.as_str(), alias(it));
    }
    shown.put("models", models);
    shown
}

fn general(config: &Config, shown: &mut Object) {
    match &config.source {
        Source::File(path) => shown.put("source", path.display().to_string()),
        Source::Environment(variables) => {
            shown.put("source", object! {"environment": variables.as_slice()});
        }
        Source::Demo => shown.put("source", "--demo"),
    }
    shown.put("version", 1);
    shown.put("listen", config.listen.as_str());
    shown.put("default_model", config.default_model.as_ref().map(|model| model.as_str()));
    shown.put("unknown_model", config.unknown_model.word());
    shown.put("direct_routes", config.direct_routes);
    shown.put("compat", config.compat.word());
    shown.put("test_mode", config.test_mode);
    shown.put("response_headers", config.response_headers.word());
    shown.put("dashboard", config.dashboard);
    shown.put("client_auth", client_auth(config));
    shown.put("access", access(&config.access));
    shown.put("tls", object! {"ca_file": path(config.ca_file.as_ref())});
    shown.put("warnings", config.warnings.as_slice());
}

fn client_auth(config: &Config) -> Object {
    match &config.client_auth {
        ClientAuth::None => object! {"mode": "none"},
        ClientAuth::ProxyKey(keys) => {
            let buckets = list(&config.client_buckets, |it| bucket(it).into());
            object! {"mode": "proxy_key", "keys": list(keys, |key| key.masked().into()), "buckets": buckets}
        }
        ClientAuth::ClientKey => object! {"mode": "client_key"},
    }
}

fn access(access: &Access) -> Object {
    let network = |it: &Network| format!("{}/{}", it.address, it.prefix).into();
    object! {
        "allowed_ips": list(&access.allowed_ips, network),
        "cors_origins": access.cors_origins.as_slice(),
        "admin_listen": access.admin_listen.map(|address| address.to_string()),
    }
}

fn bounds(config: &Config, shown: &mut Object) {
    let mut limits = Object::default();
    limits.put("requests", config.limits.requests);
    limits.put("queue", config.limits.queue);
    limits.put("connections", config.limits.connections);
    put!(limits, sizes of config.limits => request_body, response_body, error_body, sse_frame);
    shown.put("limits", limits);
    let mut timeouts = Object::default();
    put!(timeouts, durations of config.timeouts => connect, first_byte, buffered, stream_idle, total, keepalive, commit_after, drain);
    shown.put("timeouts", timeouts);
}

fn after_failures(config: &Config, shown: &mut Object) {
    let mut retry = Object::default();
    retry.put("attempts", config.retry.attempts);
    retry.put("total", config.retry.total);
    put!(retry, durations of config.retry => base_delay, max_delay, max_wait);
    retry.put("policy_fallback", config.retry.policy_fallback);
    shown.put("retry", retry);
    let mut cooldown = Object::default();
    put!(cooldown, durations of config.cooldown => rate_limit, max_retry_after, quota, auth, not_found);
    shown.put("cooldown", cooldown);
    let mut breaker = Object::default();
    breaker.put("enabled", config.breaker.enabled);
    breaker.put("threshold", config.breaker.threshold);
    put!(breaker, durations of config.breaker => window, cooldown, max_cooldown);
    breaker.put("retried_failures", config.breaker.retried_failures.word());
    breaker.put("signal", config.breaker.signal.as_str());
    shown.put("breaker", breaker);
    shown.put("classify", list(&config.classify, |rule| class_rule(rule).into()));
}

fn class_rule(rule: &ClassRule) -> Object {
    let mut shown = Object::default();
    match rule.status {
        StatusPattern::Exactly(status) => shown.put("status", status),
        StatusPattern::Hundred(hundred) => shown.put("status", format!("{hundred}xx")),
        StatusPattern::Any => shown.put("status", "*"),
    }
    shown.put("match", rule.text.as_deref());
    shown.put("as", rule.class.name());
    shown
}

fn records(config: &Config, shown: &mut Object) {
    let rotate = object! {
        "daily": config.log.rotate.daily,
        "max_size": show_size(config.log.rotate.max_size),
        "keep": config.log.rotate.keep,
    };
    let log = object! {
        "level": config.log.level.word(),
        "file": path(config.log.file.as_ref()),
        "rotate": rotate,
        "mask": config.log.mask,
        "requests_dir": path(config.log.requests_dir.as_ref()),
        "errors_dir": path(config.log.errors_dir.as_ref()),
        "bodies": config.log.bodies,
    };
    shown.put("log", log);
    shown.put("usage", usage(&config.usage));
    let trace = object! {
        "file": path(config.trace.file.as_ref()),
        "max_text": config.trace.max_text,
    };
    shown.put("trace", trace);
    let state = object! {
        "store": config.state.store.word(),
        "file": path(config.state.file.as_ref()),
        "url": config.state.url.as_ref().map(without_credentials),
        "ttl": show_duration(config.state.ttl),
    };
    shown.put("state", state);
}

fn usage(usage: &UsageLog) -> Object {
    let mut shown = Object::default();
    match &usage.ledger {
        Ledger::Off => shown.put("ledger", false),
        Ledger::StateDir => shown.put("ledger", true),
        Ledger::File(file) => shown.put("ledger", path(Some(file))),
    }
    let budget = object! {
        "session": usage.session_budget,
        "day": usage.day_budget,
    };
    shown.put("budget", budget);
    let hook = usage.hook.as_ref().map(|hook| {
        object! {
            "url": hook.url.split('?').next(),
            "authorization": hook.authorization.as_ref().map(Secret::masked),
            "timeout": show_duration(hook.timeout),
        }
    });
    shown.put("hook", hook);
    shown
}

fn provider(provider: &Provider, secrets: &[Secret]) -> Object {
    let key = provider.key.as_ref();
    let mut shown = Object::default();
    shown.put("protocol", list(&provider.protocols, |protocol| protocol.name().into()));
    shown.put("base_url", provider.base_url.as_str());
    shown.put("api_key", key.map(|key| key.secret.masked()));
    shown.put("api_key_env", key.and_then(|key| key.variable.as_deref()));
    shown.put("auth", provider.auth.word());
    shown.put("enabled", provider.enabled);
    match &provider.proxy {
        ProxyChoice::Environment => shown.put("proxy", "env"),
        ProxyChoice::Direct => shown.put("proxy", "direct"),
        ProxyChoice::Through(address) => shown.put("proxy", without_credentials(address)),
    }
    shown.put("passthrough", provider.passthrough);
    let mut headers = Object::default();
    for OwnHeader { name, value, is_secret } in &provider.headers {
        let known = || mask_known(value.expose(), secrets).into_owned();
        headers.put(name, if *is_secret { value.masked() } else { known() });
    }
    shown.put("headers", headers);
    let mut timeouts = Object::default();
    put!(timeouts, durations of provider.timeouts => connect, first_byte, buffered, stream_idle);
    shown.put("timeouts", timeouts);
    let mut models = Object::default();
    for it in &provider.models {
        models.put(it.name.as_str(), model(it, secrets));
    }
    shown.put("models", models);
    shown.put("buckets", list(&provider.buckets, |it| bucket(it).into()));
    shown
}

/// What is known of a model; what is unknown is left out.
fn model(model: &ModelSpec, secrets: &[Secret]) -> Object {
    let mut shown = Object::default();
    shown.put_some("context", model.context);
    shown.put_some("max_output", model.max_output);
    shown.put_some("input", model.input.as_ref().map(|input| list(input, |it| it.word().into())));
    match model.tools {
        ToolAbility::Unknown => {}
        ToolAbility::None => shown.put("tools", false),
        ToolAbility::Some { parallel, search, apply_patch } => {
            let apply_patch = apply_patch.map(Words::word);
            let tools = object! {
                "parallel": parallel, "search": search, "apply_patch": apply_patch,
            };
            shown.put("tools", tools);
        }
    }
    shown.put_some("reasoning", model.reasoning.map(Words::word));
    shown.put_some("price", model.price.as_ref().map(price));
    let without_secrets = |(field, value): &(String, Value)| {
        let shown = value.as_str().map(|text| Value::from(mask_known(text, secrets)));
        (field.clone(), shown.unwrap_or_else(|| value.clone()))
    };
    let set: Map<_, _> = model.set.iter().map(without_secrets).collect();
    shown.put("set", set);
    shown.put("drop", model.drop.as_slice());
    shown.put_some("stream", model.stream);
    shown.put_some("limit_field", model.limit_field.map(Words::word));
    shown.put_some("reasoning_field", model.reasoning_field.map(Words::word));
    shown.put_some("chars_per_token", model.chars_per_token);
    shown.put("cache", model.cache.word());
    shown.put("strip_billing", model.strip_billing.word());
    shown
}

fn price(price: &Price) -> Object {
    let mut shown = Object::default();
    shown.put("input", price.input);
    shown.put("output", price.output);
    shown.put("cache_read", price.cache_read.unwrap_or(price.input));
    shown.put("cache_write", price.cache_write.unwrap_or(price.input));
    let above = price.above.map(|above| {
        let mut shown = Object::default();
        shown.put("tokens", above.tokens);
        shown.put("input", above.input);
        shown.put("output", above.output);
        shown.put("cache_read", above.cache_read);
        shown.put("cache_write", above.cache_write);
        shown
    });
    shown.put("above", above);
    shown
}

fn bucket(bucket: &Bucket) -> Object {
    let mut shown = Object::default();
    shown.put("name", bucket.name.as_str());
    match &bucket.models {
        None => shown.put("models", "all"),
        Some(models) => shown.put("models", list(models, |model| model.as_str().into())),
    }
    shown.put("requests", bucket.requests);
    shown.put("tokens", bucket.tokens);
    shown.put("window", show_window(bucket.window));
    shown
}

fn alias(route: &AliasRoute) -> Object {
    let fallback = |fallback: &Fallback| match fallback {
        Fallback::Alias(alias) => alias.to_string().into(),
        Fallback::Target(target) => target.to_string().into(),
    };
    object! {
        "enabled": route.enabled,
        "listed": route.listed,
        "strategy": route.strategy.word(),
        "affinity": show_duration(route.affinity),
        "targets": list(&route.targets, |it| target(it).into()),
        "fallback": list(&route.fallback, fallback),
    }
}

fn target(target: &Target) -> Object {
    object! {
        "to": target.to.to_string(),
        "priority": target.priority,
        "weight": target.weight,
        "enabled": target.enabled,
        "first_byte": target.first_byte.map(show_duration),
        "attempts": target.attempts,
        "when": when(&target.when),
    }
}

fn when(when: &When) -> Object {
    let mut shown = Object::default();
    shown.put_some("max_input", when.max_input);
    shown.put_some("min_input", when.min_input);
    shown.put_some("has_images", when.has_images);
    shown.put_some("thinking", when.thinking);
    shown
}

fn list<T>(items: &[T], shown: impl Fn(&T) -> Value) -> Vec<Value> {
    let mut list = Vec::new();
    for item in items {
        list.push(shown(item));
    }
    list
}

fn path(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn sizes(object: &mut Object, members: &[(&str, usize)]) {
    for (key, bytes) in members {
        object.put(key, show_size(u64::try_from(*bytes).unwrap_or(u64::MAX)));
    }
}

fn durations(object: &mut Object, members: &[(&str, Duration)]) {
    for (key, duration) in members {
        object.put(key, show_duration(*duration));
    }
}

/// An address as it is shown: user and password masked.
fn without_credentials(address: &Secret) -> String {
    let address = address.expose();
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://****@{host}"),
        (Some(_) | None, Some(_) | None) => address.to_owned(),
    }
}

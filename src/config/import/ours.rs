//! Our file while it is made of another tool's.

use std::time::Duration;

use serde_json::{Map, Value};

use super::section::{Report, Section};
use crate::base::host::is_loopback;
use crate::base::id::{Alias, ProviderName, TargetId};
use crate::base::object::{Object, object};
use crate::base::sort;
use crate::base::table::Table;
use crate::config::raw::Root;
use crate::config::url::{Url, host_and_port};
use crate::config::vendors::Vendor;
use crate::config::{units, vendors, yaml};

/// Our file, in the making.
#[derive(Debug, Default)]
pub(super) struct Ours {
    general: Map<String, Value>,
    providers: Map<String, Value>,
    models: Map<String, Value>,
    /// What a provider is called there -> what it is called here.
    names: Table<String, String>,
    /// Which aliases are to lead on to others, once all are known.
    fallbacks: Vec<Wish>,
}

/// An alias is to lead on to others.
#[derive(Debug)]
struct Wish {
    alias: String,
    to: Vec<String>,
    path: String,
}

/// A provider as another tool describes it.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Its name there.
    pub(super) name: String,
    /// What it speaks, in our words.
    pub(super) protocols: Vec<&'static str>,
    /// Its address.
    pub(super) base_url: String,
    /// Its key.
    pub(super) key: Option<String>,
    /// The variable with its key.
    pub(super) variable: Option<String>,
    /// Is it switched off?
    pub(super) off: bool,
}

impl Ours {
    /// Sets a key by its dotted path.
    pub(super) fn set(&mut self, path: &str, value: impl Into<Value>) {
        put(&mut self.general, path, value.into());
    }

    /// The same, where there is a value.
    pub(super) fn set_some(&mut self, path: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(path, value);
        }
    }

    /// Sets a duration, where there is one.
    pub(super) fn set_time(&mut self, path: &str, time: Option<Duration>) {
        self.set_some(path, time.map(units::show_duration));
    }

    /// Clients need this key.
    pub(super) fn client_key(&mut self, key: &str) {
        self.set("client_auth", object! {"mode": "proxy_key", "keys": vec![literal(key)]});
    }

    /// Takes where to listen. An address that others reach needs a client key.
    pub(super) fn listen(&mut self, file: &mut Section, report: &mut Report) {
        if let Some(text) = file.text("listen", report) {
            self.listen_at(&text, &file.path("listen"), report);
        }
    }

    /// The same of an address that stands at a path.
    pub(super) fn listen_at(&mut self, text: &str, path: &str, report: &mut Report) {
        let text = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
        let Ok((host, Some(port))) = host_and_port(&text) else {
            return report.dropped(path, "it must be host:port");
        };
        if is_loopback(host) || self.general.contains_key("client_auth") {
            self.set("listen", text);
        } else {
            report.changed(
                path,
                "others could spend your keys: without a client key only 127.0.0.1 is listened on",
            );
            self.set("listen", format!("127.0.0.1:{port}"));
        }
    }

    /// Adds a provider; `path` is where it stands there.
    pub(super) fn provider(&mut self, account: Account, path: &str, report: &mut Report) {
        let name = self.provider_name(&account.name, path, report);
        let protocol = match account.protocols.as_slice() {
            [] => {
                report.changed(path, "no protocol is named: openai-chat is assumed");
                Value::from("openai-chat")
            }
            [only] => Value::from(*only),
            several => Value::from(several.to_vec()),
        };
        let first = account.protocols.first().copied().unwrap_or("openai-chat");
        let base_url = base_url(&account.base_url, first);
        if base_url != account.base_url.trim_end_matches('/') {
            report.changed(
                path,
                format!("its base URL is written with the version segment: {}", shown(&base_url)),
            );
        }
        let mut provider = object! {"protocol": protocol, "base_url": literal(&base_url)};
        match (account.variable, account.key) {
            (Some(variable), _) => provider.put("api_key_env", variable),
            (None, Some(key)) => provider.put("api_key", literal(&key)),
            (None, None) => {}
        }
        if account.off {
            provider.put("enabled", false);
        }
        self.providers.insert(name, provider.into());
    }

    /// Adds a known vendor without a key, and the patterns of its models' names.
    pub(super) fn vendor(&mut self, vendor: &Vendor) {
        let protocols: Vec<&str> = vendor.protocols.iter().map(|protocol| protocol.name()).collect();
        let provider = object! {"protocol": protocols, "base_url": vendor.base_url};
        self.providers.insert(vendor.name.to_owned(), provider.into());
        self.names.insert(vendor.name.to_owned(), vendor.name.to_owned());
        for pattern in vendor.patterns {
            let alias = leading_to(&format!("{}/*", vendor.name));
            self.models.insert((*pattern).to_owned(), alias.into());
        }
    }

    fn provider_name(&mut self, theirs: &str, path: &str, report: &mut Report) -> String {
        let mut name: String =
            theirs.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        if ProviderName::parse(&name).is_none() {
            name.insert_str(0, "p-");
        }
        while self.providers.contains_key(&name) {
            name.push_str("-2");
        }
        if name != theirs {
            report.changed(path, format!("this provider is called {name} here"));
        }
        self.names.insert(theirs.to_owned(), name.clone());
        name
    }

    /// `provider/model` of a provider by its name there; `None` when there is no such provider.
    pub(super) fn target(&self, provider: &str, model: &str) -> Option<String> {
        Some(format!("{}/{}", self.names.get(provider)?, literal(model)))
    }

    /// The same of `provider/model` or `provider:model` as written there.
    pub(super) fn target_of(&self, reference: &str) -> Option<String> {
        let (provider, model) = reference.split_once(['/', ':']).filter(|(_, model)| !model.is_empty())?;
        self.target(provider, model)
    }

    /// Sets a key of a provider, by its name there.
    pub(super) fn of_provider(&mut self, provider: &str, key: &str, value: Value) {
        let name = self.names.get(provider).cloned().unwrap_or_default();
        if let Some(Value::Object(provider)) = self.providers.get_mut(&name) {
            provider.insert(key.to_owned(), value);
        }
    }

    /// What is known of a target's model. Of two numbers the smaller one holds.
    pub(super) fn fact(&mut self, target: &str, path: &str, value: Value) {
        let Some(target) = TargetId::parse(target) else { return };
        let Some(Value::Object(provider)) = self.providers.get_mut(target.provider.as_str()) else { return };
        let models = section_in(provider, "models");
        let Some(model) = models.and_then(|models| section_in(models, target.model.as_str())) else { return };
        let known = model.get(path).and_then(Value::as_u64);
        let is_smaller = known.is_none_or(|known| value.as_u64().is_some_and(|value| value < known));
        if is_smaller {
            put(model, path, value);
        }
    }

    /// Adds an alias; false when its name cannot be one.
    pub(super) fn alias(&mut self, name: &str, keys: Object, path: &str, report: &mut Report) -> bool {
        let fits = Alias::parse(name).is_some();
        if fits {
            self.models.insert(name.to_owned(), keys.into());
        } else {
            report.dropped(path, "the name of an alias is made of letters, digits and . _ : / @ -");
        }
        fits
    }

    /// An alias, once all are known, leads on to these.
    pub(super) fn leads_on(&mut self, alias: &str, to: Vec<String>, path: String) {
        if !to.is_empty() {
            self.fallbacks.push(Wish { alias: alias.to_owned(), to, path });
        }
    }

    /// Is there an alias of this name?
    pub(super) fn has_alias(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// Is there no provider?
    pub(super) fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// The whole as text.
    pub(super) fn text(mut self, from: &str, report: &mut Report) -> String {
        self.lead_on(report);
        self.remove_dead_ends(report);
        let mut root = object! {"version": 1}.into_map();
        let place = |key: &str| Root::NAMES.iter().position(|name| *name == key);
        let mut general: Vec<(String, Value)> = self.general.into_iter().collect();
        sort::by_key(&mut general, |(key, _)| place(key));
        root.extend(general);
        root.insert("providers".to_owned(), self.providers.into());
        if !self.models.is_empty() {
            root.insert("models".to_owned(), self.models.into());
        }
        format!("# Made of a file of {from} by `llmgate config import`.\n{}", yaml::document(&root))
    }

    /// Gives the aliases their fallbacks, but for those that lead nowhere or in a circle.
    fn lead_on(&mut self, report: &mut Report) {
        for wish in std::mem::take(&mut self.fallbacks) {
            if !self.has_alias(&wish.alias) {
                report.dropped(&wish.path, format!("there is no alias {}", shown(&wish.alias)));
                continue;
            }
            for (i, to) in wish.to.into_iter().enumerate() {
                let path = format!("{}[{i}]", wish.path);
                if self.has_alias(&to) {
                    if self.reaches(&to, &wish.alias) {
                        report.dropped(&path, "this fallback would go in a circle");
                        continue;
                    }
                } else if TargetId::parse(&to)
                    .is_none_or(|to| !self.providers.contains_key(to.provider.as_str()))
                {
                    report.dropped(&path, format!("there is no alias or provider for {}", shown(&to)));
                    continue;
                }
                if let Some(Value::Object(alias)) = self.models.get_mut(&wish.alias)
                    && let Value::Array(list) =
                        alias.entry("fallback").or_insert_with(|| Value::Array(Vec::new()))
                {
                    list.push(to.into());
                }
            }
        }
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut reached = vec![from];
        let mut looked_at = 0;
        while let Some(name) = reached.get(looked_at) {
            let next = self.models.get(*name).and_then(|alias| alias.get("fallback")?.as_array());
            for next in next.into_iter().flatten().filter_map(Value::as_str) {
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            looked_at += 1;
        }
        reached.contains(&to)
    }

    fn remove_dead_ends(&mut self, report: &mut Report) {
        let leads = |alias: &Value| {
            ["targets", "fallback"]
                .iter()
                .any(|key| alias.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty()))
        };
        // Where one has gone, another that led to it alone leads nowhere, too.
        while let Some(dead) = self.models.iter().find(|(_, alias)| !leads(alias)) {
            let dead = dead.0.clone();
            self.models.shift_remove(&dead);
            report.dropped(&dead, "none of its targets is left, so that this alias leads nowhere");
            for alias in self.models.values_mut() {
                if let Some(Value::Array(list)) = alias.get_mut("fallback") {
                    list.retain(|to| to != dead.as_str());
                }
            }
        }
    }
}

/// The keys of an alias with one target.
pub(super) fn leading_to(target: &str) -> Object {
    object! {"targets": vec![object! {"to": target}]}
}

/// A strategy in our words.
pub(super) fn strategy(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "auto" => Some("auto"),
        "ordered" | "priority" | "failover" | "fallback" | "sequential" => Some("ordered"),
        "random" => Some("random"),
        "round-robin" | "rr" => Some("round-robin"),
        "weighted" | "weighted-rr" | "weighted-round-robin" => Some("weighted-rr"),
        "quota-aware-weighted-rr" => Some("quota-aware-weighted-rr"),
        _ => None,
    }
}

/// Takes a strategy into an alias.
pub(super) fn take_strategy(from: &mut Section, into: &mut Object, report: &mut Report) {
    let Some(word) = from.text("strategy", report) else { return };
    match strategy(&word) {
        Some(strategy) => {
            into.put("strategy", strategy);
        }
        None => report
            .dropped(&from.path("strategy"), format!("there is no strategy {}; auto is used", shown(&word))),
    }
}

/// A protocol in our words.
pub(super) fn protocol(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "openai" | "openai-chat" | "openai-completion" | "openai-completions" | "openai-compatible"
        | "chat" => Some("openai-chat"),
        "openai-responses" | "responses" => Some("openai-responses"),
        "anthropic" | "claude" | "messages" => Some("anthropic"),
        "gemini" | "google" => Some("gemini"),
        _ => None,
    }
}

/// Takes what a provider speaks.
pub(super) fn take_protocols(from: &mut Section, key: &str, report: &mut Report) -> Vec<&'static str> {
    let path = from.path(key);
    let mut protocols = Vec::new();
    for word in from.texts(key, report) {
        match protocol(&word) {
            Some(known) if !protocols.contains(&known) => protocols.push(known),
            Some(_) => {}
            None => report.dropped(&path, format!("there is no protocol {}", shown(&word))),
        }
    }
    protocols
}

/// A base URL with its version segment: other tools add it by themselves.
fn base_url(text: &str, protocol: &str) -> String {
    let text = text.trim_end_matches('/');
    let Ok(url) = Url::parse(text) else { return text.to_owned() };
    if !url.path.is_empty() {
        return text.to_owned();
    }
    match (vendors::at_host(url.host), protocol) {
        (Some(vendor), _) => vendor.base_url.to_owned(),
        (None, "gemini") => format!("{text}/v1beta"),
        (None, _) => format!("{text}/v1"),
    }
}

/// A text of which reading the configuration makes the same text: `$$` would become `$`. Variables in
/// it stay variables.
pub(super) fn literal(text: &str) -> String {
    text.replace("$$", "$$$$")
}

/// A name as it may be shown.
pub(super) fn shown(name: &str) -> String {
    crate::config::errors::harmless(name)
}

fn put(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            if let Some(section) = section_in(map, first) {
                put(section, rest, value);
            }
        }
    }
}

/// The section under a key, made if it is not there.
fn section_in<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.entry(key).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

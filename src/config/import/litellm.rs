//! BerriAI/litellm: the proxy's `config.yaml`. Deployments of one `model_name` are one alias; accounts
//! are gathered from them, since a key stands with each deployment.
//! <https://docs.litellm.ai/docs/proxy/config_settings>

use serde_json::Value;

use super::ours::{Ours, shown};
use super::section::{Report, Section};
use crate::base::object::{Object, object};
use crate::config::units;
use accounts::{Accounts, reference};

mod accounts;

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    let mut general = file.section("general_settings", report);
    if let Some(key) = general.text("master_key", report) {
        ours.client_key(&reference(&key));
    }
    let mut settings = file.section("litellm_settings", report);
    let mut router = file.section("router_settings", report);
    let strategy = strategy(&mut router, report);
    let mut accounts = Accounts::default();
    let mut groups = Groups::default();
    for deployment in file.sections("model_list", "", report) {
        groups.add(deployment, &mut accounts, ours, report);
    }
    accounts.give_buckets(ours);
    let names = groups.become_aliases(strategy, ours, report);
    aliases_of_groups(router.section("model_group_alias", report), ours, report);
    for section in [&mut router, &mut settings] {
        fallbacks(section, &names, ours, report);
        failures(section, ours, report);
    }
    for section in [&mut general, &mut settings] {
        budget(section, ours, report);
        if section.switch("drop_params", report) == Some(false) {
            let why = "what a target cannot take is left out with a warning: see `compat`";
            report.changed(&section.path("drop_params"), why);
        }
        section.take("set_verbose");
    }
    general.ends(report);
    settings.ends(report);
    router.ends(report);
    file.ends(report);
}

/// What orders the deployments of one name.
fn strategy(router: &mut Section, report: &mut Report) -> &'static str {
    let Some(word) = router.text("routing_strategy", report) else { return "random" };
    match word.as_str() {
        "simple-shuffle" => "random",
        "usage-based-routing" | "usage-based-routing-v2" => "quota-aware-weighted-rr",
        _ => {
            report.changed(&router.path("routing_strategy"), "there is nothing like it: auto is used");
            "auto"
        }
    }
}

/// The deployments by the name that clients ask for, in the order of the file.
#[derive(Default)]
struct Groups(Vec<Group>);

struct Group {
    name: String,
    path: String,
    targets: Vec<Object>,
    has_weights: bool,
}

impl Groups {
    fn add(
        &mut self,
        mut deployment: Section,
        accounts: &mut Accounts,
        ours: &mut Ours,
        report: &mut Report,
    ) {
        let path = deployment.own_path().to_owned();
        let name = deployment.text("model_name", report).unwrap_or_default();
        let mut params = deployment.section("litellm_params", report);
        let mut info = deployment.section("model_info", report);
        let mode = info.text("mode", report);
        if mode.as_deref().is_some_and(|mode| !matches!(mode, "chat" | "completion" | "responses")) {
            return report.dropped(&path, "llmgate asks models for answers only");
        }
        let Some((target, stem)) = accounts.target(&mut params, ours, report) else { return };
        facts(&target, &mut params, &mut info, ours, report);
        accounts.limit(&target, &mut params, report);
        let mut keys = object! {"to": target.as_str()};
        let weight = params.count("weight", report);
        keys.put_some("weight", weight.filter(|weight| *weight > 0));
        keys.put_some("priority", params.count("order", report));
        keys.put_some(
            "attempts",
            params.count("max_retries", report).map(|retries| retries.saturating_add(1)),
        );
        let first_byte = params.time("stream_timeout", report).filter(|time| !time.is_zero());
        keys.put_some("first_byte", first_byte.map(units::show_duration));
        info.take("id");
        for section in [params, info, deployment] {
            section.ends(report);
        }
        if stem.is_some() && name.contains('/') {
            return report.changed(&path, format!("ask for {} and the model's name", shown(&target)));
        }
        if stem.is_some_and(|stem| !stem.is_empty() && name.strip_suffix('*') != Some(&stem)) {
            report.changed(&path, "the asked name goes on as it is, none is made of it");
        }
        let known = self.0.iter_mut().find(|group| group.name == name);
        let Some(group) = known else {
            let has_weights = weight.is_some();
            return self.0.push(Group { name, path, targets: vec![keys], has_weights });
        };
        group.has_weights |= weight.is_some();
        group.targets.push(keys);
    }

    /// The names of the aliases.
    fn become_aliases(self, strategy: &str, ours: &mut Ours, report: &mut Report) -> Vec<String> {
        let mut names = Vec::new();
        for group in self.0 {
            let mut alias = Object::default();
            if group.targets.len() > 1 {
                let weighs = group.has_weights && strategy == "random";
                alias.put("strategy", if weighs { "weighted-rr" } else { strategy });
            }
            alias.put("targets", group.targets);
            if ours.alias(&group.name, alias, &group.path, report) {
                names.push(group.name);
            }
        }
        names
    }
}

/// What is known of a model: it stands with the deployment or in `model_info`.
fn facts(target: &str, params: &mut Section, info: &mut Section, ours: &mut Ours, report: &mut Report) {
    for section in [info, params] {
        prices(target, section, ours, report);
        for (theirs, here) in [("max_input_tokens", "context"), ("max_output_tokens", "max_output")] {
            if let Some(tokens) = section.count(theirs, report).filter(|tokens| *tokens > 0) {
                ours.fact(target, here, tokens.into());
            }
        }
        if section.switch("supports_function_calling", report) == Some(false) {
            ours.fact(target, "tools", false.into());
        }
        if section.switch("supports_vision", report) == Some(false) {
            ours.fact(target, "input", vec!["text"].into());
        }
    }
}

fn prices(target: &str, section: &mut Section, ours: &mut Ours, report: &mut Report) {
    let path = section.own_path().to_owned();
    let mut price = |key| {
        let price = a_million(&section.take(key)?);
        if price.is_none() {
            report.dropped(&section.path(key), "it must be a number");
        }
        price
    };
    let needed = [price("input_cost_per_token"), price("output_cost_per_token")];
    let cached = [price("cache_read_input_token_cost"), price("cache_creation_input_token_cost")];
    match needed {
        [Some(input), Some(output)] => {
            ours.fact(target, "price.input", input);
            ours.fact(target, "price.output", output);
            for (key, price) in ["price.cache_read", "price.cache_write"].into_iter().zip(cached) {
                if let Some(price) = price {
                    ours.fact(target, key, price);
                }
            }
        }
        [None, None] if cached.iter().all(Option::is_none) => {}
        [None | Some(_), None | Some(_)] => {
            report.dropped(&path, "a price is known when that of input and of output are");
        }
    }
}

/// The price of a million tokens, to a millionth of a dollar.
fn a_million(price: &Value) -> Option<Value> {
    let price = price.as_f64().or_else(|| price.as_str()?.parse().ok())?;
    Some(Value::from((price * 1e12).round() / 1e6))
}

/// Other names for groups: `name: group`, or with `model` and `hidden`.
fn aliases_of_groups(mut section: Section, ours: &mut Ours, report: &mut Report) {
    for name in section.keys() {
        let path = section.path(&name);
        let (group, hidden) = match section.take(&name) {
            Some(Value::String(group)) => (Some(group), false),
            Some(Value::Object(keys)) => {
                let group = keys.get("model").and_then(Value::as_str).map(str::to_owned);
                (group, keys.get("hidden") == Some(&Value::Bool(true)))
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => (None, false),
        };
        let mut alias = Object::default();
        if hidden {
            alias.put("listed", false);
        }
        match group {
            Some(group) if ours.alias(&name, alias, &path, report) => {
                ours.leads_on(&name, vec![group], path);
            }
            Some(_) => {}
            None => report.dropped(&path, "it must name a `model_name`"),
        }
    }
}

fn fallbacks(section: &mut Section, names: &[String], ours: &mut Ours, report: &mut Report) {
    let mut led: Vec<String> = Vec::new();
    let maps = section.sections("fallbacks", "", report);
    for mut map in maps {
        for name in map.keys() {
            let path = map.path(&name);
            ours.leads_on(&name, map.texts(&name, report), path);
            led.push(name);
        }
    }
    let path = section.path("default_fallbacks");
    let to = section.texts("default_fallbacks", report);
    for name in names.iter().filter(|name| !led.contains(name)) {
        let to = to.iter().filter(|to| *to != name).cloned().collect();
        ours.leads_on(name, to, path.clone());
    }
    section.leave(
        "context_window_fallbacks",
        "a request that is too long goes to targets with a larger `context` by itself",
        report,
    );
    section.leave("content_policy_fallbacks", "see `retry.policy_fallback`", report);
}

/// Retries, waiting and resting.
fn failures(section: &mut Section, ours: &mut Ours, report: &mut Report) {
    ours.set_some(
        "retry.attempts",
        section.count("num_retries", report).map(|retries| retries.saturating_add(1)),
    );
    for key in ["request_timeout", "timeout"] {
        ours.set_time("timeouts.buffered", section.time(key, report).filter(|time| !time.is_zero()));
    }
    let first_byte = section.time("stream_timeout", report).filter(|time| !time.is_zero());
    ours.set_time("timeouts.first_byte", first_byte);
    ours.set_some(
        "breaker.threshold",
        section.count("allowed_fails", report).map(|fails| fails.saturating_add(1)),
    );
    if let Some(rest) = section.time("cooldown_time", report).filter(|rest| !rest.is_zero()) {
        ours.set_time("cooldown.rate_limit", Some(rest));
        ours.set_time("breaker.cooldown", Some(rest));
    }
}

/// A budget of a day; there is one of no other time.
fn budget(section: &mut Section, ours: &mut Ours, report: &mut Report) {
    let duration = section.text("budget_duration", report);
    let path = section.path("max_budget");
    let Some(dollars) = section.take("max_budget") else { return };
    match duration.as_deref() {
        Some("1d" | "24h") => ours.set("usage.budget.day", dollars),
        _ => report.dropped(&path, "a budget is one of a day or of a process: see `usage.budget`"),
    }
}

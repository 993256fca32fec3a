//! llmfail: routes over a list of targets over a list of providers.

use serde_json::{Map, Value};

use super::ours::{Account, Ours, shown, take_protocols, take_strategy};
use super::section::{Report, Section};
use crate::base::object::{Object, object};
use crate::config::units::show_duration;

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    file.leave("version", "llmgate's own version is written", report);
    ours.listen(&mut file, report);
    if let Some(address) = file.text("admin_listen", report) {
        ours.set("access.admin_listen", address);
    }
    for provider in file.sections("providers", "", report) {
        self::provider(provider, ours, report);
    }
    let mut targets = Map::new();
    for target in file.sections("targets", "", report) {
        if let Some((name, keys)) = self::target(target, ours, report) {
            targets.insert(name, keys.into());
        }
    }
    for route in file.sections("routes", "", report) {
        self::route(route, &targets, ours, report);
    }
    let mut observability = file.section("observability", report);
    ours.set_some("response_headers", observability.switch("response_headers", report));
    let bodies = ["log_prompts", "log_responses"].map(|key| observability.switch(key, report) == Some(true));
    if bodies.contains(&true) {
        ours.set("log.bodies", true);
    }
    observability.ends(report);
    file.ends(report);
}

fn provider(mut provider: Section, ours: &mut Ours, report: &mut Report) {
    let path = provider.own_path().to_owned();
    let account = Account {
        name: provider.text("name", report).unwrap_or_default(),
        protocols: take_protocols(&mut provider, "type", report),
        base_url: provider.text("base_url", report).unwrap_or_default(),
        key: provider.text("api_key", report),
        variable: provider.text("api_key_env", report),
        off: false,
    };
    ours.provider(account, &path, report);
    provider.ends(report);
}

/// A target as an alias of ours holds it, by its name there.
fn target(mut target: Section, ours: &mut Ours, report: &mut Report) -> Option<(String, Object)> {
    let name = target.text("name", report).unwrap_or_default();
    let provider = target.text("provider", report).unwrap_or_default();
    let model = target.text("model", report).unwrap_or_default();
    let Some(to) = ours.target(&provider, &model) else {
        report.dropped(target.own_path(), format!("there is no provider {}", shown(&provider)));
        return None;
    };
    let mut keys = object! {"to": to.as_str()};
    for key in ["priority", "weight"] {
        if let Some(number) = target.count(key, report) {
            keys.put(key, number);
        }
    }
    if let Some(time) = target.time("timeout", report) {
        keys.put("first_byte", show_duration(time));
    }
    if let Some(retries) = target.count("max_retries", report) {
        keys.put("attempts", retries.saturating_add(1));
    }
    if let Some(context) = target.count("max_context", report) {
        ours.fact(&to, "context", context.into());
    }
    target.leave("required_capabilities", "llmgate reads from each request what it needs", report);
    target.ends(report);
    Some((name, keys))
}

fn route(mut route: Section, targets: &Map<String, Value>, ours: &mut Ours, report: &mut Report) {
    let path = route.own_path().to_owned();
    let name = route.text("name", report).unwrap_or_default();
    let mut alias = Object::default();
    take_strategy(&mut route, &mut alias, report);
    let listed = route.path("targets");
    let mut list = Vec::new();
    for (i, target) in route.texts("targets", report).iter().enumerate() {
        match targets.get(target) {
            Some(keys) => list.push(keys.clone()),
            None => {
                report.dropped(&format!("{listed}[{i}]"), format!("there is no target {}", shown(target)))
            }
        }
    }
    alias.put("targets", list);
    for key in ["fallback", "fallbacks"] {
        let to = route.texts(key, report);
        ours.leads_on(&name, to, route.path(key));
    }
    route.leave("endpoints", "llmgate serves every name on every path", report);
    ours.alias(&name, alias, &path, report);
    route.ends(report);
}

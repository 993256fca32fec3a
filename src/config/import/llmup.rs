//! agentsmith-project/llm-universal-proxy: upstreams and model aliases. Its `PRESET_` words are
//! placeholders that its wrappers fill from the environment; here they are variables.

use serde_json::Value;

use super::ours::{Account, Ours, leading_to, shown, take_protocols};
use super::section::{Report, Section};
use crate::base::id::TargetId;
use crate::base::object::object;

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    data_auth(file.section("data_auth", report), ours, report);
    ours.listen(&mut file, report);
    ours.set_time("timeouts.first_byte", file.time("upstream_timeout_secs", report));
    for key in ["compatibility_mode", "compat"] {
        let path = file.path(key);
        match file.text(key, report).as_deref() {
            Some("strict") => ours.set("compat", "strict"),
            Some("max" | "max_compat" | "balanced") => ours.set("compat", "max"),
            Some(_) => report.dropped(&path, "it must be strict, balanced or max_compat"),
            None => {}
        }
    }
    let mut known = Vec::new();
    for (name, upstream) in file.named("upstreams", "", report) {
        known.push((name.clone(), self::upstream(&name, upstream, ours, report)));
    }
    for (name, alias) in file.named("model_aliases", "target", report) {
        self::alias(&name, alias, &known, ours, report);
    }
    file.ends(report);
}

fn data_auth(mut auth: Section, ours: &mut Ours, report: &mut Report) {
    let mode = auth.text("mode", report);
    let mut key = auth.section("proxy_key", report);
    let inline = key.text("inline", report);
    let variable = key.text("env", report);
    match (mode.as_deref(), inline, variable) {
        (Some("client_provider_key"), _, _) => ours.set("client_auth", object! {"mode": "client_key"}),
        (Some("proxy_key") | None, Some(key), _) => ours.client_key(&key),
        (Some("proxy_key") | None, None, Some(name)) => ours.client_key(&format!("${{{name}}}")),
        (Some("proxy_key"), None, None) => report.dropped(&auth.path("mode"), "it names no key"),
        (Some(_), _, _) => report.dropped(&auth.path("mode"), "it must be proxy_key or client_provider_key"),
        (None, None, None) => {}
    }
    key.ends(report);
    auth.ends(report);
}

/// Reads an upstream; what it says of its models comes back.
fn upstream(name: &str, mut upstream: Section, ours: &mut Ours, report: &mut Report) -> Vec<Fact> {
    let path = upstream.own_path().to_owned();
    let (mut key, mut variable) = (None, upstream.text("provider_key_env", report));
    if upstream.has("provider_key") {
        let mut section = upstream.section("provider_key", report);
        key = section.text("inline", report);
        variable = variable.or_else(|| section.text("env", report));
        section.ends(report);
    }
    let account = Account {
        name: name.to_owned(),
        protocols: take_protocols(&mut upstream, "format", report),
        base_url: filled(&upstream.text("api_root", report).unwrap_or_default()),
        key,
        variable,
        off: upstream.switch("enabled", report) == Some(false),
    };
    ours.provider(account, &path, report);
    let facts = facts(&mut upstream, "surface_defaults", report);
    upstream.ends(report);
    facts
}

fn alias(
    name: &str,
    mut alias: Section,
    known: &[(String, Vec<Fact>)],
    ours: &mut Ours,
    report: &mut Report,
) {
    let path = alias.own_path().to_owned();
    let own = facts(&mut alias, "surface", report);
    let written = alias.text("target", report).unwrap_or_default();
    alias.ends(report);
    let (upstream, model) = written.split_once(':').unwrap_or((&written, ""));
    let Some(target) = ours.target(upstream, &filled(model)).filter(|_| !model.is_empty()) else {
        return report.dropped(&path, format!("there is no upstream for {}", shown(&written)));
    };
    let shared = known.iter().find(|(name, _)| name == upstream).map(|(_, facts)| facts.as_slice());
    let facts: Vec<&Fact> = shared
        .unwrap_or_default()
        .iter()
        .filter(|fact| own.iter().all(|own| own.key != fact.key))
        .chain(&own)
        .collect();
    if is_placeholder(model) {
        for fact in facts {
            report.dropped(&fact.path, "it belongs to a model whose name is not known before it runs");
        }
    } else if let Some(id) = TargetId::parse(&target) {
        for fact in facts {
            ours.fact(&id.to_string(), fact.key, fact.value.clone());
        }
    }
    let keys = leading_to(&target);
    ours.alias(name, keys, &path, report);
}

/// Something known of a model: our key, its value, and where it stands there.
struct Fact {
    key: &'static str,
    value: Value,
    path: String,
}

fn facts(from: &mut Section, surface: &str, report: &mut Report) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut limits = from.section("limits", report);
    for (theirs, key) in [("context_window", "context"), ("max_output_tokens", "max_output")] {
        if let Some(value) = limits.count(theirs, report).filter(|count| *count > 0) {
            facts.push(Fact { key, value: value.into(), path: limits.path(theirs) });
        }
    }
    limits.ends(report);
    let mut surface = from.section(surface, report);
    let mut modalities = surface.section("modalities", report);
    let mut tools = surface.section("tools", report);
    let mut input = modalities.texts("input", report);
    if tools.switch("supports_view_image", report) == Some(true)
        && !input.iter().any(|kind| kind == "image")
        && !input.is_empty()
    {
        input.push("image".to_owned());
    }
    const KINDS: [&str; 4] = ["text", "image", "pdf", "audio"];
    let path = modalities.path("input");
    input.retain(|kind| {
        let known = KINDS.contains(&kind.as_str());
        if !known {
            report.dropped(&path, format!("there is no input {}", shown(kind)));
        }
        known
    });
    if !input.is_empty() {
        facts.push(Fact { key: "input", value: input.into(), path });
    }
    if modalities.texts("output", report).iter().any(|kind| kind != "text") {
        report.dropped(&modalities.path("output"), "llmgate carries text");
    }
    for (theirs, key) in [("supports_search", "tools.search"), ("supports_parallel_calls", "tools.parallel")]
    {
        if let Some(value) = tools.switch(theirs, report) {
            facts.push(Fact { key, value: value.into(), path: tools.path(theirs) });
        }
    }
    let path = tools.path("apply_patch_transport");
    match tools.text("apply_patch_transport", report).as_deref() {
        Some(known @ ("freeform" | "function")) => {
            facts.push(Fact { key: "tools.apply_patch", value: known.into(), path });
        }
        Some(_) => report.dropped(&path, "it must be freeform or function"),
        None => {}
    }
    modalities.ends(report);
    tools.ends(report);
    surface.ends(report);
    facts
}

fn is_placeholder(word: &str) -> bool {
    let rest = word.strip_prefix("PRESET_");
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// A placeholder as a variable.
fn filled(word: &str) -> String {
    if is_placeholder(word) { format!("${{{word}}}") } else { word.to_owned() }
}

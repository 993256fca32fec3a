//! @khanglvm/llm-router: `~/.llm-router.json`.

use super::ours::{Account, Ours, leading_to, literal, shown, take_protocols, take_strategy};
use super::section::{Report, Section};
use crate::base::object::{Object, object};

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    file.take("version");
    if let Some(key) = file.text("masterKey", report) {
        ours.client_key(&key);
    }
    ours.listen(&mut file, report);
    ours.set_some("default_model", file.text("defaultModel", report).map(|model| literal(&model)));
    let mut fallbacks = Vec::new();
    for provider in file.sections("providers", "", report) {
        fallbacks.extend(self::provider(provider, ours, report));
    }
    for (name, alias) in file.named("modelAliases", "", report) {
        self::alias(&name, alias, ours, report);
    }
    for own in fallbacks {
        own.become_alias(ours, report);
    }
    file.ends(report);
}

/// A model with fallbacks of its own. Here only an alias has them, so that one is made of its name.
struct OwnFallbacks {
    target: String,
    to: Vec<String>,
    path: String,
}

fn provider(mut provider: Section, ours: &mut Ours, report: &mut Report) -> Vec<OwnFallbacks> {
    let path = provider.own_path().to_owned();
    let name = provider.text("id", report).unwrap_or_default();
    let account = Account {
        name: name.clone(),
        protocols: take_protocols(&mut provider, "formats", report),
        base_url: provider.text("baseUrl", report).unwrap_or_default(),
        key: provider.text("apiKey", report),
        variable: provider.text("apiKeyEnv", report),
        off: provider.switch("enabled", report) == Some(false),
    };
    ours.provider(account, &path, report);
    provider.leave("name", "a provider has one name, its id", report);
    let mut fallbacks = Vec::new();
    for mut model in provider.sections("models", "id", report) {
        let id = model.text("id", report).unwrap_or_default();
        let to = model.texts("fallbackModels", report);
        let path = model.path("fallbackModels");
        if let Some(target) = ours.target(&name, &id) {
            if let Some(context) = model.count("contextWindow", report).filter(|tokens| *tokens > 0) {
                ours.fact(&target, "context", context.into());
            }
            if !to.is_empty() {
                fallbacks.push(OwnFallbacks { target, to, path });
            }
        }
        model.ends(report);
    }
    let limits = provider.sections("rateLimits", "", report).into_iter().zip(1..);
    let buckets: Vec<Object> = limits.filter_map(|(limit, place)| bucket(limit, place, report)).collect();
    if !buckets.is_empty() {
        ours.of_provider(&name, "buckets", buckets.into());
    }
    provider.ends(report);
    fallbacks
}

/// A limit as a bucket; there it need not have a name.
fn bucket(mut limit: Section, place: u32, report: &mut Report) -> Option<Object> {
    let name = limit.text("id", report).or_else(|| limit.text("name", report));
    let mut bucket = object! {"name": name.unwrap_or_else(|| format!("bucket-{place}"))};
    limit.leave("name", "a bucket has one name, its id", report);
    let models: Vec<String> = limit.texts("models", report).iter().map(|model| literal(model)).collect();
    if !models.is_empty() && !models.iter().any(|model| model == "all") {
        bucket.put("models", models);
    }
    for key in ["requests", "tokens"] {
        if let Some(number) = limit.count(key, report).filter(|number| *number > 0) {
            bucket.put(key, number);
        }
    }
    if !bucket.keys().any(|key| ["requests", "tokens"].contains(&key)) {
        report.dropped(limit.own_path(), "it limits neither requests nor tokens");
        return None;
    }
    let mut window = limit.section("window", report);
    let size = window.count("size", report).unwrap_or(1);
    let unit = match window.text("unit", report).filter(|_| size > 0).as_deref() {
        Some("second") => "s",
        Some("minute") => "m",
        Some("hour") => "h",
        Some("day") => "d",
        Some("week") => "w",
        Some("month") => "mo",
        Some(_) | None => {
            report.dropped(limit.own_path(), "its window has no size or unit that is known");
            return None;
        }
    };
    bucket.put("window", format!("{size}{unit}"));
    window.ends(report);
    limit.ends(report);
    Some(bucket)
}

fn alias(name: &str, mut alias: Section, ours: &mut Ours, report: &mut Report) {
    let path = alias.own_path().to_owned();
    let mut keys = Object::default();
    take_strategy(&mut alias, &mut keys, report);
    let mut targets = Vec::new();
    for mut target in alias.sections("targets", "ref", report) {
        let reference = target.text("ref", report).unwrap_or_default();
        let (reference, suffix) = weighted(&reference);
        let Some(to) = ours.target_of(reference) else {
            report.dropped(target.own_path(), format!("there is no provider for {}", shown(reference)));
            continue;
        };
        let mut keys = object! {"to": to};
        if let Some(priority) = target.count("priority", report) {
            keys.put("priority", priority);
        }
        if let Some(weight) = target.count("weight", report).or(suffix) {
            keys.put("weight", weight);
        }
        target.ends(report);
        targets.push(keys);
    }
    keys.put("targets", targets);
    let listed = alias.path("fallbackTargets");
    let mut to = Vec::new();
    for mut target in alias.sections("fallbackTargets", "ref", report) {
        to.extend(target.text("ref", report));
        target.leave("weight", "fallbacks are tried in their order", report);
        target.ends(report);
    }
    if ours.alias(name, keys, &path, report) {
        let to = to.iter().map(|to| ours.target_of(to).unwrap_or_else(|| to.clone())).collect();
        ours.leads_on(name, to, listed);
    }
    alias.ends(report);
}

/// `provider/model@2` is a reference with a weight.
fn weighted(reference: &str) -> (&str, Option<u64>) {
    match reference.rsplit_once('@').map(|(before, weight)| (before, weight.parse())) {
        Some((before, Ok(weight))) => (before, Some(weight)),
        Some((_, Err(_))) | None => (reference, None),
    }
}

impl OwnFallbacks {
    fn become_alias(self, ours: &mut Ours, report: &mut Report) {
        if ours.has_alias(&self.target) {
            return report.dropped(&self.path, "an alias of this model's name has fallbacks of its own");
        }
        let keys = leading_to(&self.target);
        if ours.alias(&self.target, keys, &self.path, report) {
            report.changed(&self.path, format!("an alias {} has these fallbacks", shown(&self.target)));
            // A model's fallbacks are models: written with `:` they are no alias, and lead no further.
            let to = self.to.iter().map(|to| match ours.target_of(to) {
                Some(target) => target.replacen('/', ":", 1),
                None => to.clone(),
            });
            let to = to.collect();
            ours.leads_on(&self.target, to, self.path);
        }
    }
}

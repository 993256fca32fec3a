//! ococl/llm-proxy: backends, models with routes, one fallback section.

use super::ours::{Account, Ours, literal, shown, take_protocols, take_strategy};
use super::section::{Report, Section};
use crate::base::object::{Object, object};
use crate::config::Words;
use crate::config::units::show_size;
use crate::policy::class::Class;

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    if let Some(key) = file.text("proxy_api_key", report) {
        ours.client_key(&key);
    }
    ours.listen(&mut file, report);
    for backend in file.sections("backends", "", report) {
        self::backend(backend, ours, report);
    }
    for (name, model) in file.named("models", "", report) {
        self::model(&name, model, ours, report);
    }
    fallback(file.section("fallback", report), ours, report);
    detection(file.section("detection", report), ours, report);
    logging(file.section("logging", report), ours, report);
    file.ends(report);
}

fn backend(mut backend: Section, ours: &mut Ours, report: &mut Report) {
    let path = backend.own_path().to_owned();
    let account = Account {
        name: backend.text("name", report).unwrap_or_default(),
        protocols: take_protocols(&mut backend, "protocol", report),
        base_url: backend.text("url", report).unwrap_or_default(),
        key: backend.text("api_key", report),
        variable: None,
        off: backend.switch("enabled", report) == Some(false),
    };
    ours.provider(account, &path, report);
    backend.ends(report);
}

fn model(name: &str, mut model: Section, ours: &mut Ours, report: &mut Report) {
    let path = model.own_path().to_owned();
    let mut alias = Object::default();
    if model.switch("enabled", report) == Some(false) {
        alias.put("enabled", false);
    }
    take_strategy(&mut model, &mut alias, report);
    let mut targets = Vec::new();
    for mut route in model.sections("routes", "", report) {
        let backend = route.text("backend", report).unwrap_or_default();
        let upstream = route.text("model", report).unwrap_or_default();
        let Some(to) = ours.target(&backend, &upstream) else {
            report.dropped(route.own_path(), format!("there is no backend {}", shown(&backend)));
            continue;
        };
        let mut target = object! {"to": to};
        for key in ["priority", "weight"] {
            if let Some(number) = route.count(key, report) {
                target.put(key, number);
            }
        }
        if route.switch("enabled", report) == Some(false) {
            target.put("enabled", false);
        }
        route.ends(report);
        targets.push(target);
    }
    alias.put("targets", targets);
    ours.alias(name, alias, &path, report);
    model.ends(report);
}

fn fallback(mut fallback: Section, ours: &mut Ours, report: &mut Report) {
    // There one rest holds after every failure; a failing server is the breaker's here.
    let rest = fallback.time("cooldown_seconds", report);
    for class in ["rate_limit", "quota", "auth", "not_found"] {
        ours.set_time(&format!("cooldown.{class}"), rest);
    }
    ours.set_some("retry.total", fallback.count("max_retries", report));
    let mut aliases = fallback.section("alias_fallback", report);
    for alias in aliases.keys() {
        let to = aliases.texts(&alias, report);
        ours.leads_on(&alias, to, aliases.path(&alias));
    }
    fallback.ends(report);
}

/// Words that mark a failure -> rules; what they mean is told by the word.
fn detection(mut detection: Section, ours: &mut Ours, report: &mut Report) {
    detection.leave("error_codes", "llmgate knows what each status means", report);
    let rules =
        detection.texts("error_patterns", report).into_iter().filter(|word| !word.is_empty()).map(|word| {
            let lower = word.to_lowercase();
            let is_quota =
                ["quota", "billing", "credit", "balance", "payment"].iter().any(|part| lower.contains(part));
            let class = if is_quota { Class::Quota } else { Class::RateLimit };
            object! {"match": literal(&word), "as": class.word()}
        });
    let rules: Vec<Object> = rules.collect();
    if !rules.is_empty() {
        ours.set("classify", rules);
    }
    detection.ends(report);
}

fn logging(mut logging: Section, ours: &mut Ours, report: &mut Report) {
    if let Some(level) = logging.text("level", report) {
        match level.to_ascii_lowercase().as_str() {
            known @ ("debug" | "info" | "warn" | "error") => ours.set("log.level", known),
            _ => report.dropped(&logging.path("level"), "there is no such level"),
        }
    }
    ours.set_some("log.file", logging.text("general_file", report).map(|path| literal(&path)));
    let separate = logging.switch("separate_files", report) == Some(true);
    for (theirs, here) in [("request_dir", "log.requests_dir"), ("error_dir", "log.errors_dir")] {
        if separate {
            ours.set_some(here, logging.text(theirs, report).map(|path| literal(&path)));
        } else {
            logging.leave(theirs, "separate_files is not on", report);
        }
    }
    ours.set_some("log.mask", logging.switch("mask_sensitive", report));
    let size = logging.count("max_file_size_mb", report).filter(|size| *size > 0);
    ours.set_some("log.rotate.max_size", size.map(|size| show_size(size.saturating_mul(1 << 20))));
    logging.leave("enable_metrics", "llmgate always has them", report);
    logging.ends(report);
}

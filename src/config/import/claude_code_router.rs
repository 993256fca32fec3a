//! musistudio/claude-code-router: `~/.claude-code-router/config.json`. Its router chooses by what a
//! request holds; here that is an alias whose targets have conditions, and to which Claude Code's own
//! names lead. <https://github.com/musistudio/claude-code-router>

use serde_json::Value;

use super::ours::{Account, Ours, shown};
use super::section::{Report, Section};
use crate::base::object::{Object, object};
use crate::config::expand::is_variable;

/// The alias of all requests that are not of the background.
const CODING: &str = "coding";
/// The alias of the small model's requests, and the names by which Claude Code asks for that one.
const BACKGROUND: &str = "background";
const SMALL: [&str; 2] = ["claude-haiku-*", "claude-3-5-haiku-*"];

/// Where a request is long, when the file does not say.
const LONG: u64 = 60_000;

pub(super) fn read(mut file: Section, ours: &mut Ours, report: &mut Report) {
    if let Some(key) = file.text("APIKEY", report) {
        ours.client_key(&with_braces(&key));
    }
    let (host, port) = (file.text("HOST", report), whole(&mut file, "PORT", report));
    if host.is_some() || port.is_some() {
        let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
        ours.listen_at(&format!("{host}:{}", port.unwrap_or(3456)), &file.path("HOST"), report);
    }
    let proxy = file.text("PROXY_URL", report);
    for provider in file.sections("Providers", "", report) {
        self::provider(provider, proxy.as_deref(), ours, report);
    }
    router(file.section("Router", report), ours, report);
    fallback(file.section("fallback", report), ours, report);
    let timeout = whole(&mut file, "API_TIMEOUT_MS", report).filter(|millis| *millis > 0);
    ours.set_time("timeouts.buffered", timeout.map(std::time::Duration::from_millis));
    if let Some(level) = file.text("LOG_LEVEL", report) {
        match level.as_str() {
            "fatal" => ours.set("log.level", "error"),
            "trace" => ours.set("log.level", "debug"),
            known @ ("debug" | "info" | "warn" | "error") => ours.set("log.level", known),
            _ => report.dropped(&file.path("LOG_LEVEL"), "there is no such level"),
        }
    }
    file.leave("CUSTOM_ROUTER_PATH", "llmgate runs no code of others; see `when` of a target", report);
    for key in ["transformers", "Transformers"] {
        file.leave(key, "llmgate translates and adapts by itself", report);
    }
    for key in ["LOG", "CLAUDE_PATH", "NON_INTERACTIVE_MODE", "StatusLine"] {
        file.take(key);
    }
    file.ends(report);
}

fn provider(mut provider: Section, proxy: Option<&str>, ours: &mut Ours, report: &mut Report) {
    let path = provider.own_path().to_owned();
    let name = provider.text("name", report).unwrap_or_default();
    let url = provider.text("api_base_url", report).unwrap_or_default();
    let transformers = Transformers::of(provider.take("transformer"));
    if transformers.has(&["vertex-gemini", "vertex-claude"]) {
        return report.dropped(&path, "Vertex AI with a service account is not spoken to");
    }
    let (base_url, protocol) = base_and_protocol(&url, &transformers);
    let key = provider.text("api_key", report);
    let variable = key.as_deref().and_then(variable).map(str::to_owned);
    let account = Account {
        name: name.clone(),
        protocols: vec![protocol],
        base_url: with_braces(base_url),
        key: key.filter(|_| variable.is_none()),
        variable,
        off: false,
    };
    ours.provider(account, &path, report);
    if let Some(proxy) = proxy {
        ours.of_provider(&name, "proxy", with_braces(proxy).into());
    }
    for model in provider.texts("models", report) {
        let limit = transformers.max_tokens(&model);
        if let (Some(limit), Some(target)) = (limit, ours.target(&name, &model)) {
            ours.fact(&target, "max_output", limit.into());
        }
    }
    if transformers.has_more() {
        report.dropped(&format!("{path}.transformer"), "llmgate translates and adapts by itself");
    }
    provider.ends(report);
}

/// The address without the end point, and what is spoken there.
fn base_and_protocol<'u>(url: &'u str, transformers: &Transformers) -> (&'u str, &'static str) {
    let url = url.trim_end_matches('/');
    let ends = [
        ("/chat/completions", "openai-chat"),
        ("/messages", "anthropic"),
        ("/responses", "openai-responses"),
        ("/v1beta/models", "gemini"),
    ];
    let told = ends.iter().find_map(|(end, protocol)| Some((url.strip_suffix(end)?, *protocol)));
    let (base, by_end) = match told {
        Some((base, "gemini")) => (url.get(..base.len() + "/v1beta".len()).unwrap_or(base), "gemini"),
        Some(told) => told,
        None => (url, "openai-chat"),
    };
    let by_transformer = [
        ("Anthropic", "anthropic"),
        ("anthropic", "anthropic"),
        ("gemini", "gemini"),
        ("openai-responses", "openai-responses"),
    ];
    let named = by_transformer.iter().find(|(name, _)| transformers.has(&[name]));
    (base, named.map_or(by_end, |(_, protocol)| *protocol))
}

fn router(mut router: Section, ours: &mut Ours, report: &mut Report) {
    let threshold = whole(&mut router, "longContextThreshold", report).unwrap_or(LONG);
    let chosen = [
        ("longContext", object! {"min_input": threshold}),
        ("image", object! {"has_images": true}),
        ("think", object! {"thinking": true}),
    ];
    let mut targets = Vec::new();
    for (key, when) in chosen {
        targets.extend(target(&mut router, key, Some(when), ours, report));
    }
    targets.extend(target(&mut router, "default", None, ours, report));
    if targets.len() > 1 {
        targets.iter_mut().zip(1..).for_each(|(target, place)| target.put("priority", place));
    }
    let path = router.path("default");
    if !targets.is_empty() && ours.alias(CODING, object! {"targets": targets}, &path, report) {
        ours.set("default_model", CODING);
        lead(&["claude-*"], CODING, &path, ours, report);
    }
    let path = router.path(BACKGROUND);
    let small = target(&mut router, BACKGROUND, None, ours, report);
    if let Some(small) = small
        && ours.alias(BACKGROUND, object! {"targets": vec![small]}, &path, report)
    {
        lead(&SMALL, BACKGROUND, &path, ours, report);
    }
    router.leave(
        "webSearch",
        "a request with a web search goes where others go; `tools.search` says which model has one",
        report,
    );
    router.ends(report);
}

/// Names that lead to an alias.
fn lead(names: &[&str], to: &str, path: &str, ours: &mut Ours, report: &mut Report) {
    for name in names {
        if ours.alias(name, Object::default(), path, report) {
            ours.leads_on(name, vec![to.to_owned()], path.to_owned());
        }
    }
}

/// A route, `provider,model`, as a target.
fn target(
    router: &mut Section,
    key: &str,
    when: Option<Object>,
    ours: &Ours,
    report: &mut Report,
) -> Option<Object> {
    let route = router.text(key, report)?;
    let Some(to) = target_of(&route, ours) else {
        report.dropped(&router.path(key), format!("there is no provider for {}", shown(&route)));
        return None;
    };
    let mut target = object! {"to": to};
    if let Some(when) = when {
        target.put("when", when);
    }
    Some(target)
}

fn target_of(route: &str, ours: &Ours) -> Option<String> {
    let (provider, model) = route.split_once(',')?;
    ours.target(provider.trim(), model.trim())
}

fn fallback(mut fallback: Section, ours: &mut Ours, report: &mut Report) {
    for (key, alias) in [("default", CODING), (BACKGROUND, BACKGROUND)] {
        let to = fallback.texts(key, report);
        let to = to.into_iter().map(|route| target_of(&route, ours).unwrap_or(route)).collect();
        ours.leads_on(alias, to, fallback.path(key));
    }
    for key in ["think", "longContext", "webSearch"] {
        fallback.leave(key, "the other targets of the alias follow", report);
    }
    fallback.ends(report);
}

/// What is done to a provider's requests there: names, with options.
struct Transformers(Value);

impl Transformers {
    fn of(value: Option<Value>) -> Self {
        Self(value.unwrap_or_default())
    }

    /// Those for all models, or for one.
    fn used<'t>(&'t self, model: Option<&str>) -> impl Iterator<Item = (&'t str, &'t Value)> {
        let section = model.map_or(Some(&self.0), |model| self.0.get(model));
        let list = section.and_then(|section| section.get("use")?.as_array());
        list.into_iter().flatten().filter_map(|one| match one {
            Value::String(name) => Some((name.as_str(), &Value::Null)),
            Value::Array(pair) => Some((pair.first()?.as_str()?, pair.get(1).unwrap_or(&Value::Null))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        })
    }

    fn has(&self, names: &[&str]) -> bool {
        self.used(None).any(|(name, _)| names.contains(&name))
    }

    /// The output limit of a model, its own before the provider's.
    fn max_tokens(&self, model: &str) -> Option<u64> {
        let limit = |model| {
            let mut used = self.used(model);
            used.find_map(|(name, options)| {
                options.get("max_tokens").filter(|_| name == "maxtoken")?.as_u64()
            })
        };
        limit(Some(model)).or_else(|| limit(None))
    }

    /// Is there one that says more than a protocol or a limit?
    fn has_more(&self) -> bool {
        const SAID: [&str; 5] = ["Anthropic", "anthropic", "gemini", "openai-responses", "maxtoken"];
        let sections = self.0.as_object().map_or(0, serde_json::Map::len);
        let own = usize::from(self.0.get("use").is_some());
        sections > own || self.used(None).any(|(name, _)| !SAID.contains(&name))
    }
}

/// The variable that a text is, `$NAME` or `${NAME}`.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    is_variable(name).then_some(name)
}

/// A text with its variable as ours are written.
fn with_braces(text: &str) -> String {
    variable(text).map_or_else(|| text.to_owned(), |name| format!("${{{name}}}"))
}

/// Takes a number, also one in quotes.
fn whole(section: &mut Section, key: &str, report: &mut Report) -> Option<u64> {
    let value = section.take(key)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    if number.is_none() {
        report.dropped(&section.path(key), "it must be a whole number");
    }
    number
}

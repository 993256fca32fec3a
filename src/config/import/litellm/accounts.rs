//! The accounts of a litellm file: what asks at the same address with the same key is one provider.

use serde_json::Value;

use crate::base::object::{Object, object};
use crate::config::expand::is_variable;
use crate::config::import::ours::{Account, Ours, shown};
use crate::config::import::section::{Report, Section};
use crate::config::url::Url;
use crate::config::vendors;

/// The accounts that were met.
#[derive(Default)]
pub(super) struct Accounts {
    known: Vec<(Identity, String)>,
    /// A provider's name, and a bucket of it.
    buckets: Vec<(String, Object)>,
}

/// What makes an account one.
#[derive(PartialEq, Eq)]
struct Identity {
    protocols: Vec<&'static str>,
    base_url: String,
    key: Option<String>,
}

impl Identity {
    fn account(&self, name: &str) -> Account {
        let variable = self.key.as_deref().and_then(variable).map(str::to_owned);
        Account {
            name: name.to_owned(),
            protocols: self.protocols.clone(),
            base_url: self.base_url.clone(),
            key: self.key.clone().filter(|_| variable.is_none()),
            variable,
            off: false,
        }
    }
}

/// Vendors that speak OpenAI's protocol, beside those of `vendors`: the word before a model's name, the
/// base URL, the variable that holds the key. <https://docs.litellm.ai/docs/providers>
const COMPATIBLE: [(&str, &str, &str); 11] = [
    ("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    ("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    ("cohere_chat", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    ("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    ("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    ("fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
    ("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    ("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    ("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    ("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    ("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
];

/// Servers of one's own that speak it; they have no key.
const OWN_SERVERS: [&str; 9] = [
    "ollama",
    "ollama_chat",
    "hosted_vllm",
    "vllm",
    "lm_studio",
    "llamafile",
    "litellm_proxy",
    "openai_like",
    "custom_openai",
];

impl Accounts {
    /// The target that a deployment asks and, where its model is a pattern, what stands before the `*`.
    /// The account is made when it is not known yet.
    pub(super) fn target(
        &mut self,
        params: &mut Section,
        ours: &mut Ours,
        report: &mut Report,
    ) -> Option<(String, Option<String>)> {
        let path = params.own_path().to_owned();
        let asked = params.text("model", report).unwrap_or_default();
        let vendor = params.text("custom_llm_provider", report);
        let (word, model) = vendor_and_model(&asked, vendor.as_deref());
        let base_url = params.text("api_base", report).or_else(|| params.text("base_url", report));
        let key = params.text("api_key", report);
        let Some((protocols, base_url, usual)) = place(word, base_url) else {
            let why = match word {
                "" => format!("no vendor is named for {}", shown(&asked)),
                word => format!(
                    "{} is not spoken to, or no `api_base` is named; see docs/PROVIDERS.md",
                    shown(word)
                ),
            };
            report.dropped(&path, why);
            return None;
        };
        let (protocols, model) = match model.strip_prefix("responses/") {
            Some(model) => (vec!["openai-responses"], model),
            None => (protocols, model),
        };
        params.leave("api_version", "the address says it", report);
        let key = key.or_else(|| usual.map(|variable| format!("os.environ/{variable}")));
        let identity = Identity { protocols, base_url, key };
        let known = self.known.iter().find(|(known, _)| *known == identity);
        let name = known.map(|(_, name)| name.clone()).unwrap_or_else(|| {
            let name = self.free_name(word, &identity.base_url);
            ours.provider(identity.account(&name), &path, report);
            self.known.push((identity, name.clone()));
            name
        });
        let stem = model.strip_suffix('*').map(str::to_owned);
        let model = if stem.is_some() { "*" } else { model };
        Some((ours.target(&name, model)?, stem))
    }

    /// A name that no account has: the vendor's at that address, else the word before the model.
    fn free_name(&self, word: &str, base_url: &str) -> String {
        let host = Url::parse(base_url).map_or("", |url| url.host);
        let stem = vendors::at_host(host).map_or(word, |vendor| vendor.name);
        let mut name = stem.to_owned();
        let mut number = 1;
        while self.known.iter().any(|(_, known)| *known == name) {
            number += 1;
            name = format!("{stem}-{number}");
        }
        name
    }

    /// Takes the requests and tokens a minute of a deployment.
    pub(super) fn limit(&mut self, target: &str, params: &mut Section, report: &mut Report) {
        let mut count = |key| params.count(key, report).filter(|limit| *limit > 0);
        let (requests, tokens) = (count("rpm"), count("tpm"));
        let Some((provider, model)) = target.split_once('/').filter(|_| requests.or(tokens).is_some()) else {
            return;
        };
        report.changed(params.own_path(), "`rpm` and `tpm` are limits here, not shares of the load");
        let mut bucket = object! {"name": format!("{model} a minute"), "models": vec![model]};
        bucket.put_some("requests", requests);
        bucket.put_some("tokens", tokens);
        bucket.put("window", "1m");
        let is_there = |(known, one): &(String, Object)| {
            known == provider && one.text(&["name"]) == bucket.text(&["name"])
        };
        if !self.buckets.iter().any(is_there) {
            self.buckets.push((provider.to_owned(), bucket));
        }
    }

    /// The providers get their buckets.
    pub(super) fn give_buckets(&self, ours: &mut Ours) {
        for (_, name) in &self.known {
            let own = self.buckets.iter().filter(|(provider, _)| provider == name);
            let own: Vec<Value> = own.map(|(_, bucket)| bucket.map().clone().into()).collect();
            if !own.is_empty() {
                ours.of_provider(name, "buckets", own.into());
            }
        }
    }
}

/// `vendor/model`, or a model whose name tells its vendor.
fn vendor_and_model<'t>(asked: &'t str, vendor: Option<&'t str>) -> (&'t str, &'t str) {
    match (vendor, asked.split_once('/')) {
        (Some(vendor), Some((word, model))) if vendor == word => (vendor, model),
        (Some(vendor), _) => (vendor, asked),
        (None, Some((word, model))) => (word, model),
        (None, None) => {
            let vendor = vendors::VENDORS.iter().find(|vendor| vendor.names(asked));
            (vendor.map_or("", |vendor| vendor.name), asked)
        }
    }
}

/// What is spoken, where, and the variable that usually holds the key.
fn place(word: &str, given: Option<String>) -> Option<(Vec<&'static str>, String, Option<&'static str>)> {
    const CHAT: &str = "openai-chat";
    let given = given.map(|url| reference(&url));
    if word == "azure" {
        let base = given?;
        let base = base.trim_end_matches('/');
        let bare = ["/openai/v1", "/openai"].into_iter().find_map(|end| base.strip_suffix(end));
        let base_url = format!("{}/openai/v1", bare.unwrap_or(base));
        return Some((vec![CHAT], base_url, Some("AZURE_API_KEY")));
    }
    if OWN_SERVERS.contains(&word) {
        let usual = word.starts_with("ollama").then(|| "http://localhost:11434".to_owned());
        return Some((vec![CHAT], given.or(usual)?, None));
    }
    if let Some((_, base_url, variable)) = COMPATIBLE.iter().find(|(known, ..)| *known == word) {
        return Some((vec![CHAT], given.unwrap_or_else(|| (*base_url).to_owned()), Some(*variable)));
    }
    let vendor = vendors::VENDORS.iter().find(|vendor| vendor.name == word)?;
    let variable = vendor.variables.first().copied();
    let protocols: Vec<&str> = vendor.protocols.iter().map(|protocol| protocol.name()).collect();
    match given {
        None => Some((protocols, vendor.base_url.to_owned(), variable)),
        // Many others speak OpenAI's protocol, few of them both.
        Some(base) if word == "openai" && !base.contains(vendor.host) => Some((vec![CHAT], base, variable)),
        Some(base) if word == "anthropic" && !base.trim_end_matches('/').ends_with("/v1") => {
            Some((protocols, format!("{}/v1", base.trim_end_matches('/')), variable))
        }
        Some(base) => Some((protocols, base, variable)),
    }
}

/// The variable of `os.environ/NAME`.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix("os.environ/").filter(|name| is_variable(name))
}

/// A text with its variable as ours are written.
pub(super) fn reference(text: &str) -> String {
    variable(text).map_or_else(|| text.to_owned(), |name| format!("${{{name}}}"))
}

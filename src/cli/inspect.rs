//! One provider looked at: reached, key, protocol, model, stream. For `doctor` and `providers check`.

use std::time::Duration;

use crate::base::id::{ModelName, nearest};
use crate::cli::finding::Finding;
use crate::cli::run::model::best;
use crate::config::{AuthForm, ClientAuth, Config, Provider, vendors};
use crate::gateway::check::{self, Answer, List, Said};
use crate::gateway::live::Live;
use crate::policy::class::Class;
use crate::protocol::Protocol;
use crate::upstream::{DEMO_MODEL, Failure};

/// What is asked of a provider.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The model; `None`: the first that is known of.
    pub(super) model: Option<&'a str>,
    /// Is a stream asked for, and told of?
    pub(super) stream: bool,
    /// Is a model asked at all?
    pub(super) asks: bool,
    /// For each question.
    pub(super) limit: Duration,
}

/// What a provider said.
pub(super) struct Inspected<'a> {
    pub(super) provider: &'a Provider,
    pub(super) list: Result<List, Failure>,
    pub(super) model: Option<ModelName>,
    pub(super) answer: Option<Result<Answer, Failure>>,
    /// Does the client's own key go to it?
    client_key: bool,
}

/// Asks: one GET for its models, and one request of one token.
pub(super) fn inspect<'a>(live: &Live, provider: &'a Provider, wish: Wish<'_>) -> Inspected<'a> {
    let list = check::list(live, provider, wish.limit);
    let names = list.as_ref().map(|list| list.names.as_slice()).unwrap_or_default();
    let model = wish
        .model
        .map(str::to_owned)
        .or_else(|| of_demo(live, provider))
        .or_else(|| known_model(live.config(), provider))
        .or_else(|| best(names, vendors::at_host(provider.host()).map_or(&[][..], |vendor| vendor.defaults)))
        .and_then(|name| ModelName::parse(&name));
    // A refused key is refused again.
    let client_key = live.config().client_auth == ClientAuth::ClientKey && provider.key.is_none();
    let worth_it = list.as_ref().is_ok_and(|list| refused(&list.said, Class::Auth).is_none()) && !client_key;
    let answer = model
        .as_ref()
        .filter(|_| wish.asks && worth_it)
        .map(|model| check::ask(live, provider, model, wish.stream, wish.limit));
    Inspected { provider, list, model, answer, client_key }
}

/// The demo's other model always fails.
fn of_demo(live: &Live, provider: &Provider) -> Option<String> {
    live.agent(&provider.name)?.is_demo().then(|| DEMO_MODEL.to_owned())
}

/// The first model that the configuration names for a provider.
fn known_model(config: &Config, provider: &Provider) -> Option<String> {
    let of_aliases = || {
        let targets = config.models.iter().flat_map(|route| &route.targets);
        let own = targets.filter(|target| target.enabled && target.to.provider == provider.name);
        own.map(|target| &target.to.model).find(|model| model.as_str() != "*")
    };
    of_aliases().or_else(|| provider.models.first().map(|model| &model.name)).map(ToString::to_string)
}

fn refused(said: &Said, wanted: Class) -> Option<&str> {
    match said {
        Said::No { class, words, .. } if *class == wanted => Some(words),
        Said::No { .. } | Said::Yes => None,
    }
}

impl Inspected<'_> {
    /// What was found, line by line; `name` makes a check's name.
    pub(super) fn findings(&self, name: &dyn Fn(&str) -> String, wish: Wish<'_>) -> Vec<Finding> {
        let list = match &self.list {
            Ok(list) => list,
            Err(failure) => return vec![self.unreached(failure, name)],
        };
        let mut found = vec![self.reached(list, name), self.key(list, name)];
        found.extend(self.protocol(list, name));
        if wish.asks && !self.client_key && refused(&list.said, Class::Auth).is_none() {
            found.extend(self.asked(list, &name, wish));
        }
        found
    }

    fn is_https(&self) -> bool {
        self.provider.base_url.starts_with("https://")
    }

    fn unreached(&self, failure: &Failure, name: &dyn Fn(&str) -> String) -> Finding {
        let host = self.provider.host();
        if failure.is_unknown_issuer() {
            let next = format!(
                "something between here and {host} signs certificates by itself (a company's proxy, a virus \
                 scanner), or {host} has a private one: save that root certificate as a PEM file and name it in \
                 the configuration: tls: {{ca_file: FILE}}"
            );
            return Finding::fail(name("tls"), failure.to_string(), next);
        }
        if failure.is_tls() {
            let next = format!(
                "check that base_url names the host of the certificate, and this machine's clock ({host})"
            );
            return Finding::fail(name("tls"), failure.to_string(), next);
        }
        let mut next = format!(
            "check providers.{}.base_url ({}), the network and `proxy`",
            self.provider.name, self.provider.base_url
        );
        if matches!(failure, Failure::Slow(_)) {
            next = format!("{next}; or {}", self.more_time());
        }
        Finding::fail(name("reached"), failure.to_string(), next)
    }

    fn more_time(&self) -> String {
        format!(
            "give it more time: `llmgate providers check --provider {} --timeout 30s`",
            self.provider.name
        )
    }

    fn reached(&self, list: &List, name: &dyn Fn(&str) -> String) -> Finding {
        let host = self.provider.host();
        if self.provider.protocols.is_empty() {
            return Finding::ok(name("reached"), "the built-in demo");
        }
        let milliseconds = list.first_byte.as_millis();
        if self.is_https() {
            return Finding::ok(
                name("tls"),
                format!("{host} answers in {milliseconds} ms, its certificate is trusted"),
            );
        }
        Finding::ok(name("reached"), format!("{host} answers in {milliseconds} ms (http, no TLS)"))
    }

    /// Is the key taken? Some lists are open to all, so that an answer of a model counts more.
    fn key(&self, list: &List, name: &dyn Fn(&str) -> String) -> Finding {
        let provider = self.provider;
        let check = name("key");
        let where_it_is = match provider.key.as_ref().map(|key| &key.variable) {
            Some(Some(variable)) => format!("the key in {variable}"),
            Some(None) => format!("providers.{}.api_key", provider.name),
            None => "no key".to_owned(),
        };
        let answer = self.answer.as_ref().and_then(|answer| answer.as_ref().ok()).map(|answer| &answer.said);
        let words =
            answer.and_then(|said| refused(said, Class::Auth)).or_else(|| refused(&list.said, Class::Auth));
        if self.client_key {
            return Finding::ok(check, "clients send their own (client_auth.mode: client_key)");
        }
        match (words, answer) {
            (Some(words), _) if provider.key.is_none() => {
                let next = format!("set providers.{}.api_key or api_key_env", provider.name);
                Finding::fail(check, format!("a key is wanted, and none is configured: {words}"), next)
            }
            (Some(words), _) => {
                let next = match provider.key.as_ref().and_then(|key| key.variable.as_ref()) {
                    Some(variable) => format!("set {variable} to a valid key of {}", provider.name),
                    None => format!("put a valid key into providers.{}.api_key", provider.name),
                };
                Finding::fail(check, format!("{where_it_is} is refused: {words}"), next)
            }
            (None, Some(Said::Yes)) if provider.key.is_none() => Finding::ok(check, "no key is needed"),
            (None, Some(Said::Yes)) => Finding::ok(check, format!("{where_it_is} is valid")),
            (None, _) if provider.key.is_none() && provider.auth != AuthForm::None && self.is_https() => {
                let next = format!("set providers.{}.api_key or api_key_env, if it wants one", provider.name);
                Finding::warn(check, "no key is configured", next)
            }
            (None, _) if provider.key.is_none() => Finding::ok(check, "no key is configured"),
            (None, _) if list.said == Said::Yes => {
                Finding::ok(check, format!("{where_it_is} is taken for the list of models"))
            }
            (None, _) => {
                let next = "name a model with --model, so that it is asked".to_owned();
                Finding::warn(check, format!("whether {where_it_is} is valid was not told"), next)
            }
        }
    }

    /// Does it speak what is configured? A guess by its list of models.
    fn protocol(&self, list: &List, name: &dyn Fn(&str) -> String) -> Option<Finding> {
        let guess = list.guess?;
        let spoken = &self.provider.protocols;
        // OpenAI's two protocols have one list.
        let fits = |protocol: &Protocol| {
            *protocol == guess || (*protocol == Protocol::OpenaiResponses && guess == Protocol::OpenaiChat)
        };
        let names: Vec<&str> = spoken.iter().map(|protocol| protocol.name()).collect();
        if spoken.iter().any(fits) {
            return Some(Finding::ok(name("protocol"), names.join(", ")));
        }
        let said = format!(
            "{} is configured, but its list of models looks like {}'s",
            names.join(", "),
            guess.name()
        );
        let next = format!("if that is so: providers.{}.protocol: {}", self.provider.name, guess.name());
        Some(Finding::warn(name("protocol"), said, next))
    }

    fn asked(&self, list: &List, name: &dyn Fn(&str) -> String, wish: Wish<'_>) -> Vec<Finding> {
        let Some(model) = &self.model else {
            let next = match list.names.as_slice() {
                [] => "name one with --model".to_owned(),
                names => format!(
                    "name one with --model, such as {}",
                    names.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
                ),
            };
            return vec![Finding::warn(name("model"), "not asked: the configuration names none", next)];
        };
        let answer = match &self.answer {
            Some(Ok(answer)) => answer,
            Some(Err(failure)) => {
                let next = format!("try again, or {}", self.more_time());
                return vec![Finding::fail(name("model"), format!("{model}: {failure}"), next)];
            }
            None => return Vec::new(),
        };
        match &answer.said {
            Said::Yes => {
                let said = format!("{model} answers, first byte after {} ms", answer.first_byte.as_millis());
                let mut found = vec![Finding::ok(name("model"), said)];
                if wish.stream {
                    found.push(self.stream(model, answer, name));
                }
                found
            }
            // Told with the key.
            Said::No { class: Class::Auth, .. } => Vec::new(),
            Said::No { status, class, words } => {
                vec![self.model_refused(model, (*status, *class, words), list, name)]
            }
        }
    }

    fn stream(&self, model: &ModelName, answer: &Answer, name: &dyn Fn(&str) -> String) -> Finding {
        if answer.streamed {
            return Finding::ok(name("stream"), "events come, up to their end");
        }
        let next =
            format!("if it cannot stream: providers.{}.models.{model}.stream: false", self.provider.name);
        Finding::warn(name("stream"), "a stream was asked for, and none came that was told to its end", next)
    }

    fn model_refused(
        &self,
        model: &ModelName,
        (status, class, words): (u16, Class, &str),
        list: &List,
        name: &dyn Fn(&str) -> String,
    ) -> Finding {
        let said = format!("{model}: {status} {}: {words}", class.name());
        let check = name("model");
        match class {
            Class::NotFound => {
                let near = nearest(model.as_str(), list.names.iter().map(String::as_str));
                let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
                let next = format!(
                    "{near}`llmgate providers check --provider {} --models` lists its names",
                    self.provider.name
                );
                Finding::fail(check, said, next)
            }
            Class::Quota => Finding::fail(
                check,
                said,
                "the account has no credit left: top it up, or wait for its next period",
            ),
            Class::RateLimit | Class::Transient => Finding::warn(check, said, "try again in a while"),
            Class::BadRequest | Class::Policy => {
                // Some models refuse to say only one token; they are there all the same.
                Finding::warn(check, said, "the model is there; it did not take a request of one token")
            }
            _ => Finding::fail(check, said, format!("see what {} says about it", self.provider.host())),
        }
    }
}

#[cfg(test)]
mod tests;

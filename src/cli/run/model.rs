//! Which model a session uses (SPEC 13.1, step 4).

use std::sync::Arc;
use std::time::Duration;

use crate::base::env::Env;
use crate::cli::refusal::Refusal;
use crate::cli::run::client::Client;
use crate::config::{Config, Provider, Source, vendors};
use crate::gateway::live::Live;
use crate::gateway::offer;
use crate::protocol::listing::ModelCard;
use crate::route::snapshot::{Resolved, Snapshot};

/// For the one question to a provider.
const PATIENCE: Duration = Duration::from_secs(6);
/// What the demo is asked for; it takes any name.
const DEMO: &str = "demo";
/// So many names are shown to choose from.
const SHOWN: usize = 30;

/// The model: the one that was asked for, else the configuration's, else the client's own where it
/// leads somewhere, else, without a file, the best that a provider lists.
///
/// # Errors
/// None of these; the text names what there is.
pub(super) fn choose(
    asked: Option<&str>,
    client: &Client,
    snapshot: &Snapshot,
    env: &Env,
) -> Result<String, Refusal> {
    if let Some(model) = asked_or_default(asked, snapshot)? {
        return Ok(model);
    }
    let config = &snapshot.config;
    if let Some(own) = client.default_model.filter(|own| covers(snapshot, own)) {
        return Ok(own.to_owned());
    }
    let mut offered = Vec::new();
    match &config.source {
        Source::Demo => return Ok(DEMO.to_owned()),
        Source::Environment(_) => match offer(&snapshot.config, env) {
            Ok((Some(best), _)) => return Ok(best),
            Ok((None, names)) => offered = names,
            Err(refusal) => return Err(Refusal::Usage(format!("{refusal}. Name a model with --model"))),
        },
        Source::File(_) => {}
    }
    let names = names_of(config, offered);
    Err(Refusal::Usage(format!("no model for {}: name one with --model. {names}", client.name)))
}

/// The model that a program is told of, if there is one: the one that was asked for, else the
/// configuration's or the demo's. The program may know one of its own.
///
/// # Errors
/// The one that was asked for leads nowhere; the text names others.
pub(super) fn for_program(asked: Option<&str>, snapshot: &Snapshot) -> Result<Option<String>, Refusal> {
    let demo = || (snapshot.config.source == Source::Demo).then(|| DEMO.to_owned());
    Ok(asked_or_default(asked, snapshot)?.or_else(demo))
}

fn asked_or_default(asked: Option<&str>, snapshot: &Snapshot) -> Result<Option<String>, Refusal> {
    let Some(asked) = asked else {
        return Ok(snapshot.config.default_model.as_ref().map(ToString::to_string));
    };
    match snapshot.resolve(Some(asked)) {
        Ok(_) => Ok(Some(asked.to_owned())),
        Err(unresolved) => {
            let names = shown(unresolved.nearest);
            Err(Refusal::Usage(format!("the model {asked:?} leads to no target. {names}")))
        }
    }
}

/// The model at a running llmgate: the one that was asked for, else the client's own if it is
/// listed, else the only one.
///
/// # Errors
/// None of these; the text names what there is.
pub(super) fn choose_listed(
    asked: Option<&str>,
    client: &Client,
    listed: &[ModelCard],
) -> Result<String, Refusal> {
    // A name that is not listed may be a pattern's or provider/model: llmgate tells if it is not.
    let own = || client.default_model.filter(|own| listed.iter().any(|card| card.id == *own));
    let only = || match listed {
        [only] => Some(only.id.as_str()),
        _ => None,
    };
    asked.or_else(own).or_else(only).map(str::to_owned).ok_or_else(|| {
        let names = shown(listed.iter().map(|card| card.id.clone()).collect());
        Refusal::Usage(format!("no model for {}: name one with --model. {names}", client.name))
    })
}

/// Does an alias, a pattern or a vendor's own name pattern cover this name?
pub(super) fn covers(snapshot: &Snapshot, name: &str) -> bool {
    match snapshot.resolve(Some(name)) {
        Ok(Resolved::Alias(..)) => true,
        Ok(Resolved::Direct(target)) => snapshot
            .provider(&target.provider)
            .and_then(|provider| vendors::at_host(provider.host()))
            .is_some_and(|vendor| vendor.names(name)),
        Err(_) => false,
    }
}

/// The best of what the first provider lists that has a favourite, and all that it lists. One GET.
fn offer(config: &Arc<Config>, env: &Env) -> Result<(Option<String>, Vec<String>), Refusal> {
    let favourites =
        |provider: &Provider| vendors::at_host(provider.host()).map_or(&[][..], |vendor| vendor.defaults);
    let with = config.providers.iter().find(|provider| !favourites(provider).is_empty());
    let Some(provider) = with.or_else(|| config.providers.first()) else { return Ok((None, Vec::new())) };
    let live = Live::new(Arc::clone(config), env, None)?;
    let names = offer::names(&live, provider, PATIENCE).map_err(|failure| {
        let said = format!("{} does not tell its models: {failure}", provider.name);
        Refusal::Failure(live.masked(&said).into_owned())
    })?;
    Ok((best(&names, favourites(provider)), names))
}

/// The first pattern that matches any; among several matches the highest version.
pub(in crate::cli) fn best(names: &[String], patterns: &[&str]) -> Option<String> {
    patterns.iter().find_map(|pattern| {
        let fits = names.iter().filter(|name| matches(name, pattern));
        let rank = |name: &&String| {
            (version(name), std::cmp::Reverse(name.len()), std::cmp::Reverse((*name).clone()))
        };
        fits.max_by_key(rank).cloned()
    })
}

/// `*` is any text, also none.
fn matches(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// The numbers of a name's version: the first run of them, up to a date.
fn version(name: &str) -> Vec<u32> {
    let words = name.split(['-', '.', '_', ':']);
    let numbers = words.skip_while(|word| word.parse::<u32>().is_err()).map_while(|word| word.parse().ok());
    numbers.take_while(|number| *number < 1000).collect()
}

/// What there is to choose from: the configuration's names, and what a provider offers.
fn names_of(config: &Config, offered: Vec<String>) -> String {
    let aliases = config.models.iter().filter(|route| route.enabled).map(|route| route.alias.to_string());
    let targets = config.providers.iter().filter(|provider| provider.enabled).flat_map(|provider| {
        provider.models.iter().map(move |spec| format!("{}/{}", provider.name, spec.name))
    });
    shown(aliases.chain(targets).chain(offered).collect())
}

fn shown(mut names: Vec<String>) -> String {
    if names.is_empty() {
        return "No names are known".to_owned();
    }
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("There are: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, names: &[&str], expected: Option<&str>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(best(&names, &[pattern]).as_deref(), expected, "{pattern}");
    }

    #[test]
    fn the_highest_version_wins() {
        let claude =
            ["claude-sonnet-4-20250514", "claude-sonnet-4-5-20250929", "claude-opus-9", "claude-sonnet-4-6"];
        check("claude-sonnet-*", &claude, Some("claude-sonnet-4-6"));
        check("gpt-5*", &["gpt-5", "gpt-5-2025-08-07", "gpt-5.5-mini", "gpt-5.5", "gpt-4o"], Some("gpt-5.5"));
        let gemini = ["gemini-2.5-flash", "gemini-3.8-flash-lite", "gemini-3.8-flash", "gemini-3.9-pro"];
        check("gemini-*-flash*", &gemini, Some("gemini-3.8-flash"));
        check("deepseek-chat", &["deepseek-chat-x", "deepseek-chat"], Some("deepseek-chat"));
        check("grok-*", &["gpt-5"], None);
    }

    #[test]
    fn a_running_llmgates_model_is_the_clients_own_or_the_only_one() {
        let own = crate::cli::run::client::named("claude").unwrap();
        let name = own.default_model.unwrap();
        for (asked, listed, chosen) in [
            (Some("x"), &["a", name][..], Some("x")),
            (None, &["a", name], Some(name)),
            (None, &["a"], Some("a")),
            (None, &["a", "b"], None),
            (None, &[], None),
        ] {
            let cards = listed.iter().map(|id| ModelCard { id: (*id).to_owned(), ..ModelCard::default() });
            let told = choose_listed(asked, own, &cards.collect::<Vec<_>>());
            assert_eq!(told.ok().as_deref(), chosen, "{listed:?}");
        }
    }

    #[test]
    fn so_many_names_are_shown() {
        let names = |count: usize| shown((0..count).map(|n| n.to_string()).collect());
        assert_eq!(names(0), "No names are known");
        assert_eq!(names(2), "There are: 0, 1");
        assert!(names(30).ends_with(", 28, 29") && names(32).ends_with(", 28, 29 and 2 more"));
    }
}

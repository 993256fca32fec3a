//! The configuration as routes: what a name leads to (SPEC 5.2). Replaced whole by a reload.

use std::fmt;
use std::sync::Arc;

use crate::base::cut::cut;
use crate::base::id::{Alias, ModelName, ProviderName, TargetId, distance};
use crate::base::sort;
use crate::base::table::Table;
use crate::config::{AliasRoute, Config, Provider, UnknownModel};

/// No model's name has more bytes. Names of clients are remembered, logged and written down.
pub const LONGEST_NAME: usize = 1024;

/// A configuration, indexed for look-ups.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration itself.
    pub config: Arc<Config>,
    exact: Table<String, usize>,
    /// Patterns by falling length of their prefix.
    patterns: Vec<(String, usize)>,
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub enum Resolved<'a> {
    /// An alias, exact or by pattern; and the name that was looked up.
    Alias(&'a AliasRoute, ModelName),
    /// One target: asked for directly, or the only provider there is.
    Direct(TargetId),
}

/// A name that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The name, as long as one may be; empty when none was given and there is no default.
    pub name: String,
    /// At most three names that are like it.
    pub nearest: Vec<String>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str("The request names no model, and there is no `default_model`.")?;
        } else {
            write!(f, "The model {:?} leads to no target.", self.name)?;
        }
        if self.nearest.is_empty() {
            Ok(())
        } else {
            write!(f, " Known names like it: {}.", self.nearest.join(", "))
        }
    }
}

impl Snapshot {
    /// Indexes a configuration.
    pub fn new(config: Arc<Config>) -> Self {
        let mut exact = Table::default();
        let mut patterns = Vec::new();
        for (index, route) in config.models.iter().enumerate() {
            match route.alias.pattern_prefix() {
                Some(prefix) => patterns.push((prefix.to_owned(), index)),
                None => {
                    exact.insert(route.alias.as_str().to_owned(), index);
                }
            }
        }
        sort::by_key(&mut patterns, |(prefix, _): &(String, usize)| std::cmp::Reverse(prefix.len()));
        Self { config, exact, patterns }
    }

    /// What a name leads to.
    ///
    /// # Errors
    /// It leads nowhere, or to an alias that is disabled.
    pub fn resolve(&self, asked: Option<&str>) -> Result<Resolved<'_>, Unresolved> {
        let default = self.config.default_model.as_ref().map(ModelName::as_str);
        let Some(name) = asked else {
            let found = default.and_then(|name| self.lead(name));
            return found.ok_or_else(|| self.unresolved(""));
        };
        let fallback = || match self.config.unknown_model {
            UnknownModel::UseDefault => default.and_then(|name| self.lead(name)),
            UnknownModel::Refuse => None,
        };
        self.lead(name).or_else(fallback).ok_or_else(|| self.unresolved(name))
    }

    /// The provider of that name.
    pub fn provider(&self, name: &ProviderName) -> Option<&Provider> {
        self.config.provider(name)
    }

    /// The alias of exactly that name.
    pub(super) fn alias(&self, name: &Alias) -> Option<&AliasRoute> {
        self.config.models.iter().find(|route| route.alias == *name)
    }

    fn lead(&self, name: &str) -> Option<Resolved<'_>> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        // Claude Code marks a model's long context so. Whoever takes any name comes after that.
        let unmarked = name.strip_suffix("[1m]");
        let is_alias = |name: &str| self.route(name).is_some();
        let found = self.named(name).or_else(|| self.named(unmarked?));
        // An alias that is switched off leads nowhere.
        found.or_else(|| {
            if is_alias(name) || unmarked.is_some_and(is_alias) { None } else { self.only_provider(name) }
        })
    }

    /// What has that name: an alias, or a target that is asked for directly.
    fn named(&self, name: &str) -> Option<Resolved<'_>> {
        let model = ModelName::parse(name)?;
        if let Some(route) = self.route(name) {
            return route.enabled.then_some(Resolved::Alias(route, model));
        }
        let target = TargetId::parse(name).filter(|_| self.config.direct_routes)?;
        self.provider(&target.provider).map(|_| Resolved::Direct(target))
    }

    /// The only enabled provider takes any name.
    fn only_provider(&self, name: &str) -> Option<Resolved<'_>> {
        let model = ModelName::parse(name)?;
        let mut enabled = self.config.providers.iter().filter(|provider| provider.enabled);
        let (only, None) = (enabled.next()?, enabled.next()) else { return None };
        Some(Resolved::Direct(TargetId { provider: only.name.clone(), model }))
    }

    fn route(&self, name: &str) -> Option<&AliasRoute> {
        let by_pattern = || self.patterns.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
        let index = self.exact.get(name).copied().or_else(|| by_pattern().map(|(_, index)| *index))?;
        self.config.models.get(index)
    }

    fn unresolved(&self, name: &str) -> Unresolved {
        let name = cut(name, LONGEST_NAME);
        let aliases =
            self.config.models.iter().filter(|route| route.enabled).map(|route| route.alias.as_str());
        let targets = self.config.providers.iter().filter(|provider| provider.enabled).flat_map(|provider| {
            provider.models.iter().map(move |model| format!("{}/{}", provider.name, model.name))
        });
        let known = aliases.map(str::to_owned).chain(targets);
        let mut known: Vec<(usize, String)> = known.map(|known| (distance(name, &known), known)).collect();
        sort::by_key(&mut known, |(distance, _)| *distance);
        let nearest = known.into_iter().take(3).map(|(_, known)| known).collect();
        Unresolved { name: name.to_owned(), nearest }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};

    const TWO: &str = "providers:
  a: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1'}
  b: {protocol: openai-chat, base_url: 'http://127.0.0.1:1/v1', models: {known: {}}}
models:
  coding: a/x
  coding-old: {enabled: false, targets: [{to: a/x}]}
  claude-*: a/*
  claude-haiku-*: b/small
";

    fn snapshot(more: &str) -> Snapshot {
        let text = format!("version: 1\n{more}");
        let config = from_text(&text, Path::new("t.yaml"), &Env::default(), &Overrides::default()).unwrap();
        Snapshot::new(Arc::new(config))
    }

    /// What a name leads to: `alias NAME`, a target, or `-`.
    #[track_caller]
    fn check(more: &str, asked: Option<&str>, expected: &str) {
        let snapshot = snapshot(more);
        let led = match snapshot.resolve(asked) {
            Ok(Resolved::Alias(route, name)) => format!("{} {name}", route.alias),
            Ok(Resolved::Direct(target)) => target.to_string(),
            Err(_) => "-".to_owned(),
        };
        assert_eq!(led, expected, "{asked:?}");
    }

    #[test]
    fn names_resolve_in_their_order() {
        check(TWO, Some("coding"), "coding coding");
        check(TWO, Some("claude-opus-5"), "claude-* claude-opus-5");
        check(TWO, Some("claude-haiku-4"), "claude-haiku-* claude-haiku-4");
        check(TWO, Some("b/openai/gpt"), "b/openai/gpt");
        check(TWO, Some("b:qwen:7b"), "b/qwen:7b");
        check(TWO, Some("coding[1m]"), "coding coding");
        check(TWO, Some("coding-old"), "-");
        check(TWO, Some("nobody"), "-");
        check(TWO, Some("c/x"), "-");
        check(TWO, None, "-");
        check(&format!("direct_routes: false\n{TWO}"), Some("b/x"), "-");
    }

    #[test]
    fn a_default_serves_who_names_nothing() {
        let with = format!("default_model: coding\n{TWO}");
        check(&with, None, "coding coding");
        check(&with, Some("nobody"), "-");
        check(&format!("unknown_model: default\n{with}"), Some("nobody"), "coding coding");
    }

    #[test]
    fn the_only_enabled_provider_takes_any_name() {
        let one = "providers:
  a: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1'}
  b: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1', enabled: false}
";
        check(one, Some("anything/at-all"), "a/anything/at-all");
        check(one, Some("a/x"), "a/x");
        let named = format!("{one}models: {{coding: a/x, off: {{enabled: false, targets: [{{to: a/x}}]}}}}");
        check(&named, Some("coding[1m]"), "coding coding");
        check(&named, Some("other[1m]"), "a/other[1m]");
        check(&named, Some("off"), "-");
        check(&named, Some("off[1m]"), "-");
    }

    #[test]
    fn a_name_that_leads_nowhere_gets_three_that_are_like_it() {
        let error = snapshot(TWO).resolve(Some("codign")).unwrap_err();
        assert_eq!(error.nearest.len(), 3);
        assert_eq!(error.nearest[0], "coding");
    }
}

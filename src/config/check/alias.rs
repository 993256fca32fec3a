//! The names that clients see, and where they lead.

use std::time::Duration;

use super::{fallback, over_zero, some_over_zero};
use crate::base::id::{Alias, TargetId, nearest};
use crate::config::errors::{Errors, Spot};
use crate::config::read::{At, Entries, Entry, Field};
use crate::config::{AliasRoute, Strategy, Target, When, raw};

/// How long a session stays on its target.
const AFFINITY: Duration = Duration::from_secs(3600);

/// The names that a target or fallback may use.
pub(super) struct Names<'a> {
    pub(super) providers: &'a [String],
    pub(super) aliases: &'a [String],
}

pub(super) fn models(
    written: &Entries<raw::Alias>,
    providers: &[String],
    errors: &mut Errors,
) -> Vec<AliasRoute> {
    let aliases: Vec<_> = written.0.iter().map(|entry| entry.name.clone()).collect();
    let names = Names { providers, aliases: &aliases };
    let mut routes = Vec::new();
    let mut spots = Vec::new();
    for entry in &written.0 {
        let spot = entry.spot.clone();
        if let Some(route) = route(entry, &names, errors) {
            routes.push(route);
            spots.push(spot);
        }
    }
    fallback::chains(&routes, &spots, errors);
    routes
}

fn route(entry: &Entry<raw::Alias>, names: &Names<'_>, errors: &mut Errors) -> Option<AliasRoute> {
    let alias = Alias::parse(&entry.name);
    if alias.is_none() {
        let reason = "an alias begins with a letter or digit, goes on with these and . _ : / @ -, \
                      and may end in one `*`; `*` alone takes every name";
        errors.refuse(&entry.spot, reason);
    }
    let written = match entry.value.as_ref()? {
        raw::Alias::Short(at) => {
            let to = to(at, names, errors);
            return Some(AliasRoute { targets: vec![Target::alone(to?)], ..unsaid(alias?) });
        }
        raw::Alias::Long(written) => written,
    };
    let targets = &written.targets;
    let fallback = &written.fallback;
    if targets.is_empty() && fallback.is_empty() && !errors.has_about(&entry.spot.path) {
        errors.refuse(&entry.spot, "leads nowhere: give it targets, such as [{to: provider/model}]");
    }
    let targets = targets.iter().filter_map(|at| target(at, names, errors)).collect();
    let fallback = fallback.iter().filter_map(|at| fallback::read(at, names, errors)).collect();
    let route = unsaid(alias?);
    Some(AliasRoute {
        enabled: written.enabled.or(route.enabled),
        listed: written.listed.or(route.listed),
        strategy: written.strategy.or(route.strategy),
        affinity: written.affinity.or(route.affinity),
        targets,
        fallback,
        ..route
    })
}

/// An alias of which nothing else is said.
fn unsaid(alias: Alias) -> AliasRoute {
    AliasRoute {
        alias,
        enabled: true,
        listed: true,
        strategy: Strategy::QuotaAware,
        affinity: AFFINITY,
        targets: Vec::new(),
        fallback: Vec::new(),
    }
}

fn target(
    At { value: written, spot }: &At<raw::Target>,
    names: &Names<'_>,
    errors: &mut Errors,
) -> Option<Target> {
    let to = written.to.required(spot, "to", errors);
    let to = to.and_then(|at| self::to(at, names, errors));
    let weight = over_zero(&written.weight, 1, errors);
    let first_byte = some_over_zero(&written.first_byte, errors);
    let attempts = some_over_zero(&written.attempts, errors);
    let when = when(&written.when, errors);
    Some(Target {
        priority: written.priority.or(1),
        weight,
        enabled: written.enabled.or(true),
        first_byte,
        attempts,
        when,
        ..Target::alone(to?)
    })
}

fn when(field: &Field<raw::When>, errors: &mut Errors) -> When {
    let Field::Given(At { value: written, spot }) = field else {
        return When::default();
    };
    let when = When {
        max_input: written.max_input.value(),
        min_input: written.min_input.value(),
        has_images: written.has_images.value(),
        thinking: written.thinking.value(),
    };
    if let (Some(max), Some(min)) = (when.max_input, when.min_input)
        && min > max
    {
        errors.refuse(spot, "never holds: min_input is over max_input");
    }
    when
}

/// Reads `provider/model`: the provider exists, the model may be unknown.
fn to(at: &At<String>, names: &Names<'_>, errors: &mut Errors) -> Option<TargetId> {
    if let Some(target) = TargetId::parse(&at.value) {
        let is_known = known_provider(&target, &at.spot, names, errors);
        return if is_known { whole(target, &at.spot, errors) } else { None };
    }
    let reason = if names.aliases.contains(&at.value) {
        "an alias is not a target: name it under `fallback`, or write provider/model"
    } else {
        "must be provider/model"
    };
    errors.refuse(&at.spot, reason);
    None
}

fn known_provider(target: &TargetId, spot: &Spot, names: &Names<'_>, errors: &mut Errors) -> bool {
    let name = target.provider.as_str();
    let known = names.providers.iter().any(|known| known == name);
    if !known {
        let near = nearest(name, names.providers.iter().map(String::as_str));
        errors.refuse_near(spot, "there is no provider of this name under `providers`", near);
    }
    known
}

/// `*` stands for the asked name only when it stands alone.
pub(super) fn whole(target: TargetId, spot: &Spot, errors: &mut Errors) -> Option<TargetId> {
    let model = target.model.as_str();
    if model.contains('*') && model != "*" {
        errors.refuse(spot, "`*` stands for the whole asked name: write provider/*");
        return None;
    }
    Some(target)
}

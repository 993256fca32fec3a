//! Model lists (SPEC 3.4), answered from the configuration alone.

use crate::config::{ApplyPatch, Config, Modality, ModelSpec, Provider, Target, ToolAbility, Words};
use crate::gateway::inbound::parameter;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::listing::{self, ListQuery, ModelCard};
use crate::protocol::{Protocol, percent_decoded};
use crate::route::snapshot::{Resolved, Snapshot};
use crate::server::head::Head;

/// The body of a list, or of one entry. A client may ask for a name that is not listed before it
/// uses it: any that leads somewhere has an entry.
///
/// # Errors
/// The name leads nowhere: 404.
pub fn answer(
    snapshot: &Snapshot,
    head: &Head,
    prefix: Option<Protocol>,
    id: Option<&str>,
) -> Result<String, Fault> {
    let query = head.query.as_deref();
    let codex = parameter(query, "client_version").is_some();
    let codec = listing::shape(prefix, codex, |name| head.headers.first(name).is_some()).codec();
    if let Some(id) = id {
        return card_of(snapshot, id).map(|card| codec.model_entry(&card)).ok_or_else(|| {
            Fault::new(
                FaultKind::ModelNotFound,
                format!("There is no model {id:?}. GET /v1/models lists them."),
            )
        });
    }
    let text = |name| parameter(query, name).map(|value| percent_decoded(value).into_owned());
    let list = ListQuery {
        limit: text("limit").or_else(|| text("pageSize")).and_then(|value| value.parse().ok()),
        after: text("after_id").or_else(|| text("pageToken")),
        before: text("before_id"),
        codex,
    };
    Ok(codec.model_list(&cards(&snapshot.config), &list))
}

/// What is known of each listed name; patterns are no names.
pub fn cards(config: &Config) -> Vec<ModelCard> {
    let listed = config.models.iter().filter(|route| route.enabled && route.listed);
    let named = listed.filter(|route| route.alias.pattern_prefix().is_none());
    named.map(|route| card(config, route.alias.as_str(), &route.targets)).collect()
}

/// What is known of a name that need not be listed: an alias, one that a pattern covers, or a target.
/// `None` when it leads nowhere.
pub fn card_of(snapshot: &Snapshot, name: &str) -> Option<ModelCard> {
    let targets = targets_of(snapshot, name)?;
    Some(card(&snapshot.config, name, &targets))
}

/// The targets that a name leads to, the asked name put in where they say so.
pub fn targets_of(snapshot: &Snapshot, name: &str) -> Option<Vec<Target>> {
    let (asked, mut targets) = match snapshot.resolve(Some(name)).ok()? {
        Resolved::Alias(route, asked) => (asked, route.targets.clone()),
        Resolved::Direct(to) => (to.model.clone(), vec![Target::alone(to)]),
    };
    for target in &mut targets {
        if target.to.model.as_str() == "*" {
            target.to.model = asked.clone();
        }
    }
    Some(targets)
}

/// The smallest limits and the common abilities of the first priority tier; name and model of its
/// first target.
fn card(config: &Config, id: &str, targets: &[Target]) -> ModelCard {
    let usable = |target: &&Target| target.enabled && provider(config, target).is_some_and(|p| p.enabled);
    let first = targets.iter().filter(usable).map(|target| target.priority).min();
    let tier: Vec<&Target> =
        targets.iter().filter(usable).filter(|target| Some(target.priority) == first).collect();
    let specs: Vec<Option<&ModelSpec>> = tier
        .iter()
        .map(|target| provider(config, target)?.models.iter().find(|spec| spec.name == target.to.model))
        .collect();
    let tools: Vec<ToolAbility> =
        specs.iter().map(|spec| spec.map_or(ToolAbility::Unknown, |spec| spec.tools)).collect();
    ModelCard {
        id: id.to_owned(),
        upstream_name: tier.first().map(|target| target.to.provider.to_string()),
        upstream_model: tier.first().map(|target| target.to.model.to_string()),
        context_window: smallest(&specs, |spec| spec.context),
        max_output_tokens: smallest(&specs, |spec| spec.max_output),
        input: common_input(&specs),
        tools: common(&tools, |ability| match ability {
            ToolAbility::Unknown => None,
            ToolAbility::None => Some(false),
            ToolAbility::Some { .. } => Some(true),
        }),
        parallel_calls: common(&tools, |ability| some_of(ability, |parallel, _| parallel)),
        search: common(&tools, |ability| some_of(ability, |_, search| search)),
        apply_patch: common_form(&tools),
    }
}

fn provider<'a>(config: &'a Config, target: &Target) -> Option<&'a Provider> {
    config.provider(&target.to.provider)
}

/// The smallest value; unknown when no target's is known.
fn smallest(specs: &[Option<&ModelSpec>], value: impl Fn(&ModelSpec) -> Option<u64>) -> Option<u64> {
    specs.iter().filter_map(|spec| value((*spec)?)).min()
}

/// What all can; unknown when any is unknown and none says no.
fn common(tools: &[ToolAbility], ability: impl Fn(&ToolAbility) -> Option<bool>) -> Option<bool> {
    let known: Vec<Option<bool>> = tools.iter().map(ability).collect();
    if known.contains(&Some(false)) {
        Some(false)
    } else if known.is_empty() || known.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn some_of(ability: &ToolAbility, pick: impl Fn(Option<bool>, Option<bool>) -> Option<bool>) -> Option<bool> {
    match ability {
        ToolAbility::Unknown => None,
        ToolAbility::None => Some(false),
        ToolAbility::Some { parallel, search, .. } => pick(*parallel, *search),
    }
}

/// The form that all take; unknown when one takes another, or is not known to take any.
fn common_form(tools: &[ToolAbility]) -> Option<&'static str> {
    let first = tools.first().and_then(patch_form);
    first.filter(|form| tools.iter().all(|ability| patch_form(ability) == Some(form)))
}

fn patch_form(ability: &ToolAbility) -> Option<&'static str> {
    match ability {
        ToolAbility::Some { apply_patch: Some(ApplyPatch::Freeform), .. } => Some("freeform"),
        ToolAbility::Some { apply_patch: Some(ApplyPatch::Function), .. } => Some("function"),
        ToolAbility::Some { apply_patch: None, .. } | ToolAbility::None | ToolAbility::Unknown => None,
    }
}

/// What all take; unknown when any is unknown.
fn common_input(specs: &[Option<&ModelSpec>]) -> Option<Vec<&'static str>> {
    let lists: Vec<&Vec<Modality>> =
        specs.iter().map(|spec| spec.and_then(|spec| spec.input.as_ref())).collect::<Option<_>>()?;
    let (first, others) = lists.split_first()?;
    let common = first.iter().filter(|kind| others.iter().all(|list| list.contains(kind)));
    Some(common.map(|kind| kind.word()).collect())
}

//! Where aliases lead when their targets fail: no circles, no long chains (SPEC 4.3).

use super::alias::{Names, whole};
use crate::base::id::{Alias, TargetId, nearest};
use crate::base::table::Table;
use crate::config::errors::{Errors, Spot};
use crate::config::read::At;
use crate::config::{AliasRoute, Fallback};

/// How many aliases may follow one another.
const DEEPEST: usize = 8;

/// Reads the name of an alias, else `provider/model`.
pub(super) fn read(at: &At<String>, names: &Names<'_>, errors: &mut Errors) -> Option<Fallback> {
    if names.aliases.contains(&at.value) {
        // A wrong name of an alias was noted where it stands.
        return Alias::parse(&at.value).map(Fallback::Alias);
    }
    let target = TargetId::parse(&at.value);
    let known = |target: &TargetId| names.providers.iter().any(|p| p == target.provider.as_str());
    if let Some(target) = target.filter(known) {
        return whole(target, &at.spot, errors).map(Fallback::Target);
    }
    let near = nearest(&at.value, names.aliases.iter().map(String::as_str));
    let reason = "must be an alias under `models`, or provider/model with a provider that exists";
    errors.refuse_near(&at.spot, reason, near);
    None
}

/// Notes circles and chains that are too long. Each alias is looked at once: those without
/// unsettled fallbacks are settled first; what cannot be settled leads into a circle.
pub(super) fn chains(routes: &[AliasRoute], spots: &[Box<Spot>], errors: &mut Errors) {
    let index: Table<&str, usize> =
        routes.iter().enumerate().map(|(i, route)| (route.alias.as_str(), i)).collect();
    let next: Vec<Vec<usize>> = routes.iter().map(|route| follow(route, &index)).collect();
    let depths = depths(&next);
    let mut told = vec![false; routes.len()];
    for (i, spot) in spots.iter().enumerate() {
        match depths.get(i).copied().flatten() {
            // What goes deeper still leads through one of these.
            Some(depth) if depth == DEEPEST + 1 => {
                errors.refuse(spot, &format!("its fallbacks go deeper than {DEEPEST} aliases"));
            }
            Some(_) => {}
            None => {
                if let Some(circle) = circle(i, &next, &depths, &mut told) {
                    let spot = circle.first().and_then(|i| spots.get(*i)).unwrap_or(spot);
                    let names = circle.iter().filter_map(|i| routes.get(*i));
                    let names: Vec<_> = names.map(|route| route.alias.as_str()).collect();
                    errors.refuse(spot, &format!("its fallbacks go in a circle: {}", names.join(" -> ")));
                }
            }
        }
    }
}

fn follow(route: &AliasRoute, index: &Table<&str, usize>) -> Vec<usize> {
    let aliases = route.fallback.iter().filter_map(|fallback| match fallback {
        Fallback::Alias(alias) => index.get(alias.as_str()).copied(),
        Fallback::Target(_) => None,
    });
    aliases.collect()
}

/// How many aliases follow each; `None` where a circle does.
fn depths(next: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); next.len()];
    for (i, list) in next.iter().enumerate() {
        for child in list {
            if let Some(parents) = before.get_mut(*child) {
                parents.push(i);
            }
        }
    }
    let mut open: Vec<usize> = next.iter().map(Vec::len).collect();
    let mut deepest = vec![0; next.len()];
    let mut depths = vec![None; next.len()];
    let mut settled: Vec<usize> = (0..next.len()).filter(|i| open.get(*i) == Some(&0)).collect();
    while let Some(child) = settled.pop() {
        let depth = deepest.get(child).copied().unwrap_or(0);
        if let Some(slot) = depths.get_mut(child) {
            *slot = Some(depth);
        }
        for parent in before.get(child).into_iter().flatten() {
            if let (Some(open), Some(deep)) = (open.get_mut(*parent), deepest.get_mut(*parent)) {
                *open -= 1;
                *deep = (*deep).max(depth + 1);
                if *open == 0 {
                    settled.push(*parent);
                }
            }
        }
    }
    depths
}

/// The circle that an unsettled alias leads into, from its first member back to it; `None` when
/// it was told already.
fn circle(
    start: usize,
    next: &[Vec<usize>],
    depths: &[Option<usize>],
    told: &mut [bool],
) -> Option<Vec<usize>> {
    let mut walk = vec![start];
    let mut at = start;
    loop {
        let slot = told.get_mut(at)?;
        if std::mem::replace(slot, true) {
            break;
        }
        let unsettled = |i: &usize| depths.get(*i) == Some(&None);
        at = next.get(at)?.iter().copied().find(unsettled)?;
        walk.push(at);
    }
    let first = walk.iter().position(|i| *i == at)?;
    // A walk that ends at an alias of an earlier walk found no circle of its own.
    (first + 1 < walk.len()).then(|| walk.split_off(first))
}

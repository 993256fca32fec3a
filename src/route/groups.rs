//! A resolved name as groups of targets: the alias's own priorities, lower first, then those of
//! each of its fallbacks (SPEC 5.4).

use crate::base::id::{ModelName, TargetId};
use crate::base::sort;
use crate::config::{AliasRoute, Fallback, Strategy, Target};
use crate::protocol::Protocol;
use crate::route::plan::Candidate;
use crate::route::snapshot::{Resolved, Snapshot};

/// Targets of one priority.
pub(super) struct Group<'a> {
    /// The alias and the priority: where a rotation is remembered; `None` for a single target.
    pub(super) place: Option<Place<'a>>,
    /// How they are ordered.
    pub(super) strategy: Strategy,
    /// The targets, as written.
    pub(super) members: Vec<Member<'a>>,
}

/// Whose rotation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place<'a> {
    /// The alias.
    pub(super) alias: &'a str,
    /// The priority.
    pub(super) priority: u32,
}

/// One target of a group.
pub(super) struct Member<'a> {
    /// The target as a candidate.
    pub(super) candidate: Candidate<'a>,
    /// As written in the alias; `None` for a target that was named directly.
    pub(super) written: Option<&'a Target>,
    /// Is the alias that it stands in enabled?
    pub(super) enabled: bool,
    /// Estimated input tokens, where a bucket counts them.
    pub(super) tokens: u64,
}

/// The groups that a name leads to.
pub(super) fn expand<'a>(
    snapshot: &'a Snapshot,
    resolved: Resolved<'a>,
    protocol: Protocol,
) -> Vec<Group<'a>> {
    let mut expansion = Expansion { snapshot, protocol, groups: Vec::new() };
    match resolved {
        Resolved::Direct(target) => expansion.single(target),
        Resolved::Alias(route, asked) => expansion.alias(route, &asked, 0),
    }
    expansion.groups
}

/// No chain of fallbacks is longer; the configuration was checked for it.
const DEEPEST: usize = 8;

struct Expansion<'a> {
    snapshot: &'a Snapshot,
    protocol: Protocol,
    groups: Vec<Group<'a>>,
}

impl<'a> Expansion<'a> {
    fn alias(&mut self, route: &'a AliasRoute, asked: &ModelName, depth: usize) {
        let mut targets: Vec<&'a Target> = route.targets.iter().collect();
        sort::by_key(&mut targets, |target| target.priority);
        for same in targets.chunk_by(|a, b| a.priority == b.priority) {
            let Some(first) = same.first() else { continue };
            let index = self.groups.len();
            let members = same.iter().filter_map(|target| {
                let mut member = self.member(named(&target.to, asked), Some(target), index)?;
                member.enabled = route.enabled;
                Some(member)
            });
            let members = members.collect();
            let place = Some(Place { alias: route.alias.as_str(), priority: first.priority });
            self.groups.push(Group { place, strategy: route.strategy, members });
        }
        if depth == DEEPEST {
            return;
        }
        for fallback in &route.fallback {
            match fallback {
                Fallback::Target(target) => self.single(named(target, asked)),
                Fallback::Alias(alias) => {
                    if let Some(route) = self.snapshot.alias(alias) {
                        self.alias(route, asked, depth + 1);
                    }
                }
            }
        }
    }

    fn single(&mut self, target: TargetId) {
        let index = self.groups.len();
        if let Some(member) = self.member(target, None, index) {
            self.groups.push(Group { place: None, strategy: Strategy::Ordered, members: vec![member] });
        }
    }

    fn member(&self, target: TargetId, written: Option<&'a Target>, group: usize) -> Option<Member<'a>> {
        // A target names an existing provider: the configuration was checked.
        let provider = self.snapshot.provider(&target.provider)?;
        let first = provider.protocols.first().copied().unwrap_or(self.protocol);
        let candidate = Candidate {
            // The client's own protocol if the provider speaks it, else the provider's first.
            protocol: if provider.protocols.contains(&self.protocol) { self.protocol } else { first },
            provider,
            spec: provider.model(&target.model),
            group,
            priority: written.map_or(1, |target| target.priority),
            weight: written.map_or(1, |target| target.weight),
            effective_weight: 1.0,
            first_byte: written.and_then(|target| target.first_byte),
            attempts: written.and_then(|target| target.attempts),
            target,
        };
        Some(Member { candidate, written, enabled: true, tokens: 0 })
    }
}

/// `*` as a target's model is the asked name.
fn named(target: &TargetId, asked: &ModelName) -> TargetId {
    if target.model.as_str() == "*" {
        TargetId { provider: target.provider.clone(), model: asked.clone() }
    } else {
        target.clone()
    }
}

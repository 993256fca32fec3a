//! How a plan is made: a name is expanded, what does not fit is left out, what rests is left out,
//! and the rest is put in order.

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::config::{AliasRoute, ClientAuth, Fallback};
use crate::route::ask::{Asked, Question};
use crate::route::fit;
use crate::route::groups::{self, Group, Member};
use crate::route::health::{Health, View};
use crate::route::plan::{Candidate, Plan, Skip};
use crate::route::snapshot::{Resolved, Snapshot, Unresolved};

/// What a plan is made with, beside the request and the configuration.
pub struct Moment<'m> {
    /// How the targets are.
    pub health: &'m Health,
    /// The time.
    pub now: Millis,
    /// Chance: numbers of 0.0..1.0.
    pub draw: &'m mut dyn FnMut() -> f64,
    /// Is the plan carried out, or only shown?
    pub purpose: Purpose,
}

/// Is a plan carried out? One that is only shown moves no rotation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Carried out.
    Serve,
    /// Only shown.
    Show,
}

impl Snapshot {
    /// The targets for a request.
    ///
    /// # Errors
    /// Its name leads nowhere.
    pub fn plan<'a>(
        &'a self,
        question: &dyn Question,
        moment: &mut Moment<'_>,
    ) -> Result<Plan<'a>, Unresolved> {
        let resolved = self.resolve(question.name())?;
        let alias = match &resolved {
            Resolved::Alias(route, _) => Some(*route),
            Resolved::Direct(_) => None,
        };
        let only_host = self.only_host(&resolved);
        let mut plan = Plan { candidates: Vec::new(), skipped: Vec::new(), alias, session: None };
        let mut groups = groups::expand(self, resolved, question.protocol());
        // First what may decode the request: nobody else waits for that.
        self.leave_unfit(&mut groups, question, moment.health, &mut plan);
        let several = groups.iter().map(|group| group.members.len()).sum::<usize>() > 1;
        let affinity = alias.filter(|route| several && !route.affinity.is_zero());
        plan.session = affinity.and_then(|_| question.session());
        let kept = affinity
            .zip(plan.session)
            .and_then(|(route, key)| moment.health.last_of(key, &route.alias, moment.purpose, moment.now));
        let mut health = moment.health.lock();
        for mut group in groups {
            group.members.retain(|member| {
                let candidate = &member.candidate;
                let foreign = only_host.is_some_and(|host| host != candidate.provider.origin());
                // First what no time heals: whoever may be tried although it rests must be no other host.
                let why = foreign
                    .then_some(Skip::AuthMode)
                    .or_else(|| health.empty_bucket(candidate, member.tokens, moment.now))
                    .or_else(|| if question.bypasses() { None } else { health.ill(candidate, moment.now) });
                let fits = why.is_none();
                why.into_iter().for_each(|why| plan.skip(candidate.clone(), why));
                fits
            });
            plan.candidates.extend(ordered(group, &mut health, moment));
        }
        if let Some(target) = kept {
            plan.prefer(&target);
        }
        Ok(plan)
    }

    /// Leaves out what cannot serve the request, whatever its health, and what stands there twice;
    /// notes what is reserved of the buckets for the rest.
    fn leave_unfit<'a>(
        &self,
        groups: &mut [Group<'a>],
        question: &dyn Question,
        health: &Health,
        plan: &mut Plan<'a>,
    ) {
        let asked = Asked::new(question);
        let mut fit: Vec<TargetId> = Vec::new();
        let several = groups.iter().map(|group| group.members.len()).sum::<usize>() > 1;
        for group in groups {
            group.members.retain_mut(|member| {
                let target = &member.candidate.target;
                match fit::unfit(&self.config, member, &asked, health) {
                    // What is switched off, or waits for other requests, in one place may be fit in
                    // another.
                    Some(_) if plan.skipped.iter().any(|skipped| skipped.candidate.target == *target) => {
                        false
                    }
                    Some(why) => {
                        plan.skip(member.candidate.clone(), why);
                        false
                    }
                    None if fit.contains(target) => false,
                    None => {
                        fit.extend(several.then(|| target.clone()));
                        if counts_tokens(member) {
                            member.tokens = health.estimate(&member.candidate, asked.content().size);
                        }
                        true
                    }
                }
            });
        }
        plan.skipped.retain(|skipped| !fit.contains(&skipped.candidate.target));
    }

    /// In `client_key` mode the one host that the client's key may go to: that of the alias's first
    /// target as written.
    fn only_host(&self, resolved: &Resolved<'_>) -> Option<&str> {
        if self.config.client_auth != ClientAuth::ClientKey {
            return None;
        }
        let first = match resolved {
            Resolved::Direct(target) => target,
            Resolved::Alias(route, _) => self.first_written(route)?,
        };
        self.provider(&first.provider).map(|provider| provider.origin())
    }

    /// The first target of an alias; where it has none of its own, of its fallbacks.
    fn first_written<'a>(&'a self, route: &'a AliasRoute) -> Option<&'a TargetId> {
        let own = route.targets.first().map(|target| &target.to);
        // No circle: the configuration was checked.
        own.or_else(|| {
            route.fallback.iter().find_map(|fallback| match fallback {
                Fallback::Target(target) => Some(target),
                Fallback::Alias(alias) => self.first_written(self.alias(alias)?),
            })
        })
    }
}

/// Does a bucket of the target count tokens?
fn counts_tokens(member: &Member<'_>) -> bool {
    let candidate = &member.candidate;
    let mut buckets =
        candidate.provider.buckets.iter().filter(|bucket| bucket.counts(&candidate.target.model));
    buckets.any(|bucket| bucket.tokens.is_some())
}

/// The members of a group in the order of its strategy.
fn ordered<'a>(group: Group<'a>, health: &mut View<'_>, moment: &mut Moment<'_>) -> Vec<Candidate<'a>> {
    // A collected iterator would have its larger members' room made smaller, which is slow.
    let mut candidates: Vec<Candidate<'a>> = Vec::with_capacity(group.members.len());
    candidates.extend(group.members.into_iter().map(|member| member.candidate));
    let contenders: Vec<_> =
        candidates.iter().map(|candidate| health.contender(candidate, moment.now)).collect();
    for (candidate, contender) in candidates.iter_mut().zip(&contenders) {
        candidate.effective_weight = contender.effective_weight();
    }
    let Some(place) = group.place.filter(|_| candidates.len() > 1) else { return candidates };
    let order = health.order(place, group.strategy, &contenders, moment);
    let mut candidates: Vec<Option<Candidate<'a>>> = candidates.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| candidates.get_mut(index)?.take()).collect()
}

impl Plan<'_> {
    /// A session stays on the target that last answered it, while that is a candidate of the best
    /// priority that still has one (SPEC 5.5).
    fn prefer(&mut self, target: &TargetId) {
        let Some(best) = self.candidates.first().map(|first| first.group) else { return };
        let is_kept = |candidate: &Candidate<'_>| candidate.group == best && candidate.target == *target;
        if let Some(index) = self.candidates.iter().position(is_kept) {
            self.candidates.get_mut(..=index).unwrap_or_default().rotate_right(1);
        }
    }
}

//! Does a target fit a request, whatever its health (SPEC 5.3)? The reasons in their order.

use crate::config::{Compat, Config, Modality, ModelSpec, ToolAbility, When};
use crate::protocol::dialect::ReasoningStyle;
use crate::route::ask::Asked;
use crate::route::groups::Member;
use crate::route::health::Health;
use crate::route::plan::{Candidate, Skip};

/// An estimate is taken this much higher where it decides whether a request fits.
const CAUTION: f64 = 1.1;

/// Why a target cannot serve a request.
pub(super) fn unfit(
    config: &Config,
    member: &Member<'_>,
    asked: &Asked<'_>,
    health: &Health,
) -> Option<Skip> {
    let candidate = &member.candidate;
    if !member.enabled || !candidate.provider.enabled || member.written.is_some_and(|target| !target.enabled)
    {
        return Some(Skip::Disabled);
    }
    let strict = config.compat == Compat::Strict;
    incapable(candidate, asked, strict)
        .map(Skip::Capability)
        .or_else(|| too_small(candidate, asked, health))
        .or_else(|| condition(member.written?.when, candidate, asked, health).map(Skip::When))
}

/// What the model is known not to have, of what the request needs.
fn incapable(candidate: &Candidate<'_>, asked: &Asked<'_>, strict: bool) -> Option<&'static str> {
    let crosses = candidate.protocol != asked.protocol();
    if let Some(need) = asked.native_only().filter(|_| crosses) {
        return Some(need);
    }
    let no_urls = crosses && !candidate.protocol.codec().takes_image_urls();
    let restricted = candidate.spec.is_some_and(|spec| is_restricted(spec, strict));
    if !restricted && !no_urls {
        return None;
    }
    let needs = asked.content().needs;
    let lacks = |kind: Modality| {
        let known = candidate.spec.and_then(|spec| spec.input.as_ref());
        known.is_some_and(|known| !known.contains(&kind))
    };
    let spec = candidate.spec;
    let tools = spec.map_or(ToolAbility::Unknown, |spec| spec.tools);
    let no_search = matches!(tools, ToolAbility::None | ToolAbility::Some { search: Some(false), .. });
    let no_parallel = matches!(tools, ToolAbility::Some { parallel: Some(false), .. });
    let no_reasoning = spec.is_some_and(|spec| spec.reasoning == Some(ReasoningStyle::None));
    let table = [
        ("tools", needs.tools && tools == ToolAbility::None),
        ("parallel_tools", strict && needs.parallel_tools && no_parallel),
        ("vision", needs.vision && lacks(Modality::Image)),
        ("image_url", needs.image_url && (no_urls || (lacks(Modality::ImageUrl) && lacks(Modality::Image)))),
        ("pdf", needs.pdf && lacks(Modality::Pdf)),
        ("audio", needs.audio && lacks(Modality::Audio)),
        ("reasoning", strict && needs.reasoning && no_reasoning),
        ("search", strict && needs.search && no_search),
        ("stream", needs.stream && spec.is_some_and(|spec| spec.stream == Some(false))),
    ];
    table.into_iter().find(|(_, missing)| *missing).map(|(name, _)| name)
}

/// Is anything said of the model that could rule a request out?
fn is_restricted(spec: &ModelSpec, strict: bool) -> bool {
    let fewer = matches!(
        spec.tools,
        ToolAbility::Some { parallel: Some(false), .. } | ToolAbility::Some { search: Some(false), .. }
    );
    spec.tools == ToolAbility::None
        || spec.input.is_some()
        || spec.stream == Some(false)
        || (strict && (fewer || spec.reasoning == Some(ReasoningStyle::None)))
}

fn too_small(candidate: &Candidate<'_>, asked: &Asked<'_>, health: &Health) -> Option<Skip> {
    let spec = candidate.spec?;
    let context = spec.context?;
    let content = asked.content();
    let output = content.output.unwrap_or(0).min(spec.max_output.unwrap_or(u64::MAX));
    // Saturates: no request has 2^53 tokens.
    let input = (health.estimate(candidate, content.size) as f64 * CAUTION) as u64;
    (input.saturating_add(output) > context).then_some(Skip::Context { input, output, context })
}

fn condition(
    when: When,
    candidate: &Candidate<'_>,
    asked: &Asked<'_>,
    health: &Health,
) -> Option<&'static str> {
    if when == When::default() {
        return None;
    }
    let content = asked.content();
    let input = health.estimate(candidate, content.size);
    let images = content.needs.vision || content.needs.image_url;
    let table = [
        ("max_input", when.max_input.is_some_and(|most| input > most)),
        ("min_input", when.min_input.is_some_and(|least| input < least)),
        ("has_images", when.has_images.is_some_and(|wanted| wanted != images)),
        ("thinking", when.thinking.is_some_and(|wanted| wanted != content.needs.reasoning)),
    ];
    table.into_iter().find(|(_, is_false)| *is_false).map(|(key, _)| key)
}

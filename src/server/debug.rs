//! `/debug/status` and `/metrics`: what the floors below know, put together. Each is asked once and
//! gives copies, so that nothing is locked while a text is made.

use crate::base::clock::{self, Millis};
use crate::base::id::TargetId;
use crate::config::{ClientAuth, Config};
use crate::gateway::inbound::parameter;
use crate::gateway::live::Live;
use crate::observe::metrics::Now;
use crate::observe::status::{
    Bucket, Budgets, Cooldown, Loaded, Look, Money, Status, Sums, Target, next_step,
};
use crate::policy::breaker::CircuitState;
use crate::policy::bucket::Metric;
use crate::route::levels::Level;
use crate::server::dashboard;
use crate::server::endpoint::Endpoint;
use crate::server::site::Site;

/// What is answered to those who look on.
#[derive(Debug)]
pub struct View {
    /// Its `content-type`.
    pub kind: &'static str,
    /// What a browser lets it do: its `content-security-policy`.
    pub policy: String,
    /// Its body.
    pub body: String,
}

/// What a local endpoint shows; `None` when it shows nothing here.
pub fn view(site: &Site, live: &Live, endpoint: &Endpoint, query: Option<&str>) -> Option<View> {
    let plain = |kind, body| Some(View { kind, policy: "default-src 'none'".to_owned(), body });
    match endpoint {
        Endpoint::Dashboard => {
            let config = live.config();
            let page = config.dashboard.then(|| dashboard::page(config.client_auth != ClientAuth::None))?;
            Some(View { kind: "text/html; charset=utf-8", policy: page.policy, body: page.html })
        }
        Endpoint::Metrics => plain("text/plain; version=0.0.4; charset=utf-8", metrics(site, live)),
        Endpoint::Status if parameter(query, "as") == Some("text") => {
            plain("text/plain; charset=utf-8", status(site, live).text())
        }
        Endpoint::Status => plain("application/json", status(site, live).json()),
        _ => None,
    }
}

/// Targets that are shown.
const MOST_TARGETS: usize = 200;

/// The status (SPEC 11.3).
fn status(site: &Site, live: &Live) -> Status {
    let now = clock::millis();
    let config = live.config();
    let look = live.sinks.stats.look();
    let targets = targets(live, &look, now);
    let Look { uptime_s, mut session, losses, recent, .. } = look;
    let spent = live.health.spent(now);
    let running = live.sinks.board.running();
    let gone_on = running.iter().filter(|run| run.target.is_some() && !run.failed.is_empty());
    session.failovers += gone_on.count() as u64;
    (session.cost, session.unpriced) = (spent.session.usd, spent.session.unpriced);
    Status {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        uptime_s,
        now,
        config: Loaded {
            source: config.source.to_string(),
            revision: live.revision,
            loaded_at: live.loaded_at,
            last_error: site.reloader.last_error(),
        },
        in_flight: site.slots.in_flight(),
        queued: site.slots.queued(),
        session,
        budget: Budgets {
            session: Money {
                spent: spent.session.usd,
                unpriced: spent.session.unpriced,
                limit: config.usage.session_budget,
            },
            day: Money { spent: spent.day.usd, unpriced: spent.day.unpriced, limit: config.usage.day_budget },
        },
        targets,
        losses,
        running,
        recent,
    }
}

/// The metrics (SPEC 11.4).
fn metrics(site: &Site, live: &Live) -> String {
    let look = live.sinks.stats.look();
    live.sinks.metrics.text(&Now {
        commit: env!("LLMGATE_COMMIT"),
        in_flight: site.slots.in_flight(),
        queued: site.slots.queued(),
        targets: &targets(live, &look, clock::millis()),
    })
}

/// The configured targets, then those that were used by other ways.
fn targets(live: &Live, look: &Look, now: Millis) -> Vec<Target> {
    let config = live.config();
    let mut named: Vec<&TargetId> = Vec::new();
    let configured = config.models.iter().flat_map(|route| &route.targets).map(|target| &target.to);
    for target in configured.chain(look.targets.iter().map(|sums| &sums.target)) {
        if named.len() < MOST_TARGETS && !named.contains(&target) {
            named.push(target);
        }
    }
    named.into_iter().map(|target| target_of(live, look, target, now)).collect()
}

fn target_of(live: &Live, look: &Look, target: &TargetId, now: Millis) -> Target {
    let config = live.config();
    let condition = live.health.condition(target, now, config);
    let provider = config.provider(&target.provider);
    let levels = provider.map(|provider| live.health.levels(provider, &target.model, now));
    let known = look.targets.iter().find(|sums| sums.target == *target);
    let sums = known.cloned().unwrap_or_else(|| Sums::new(target));
    Target {
        target: target.clone(),
        enabled: is_enabled(config, target),
        circuit_state: condition.circuit.name(),
        failures: condition.failures,
        open_until: match condition.circuit {
            CircuitState::Open { until } => Some(until),
            CircuitState::Closed | CircuitState::HalfOpen => None,
        },
        cooldown: condition.rest.map(|rest| Cooldown {
            class: rest.class,
            until: rest.until,
            next: next_step(Some(rest.class)),
        }),
        buckets: levels.iter().flatten().flat_map(buckets).collect(),
        requests: sums.requests,
        errors: sums.errors,
        first_byte_ms: sums.first_byte_ms(),
        tokens_per_s: sums.tokens_per_s(),
        tokens: sums.tokens,
        cache_hit: sums.tokens.cache_hit(),
        cost: sums.cost,
        last_error: sums.last_error,
        estimate_factor: (condition.factor * 1000.0).round() / 1000.0,
    }
}

/// Are its three switches on? A target that no alias names has one.
fn is_enabled(config: &Config, target: &TargetId) -> bool {
    let provider = config.provider(&target.provider).is_some_and(|provider| provider.enabled);
    let mut routes = config.models.iter().flat_map(|route| {
        let own = route.targets.iter().filter(|own| own.to == *target);
        own.map(|own| route.enabled && own.enabled)
    });
    provider && routes.next().is_none_or(|first| first || routes.any(|enabled| enabled))
}

/// One entry for each thing that a bucket counts.
fn buckets(level: &Level<'_>) -> impl Iterator<Item = Bucket> {
    let Level { rule, taken, resets_at } = level.clone();
    let counted =
        [(Metric::Requests, rule.requests, taken.requests), (Metric::Tokens, rule.tokens, taken.tokens)];
    counted.into_iter().filter_map(move |(metric, limit, used)| {
        Some(Bucket { name: rule.name.clone(), metric: metric.name(), used, limit: limit?, resets_at })
    })
}

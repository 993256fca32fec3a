//! `/debug/status` and `/metrics`: what the floors below know, put together. Each is asked once and
//! gives copies, so that nothing is locked while a text is made.

use crate::base::clock::{self, Millis};
use crate::base::id::TargetId;
use crate::config::{Bucket as BucketRule, ClientAuth, Config};
use crate::gateway::inbound::parameter;
use crate::gateway::live::Live;
use crate::observe::metrics::Now;
use crate::observe::status::{
    Bucket, Budgets, Client, Cooldown, Loaded, Look, Money, Status, Sums, Target, next_step,
};
use crate::policy::breaker::CircuitState;
use crate::policy::bucket::Metric;
use crate::server::dashboard;
use crate::server::endpoint::Endpoint;
use crate::server::site::Site;
use crate::state::Owner;

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
/// Client keys that are shown.
const MOST_CLIENTS: usize = 100;

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
        clients: clients(live, now),
        losses,
        running,
        recent,
    }
}

/// The metrics (SPEC 11.4).
fn metrics(site: &Site, live: &Live) -> String {
    let (look, now) = (live.sinks.stats.look(), clock::millis());
    live.sinks.metrics.text(&Now {
        commit: env!("LLMGATE_COMMIT"),
        in_flight: site.slots.in_flight(),
        queued: site.slots.queued(),
        targets: &targets(live, &look, now),
        clients: &clients(live, now),
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
    let rules = provider.iter().flat_map(|provider| &provider.buckets);
    let rules: Vec<_> = rules.filter(|rule| rule.counts(&target.model)).collect();
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
        buckets: buckets(live, &Owner::Provider(target.provider.clone()), &rules, now),
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

/// The client keys, where their requests are counted.
fn clients(live: &Live, now: Millis) -> Vec<Client> {
    let config = live.config();
    let rules: Vec<_> = config.client_buckets.iter().collect();
    let keys = match &config.client_auth {
        ClientAuth::ProxyKey(keys) if !rules.is_empty() => keys.len().min(MOST_CLIENTS),
        ClientAuth::ProxyKey(_) | ClientAuth::None | ClientAuth::ClientKey => 0,
    };
    let client = |place| {
        let owner = Owner::Key(place);
        Client { key: owner.to_string(), buckets: buckets(live, &owner, &rules, now) }
    };
    (0..keys).map(client).collect()
}

/// One entry for each thing that a bucket counts.
fn buckets(live: &Live, owner: &Owner, rules: &[&BucketRule], now: Millis) -> Vec<Bucket> {
    let mut shown = Vec::new();
    for rule in rules {
        let (taken, resets_at) = live.health.level(owner, rule, now);
        for (metric, limit, used) in
            [(Metric::Requests, rule.requests, taken.requests), (Metric::Tokens, rule.tokens, taken.tokens)]
        {
            shown.extend(limit.map(|limit| Bucket {
                name: rule.name.clone(),
                metric: metric.name(),
                used,
                limit,
                resets_at,
            }));
        }
    }
    shown
}

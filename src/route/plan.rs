//! The routing decision as data: which targets may serve a request, in order, and which may not.

use std::fmt;
use std::time::Duration;

use crate::base::id::{ModelName, TargetId};
use crate::config::{ModelSpec, Provider, Target};
use crate::protocol::Protocol;
use crate::route::snapshot::{Resolved, Snapshot, Unresolved};

/// The targets of one request.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Those that may be used, in order.
    pub candidates: Vec<Candidate<'a>>,
    /// Those that may not, with the reason.
    pub skipped: Vec<(TargetId, Skip)>,
    /// The alias that the name led to; `None` for a direct route.
    pub alias: Option<&'a str>,
}

/// A target that a request may use.
#[derive(Clone)]
pub struct Candidate<'a> {
    /// Provider and model, the asked name put in for `*`.
    pub target: TargetId,
    /// The provider.
    pub provider: &'a Provider,
    /// What is spoken to it: the client's own protocol where it can, else the provider's first.
    pub protocol: Protocol,
    /// What is known of the model.
    pub spec: Option<&'a ModelSpec>,
    /// The target's own limit until the first byte.
    pub first_byte: Option<Duration>,
}

/// Its name alone: a provider's own headers may hold a key, and a plan is logged.
impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

/// Why a target is skipped; the words are those of SPEC 5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// One of the three switches is off.
    Disabled,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "disabled",
        })
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.alias.unwrap_or("direct"))?;
        self.candidates.iter().try_for_each(|candidate| write!(f, " {}", candidate.target))?;
        self.skipped.iter().try_for_each(|(target, why)| write!(f, " {target}={why}"))
    }
}

impl Snapshot {
    /// The targets for a name, as a client of `protocol` asks for it.
    ///
    /// # Errors
    /// The name leads nowhere.
    pub fn plan(&self, asked: Option<&str>, protocol: Protocol) -> Result<Plan<'_>, Unresolved> {
        let resolved = self.resolve(asked)?;
        let mut plan = Plan { candidates: Vec::new(), skipped: Vec::new(), alias: None };
        match resolved {
            Resolved::Direct(target) => self.consider(&target, None, protocol, &mut plan),
            Resolved::Alias(route, name) => {
                plan.alias = Some(route.alias.as_str());
                let mut targets: Vec<&Target> = route.targets.iter().collect();
                targets.sort_by_key(|target| target.priority);
                for target in targets {
                    self.consider(&named(&target.to, &name), Some(target), protocol, &mut plan);
                }
            }
        }
        Ok(plan)
    }

    fn consider<'a>(
        &'a self,
        id: &TargetId,
        as_written: Option<&Target>,
        protocol: Protocol,
        plan: &mut Plan<'a>,
    ) {
        // A target names an existing provider: the configuration was checked.
        let Some(provider) = self.provider(&id.provider) else { return };
        if !provider.enabled || as_written.is_some_and(|target| !target.enabled) {
            plan.skipped.push((id.clone(), Skip::Disabled));
        } else {
            plan.candidates.push(Candidate {
                protocol: spoken(provider, protocol),
                target: id.clone(),
                provider,
                spec: provider.models.iter().find(|spec| spec.name == id.model),
                first_byte: as_written.and_then(|target| target.first_byte),
            });
        }
    }
}

/// The client's own protocol if the provider speaks it, else the provider's first.
fn spoken(provider: &Provider, protocol: Protocol) -> Protocol {
    let first = provider.protocols.first().copied().unwrap_or(protocol);
    if provider.protocols.contains(&protocol) { protocol } else { first }
}

/// `*` as a target's model is the asked name.
fn named(target: &TargetId, asked: &ModelName) -> TargetId {
    if target.model.as_str() == "*" {
        TargetId { provider: target.provider.clone(), model: asked.clone() }
    } else {
        target.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};

    #[test]
    fn targets_come_by_priority_and_the_skipped_tell_why() {
        let text = "version: 1
providers:
  a: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1'}
  c: {protocol: [openai-responses, openai-chat], base_url: 'http://127.0.0.1:1/v1'}
  off: {protocol: anthropic, base_url: 'http://127.0.0.1:1/v1', enabled: false}
models:
  m:
    targets:
      - {to: a/late, priority: 2}
      - {to: c/x}
      - {to: off/x}
      - {to: a/switched, enabled: false}
      - {to: a/early}
";
        let config = from_text(text, Path::new("t.yaml"), &Env::default(), &Overrides::default()).unwrap();
        let snapshot = Snapshot::new(Arc::new(config));
        let plan = |protocol| snapshot.plan(Some("m"), protocol).unwrap().to_string();
        assert_eq!(plan(Protocol::Anthropic), "m: c/x a/early a/late off/x=disabled a/switched=disabled");
        assert_eq!(plan(Protocol::OpenaiChat).split_whitespace().nth(1), Some("c/x"));
    }
}

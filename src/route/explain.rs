//! A plan as data: what `route explain` and `/debug/routes` print (SPEC 5.6).

use std::fmt;

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::base::pen::{self, Pen, Put, members};
use crate::base::words::words;
use crate::config::Words;
use crate::protocol::Protocol;
use crate::route::ask::{Content, Question};
use crate::route::health::Health;
use crate::route::plan::{Candidate, Plan, Skip, Skipped};
use crate::route::snapshot::{Resolved, Snapshot, Unresolved};

/// A plan, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The name that was asked for.
    pub asked: Option<String>,
    /// The client's protocol.
    pub protocol: String,
    /// What the name led to.
    pub resolved: Resolution,
    /// What the request needs of a model.
    pub needs: Vec<String>,
    /// Tokens of the request; `None` when there is only a name.
    pub estimate: Option<Estimate>,
    /// The targets that may be used, in order.
    pub candidates: Vec<Use>,
    /// Those that may not.
    pub skipped: Vec<Leave>,
}

/// What a name led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// By which rule of SPEC 5.2.
    pub by: By,
    /// The name that was looked up, when it is not the asked one.
    pub name: Option<String>,
    /// The alias, if there is one.
    pub alias: Option<String>,
    /// How its targets are ordered.
    pub strategy: Option<String>,
}

/// The rule that led to a name's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It is an alias.
    Alias,
    /// A pattern covers it.
    Pattern,
    /// It is `provider/model`.
    Target,
    /// There is only one provider.
    OnlyProvider,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Input, as the first target counts it.
    pub input: u64,
    /// Output that is asked for.
    pub output: Option<u64>,
}

/// A target that may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Provider and model.
    pub target: String,
    /// What is spoken to it.
    pub protocol: String,
    /// `native` or `translated`.
    pub lane: String,
    /// As written; lower first.
    pub priority: u32,
    /// Its share, as written.
    pub weight: u32,
    /// The same as the strategy sees it now.
    pub effective_weight: f64,
}

/// A target that may not be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Leave {
    /// Provider and model.
    pub target: String,
    /// What would be spoken to it.
    pub protocol: String,
    /// Why not, in the words of SPEC 5.3.
    pub reason: String,
    /// The numbers behind the reason.
    pub detail: Option<String>,
    /// When it may be used again, if time alone brings that (RFC 3339).
    pub recovers_at: Option<String>,
    /// The same in seconds from now.
    pub recovers_in_s: Option<u64>,
}

members! {
    Explanation { asked, protocol, resolved, needs, estimate, candidates, skipped }
    Resolution { by, name, alias, strategy }
    Estimate { input, output }
    Use { target, protocol, lane, priority, weight, effective_weight }
    Leave { target, protocol, reason, detail, recovers_at, recovers_in_s }
}

words! {
    By { "alias" = Alias, "pattern" = Pattern, "target" = Target, "only_provider" = OnlyProvider }
}

impl Put for By {
    fn write(&self, pen: &mut Pen<'_>) {
        self.word().write(pen);
    }
}

/// What is told when somebody asks.
#[derive(Clone, Debug)]
pub enum Told {
    /// One question, one answer.
    One(Box<Explanation>),
    /// Of every listed name.
    All(Vec<Explanation>),
}

impl Told {
    /// For programs.
    pub fn json(&self) -> String {
        match self {
            Self::One(only) => pen::written(&**only),
            Self::All(list) => pen::written(list),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::One(only) => only.to_string(),
            Self::All(list) => list.iter().map(Explanation::to_string).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// A question of a name alone.
#[derive(Clone, Copy, Debug)]
pub struct NameOnly<'a> {
    /// The name; `None` asks for the default.
    pub name: Option<&'a str>,
    /// The client's protocol.
    pub protocol: Protocol,
}

impl Question for NameOnly<'_> {
    fn name(&self) -> Option<&str> {
        self.name
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn content(&self) -> Content {
        Content::default()
    }

    fn session(&self) -> Option<u64> {
        None
    }
}

impl Snapshot {
    /// A plan in words. `content` is what the request holds, where there is one.
    ///
    /// # Errors
    /// The name leads nowhere.
    pub fn explanation(
        &self,
        question: &dyn Question,
        content: Option<Content>,
        plan: &Plan<'_>,
        (health, now): (&Health, Millis),
    ) -> Result<Explanation, Unresolved> {
        let resolved = self.resolve(question.name())?;
        let estimate = content.zip(plan.first()).map(|(content, first)| Estimate {
            input: health.estimate(first, content.size),
            output: content.output,
        });
        let needs = content.map(|content| content.needs.names().map(str::to_owned).collect());
        let of_use = |candidate: &Candidate<'_>| of_use(candidate, question.protocol());
        Ok(Explanation {
            asked: question.name().map(str::to_owned),
            protocol: question.protocol().name().to_owned(),
            resolved: resolution(question.name(), &resolved),
            needs: needs.unwrap_or_default(),
            estimate,
            candidates: plan.candidates.iter().map(of_use).collect(),
            skipped: plan.skipped.iter().map(|skipped| leave(skipped, now)).collect(),
        })
    }
}

fn resolution(asked: Option<&str>, resolved: &Resolved<'_>) -> Resolution {
    let other = |name: &str| (asked != Some(name)).then(|| name.to_owned());
    match resolved {
        Resolved::Alias(route, name) => Resolution {
            by: if route.alias.pattern_prefix().is_some() { By::Pattern } else { By::Alias },
            name: other(name.as_str()),
            alias: Some(route.alias.to_string()),
            strategy: Some(route.strategy.word().to_owned()),
        },
        Resolved::Direct(target) => {
            let named = asked.and_then(TargetId::parse).is_some_and(|asked| asked == *target);
            let by = if named { By::Target } else { By::OnlyProvider };
            let name = if named { None } else { other(target.model.as_str()) };
            Resolution { by, name, alias: None, strategy: None }
        }
    }
}

fn of_use(candidate: &Candidate<'_>, asked: Protocol) -> Use {
    Use {
        target: candidate.target.to_string(),
        protocol: candidate.protocol.name().to_owned(),
        lane: if candidate.protocol == asked { "native" } else { "translated" }.to_owned(),
        priority: candidate.priority,
        weight: candidate.weight,
        effective_weight: candidate.effective_weight,
    }
}

fn leave(skipped: &Skipped<'_>, now: Millis) -> Leave {
    let detail = match &skipped.why {
        Skip::Context { input, output, context } => {
            Some(format!("{} tokens needed, {context} fit", input.saturating_add(*output)))
        }
        Skip::Bucket(_, exhausted) => {
            Some(format!("{} of {} {} left", exhausted.remaining, exhausted.limit, exhausted.metric.name()))
        }
        Skip::Disabled
        | Skip::Capability(_)
        | Skip::When(_)
        | Skip::Cooldown(..)
        | Skip::Breaker(_)
        | Skip::Refusal(_)
        | Skip::AuthMode => None,
    };
    let recovers = skipped.why.recovers_at();
    Leave {
        target: skipped.candidate.target.to_string(),
        protocol: skipped.candidate.protocol.name().to_owned(),
        reason: skipped.why.to_string(),
        detail,
        recovers_at: recovers.map(Millis::rfc3339),
        recovers_in_s: recovers
            .map(|at| at.since(now).as_millis().div_ceil(1000))
            .map(|s| u64::try_from(s).unwrap_or(u64::MAX)),
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = self.alias.as_deref().unwrap_or_default();
        match self.by {
            By::Alias => write!(f, "alias {alias}")?,
            By::Pattern => write!(f, "pattern {alias}")?,
            By::Target => f.write_str("provider/model, asked for directly")?,
            By::OnlyProvider => f.write_str("the only provider, which takes any name")?,
        }
        if let Some(strategy) = &self.strategy {
            write!(f, ", strategy {strategy}")?;
        }
        match &self.name {
            Some(name) => write!(f, " (looked up as {name})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.as_deref().unwrap_or("(none)");
        writeln!(f, "model      {asked}, asked for in {}", self.protocol)?;
        writeln!(f, "resolved   {}", self.resolved)?;
        if !self.needs.is_empty() {
            writeln!(f, "needs      {}", self.needs.join(", "))?;
        }
        if let Some(estimate) = self.estimate {
            write!(f, "estimate   {} input tokens", estimate.input)?;
            match estimate.output {
                Some(output) => writeln!(f, ", up to {output} output")?,
                None => writeln!(f)?,
            }
        }
        if self.candidates.is_empty() {
            writeln!(f, "candidates none")?;
        }
        let width = |list: Vec<&String>| list.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        let targets = self.candidates.iter().map(|it| &it.target);
        let widest = width(targets.chain(self.skipped.iter().map(|it| &it.target)).collect());
        for (i, it) in self.candidates.iter().enumerate() {
            let head = if i == 0 { "candidates" } else { "" };
            write!(f, "{head:10} {}. {:widest$}  {} ({})", i + 1, it.target, it.protocol, it.lane)?;
            write!(f, "  priority {}, weight {}", it.priority, it.weight)?;
            // A weight that nothing has changed is told once.
            if (it.effective_weight - f64::from(it.weight)).abs() > 0.005 {
                write!(f, ", now {:.2}", it.effective_weight)?;
            }
            writeln!(f)?;
        }
        for (i, it) in self.skipped.iter().enumerate() {
            let head = if i == 0 { "skipped" } else { "" };
            write!(f, "{head:10} -  {:widest$}  {}", it.target, it.reason)?;
            if let Some(detail) = &it.detail {
                write!(f, " ({detail})")?;
            }
            if let Some(seconds) = it.recovers_in_s {
                write!(f, ", again in {seconds} s")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

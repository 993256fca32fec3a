//! How a target is asked to think (SPEC 8.6).

use super::wire::{Block, Message, Thinking};

use crate::ir::loss::Losses;
use crate::ir::request::{Effort, Level, Request};
use crate::ir::tool::ToolChoice;
use crate::protocol::dialect::ReasoningStyle;
use crate::protocol::wire::TargetContext;

/// The levels of `output_config.effort`.
const LEVELS: [Level; 5] = [Level::Low, Level::Medium, Level::High, Level::XHigh, Level::Max];

/// Models that refuse to be told not to think.
/// <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>
const TIRELESS: [&str; 2] = ["claude-fable", "claude-mythos"];

/// The least budget.
const LEAST: u64 = 1024;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
}

impl Plan {
    /// Is there thought? Then tokens are drawn as the model likes.
    pub(super) fn is_on(&self) -> bool {
        self.thinking.as_ref().is_some_and(|thinking| thinking.kind != "disabled")
    }

    /// Off; a model that cannot stop thinks as little as it can.
    fn off(model: &str, losses: &mut Losses) -> Self {
        if TIRELESS.iter().any(|name| model.contains(name)) {
            losses.degrade("effort", "the model cannot stop thinking");
            return Self { thinking: None, effort: Some(Level::Low.name()) };
        }
        let thinking = Thinking { kind: "disabled", budget_tokens: None, display: None };
        Self { thinking: Some(thinking), effort: None }
    }
}

/// What to ask a target for. `max_tokens` is what its request says.
pub(super) fn plan(
    request: &Request,
    target: &TargetContext<'_>,
    messages: &[Message<'_>],
    max_tokens: u64,
    losses: &mut Losses,
) -> Plan {
    let is_off = matches!(request.effort, Effort::Off | Effort::Budget(0));
    if request.effort == Effort::Unset {
        return Plan::default();
    }
    let style = target.dialect.reasoning;
    match style {
        ReasoningStyle::None => {
            if !is_off {
                losses.degrade("effort", "the model does not reason");
            }
            return Plan::default();
        }
        ReasoningStyle::Effort | ReasoningStyle::Budget if is_off => return Plan::off(target.model, losses),
        ReasoningStyle::Effort | ReasoningStyle::Budget => {}
    }
    if let Some(why) = obstacle(request, style, messages) {
        losses.degrade("effort", why);
        return Plan::off(target.model, losses);
    }
    let display = match request.show_reasoning {
        Some(false) => Some("omitted"),
        // From Claude 4.7 on nothing is shown unless it is asked for.
        None if style == ReasoningStyle::Budget => None,
        Some(true) | None => Some("summarized"),
    };
    if style == ReasoningStyle::Effort {
        let thinking = Thinking { kind: "adaptive", budget_tokens: None, display };
        return Plan { thinking: Some(thinking), effort: level(request.effort, losses) };
    }
    if max_tokens <= LEAST {
        losses.degrade("effort", "`max_tokens` leaves no room to think");
        return Plan::off(target.model, losses);
    }
    let tokens = budget(request.effort, max_tokens, losses);
    let thinking = Thinking { kind: "enabled", budget_tokens: Some(tokens), display };
    Plan { thinking: Some(thinking), effort: None }
}

/// Why the target would refuse to think this time. A model that decides whether it thinks need not have
/// done so before its last calls; and to switch for that would lose what is cached of the conversation.
fn obstacle(request: &Request, style: ReasoningStyle, messages: &[Message<'_>]) -> Option<&'static str> {
    let forced = matches!(request.choice, Some(ToolChoice::Any | ToolChoice::One(_) | ToolChoice::OneOf(_)));
    if forced && !request.tools.is_empty() {
        return Some("no thinking while a tool call is forced");
    }
    if style == ReasoningStyle::Effort {
        return None;
    }
    let last = messages.iter().rev().find(|message| message.role == "assistant")?;
    let has_call = last.content.iter().any(|block| matches!(block, Block::ToolUse { .. }));
    let restored = matches!(last.content.first(), Some(Block::Exact(_)));
    (has_call && !restored).then_some("the thinking before the last tool calls cannot be restored")
}

fn level(effort: Effort, losses: &mut Losses) -> Option<&'static str> {
    match effort {
        Effort::Level(level) => {
            let nearest = level.nearest(&LEVELS);
            if nearest != level {
                losses.degrade("effort", format!("{} for {}", nearest.name(), level.name()));
            }
            Some(nearest.name())
        }
        Effort::Budget(tokens) => Some(Level::of_budget(tokens).nearest(&LEVELS).name()),
        Effort::Unset | Effort::Off | Effort::On => None,
    }
}

fn budget(effort: Effort, max_tokens: u64, losses: &mut Losses) -> u64 {
    let room = |tokens: u64| tokens.min(max_tokens.saturating_sub(LEAST)).max(LEAST);
    match effort {
        Effort::Level(level) => room(level.budget()),
        Effort::Budget(tokens) => {
            let fitted = room(tokens);
            if fitted != tokens {
                losses.degrade("effort", format!("a budget of {fitted} for {tokens}"));
            }
            fitted
        }
        Effort::Unset | Effort::Off | Effort::On => room(Level::Medium.budget()),
    }
}

//! `thinkingConfig` -> effort, and back (SPEC 8.6).

use serde_json::{Map, Value};

use crate::ir::loss::Losses;
use crate::ir::request::{Effort, Level, Request};
use crate::protocol::dialect::ReasoningStyle;
use crate::protocol::fields::Fields;
use crate::protocol::gemini::spelling;
use crate::protocol::wire::{TargetContext, WireError};

const LEVELS: [Level; 4] = [Level::Minimal, Level::Low, Level::Medium, Level::High];
/// The least and the largest budget: the first row counts that the model's name begins with.
/// <https://ai.google.dev/gemini-api/docs/thinking>
const RANGES: [(&str, u64, u64); 3] = [
    ("gemini-2.5-pro", 128, 32_768),
    ("gemini-2.5-flash-lite", 512, 24_576),
    ("gemini-2.5-flash", 0, 24_576),
];
const OTHER_RANGE: (u64, u64) = (0, 32_768);
const PATH: &str = "generationConfig.thinkingConfig";

/// Reads `thinkingConfig`: the effort, and whether the reasoning is shown.
pub(super) fn decode(
    config: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<(Effort, Option<bool>), WireError> {
    let Some(mut thinking) = spelling::object(config, "thinkingConfig")? else {
        return Ok((Effort::Unset, None));
    };
    let shown = thinking.flag("includeThoughts")?;
    let budget = thinking.number("thinkingBudget")?.and_then(|number| number.as_i64());
    let level = thinking.word("thinkingLevel")?;
    let effort = match (budget, level.as_deref()) {
        (Some(0), _) => Effort::Off,
        (_, Some(name)) => Level::named(name).map_or(Effort::On, Effort::Level),
        (Some(tokens), None) => u64::try_from(tokens).map_or(Effort::On, Effort::Budget),
        (None, None) => Effort::Unset,
    };
    thinking.lose_rest(losses);
    Ok((effort, shown))
}

/// Writes `thinkingConfig`, if there is anything to say.
pub(super) fn encode(request: &Request, target: &TargetContext<'_>, losses: &mut Losses) -> Option<Value> {
    let mut config = Map::new();
    let is_on = match (request.effort, target.dialect.reasoning) {
        (Effort::Unset, ReasoningStyle::Effort | ReasoningStyle::Budget) => {
            request.show_reasoning == Some(true)
        }
        (Effort::Unset | Effort::Off, ReasoningStyle::None) => false,
        (Effort::On | Effort::Level(_) | Effort::Budget(_), ReasoningStyle::None) => {
            losses.degrade(PATH, "the target does not reason");
            false
        }
        (Effort::Off, style) => {
            config.extend(off(target.model, style, losses));
            false
        }
        (Effort::On, ReasoningStyle::Effort) => true,
        (Effort::On, ReasoningStyle::Budget) => {
            config.insert("thinkingBudget".to_owned(), (-1).into());
            true
        }
        (Effort::Level(level), ReasoningStyle::Effort) => {
            config.insert("thinkingLevel".to_owned(), named(level, target.model, losses).into());
            true
        }
        (Effort::Budget(tokens), ReasoningStyle::Effort) => {
            let level = Level::of_budget(tokens);
            config.insert("thinkingLevel".to_owned(), named(level, target.model, losses).into());
            true
        }
        (Effort::Level(level), ReasoningStyle::Budget) => {
            config.insert("thinkingBudget".to_owned(), held(level.budget(), target.model, losses).into());
            true
        }
        (Effort::Budget(tokens), ReasoningStyle::Budget) => {
            config.insert("thinkingBudget".to_owned(), held(tokens, target.model, losses).into());
            true
        }
    };
    if is_on && request.show_reasoning != Some(false) {
        config.insert("includeThoughts".to_owned(), true.into());
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// The model's name without the folders before it.
pub(super) fn short_name(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// Gemini 2.5 Pro and Gemini 3 cannot stop.
fn off(model: &str, style: ReasoningStyle, losses: &mut Losses) -> Option<(String, Value)> {
    let model = short_name(model);
    let least = levels(model).contains(&Level::Minimal);
    if style == ReasoningStyle::Effort && least {
        return Some(("thinkingLevel".to_owned(), "MINIMAL".into()));
    }
    if model.starts_with("gemini-2.5-pro") || model.starts_with("gemini-3") {
        losses.degrade(PATH, "the target cannot stop reasoning");
        return None;
    }
    Some(("thinkingBudget".to_owned(), 0.into()))
}

/// The Pro models of Gemini 3 know no `MINIMAL`.
fn levels(model: &str) -> &'static [Level] {
    let model = short_name(model);
    let is_pro = model.starts_with("gemini-3") && model.contains("-pro");
    if is_pro { LEVELS.get(1..).unwrap_or_default() } else { &LEVELS }
}

fn named(wanted: Level, model: &str, losses: &mut Losses) -> String {
    let level = wanted.nearest(levels(model));
    if level != wanted {
        losses.degrade(PATH, "the nearest level that the target knows is used");
    }
    level.name().to_ascii_uppercase()
}

fn held(tokens: u64, model: &str, losses: &mut Losses) -> u64 {
    let known = RANGES.iter().find(|(name, ..)| short_name(model).starts_with(name));
    let (least, most) = known.map_or(OTHER_RANGE, |(_, least, most)| (*least, *most));
    let held = tokens.clamp(least, most);
    if held != tokens {
        losses.degrade(PATH, "the budget is held in the range of the target");
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialect::Dialect;
    use crate::protocol::path::Path;
    use serde_json::json;

    #[track_caller]
    fn check(model: &str, reasoning: ReasoningStyle, effort: Effort, expected: Value) {
        let dialect = Dialect { reasoning, ..Dialect::default() };
        let target = TargetContext { model, dialect: &dialect, session: None };
        let request = Request { effort, ..Request::default() };
        let config = encode(&request, &target, &mut Losses::default()).unwrap_or_default();
        assert_eq!(config, expected, "{model} {effort:?}");
    }

    #[test]
    fn efforts_are_said_as_the_model_takes_them() {
        use ReasoningStyle::{Budget, Effort as ByLevel, None};
        let level = |name: &str| json!({"thinkingLevel": name, "includeThoughts": true});
        let budget = |tokens: i64| json!({"thinkingBudget": tokens, "includeThoughts": true});
        check("gemini-3-flash", ByLevel, Effort::Level(Level::Max), level("HIGH"));
        check("gemini-3-flash", ByLevel, Effort::Budget(8192), level("MEDIUM"));
        check("gemini-3-flash", ByLevel, Effort::On, json!({"includeThoughts": true}));
        check("gemini-3-flash", ByLevel, Effort::Off, json!({"thinkingLevel": "MINIMAL"}));
        check("gemini-3-pro-preview", ByLevel, Effort::Off, Value::Null);
        check("gemini-3-pro-preview", ByLevel, Effort::Level(Level::Minimal), level("LOW"));
        check("gemini-2.5-pro", Budget, Effort::Level(Level::Max), budget(32_768));
        check("gemini-2.5-pro", Budget, Effort::Budget(1), budget(128));
        check("gemini-2.5-pro", Budget, Effort::Off, Value::Null);
        check("gemini-2.5-flash", Budget, Effort::Off, json!({"thinkingBudget": 0}));
        check("gemini-2.5-flash", Budget, Effort::On, budget(-1));
        check("models/gemini-2.5-flash-lite", Budget, Effort::Budget(100), budget(512));
        check("gemini-2.5-flash", Budget, Effort::Unset, Value::Null);
        check("gemma-3", None, Effort::Level(Level::High), Value::Null);
    }

    #[test]
    fn what_a_client_says_is_an_effort() {
        for (config, expected) in [
            (json!({"thinkingBudget": 0}), (Effort::Off, None)),
            (json!({"thinkingBudget": -1}), (Effort::On, None)),
            (json!({"thinking_budget": 512, "include_thoughts": true}), (Effort::Budget(512), Some(true))),
            (json!({"thinkingLevel": "HIGH"}), (Effort::Level(Level::High), None)),
            (json!({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}), (Effort::On, None)),
            (json!({"includeThoughts": false}), (Effort::Unset, Some(false))),
        ] {
            let mut outer = Fields::of(json!({"thinkingConfig": config}).into(), Path::default()).unwrap();
            assert_eq!(decode(&mut outer, &mut Losses::default()), Ok(expected));
        }
    }
}

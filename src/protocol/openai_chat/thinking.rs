//! How much a Chat client wants to be thought, and whether it wants to see it. Every server has its own
//! words for that.

use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::Effort;
use crate::protocol::fields::Fields;
use crate::protocol::openai;
use crate::protocol::wire::WireError;

/// Does the client want no reasoning to be shown? OpenRouter has two words for it, Groq a third.
pub(super) fn is_hidden(fields: &mut Fields<'_>) -> bool {
    let reasoning = fields.peek("reasoning").and_then(|reasoning| reasoning.get("exclude"));
    let is_excluded = reasoning == Some(&Tree::Bool(true));
    let form = fields.peek("reasoning_format").and_then(Tree::as_text);
    let is_formed = form == Some("hidden");
    if is_formed || form == Some("parsed") {
        fields.skip("reasoning_format");
    }
    is_excluded || is_formed || fields.take("include_reasoning") == Some(Tree::Bool(false))
}

/// Whether to think, as Qwen's models are asked: by a member of the request, or of what vLLM and others
/// hand to the model's template, where DeepSeek's is called `thinking`.
fn switch(fields: &mut Fields<'_>, losses: &mut Losses) -> Option<bool> {
    let mut template = fields.object_if_any("chat_template_kwargs");
    let mut of_template = |name: &str| template.as_mut().and_then(|template| template.take(name));
    let inner = of_template("enable_thinking").or_else(|| of_template("thinking"));
    if let Some(template) = template {
        template.lose_rest(losses);
    }
    match fields.take("enable_thinking").or(inner) {
        Some(Tree::Bool(is_on)) => Some(is_on),
        _ => None,
    }
}

/// `reasoning_effort`; else what OpenRouter (`reasoning`), others (`thinking`) and Qwen
/// (`enable_thinking`, `thinking_budget`) say.
pub(super) fn effort(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Effort, WireError> {
    let named = fields.word("reasoning_effort")?;
    let switch = switch(fields, losses);
    let budget = fields.count("thinking_budget")?;
    let reasoning = fields.take("reasoning");
    let thinking = fields.take("thinking");
    if let Some(name) = named {
        return Ok(openai::effort(&name, fields.at("reasoning_effort"), losses));
    }
    if let Some(reasoning) = reasoning {
        let tokens = reasoning.count("max_tokens");
        let level = reasoning.text("effort");
        let level = level.map(|name| openai::effort(name, fields.at("reasoning").at("effort"), losses));
        let switch = match reasoning.get("enabled") {
            Some(Tree::Bool(true)) => Some(Effort::On),
            Some(Tree::Bool(false)) => Some(Effort::Off),
            _ => None,
        };
        return Ok(level.or_else(|| tokens.map(Effort::Budget)).or(switch).unwrap_or_default());
    }
    Ok(match thinking.as_ref().and_then(|thinking| thinking.text("type")) {
        Some("enabled" | "adaptive") => {
            let tokens = thinking.and_then(|thinking| thinking.count("budget_tokens"));
            tokens.map_or(Effort::On, Effort::Budget)
        }
        Some("disabled") => Effort::Off,
        _ => match (switch, budget) {
            (Some(false), _) | (_, Some(0)) => Effort::Off,
            (_, Some(tokens)) => Effort::Budget(tokens),
            (Some(true), None) => Effort::On,
            (None, None) => Effort::Unset,
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::protocol::openai_chat::request_decode;

    #[test]
    fn reasoning_is_hidden_where_the_client_says_so() {
        for (asked, shown) in [
            (r#""reasoning":{"effort":"low","exclude":true}"#, Some(false)),
            (r#""include_reasoning":false"#, Some(false)),
            (r#""reasoning_format":"hidden""#, Some(false)),
            (r#""reasoning_format":"parsed","include_reasoning":true"#, None),
        ] {
            let (request, losses) = request_decode::decode(&format!(r#"{{"messages":[],{asked}}}"#)).unwrap();
            assert_eq!((request.show_reasoning, losses.iter().count()), (shown, 0), "{asked}");
        }
    }
}

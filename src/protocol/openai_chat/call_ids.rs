//! Ids for the calls of a history, as a target's model takes them.

use crate::ir::names::{fit_id, fit_name, nine_characters};
use crate::ir::request::ToolCall;
use crate::protocol::openai_chat::request_encode::NAMES;
use crate::protocol::wire::TargetContext;

/// OpenAI and Azure have refused longer ones ("Expected a string with maximum length 40").
const LENGTH: usize = 40;

/// Gives each call of a request its id, in their order.
pub(super) struct CallIds {
    form: Form,
    given: usize,
}

enum Form {
    /// The client's, where it fits.
    Own,
    /// Mistral takes nothing else.
    NineCharacters,
    /// Kimi's models know the ids that they make themselves, `functions.NAME:NUMBER` with the calls
    /// counted through the conversation, and come to write calls as words behind others.
    /// <https://huggingface.co/moonshotai/Kimi-K2-Instruct-0905/blob/main/docs/tool_call_guidance.md>
    NameAndNumber,
}

impl CallIds {
    pub(super) fn of(target: &TargetContext<'_>) -> Self {
        let form = if target.dialect.is_mistral {
            Form::NineCharacters
        } else if target.model.to_ascii_lowercase().contains("kimi-k") {
            Form::NameAndNumber
        } else {
            Form::Own
        };
        Self { form, given: 0 }
    }

    /// The id of the next call.
    pub(super) fn next(&mut self, call: &ToolCall) -> String {
        let number = self.given;
        self.given += 1;
        match self.form {
            Form::Own => fit_id(&call.id, LENGTH),
            Form::NineCharacters => nine_characters(&call.id),
            Form::NameAndNumber => format!("functions.{}:{number}", fit_name(&call.name, &NAMES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dialect::Dialect;

    #[test]
    fn each_model_gets_ids_of_its_form() {
        let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
        for (model, is_mistral, expected) in [
            ("gpt-5.5", false, ["call_1", "call_7059c8a482880eeb"]),
            ("devstral-medium", true, ["16xj2wjzp", "fnq0kx13q"]),
            ("moonshotai/Kimi-K2-Thinking", false, ["functions.f:0", "functions.f:1"]),
            ("kimi-k2.5", false, ["functions.f:0", "functions.f:1"]),
        ] {
            let dialect = Dialect { is_mistral, ..Dialect::default() };
            let mut ids = CallIds::of(&TargetContext { model, dialect: &dialect, session: None });
            let call = |id: &str| ToolCall {
                id: id.to_owned(),
                name: "f".to_owned(),
                arguments: String::new(),
                free_form: false,
                state: None,
            };
            assert_eq!(["call_1", long].map(|id| ids.next(&call(id))), expected, "{model}");
        }
    }
}

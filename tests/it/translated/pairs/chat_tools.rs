//! What a Chat client asks of tools.

use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use serde_json::json;

use super::Fate::{Carried, Lost, Nearly, Refused};
use super::{Row, request, with_tool};

#[expect(clippy::too_many_lines, reason = "a table reads best as one")]
pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            "a free choice of some",
            C,
            with_tool(
                C,
                None,
                json!({"tool_choice": {"type": "allowed_tools", "allowed_tools":
                    {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}}),
            ),
            vec![(R, Lost("tool_choice")), (A, Lost("tool_choice")), (G, Lost("tool_choice"))],
        ),
        (
            "choice of a tool that stays behind",
            C,
            with_tool(C, None, json!({"tool_choice": {"type": "function", "function": {"name": "g"}}})),
            vec![(R, Lost("tool_choice")), (A, Lost("tool_choice")), (G, Lost("tool_choice"))],
        ),
        (
            "server tool",
            C,
            with_tool(C, Some(json!({"type": "browser_search"})), json!({})),
            [R, A, G].map(|to| (to, Lost("tools[1]"))).into(),
        ),
        (
            "server tool alone",
            C,
            request(C, json!({"tools": [{"type": "browser_search"}]})),
            [R, A, G].map(|to| (to, Refused("tools"))).into(),
        ),
        (
            "choice among some",
            C,
            with_tool(
                C,
                Some(json!({"type": "function", "function": {"name": "g"}})),
                json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                    {"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]}}}),
            ),
            vec![
                (
                    R,
                    Carried(
                        r#""mode":"required","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]"#,
                    ),
                ),
                (A, Nearly(r#""tool_choice":{"type":"any""#, "tool_choice")),
                (G, Carried(r#""allowedFunctionNames":["f","g"]"#)),
            ],
        ),
        (
            "no tool",
            C,
            with_tool(C, None, json!({"tool_choice": "none"})),
            vec![
                (R, Carried(r#""tool_choice":"none""#)),
                (A, Carried(r#""tool_choice":{"type":"none""#)),
                (G, Carried(r#""mode":"NONE""#)),
            ],
        ),
        (
            "any tool",
            C,
            with_tool(C, None, json!({"tool_choice": "required"})),
            vec![
                (R, Carried(r#""tool_choice":"required""#)),
                (A, Carried(r#""tool_choice":{"type":"any""#)),
                (G, Carried(r#""mode":"ANY""#)),
            ],
        ),
        (
            "choice of a free tool",
            C,
            with_tool(
                C,
                Some(json!({"type": "custom", "custom": {"name": "run"}})),
                json!({"tool_choice": {"type": "custom", "custom": {"name": "run"}}}),
            ),
            vec![
                (R, Carried(r#""tool_choice":{"type":"custom","name":"run"}"#)),
                (A, Carried(r#""tool_choice":{"type":"tool","name":"run""#)),
                (G, Carried(r#""allowedFunctionNames":["run"]"#)),
            ],
        ),
        (
            "one call at a time",
            C,
            with_tool(C, None, json!({"parallel_tool_calls": false})),
            vec![
                (R, Carried(r#""parallel_tool_calls":false"#)),
                (A, Carried(r#""disable_parallel_tool_use":true"#)),
                (G, Lost("parallel_tool_calls")),
            ],
        ),
        (
            "grammar",
            C,
            request(
                C,
                json!({"tools": [{"type": "custom", "custom": {"name": "run", "description": "Runs.",
                "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}}}]}),
            ),
            vec![
                (R, Carried(r#""format":{"type":"grammar","syntax":"regex","definition":"a+"}"#)),
                (A, Carried(r#""description":"Runs.\n\na+""#)),
                (G, Carried(r#""description":"Runs.\n\na+""#)),
            ],
        ),
        (
            "functions",
            C,
            request(C, json!({"functions": [{"name": "f", "parameters": {"type": "object"}}]})),
            vec![(R, Refused("functions")), (A, Refused("functions")), (G, Refused("functions"))],
        ),
        (
            "name of a tool beside its result",
            C,
            with_tool(
                C,
                None,
                json!({"messages": [{"role": "user", "content": "ping"},
                    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "noon"}]}),
            ),
            [R, A, G].map(|to| (to, Carried("noon"))).into(),
        ),
    ]
}

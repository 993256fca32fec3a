//! What a Responses client asks for.

use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use serde_json::json;

use super::Fate::{Carried, Dropped, Lost, Nearly, Refused};
use super::{PDF, PNG, Row, request, saying, with_tool};

#[expect(clippy::too_many_lines, reason = "a table reads best as one")]
pub(super) fn rows() -> Vec<Row> {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
    let url = json!({"type": "input_image", "image_url": "https://example.com/a.png"});
    let pdf = json!({"type": "input_file", "filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")});
    let image = json!({"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")});
    let custom = json!({"type": "custom", "name": "run", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}});
    let space = json!({"type": "namespace", "name": "space", "tools": [{"type": "function", "name": "g", "parameters": schema}]});
    let search = json!({"type": "tool_search", "execution": "client", "parameters": schema});
    let shown = json!([{"role": "user", "content": "ping"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [image]}]);
    let late = json!([{"role": "user", "content": "ping"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"role": "user", "content": "Hurry."},
        {"type": "function_call_output", "call_id": "c1", "output": "noon"}]);
    let changed = json!([{"role": "user", "content": "ping"},
        {"type": "configuration_update", "reasoning": {"effort": "high"}, "text": format},
        {"role": "user", "content": "ping"}]);
    let mut rows: Vec<Row> = vec![
        (
            "result after a message",
            R,
            with_tool(R, None, json!({"input": late})),
            vec![(C, Carried(r#""tool_call_id":"c1"},{"role":"user","content":"Hurry."}"#))],
        ),
        (
            "image url",
            R,
            saying(R, url),
            vec![(C, Carried("a.png")), (A, Carried("a.png")), (G, Refused("image"))],
        ),
        (
            "choice of a tool of its own type",
            R,
            with_tool(
                R,
                Some(json!({"type": "apply_patch"})),
                json!({"tool_choice": {"type": "apply_patch"}}),
            ),
            vec![
                (C, Carried(r#""tool_choice":{"type":"function","function":{"name":"apply_patch"}}"#)),
                (A, Carried(r#""tool_choice":{"type":"tool","name":"apply_patch"}"#)),
                (G, Carried(r#""allowedFunctionNames":["apply_patch"]"#)),
            ],
        ),
        (
            "a free choice of some",
            R,
            with_tool(
                R,
                None,
                json!({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}}),
            ),
            vec![(C, Lost("tool_choice")), (A, Lost("tool_choice")), (G, Lost("tool_choice"))],
        ),
        (
            "choice of a tool that stays behind",
            R,
            with_tool(R, None, json!({"tool_choice": {"type": "mcp", "server_label": "s", "name": "g"}})),
            vec![(C, Lost("tool_choice")), (A, Lost("tool_choice")), (G, Lost("tool_choice"))],
        ),
        (
            "unknown effort",
            R,
            request(R, json!({"reasoning": {"effort": "ultra"}})),
            vec![(C, Lost("effort")), (A, Lost("effort")), (G, Lost("effort"))],
        ),
        (
            "media of the model",
            R,
            request(
                R,
                json!({"input": [{"role": "assistant", "content": [image]}, {"role": "user", "content": "ping"}]}),
            ),
            vec![(C, Lost("blocks[0]")), (A, Lost("blocks[0]")), (G, Carried(PNG))],
        ),
        ("pdf", R, saying(R, pdf), vec![(C, Carried(PDF)), (A, Carried(PDF)), (G, Carried(PDF))]),
        (
            "sound",
            R,
            saying(R, json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}})),
            vec![
                (C, Carried(r#"{"data":"UklGRg==","format":"mp3"}"#)),
                (A, Refused("blocks")),
                (G, Carried(r#""mimeType":"audio/mp3""#)),
            ],
        ),
        (
            "pdf url",
            R,
            saying(R, json!({"type": "input_file", "file_url": "https://example.com/a.pdf"})),
            vec![(C, Refused("document")), (A, Carried("a.pdf")), (G, Refused("document"))],
        ),
        (
            "choice among some",
            R,
            with_tool(
                R,
                Some(json!({"type": "function", "name": "g", "parameters": {"type": "object"}})),
                json!({"tool_choice": {"type": "allowed_tools", "mode": "required",
                    "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]}}),
            ),
            vec![
                (C, Nearly(r#""tool_choice":"required""#, "tool_choice")),
                (A, Nearly(r#""tool_choice":{"type":"any""#, "tool_choice")),
                (G, Carried(r#""allowedFunctionNames":["f","g"]"#)),
            ],
        ),
        (
            "choice among some that is one",
            R,
            with_tool(
                R,
                None,
                json!({"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}}),
            ),
            vec![
                (C, Carried(r#""tool_choice":{"type":"function","function":{"name":"f"}}"#)),
                (A, Carried(r#""tool_choice":{"type":"tool","name":"f""#)),
                (G, Carried(r#""allowedFunctionNames":["f"]"#)),
            ],
        ),
        (
            "result of no call",
            R,
            request(
                R,
                json!({"input": [{"role": "user", "content": "ping"}, {"type": "function_call_output", "call_id": "c9", "output": "noon"}]}),
            ),
            vec![
                (C, Nearly("noon", "tool result")),
                (A, Nearly("noon", "turns[1].blocks[0]")),
                (G, Nearly("noon", "tool result")),
            ],
        ),
        (
            "object in place of a result's text",
            R,
            with_tool(
                R,
                None,
                json!({"input": [{"role": "user", "content": "ping"},
                    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": {"a": 1}},
                    {"type": "function_call_output", "call_id": "c1", "output": {"noon": 12}}]}),
            ),
            vec![
                (C, Carried(r#""content":"{\"noon\":12}""#)),
                (A, Carried(r#""text":"{\"noon\":12}""#)),
                (G, Carried(r#""args":{"a":1}"#)),
            ],
        ),
        (
            "thoughts of an open model",
            R,
            with_tool(
                R,
                None,
                json!({"input": [{"role": "user", "content": "ping"},
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "short"}], "content": [{"type": "reasoning_text", "text": "long"}]},
                    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c1", "output": "noon"}]}),
            ),
            vec![(C, Carried(r#""reasoning_content":"long""#))],
        ),
        (
            "a failure without words",
            R,
            with_tool(
                R,
                Some(json!({"type": "apply_patch"})),
                json!({"input": [{"role": "user", "content": "ping"},
                    {"type": "apply_patch_call", "call_id": "c1", "operation": {"type": "delete_file", "path": "a"}},
                    {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed"}]}),
            ),
            vec![
                (C, Carried(r#""content":"[the tool failed without output]""#)),
                (A, Carried(r#""text":"[no output recorded]"}],"is_error":true"#)),
                (G, Carried(r#""response":{"error":""#)),
            ],
        ),
        (
            "words of another agent",
            R,
            request(
                R,
                json!({"input": [{"role": "user", "content": "ping"},
                    {"type": "agent_message", "sender": "anna", "content": [{"type": "input_text", "text": "pong"}]}]}),
            ),
            [C, A, G].map(|to| (to, Carried(r"Message from anna:\npong"))).into(),
        ),
        (
            "no tool",
            R,
            with_tool(R, None, json!({"tool_choice": "none"})),
            vec![
                (C, Carried(r#""tool_choice":"none""#)),
                (A, Carried(r#""tool_choice":{"type":"none""#)),
                (G, Carried(r#""mode":"NONE""#)),
            ],
        ),
        (
            "any tool",
            R,
            with_tool(R, None, json!({"tool_choice": "required"})),
            vec![
                (C, Carried(r#""tool_choice":"required""#)),
                (A, Carried(r#""tool_choice":{"type":"any""#)),
                (G, Carried(r#""mode":"ANY""#)),
            ],
        ),
        (
            "result image",
            R,
            with_tool(R, None, json!({"input": shown})),
            vec![(C, Carried("[image 1 in the next message]")), (A, Carried(PNG)), (G, Carried(PNG))],
        ),
        (
            "schema",
            R,
            request(R, json!({"text": format})),
            vec![
                (C, Carried("json_schema")),
                (A, Carried("json_schema")),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "changed format",
            R,
            request(R, json!({"input": changed})),
            vec![
                (C, Carried("json_schema")),
                (A, Carried("json_schema")),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "changed effort",
            R,
            request(R, json!({"input": changed, "reasoning": {"effort": "low"}})),
            vec![
                (C, Carried(r#""reasoning_effort":"high""#)),
                (A, Carried(r#""effort":"high""#)),
                (G, Carried(r#""thinkingLevel":"HIGH""#)),
            ],
        ),
        (
            "verbosity",
            R,
            request(R, json!({"text": {"verbosity": "high"}})),
            vec![(C, Carried(r#""verbosity":"high""#)), (A, Lost("verbosity")), (G, Lost("verbosity"))],
        ),
        (
            "custom tool",
            R,
            with_tool(R, Some(custom), json!({})),
            vec![(C, Carried("start: X")), (A, Carried("start: X")), (G, Carried("start: X"))],
        ),
        (
            "namespace",
            R,
            with_tool(R, Some(space), json!({})),
            vec![(C, Carried("space__g")), (A, Carried("space__g")), (G, Carried("space__g"))],
        ),
        (
            "tool search",
            R,
            with_tool(R, Some(search), json!({})),
            vec![(C, Carried("tool_search")), (A, Carried("tool_search")), (G, Carried("tool_search"))],
        ),
        (
            "temperature",
            R,
            request(R, json!({"temperature": 1.5})),
            vec![
                (C, Carried(r#""temperature":1.5"#)),
                (A, Nearly(r#""temperature":1"#, "temperature")),
                (G, Carried(r#""temperature":1.5"#)),
            ],
        ),
        (
            "one call at a time",
            R,
            with_tool(R, None, json!({"parallel_tool_calls": false})),
            vec![
                (C, Carried(r#""parallel_tool_calls":false"#)),
                (A, Carried(r#""disable_parallel_tool_use":true"#)),
                (G, Lost("parallel_tool_calls")),
            ],
        ),
        (
            "unknown item",
            R,
            request(R, json!({"input": [{"role": "user", "content": "ping"}, {"type": "moon"}]})),
            vec![(C, Lost("input[1]")), (A, Lost("input[1]")), (G, Lost("input[1]"))],
        ),
        (
            "hints",
            R,
            request(
                R,
                json!({"store": false, "include": ["reasoning.encrypted_content"], "client_metadata": {"a": "b"},
                    "truncation": "auto", "metadata": {"a": "b"}, "reasoning": {"summary": "auto"}}),
            ),
            vec![(C, Dropped), (A, Dropped), (G, Dropped)],
        ),
    ];
    for kind in
        ["web_search", "file_search", "code_interpreter", "computer_use_preview", "image_generation", "mcp"]
    {
        let tool = json!({"type": kind});
        let beside = with_tool(R, Some(tool.clone()), json!({}));
        let fates = || [C, A, G].map(|to| (to, Lost("tools[1]"))).into();
        rows.push((kind, R, beside, fates()));
        let alone = request(R, json!({"tools": [tool]}));
        rows.push((kind, R, alone, [C, A, G].map(|to| (to, Refused("tools"))).into()));
    }
    let stored = [
        ("previous_response_id", json!({"previous_response_id": "resp_1"})),
        ("conversation", json!({"conversation": "conv_1"})),
        ("prompt", json!({"prompt": {"id": "pmpt_1"}})),
        ("background", json!({"background": true})),
        ("input[0]", json!({"input": [{"type": "item_reference", "id": "msg_1"}]})),
        ("input[0]", json!({"input": [{"type": "compaction", "encrypted_content": "x"}]})),
        (
            "input[0].content[0].file_id",
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
        ),
    ];
    rows.extend(stored.map(|(path, more)| -> Row {
        ("stored state", R, request(R, more), [C, A, G].map(|to| (to, Refused(path))).into())
    }));
    rows
}

//! What an Anthropic client asks for.

use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use serde_json::{Value, json};

use super::Fate::{Carried, Dropped, Lost, Nearly, Refused};
use super::{PDF, PNG, Row, request, saying, with_tool};

#[expect(clippy::too_many_lines, reason = "a table reads best as one")]
pub(super) fn rows() -> Vec<Row> {
    let url = json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let pdf = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}});
    let cited = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "citations": {"enabled": true}});
    let stored = json!({"type": "image", "source": {"type": "file", "file_id": "f"}});
    let png = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}});
    let shown = json!([{"role": "user", "content": "ping"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [png]}]}]);
    let later = json!([{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"},
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "ping"}]);
    let tagged = json!([{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"},
        {"role": "system", "content": "<system-reminder>Be brief.</system-reminder>"}, {"role": "user", "content": "ping"}]);
    let failed_silently = json!([{"role": "user", "content": "ping"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": true}]}]);
    let silent = json!([{"role": "user", "content": "ping"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]}]);
    let told = |kind: &str, more: Value| {
        let mut block = json!({"type": kind});
        block.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"messages": [{"role": "assistant", "content": [block]}, {"role": "user", "content": "ping"}]})
    };
    let summary = told("compaction", json!({"content": "We spoke of whales.", "encrypted_content": "x"}));
    let failed = told("compaction", json!({"content": null}));
    let removed = json!([{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"},
        {"role": "system", "content": [{"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}}]},
        {"role": "user", "content": "ping"}]);
    let brings = |words: &str| {
        let tool = json!({"name": "late", "description": words, "input_schema": {"type": "object"}});
        json!({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool}})
    };
    let brought = json!([{"role": "assistant", "content": [{"type": "compaction", "content": "pong", "tool_changes": [brings("old")]}]},
        {"role": "user", "content": "ping"}, {"role": "system", "content": [brings("new")]}]);
    let quotes = json!([{"role": "user", "content": "ping"}, {"role": "assistant", "content": [
        {"type": "text", "text": "The grass "}, {"type": "text", "text": "is green", "citations": [{"type": "char_location"}]},
        {"type": "text", "text": "."}]}, {"role": "user", "content": "ping"}]);
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let edits = json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]});
    let clears = json!({"edits": [{"type": "clear_tool_uses_20250919"}]});
    let everywhere = |path: &'static str| [C, R, G].map(|to| (to, Lost(path))).into();
    vec![
        (
            "image url",
            A,
            saying(A, url),
            vec![(C, Carried("a.png")), (R, Carried("a.png")), (G, Refused("image"))],
        ),
        (
            "a later system turn with tags of its own",
            A,
            request(A, json!({"messages": tagged})),
            vec![
                (C, Carried(r#""content":"<system-reminder>Be brief.</system-reminder>""#)),
                (R, Carried(r#""text":"<system-reminder>Be brief.</system-reminder>""#)),
                (G, Carried(r#""text":"<system-reminder>Be brief.</system-reminder>""#)),
            ],
        ),
        (
            "a failure without words",
            A,
            with_tool(A, None, json!({"messages": failed_silently})),
            vec![
                (C, Carried(r#""content":"[the tool failed without output]""#)),
                (R, Carried(r#""output":"[the tool failed without output]""#)),
                (G, Carried(r#""response":{"error":"#)),
            ],
        ),
        (
            "a result without words",
            A,
            with_tool(A, None, json!({"messages": silent})),
            vec![
                (C, Carried(r#""role":"tool","content":"","tool_call_id":"c1""#)),
                (R, Carried(r#""output":"""#)),
                (G, Carried(r#""response":{"output":""}"#)),
            ],
        ),
        ("pdf", A, saying(A, pdf), vec![(C, Carried(PDF)), (R, Carried(PDF)), (G, Carried(PDF))]),
        (
            "citations",
            A,
            saying(A, cited),
            vec![(C, Nearly(PDF, "citations")), (R, Nearly(PDF, "citations")), (G, Nearly(PDF, "citations"))],
        ),
        (
            "result image",
            A,
            with_tool(A, None, json!({"messages": shown})),
            vec![
                (C, Carried("[image 1 in the next message]")),
                (R, Carried(r#""output":[{"type":"input_image""#)),
                (G, Carried(PNG)),
            ],
        ),
        (
            "later system turn",
            A,
            request(A, json!({"messages": later})),
            vec![
                (C, Carried(r"<system-reminder>\nBe brief.\n</system-reminder>")),
                (R, Carried(r#""role":"developer""#)),
                (G, Carried(r"<system-reminder>\nBe brief.\n</system-reminder>")),
            ],
        ),
        (
            "cited words",
            A,
            request(A, json!({"messages": quotes})),
            [C, R, G].map(|to| (to, Nearly(r#""The grass is green.""#, "citations"))).into(),
        ),
        ("summary", A, request(A, summary), [C, R, G].map(|to| (to, Carried("We spoke of whales."))).into()),
        ("failed summary", A, request(A, failed), everywhere("messages[0]")),
        (
            "a call of the user's",
            A,
            request(
                A,
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "ping"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]}]}),
            ),
            everywhere("messages[0].content"),
        ),
        (
            "a summary in place of the conversation",
            A,
            request(A, json!({"compaction": {"type": "summarize"}})),
            [C, R, G].map(|to| (to, Refused("compaction"))).into(),
        ),
        (
            "removed tool",
            A,
            with_tool(A, None, json!({"messages": removed})),
            [C, R, G].map(|to| (to, Carried("Tool f is no longer available."))).into(),
        ),
        (
            "tool that the conversation brings",
            A,
            with_tool(A, None, json!({"messages": brought})),
            vec![
                (C, Carried(r#"}}},{"type":"function","function":{"name":"late","description":"new""#)),
                (R, Carried(r#"false},{"type":"function","name":"late","description":"new""#)),
                (G, Carried(r#"{}}},{"name":"late","description":"new""#)),
            ],
        ),
        (
            "four stops",
            A,
            request(A, json!({"stop_sequences": ["a", "b", "c", "d"]})),
            vec![
                (C, Carried(r#""stop":["a","b","c","d"]"#)),
                (R, Lost("stop")),
                (G, Carried(r#""stopSequences":["a","b","c","d"]"#)),
            ],
        ),
        (
            "six stops",
            A,
            request(A, json!({"stop_sequences": ["a", "b", "c", "d", "e", "f"]})),
            vec![
                (C, Nearly(r#""stop":["a","b","c","d"]"#, "stop")),
                (R, Lost("stop")),
                (G, Nearly(r#""stopSequences":["a","b","c","d","e"]"#, "stop")),
            ],
        ),
        (
            "top_k",
            A,
            request(A, json!({"top_k": 41})),
            vec![(C, Lost("top_k")), (R, Lost("top_k")), (G, Carried(r#""topK":41"#))],
        ),
        (
            "budget",
            A,
            request(A, json!({"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 24000}})),
            vec![
                (C, Carried(r#""reasoning_effort":"high""#)),
                (R, Carried(r#""effort":"high""#)),
                (G, Carried(r#""thinkingLevel":"HIGH""#)),
            ],
        ),
        (
            "thinking off but for progress",
            A,
            request(A, json!({"thinking": {"type": "between_tools"}})),
            vec![(C, Carried(r#""reasoning_effort":"none""#)), (R, Carried(r#""effort":"none""#))],
        ),
        (
            "how much an editor shows",
            A,
            with_tool(
                A,
                Some(
                    json!({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 99}),
                ),
                json!({}),
            ),
            [C, R, G].map(|to| (to, Dropped)).into(),
        ),
        ("server tool", A, with_tool(A, Some(search.clone()), json!({})), everywhere("tools[1]")),
        (
            "server tool alone",
            A,
            request(A, json!({"tools": [search]})),
            [C, R, G].map(|to| (to, Refused("tools"))).into(),
        ),
        (
            "one call at a time",
            A,
            with_tool(A, None, json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})),
            vec![
                (C, Carried(r#""parallel_tool_calls":false"#)),
                (R, Carried(r#""parallel_tool_calls":false"#)),
                (G, Lost("parallel_tool_calls")),
            ],
        ),
        ("stored file", A, saying(A, stored), [C, R, G].map(|to| (to, Refused("source"))).into()),
        (
            "result of no call",
            A,
            request(
                A,
                json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c9", "content": "noon"}]}]}),
            ),
            [C, R, G].map(|to| (to, Nearly("noon", "tool result"))).into(),
        ),
        (
            "file for a container",
            A,
            saying(A, json!({"type": "container_upload", "file_id": "f"})),
            [C, R, G].map(|to| (to, Refused("content"))).into(),
        ),
        (
            "document of blocks",
            A,
            saying(
                A,
                json!({"type": "document", "title": "Whales", "context": "From a book.",
                    "source": {"type": "content", "content": [{"type": "text", "text": "They sing."}]}}),
            ),
            [C, R, G].map(|to| (to, Carried("They sing."))).into(),
        ),
        (
            "highest effort",
            A,
            request(A, json!({"output_config": {"effort": "max"}})),
            vec![
                (C, Nearly(r#""reasoning_effort":"xhigh""#, "reasoning_effort")),
                (R, Nearly(r#""effort":"xhigh""#, "reasoning.effort")),
                (G, Nearly(r#""thinkingLevel":"HIGH""#, "thinkingConfig")),
            ],
        ),
        (
            "tool that was put off, and found",
            A,
            request(
                A,
                json!({"tools": [{"name": "late", "input_schema": {"type": "object"}, "defer_loading": true},
                        {"name": "f", "input_schema": {"type": "object"}}],
                    "messages": [{"role": "user", "content": "ping"},
                        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
                        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1",
                            "content": [{"type": "tool_reference", "tool_name": "late"}]}]}]}),
            ),
            vec![
                (C, Carried(r#"}},{"type":"function","function":{"name":"late""#)),
                (R, Carried(r#"},{"type":"function","name":"late""#)),
                (G, Carried(r#"},{"name":"late""#)),
            ],
        ),
        (
            "no tool",
            A,
            with_tool(A, None, json!({"tool_choice": {"type": "none"}})),
            vec![
                (C, Carried(r#""tool_choice":"none""#)),
                (R, Carried(r#""tool_choice":"none""#)),
                (G, Carried(r#""mode":"NONE""#)),
            ],
        ),
        (
            "any tool",
            A,
            with_tool(A, None, json!({"tool_choice": {"type": "any"}})),
            vec![
                (C, Carried(r#""tool_choice":"required""#)),
                (R, Carried(r#""tool_choice":"required""#)),
                (G, Carried(r#""mode":"ANY""#)),
            ],
        ),
        (
            "top_p",
            A,
            request(A, json!({"top_p": 0.5})),
            vec![
                (C, Carried(r#""top_p":0.5"#)),
                (R, Carried(r#""top_p":0.5"#)),
                (G, Carried(r#""topP":0.5"#)),
            ],
        ),
        (
            "schema",
            A,
            request(
                A,
                json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            ),
            vec![
                (C, Carried("json_schema")),
                (R, Carried("json_schema")),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "schema in the older place",
            A,
            request(A, json!({"output_format": {"type": "json_schema", "schema": {"type": "object"}}})),
            vec![
                (C, Carried("json_schema")),
                (R, Carried("json_schema")),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "unknown effort",
            A,
            request(A, json!({"output_config": {"effort": "ultra"}})),
            everywhere("effort"),
        ),
        (
            "choice of a tool that stays behind",
            A,
            with_tool(A, None, json!({"tool_choice": {"type": "tool", "name": "g"}})),
            everywhere("tool_choice"),
        ),
        (
            "container",
            A,
            request(A, json!({"container": "c"})),
            [C, R, G].map(|to| (to, Refused("container"))).into(),
        ),
        ("thread that begins", A, request(A, json!({"thread": {"type": "create"}})), everywhere("thread")),
        (
            "thread that goes on",
            A,
            request(A, json!({"thread": {"type": "continue", "previous_message_id": "msg_1"}})),
            [C, R, G].map(|to| (to, Refused("thread.previous_message_id"))).into(),
        ),
        (
            "clears tool uses",
            A,
            request(A, json!({"context_management": clears})),
            everywhere("context_management"),
        ),
        ("unknown member", A, request(A, json!({"moon": "full"})), everywhere("moon")),
        (
            "what becomes of thinking that its vendor does not know again",
            A,
            request(
                A,
                json!({"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}}),
            ),
            [C, R, G].map(|to| (to, Dropped)).into(),
        ),
        (
            "hints",
            A,
            request(
                A,
                json!({"context_management": edits, "metadata": {"user_id": "u"}, "service_tier": "auto",
                    "system": [{"type": "text", "text": "Be.", "cache_control": {"type": "ephemeral"}}]}),
            ),
            [C, R, G].map(|to| (to, Dropped)).into(),
        ),
    ]
}

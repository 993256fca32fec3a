//! What a Chat client asks for.

use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use serde_json::json;

use super::Fate::{Carried, Dropped, Lost, Nearly, Refused};
use super::{PDF, PNG, Row, request, saying, with_tool};

#[expect(clippy::too_many_lines, reason = "a table reads best as one")]
pub(super) fn rows() -> Vec<Row> {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let url = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    let pdf = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}});
    let stored = json!({"type": "file", "file": {"file_id": "file_1"}});
    let sound = json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}});
    let image = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}});
    let penalties = json!({"presence_penalty": 0.5, "frequency_penalty": 0.25});
    vec![
        ("image", C, saying(C, image.clone()), vec![(R, Carried(PNG)), (A, Carried(PNG)), (G, Carried(PNG))]),
        (
            "image url",
            C,
            saying(C, url),
            vec![(R, Carried("a.png")), (A, Carried("a.png")), (G, Refused("image"))],
        ),
        ("pdf", C, saying(C, pdf), vec![(R, Carried(PDF)), (A, Carried(PDF)), (G, Carried(PDF))]),
        (
            "no penalty",
            C,
            request(C, json!({"presence_penalty": 0, "frequency_penalty": 0.0})),
            vec![(R, Dropped), (A, Dropped), (G, Carried(r#""presencePenalty":0"#))],
        ),
        (
            "thinking budget",
            C,
            request(C, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})),
            vec![
                (R, Carried(r#""effort":"low""#)),
                (A, Carried(r#""effort":"low""#)),
                (G, Carried(r#""thinkingLevel":"LOW""#)),
            ],
        ),
        (
            "thinking as the model likes",
            C,
            request(C, json!({"thinking": {"type": "adaptive"}})),
            vec![(R, Carried(r#""effort":"medium""#)), (A, Carried(r#""type":"adaptive""#))],
        ),
        (
            "thinking off",
            C,
            request(C, json!({"enable_thinking": false})),
            vec![(R, Carried(r#""effort":"none""#)), (A, Carried(r#""type":"disabled""#))],
        ),
        (
            "thinking off by the template",
            C,
            request(C, json!({"chat_template_kwargs": {"enable_thinking": false}})),
            vec![(R, Carried(r#""effort":"none""#)), (A, Carried(r#""type":"disabled""#))],
        ),
        (
            "Qwen's budget",
            C,
            request(C, json!({"enable_thinking": true, "thinking_budget": 2000})),
            vec![(R, Carried(r#""effort":"low""#)), (A, Carried(r#""effort":"low""#))],
        ),
        (
            "Qwen thinks",
            C,
            request(C, json!({"enable_thinking": true})),
            vec![(R, Carried(r#""effort":"medium""#)), (A, Carried(r#""type":"adaptive""#))],
        ),
        (
            "another word for the template",
            C,
            request(C, json!({"chat_template_kwargs": {"custom_instructions": "x"}})),
            vec![(R, Lost("custom_instructions")), (A, Lost("custom_instructions"))],
        ),
        (
            "image as a file",
            C,
            saying(
                C,
                json!({"type": "file", "file": {"filename": "a.png", "file_data": format!("data:image/png;base64,{PNG}")}}),
            ),
            vec![
                (R, Carried(r#""type":"input_image""#)),
                (A, Carried(r#""type":"image""#)),
                (G, Carried(r#""mimeType":"image/png""#)),
            ],
        ),
        (
            "pdf url",
            C,
            saying(C, json!({"type": "document_url", "document_url": "https://example.com/a.pdf"})),
            vec![(R, Carried("a.pdf")), (A, Carried("a.pdf")), (G, Refused("document"))],
        ),
        (
            "stored file",
            C,
            saying(C, stored),
            vec![(R, Refused("file_id")), (A, Refused("file_id")), (G, Refused("file_id"))],
        ),
        (
            "instructions alone",
            C,
            json!({"messages": [{"role": "system", "content": "Greet."}]}).to_string(),
            vec![
                (R, Carried(r#"{"type":"input_text","text":""}"#)),
                (A, Carried("...")),
                (G, Carried("...")),
            ],
        ),
        (
            "who speaks",
            C,
            json!({"messages": [{"role": "user", "name": "ada", "content": "Hi."}]}).to_string(),
            vec![(R, Lost("name")), (A, Lost("name")), (G, Lost("name"))],
        ),
        (
            "cache hints",
            C,
            json!({"prompt_cache_options": {"mode": "explicit"}, "messages": [{"role": "user", "content":
                [{"type": "text", "text": "Hi.", "prompt_cache_breakpoint": {"mode": "explicit"}}]}]})
            .to_string(),
            vec![(R, Dropped), (A, Dropped), (G, Dropped)],
        ),
        (
            "sound",
            C,
            saying(C, sound),
            vec![(R, Refused("audio")), (A, Refused("blocks")), (G, Carried("audio/wav"))],
        ),
        (
            "schema",
            C,
            request(C, json!({"response_format": format})),
            vec![
                (R, Carried(r#""format":{"type":"json_schema""#)),
                (A, Carried(r#""format":{"type":"json_schema""#)),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "json object",
            C,
            request(C, json!({"response_format": {"type": "json_object"}})),
            vec![(R, Carried("json_object")), (A, Lost("format")), (G, Carried("application/json"))],
        ),
        (
            "json object with a schema",
            C,
            request(C, json!({"response_format": {"type": "json_object", "schema": {"type": "object"}}})),
            vec![
                (R, Carried(r#""format":{"type":"json_schema""#)),
                (A, Carried(r#""format":{"type":"json_schema""#)),
                (G, Carried("responseJsonSchema")),
            ],
        ),
        (
            "verbosity",
            C,
            request(C, json!({"verbosity": "low"})),
            vec![(R, Carried(r#""verbosity":"low""#)), (A, Lost("verbosity")), (G, Lost("verbosity"))],
        ),
        (
            "stop",
            C,
            request(C, json!({"stop": ["END"]})),
            vec![
                (R, Lost("stop")),
                (A, Carried(r#""stop_sequences":["END"]"#)),
                (G, Carried(r#""stopSequences":["END"]"#)),
            ],
        ),
        (
            "seed",
            C,
            request(C, json!({"seed": 77})),
            vec![(R, Lost("seed")), (A, Lost("seed")), (G, Carried(r#""seed":77"#))],
        ),
        ("Mistral's seed", C, request(C, json!({"random_seed": 78})), vec![(G, Carried(r#""seed":78"#))]),
        (
            "penalties",
            C,
            request(C, penalties),
            vec![
                (R, Lost("presence_penalty")),
                (A, Lost("frequency_penalty")),
                (G, Carried(r#""presencePenalty":0.5,"frequencyPenalty":0.25"#)),
            ],
        ),
        (
            "sound in the words of MP3's type",
            C,
            saying(C, json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}})),
            vec![(G, Carried(r#""mimeType":"audio/mp3""#))],
        ),
        (
            "OpenRouter's switch on",
            C,
            request(C, json!({"reasoning": {"enabled": true}})),
            vec![(R, Carried(r#""effort":"medium""#)), (A, Carried(r#""type":"adaptive""#))],
        ),
        (
            "OpenRouter's switch off",
            C,
            request(C, json!({"reasoning": {"enabled": false}})),
            vec![(R, Carried(r#""effort":"none""#)), (A, Carried(r#""type":"disabled""#))],
        ),
        (
            "highest effort",
            C,
            request(C, json!({"reasoning_effort": "max"})),
            vec![
                (R, Nearly(r#""effort":"xhigh""#, "reasoning.effort")),
                (A, Carried(r#""effort":"max""#)),
                (G, Nearly(r#""thinkingLevel":"HIGH""#, "thinkingConfig")),
            ],
        ),
        (
            "refusal and reasoning in parts",
            C,
            request(
                C,
                json!({"messages": [{"role": "user", "content": "ping"}, {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "refusal", "refusal": "I will not."}]}, {"role": "user", "content": "ping"}]}),
            ),
            [R, A, G].map(|to| (to, Nearly("I will not.", "reasoning"))).into(),
        ),
        (
            "result image",
            C,
            with_tool(
                C,
                None,
                json!({"messages": [{"role": "user", "content": "ping"},
                    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "c1", "content": [image]}]}),
            ),
            vec![(R, Carried(r#""output":[{"type":"input_image""#)), (A, Carried(PNG)), (G, Carried(PNG))],
        ),
        (
            "image in the instructions",
            C,
            request(
                C,
                json!({"messages": [{"role": "system", "content": [{"type": "text", "text": "Be."}, image]}, {"role": "user", "content": "ping"}]}),
            ),
            [R, A, G].map(|to| (to, Nearly("Be.", "messages[0].content"))).into(),
        ),
        (
            "top_k",
            C,
            request(C, json!({"top_k": 41})),
            vec![(R, Lost("top_k")), (A, Carried(r#""top_k":41"#)), (G, Carried(r#""topK":41"#))],
        ),
        (
            "refusal",
            C,
            request(
                C,
                json!({"messages": [{"role": "user", "content": "ping"},
                    {"role": "assistant", "content": null, "refusal": "I will not."}, {"role": "user", "content": "ping"}]}),
            ),
            [R, A, G].map(|to| (to, Carried("I will not."))).into(),
        ),
        (
            "hottest that Anthropic takes",
            C,
            request(C, json!({"temperature": 1})),
            vec![(A, Carried(r#""temperature":1"#)), (G, Carried(r#""temperature":1"#))],
        ),
        (
            "hottest of all",
            C,
            request(C, json!({"temperature": 2})),
            vec![(A, Nearly(r#""temperature":1"#, "temperature")), (G, Carried(r#""temperature":2"#))],
        ),
        (
            "empty instructions, first and later",
            C,
            request(
                C,
                json!({"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "ping"},
                    {"role": "developer", "content": [{"type": "text", "text": ""}]}, {"role": "assistant", "content": "pong"},
                    {"role": "user", "content": "ping"}]}),
            ),
            vec![
                (
                    R,
                    Carried(
                        r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"ping"}]},{"type":"message","role":"assistant""#,
                    ),
                ),
                (
                    A,
                    Carried(
                        r#""max_tokens":64000,"messages":[{"role":"user","content":[{"type":"text","text":"ping""#,
                    ),
                ),
                (G, Carried(r#"[{"text":"ping"}]},{"role":"model""#)),
            ],
        ),
        (
            "later instructions",
            C,
            request(
                C,
                json!({"messages": [{"role": "user", "content": "ping"}, {"role": "developer", "content": "Be brief."}]}),
            ),
            vec![
                (R, Carried(r#""role":"developer","content":[{"type":"input_text","text":"Be brief."}]"#)),
                (A, Carried(r"<system-reminder>\nBe brief.\n</system-reminder>")),
                (G, Carried(r"<system-reminder>\nBe brief.\n</system-reminder>")),
            ],
        ),
        (
            "logit bias",
            C,
            request(C, json!({"logit_bias": {"50256": -100}})),
            vec![(R, Lost("logit_bias")), (A, Lost("logit_bias")), (G, Lost("logit_bias"))],
        ),
        (
            "logprobs",
            C,
            request(C, json!({"logprobs": true, "top_logprobs": 3})),
            vec![(R, Lost("logprobs")), (A, Lost("logprobs")), (G, Lost("logprobs"))],
        ),
        (
            "temperature",
            C,
            request(C, json!({"temperature": 1.5})),
            vec![
                (R, Carried(r#""temperature":1.5"#)),
                (A, Nearly(r#""temperature":1"#, "temperature")),
                (G, Carried(r#""temperature":1.5"#)),
            ],
        ),
        (
            "effort",
            C,
            request(C, json!({"reasoning_effort": "xhigh"})),
            vec![
                (R, Carried(r#""effort":"xhigh""#)),
                (A, Carried(r#""effort":"xhigh""#)),
                (G, Nearly(r#""thinkingLevel":"HIGH""#, "thinkingConfig")),
            ],
        ),
        ("n", C, request(C, json!({"n": 2})), vec![(R, Refused("n")), (A, Refused("n")), (G, Refused("n"))]),
        (
            "one answer in words",
            C,
            request(C, json!({"n": 1, "modalities": ["text"], "functions": []})),
            vec![(R, Dropped), (A, Dropped), (G, Dropped)],
        ),
        (
            "text as a file",
            C,
            saying(
                C,
                json!({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,c29uZw=="}}),
            ),
            vec![
                (R, Carried("data:text/plain;base64,c29uZw==")),
                (A, Carried(r#""source":{"type":"text","media_type":"text/plain","data":"song"}"#)),
                (G, Carried("c29uZw==")),
            ],
        ),
        (
            "spoken answer",
            C,
            request(C, json!({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}})),
            vec![(R, Refused("modalities")), (A, Refused("modalities")), (G, Refused("modalities"))],
        ),
        (
            "what an SDK read in an answer",
            C,
            request(
                C,
                json!({"messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "{\"a\":1}", "parsed": {"a": 1}, "tool_calls": [{"id": "c", "type": "function",
                        "function": {"name": "f", "arguments": "{\"b\":2}", "parsed_arguments": {"b": 2}}}]},
                    {"role": "tool", "tool_call_id": "c", "content": "y"},
                ]}),
            ),
            vec![(R, Dropped), (A, Dropped), (G, Dropped)],
        ),
        (
            "hints",
            C,
            request(
                C,
                json!({"user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto", "logprobs": false,
                    "safety_identifier": "s", "logit_bias": {}}),
            ),
            vec![(R, Dropped), (A, Dropped), (G, Dropped)],
        ),
    ]
}

//! What a Gemini client asks for.

use llmgate::protocol::Protocol::{Anthropic as A, Gemini as G, OpenaiChat as C, OpenaiResponses as R};
use serde_json::{Value, json};

use super::Fate::{Carried, Dropped, Lost, Nearly, Refused};
use super::{Fate, PDF, PNG, Row, request, saying, with_tool};

#[expect(clippy::too_many_lines, reason = "a table reads best as one")]
pub(super) fn rows() -> Vec<Row> {
    let config = |config: Value| request(G, json!({"generationConfig": config}));
    let schema = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}});
    let inline = |mime: &str, data: &str| saying(G, json!({"inlineData": {"mimeType": mime, "data": data}}));
    let with_functions = |calling: Value| {
        let functions: Vec<Value> = ["f", "g"].map(|name| json!({"name": name})).into();
        request(
            G,
            json!({"tools": [{"functionDeclarations": functions}], "toolConfig": {"functionCallingConfig": calling}}),
        )
    };
    let everywhere =
        |fate: fn(&'static str) -> Fate, path: &'static str| [C, R, A].map(|to| (to, fate(path))).into();
    vec![
        (
            "schema",
            G,
            config(json!({"responseMimeType": "application/json", "responseSchema": schema})),
            vec![
                (C, Carried(r#""schema":{"type":"object""#)),
                (R, Carried(r#""schema":{"type":"object""#)),
                (A, Carried(r#""schema":{"type":"object""#)),
            ],
        ),
        (
            "pdf",
            G,
            inline("application/pdf", PDF),
            vec![(C, Carried(PDF)), (R, Carried(PDF)), (A, Carried(PDF))],
        ),
        (
            "words in pieces",
            G,
            request(
                G,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]},
                {"role": "model", "parts": [{"text": "2014"}, {"text": "-05-21"}]},
                {"role": "user", "parts": [{"text": "ping"}]}]}),
            ),
            [C, R, A].map(|to| (to, Carried(r#""2014-05-21""#))).into(),
        ),
        (
            "image of the model",
            G,
            request(
                G,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]},
                {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
                {"role": "user", "parts": [{"text": "ping"}]}]}),
            ),
            everywhere(|path| Nearly(PNG, path), "contents[1].parts[0]"),
        ),
        (
            "words of a result",
            G,
            with_tool(
                G,
                None,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [{"text": "a whale"}]}}]}]}),
            ),
            [C, R, A].map(|to| (to, Carried("a whale"))).into(),
        ),
        (
            "sound",
            G,
            inline("audio/wav", "UklGRg=="),
            vec![(C, Carried("input_audio")), (R, Refused("audio")), (A, Refused("blocks"))],
        ),
        ("video", G, inline("video/mp4", "AAAA"), everywhere(Refused, "fileData")),
        (
            "sound in MP3",
            G,
            inline("audio/mpeg", "SUQz"),
            vec![(C, Carried(r#"{"data":"SUQz","format":"mp3"}"#))],
        ),
        (
            "stops",
            G,
            config(json!({"stopSequences": ["END"]})),
            vec![(C, Carried(r#""stop":["END"]"#)), (R, Lost("stop")), (A, Carried(r#"["END"]"#))],
        ),
        (
            "seed",
            G,
            config(json!({"seed": 77})),
            vec![(C, Carried(r#""seed":77"#)), (R, Lost("seed")), (A, Lost("seed"))],
        ),
        (
            "penalties",
            G,
            config(json!({"presencePenalty": 0.5, "frequencyPenalty": 0.25})),
            vec![
                (C, Carried(r#""presence_penalty":0.5,"frequency_penalty":0.25"#)),
                (R, Lost("presence_penalty")),
                (A, Lost("frequency_penalty")),
            ],
        ),
        (
            "topK",
            G,
            config(json!({"topK": 41})),
            vec![(C, Lost("top_k")), (R, Lost("top_k")), (A, Carried(r#""top_k":41"#))],
        ),
        (
            "temperature",
            G,
            config(json!({"temperature": 1.5})),
            vec![
                (C, Carried(r#""temperature":1.5"#)),
                (R, Carried(r#""temperature":1.5"#)),
                (A, Nearly(r#""temperature":1"#, "temperature")),
            ],
        ),
        (
            "budget",
            G,
            config(json!({"thinkingConfig": {"thinkingBudget": 2000}})),
            vec![
                (C, Carried(r#""reasoning_effort":"low""#)),
                (R, Carried(r#""effort":"low""#)),
                (A, Carried(r#""effort":"low""#)),
            ],
        ),
        (
            "safety settings",
            G,
            request(G, json!({"safetySettings": [{"category": "HARM", "threshold": "BLOCK_NONE"}]})),
            everywhere(Lost, "safetySettings"),
        ),
        (
            "server tool",
            G,
            with_tool(G, Some(json!({"googleSearch": {}})), json!({})),
            everywhere(Lost, "tools[1]"),
        ),
        (
            "server tool alone",
            G,
            request(G, json!({"tools": [{"googleSearch": {}}]})),
            everywhere(Refused, "tools[0]"),
        ),
        (
            "a call of the user's",
            G,
            request(
                G,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}, {"functionCall": {"name": "f"}}]}]}),
            ),
            everywhere(Lost, "contents[0].parts[1].functionCall"),
        ),
        (
            "a result of the model's",
            G,
            request(
                G,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]},
                {"role": "model", "parts": [{"functionResponse": {"name": "f", "response": {"a": 1}}}, {"text": "pong"}]},
                {"role": "user", "parts": [{"text": "ping"}]}]}),
            ),
            everywhere(|path| Nearly("pong", path), "contents[1].parts[0].functionResponse"),
        ),
        (
            "code that ran at Google",
            G,
            request(
                G,
                json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]},
                {"role": "model", "parts": [{"executableCode": {"language": "PYTHON", "code": "1"}}, {"text": "pong"}]},
                {"role": "user", "parts": [{"text": "ping"}]}]}),
            ),
            everywhere(|path| Nearly("pong", path), "contents[1].parts[0].executableCode"),
        ),
        (
            "image in the instructions",
            G,
            request(
                G,
                json!({"systemInstruction": {"parts": [{"text": "Be."}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]}}),
            ),
            everywhere(|path| Nearly("Be.", path), "systemInstruction.parts[1]"),
        ),
        (
            "choice among some",
            G,
            with_functions(json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]})),
            vec![
                (C, Nearly(r#""tool_choice":"required""#, "tool_choice")),
                (
                    R,
                    Carried(
                        r#""mode":"required","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]"#,
                    ),
                ),
                (A, Nearly(r#""tool_choice":{"type":"any""#, "tool_choice")),
            ],
        ),
        (
            "choice of one",
            G,
            with_functions(json!({"mode": "ANY", "allowedFunctionNames": ["g"]})),
            vec![
                (C, Carried(r#""tool_choice":{"type":"function","function":{"name":"g"}}"#)),
                (R, Carried(r#""tool_choice":{"type":"function","name":"g"}"#)),
                (A, Carried(r#""tool_choice":{"type":"tool","name":"g""#)),
            ],
        ),
        (
            "no tool",
            G,
            with_functions(json!({"mode": "NONE"})),
            vec![
                (C, Carried(r#""tool_choice":"none""#)),
                (R, Carried(r#""tool_choice":"none""#)),
                (A, Carried(r#""tool_choice":{"type":"none""#)),
            ],
        ),
        (
            "choice of a tool that stays behind",
            G,
            with_functions(json!({"mode": "ANY", "allowedFunctionNames": ["h"]})),
            everywhere(Lost, "toolConfig"),
        ),
        (
            "json",
            G,
            config(json!({"responseMimeType": "application/json"})),
            vec![(C, Carried("json_object")), (R, Carried("json_object")), (A, Lost("format"))],
        ),
        (
            "a free choice of some",
            G,
            with_functions(json!({"mode": "VALIDATED", "allowedFunctionNames": ["g"]})),
            everywhere(|path| Nearly(r#""auto""#, path), "allowedFunctionNames"),
        ),
        ("one answer", G, config(json!({"candidateCount": 1})), [C, R, A].map(|to| (to, Dropped)).into()),
        (
            "cached content",
            G,
            request(G, json!({"cachedContent": "c"})),
            everywhere(Refused, "cachedContent"),
        ),
        (
            "file uri",
            G,
            saying(G, json!({"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b"}})),
            everywhere(Refused, "fileData"),
        ),
        (
            "image output",
            G,
            config(json!({"responseModalities": ["TEXT", "IMAGE"]})),
            everywhere(Refused, "responseModalities"),
        ),
        ("two answers", G, config(json!({"candidateCount": 2})), everywhere(Refused, "candidateCount")),
        (
            "hints",
            G,
            request(G, json!({"labels": {"a": "b"}, "safetySettings": []})),
            [C, R, A].map(|to| (to, Dropped)).into(),
        ),
    ]
}

use super::*;
use serde_json::{Value, json};

fn chunk(parts: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]})
}

fn finish(reason: &str) -> Value {
    json!({"candidates": [{"content": {}, "finishReason": reason}]})
}

fn decode(chunks: &[Value]) -> Result<Vec<StreamEvent>, WireError> {
    let mut decoder = Decoder::new("seed");
    let mut out = Vec::new();
    for chunk in chunks {
        decoder.frame(None, &chunk.to_string(), &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}

/// The events as short words.
fn words(chunks: &[Value]) -> Vec<String> {
    let word = |event: StreamEvent| match event {
        StreamEvent::Start { .. } => "start".to_owned(),
        StreamEvent::BlockStart { id, kind } => match kind {
            BlockKind::Call { id: call, name, .. } => format!("{}:{name}:{call}", id.0),
            other => format!("{}:{other:?}", id.0),
        },
        StreamEvent::BlockDelta { id, delta: Delta::Text(text) } => format!("{}+{text}", id.0),
        StreamEvent::BlockDelta { id, delta: Delta::State(_) } => format!("{}+state", id.0),
        StreamEvent::BlockEnd { id } => format!("{}.", id.0),
        StreamEvent::Usage(usage) => format!("usage {:?}/{:?}", usage.input, usage.output),
        StreamEvent::Finish { stop } => format!("{stop:?}"),
        StreamEvent::Lost { what } => what,
    };
    decode(chunks).unwrap().into_iter().map(word).collect()
}

#[test]
fn boundaries_are_made_where_something_else_begins() {
    let chunks = [
        chunk(json!([{"text": "hm", "thought": true}])),
        chunk(json!([{"text": "m", "thought": true}, {"text": "a"}])),
        chunk(json!([{"text": ""}, {"text": "b"}])),
        chunk(json!([
            {"functionCall": {"name": "f", "args": {"x": 1}, "id": "1"}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "f"}},
        ])),
        json!({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}}),
        finish("STOP"),
        json!({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 1}}),
    ];
    let made = format!("call_{:016x}1", stable_hash(b"seed"));
    let expected = [
        "start",
        "0:Reasoning",
        "0+hm",
        "0+m",
        "0.",
        "1:Text",
        "1+a",
        "1+b",
        "1.",
        "2:f:1",
        "2+state",
        "2+{\"x\":1}",
        "2.",
        &format!("3:f:{made}"),
        "3+{}",
        "3.",
        "usage Some(3)/Some(6)",
        "ToolCalls",
    ];
    assert_eq!(words(&chunks), expected);
}

#[test]
fn signatures_are_kept_where_no_call_carries_them() {
    let chunks = [
        chunk(json!([{"text": "a"}])),
        chunk(json!([{"text": "b", "thoughtSignature": "c2ln"}])),
        chunk(json!([{"text": "hm", "thought": true, "thoughtSignature": "c2ln"}])),
        chunk(json!([{"text": "c", "thoughtSignature": "c2ln"}, {"text": "", "thoughtSignature": "c2ln"}])),
        finish("MAX_TOKENS"),
    ];
    let expected = [
        "start",
        "0:Text",
        "0+a",
        "0+b",
        "0.",
        "1:Reasoning",
        "1+state",
        "1.",
        "2:Reasoning",
        "2+hm",
        "2+state",
        "2.",
        "3:Reasoning",
        "3+state",
        "3.",
        "4:Text",
        "4+c",
        "4.",
        "5:Reasoning",
        "5+state",
        "5.",
        "Limit",
    ];
    assert_eq!(words(&chunks), expected);
}

#[test]
fn server_tools_are_left_out_and_the_words_around_them_stay() {
    let chunks = [
        chunk(json!([{"text": "a"}, {"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}])),
        chunk(json!([{"codeExecutionResult": {"output": "1"}}, {"toolCall": {}}, {"text": "b"}])),
        finish("STOP"),
    ];
    let left_out = ["executableCode", "codeExecutionResult", "toolCall"];
    let expected =
        [&["start", "0:Text", "0+a", "0."], &left_out[..], &["1:Text", "1+b", "1.", "End"]].concat();
    assert_eq!(words(&chunks), expected);
}

#[test]
fn an_end_is_told_only_when_the_provider_told_it() {
    let text = || chunk(json!([{"text": "a"}]));
    assert_eq!(words(&[text()]).last().unwrap(), "0+a");
    assert_eq!(words(&[text(), finish("FINISH_REASON_UNSPECIFIED")]).last().unwrap(), "0+a");
    assert_eq!(words(&[text(), finish("SPII")]).last().unwrap(), "Refuse");
    for refused in ["IMAGE_SAFETY", "ESCALATION", "PUP_LIMITED_DISABLED"] {
        assert_eq!(words(&[text(), finish(refused)]).last().unwrap(), "Refuse");
    }
    assert_eq!(words(&[text(), finish("CONTINUATION")]).last().unwrap(), "Limit");
    assert_eq!(
        words(&[text(), finish("MALFORMED_FUNCTION_CALL")]).last().unwrap(),
        "Other(\"MALFORMED_FUNCTION_CALL\")"
    );
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    assert_eq!(words(&[blocked]), ["start", "Refuse"]);
    assert_eq!(words(&[json!({})]), ["start"]);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let silent = decode(&[finish("MALFORMED_FUNCTION_CALL")]).unwrap_err().to_string();
    assert!(silent.ends_with("not MALFORMED_FUNCTION_CALL"), "{silent}");
    assert!(decode(&[json!({"error": {"code": 503, "message": "m"}})]).is_err());
    assert!(decode(&[json!({"candidates": [1]})]).is_err());
    assert!(decode(&[chunk(json!([{"functionCall": {"args": {}}}]))]).is_err());
}

#[test]
fn a_call_that_failed_is_no_end_unless_something_was_said() {
    let thought = chunk(json!([{"text": "hm", "thought": true}]));
    assert!(decode(&[finish("MALFORMED_FUNCTION_CALL")]).is_err());
    assert!(decode(&[thought.clone(), finish("MALFORMED_FUNCTION_CALL")]).is_err());
    assert!(decode(&[thought, chunk(json!([{"text": "a"}])), finish("MALFORMED_FUNCTION_CALL")]).is_ok());
}

/// The arguments of a call in pieces, or why it is none.
fn arguments(pieces: Value) -> Result<String, WireError> {
    let begin = json!({"functionCall": {"name": "f", "id": "1", "willContinue": true}});
    let grown = json!({"functionCall": {"partialArgs": pieces, "willContinue": true}});
    let chunks = [chunk(json!([begin, grown])), chunk(json!([{"functionCall": {}}])), finish("STOP")];
    let texts = decode(&chunks)?.into_iter().filter_map(|event| match event {
        StreamEvent::BlockDelta { delta: Delta::Text(text), .. } => Some(text),
        _ => None,
    });
    Ok(texts.collect())
}

#[test]
fn a_call_in_pieces_is_told_when_it_is_whole() {
    let begin = json!({"functionCall": {"name": "f", "will_continue": true}, "thoughtSignature": "c2ln"});
    let more = |text: &str| {
        let piece = json!({"jsonPath": "$.a", "stringValue": text});
        json!({"functionCall": {"partialArgs": [piece], "willContinue": true}})
    };
    let chunks = [
        chunk(json!([begin, more("x")])),
        chunk(json!([more("y"), {"functionCall": {}}])),
        chunk(json!([{"functionCall": {"name": "g", "id": "2", "args": {"b": 1}, "willContinue": true}}])),
        chunk(json!([{"text": "a"}])),
        chunk(json!([{"functionCall": {"name": "h", "id": "3", "willContinue": true}}])),
        finish("STOP"),
    ];
    let made = format!("0:f:call_{:016x}0", stable_hash(b"seed"));
    let expected = [
        "start",
        &made,
        "0+state",
        "0+{\"a\":\"xy\"}",
        "0.",
        "1:g:2",
        "1+{\"b\":1}",
        "1.",
        "2:Text",
        "2+a",
        "2.",
        "3:h:3",
        "3+{}",
        "3.",
        "ToolCalls",
    ];
    assert_eq!(words(&chunks), expected);
}

#[test]
fn null_is_no_call() {
    let nothing = json!([{"text": "a", "functionCall": null, "thought": null, "thoughtSignature": null}]);
    assert_eq!(words(&[chunk(nothing), finish("STOP")]), ["start", "0:Text", "0+a", "0.", "End"]);
}

#[test]
fn pieces_go_to_their_places() {
    let piece = |path: &str, name: &str, value: Value| json!({"jsonPath": path, name: value});
    let told = arguments(json!([
        piece("$.a", "stringValue", json!("x")),
        piece("$['b c'][0].d", "numberValue", json!(1.5)),
        piece("$[\"b c\"][1]", "boolValue", json!(true)),
        piece("$.n", "nullValue", json!("NULL_VALUE")),
        piece("$.a", "stringValue", json!("y")),
    ]));
    assert_eq!(told.unwrap(), r#"{"a":"xy","b c":[{"d":1.5},true],"n":null}"#);
    let deep = format!("${}", ".a".repeat(200));
    for path in ["a", "$.l[1]", "$.s.x", "$.l[x]", "$['a", &deep] {
        let text = piece("$.s", "stringValue", json!("x"));
        assert!(arguments(json!([text, piece(path, "stringValue", json!("x"))])).is_err(), "{path}");
    }
}

#[test]
fn calls_of_one_id_can_be_told_apart() {
    let call = || json!({"functionCall": {"name": "f", "id": "f"}});
    let told = words(&[chunk(json!([call(), call()])), chunk(json!([call()])), finish("STOP")]);
    let made = |number| format!("call_{:016x}{number}", stable_hash(b"seed"));
    let ids: Vec<&String> = told.iter().filter(|word| word.contains(":f:")).collect();
    assert_eq!(ids, ["0:f:f", &format!("1:f:{}", made(1)), &format!("2:f:{}", made(2))]);
}

#[test]
fn thoughts_that_one_chunk_counts_are_output() {
    let chunks = [
        json!({"usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 4}}),
        json!({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}}),
        finish("STOP"),
    ];
    assert_eq!(words(&chunks), ["start", "usage Some(3)/Some(9)", "End"]);
}

#[test]
fn what_no_other_protocol_has_a_word_for_is_told() {
    let unknown = json!([{"audioTranscription": {"text": "x"}}, {"text": "a", "partMetadata": {"k": 1}}]);
    let ended = json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "No."}]});
    let expected =
        ["start", "audioTranscription", "0:Text", "0+a", "partMetadata", "finishMessage", "0.", "Refuse"];
    assert_eq!(words(&[chunk(unknown), ended]), expected);
    let blocked = json!({"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "No."}});
    assert_eq!(words(&[blocked]), ["start", "blockReasonMessage", "Refuse"]);
    let open = json!({"promptFeedback": {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}});
    assert_eq!(words(&[open, finish("STOP")]), ["start", "End"]);
}

#[test]
fn a_call_in_pieces_has_so_many_arguments_at_most() {
    let pieces = |count: usize| {
        let place = |number| json!({"jsonPath": format!("$.a{number}"), "numberValue": 1});
        let pieces: Vec<Value> = (0..count).map(place).collect();
        decode(&[chunk(json!([{"functionCall": {"name": "f", "partialArgs": pieces}}]))])
    };
    assert!(pieces(4096).is_ok());
    assert!(pieces(4097).is_err());
}

#[test]
fn what_stands_beside_the_words_is_told() {
    let beside = |metadata: Value| json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "groundingMetadata": metadata}]});
    assert_eq!(words(&[beside(json!({}))]), ["start", "0:Text", "0+a"]);
    assert_eq!(
        words(&[beside(json!({"webSearchQueries": ["q"]}))]),
        ["start", "0:Text", "0+a", "groundingMetadata"]
    );
}

#[test]
fn files_and_pictures_are_told_of_between_the_words() {
    let file =
        json!({"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b"}, "thoughtSignature": "c2ln"});
    let picture = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    let chunks = [chunk(json!([{"text": "a"}, file, {"text": "b"}, picture, {"text": "c"}])), finish("STOP")];
    let expected = [
        "start",
        "0:Text",
        "0+a",
        "0.",
        "a part",
        "1:Text",
        "1+b",
        "1.",
        "2:Text",
        "2+c",
        "inlineData",
        "2.",
        "End",
    ];
    assert_eq!(words(&chunks), expected);
}

/// Some servers say why they end before their last words.
#[test]
fn an_end_stays_one_when_more_comes() {
    let open = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "FINISH_REASON_UNSPECIFIED"}]});
    assert_eq!(words(&[finish("MAX_TOKENS"), open]), ["start", "0:Text", "0+a", "0.", "Limit"]);
}

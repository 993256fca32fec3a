use super::*;
use crate::ir::collect::Collector;
use crate::ir::grammar::Grammar;
use crate::ir::response::Response;

/// What a stream of these deltas tells; its events obey the grammar.
fn told(deltas: &[&str], reason: &str) -> Response {
    let (mut decoder, mut events) = (Decoder::new("seed"), Vec::new());
    for delta in deltas {
        let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        decoder.frame(None, &chunk, &mut events).unwrap();
    }
    let end = format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    decoder.frame(None, &end, &mut events).unwrap();
    decoder.finish(&mut events);
    let (mut grammar, mut collector) = (Grammar::default(), Collector::default());
    for event in events {
        grammar.check(&event).unwrap();
        collector.push(event);
    }
    collector.finish().unwrap()
}

#[test]
fn of_a_chunk_like_the_last_nothing_is_left_out() {
    let call = r#""tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"1"}}]"#;
    let details = r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]"#;
    let deltas = [
        r#""delta":{"content":"?"}"#.to_owned(),
        r#""delta":{"content":"","reasoning_content":"?"}"#.to_owned(),
        r#""delta":{"content":null,"reasoning":"?"}"#.to_owned(),
        r#""delta":{"content":"a","refusal":"?"}"#.to_owned(),
        r#""delta":{"content":"?","reasoning_content":"a"}"#.to_owned(),
        r#""delta":{"content":"?","images":[{}]}"#.to_owned(),
        r#""delta":{"content":"?"},"finish_reason":""}],"citations":["a"],"x":[{"y":0"#.to_owned(),
        r#""message":{"content":"?"}"#.to_owned(),
        format!(r#""delta":{{"content":"?",{call}}}"#),
        format!(r#""delta":{{"content":"?",{details}}}"#),
    ];
    for delta in deltas {
        let (mut short, mut plain) = (Decoder::new("seed"), Decoder::new("seed"));
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        for words in ["a", "b c", "b c", r"\n", "d", "", "e"] {
            let chunk = format!(r#"{{"choices":[{{"index":0,{}}}]}}"#, delta.replace('?', words));
            if !short.words(None, &chunk, &mut told) {
                short.frame(None, &chunk, &mut told).unwrap();
            }
            plain.frame(None, &chunk, &mut expected).unwrap();
        }
        for decoder in [(&mut short, &mut told), (&mut plain, &mut expected)] {
            decoder.0.frame(None, "[DONE]", decoder.1).unwrap();
        }
        assert_eq!(told, expected, "{delta}");
    }
}

#[test]
fn a_piece_that_says_nothing_is_no_call() {
    let words = r#"{"content":"x"}"#;
    let empty = r#"{"tool_calls":[{"index":0,"id":"","type":"function","function":{"arguments":""}}]}"#;
    let answer = told(&[words, empty], "stop");
    assert_eq!((answer.blocks, answer.stop), (vec![Block::Text("x".into())], StopReason::End));
}

#[test]
fn state_of_a_call_is_told_once_whenever_it_comes() {
    let with = |rest: &str| {
        format!(
            r#"{{"tool_calls":[{{"index":0,"extra_content":{{"google":{{"thought_signature":"s"}}}}{rest}}}]}}"#
        )
    };
    let late = r#"{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}]}"#;
    let named = r#","id":"1","function":{"name":"f","arguments":"{}"}"#;
    let unnamed = r#","function":{"arguments":""}"#;
    for deltas in [vec![with(named), with(unnamed)], vec![with(""), late.to_owned()]] {
        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
        let answer = told(&deltas, "tool_calls");
        let [Block::Call(call)] = answer.blocks.as_slice() else { panic!("{:?}", answer.blocks) };
        assert_eq!((call.arguments.as_str(), call.state.is_some()), ("{}", true), "{deltas:?}");
    }
}

#[test]
fn after_the_end_nothing_is_told() {
    let (mut decoder, mut events) = (Decoder::new("seed"), Vec::new());
    let words = r#"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#;
    for data in [words, "[DONE]", "[DONE]", words] {
        decoder.frame(None, data, &mut events).unwrap();
    }
    assert!(!decoder.words(None, words, &mut events));
    decoder.finish(&mut events);
    let told = events.iter().filter(|event| matches!(event, StreamEvent::BlockDelta { .. })).count();
    assert_eq!((told, events.pop()), (1, Some(StreamEvent::Finish { stop: StopReason::End })));
}

#[test]
fn words_of_another_choice_and_beside_an_error_are_no_words() {
    let other = r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#;
    let failed = r#"{"choices":[{"index":0,"delta":{"content":"x"},"error":{"message":"m"}}]}"#;
    let mut decoder = Decoder::new("seed");
    for data in [other, other, failed, failed] {
        assert!(!decoder.words(None, data, &mut Vec::new()), "{data}");
    }
}

#[test]
fn what_a_call_says_before_its_name_is_kept() {
    let early = [
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"1}"}}]}"#,
    ];
    let id_first = [
        r#"{"tool_calls":[{"index":0,"id":"1"}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
    ];
    for deltas in [early, id_first] {
        let answer = told(&deltas, "tool_calls");
        let [Block::Call(call)] = answer.blocks.as_slice() else { panic!("{:?}", answer.blocks) };
        assert_eq!((call.name.as_str(), call.arguments.as_str()), ("f", r#"{"a":1}"#), "{deltas:?}");
    }
    let [Block::Call(call)] = &told(&id_first, "tool_calls").blocks[..] else { panic!() };
    assert_eq!(call.id, "1");
}

#[test]
fn thoughts_are_told_wherever_they_stand() {
    for delta in [
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning_content":"","reasoning":"hm"}"#,
        r#"{"reasoning_content":"hm","reasoning":"hm"}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
    ] {
        let answer = told(&[delta], "stop");
        let [Block::Reasoning(reasoning)] = answer.blocks.as_slice() else { panic!("{:?}", answer.blocks) };
        assert_eq!(reasoning.text, "hm", "{delta}");
    }
}

#[test]
fn what_no_other_protocol_has_a_word_for_is_told() {
    let chunk = r#"{"citations":["a"],"choices":[{"index":0,"delta":{"content":"x","annotations":[{}],"images":[{}]}}]}"#;
    let mut events = Vec::new();
    Decoder::new("seed").frame(None, chunk, &mut events).unwrap();
    let lost = events.iter().filter_map(|event| match event {
        StreamEvent::Lost { what } => Some(what.as_str()),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), ["citations", "annotations", "images"]);
}

/// Some servers say that there is no reason yet by an empty one.
#[test]
fn an_empty_reason_is_no_end() {
    let (mut decoder, mut events) = (Decoder::new("seed"), Vec::new());
    let chunk = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]}"#;
    decoder.frame(None, chunk, &mut events).unwrap();
    decoder.finish(&mut events);
    assert!(!events.iter().any(|event| matches!(event, StreamEvent::Finish { .. })), "{events:?}");
}

use super::*;

fn events(frames: &[&str]) -> Result<Vec<StreamEvent>, WireError> {
    let (mut decoder, mut out) = (Decoder::new("req_1"), Vec::new());
    for frame in frames {
        decoder.frame(None, frame, &mut out)?;
    }
    Ok(out)
}

#[test]
fn arguments_that_belong_to_no_open_call_make_none() {
    let call = r#"{"type":"response.output_item.added","output_index":0,
        "item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
    let words = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x"}"#;
    let piece = r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#;
    let begun = |frames: &[&str]| {
        let events = events(frames).unwrap();
        events.iter().filter(|event| matches!(event, StreamEvent::BlockStart { .. })).count()
    };
    assert_eq!(begun(&[piece]), 0);
    assert_eq!(begun(&[call, piece]), 1);
    assert_eq!(begun(&[call, words, piece]), 2);
}

#[test]
fn words_behind_an_item_hide_no_call_that_was_not_streamed() {
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"x"}]}"#;
    let words = r#"{"type":"response.output_text.delta","output_index":0,"delta":"x"}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{message}}}"#);
    let call =
        |id: &str| format!(r#"{{"type":"function_call","call_id":"{id}","name":"f","arguments":"{{}}"}}"#);
    let end = format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{message},{}]}}}}"#,
        call("c")
    );
    let calls = |frames: &[&str]| {
        let is_call = |event: &&StreamEvent| {
            matches!(event, StreamEvent::BlockStart { kind: BlockKind::Call { .. }, .. })
        };
        events(frames).unwrap().iter().filter(is_call).count()
    };
    assert_eq!(calls(&[words, &done, words, &end]), 1);
    // Its id is another one.
    let told = format!(r#"{{"type":"response.output_item.done","output_index":1,"item":{}}}"#, call("other"));
    assert_eq!(calls(&[words, &done, &told, &end]), 1);
}

#[test]
fn an_item_that_began_under_another_number_is_told_once() {
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"x"}]}"#;
    let added = r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#;
    let words = r#"{"type":"response.output_text.delta","output_index":1,"delta":"x"}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":1,"item":{message}}}"#);
    let end = |output: &str| {
        format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{output}]}}}}"#)
    };
    let texts = |frames: &[&str]| {
        let is_text =
            |event: &&StreamEvent| matches!(event, StreamEvent::BlockDelta { delta: Delta::Text(_), .. });
        events(frames).unwrap().iter().filter(is_text).count()
    };
    assert_eq!(texts(&[added, words, &done, &end(message)]), 1);
    // The first was not streamed.
    let two = end(&format!("{message},{message}"));
    assert_eq!(texts(&[added, words, &done, &two]), 2);
    assert_eq!(texts(&[words, &done, &two]), 2);
}

#[test]
fn an_answer_whose_items_never_end_is_broken() {
    let frames: Vec<String> = (0..=MOST)
        .map(|number| {
            format!(r#"{{"type":"response.output_text.delta","output_index":{number},"delta":"x"}}"#)
        })
        .collect();
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    assert!(events(&frames[..MOST]).is_ok());
    assert!(events(&frames).is_err());
}

#[test]
fn what_is_told_twice_is_told_once() {
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"x","annotations":[{}]}]}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{message}}}"#);
    let end = format!(r#"{{"type":"response.completed","response":{{"output":[{message}]}}}}"#);
    let told = events(&[&done, &done, &end, &end, "[DONE]"]).unwrap();
    let count = |is: fn(&StreamEvent) -> bool| told.iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, StreamEvent::BlockDelta { .. })), 1);
    assert_eq!(count(|event| matches!(event, StreamEvent::Lost { .. })), 1);
    assert_eq!(count(|event| matches!(event, StreamEvent::Finish { .. })), 1);
}

/// Some servers name their events outside the data alone.
#[test]
fn the_frame_names_the_event_where_its_data_do_not() {
    let (mut decoder, mut out) = (Decoder::new("req_1"), Vec::new());
    decoder.frame(Some("response.output_text.delta"), r#"{"delta":"x"}"#, &mut out).unwrap();
    assert!(matches!(out.last(), Some(StreamEvent::BlockDelta { .. })), "{out:?}");
}

#[test]
fn an_answer_with_too_many_items_is_broken() {
    let end = |count: usize| {
        let output = vec![r#"{"type":"message"}"#; count].join(",");
        events(&[&format!(r#"{{"type":"response.completed","response":{{"output":[{output}]}}}}"#)])
    };
    assert!(end(MOST).is_ok());
    assert!(end(MOST + 1).is_err());
}

/// Some servers give all parts of a summary one number.
#[test]
fn parts_of_a_summary_are_paragraphs() {
    let part = r#"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}"#;
    let words =
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"x"}"#;
    let text = |frames: &[&str]| -> String {
        let events = events(frames).unwrap();
        let texts = events.iter().filter_map(|event| match event {
            StreamEvent::BlockDelta { delta: Delta::Text(text), .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    };
    assert_eq!(text(&[part, words, words, part, words]), "xx\n\nx");
}

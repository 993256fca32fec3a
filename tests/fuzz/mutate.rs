//! Changes that leave JSON what it is: a byte changed somewhere nearly always ends in the parser, and
//! what lies behind it would never be seen.

use serde_json::{Map, Value, json};

use crate::laws::parts::Draw;

/// Words that mean something to a protocol.
const WORDS: &[&str] = &[
    "", "a", "user", "assistant", "system", "developer", "tool", "model", "text", "image", "image_url",
    "input_text", "input_image", "input_file", "output_text", "refusal", "thinking", "redacted_thinking",
    "tool_use", "tool_result", "function", "function_call", "function_call_output", "custom",
    "custom_tool_call", "reasoning", "message", "server_tool_use", "base64", "url", "document", "auto",
    "none", "any", "required", "stop", "length", "tool_calls", "end_turn", "max_tokens", "STOP", "SAFETY",
    "MAX_TOKENS", "OBJECT", "STRING", "object", "array", "string", "{}", "{\"a\":1}", "{\"_raw\":\"x\"}",
    "[1", "data:image/png;base64,QUJD", "http://a/b", "LGC1:", "a__b", "ä\u{0}\u{202e}\"\\\n", "low",
    "high", "adaptive", "enabled", "json_schema", "json_object", "namespace", "tool_search", "local_shell",
    "apply_patch", "thought", "error", "output", "result", "input",
];

/// Changes a case of [`crate::laws::codec`] in its place, three times out of four; its new size.
pub fn case(data: &mut [u8], size: usize, most: usize, seed: u32) -> Option<usize> {
    let [kind, _, text @ ..] = data.get(..size)? else { return None };
    let text = std::str::from_utf8(text).ok().filter(|_| seed % 4 > 0)?;
    let text = if matches!(kind, b'q' | b'a') { json(text, seed.into()) } else { stream(text, seed.into()) };
    let (room, text) = (data.get_mut(2..most)?, text.as_bytes());
    room.get_mut(..text.len())?.copy_from_slice(text);
    Some(2 + text.len())
}

/// Changes some JSON text, once or a few times; what is no JSON stays.
pub fn json(text: &str, seed: u64) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let mut draw = Draw::seeded(seed);
    for _ in 0..=draw.below(3) {
        let donor = pick(&value, &mut draw).clone();
        let count = nodes(&value);
        let at = draw.below(count);
        change(&mut value, &mut { at }, donor, &mut draw);
    }
    value.to_string()
}

/// Changes a stream: one event, or which events there are.
pub fn stream(text: &str, seed: u64) -> String {
    let mut frames: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let mut draw = Draw::seeded(seed);
    let at = draw.below(frames.len().max(1));
    let Some(frame) = frames.get(at).cloned() else { return String::new() };
    match draw.below(8) {
        0 => drop(frames.remove(at)),
        1 => frames.insert(at, frame),
        2 => {
            let other = draw.below(frames.len());
            frames.swap(at, other);
        }
        3 => frames.truncate(at + 1),
        _ => {
            let data = frame.find("data:").map(|found| found + 5);
            let (before, data) = frame.split_at(data.unwrap_or(0));
            let changed = json(data.trim(), seed.rotate_left(17));
            frames[at] = format!("{before} {changed}\n\n");
        }
    }
    frames.concat()
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(nodes).sum(),
        Value::Object(map) => map.values().map(nodes).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn pick<'v>(value: &'v Value, draw: &mut Draw) -> &'v Value {
    let mut all = vec![value];
    let mut next = 0;
    while let Some(value) = all.get(next) {
        match value {
            Value::Array(list) => all.extend(list),
            Value::Object(map) => all.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        next += 1;
    }
    all[draw.below(all.len())]
}

/// Changes the node of that number, counted down on the way.
fn change(value: &mut Value, at: &mut usize, donor: Value, draw: &mut Draw) -> bool {
    if *at == 0 {
        change_here(value, donor, draw);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| change(inner, at, donor.clone(), draw)),
        Value::Object(map) => map.values_mut().any(|inner| change(inner, at, donor.clone(), draw)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn change_here(value: &mut Value, donor: Value, draw: &mut Draw) {
    match (&mut *value, draw.below(3)) {
        (Value::Array(list), 0) => list.insert(draw.below(list.len() + 1), donor),
        (Value::Array(list), 1) if !list.is_empty() => drop(list.remove(draw.below(list.len()))),
        (Value::Object(map), 0) => change_keys(map, donor, draw),
        (Value::Object(map), 1) if !map.is_empty() => {
            let key = map.keys().nth(draw.below(map.len())).cloned().unwrap_or_default();
            map.shift_remove(&key);
        }
        (Value::String(text), 0) => text.push_str(WORDS[draw.below(WORDS.len())]),
        _ => *value = other(donor, draw),
    }
}

fn change_keys(map: &mut Map<String, Value>, donor: Value, draw: &mut Draw) {
    let name = WORDS[draw.below(WORDS.len())].to_owned();
    match (&donor, map.keys().nth(draw.below(map.len().max(1))).cloned()) {
        (Value::Object(other), _) if draw.below(2) == 0 => map.extend(other.clone()),
        (_, Some(key)) if draw.below(2) == 0 => {
            let value = map.shift_remove(&key).unwrap_or_default();
            map.insert(name, value);
        }
        (_, _) => drop(map.insert(name, donor)),
    }
}

fn other(donor: Value, draw: &mut Draw) -> Value {
    match draw.below(12) {
        0 => Value::Null,
        1 => json!(draw.below(2) == 0),
        2 => json!([0, 1, -1, 2, 64, 1_000_000][draw.below(6)]),
        3 => json!([0.5, -0.0, 1e300, 1e-7][draw.below(4)]),
        4 => json!([u64::MAX, 1 << 53, 1 << 32][draw.below(3)]),
        5 => json!([]),
        6 => json!({}),
        7 | 8 => json!(WORDS[draw.below(WORDS.len())]),
        9 => json!([donor]),
        _ => donor,
    }
}

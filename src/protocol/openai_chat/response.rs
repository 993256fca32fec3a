//! A whole Chat answer -> neutral words, and back.

use std::borrow::Cow;

use crate::base::id::stable_hash;
use crate::base::pen::{self, Pen, Put};
use crate::base::tree::Tree;
use crate::ir::carrier::State;
use crate::ir::loss::Losses;
use crate::ir::request::{Block, Reasoning, ToolCall};
use crate::ir::response::{Lost, Response, StopReason, Usage};
use crate::ir::tool::{Tool, ToolForm};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::openai_chat::said;
use crate::protocol::openai_chat::tap;
use crate::protocol::path::Path;
use crate::protocol::unwrap::{INPUT, unwrapped};
use crate::protocol::wire::{AnswerContext, WireError};

/// Reads an answer; of several choices the first counts. Copilot tells one answer in several, without
/// numbers.
pub(super) fn decode(text: &str, seed: &str) -> Result<Response, WireError> {
    let mut fields = Fields::parse(text)?;
    fields.no_error()?;
    let choices = fields.list("choices")?.ok_or_else(|| fields.wrong("choices", "a list"))?;
    let mut response = Response { id: fields.id("id")?, model: fields.text("model")?, ..Response::default() };
    if fields.drops_list("citations") {
        response.lost.add("citations");
    }
    let mut counted = fields.take("usage");
    let (mut numbered, mut reason) = (false, None);
    for (place, choice) in Objects::of(choices, fields.at("choices")).enumerate() {
        let mut choice = choice?;
        numbered |= choice.count("index")?.is_some();
        if numbered && place > 0 {
            break;
        }
        match choice.take("error") {
            None | Some(Tree::Bool(false)) => {}
            Some(Tree::Text(text)) if text.is_empty() => {}
            Some(Tree::Object(members)) if members.is_empty() => {}
            Some(_) => return Err(choice.wrong("error", "nothing: it is no answer")),
        }
        if let Some(mut message) = choice.object("message")? {
            response.blocks.append(&mut message_blocks(&mut message, &mut response.lost)?);
        }
        // Moonshot counts in the choice.
        counted = counted.or_else(|| choice.take("usage"));
        reason = choice.word("finish_reason")?.or(reason);
        if reason.as_deref().is_some_and(|reason| tap::failure(reason).is_some()) {
            return Err(choice.wrong("finish_reason", "that of a good answer"));
        }
    }
    response.usage = counted.and_then(|usage| tap::usage(&usage)).unwrap_or_default();
    name_calls(&mut response, seed);
    let has_call = response.blocks.iter().any(|block| matches!(block, Block::Call(_)));
    response.stop = stop(reason.as_deref().unwrap_or("stop")).settled(has_call);
    Ok(response)
}

/// A provider's word for why an answer ended.
pub(super) fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" | "end_turn" | "eos" => StopReason::End,
        "length" | "max_tokens" | "model_length" => StopReason::Limit,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "model_context_window_exceeded" => StopReason::ContextFull,
        "content_filter" | "sensitive" | "refusal" => StopReason::Refuse,
        other => StopReason::Other(other.to_owned()),
    }
}

/// An id for a call that came without one.
pub(super) fn call_id(seed: &str, index: usize) -> String {
    format!("call_{:016x}{index}", stable_hash(seed.as_bytes()))
}

fn name_calls(response: &mut Response, seed: &str) {
    for (index, block) in response.blocks.iter_mut().enumerate() {
        if let Block::Call(call) = block
            && call.id.is_empty()
        {
            call.id = call_id(seed, index);
        }
    }
}

fn message_blocks(message: &mut Fields<'_>, lost: &mut Lost) -> Result<Vec<Block>, WireError> {
    said::UNCARRIED.into_iter().filter(|name| message.drops_list(name)).for_each(|name| lost.add(name));
    let mut losses = Losses::default();
    // Most answers are one text.
    let mut blocks = Vec::with_capacity(1);
    blocks.extend(said::reasoning(message)?.map(Block::Reasoning));
    match message.take("content") {
        Some(Tree::Text(text)) if !text.is_empty() => blocks.push(Block::Text(text.into_owned())),
        Some(Tree::List(list)) => blocks.append(&mut parts(list, &message.at("content"), lost)?),
        // Cloudflare, where JSON was asked for.
        Some(value @ Tree::Object(_)) => blocks.push(Block::Text(pen::written(&value))),
        _ => {}
    }
    blocks.extend(message.text("refusal")?.filter(|text| !text.is_empty()).map(Block::Refusal));
    // What is said in sound is said in words beside it.
    let transcript = message.object_if_any("audio").and_then(|mut audio| audio.text("transcript").ok()?);
    blocks.extend(transcript.filter(|text| !text.is_empty()).map(Block::Text));
    // OpenRouter's models that draw.
    for image in message.list_if_any("images") {
        match Fields::of(image, message.at("images"))
            .and_then(|mut image| said::image(&mut image, &mut losses))
        {
            Ok(image) => blocks.push(Block::Media(image)),
            Err(_) => lost.add("images"),
        }
    }
    for call in message.objects("tool_calls")? {
        blocks.push(Block::Call(said::call(call?, &mut losses)?));
    }
    // Some servers tell the same call in both forms.
    let told = blocks.iter().any(|block| matches!(block, Block::Call(_)));
    blocks.extend(said::function_call(message).filter(|_| !told).map(Block::Call));
    Ok(blocks)
}

/// The parts of a content.
pub(super) fn parts(list: Vec<Tree<'_>>, path: &Path, lost: &mut Lost) -> Result<Vec<Block>, WireError> {
    let mut blocks = Vec::with_capacity(list.len());
    for part in list {
        match (blocks.last_mut(), answer_part(Fields::of(part, path.clone())?, lost)?) {
            // Mistral cuts its words where it quotes.
            (Some(Block::Text(words)), Some(Block::Text(more))) => words.push_str(&more),
            (_, block) => blocks.extend(block),
        }
    }
    Ok(blocks)
}

fn answer_part(mut part: Fields<'_>, lost: &mut Lost) -> Result<Option<Block>, WireError> {
    let kind = part.word("type")?;
    Ok(match kind.as_deref() {
        Some("thinking") => {
            Some(Block::Reasoning(Reasoning { text: said::thinking(&mut part), state: None }))
        }
        // Databricks
        Some("reasoning") => {
            let text = said::words(&part.list("summary")?.unwrap_or_default());
            Some(Block::Reasoning(Reasoning { text, state: None }))
        }
        Some("refusal") => part.text("refusal")?.map(Block::Refusal),
        kind => {
            if let Some(kind) = kind.filter(|_| !part.has("text")) {
                lost.add(kind);
            }
            part.text("text")?.filter(|text| !text.is_empty()).map(Block::Text)
        }
    })
}

/// Writes an answer.
pub(super) fn encode(response: &Response, answer: &AnswerContext) -> (String, Losses) {
    let mut losses = Losses::default();
    let said = texts(&response.blocks, Block::as_text);
    let refusals = texts(&response.blocks, Block::as_refusal);
    let reasoning = response.blocks.iter().filter(|_| answer.show_reasoning).filter_map(Block::as_reasoning);
    let reasoning: String = reasoning.map(|reasoning| reasoning.text.as_str()).collect();
    let calls = response.blocks.iter().filter_map(Block::as_call);
    let calls: Vec<CallMember<'_>> = calls.map(|call| CallMember { call, answer }).collect();
    if response.blocks.iter().any(|block| matches!(block, Block::Media(_))) {
        losses.degrade("answer", "an image in the answer has no place in Chat");
    }
    let body = pen::long_object(response.length(), |pen| {
        pen.put("id", &answer_id(response.id.as_deref(), answer));
        pen.put("object", "chat.completion");
        pen.put("created", &answer.created);
        pen.put("model", &answer.model);
        pen.raw(br#","choices":[{"index":0,"message":"#);
        pen.object(|pen| {
            pen.put("role", "assistant");
            pen.put("content", &said);
            pen.put("refusal", &refusals);
            pen.put_some("reasoning_content", Some(&reasoning).filter(|text| !text.is_empty()));
            pen.put_all("tool_calls", &calls);
        });
        pen.put("logprobs", &());
        pen.put("finish_reason", finish_reason(&response.stop));
        pen.raw(b"}]");
        pen.put("usage", &Counts { usage: &response.usage, answer });
    });
    (body, losses)
}

/// `chatcmpl-` and the provider's id, or the request's.
pub(super) fn answer_id(id: Option<&str>, answer: &AnswerContext) -> String {
    match id {
        Some(id) if id.starts_with("chatcmpl-") => id.to_owned(),
        Some(id) if !id.is_empty() => format!("chatcmpl-{id}"),
        _ => format!("chatcmpl-{}", answer.request_id.trim_start_matches("req_")),
    }
}

/// The word of SPEC 8.10 for why an answer ended.
pub(super) fn finish_reason(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::StopSequence(_) | StopReason::Pause | StopReason::Other(_) => "stop",
        StopReason::ToolCalls => "tool_calls",
        StopReason::Limit | StopReason::ContextFull => "length",
        StopReason::Refuse => "content_filter",
    }
}

/// Token counts; where a number is demanded and none is known, the estimate or 0.
pub(super) struct Counts<'a> {
    pub(super) usage: &'a Usage,
    pub(super) answer: &'a AnswerContext,
}

impl Put for Counts<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let usage = self.usage;
        let input = usage.input.unwrap_or(self.answer.estimated_input);
        let output = usage.output.unwrap_or(0);
        pen.object(|pen| {
            pen.put("prompt_tokens", &input);
            pen.put("completion_tokens", &output);
            pen.put("total_tokens", &input.saturating_add(output));
            if usage.cached.is_some() || usage.cache_write.is_some() {
                pen.object_at("prompt_tokens_details", |pen| {
                    pen.put_some("cached_tokens", usage.cached);
                    pen.put_some("cache_write_tokens", usage.cache_write);
                });
            }
            if let Some(count) = usage.reasoning {
                pen.object_at("completion_tokens_details", |pen| pen.put("reasoning_tokens", &count));
            }
        });
    }
}

fn texts<'a>(blocks: &'a [Block], pick: impl Fn(&'a Block) -> Option<&'a str>) -> Option<Cow<'a, str>> {
    let mut found = blocks.iter().filter_map(pick);
    let first = Cow::Borrowed(found.next()?);
    Some(found.fold(first, |all, more| all + more))
}

/// A call of an answer.
struct CallMember<'a> {
    call: &'a ToolCall,
    answer: &'a AnswerContext,
}

impl Put for CallMember<'_> {
    fn write(&self, pen: &mut Pen<'_>) {
        let call = self.call;
        let offered = is_free_form(&call.name, self.answer);
        let (kind, field) = if offered { ("custom", "input") } else { ("function", "arguments") };
        let text = match call.arguments.as_str() {
            given if offered && !call.free_form => Cow::Owned(unwrapped(given, INPUT)),
            given if call.free_form && !offered => Cow::Owned(pen::object(|pen| pen.put(INPUT, given))),
            "" if !call.free_form => Cow::Borrowed("{}"),
            given => Cow::Borrowed(given),
        };
        pen.object(|pen| {
            pen.put("id", &call.id);
            pen.put("type", kind);
            pen.object_at(kind, |pen| {
                pen.put("name", &call.name);
                pen.put(field, &text);
            });
            put_extra_content(call.state.as_ref(), pen);
        });
    }
}

/// Did the client offer a free-form tool of that name? A function may stand for it; and where none
/// was offered, a function with the input as its one argument stands for a free-form call.
pub(super) fn is_free_form(name: &str, answer: &AnswerContext) -> bool {
    let of_name = |tool: &&Tool| tool.name == name && matches!(tool.form, ToolForm::FreeForm { .. });
    answer.tools.iter().any(|tool| of_name(&tool))
}

/// Gemini's thought signature where Google's own Chat endpoint puts it.
pub(super) fn put_extra_content(state: Option<&State>, pen: &mut Pen<'_>) {
    let state = state.filter(|state| state.origin == "gemini");
    let signature = state.and_then(|state| state.blocks.first()?.get("thoughtSignature"));
    if let Some(signature) = signature {
        pen.object_at("extra_content", |pen| {
            pen.object_at("google", |pen| pen.put("thought_signature", signature));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_dialects_are_known() {
        assert_eq!(["stop", "eos", "end_turn"].map(stop), [const { StopReason::End }; 3]);
        assert_eq!(["length", "max_tokens", "model_length"].map(stop), [const { StopReason::Limit }; 3]);
        assert_eq!(["content_filter", "sensitive", "refusal"].map(stop), [const { StopReason::Refuse }; 3]);
        assert_eq!(stop("model_context_window_exceeded"), StopReason::ContextFull);
        assert_eq!(stop("odd"), StopReason::Other("odd".into()));
    }

    /// Copilot tells one answer in several choices, and says why it ended in one of them.
    #[test]
    fn an_answer_in_several_choices_is_one() {
        let call = r#"{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}"#;
        let text = format!(
            r#"{{"choices":[{{"finish_reason":"length","message":{{"content":"x"}}}},{{"message":{{"tool_calls":[{call}]}}}}]}}"#
        );
        let answer = decode(&text, "seed").unwrap();
        assert_eq!((answer.blocks.len(), answer.stop), (2, StopReason::Limit));
        let two =
            r#"{"choices":[{"index":0,"message":{"content":"x"}},{"index":1,"message":{"content":"y"}}]}"#;
        assert_eq!(decode(two, "seed").unwrap().blocks, [Block::Text("x".into())]);
    }

    #[test]
    fn a_failure_inside_a_choice_is_no_answer() {
        let read = |member: &str| {
            let text = format!(r#"{{"choices":[{{"index":0,{member},"message":{{"content":"x"}}}}]}}"#);
            decode(&text, "seed")
        };
        for nothing in [r#""error":null"#, r#""error":false"#, r#""error":"""#, r#""error":{}"#] {
            assert!(read(nothing).is_ok(), "{nothing}");
        }
        for failure in [r#""error":{"message":"m"}"#, r#""error":"m""#, r#""finish_reason":"error""#] {
            assert!(read(failure).is_err(), "{failure}");
        }
    }

    #[test]
    fn content_in_parts_has_no_empty_ones() {
        let parts = r#"[{"type":"text","text":""},{"type":"refusal","refusal":"no"},{"type":"audio"}]"#;
        let answer = decode(&format!(r#"{{"choices":[{{"message":{{"content":{parts}}}}}]}}"#), "seed");
        let answer = answer.unwrap();
        assert_eq!(answer.blocks, [Block::Refusal("no".into())]);
        assert_eq!(answer.lost.into_names().into_iter().collect::<Vec<_>>(), ["audio"]);
    }

    #[test]
    fn a_call_has_its_state_and_its_form() {
        let signed = r#"{"id":"1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2ln"}}}"#;
        let custom = r#"{"id":"2","type":"custom","custom":{"name":"g","input":"x"}}"#;
        let text = format!(r#"{{"choices":[{{"message":{{"tool_calls":[{signed},{custom}]}}}}]}}"#);
        let answer = decode(&text, "seed").unwrap();
        let told = answer.blocks.iter().filter_map(Block::as_call);
        let told: Vec<_> =
            told.map(|call| (call.arguments.as_str(), call.state.is_some(), call.free_form)).collect();
        assert_eq!(told, [("{}", true, false), ("x", false, true)]);
    }
}

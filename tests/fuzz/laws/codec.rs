//! A codec: whatever comes in its protocol, what goes out in the four is right; streams obey the
//! grammar and say the same however they came.

use llmgate::base::json::Members;
use llmgate::base::sse::FrameReader;
use llmgate::ir::collect::{self, Collector};
use llmgate::ir::estimate;
use llmgate::ir::grammar::Grammar;
use llmgate::ir::names::NameMap;
use llmgate::ir::needs::Needs;
use llmgate::ir::request::Block;
use llmgate::ir::response::Response;
use llmgate::ir::schema::Schema;
use llmgate::ir::stream::StreamEvent;
use llmgate::ir::tool::{CallKind, Tool, ToolForm, ToolIdentity};
use llmgate::protocol::dialect::{Dialect, LimitField, ReasoningField, ReasoningStyle, Refuses};
use llmgate::protocol::fault::{Fault, FaultKind};
use llmgate::protocol::tap::{Facts, Kind};
use llmgate::protocol::wire::{AnswerContext, TargetContext};
use llmgate::protocol::{Protocol, Stage, error};
use llmgate::translate::cross::{self, Crossing};
use llmgate::translate::framing::Framing;
use llmgate::translate::gather::Gather;
use llmgate::translate::pipe::{PipeError, StreamEnd, StreamPipe};
use llmgate::translate::verbatim::{self, Options};
use llmgate::translate::{Source, Wants, outgoing};
use serde::de::IgnoredAny;

use super::parts::parts;

const ID: &str = "req_0123456789abcdef01234567";
/// The longest event.
const FRAME: usize = 1 << 20;

/// JSON that is nested deeper may grow over the parser's limit of 128 on its way.
const DEEP: usize = 100;

/// The first byte says what the rest is: `q` a request, `a` a whole answer, else a stream; the second
/// how it comes, and how its target and its client are.
pub fn check(from: Protocol, bytes: &[u8]) {
    let [kind, seed, bytes @ ..] = bytes else { return };
    match kind {
        b'q' => request(from, &String::from_utf8_lossy(bytes), *seed),
        b'a' => answer(from, &String::from_utf8_lossy(bytes), *seed),
        _ => stream(from, bytes, *seed),
    }
}

fn request(from: Protocol, text: &str, seed: u8) {
    native(from, text);
    let Ok((mut request, _)) = from.codec().wire().decode_request(text) else { return };
    request.stream = seed & 64 != 0;
    estimate::size(&request).tokens(from.codec().characters_per_token());
    let _ = Needs::of(&request).names().count();
    for to in Protocol::ALL {
        let dialect = dialect(seed);
        let session = (seed & 32 != 0).then_some("s-0123456789abcdef");
        let target = TargetContext { model: "m-1", dialect: &dialect, session };
        let (body, losses, names) = cross::outgoing(&request, to.codec().wire(), &target);
        let again = cross::outgoing(&request, to.codec().wire(), &target);
        assert_eq!((&body, &losses, &names), (&again.0, &again.1, &again.2), "the same each time");
        object(&body);
        if depth(text) < DEEP {
            let met = to.codec().wire().decode_request(&body);
            assert!(met.is_ok(), "{}: {:?}\n{body}", to.name(), met.err());
        }
    }
}

/// What is spliced stays JSON, and names the target's model.
fn native(from: Protocol, text: &str) {
    let codec = from.codec();
    let Ok(members) = Members::read(text) else { return };
    object(text);
    let Ok(ask) = codec.tap_request(text, &members) else { return };
    let source = Source { codec, text, members: &members, ask: &ask };
    let wants = Wants {
        model: "m-1",
        max_output: Some(64),
        edits: Vec::new(),
        strip_attribution: true,
        strip_call_ids: false,
    };
    let body = outgoing(&source, &wants).text;
    object(&body);
    let members = Members::read(&body).expect("it is an object");
    if let Some(field) = codec.model_field() {
        assert_eq!(members.string(&body, field).as_deref(), Some("m-1"), "{body}");
    }
}

fn answer(from: Protocol, text: &str, seed: u8) {
    let seen = from.codec().tap_whole(text, &mut Facts::default());
    if let Some(renamed) = verbatim::whole(text, &seen, Some("other \"name\"")) {
        assert_eq!(is_json(text), is_json(&renamed), "{renamed}");
    }
    faults(text);
    let Ok(response) = from.codec().wire().decode_response(text, ID) else { return };
    lawful(&collect::events(response.clone()));
    for to in Protocol::ALL {
        let crossing = crossing(from, to, &response.blocks, seed);
        let whole = crossing.whole(text).expect("it was read before");
        object(&whole.body);
        let read = to.codec().wire().decode_response(&whole.body, ID);
        let deep = depth(text) >= DEEP;
        match read {
            Ok(read) => {
                assert_eq!(words(&read), words_in(to, &response), "{}\n{}", to.name(), whole.body);
            }
            Err(error) => assert!(deep, "{}: {error}\n{}", to.name(), whole.body),
        }
        let frames = crossing.streamed(text, Framing::Events).expect("it was read before").frames;
        told(to, &frames, (!deep).then_some((&words(&response), false)));
    }
}

/// An error is told in each protocol.
fn faults(text: &str) {
    let told = error::read(text);
    for to in Protocol::ALL {
        let fault = Fault::new(FaultKind::Transient, told.message.clone()).with_status(500);
        object(&to.codec().error_body(&fault, ID));
        for running in [false, true] {
            let facts = Facts::default();
            let stage = Stage { running, model: "m", request_id: ID, created: 1, facts: &facts };
            frames(to.codec().error_frames(&fault, &stage).as_bytes());
        }
    }
}

fn stream(from: Protocol, bytes: &[u8], seed: u8) {
    let events = events(from, bytes);
    lawful(&events);
    let mut collector = Collector::default();
    events.iter().cloned().for_each(|event| collector.push(event));
    let told_words = collector.finish();
    let is_mixed = is_mixed(&events);
    let blocks = told_words.as_ref().map(|response| response.blocks.as_slice()).unwrap_or_default();
    for to in Protocol::ALL {
        let crossing = crossing(from, to, blocks, seed);
        let pipe = || StreamPipe::translated(&crossing, FRAME, Framing::Events);
        let met = both(pipe, bytes, seed);
        if met.1 == Ok(StreamEnd::Finished) {
            let mut words = told_words.as_ref().map(words).expect("an end that nobody told");
            if is_mixed {
                words = sorted(&words);
            }
            let deep = depth(&String::from_utf8_lossy(bytes)) >= DEEP;
            told(to, &met.0, (!deep).then_some((&words, is_mixed)));
        }
        gathered(&crossing, bytes, seed);
    }
    let options = Options {
        rename: (seed & 16 != 0).then(|| "asked".to_owned()),
        hide_usage: seed & 32 != 0,
        framing: Framing::Events,
        limit: FRAME,
    };
    let _ = both(|| StreamPipe::verbatim(from.codec(), options.clone()), bytes, seed);
    if from == Protocol::Gemini {
        let array = Options { framing: Framing::Array, ..options };
        let (out, end) = both(|| StreamPipe::verbatim(from.codec(), array.clone()), bytes, seed);
        assert!(end != Ok(StreamEnd::Finished) || is_json(&String::from_utf8_lossy(&out)));
    }
}

type Piped = (Vec<u8>, Result<StreamEnd, PipeError>);

/// What becomes of a stream, in one piece and in parts.
fn both(pipe: impl Fn() -> StreamPipe, bytes: &[u8], seed: u8) -> Piped {
    let whole = run(pipe(), &[bytes]);
    let parted = run(pipe(), &parts(bytes, seed));
    assert_eq!(whole.1, parted.1, "however it comes");
    assert!(whole.0 == parted.0, "however it comes:\n{}\n{}", lossy(&whole.0), lossy(&parted.0));
    whole
}

/// As the relay moves it: signs of life before the first event are not passed on.
fn run(mut pipe: StreamPipe, parts: &[&[u8]]) -> Piped {
    let (mut out, mut begun) = (Vec::new(), false);
    for part in parts {
        pipe.push(part);
        loop {
            pipe.settle(&mut out);
            let mark = out.len();
            match pipe.pull(&mut out) {
                Err(error) => return (out, Err(error)),
                Ok(None) => break,
                Ok(Some(Kind::Beat)) if !begun => out.truncate(mark),
                Ok(Some(_)) => begun = true,
            }
            if pipe.facts().error.is_some() {
                // Nobody waits for the line feed that may follow.
                out.truncate(out.trim_ascii_end().len());
                return (out, Ok(StreamEnd::Failed));
            }
        }
    }
    let end = pipe.finish(&mut out);
    if end == StreamEnd::Finished {
        pipe.close(&mut out);
    }
    (out, Ok(end))
}

/// A stream for a client that wanted a whole answer.
fn gathered(crossing: &Crossing, bytes: &[u8], seed: u8) {
    let gather = |parts: &[&[u8]]| {
        let mut gather = Gather::new(crossing, FRAME);
        for part in parts {
            if gather.push(part).is_err() || gather.facts().error.is_some() {
                return None;
            }
        }
        gather.finish().0.map(|whole| whole.body)
    };
    let whole = gather(&[bytes]);
    assert_eq!(whole, gather(&parts(bytes, seed)), "however it comes");
    if let Some(body) = whole {
        object(&body);
    }
}

/// What a client was sent is a stream of its protocol that comes to its end and says these words, or
/// these characters in any order.
fn told(to: Protocol, out: &[u8], words: Option<(&str, bool)>) {
    frames(out);
    let events = events(to, out);
    lawful(&events);
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    let read = collector.finish();
    if let Some((words, any_order)) = words {
        let read = read.unwrap_or_else(|| panic!("{} has no end:\n{}", to.name(), lossy(out)));
        let read = self::words(&read);
        let read = if any_order { sorted(&read) } else { read };
        assert_eq!(read, words, "{}\n{}", to.name(), lossy(out));
    }
}

/// Does a block begin while another is open? Some clients know one at a time, some mix their words.
fn is_mixed(events: &[StreamEvent]) -> bool {
    let mut open = 0_i32;
    events.iter().any(|event| {
        open += match event {
            StreamEvent::BlockStart { .. } => 1,
            StreamEvent::BlockEnd { .. } => -1,
            StreamEvent::Start { .. }
            | StreamEvent::BlockDelta { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::Finish { .. }
            | StreamEvent::Lost { .. } => 0,
        };
        open > 1
    })
}

fn sorted(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    characters.sort_unstable();
    characters.into_iter().collect()
}

fn events(protocol: Protocol, bytes: &[u8]) -> Vec<StreamEvent> {
    let mut reader = FrameReader::new(FRAME);
    reader.push(bytes);
    let mut decoder = protocol.codec().wire().stream_decoder(ID);
    let (mut events, mut facts) = (Vec::new(), Facts::default());
    while let Ok(Some(frame)) = reader.next_frame() {
        let Some(text) = frame.text() else { continue };
        match protocol.codec().tap_frame(frame.event_name(), &text, &mut facts).kind {
            Kind::Broken | Kind::Failure => return events,
            Kind::Beat => {}
            Kind::Opening | Kind::Content | Kind::End | Kind::Usage | Kind::Last | Kind::Unknown => {
                if decoder.frame(frame.event_name(), &text, &mut events).is_err() {
                    return events;
                }
            }
        }
    }
    if let Some(frame) = reader.rest()
        && let Some(text) = frame.text()
    {
        let kind = protocol.codec().tap_frame(frame.event_name(), &text, &mut facts).kind;
        if !matches!(kind, Kind::Broken | Kind::Failure | Kind::Beat) {
            let _ = decoder.frame(frame.event_name(), &text, &mut events);
        }
    }
    decoder.finish(&mut events);
    events
}

fn lawful(events: &[StreamEvent]) {
    let mut grammar = Grammar::default();
    for event in events {
        let met = grammar.check(event);
        assert!(met.is_ok(), "{met:?} by {event:?} in {events:?}");
    }
}

/// Every frame holds JSON or is the end of a Chat stream.
fn frames(out: &[u8]) {
    let mut reader = FrameReader::new(usize::MAX);
    reader.push(out);
    while let Ok(Some(frame)) = reader.next_frame() {
        if let Some(text) = frame.text() {
            assert!(text == "[DONE]" || is_json(&text), "{text}");
        }
    }
    assert_eq!(reader.rest(), None, "a frame without its end");
}

/// The words of an answer that its reader sees.
fn words(response: &Response) -> String {
    let words = response.blocks.iter().map(|block| match block {
        Block::Text(text) | Block::Refusal(text) => text.as_str(),
        Block::Media(_) | Block::Call(_) | Block::Result(_) | Block::Reasoning(_) => "",
    });
    words.collect()
}

/// The words of a whole answer in a protocol: Chat has a field for text and one for refusals.
fn words_in(to: Protocol, response: &Response) -> String {
    let mut response = response.clone();
    if to == Protocol::OpenaiChat {
        response.blocks.sort_by_key(|block| matches!(block, Block::Refusal(_)));
    }
    words(&response)
}

fn object(text: &str) {
    assert!(is_json(text) && text.trim_start().starts_with('{'), "{text}");
}

fn is_json(text: &str) -> bool {
    // It takes any depth.
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => now += 1,
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn dialect(seed: u8) -> Dialect {
    let is = |bit: u8| seed & bit != 0;
    Dialect {
        provider: "up".to_owned(),
        limit_field: if is(1) { LimitField::MaxTokens } else { LimitField::MaxCompletionTokens },
        reasoning_field: match seed % 3 {
            0 => ReasoningField::ReasoningContent,
            1 => ReasoningField::Reasoning,
            _ => ReasoningField::None,
        },
        reasoning: match seed % 5 {
            0 => ReasoningStyle::None,
            1 | 2 => ReasoningStyle::Effort,
            _ => ReasoningStyle::Budget,
        },
        max_output: is(2).then_some(4096),
        is_openai: is(4),
        is_mistral: is(8),
        refuses: Refuses { images: is(16), image_urls: is(32), pdf: is(64) },
        cache_marks: is(128),
        search: is(4),
    }
}

/// The way back. The client has declared the tools that are called, by more than their names.
fn crossing(from: Protocol, to: Protocol, blocks: &[Block], seed: u8) -> Crossing {
    let kinds = [
        CallKind::Function,
        CallKind::Custom,
        CallKind::ToolSearch,
        CallKind::LocalShell,
        CallKind::Shell,
        CallKind::ApplyPatch,
    ];
    let mut tools: Vec<Tool> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let Block::Call(call) = block else { continue };
        let kind = kinds[(index + usize::from(seed)) % kinds.len()];
        if seed & 128 == 0 || tools.iter().any(|tool| tool.name == call.name) {
            continue;
        }
        let form = match kind {
            CallKind::Custom | CallKind::ApplyPatch => ToolForm::FreeForm { grammar: None },
            CallKind::Function | CallKind::ToolSearch | CallKind::LocalShell | CallKind::Shell => {
                ToolForm::Function { schema: Schema::any(), strict: None }
            }
        };
        let namespace = (seed & 64 != 0).then(|| "space".to_owned());
        let identity = Some(ToolIdentity { namespace, name: call.name.clone(), kind });
        tools.push(Tool { name: call.name.clone(), description: None, form, identity });
    }
    let wire = from.codec().wire();
    Crossing {
        target: from.codec(),
        target_wire: wire,
        client_wire: to.codec().wire(),
        names: NameMap::new(tools.iter().map(|tool| tool.name.as_str()), &wire.name_rule()),
        answer: AnswerContext {
            request_id: ID.to_owned(),
            model: "asked".to_owned(),
            created: 1_700_000_000,
            estimated_input: 100,
            wants_usage: seed & 1 != 0,
            show_reasoning: seed & 2 != 0,
            tools,
            compaction: None,
        },
        provider: "up".to_owned(),
        model: "m-1".to_owned(),
    }
}

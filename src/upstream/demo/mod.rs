//! The built-in upstream of `--demo` (SPEC 4.5): a request in a client's protocol in, an answer in
//! it out, without a socket or a key.
//!
//! [`play`] decides what is told ([`script`]) and writes it with the codec's own encoders, so that
//! an answer takes the same way as one of a real provider. A stream is real: one event each 30 ms,
//! waited for in slices as the transport does.

mod script;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::id::RequestId;
use crate::ir::collect::Collector;
use crate::ir::request::Request;
use crate::ir::stream::StreamEvent;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::wire::AnswerContext;
use crate::protocol::{Codec, Task};
use crate::upstream::Speech;
use crate::upstream::watch;
use script::{Script, Telling};

/// Between two events of a stream.
const PACE: Duration = Duration::from_millis(30);
/// The model that is always overloaded.
const OVERLOADED: &str = "overloaded";
/// The demo's model that answers.
pub const STEADY: &str = "steady";

/// An answer of the demo: its head, and its body as it will come.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Body,
}

/// The parts of a body, each with the pause before it.
pub(super) struct Body {
    parts: VecDeque<(Duration, Vec<u8>)>,
    /// When the next part is due, once somebody waits for it.
    due: Option<Instant>,
}

/// Answers a request.
pub(super) fn play(speech: &Speech<'_>, body: &[u8]) -> Answer {
    match answer(speech, body) {
        Ok(answer) => answer,
        Err(fault) => {
            let told = speech.codec.error_body(&fault, RequestId::random().as_str());
            Answer::json(fault.status, Duration::ZERO, told)
        }
    }
}

fn answer(speech: &Speech<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = String::from_utf8_lossy(body);
    let wire = speech.codec.wire();
    if speech.task == Task::Complete {
        return Err(Fault::new(FaultKind::BadRequest, "the demo's models chat; they complete no text"));
    }
    let read = wire.decode_task(speech.task, &text);
    let (request, _) =
        read.map_err(|error| Fault::new(FaultKind::BadRequest, format!("In the body, {error}.")))?;
    match speech.model {
        OVERLOADED => {
            let message = "the demo's overloaded model is always overloaded";
            return Err(Fault::new(FaultKind::Overloaded, message).with_status(529));
        }
        STEADY => {}
        other => {
            let message = format!("the demo has the models {STEADY} and {OVERLOADED}, not {other:?}");
            return Err(Fault::new(FaultKind::ModelNotFound, message));
        }
    }
    match script::of(&request, speech.codec.name(), body.len()) {
        Script::Refuse(status) => Err(refusal(status)),
        Script::Tell(telling) => Ok(tell(speech, request, telling)),
    }
}

fn refusal(status: u16) -> Fault {
    let kind = match status {
        401 => FaultKind::ClientKey,
        402 => FaultKind::Quota,
        403 => FaultKind::Forbidden,
        404 => FaultKind::ModelNotFound,
        408 => FaultKind::Stalled,
        413 => FaultKind::TooLarge,
        429 => FaultKind::RateLimit,
        503 | 529 => FaultKind::Overloaded,
        400..=499 => FaultKind::BadRequest,
        _ => FaultKind::Transient,
    };
    Fault::new(kind, format!("the demo was asked for an error {status}")).with_status(status)
}

fn tell(speech: &Speech<'_>, request: Request, telling: Telling) -> Answer {
    let context = AnswerContext {
        request_id: RequestId::random().as_str().to_owned(),
        model: speech.model.to_owned(),
        created: clock::unix_seconds(clock::wall()),
        estimated_input: telling.input_tokens,
        // The native lane hides what its client did not ask for.
        wants_usage: true,
        show_reasoning: request.show_reasoning != Some(false),
        tools: request.tools,
        compaction: request.compaction,
    };
    if speech.stream {
        stream(speech.codec, &context, &telling)
    } else {
        whole(speech.codec, &context, telling)
    }
}

fn stream(codec: &dyn Codec, context: &AnswerContext, telling: &Telling) -> Answer {
    let mut encoder = codec.wire().stream_encoder(context);
    let mut parts = VecDeque::new();
    for event in &telling.events {
        let mut out = Vec::new();
        encoder.event(event, &mut out);
        if matches!(event, StreamEvent::Finish { .. }) {
            encoder.finish(&mut out);
        }
        // An event for which this protocol has no frame takes no time.
        if !out.is_empty() {
            parts.push_back((if parts.is_empty() { telling.silence } else { PACE }, out));
        }
    }
    Answer { status: 200, content_type: "text/event-stream", body: Body { parts, due: None } }
}

fn whole(codec: &dyn Codec, context: &AnswerContext, telling: Telling) -> Answer {
    let mut collector = Collector::default();
    telling.events.into_iter().for_each(|event| collector.push(event));
    match collector.finish() {
        Some(response) => {
            let (body, _) = codec.wire().encode_response(&response, context);
            Answer::json(200, telling.silence, body)
        }
        // `demo:cut`: there is no whole answer to send.
        None => Answer::json(200, telling.silence, String::new()),
    }
}

impl Answer {
    fn json(status: u16, silence: Duration, body: String) -> Self {
        let parts = VecDeque::from([(silence, body.into_bytes())]);
        Self { status, content_type: "application/json", body: Body { parts, due: None } }
    }
}

impl Body {
    /// Reads what is due, at least one byte; 0 at the end.
    ///
    /// # Errors
    /// The hook said stop, or the silence was too long.
    pub(super) fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let Some((pause, _)) = self.parts.front() else { return Ok(0) };
        let due = *self.due.get_or_insert_with(|| clock::now() + *pause);
        wait_until(due)?;
        let Some((pause, part)) = self.parts.front_mut() else { return Ok(0) };
        let count = part.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(part.drain(..count)) {
            *place = byte;
        }
        *pause = Duration::ZERO;
        if part.is_empty() {
            self.parts.pop_front();
            self.due = None;
        }
        watch::heard();
        Ok(count)
    }
}

/// Waits in slices, and asks the hook after each.
fn wait_until(due: Instant) -> std::io::Result<()> {
    let mut slice = watch::first_slice();
    loop {
        let left = due.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        clock::rest(left.min(slice));
        slice = watch::next_slice()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::protocol::tap::Facts;

    /// The body of a user's words, in a protocol.
    fn asks(protocol: Protocol, words: &str) -> String {
        let words = crate::base::json::quoted(words);
        match protocol {
            Protocol::OpenaiChat => {
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":{words}}}]}}"#)
            }
            Protocol::OpenaiResponses => format!(r#"{{"model":"m","input":{words}}}"#),
            Protocol::Anthropic => {
                format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":{words}}}]}}"#)
            }
            Protocol::Gemini => format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":{words}}}]}}]}}"#),
        }
    }

    fn plays(protocol: Protocol, stream: bool, words: &str) -> (Answer, String) {
        let speech = Speech { codec: protocol.codec(), model: STEADY, stream, task: Task::Answer };
        let mut answer = play(&speech, asks(protocol, words).as_bytes());
        let told: Vec<u8> = answer.body.parts.drain(..).flat_map(|(_, part)| part).collect();
        (answer, String::from_utf8(told).unwrap())
    }

    #[test]
    fn every_protocol_is_answered_in_its_own_words() {
        for protocol in Protocol::ALL {
            let (answer, told) = plays(protocol, false, "hello");
            let mut facts = Facts::default();
            protocol.codec().tap_whole(&told, &mut facts);
            assert_eq!((answer.status, facts.finished), (200, true), "{told}");
            assert!(told.contains("This is llmgate's built-in demo model, not a real LLM."), "{told}");
            assert!(facts.usage.input.is_some() && facts.usage.output.is_some(), "{told}");
            let (_, told) = plays(protocol, true, "hello");
            assert!(told.contains("This is llmgate") && told.contains("data: "), "{told}");
        }
    }

    #[test]
    fn a_slow_stream_is_slow_in_every_protocol() {
        for protocol in Protocol::ALL {
            let speech = Speech { codec: protocol.codec(), model: STEADY, stream: true, task: Task::Answer };
            let answer = play(&speech, asks(protocol, "demo:slow").as_bytes());
            let pauses: Vec<Duration> = answer.body.parts.iter().map(|(pause, _)| *pause).collect();
            let (first, rest) = pauses.split_first().unwrap();
            assert!(
                *first == Duration::from_secs(20) && rest.iter().all(|pause| *pause == PACE),
                "{pauses:?}"
            );
        }
    }

    #[test]
    fn errors_have_the_shape_and_status_that_were_asked_for() {
        for protocol in Protocol::ALL {
            let (answer, told) = plays(protocol, true, "demo:error 429");
            assert_eq!((answer.status, answer.content_type), (429, "application/json"));
            assert!(told.contains("\"error\""), "{told}");
        }
        let speech = Speech {
            codec: Protocol::Anthropic.codec(),
            model: OVERLOADED,
            stream: false,
            task: Task::Answer,
        };
        assert_eq!(play(&speech, asks(Protocol::Anthropic, "x").as_bytes()).status, 529);
        assert_eq!(play(&speech, b"{}").status, 400);
    }

    #[test]
    fn a_body_comes_part_by_part() {
        let parts = VecDeque::from([(Duration::ZERO, b"abc".to_vec()), (Duration::ZERO, b"d".to_vec())]);
        let mut body = Body { parts, due: None };
        let mut into = [0; 2];
        let mut told = Vec::new();
        while let count @ 1.. = body.read(&mut into).unwrap() {
            told.push(into[..count].to_vec());
        }
        assert_eq!(told, [b"ab".to_vec(), b"c".to_vec(), b"d".to_vec()]);
    }
}

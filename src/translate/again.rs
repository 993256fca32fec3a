//! A translation made again, from what was written down of it: the request as its target got it,
//! the answer as its client got it. No network, no clock, no configuration.

use std::fmt;

use crate::base::json::Members;
use crate::base::pen::members;
use crate::base::splice::{self, Edit};
use crate::base::words::Words;
use crate::protocol::dialect::Dialect;
use crate::protocol::tap::{Ask, Facts, Kind};
use crate::protocol::wire::{AnswerContext, TargetContext};
use crate::protocol::{Codec, Protocol, Task};
use crate::translate::cross::{self, Crossing};
use crate::translate::framing::Framing;
use crate::translate::gather::Gather;
use crate::translate::pipe::{HELD_FRAMES, PipeError, StreamEnd, StreamPipe};
use crate::translate::verbatim::{self, Options};
use crate::translate::{Source, Wants, outgoing};

/// All that a translation depends on, beside the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// The target's protocol.
    pub protocol: String,
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// The name that was asked for.
    pub asked: String,
    /// Was it translated?
    pub translated: bool,
    /// Was a stream asked for?
    pub stream: bool,
    /// What was asked for.
    pub task: Task,
    /// Did the client want its stream as an array?
    pub array: bool,
    /// What the target's server wants, when it was translated.
    pub dialect: Option<Dialect>,
    /// The key of the session for the target, when it was translated.
    pub session: Option<String>,
    /// Changes of the body.
    pub edits: Vec<Edit>,
    /// The most output tokens, on the native lane.
    pub max_output: Option<u64>,
    /// Did the attribution block go, on the native lane?
    pub strip_attribution: bool,
    /// Did ids of calls go, on the native lane?
    pub strip_call_ids: bool,
    /// The estimate of input tokens.
    pub estimated_input: u64,
    /// Seconds since 1970.
    pub created: u64,
    /// Was state put in that the client's own text does not hold?
    pub restored: bool,
}

members! {
    Recipe {
        protocol, provider, model, asked, translated, stream, task, array, dialect, session, edits,
        max_output, strip_attribution, strip_call_ids, estimated_input, created, restored,
    }
}

/// Why a translation cannot be made again, in words.
#[derive(Debug)]
pub struct Unmade(String);

/// What was asked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The client's protocol.
    pub protocol: Protocol,
    /// The id of the request.
    pub id: &'a str,
    /// The body.
    pub text: &'a str,
}

impl Recipe {
    /// Reads one, as it is written.
    pub fn read(text: &str) -> Option<Self> {
        let members = Members::read(text).ok()?;
        let is = |name: &str| members.get(text, name) == Some("true");
        let word = |name: &str| members.string(text, name).unwrap_or_default();
        Some(Self {
            protocol: word("protocol"),
            provider: word("provider"),
            model: word("model"),
            asked: word("asked"),
            translated: is("translated"),
            stream: is("stream"),
            task: Task::named(&word("task")).unwrap_or_default(),
            array: is("array"),
            dialect: members.get(text, "dialect").and_then(Dialect::read),
            session: members.string(text, "session"),
            edits: Edit::read_list(members.get(text, "edits")?)?,
            max_output: members.number(text, "max_output"),
            strip_attribution: is("strip_attribution"),
            strip_call_ids: is("strip_call_ids"),
            estimated_input: members.number(text, "estimated_input")?,
            created: members.number(text, "created")?,
            restored: is("restored"),
        })
    }

    /// A recipe for a target of another protocol, with its defaults.
    #[must_use]
    pub fn for_protocol(&self, target: Protocol) -> Self {
        let codec = target.codec();
        let dialect = Dialect {
            provider: self.provider.clone(),
            reasoning: codec.reasoning_style(&self.model),
            ..Dialect::default()
        };
        Self {
            protocol: target.name().to_owned(),
            dialect: Some(dialect),
            edits: Vec::new(),
            translated: true,
            ..self.clone()
        }
    }

    /// Its answer goes through the neutral model: notes what of the way back is in no text.
    pub fn crosses(&mut self, crossing: &Crossing) {
        self.created = crossing.answer.created;
        self.estimated_input = crossing.answer.estimated_input;
    }

    /// The body as the target gets it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn request(&self, asked: &Asked<'_>) -> Result<String, Unmade> {
        if self.translated {
            return self.crossed(asked).map(|(body, _)| body);
        }
        let codec = asked.protocol.codec();
        let (members, ask) = look(codec, asked.text)?;
        let source = Source { codec, text: asked.text, members: &members, ask: &ask };
        let wants = Wants {
            model: &self.model,
            max_output: self.max_output,
            edits: self.edits.clone(),
            strip_attribution: self.strip_attribution,
            strip_call_ids: self.strip_call_ids,
        };
        Ok(outgoing(&source, &wants).text.into_owned())
    }

    /// The answer as the client gets it; `events` says whether it came as a stream.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn answer(&self, asked: &Asked<'_>, told: &str, events: bool) -> Result<Vec<u8>, Unmade> {
        let framing = if self.array { Framing::Array } else { Framing::Events };
        match (self.stream, events) {
            (true, true) => run(self.pipe(asked, framing)?, told),
            (true, false) => {
                let (_, crossing) = self.crossed(asked)?;
                let streamed = crossing.streamed(told, framing);
                streamed.map(|streamed| streamed.frames).map_err(Unmade::new)
            }
            (false, true) => {
                let (_, crossing) = self.crossed(asked)?;
                let mut gather = Gather::new(&crossing, usize::MAX);
                gather.push(told.as_bytes()).map_err(broken)?;
                let whole = gather.finish().0.ok_or_else(|| Unmade::new(INCOMPLETE))?;
                Ok(whole.body.into_bytes())
            }
            (false, false) if self.translated => {
                let (_, crossing) = self.crossed(asked)?;
                let whole = crossing.whole(told).map_err(Unmade::new)?;
                Ok(whole.body.into_bytes())
            }
            (false, false) => {
                let seen = asked.protocol.codec().tap_whole(told, &mut Facts::default());
                let renamed = verbatim::whole(told, &seen, self.rename().as_deref());
                Ok(renamed.unwrap_or_else(|| told.to_owned()).into_bytes())
            }
        }
    }

    fn pipe(&self, asked: &Asked<'_>, framing: Framing) -> Result<StreamPipe, Unmade> {
        if self.translated {
            let (_, crossing) = self.crossed(asked)?;
            return Ok(StreamPipe::translated(&crossing, usize::MAX, framing));
        }
        let codec = asked.protocol.codec();
        let (_, mut ask) = look(codec, asked.text)?;
        ask.stream = self.stream;
        let hide_usage = codec.ask_for_usage(&ask).is_some();
        let options = Options { rename: self.rename(), hide_usage, framing, limit: usize::MAX };
        Ok(StreamPipe::verbatim(codec, options))
    }

    fn rename(&self) -> Option<String> {
        (!self.asked.is_empty() && self.asked != self.model).then(|| self.asked.clone())
    }

    /// The request through the neutral model: its body, and the way back.
    fn crossed(&self, asked: &Asked<'_>) -> Result<(String, Crossing), Unmade> {
        let target = Protocol::named(&self.protocol)
            .ok_or_else(|| Unmade(format!("{:?} is no protocol of this llmgate", self.protocol)))?
            .codec();
        let codec = asked.protocol.codec();
        let (members, ask) = look(codec, asked.text)?;
        let body = codec.counted(asked.text, &members);
        let wire = codec.wire();
        let decoded = wire.decode_task(self.task, body);
        let (mut request, _) = decoded.map_err(in_request)?;
        request.stream = self.stream;
        let dialect = self.dialect.clone().unwrap_or_default();
        let context =
            TargetContext { model: &self.model, dialect: &dialect, session: self.session.as_deref() };
        let (body, _, names) = cross::outgoing(&request, target.wire(), &context);
        let body =
            if self.edits.is_empty() { body } else { splice::apply(&body, &self.edits).unwrap_or(body) };
        let crossing = Crossing {
            target,
            target_wire: target.wire(),
            client_wire: codec.wire(),
            answer: AnswerContext {
                request_id: asked.id.to_owned(),
                model: self.asked.clone(),
                created: self.created,
                estimated_input: self.estimated_input,
                wants_usage: ask.wants_usage,
                show_reasoning: request.show_reasoning != Some(false),
                compaction: request.compaction,
                tools: request.tools.into_iter().filter(|tool| tool.identity.is_some()).collect(),
            },
            names: if self.translated { names } else { Default::default() },
            provider: self.provider.clone(),
            model: self.model.clone(),
        };
        Ok((body, crossing))
    }
}

impl Unmade {
    /// It is told so.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const INCOMPLETE: &str = "the stream is not complete";

fn in_request(error: impl fmt::Display) -> Unmade {
    Unmade(format!("in the request, {error}"))
}

fn broken(error: PipeError) -> Unmade {
    Unmade(format!("the stream breaks its protocol: {error:?}"))
}

fn look(codec: &dyn Codec, text: &str) -> Result<(Members, Ask), Unmade> {
    let no_object = |error| Unmade(format!("the request is no JSON object: {error}"));
    let members = Members::read(text).map_err(no_object)?;
    let ask = codec.tap_request(text, &members).map_err(in_request)?;
    Ok((members, ask))
}

/// A whole stream, as the relay moves it: signs of life before the first event are not passed on.
fn run(mut pipe: StreamPipe, told: &str) -> Result<Vec<u8>, Unmade> {
    let (mut out, mut committed, mut held) = (Vec::new(), false, 0);
    pipe.push(told.as_bytes());
    loop {
        pipe.settle(&mut out);
        let mark = out.len();
        let Some(kind) = pipe.pull(&mut out).map_err(broken)? else { break };
        match kind {
            Kind::Beat if !committed => out.truncate(mark),
            Kind::Failure => return Err(Unmade::new("the answer holds an error")),
            Kind::Opening | Kind::Unknown if held < HELD_FRAMES => held += 1,
            Kind::Opening
            | Kind::Beat
            | Kind::Content
            | Kind::End
            | Kind::Usage
            | Kind::Last
            | Kind::Unknown
            | Kind::Broken => committed = true,
        }
    }
    if pipe.finish(&mut out) != StreamEnd::Finished {
        return Err(Unmade::new(INCOMPLETE));
    }
    pipe.close(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pen;

    #[test]
    fn what_is_written_down_is_read_again() {
        let recipe = Recipe {
            protocol: "gemini".to_owned(),
            provider: "a/\"b\"".to_owned(),
            model: "m".to_owned(),
            asked: "ä".to_owned(),
            translated: true,
            stream: true,
            task: Task::Compact,
            array: true,
            dialect: Some(Dialect::default()),
            session: Some("s".to_owned()),
            edits: vec![Edit::set_dotted("a.b", "{\"c\": \"d\"}".to_owned()), Edit::remove_dotted("e")],
            max_output: Some(1),
            strip_attribution: true,
            strip_call_ids: true,
            estimated_input: 33,
            created: 7,
            restored: true,
        };
        for recipe in [recipe, Recipe::default()] {
            let text = pen::written(&recipe);
            assert_eq!(Recipe::read(&text), Some(recipe), "{text}");
        }
    }
}

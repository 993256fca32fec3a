//! Responses' translated lane: the pieces put together.

use crate::ir::loss::Losses;
use crate::ir::names::{NameRule, fit_id};
use crate::ir::request::Request;
use crate::ir::response::Response;
use crate::protocol::Task;
use crate::protocol::media;
use crate::protocol::openai_responses::compaction::{self, Summarizer};
use crate::protocol::openai_responses::stream_decode::Decoder;
use crate::protocol::openai_responses::stream_encode::Encoder;
use crate::protocol::openai_responses::{
    NAMES, OpenaiResponses, input_encode, request_decode, request_encode, response,
};
use crate::protocol::wire::{AnswerContext, StreamDecoder, StreamEncoder, TargetContext, Wire, WireError};

impl Wire for OpenaiResponses {
    fn decode_request(&self, text: &str) -> Result<(Request, Losses), WireError> {
        request_decode::decode(text).map(media::checked)
    }

    fn decode_task(&self, task: Task, text: &str) -> Result<(Request, Losses), WireError> {
        match task {
            Task::Compact => request_decode::decode_compaction(text).map(media::checked),
            Task::Answer | Task::Complete => self.decode_request(text),
        }
    }

    fn encode_request(&self, request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
        request_encode::encode(request, target)
    }

    fn can_search(&self, _request: &Request) -> bool {
        true
    }

    fn name_rule(&self) -> NameRule {
        NAMES
    }

    fn fit_call_id(&self, id: &str) -> String {
        if id.len() > input_encode::ID_LENGTH { fit_id(id, input_encode::ID_LENGTH) } else { id.to_owned() }
    }

    fn decode_response(&self, text: &str, seed: &str) -> Result<Response, WireError> {
        response::decode(text, seed)
    }

    fn encode_response(&self, response: &Response, answer: &AnswerContext) -> (String, Losses) {
        match &answer.compaction {
            None => response::encode(response, answer),
            Some(form) => (compaction::encode(response, answer, form), Losses::default()),
        }
    }

    fn stream_decoder(&self, seed: &str) -> Box<dyn StreamDecoder> {
        Box::new(Decoder::new(seed))
    }

    fn stream_encoder(&self, answer: &AnswerContext) -> Box<dyn StreamEncoder> {
        match &answer.compaction {
            None => Box::new(Encoder::new(answer)),
            Some(_) => Box::new(Summarizer::new(answer)),
        }
    }
}

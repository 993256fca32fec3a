//! Chat's translated lane: the pieces put together.

use crate::ir::loss::Losses;
use crate::ir::request::Request;
use crate::ir::response::Response;
use crate::protocol::Task;
use crate::protocol::media;
use crate::protocol::openai_chat::stream_decode::Decoder;
use crate::protocol::openai_chat::stream_encode::Encoder;
use crate::protocol::openai_chat::{OpenaiChat, request_decode, request_encode, response};
use crate::protocol::wire::{AnswerContext, StreamDecoder, StreamEncoder, TargetContext, Wire, WireError};

impl Wire for OpenaiChat {
    fn decode_request(&self, text: &str) -> Result<(Request, Losses), WireError> {
        request_decode::decode(text).map(media::checked)
    }

    fn decode_task(&self, task: Task, text: &str) -> Result<(Request, Losses), WireError> {
        match task {
            Task::Complete => request_decode::decode_completion(text),
            Task::Answer | Task::Compact => self.decode_request(text),
        }
    }

    fn encode_request(&self, request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
        request_encode::encode(request, target)
    }

    fn carries_state(&self) -> bool {
        false
    }

    fn decode_response(&self, text: &str, seed: &str) -> Result<Response, WireError> {
        response::decode(text, seed)
    }

    fn encode_response(&self, response: &Response, answer: &AnswerContext) -> (String, Losses) {
        response::encode(response, answer)
    }

    fn stream_decoder(&self, seed: &str) -> Box<dyn StreamDecoder> {
        Box::new(Decoder::new(seed))
    }

    fn stream_encoder(&self, answer: &AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(Encoder::new(answer))
    }
}

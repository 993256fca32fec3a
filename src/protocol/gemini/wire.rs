//! Gemini's translated lane: the pieces put together.

use crate::ir::loss::Losses;
use crate::ir::names::NameRule;
use crate::ir::request::Request;
use crate::ir::response::Response;
use crate::protocol::gemini::stream_decode::Decoder;
use crate::protocol::gemini::stream_encode::Encoder;
use crate::protocol::gemini::{Gemini, request_decode, request_encode, response};
use crate::protocol::media;
use crate::protocol::wire::{AnswerContext, StreamDecoder, StreamEncoder, TargetContext, Wire, WireError};

impl Wire for Gemini {
    fn decode_request(&self, text: &str) -> Result<(Request, Losses), WireError> {
        request_decode::decode(text).map(media::checked)
    }

    fn encode_request(&self, request: &Request, target: &TargetContext<'_>) -> (String, Losses) {
        request_encode::encode(request, target)
    }

    fn keeps_reasoning(&self) -> bool {
        false
    }

    /// Gemini before 3 refuses its search beside functions.
    fn can_search(&self, request: &Request) -> bool {
        request.tools.is_empty()
    }

    fn name_rule(&self) -> NameRule {
        request_encode::NAMES
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

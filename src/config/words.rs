//! The words a configuration uses for choices, one table a type: what is read is what is shown.

pub use crate::base::words::Words;

use super::{
    ApplyPatch, AuthForm, CacheMarks, Compat, LogLevel, Modality, ResponseHeaders, RetriedFailures, Store,
    Strategy, StripBilling, UnknownModel,
};
use crate::base::words::words;
use crate::protocol::Protocol;

words! {
    UnknownModel { "error" = Refuse, "default" = UseDefault }
    Compat { "max" = Max, "strict" = Strict }
    ResponseHeaders { "auto" = Auto, "true" = All, "false" = IdOnly }
    RetriedFailures { "off" = Ignore, "log" = Log, "on" = Count }
    Protocol {
        "openai-chat" = OpenaiChat, "openai-responses" = OpenaiResponses,
        "anthropic" = Anthropic, "gemini" = Gemini,
    }
    AuthForm {
        "auto" = Auto, "bearer" = Bearer, "x-api-key" = XApiKey,
        "x-goog-api-key" = XGoogApiKey, "none" = None,
    }
    Modality {
        "text" = Text, "image" = Image, "image_url" = ImageUrl, "pdf" = Pdf, "audio" = Audio,
    }
    ApplyPatch { "freeform" = Freeform, "function" = Function }
    CacheMarks { "auto" = Auto, "off" = Off }
    StripBilling { "auto" = Auto, "true" = Always, "false" = Never }
    Strategy {
        "auto" = QuotaAware, "ordered" = Ordered, "random" = Random,
        "round-robin" = RoundRobin, "weighted-rr" = WeightedRoundRobin,
        "quota-aware-weighted-rr" = QuotaAware,
    }
    LogLevel { "debug" = Debug, "info" = Info, "warn" = Warn, "error" = Error }
    Store { "memory" = Memory, "file" = File, "redis" = Redis }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_its_own_name() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.word(), protocol.name());
        }
    }
}

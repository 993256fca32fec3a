//! What a target's server wants: the vendor's defaults, and what the configuration says of the
//! model.

use crate::base::id::ModelName;
use crate::config::{CacheMarks, Modality, ModelSpec, Provider, ToolAbility, vendors};
use crate::protocol::Protocol;
use crate::protocol::dialect::{Dialect, Refuses};

impl Provider {
    /// What the server of this provider wants for a model, when `protocol` is spoken to it.
    pub fn dialect(&self, protocol: Protocol, model: &ModelName) -> Dialect {
        let spec = self.model(model);
        let host = self.host();
        let limit_field = spec.and_then(|spec| spec.limit_field);
        let reasoning_field = spec.and_then(|spec| spec.reasoning_field);
        let reasoning = spec.and_then(|spec| spec.reasoning);
        Dialect {
            provider: self.name.to_string(),
            limit_field: limit_field.unwrap_or_else(|| vendors::limit_field(host, model)),
            reasoning_field: reasoning_field.unwrap_or_else(|| vendors::reasoning_field(host)),
            reasoning: reasoning.unwrap_or_else(|| protocol.codec().reasoning_style(model.as_str())),
            max_output: spec.and_then(|spec| spec.max_output),
            is_openai: host == "api.openai.com",
            is_mistral: host == "api.mistral.ai",
            refuses: refuses(spec),
            search: spec.is_some_and(searches),
            cache_marks: spec.is_none_or(|spec| spec.cache == CacheMarks::Auto),
        }
    }
}

/// Is it said of a model that it searches the web?
fn searches(spec: &ModelSpec) -> bool {
    matches!(spec.tools, ToolAbility::Some { search: Some(true), .. })
}

/// What is not in a list of known inputs is refused; without a list nothing is.
fn refuses(spec: Option<&ModelSpec>) -> Refuses {
    let Some(input) = spec.and_then(|spec| spec.input.as_ref()) else { return Refuses::default() };
    let lacks = |kind: Modality| !input.contains(&kind);
    Refuses {
        images: lacks(Modality::Image),
        image_urls: lacks(Modality::ImageUrl) && lacks(Modality::Image),
        pdf: lacks(Modality::Pdf),
    }
}

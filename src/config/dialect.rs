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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};

    fn dialect(host: &str, spec: &str) -> Dialect {
        let up = format!("{{protocol: openai-chat, base_url: \"https://{host}/v1\", models: {{m: {spec}}}}}");
        let text = format!("version: 1\nproviders:\n  up: {up}\n");
        let env = Env::of([("", "")]);
        let config = from_text(&text, Path::new("f"), &env, &Overrides::default()).unwrap();
        config.providers[0].dialect(Protocol::OpenaiChat, &ModelName::parse("m").unwrap())
    }

    #[test]
    fn a_host_tells_whose_server_it_is() {
        for (host, told) in [
            ("api.openai.com", [true, false]),
            ("api.mistral.ai", [false, true]),
            ("a.example", [false, false]),
        ] {
            let dialect = dialect(host, "{}");
            assert_eq!([dialect.is_openai, dialect.is_mistral], told, "{host}");
        }
    }

    #[test]
    fn what_is_said_of_a_model_holds() {
        for (spec, told) in [
            ("{}", [false, false, false]),
            ("{input: [text]}", [true, true, true]),
            ("{input: [text, image]}", [false, false, true]),
            ("{input: [text, image_url, pdf]}", [true, false, false]),
        ] {
            let refuses = dialect("a.example", spec).refuses;
            assert_eq!([refuses.images, refuses.image_urls, refuses.pdf], told, "{spec}");
        }
        for (spec, told) in [("{}", false), ("{tools: true}", false), ("{tools: {search: true}}", true)] {
            assert_eq!(dialect("a.example", spec).search, told, "{spec}");
        }
        assert!(!dialect("a.example", "{cache: off}").cache_marks);
    }
}

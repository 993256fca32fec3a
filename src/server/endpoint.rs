//! (path) -> endpoint, derived from every codec (SPEC 3). The query never takes part.

use crate::protocol::{Action, Protocol, Task, percent_decoded};
use crate::server::head::Method;

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Something is made.
    Generate {
        /// The protocol of the path.
        protocol: Protocol,
        /// What.
        task: Task,
        /// The model in the path.
        model: Option<String>,
        /// Whether the path asks for a stream.
        stream: Option<bool>,
    },
    /// An answer, on a path that no protocol owns: the request tells which it speaks.
    Any,
    /// A count of input tokens.
    Count {
        /// The protocol of the path.
        protocol: Protocol,
        /// The model in the path.
        model: Option<String>,
    },
    /// Something that a provider keeps.
    Stored {
        /// The protocol of the path.
        protocol: Protocol,
        /// The methods, as the value of `allow`.
        allow: &'static str,
    },
    /// A model list, or one entry of it.
    Models {
        /// The protocol of the prefix; `None` on a bare path, where headers decide.
        protocol: Option<Protocol>,
        /// The entry.
        id: Option<String>,
    },
    /// `/health`.
    Health,
    /// `/ready`.
    Ready,
    /// What clients look for before they begin.
    Hello,
    /// `/debug/routes`.
    Routes,
    /// `/debug/status`.
    Status,
    /// `/metrics`.
    Metrics,
    /// `/dashboard`.
    Dashboard,
    /// `/admin/state`.
    State,
    /// `/admin/reload`.
    Reload,
    /// `/admin/stop`.
    Stop,
    /// Unknown here, and handed on to a provider that takes such paths. The protocol of the prefix.
    Passed(Protocol),
    /// Nothing. The protocol of the prefix.
    Unknown(Protocol),
}

/// The supported paths, for the message of a 404.
pub const SUPPORTED: &str = "POST /v1/chat/completions, /v1/responses, /v1/messages, \
    /v1beta/models/{model}:generateContent, :streamGenerateContent; GET /v1/models, /health, /ready";

/// The prefixes that several protocols share.
const BARE: [&str; 2] = ["/v1", ""];

impl Endpoint {
    /// What a path means; a final slash is ignored.
    pub fn of(path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/v1" | "/route" => Self::Any,
            "/health" | "/healthz" => Self::Health,
            "/ready" | "/readyz" => Self::Ready,
            "" | "/anthropic" | "/openai" | "/api/hello" | "/anthropic/api/hello" => Self::Hello,
            "/debug/routes" => Self::Routes,
            "/debug/status" => Self::Status,
            "/metrics" => Self::Metrics,
            "/dashboard" => Self::Dashboard,
            "/admin/state" => Self::State,
            "/admin/reload" => Self::Reload,
            "/admin/stop" => Self::Stop,
            _ => {
                generation(path).or_else(|| models(path)).unwrap_or_else(|| Self::Unknown(protocol_of(path)))
            }
        }
    }

    /// What the path means with this method: what is posted to a model is a task of Gemini's, and one
    /// that is not known here.
    #[must_use]
    pub fn asked_by(self, method: &Method) -> Self {
        match self {
            Self::Models { protocol: None | Some(Protocol::Gemini), id: Some(id) }
                if *method == Method::Post && id.contains(':') =>
            {
                Self::Unknown(Protocol::Gemini)
            }
            other => other,
        }
    }

    /// The methods it takes, as the value of `allow`.
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Generate { .. } | Self::Any | Self::Count { .. } | Self::Reload | Self::Stop => "POST",
            Self::Stored { allow, .. } => allow,
            Self::Models { .. } | Self::Health | Self::Ready | Self::Hello | Self::Routes | Self::State => {
                "GET, HEAD"
            }
            Self::Status | Self::Metrics | Self::Dashboard => "GET, HEAD",
            Self::Passed(_) => "GET, POST, PUT, PATCH, DELETE",
            Self::Unknown(_) => "",
        }
    }

    /// Does it take this method?
    pub fn takes(&self, method: &Method) -> bool {
        self.allow().is_empty() || self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }

    /// The protocol in whose shape errors are told.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Generate { protocol, .. }
            | Self::Count { protocol, .. }
            | Self::Stored { protocol, .. }
            | Self::Passed(protocol)
            | Self::Unknown(protocol) => *protocol,
            Self::Models { protocol, .. } => protocol.unwrap_or(Protocol::OpenaiChat),
            Self::Any
            | Self::Health
            | Self::Ready
            | Self::Hello
            | Self::Routes
            | Self::Status
            | Self::Metrics
            | Self::Dashboard
            | Self::State
            | Self::Reload
            | Self::Stop => Protocol::OpenaiChat,
        }
    }

    /// May a client's key stand in the query?
    pub fn takes_key_in_query(&self) -> bool {
        self.protocol().codec().takes_key_in_query()
    }

    /// Is it one of the local endpoints (SPEC 10.3)?
    pub fn is_local(&self) -> bool {
        let looks = matches!(self, Self::Routes | Self::Status | Self::Metrics | Self::Dashboard);
        looks || matches!(self, Self::State | Self::Reload | Self::Stop)
    }

    /// Is it open to everybody?
    pub fn is_public(&self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::Hello | Self::Unknown(_))
    }
}

/// Is this a path of Responses, where Codex tries a WebSocket first?
pub fn is_responses(path: &str) -> bool {
    let prefixes = Protocol::OpenaiResponses.codec().prefixes();
    prefixes.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("/responses")))
}

fn generation(path: &str) -> Option<Endpoint> {
    Protocol::ALL.into_iter().find_map(|protocol| {
        let codec = protocol.codec();
        let action = codec.prefixes().iter().find_map(|prefix| codec.action(path.strip_prefix(prefix)?))?;
        Some(match action {
            Action::Generate { task, model, stream } => Endpoint::Generate { protocol, task, model, stream },
            Action::Count { model } => Endpoint::Count { protocol, model },
            Action::Stored { allow } => Endpoint::Stored { protocol, allow },
        })
    })
}

fn models(path: &str) -> Option<Endpoint> {
    let own = Protocol::ALL.into_iter().flat_map(|protocol| {
        let prefixes = protocol.codec().prefixes().iter().filter(|prefix| !BARE.contains(prefix));
        prefixes.map(move |prefix| (*prefix, Some(protocol)))
    });
    own.chain(BARE.map(|prefix| (prefix, None))).find_map(|(prefix, protocol)| {
        let rest = path.strip_prefix(prefix)?.strip_prefix("/models")?;
        let id = match rest {
            "" => None,
            _ => Some(percent_decoded(rest.strip_prefix('/')?).into_owned()),
        };
        Some(Endpoint::Models { protocol, id })
    })
}

/// The protocol that a path's beginning belongs to; other paths use Chat's shape.
fn protocol_of(path: &str) -> Protocol {
    let owns = |protocol: &Protocol| {
        let mut prefixes = protocol.codec().prefixes().iter().filter(|prefix| !BARE.contains(prefix));
        prefixes.any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    Protocol::ALL.into_iter().find(owns).unwrap_or(Protocol::OpenaiChat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generate(protocol: Protocol, model: Option<&str>, stream: Option<bool>) -> Endpoint {
        Endpoint::Generate { protocol, task: Task::Answer, model: model.map(str::to_owned), stream }
    }

    #[test]
    fn every_generation_path_is_known() {
        for prefix in ["/v1", "", "/openai/v1", "/openai"] {
            let chat = Endpoint::of(&format!("{prefix}/chat/completions"));
            assert_eq!(chat, generate(Protocol::OpenaiChat, None, None));
            let responses = Endpoint::of(&format!("{prefix}/responses/"));
            assert_eq!(responses, generate(Protocol::OpenaiResponses, None, None));
        }
        for prefix in ["/v1", "", "/anthropic/v1", "/anthropic"] {
            assert_eq!(
                Endpoint::of(&format!("{prefix}/messages")),
                generate(Protocol::Anthropic, None, None)
            );
        }
        for prefix in ["/gemini/v1beta", "/gemini/v1", "/google/v1beta", "/google/v1", "/v1beta", "/v1"] {
            let stream = Endpoint::of(&format!("{prefix}/models/a%2Fb/c:d:streamGenerateContent"));
            assert_eq!(stream, generate(Protocol::Gemini, Some("a/b/c:d"), Some(true)));
            let whole = Endpoint::of(&format!("{prefix}/models/m:generateContent"));
            assert_eq!(whole, generate(Protocol::Gemini, Some("m"), Some(false)));
        }
    }

    #[test]
    fn some_protocols_make_more_than_answers() {
        let made = |protocol, task, stream| Endpoint::Generate { protocol, task, model: None, stream };
        for prefix in ["/v1", "/openai/v1"] {
            let of = |path: &str| Endpoint::of(&format!("{prefix}{path}"));
            let shortened = made(Protocol::OpenaiResponses, Task::Compact, Some(false));
            assert_eq!(of("/responses/compact"), shortened);
            assert_eq!(of("/completions"), made(Protocol::OpenaiChat, Task::Complete, None));
        }
        assert_eq!((Endpoint::of("/v1/"), Endpoint::of("/route")), (Endpoint::Any, Endpoint::Any));
    }

    #[test]
    fn what_a_provider_keeps_has_methods_of_its_own() {
        for (path, allow) in [
            ("/v1/responses/resp_1", "GET, DELETE"),
            ("/openai/v1/responses/resp_1/cancel", "POST"),
            ("/responses/resp_1/input_items", "GET"),
            ("/v1/conversations", "POST"),
            ("/v1/conversations/conv_1", "GET, POST, DELETE"),
            ("/v1/conversations/conv_1/items", "GET, POST"),
            ("/v1/conversations/conv_1/items/msg_1", "GET, DELETE"),
        ] {
            let stored = Endpoint::Stored { protocol: Protocol::OpenaiResponses, allow };
            assert_eq!(Endpoint::of(path), stored, "{path}");
        }
        for path in ["/v1/responses//cancel", "/v1/responses/a/b", "/v1/conversations/c/d"] {
            assert_eq!(Endpoint::of(path), Endpoint::Unknown(Protocol::OpenaiChat), "{path}");
        }
    }

    #[test]
    fn every_protocol_but_chat_counts() {
        let count =
            |protocol, model: Option<&str>| Endpoint::Count { protocol, model: model.map(str::to_owned) };
        assert_eq!(Endpoint::of("/v1/messages/count_tokens"), count(Protocol::Anthropic, None));
        assert_eq!(Endpoint::of("/openai/v1/responses/input_tokens"), count(Protocol::OpenaiResponses, None));
        assert_eq!(Endpoint::of("/v1/models/a/b:countTokens"), count(Protocol::Gemini, Some("a/b")));
    }

    #[test]
    fn model_lists_have_the_protocol_of_their_prefix() {
        let models = |path: &str| match Endpoint::of(path) {
            Endpoint::Models { protocol, id } => (protocol, id),
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(models("/v1/models"), (None, None));
        assert_eq!(models("/models/a/b"), (None, Some("a/b".into())));
        assert_eq!(models("/anthropic/v1/models").0, Some(Protocol::Anthropic));
        assert_eq!(models("/v1beta/models/m"), (Some(Protocol::Gemini), Some("m".into())));
        assert_eq!(models("/openai/v1/models").0, Some(Protocol::OpenaiChat));
    }

    #[test]
    fn what_is_posted_to_a_model_is_a_task() {
        let posted = |path: &str| Endpoint::of(path).asked_by(&Method::Post);
        for path in ["/v1beta/models/m:embedContent", "/v1/models/a/b:predict", "/gemini/v1/models/m:x"] {
            assert_eq!(posted(path), Endpoint::Unknown(Protocol::Gemini), "{path}");
        }
        assert_eq!(posted("/v1beta/models/m"), Endpoint::of("/v1beta/models/m"));
        assert_eq!(posted("/openai/v1/models/a:b"), Endpoint::of("/openai/v1/models/a:b"));
        assert_eq!(
            posted("/v1beta/models/m:generateContent"),
            generate(Protocol::Gemini, Some("m"), Some(false))
        );
        let id = Endpoint::of("/v1/models/local:7b").asked_by(&Method::Get);
        assert_eq!(id, Endpoint::Models { protocol: None, id: Some("local:7b".into()) });
    }

    #[test]
    fn other_paths_are_unknown_in_the_protocol_of_their_prefix() {
        assert_eq!(Endpoint::of("/anthropic/v1/files"), Endpoint::Unknown(Protocol::Anthropic));
        assert_eq!(Endpoint::of("/v1beta/files"), Endpoint::Unknown(Protocol::Gemini));
        assert_eq!(Endpoint::of("/anthropically"), Endpoint::Unknown(Protocol::OpenaiChat));
        assert_eq!(Endpoint::of("/"), Endpoint::Hello);
        assert!(
            is_responses("/v1/responses") && is_responses("/responses/x") && !is_responses("/v1/messages")
        );
    }
}

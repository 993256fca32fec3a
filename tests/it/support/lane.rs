//! The four protocols as a client and a provider speak them: a small "ping", a small "pong".
//!
//! In every text `MODEL` stands for the model's name.

use llmgate::base::sse::FrameReader;
use llmgate::protocol::Protocol;
use llmgate::protocol::tap::Facts;

/// The name that clients ask for.
pub(crate) const ASKED: &str = "asked-name";
/// The name that the provider knows.
pub(crate) const UPSTREAM: &str = "up-model-1";
/// The proxy's key at the provider.
pub(crate) const KEY: &str = "sk-provider-0123456789abcdefghij";

/// One protocol.
pub(crate) struct Lane {
    /// Which one.
    pub(crate) protocol: Protocol,
    /// Its name in configurations.
    pub(crate) name: &'static str,
    path: &'static str,
    stream_path: &'static str,
    upstream_path: &'static str,
    upstream_stream_path: &'static str,
    body: &'static str,
    answer: &'static str,
    opening: &'static str,
    content: &'static str,
    ending: &'static str,
    /// What keeps a running stream alive.
    pub(crate) keepalive: &'static str,
    /// What keeps a stream alive of which only the head was sent.
    pub(crate) early_keepalive: &'static str,
    /// An error event of a provider that is overloaded, and the status it stands for.
    pub(crate) error_frame: (&'static str, u16),
    /// The header that carries a key, and what is before the key in it.
    pub(crate) credential: (&'static str, &'static str),
}

const KEEPALIVE_CHUNK: &str =
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}]}\n\n";

/// All four.
pub(crate) const LANES: [Lane; 4] = [
    Lane {
        protocol: Protocol::OpenaiChat,
        name: "openai-chat",
        path: "/v1/chat/completions",
        stream_path: "/v1/chat/completions",
        upstream_path: "/v1/chat/completions",
        upstream_stream_path: "/v1/chat/completions",
        body: r#"{"model":"MODEL", "messages":[{"role":"user","content":"ping"}], "max_tokens":50STREAM}"#,
        answer: r#"{"id":"c1","object":"chat.completion","created":1,"model":"MODEL","choices":[{"index":0,
            "message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
        opening: "data: {\"model\":\"MODEL\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        content: "data: {\"model\":\"MODEL\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"pong\"}}]}\n\n",
        ending: "data: {\"model\":\"MODEL\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        keepalive: ": keepalive\n\n",
        early_keepalive: ": keepalive\n\n",
        error_frame: (
            "data: {\"error\":{\"message\":\"too busy\",\"type\":\"server_error\",\"code\":503}}\n\n",
            503,
        ),
        credential: ("authorization", "Bearer "),
    },
    Lane {
        protocol: Protocol::OpenaiResponses,
        name: "openai-responses",
        path: "/v1/responses",
        stream_path: "/v1/responses",
        upstream_path: "/v1/responses",
        upstream_stream_path: "/v1/responses",
        body: r#"{"model":"MODEL", "input":"ping", "max_output_tokens":50STREAM}"#,
        answer: r#"{"id":"resp_1","object":"response","status":"completed","model":"MODEL","output":[{"type":"message",
            "id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"pong"}]}],
            "usage":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}"#,
        opening: "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"model\":\"MODEL\"}}\n\n",
        content: "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"pong\"}\n\n",
        ending: "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"model\":\"MODEL\",\"status\":\"completed\"}}\n\n",
        keepalive: "event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n",
        early_keepalive: ": keepalive\n\n",
        error_frame: (
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_is_overloaded\",\"message\":\"too busy\"}\n\n",
            503,
        ),
        credential: ("authorization", "Bearer "),
    },
    Lane {
        protocol: Protocol::Anthropic,
        name: "anthropic",
        path: "/v1/messages",
        stream_path: "/v1/messages",
        upstream_path: "/v1/messages",
        upstream_stream_path: "/v1/messages",
        body: r#"{"model":"MODEL", "max_tokens":50, "messages":[{"role":"user","content":"ping"}]STREAM}"#,
        answer: r#"{"id":"msg_1","type":"message","role":"assistant","model":"MODEL","content":[{"type":"text",
            "text":"pong"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":2}}"#,
        opening: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"MODEL\"}}\n\n",
        content: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"pong\"}}\n\n",
        ending: "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        keepalive: "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        early_keepalive: ": keepalive\n\n",
        error_frame: (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"too busy\"}}\n\n",
            529,
        ),
        credential: ("x-api-key", ""),
    },
    Lane {
        protocol: Protocol::Gemini,
        name: "gemini",
        path: "/v1beta/models/MODEL:generateContent",
        stream_path: "/v1beta/models/MODEL:streamGenerateContent?alt=sse",
        upstream_path: "/v1/models/MODEL:generateContent",
        upstream_stream_path: "/v1/models/MODEL:streamGenerateContent?alt=sse",
        body: r#"{"contents":[{"role":"user", "parts":[{"text":"ping"}]}],"generationConfig":{"maxOutputTokens":50}}"#,
        answer: r#"{"candidates":[{"content":{"parts":[{"text":"pong"}],"role":"model"},"finishReason":"STOP"}],
            "usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2},"modelVersion":"MODEL"}"#,
        opening: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]}}],\"modelVersion\":\"MODEL\"}\r\n\r\n",
        content: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"pong\"}]}}],\"modelVersion\":\"MODEL\"}\r\n\r\n",
        ending: "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"STOP\"}],\"modelVersion\":\"MODEL\"}\r\n\r\n",
        keepalive: KEEPALIVE_CHUNK,
        early_keepalive: KEEPALIVE_CHUNK,
        error_frame: (
            "data: {\"error\":{\"code\":503,\"message\":\"too busy\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
            503,
        ),
        credential: ("x-goog-api-key", ""),
    },
];

/// One of them.
pub(crate) fn lane(protocol: Protocol) -> &'static Lane {
    LANES.iter().find(|lane| lane.protocol == protocol).unwrap()
}

/// What a stream of a protocol tells.
pub(crate) fn told(protocol: Protocol, stream: &str) -> Facts {
    let mut facts = Facts::default();
    let mut reader = FrameReader::new(1 << 20);
    reader.push(stream.as_bytes());
    while let Some(frame) = reader.next_frame().unwrap() {
        if let Some(text) = frame.text() {
            protocol.codec().tap_frame(frame.event_name(), &text, &mut facts);
        }
    }
    facts
}

impl Lane {
    /// A configuration with the alias [`ASKED`] for [`UPSTREAM`] at one provider `up`.
    pub(crate) fn config(&self, url: &str) -> String {
        self.config_with(url, "", "")
    }

    /// Each request is one call. The same with more keys of the provider (`auth: none`) and more lines at the top.
    pub(crate) fn config_with(&self, url: &str, provider: &str, top: &str) -> String {
        // One call, one answer: what follows from failures is tested where it is the subject.
        let once = if top.contains("retry:") { "" } else { "retry: {attempts: 1, max_wait: 0s}\n" };
        let more = if provider.is_empty() { String::new() } else { format!(", {provider}") };
        format!(
            "version: 1\nlisten: 127.0.0.1:0\n{once}{top}\nproviders:\n  up: {{protocol: {}, base_url: \"{url}/v1\", \
             api_key: {KEY}{more}}}\nmodels:\n  {ASKED}: up/{UPSTREAM}\n",
            self.name
        )
    }

    /// Where a client posts for a whole answer.
    pub(crate) fn path(&self, model: &str) -> String {
        self.path.replace("MODEL", model)
    }

    /// Where it posts for a stream.
    pub(crate) fn stream_path(&self, model: &str) -> String {
        self.stream_path.replace("MODEL", model)
    }

    /// Where the provider is posted to for a whole answer.
    pub(crate) fn upstream_path(&self, model: &str) -> String {
        self.upstream_path.replace("MODEL", model)
    }

    /// Where it is posted to for a stream.
    pub(crate) fn upstream_stream_path(&self, model: &str) -> String {
        self.upstream_stream_path.replace("MODEL", model)
    }

    /// A request for a whole answer.
    pub(crate) fn ping(&self, model: &str) -> String {
        self.body.replace("MODEL", model).replace("STREAM", "")
    }

    /// A request for a stream.
    pub(crate) fn streamed_ping(&self, model: &str) -> String {
        self.body.replace("MODEL", model).replace("STREAM", ",\"stream\": true")
    }

    /// A whole answer.
    pub(crate) fn pong(&self, model: &str) -> String {
        self.answer.replace("MODEL", model)
    }

    /// What opens a stream and is not content.
    pub(crate) fn opening(&self, model: &str) -> String {
        self.opening.replace("MODEL", model)
    }

    /// What says "pong" in a stream.
    pub(crate) fn content(&self, model: &str) -> String {
        self.content.replace("MODEL", model)
    }

    /// What ends a stream.
    pub(crate) fn ending(&self, model: &str) -> String {
        self.ending.replace("MODEL", model)
    }

    /// A whole stream.
    pub(crate) fn streamed_pong(&self, model: &str) -> String {
        [self.opening(model), self.content(model), self.ending(model)].concat()
    }

    /// Is this an error body of the protocol? Its message.
    #[track_caller]
    pub(crate) fn error_message(&self, body: &serde_json::Value) -> String {
        let error = &body["error"];
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        match self.protocol {
            Protocol::OpenaiChat | Protocol::OpenaiResponses => {
                assert!(error["type"].is_string() && error["code"].is_string(), "{body}");
                assert!(error.get("param").is_some_and(serde_json::Value::is_null), "{body}");
            }
            Protocol::Anthropic => {
                assert_eq!(body["type"], "error", "{body}");
                assert!(error["type"].is_string() && body["request_id"].is_string(), "{body}");
            }
            Protocol::Gemini => assert!(error["code"].is_u64() && error["status"].is_string(), "{body}"),
        }
        text(&error["message"]).unwrap_or_else(|| panic!("no message: {body}"))
    }

    /// The last frames of a stream that failed: exactly one error in the protocol's way, and no sign
    /// of a good end. Its message.
    #[track_caller]
    pub(crate) fn told_in_stream(&self, stream: &str) -> String {
        let stream = stream.replace("\r\n", "\n");
        let frames: Vec<&str> = stream.split("\n\n").filter(|frame| !frame.is_empty()).collect();
        let is_error = |frame: &&&str| match self.protocol {
            Protocol::OpenaiResponses => frame.starts_with("event: response.failed\n"),
            Protocol::Anthropic => frame.starts_with("event: error\n"),
            Protocol::OpenaiChat | Protocol::Gemini => frame.starts_with("data: {\"error\":"),
        };
        assert_eq!(frames.iter().filter(is_error).count(), 1, "{stream}");
        let last = frames.last().unwrap();
        assert!(is_error(&last), "{stream}");
        for good in ["[DONE]", "message_stop", "response.completed", "finishReason", "\"finish_reason\":\""] {
            assert!(!stream.contains(good), "{stream}");
        }
        let data = last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        match self.protocol {
            Protocol::OpenaiResponses => {
                assert_eq!(data["response"]["status"], "failed", "{data}");
                data["response"]["error"]["message"].as_str().unwrap().to_owned()
            }
            _ => self.error_message(&data),
        }
    }

    /// Is this one whole stream that says "pong" once: one start, one end, no error?
    #[track_caller]
    pub(crate) fn is_one_pong(&self, stream: &str) {
        self.is_one(stream, "pong");
    }

    /// The same for another word.
    #[track_caller]
    pub(crate) fn is_one(&self, stream: &str, word: &str) {
        let mut once: Vec<&str> = match self.protocol {
            Protocol::OpenaiChat => vec!["\"finish_reason\":\"stop\"", "data: [DONE]"],
            Protocol::OpenaiResponses => vec!["event: response.created\n", "event: response.completed\n"],
            Protocol::Anthropic => vec!["event: message_start\n", "event: message_stop\n"],
            Protocol::Gemini => vec!["\"finishReason\":\"STOP\""],
        };
        let said = self.says(word);
        once.push(&said);
        for text in once {
            assert_eq!(stream.matches(text).count(), 1, "{}: {text:?} in {stream}", self.name);
        }
        let facts = told(self.protocol, stream);
        assert!(facts.finished && facts.error.is_none(), "{}: {stream}", self.name);
    }

    /// How a stream says a word.
    pub(crate) fn says(&self, word: &str) -> String {
        match self.protocol {
            // It says everything once more at its end.
            Protocol::OpenaiResponses => format!("\"delta\":\"{word}\""),
            Protocol::OpenaiChat | Protocol::Anthropic | Protocol::Gemini => format!(":\"{word}\""),
        }
    }
}

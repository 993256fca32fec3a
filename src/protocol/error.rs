//! What an upstream error says, whichever of the many shapes it comes in.

use crate::base::pen;
use crate::base::tree::Tree;

/// The facts of an upstream's error body or error event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderError {
    /// The status the body itself states, or that its code stands for.
    pub status: Option<u16>,
    /// Its `code`.
    pub code: Option<String>,
    /// Its `type` (OpenAI, Anthropic) or `status` (Google).
    pub kind: Option<String>,
    /// The parameter it is about (OpenAI's `param`).
    pub param: Option<String>,
    /// Its own text.
    pub message: String,
    /// In seconds: Google's `RetryInfo.retryDelay`, rounded up, or Codex's `resets_in_seconds`.
    pub retry_delay: Option<u64>,
    /// Does one of Google's quota ids speak of a day?
    pub per_day: bool,
}

/// Reads an error body: `error.message`, a text `error`, `message`, `detail`, else the body itself;
/// and what the provider behind the provider says.
pub fn read(body: &str) -> ProviderError {
    match Tree::read(body) {
        // Google answers a streamed request with an array of one.
        Ok(Tree::List(list)) => list.first().map_or_else(ProviderError::default, of_value),
        Ok(value) => of_value(&value),
        Err(_) => ProviderError { message: body.trim().to_owned(), ..ProviderError::default() },
    }
}

/// Is what is no answer an error without the `error` around it, as some servers send it under 200 and
/// in a stream?
pub fn is_bare(value: &Tree<'_>) -> bool {
    // MiniMax, whose good answers have it, too: with the code 0.
    if let Some(told) = value.object("base_resp") {
        return told.count("status_code") != Some(0);
    }
    let says_error = |name| value.text(name).is_some_and(|kind| kind.to_lowercase().ends_with("error"));
    let is_status = |code: u64| (400..600).contains(&code);
    // FastAPI's, Cloudflare's.
    let tells = |name| value.get(name).is_some_and(|told| !told.is_empty());
    let words = ["message", "msg", "error_msg"].iter().any(|name| value.has(name));
    let is_failure = says_error("object")
        || says_error("type")
        || value.count("code").is_some_and(is_status)
        || value.has("error_code")
        || value.get("success") == Some(&Tree::Bool(false));
    (words && is_failure) || tells("detail") || tells("errors")
}

/// Reads a decoded error body or error event.
pub fn of_value(value: &Tree<'_>) -> ProviderError {
    let error = value.get("error").filter(|error| **error != Tree::Null).unwrap_or(value);
    let minimax = value.get("base_resp");
    let code = text(error, "code").or_else(|| text(minimax?, "status_code"));
    let kind = text(error, "type").filter(|kind| kind != "error").or_else(|| text(error, "status"));
    let stated = stated(code.as_deref()).or_else(|| {
        let beside = [(error, "status_code"), (value, "status_code"), (value, "statusCode")];
        beside.iter().find_map(|(value, name)| stated(text(value, name).as_deref()))
    });
    let named = || [&code, &kind].into_iter().flatten().find_map(|name| status_of(name));
    let own = text(error, "message")
        .or_else(|| error.as_text().map(str::to_owned))
        .or_else(|| {
            ["message", "detail", "msg", "error_msg", "Message"].iter().find_map(|name| text(value, name))
        })
        .or_else(|| text(minimax?, "status_msg"))
        .or_else(|| listed(error.get("message").unwrap_or(value)));
    let behind = behind(error, value).unwrap_or_default();
    let message = match own {
        Some(own) if own.contains(&behind.message) => own,
        Some(own) => format!("{own}: {}", behind.message),
        None if behind.message.is_empty() => pen::written(value),
        None => kind.iter().chain([&behind.message]).map(String::as_str).collect::<Vec<_>>().join(": "),
    };
    let details = error.list("details").unwrap_or_default();
    ProviderError {
        status: stated.or_else(named).or_else(|| minimax_status(minimax?)),
        code,
        kind,
        param: text(error, "param").or(behind.param),
        message,
        // Codex counts the seconds until its window opens again.
        retry_delay: details
            .iter()
            .find_map(retry_delay)
            .or_else(|| text(error, "resets_in_seconds")?.parse().ok()),
        per_day: details.iter().any(speaks_of_a_day),
    }
}

/// A status of HTTP that tells a failure.
fn stated(number: Option<&str>) -> Option<u16> {
    number?.parse().ok().filter(|status| (400..600).contains(status))
}

/// What the provider behind this one says: in OpenRouter's `metadata.raw`, in Databricks'
/// `external_model_message`, in the `upstream_error` of others.
fn behind(error: &Tree<'_>, value: &Tree<'_>) -> Option<ProviderError> {
    let raw = error.get("metadata").and_then(|metadata| metadata.get("raw"));
    let said = raw.or_else(|| error.get("upstream_error")).or_else(|| value.get("external_model_message"))?;
    match said {
        Tree::Text(text) => Some(read(text)),
        Tree::Object(_) => Some(of_value(said)),
        _ => None,
    }
}

/// The texts of a list of errors: FastAPI's `detail` with `loc` and `msg`, Cloudflare's `errors`,
/// Hugging Face's texts.
fn listed(value: &Tree<'_>) -> Option<String> {
    let list = ["detail", "errors", "error"].iter().find_map(|name| value.list(name))?;
    let texts = list.iter().filter_map(|error| {
        let text = error.as_text().or_else(|| error.text("msg")).or_else(|| error.text("message"))?;
        let place =
            error.list("loc").unwrap_or_default().iter().map(pen::written).collect::<Vec<_>>().join(".");
        Some(if place.is_empty() { text.to_owned() } else { format!("{}: {text}", place.replace('"', "")) })
    });
    Some(texts.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
}

fn text(value: &Tree<'_>, name: &str) -> Option<String> {
    match value.get(name)? {
        Tree::Text(text) if !text.is_empty() => Some(text.clone().into_owned()),
        Tree::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `{"@type": ".../google.rpc.RetryInfo", "retryDelay": "13.5s"}`
fn retry_delay(detail: &Tree<'_>) -> Option<u64> {
    let seconds: f64 = detail.text("retryDelay")?.strip_suffix('s')?.parse().ok()?;
    // Saturates: a delay is never longer than some days.
    (seconds.is_finite() && seconds >= 0.0).then(|| seconds.ceil() as u64)
}

fn speaks_of_a_day(detail: &Tree<'_>) -> bool {
    let mut violations = detail.list("violations").unwrap_or_default().iter();
    violations.any(|violation| violation.text("quotaId").is_some_and(|id| id.contains("PerDay")))
}

/// The HTTP status that MiniMax's `base_resp.status_code` stands for.
/// <https://platform.minimax.io/docs/api-reference/errorcode>
fn minimax_status(told: &Tree<'_>) -> Option<u16> {
    Some(match text(told, "status_code")?.as_str() {
        "1002" => 429,
        "1004" | "2049" => 401,
        "1008" => 402,
        "1026" | "1027" | "1039" | "2013" => 400,
        _ => return None,
    })
}

/// The HTTP status that an error code or type of one of the vendors stands for.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "invalid_request_error"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "invalid_prompt"
        | "context_length_exceeded" => 400,
        "authentication_error" | "UNAUTHENTICATED" | "invalid_api_key" => 401,
        "billing_error" => 402,
        "permission_error" | "PERMISSION_DENIED" => 403,
        "not_found_error" | "NOT_FOUND" | "model_not_found" => 404,
        "request_too_large" => 413,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "insufficient_quota"
        | "RESOURCE_EXHAUSTED"
        // Azure, Codex.
        | "too_many_requests"
        | "usage_limit_reached" => 429,
        "api_error" | "server_error" | "INTERNAL" => 500,
        // The last one is DeepSeek's.
        "UNAVAILABLE" | "server_is_overloaded" | "slow_down" | "service_unavailable_error" => 503,
        "timeout_error" | "DEADLINE_EXCEEDED" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gives_its_text() {
        for (body, message) in [
            (r#"{"error":{"message":"m","type":"t","code":null}}"#, "m"),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, "m"),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"message":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#, "m"),
            (r#"{"detail":[{"type":"t","loc":["body","n",0],"msg":"m"},{"msg":"o"}]}"#, "body.n.0: m; o"),
            (
                r#"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"m"}]},"param":null}"#,
                "body: m",
            ),
            (r#"{"success":false,"errors":[{"code":7003,"message":"m"}]}"#, "m"),
            (r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"m"}}"#, "m"),
            (r#"{"code":500,"msg":"m","success":false}"#, "m"),
            (r#"{"error_code":17,"error_msg":"m"}"#, "m"),
            (r#"{"error":["m","n"],"error_type":"validation"}"#, "m; n"),
            (r#"{"Message":"m"}"#, "m"),
            (r#"{"error":null,"message":"m"}"#, "m"),
            (r#"{"errors":[]}"#, r#"{"errors":[]}"#),
            (" <html>m</html>\n", "<html>m</html>"),
            (r#"{"x":1}"#, r#"{"x":1}"#),
        ] {
            assert_eq!(read(body).message, message, "{body}");
        }
    }

    #[test]
    fn the_provider_behind_the_provider_is_heard() {
        for (body, message) in [
            (r#"{"error":{"message":"m","code":400,"metadata":{"raw":"o","provider_name":"P"}}}"#, "m: o"),
            (r#"{"error":{"message":"m","metadata":{"raw":"{\"error\":{\"message\":\"o\"}}"}}}"#, "m: o"),
            (r#"{"message":"m","code":400,"metadata":{"raw":"{\"message\":\"o\"}"}}"#, "m: o"),
            (r#"{"error":{"message":"m: o","metadata":{"raw":"o"}}}"#, "m: o"),
            (r#"{"error":{"message":"m","metadata":{"raw":""}}}"#, "m"),
            (r#"{"error":{"message":"m","metadata":{"reasons":["r"]}}}"#, "m"),
            (r#"{"error":"m","external_model_message":{"message":"o"}}"#, "m: o"),
            (r#"{"error":{"type":"t","upstream_error":{"error":{"message":"o"}}}}"#, "t: o"),
        ] {
            assert_eq!(read(body).message, message, "{body}");
        }
        let refused = r#"{"error":{"message":"m","metadata":{"raw":"{\"error\":{\"message\":\"o\",\"param\":\"temperature\"}}"}}}"#;
        assert_eq!(read(refused).param.as_deref(), Some("temperature"));
    }

    #[test]
    fn the_status_is_stated_or_stands_behind_the_code() {
        let status = |body: &str| read(body).status;
        assert_eq!(status(r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#), Some(503));
        assert_eq!(
            status(r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#),
            Some(529)
        );
        assert_eq!(status(r#"{"error":{"code":"insufficient_quota","type":"x","message":"m"}}"#), Some(429));
        assert_eq!(status(r#"{"error":{"code":"odd","message":"m"}}"#), None);
        for body in [
            r#"{"type":"error","error":{"code":"too_many_requests","message":"m"}}"#,
            r#"{"status":"failed","error":{"code":"usage_limit_reached","message":"m"}}"#,
            r#"{"type":"error","status_code":429,"error":{"type":"odd","message":"m"}}"#,
            r#"{"statusCode":429,"message":"m"}"#,
            r#"{"error":{"message":"m","type":"odd","status_code":429}}"#,
        ] {
            assert_eq!(status(body), Some(429), "{body}");
        }
        assert_eq!(status(r#"{"error":{"code":"service_unavailable_error","message":"m"}}"#), Some(503));
        assert_eq!(
            status(r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#),
            Some(402)
        );
    }

    #[test]
    fn some_tell_when_to_come_back() {
        let body = r#"{"error":{"code":429,"message":"m","details":[
            {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDay"}]},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12.4s"}]}}"#;
        let error = read(body);
        assert_eq!((error.retry_delay, error.per_day), (Some(13), true));
        let codex = r#"{"error":{"type":"usage_limit_reached","message":"m","resets_in_seconds":9568}}"#;
        assert_eq!(read(codex).retry_delay, Some(9568));
    }

    #[test]
    fn a_bare_error_is_told_from_an_answer() {
        let bare = |text: &str| is_bare(&Tree::read(text).unwrap());
        for failure in [
            r#"{"success":false,"msg":"m"}"#,
            r#"{"code":503,"message":"m"}"#,
            r#"{"object":"error","message":"m"}"#,
            r#"{"error_code":17,"error_msg":"m"}"#,
            r#"{"detail":"m"}"#,
            r#"{"base_resp":{"status_code":1008}}"#,
        ] {
            assert!(bare(failure), "{failure}");
        }
        for other in [
            r#"{"success":true,"message":"m"}"#,
            r#"{"success":false}"#,
            r#"{"code":200,"message":"m"}"#,
            r#"{"message":"m"}"#,
            r#"{"detail":""}"#,
            r#"{"base_resp":{"status_code":0}}"#,
        ] {
            assert!(!bare(other), "{other}");
        }
    }
}

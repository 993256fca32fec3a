//! Model lists in the four shapes.

use serde_json::{Value, json};

use crate::support::proxy::Proxy;

const CONFIG: &str = "version: 1
listen: 127.0.0.1:0
providers:
  up:
    protocol: openai-chat
    base_url: http://127.0.0.1:9/v1
    models:
      m: {context: 1000, max_output: 50, input: [text, image], tools: {parallel: true, apply_patch: freeform}}
models:
  alpha: up/m
  beta/with/slash: up/other
  gamma: {listed: false, targets: [{to: up/m}]}
  delta: {enabled: false, targets: [{to: up/m}]}
  pattern-*: up/*
  claude-x: up/other
";

fn ids(list: &Value, name: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
}

fn ask(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> Value {
    let answer = proxy.ask("GET", path, headers, "");
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

#[test]
fn openais() {
    let proxy = Proxy::start(CONFIG);
    for path in ["/v1/models", "/models", "/openai/v1/models", "/v1/models/"] {
        let list = ask(&proxy, path, &[]);
        assert_eq!(list["object"], "list");
        assert_eq!(ids(&list["data"], "id"), ["alpha", "beta/with/slash", "claude-x"], "{path}");
    }
    let list = ask(&proxy, "/v1/models", &[]);
    let more = json!({
        "upstream_name": "up", "upstream_model": "m",
        "limits": {"context_window": 1000, "max_output_tokens": 50},
        "surface": {
            "modalities": {"input": ["text", "image"], "output": ["text"]},
            "tools": {"supports_view_image": true, "apply_patch_transport": "freeform", "supports_parallel_calls": true},
        },
    });
    let alpha =
        json!({"id": "alpha", "object": "model", "created": 0, "owned_by": "llmgate", "x_llmgate": more});
    assert_eq!(list["data"][0], alpha);
    assert_eq!(list["data"][1]["x_llmgate"], json!({"upstream_name": "up", "upstream_model": "other"}));
    assert_eq!(ask(&proxy, "/v1/models/alpha", &[]), alpha);
    assert_eq!(ask(&proxy, "/v1/models/beta/with/slash", &[])["id"], "beta/with/slash");
    assert_eq!(ask(&proxy, "/v1/models/beta%2Fwith%2Fslash", &[])["id"], "beta/with/slash");
}

#[test]
fn anthropics() {
    let proxy = Proxy::start(CONFIG);
    let version = [("anthropic-version", "2023-06-01")];
    for (path, headers) in [
        ("/anthropic/v1/models", &[][..]),
        ("/v1/models", &version[..]),
        ("/v1/models?limit=1000", &version[..]),
    ] {
        let list = ask(&proxy, path, headers);
        assert_eq!(ids(&list["data"], "id"), ["alpha", "beta/with/slash", "claude-x"], "{path}");
        assert_eq!(
            list["data"][0],
            json!({"type": "model", "id": "alpha", "display_name": "alpha", "created_at": "1970-01-01T00:00:00Z"})
        );
        assert_eq!((&list["has_more"], &list["first_id"]), (&json!(false), &json!("alpha")));
        assert_eq!(list["last_id"], "claude-x");
    }
    let page = ask(&proxy, "/anthropic/v1/models?limit=2", &[]);
    assert_eq!((ids(&page["data"], "id").len(), &page["has_more"]), (2, &json!(true)));
    let page = ask(&proxy, "/anthropic/v1/models?limit=2&after_id=beta%2Fwith%2Fslash", &[]);
    assert_eq!(ids(&page["data"], "id"), ["claude-x"]);
    let page = ask(&proxy, "/anthropic/v1/models?limit=1&before_id=claude-x", &[]);
    assert_eq!(ids(&page["data"], "id"), ["beta/with/slash"]);
    assert_eq!(ask(&proxy, "/anthropic/v1/models/alpha", &[])["type"], "model");
}

#[test]
fn googles() {
    let proxy = Proxy::start(CONFIG);
    for (path, headers) in [
        ("/v1beta/models", &[][..]),
        ("/gemini/v1beta/models", &[]),
        ("/google/v1/models", &[]),
        ("/v1/models", &[("x-goog-api-key", "k")]),
    ] {
        let list = ask(&proxy, path, headers);
        let names = ["models/alpha", "models/beta/with/slash", "models/claude-x"];
        assert_eq!(ids(&list["models"], "name"), names, "{path}");
        assert!(list.get("nextPageToken").is_none());
        assert_eq!(list["models"][0]["inputTokenLimit"], 1000);
        assert_eq!(list["models"][0]["outputTokenLimit"], 50);
        assert_eq!(list["models"][0]["displayName"], "alpha");
        assert_eq!(list["models"][0]["supportedGenerationMethods"][0], "generateContent");
    }
    let page = ask(&proxy, "/v1beta/models?pageSize=2", &[]);
    assert_eq!(ids(&page["models"], "name").len(), 2);
    let token = page["nextPageToken"].as_str().unwrap().replace('/', "%2F");
    let page = ask(&proxy, &format!("/v1beta/models?pageSize=2&pageToken={token}"), &[]);
    assert_eq!(ids(&page["models"], "name"), ["models/claude-x"]);
    assert_eq!(ask(&proxy, "/v1beta/models/alpha", &[])["name"], "models/alpha");
}

#[test]
fn codexs() {
    let proxy = Proxy::start(CONFIG);
    for path in
        ["/v1/models?client_version=0.50.0", "/models?client_version=1", "/openai/v1/models?client_version=1"]
    {
        let list = ask(&proxy, path, &[]);
        assert_eq!(ids(&list["models"], "slug"), ["alpha", "beta/with/slash", "claude-x"], "{path}");
        assert_eq!(list["models"][0]["context_window"], 1000);
    }
}

#[test]
fn several_targets_have_what_all_of_them_have() {
    let model = |tools: &str| format!("{{context: 10, tools: {tools}}}");
    for (first, second, form) in [
        ("{apply_patch: freeform}", "{apply_patch: freeform}", Some("freeform")),
        ("{apply_patch: freeform}", "{apply_patch: function}", None),
        ("{parallel: true}", "{apply_patch: function}", None),
        ("false", "{apply_patch: function}", None),
    ] {
        let models = format!("models: {{m: {}, n: {}}}", model(first), model(second));
        let proxy = Proxy::start(&format!(
            "version: 1\nlisten: 127.0.0.1:0\nproviders:\n  up: {{protocol: openai-chat, base_url: 'http://127.0.0.1:9/v1', {models}}}\n\
             models: {{a: {{targets: [{{to: up/m}}, {{to: up/n}}]}}}}\n"
        ));
        let told = ask(&proxy, "/v1/models/a", &[]);
        let told = told["x_llmgate"]["surface"]["tools"]["apply_patch_transport"].as_str().map(str::to_owned);
        assert_eq!(told.as_deref(), form, "{first} {second}");
    }
}

/// LlamaIndex asks for the model before it uses it.
#[test]
fn a_name_that_leads_somewhere_need_not_be_listed() {
    let proxy = Proxy::start(CONFIG);
    for name in ["gamma", "pattern-x", "up/m", "what-the-only-provider-may-have"] {
        assert_eq!(ask(&proxy, &format!("/v1/models/{name}"), &[])["id"], name);
        assert_eq!(ask(&proxy, &format!("/v1beta/models/{name}"), &[])["name"], format!("models/{name}"));
    }
}

#[test]
fn a_name_that_leads_nowhere_is_told() {
    let proxy = Proxy::start(CONFIG);
    for (path, header, protocol) in [
        ("/v1/models/delta", "x-other", "openai"),
        ("/v1/models/delta", "anthropic-version", "anthropic"),
        ("/models/delta", "x-goog-api-key", "gemini"),
        ("/anthropic/v1/models/delta", "x-goog-api-key", "anthropic"),
        ("/v1beta/models/delta", "x-other", "gemini"),
    ] {
        let answer = proxy.ask("GET", path, &[(header, "1")], "");
        assert_eq!(answer.status(), 404);
        let body = answer.json();
        match protocol {
            "openai" => assert_eq!(body["error"]["code"], "model_not_found"),
            "anthropic" => assert_eq!(body["error"]["type"], "not_found_error"),
            _ => assert_eq!(body["error"]["status"], "NOT_FOUND"),
        }
    }
}

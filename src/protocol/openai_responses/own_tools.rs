//! Tools that are a type of their own in Responses and run at the client: `local_shell`, `shell`,
//! `apply_patch`, `tool_search`. A model of another protocol is offered functions of that name with
//! the documented arguments; their calls go back to the client as the items that it knows.
//! <https://platform.openai.com/docs/api-reference/responses>

use serde_json::Value;

use crate::base::object::{Object, object};
use crate::base::pen::{self, Pen};
use crate::base::tree::Tree;
use crate::ir::request::{ResultPart, ToolCall, ToolResult};
use crate::ir::schema::Schema;
use crate::ir::tool::CallKind;
use crate::protocol::fields::Fields;
use crate::protocol::wire::WireError;

/// The kind of call, and the arguments, of a tool that needs no parameters of its own.
pub(super) fn offered(kind: &str, tool: &mut Fields<'_>) -> Option<(CallKind, Schema)> {
    match kind {
        "local_shell" => Some((CallKind::LocalShell, schema(LOCAL_SHELL))),
        "apply_patch" => Some((CallKind::ApplyPatch, schema(APPLY_PATCH))),
        "shell" => {
            let place = tool.take("environment");
            let place = place.as_ref().and_then(|place| place.text("type"));
            // A container runs at its vendor.
            place.is_none_or(|place| place == "local").then(|| (CallKind::Shell, schema(SHELL)))
        }
        _ => None,
    }
}

/// Is a type of tools such a tool?
pub(super) fn is_one(kind: &str) -> bool {
    matches!(kind, "local_shell" | "shell" | "apply_patch" | "tool_search")
}

/// The arguments of `local_shell`.
const LOCAL_SHELL: &str = r#"{"type": "object", "properties": {
    "type": {"type": "string", "enum": ["exec"]},
    "command": {"type": "array", "items": {"type": "string"}},
    "timeout_ms": {"type": "integer"},
    "working_directory": {"type": "string"},
    "env": {"type": "object", "additionalProperties": {"type": "string"}}
}, "required": ["command"]}"#;

const SHELL: &str = r#"{"type": "object", "properties": {
    "commands": {"type": "array", "items": {"type": "string"}},
    "timeout_ms": {"type": "integer"},
    "max_output_length": {"type": "integer"}
}, "required": ["commands"]}"#;

const APPLY_PATCH: &str = r#"{"type": "object", "properties": {
    "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
    "path": {"type": "string"},
    "diff": {"type": "string", "description": "Lines in the V4A diff format; none to delete a file."}
}, "required": ["type", "path"]}"#;

/// A schema that is written above.
fn schema(text: &str) -> Schema {
    Schema::of(&Tree::read(text).unwrap_or_default())
}

/// The tool of a call item, and the member that holds its arguments.
pub(super) fn of_item(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "tool_search_call" => Some(("tool_search", "arguments")),
        "local_shell_call" => Some(("local_shell", "action")),
        "shell_call" => Some(("shell", "action")),
        "apply_patch_call" => Some(("apply_patch", "operation")),
        _ => None,
    }
}

/// Does a call item, or what it gave, belong to a tool that ran at the vendor? Takes the members that
/// say so.
pub(super) fn is_of_server(item: &mut Fields<'_>) -> Result<bool, WireError> {
    let place = item.take("environment");
    let place = place.as_ref().and_then(|place| place.text("type"));
    let ran_there = item.word("execution")?.is_some_and(|execution| execution == "server");
    Ok(ran_there || place.is_some_and(|place| place != "local"))
}

/// Reads a call item of such a tool.
pub(super) fn call(item: &mut Fields<'_>, name: &str, field: &'static str) -> Result<ToolCall, WireError> {
    let arguments = match item.take(field) {
        Some(Tree::Text(text)) => text.into_owned(),
        Some(value) => pen::written(&value),
        None => String::new(),
    };
    let id = item.text("call_id")?.unwrap_or_default();
    Ok(ToolCall { id, name: name.to_owned(), arguments, free_form: false, state: None })
}

/// What the client calls an item of that kind.
pub(super) fn item_kind(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Function => "function_call",
        CallKind::Custom => "custom_tool_call",
        CallKind::ToolSearch => "tool_search_call",
        CallKind::LocalShell => "local_shell_call",
        CallKind::Shell => "shell_call",
        CallKind::ApplyPatch => "apply_patch_call",
    }
}

/// Writes the members of a call item that are its own, with all that its type demands; `arguments` is
/// JSON text.
pub(super) fn item(kind: CallKind, arguments: &str, pen: &mut Pen<'_>) {
    let mut given = object(arguments);
    match kind {
        CallKind::ToolSearch => {
            pen.put("execution", "client");
            pen.put("arguments", &Value::from(given));
        }
        CallKind::LocalShell => {
            given.put("type", "exec");
            given.put_new("command", Vec::<&str>::new());
            given.put_new("env", Object::default());
            pen.put("action", &Value::from(given));
        }
        CallKind::Shell => {
            given.put_new("commands", Vec::<&str>::new());
            given.put_new("timeout_ms", ());
            given.put_new("max_output_length", ());
            pen.put("action", &Value::from(given));
        }
        CallKind::ApplyPatch => pen.put("operation", &Value::from(given)),
        CallKind::Function | CallKind::Custom => {}
    }
}

/// Arguments where an object is demanded (SPEC 8.4).
fn object(arguments: &str) -> Object {
    match Object::read(arguments) {
        Some(object) => object,
        None if arguments.trim().is_empty() => Object::default(),
        None => object! {"_raw": arguments},
    }
}

/// Reads what `shell` gave: the outputs of its commands, in order.
pub(super) fn shell_result(item: &mut Fields<'_>) -> Result<ToolResult, WireError> {
    let id = item.text("call_id")?.unwrap_or_default();
    item.skip("max_output_length");
    let text = match item.take("output") {
        Some(Tree::Text(text)) => text.into_owned(),
        Some(Tree::List(outputs)) => outputs.iter().map(told).collect::<Vec<_>>().join("\n"),
        Some(other) => pen::written(&other),
        None => String::new(),
    };
    Ok(ToolResult { id, name: None, content: vec![ResultPart::Text(text)], failed: false })
}

/// The output of one command, and how it ended.
fn told(output: &Tree<'_>) -> String {
    let text = |name: &str| output.text(name).unwrap_or_default();
    let outcome = output.get("outcome");
    let ended = match outcome.and_then(|outcome| outcome.get("exit_code")) {
        Some(code) => format!("Exit code: {}", pen::written(code)),
        None if outcome.is_some() => "Timed out.".to_owned(),
        None => String::new(),
    };
    let parts = [text("stdout"), text("stderr"), ended.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_all_that_its_type_demands() {
        let written = |kind, arguments: &str| pen::object(|pen| item(kind, arguments, pen));
        assert_eq!(
            written(CallKind::LocalShell, "{}"),
            r#"{"action":{"type":"exec","command":[],"env":{}}}"#
        );
        let shell = r#"{"action":{"commands":["ls"],"timeout_ms":null,"max_output_length":null}}"#;
        assert_eq!(written(CallKind::Shell, r#"{"commands":["ls"]}"#), shell);
        assert_eq!(written(CallKind::Shell, ""), shell.replace("\"ls\"", ""));
    }
}

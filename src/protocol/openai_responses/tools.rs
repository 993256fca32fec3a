//! Codex's tools: containers made flat for the model, and known again by their calls.

use serde_json::Value;

use crate::base::object::{Object, object};
use crate::ir::loss::Losses;
use crate::ir::request::{CallKind, Request, Tool, ToolForm, ToolIdentity};
use crate::protocol::fields::Fields;
use crate::protocol::openai_responses::item_encode::Identities;
use crate::protocol::openai_responses::own_tools;
use crate::protocol::wire::WireError;

/// The name under which a model is offered a tool of a namespace.
pub(super) fn flat_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}__{name}"),
        _ => name.to_owned(),
    }
}

/// The names under which a model is offered a tool, or the tools of a namespace.
pub(super) fn names(tool: &Value) -> Vec<String> {
    let name = |tool: &Value| tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    match tool.get("tools").and_then(Value::as_array) {
        Some(members) => members.iter().map(|member| flat_name(Some(&name(tool)), &name(member))).collect(),
        None => vec![name(tool)],
    }
}

/// Reads a list of tools into a request; a tool that is offered twice is offered once.
pub(super) fn decode(
    list: Vec<Value>,
    path: &str,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    for (index, tool) in list.into_iter().enumerate() {
        let mut tool = Fields::of(tool, format!("{path}[{index}]"))?;
        let kind = tool.text("type")?.unwrap_or_else(|| "function".to_owned());
        request.search |= kind.starts_with("web_search");
        if kind != "namespace" {
            add(read(tool, &kind, None, losses)?, request);
            continue;
        }
        let namespace = tool.required_text("name")?;
        let path = tool.at("tools");
        for (inner, member) in tool.list("tools")?.unwrap_or_default().into_iter().enumerate() {
            let mut member = Fields::of(member, format!("{path}[{inner}]"))?;
            let kind = member.text("type")?.unwrap_or_else(|| "function".to_owned());
            add(read(member, &kind, Some(&namespace), losses)?, request);
        }
    }
    Ok(())
}

fn add(tool: Option<Tool>, request: &mut Request) {
    let Some(tool) = tool else { return };
    // In its place, so that what stands before a history stays the same (SPEC 8.8).
    match request.tools.iter_mut().find(|known| known.name == tool.name) {
        Some(known) => *known = tool,
        None => request.tools.push(tool),
    }
}

fn read(
    mut tool: Fields,
    kind: &str,
    namespace: Option<&str>,
    losses: &mut Losses,
) -> Result<Option<Tool>, WireError> {
    let description = tool.text("description")?;
    let (name, form, call) = match kind {
        "function" => {
            let name = tool.required_text("name")?;
            let form = function(tool.schema("parameters")?, tool.flag("strict")?);
            // Deferred tools are offered like all others: who searches for them is the client.
            tool.take("defer_loading");
            tool.take("output_schema");
            (name, form, CallKind::Function)
        }
        "custom" => {
            let name = tool.required_text("name")?;
            let format = tool.take("format");
            let grammar =
                format.as_ref().and_then(|format| format.get("definition")?.as_str().map(str::to_owned));
            tool.take("defer_loading");
            (name, ToolForm::FreeForm { grammar }, CallKind::Custom)
        }
        "tool_search" if tool.text("execution")?.as_deref() == Some("client") => {
            let form = function(tool.schema("parameters")?, None);
            ("tool_search".to_owned(), form, CallKind::ToolSearch)
        }
        own => match own_tools::offered(own, &mut tool) {
            Some((call, schema)) => (own.to_owned(), function(Some(schema), None), call),
            None => {
                losses.degrade(tool.at("type"), format!("the tool {own:?} runs at its own vendor only"));
                return Ok(None);
            }
        },
    };
    tool.lose_rest(losses);
    let identity =
        Some(ToolIdentity { namespace: namespace.map(str::to_owned), name: name.clone(), kind: call });
    Ok(Some(Tool { name: flat_name(namespace, &name), description, form, identity }))
}

/// How the client knows the tools that were made flat, by their flat names.
pub(super) fn identities(tools: &[Tool]) -> Identities {
    let known = tools.iter().filter_map(|tool| Some((tool.name.clone(), tool.identity.clone()?)));
    known.collect()
}

fn function(schema: Option<Value>, strict: Option<bool>) -> ToolForm {
    let schema = schema.unwrap_or_else(|| object! {"type": "object", "properties": Object::default()}.into());
    ToolForm::Function { schema, strict }
}

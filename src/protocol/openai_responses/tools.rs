//! Codex's tools: containers made flat for the model, and known again by their calls.

use std::borrow::Cow;

use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::Request;
use crate::ir::schema::Schema;
use crate::ir::search::Search;
use crate::ir::tool::{CallKind, Tool, ToolForm, ToolIdentity};
use crate::protocol::fields::{Fields, Objects};
use crate::protocol::openai;
use crate::protocol::openai_responses::item_encode::Identities;
use crate::protocol::openai_responses::own_tools;
use crate::protocol::path::Path;
use crate::protocol::search;
use crate::protocol::wire::WireError;

/// The name under which a model is offered a tool of a namespace.
pub(super) fn flat_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}__{name}"),
        _ => name.to_owned(),
    }
}

/// The names under which a model is offered a tool, or the tools of a namespace.
pub(super) fn names(tool: &Tree<'_>) -> Vec<String> {
    let name = tool.text("name").unwrap_or_default();
    let flat = |member: &Tree<'_>| flat_name(Some(name), member.text("name").unwrap_or_default());
    match tool.list("tools") {
        Some(members) => members.iter().map(flat).collect(),
        None => vec![name.to_owned()],
    }
}

/// Reads a list of tools into a request; a tool that is offered twice is offered once.
pub(super) fn decode(
    list: Vec<Tree<'_>>,
    path: &Path,
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    for tool in Objects::of(list, path.clone()) {
        let mut tool = tool?;
        let kind = kind_of(&mut tool)?;
        // Codex may want what was stored of the web alone, which no other vendor has.
        let is_live = tool.peek("external_web_access") != Some(&Tree::Bool(false));
        if kind.starts_with("web_search") && is_live {
            request.search = Some(search(tool, losses)?);
            continue;
        }
        if kind != "namespace" {
            add(read(tool, &kind, None, losses)?, request);
            continue;
        }
        let namespace = tool.required_word("name")?;
        for member in tool.objects("tools")? {
            let mut member = member?;
            let kind = kind_of(&mut member)?;
            add(read(member, &kind, Some(&namespace), losses)?, request);
        }
        // Each of its tools is described; what is said of all of them has no place.
        tool.skip("description");
        tool.lose_rest(losses);
    }
    Ok(())
}

/// <https://platform.openai.com/docs/guides/tools-web-search>
fn search(mut tool: Fields<'_>, losses: &mut Losses) -> Result<Search, WireError> {
    // How much of what is found, and what it may be, each vendor knows best.
    ["external_web_access", "search_context_size", "search_content_types"]
        .iter()
        .for_each(|name| tool.skip(name));
    let path = tool.path().to_string();
    let place = search::place(&mut tool)?;
    let mut domains = Vec::new();
    if let Some(mut filters) = tool.object("filters")? {
        domains = search::domains(&mut filters, "allowed_domains")?;
        filters.lose_rest(losses);
    }
    tool.lose_rest(losses);
    Ok(Search { path, alone: false, domains, place })
}

/// The type of a tool.
fn kind_of<'a>(tool: &mut Fields<'a>) -> Result<Cow<'a, str>, WireError> {
    Ok(tool.word("type")?.unwrap_or(Cow::Borrowed("function")))
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
    mut tool: Fields<'_>,
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
            tool.skip("defer_loading");
            tool.skip("output_schema");
            (name, form, CallKind::Function)
        }
        "custom" => {
            let name = tool.required_text("name")?;
            let format = tool.take("format");
            let grammar = format.and_then(|format| openai::grammar(&format));
            tool.skip("defer_loading");
            (name, ToolForm::FreeForm { grammar }, CallKind::Custom)
        }
        "tool_search" if tool.word("execution")?.as_deref() == Some("client") => {
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

fn function(schema: Option<Schema>, strict: Option<bool>) -> ToolForm {
    ToolForm::Function { schema: schema.unwrap_or_else(Schema::no_arguments), strict }
}

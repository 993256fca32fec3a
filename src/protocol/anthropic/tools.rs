//! A client's tools and its choice of them (SPEC 8.4, 8.5).

use crate::base::table::Table;
use crate::base::tree::Tree;
use crate::ir::loss::Losses;
use crate::ir::request::Request;
use crate::ir::schema::Schema;
use crate::ir::search::Search;
use crate::ir::tool::{Tool, ToolChoice, ToolForm};
use crate::protocol::anthropic::own_tools;
use crate::protocol::anthropic::wire::SEARCH;
use crate::protocol::fields::Fields;
use crate::protocol::search;
use crate::protocol::wire::WireError;

/// It keeps Claude Code's search for tools alive and is never to be called.
const PLACEHOLDER: &str = "DeferredToolPlaceholder";

/// Takes `tools` and `tool_choice`; the conversation may bring tools of its own.
pub(super) fn decode<'a>(
    fields: &mut Fields<'a>,
    messages: &[Tree<'a>],
    request: &mut Request,
    losses: &mut Losses,
) -> Result<(), WireError> {
    let mut list = fields.list("tools")?.unwrap_or_default();
    let declared = list.len();
    messages.iter().for_each(|message| brought(message, &mut list));
    let offered = Offered {
        loaded: loaded(messages),
        // The vendor's own search is left out: what it would find must be offered at once.
        all: list.iter().any(|tool| kind(tool).is_some_and(|kind| kind.starts_with("tool_search_tool"))),
    };
    let alone = !list.is_empty() && list.iter().all(is_server);
    if alone && !list.iter().any(is_search) {
        losses.refuse("tools", "all of them run at their vendor");
    }
    // Behind the others, so that what was offered before stays the beginning of the list.
    let mut late = Vec::new();
    for (index, tool) in list.into_iter().enumerate() {
        let path = if index < declared { fields.at("tools").index(index) } else { fields.at("messages") };
        if is_search(&tool) {
            request.search = Some(search(Fields::of(tool, path)?, alone, losses)?);
            continue;
        }
        if is_server(&tool) {
            losses.degrade(path, "a tool that runs at its vendor");
            continue;
        }
        let is_late = tool.get("defer_loading") == Some(&Tree::Bool(true)) && !offered.all;
        let tools = if is_late { &mut late } else { &mut request.tools };
        let Some(tool) = function(Fields::of(tool, path)?, &offered, losses)? else { continue };
        if index >= declared {
            tools.retain(|known| known.name != tool.name);
        }
        tools.push(tool);
    }
    request.tools.append(&mut late);
    if let Some(choice) = fields.object("tool_choice")? {
        take_choice(choice, request, losses)?;
    }
    Ok(())
}

/// Which of the deferred tools go along.
struct Offered {
    loaded: Table<String, ()>,
    all: bool,
}

fn kind<'t>(tool: &'t Tree<'_>) -> Option<&'t str> {
    tool.text("type")
}

/// Does it run at its vendor?
fn is_server(tool: &Tree<'_>) -> bool {
    kind(tool).is_some_and(|kind| kind != "custom" && own_tools::of_kind(kind).is_none())
}

fn is_search(tool: &Tree<'_>) -> bool {
    kind(tool).is_some_and(|kind| kind.starts_with("web_search"))
}

/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool>
fn search(mut fields: Fields<'_>, alone: bool, losses: &mut Losses) -> Result<Search, WireError> {
    // Other vendors search as often as they like.
    ["type", "name", "max_uses"].iter().for_each(|name| fields.skip(name));
    let search = Search {
        path: fields.path().to_string(),
        alone,
        domains: search::domains(&mut fields, "allowed_domains")?,
        place: search::place(&mut fields)?,
    };
    fields.lose_rest(losses);
    Ok(search)
}

fn function(
    mut fields: Fields<'_>,
    offered: &Offered,
    losses: &mut Losses,
) -> Result<Option<Tool>, WireError> {
    let name = fields.required_text("name")?;
    let deferred = fields.flag("defer_loading")?.unwrap_or(false);
    if name == PLACEHOLDER || (deferred && !offered.all && !offered.loaded.contains_key(&name)) {
        return Ok(None);
    }
    let own = fields.word("type")?.and_then(|kind| own_tools::of_kind(&kind));
    if own.is_some() {
        // How much of a file the client shows.
        fields.skip("max_characters");
    }
    let description = match own {
        Some(own) => Some(own.description.to_owned()),
        None => fields.text("description")?,
    };
    let strict = fields.flag("strict")?;
    let given = fields.schema("input_schema")?;
    let schema = given.or_else(|| own.map(|own| own.schema())).unwrap_or_else(Schema::any);
    fields.lose_rest(losses);
    Ok(Some(Tool { name, description, form: ToolForm::Function { schema, strict }, identity: None }))
}

/// The tools that references anywhere in the history name.
fn loaded(messages: &[Tree<'_>]) -> Table<String, ()> {
    let mut names = Table::default();
    for message in messages {
        let blocks = message.list("content").unwrap_or_default();
        blocks.iter().for_each(|block| gather(block, &mut names));
    }
    names
}

/// Where blocks hold others: results, the vendor's search results, additions of tools, summaries.
const WITHIN: [&str; 4] = ["content", "tool_references", "tool", "tool_changes"];

fn gather(block: &Tree<'_>, names: &mut Table<String, ()>) {
    let named = match kind(block) {
        Some("tool_reference") => reference(block),
        Some("tool_definition") => block.get("definition").and_then(|tool| tool.text("name")),
        _ => None,
    };
    if let Some(name) = named {
        names.extend([(name.to_owned(), ())]);
        return;
    }
    for inner in WITHIN.iter().filter_map(|name| block.get(name)) {
        match inner {
            Tree::List(list) => list.iter().for_each(|block| gather(block, names)),
            value => gather(value, names),
        }
    }
}

/// The tools that additions define on the spot.
fn brought<'a>(block: &Tree<'a>, tools: &mut Vec<Tree<'a>>) {
    if kind(block) == Some("tool_addition") {
        tools.extend(block.get("tool").and_then(|tool| tool.get("definition")).cloned());
        return;
    }
    for inner in ["content", "tool_changes"].iter().filter_map(|name| block.list(name)) {
        inner.iter().for_each(|block| brought(block, tools));
    }
}

/// The name in a reference to a tool.
pub(super) fn reference<'t>(block: &'t Tree<'_>) -> Option<&'t str> {
    block.get("tool_name").or_else(|| block.get("name"))?.as_text()
}

fn take_choice(mut choice: Fields<'_>, request: &mut Request, losses: &mut Losses) -> Result<(), WireError> {
    request.one_call = choice.flag("disable_parallel_tool_use")?.unwrap_or(false);
    request.choice = match choice.required_word("type")?.as_ref() {
        "auto" => Some(ToolChoice::Auto),
        "any" => Some(ToolChoice::Any),
        "none" => Some(ToolChoice::None),
        "tool" => {
            let name = choice.required_text("name")?;
            if request.tools.iter().any(|tool| tool.name == name) {
                Some(ToolChoice::One(name))
            } else if request.search.is_some() && name == SEARCH {
                Some(ToolChoice::Auto)
            } else {
                losses.degrade("tool_choice", "it names a tool that does not go along");
                None
            }
        }
        _ => return Err(choice.wrong("type", "`auto`, `any`, `tool` or `none`")),
    };
    choice.lose_rest(losses);
    Ok(())
}

//! The variables that hold secrets: what a child of llmgate need not see (SPEC 13.1).

use std::path::Path;

use super::expand::named;
use super::file::{self, Kind, Node};
use super::vendors::VENDORS;
use super::{Config, Source};
use crate::base::sort;

/// The variables of known vendors, and those that the configuration's file names: every `${NAME}`
/// and `api_key_env`, of disabled providers too. What every program needs (`HOME`, `PATH`) is not
/// among them, even where a file names it. Sorted.
pub fn secret_variables(config: Option<&Config>) -> Vec<String> {
    let mut names: Vec<String> =
        VENDORS.iter().flat_map(|vendor| vendor.variables).map(|name| (*name).to_owned()).collect();
    names.push("PRESET_ENDPOINT_API_KEY".to_owned());
    names.push("LLMGATE_KEY".to_owned());
    match config.map(|config| &config.source) {
        Some(Source::File(path)) => names.extend(named_in(path)),
        Some(Source::Environment(_) | Source::Demo) | None => {}
    }
    sort::by(&mut names, Ord::cmp);
    names.dedup();
    names
}

fn named_in(path: &Path) -> Vec<String> {
    // It was read a moment ago; if it has gone since, it names nothing.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut names = Vec::new();
    if let Ok(root) = file::parse(text.trim_start_matches('\u{feff}')) {
        collect(&root, &mut names);
    }
    names.retain(|name| !is_everybodys(name));
    names
}

fn collect(node: &Node, names: &mut Vec<String>) {
    match &node.kind {
        Kind::Text(text, _) => names.extend(named(text).into_iter().map(str::to_owned)),
        Kind::List(items) => items.iter().for_each(|item| collect(item, names)),
        Kind::Map(entries) => {
            for (key, node) in entries {
                match &node.kind {
                    Kind::Text(name, _) if key == "api_key_env" => {
                        names.push(name.clone());
                    }
                    _ => {}
                }
                collect(node, names);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Broken => {}
    }
}

fn is_everybodys(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "HOME", "PATH", "PWD", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TMPDIR", "HOSTNAME", "TZ",
        "DISPLAY",
    ];
    NAMES.contains(&name) || name.starts_with("XDG_") || name.starts_with("LC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_in_a_text_is_found() {
        let text =
            "a: '${ONE}x${TWO:-${HOME}}'\nb: [{api_key_env: THREE}, '$FOUR', '${XDG_STATE_HOME}${LC_ALL}']\n";
        let mut names = Vec::new();
        collect(&file::parse(text).unwrap(), &mut names);
        names.retain(|name| !is_everybodys(name));
        assert_eq!(names, ["ONE", "TWO", "THREE"]);
    }
}

//! `${NAME}`, `${NAME:-text}` and `$$` in every text of a tree. It works on the tree, after the
//! parser, so that a variable's value cannot change the structure of the file.

use super::errors::{Errors, Problem};
use super::file::{Kind, Node};
use super::read::{join, spot};
use crate::base::env::Env;

/// Expands a whole file. Disabled providers are left alone: what they name need not be set.
pub(super) fn expand(root: &mut Node, env: &Env, errors: &mut Errors) {
    let Kind::Map(entries) = &mut root.kind else {
        return;
    };
    for (key, node) in entries {
        if key == "providers"
            && let Kind::Map(providers) = &mut node.kind
        {
            for (name, provider) in providers {
                expand_provider(provider, &join(key, name), env, errors);
            }
        } else {
            expand_below(node, key, env, errors);
        }
    }
}

fn expand_provider(provider: &mut Node, path: &str, env: &Env, errors: &mut Errors) {
    if let Some(enabled) = provider.entry_mut("enabled") {
        expand_below(enabled, &join(path, "enabled"), env, errors);
        let off = enabled.switch() == Some(false) || enabled.expanded() == Some("false");
        if off {
            return hide_unexpanded(provider);
        }
    }
    expand_below(provider, path, env, errors);
}

/// Takes what was not expanded out of sight, so that it is not judged as a value.
fn hide_unexpanded(node: &mut Node) {
    match &mut node.kind {
        Kind::Text(text, None) if text.contains("${") => node.kind = Kind::Broken,
        Kind::List(items) => items.iter_mut().for_each(hide_unexpanded),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, node)| hide_unexpanded(node)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(..) | Kind::Broken => {}
    }
}

fn expand_below(node: &mut Node, path: &str, env: &Env, errors: &mut Errors) {
    match &mut node.kind {
        Kind::Text(text, written @ None) if text.contains('$') => match expanded(text, env) {
            Ok(value) => *written = Some(std::mem::replace(text, value)),
            Err(problem) => {
                errors.push(&spot(node, path), problem, None);
                node.kind = Kind::Broken;
            }
        },
        Kind::List(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                expand_below(item, &format!("{path}[{i}]"), env, errors);
            }
        }
        Kind::Map(entries) => {
            for (key, node) in entries {
                expand_below(node, &join(path, key), env, errors);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(..) | Kind::Broken => {}
    }
}

fn expanded(text: &str, env: &Env) -> Result<String, Problem> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some((inside, after)) = inside.split_once('}') else {
                return Err(Problem::Refuse("`${` has no closing `}`".to_owned()));
            };
            out.push_str(value(inside, env)?);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn value<'a>(inside: &'a str, env: &'a Env) -> Result<&'a str, Problem> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_variable(name) {
        let reason = "`${}` takes the name of a variable: letters, digits and _";
        return Err(Problem::Refuse(reason.to_owned()));
    }
    if default.is_some_and(|default| default.contains("${")) {
        let reason = "the default of a variable holds no other variable: `${` stands inside `${}`";
        return Err(Problem::Refuse(reason.to_owned()));
    }
    env.var(name).or(default).ok_or_else(|| Problem::UnsetVariable(name.to_owned()))
}

/// The names in the `${}` of a text.
pub(super) fn named(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after.strip_prefix(['$', '{']).unwrap_or(after);
        if after.starts_with('{') {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            names.push(rest.split_at(end.unwrap_or(rest.len())).0);
        }
    }
    names
}

/// Can this be the name of a variable?
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_defaults_and_dollars() {
        let env = Env::of([("A", "x"), ("EMPTY", ""), ("TRAP", "${A}")]);
        let good = [
            ("a${A}b${A}", "axbx"),
            ("${B:-y}", "y"),
            ("${EMPTY:-y}", "y"),
            ("${B:-}", ""),
            ("$$A $${A} $x $", "$A ${A} $x $"),
            ("${TRAP}", "${A}"),
        ];
        for (text, value) in good {
            assert_eq!(expanded(text, &env).unwrap(), value);
        }
        assert_eq!(named("$$A $${A} $x $ $$${B}-${EMPTY:-y}"), ["B", "EMPTY"]);
        for bad in ["${B}", "${A", "${}", "${1}", "${A B}", "${B:-${A}}", "${A:-${B}}"] {
            assert!(expanded(bad, &env).is_err(), "{bad}");
        }
    }
}

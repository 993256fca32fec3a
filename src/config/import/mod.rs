//! Other tools' files -> ours (SPEC 12). Text in, text out; what is not carried over is named.
//!
//! A format is a file and a row of [`Format`]'s table. None of them is TOML: `file` reads them all.

use std::fmt;

use serde_json::{Map, Value};

use super::file;
use ours::Ours;
use section::{Report, Section};

pub use section::{Fate, Remark};

mod claude_code_router;
mod comments;
mod instawork;
mod litellm;
mod llm_router;
mod llmfail;
mod llmup;
mod ococl;
mod ours;
mod section;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// llmfail.
    Llmfail,
    /// ococl/llm-proxy.
    Ococl,
    /// @khanglvm/llm-router.
    LlmRouter,
    /// Instawork/llm-proxy.
    Instawork,
    /// agentsmith-project/llm-universal-proxy.
    Llmup,
    /// BerriAI/litellm.
    Litellm,
    /// musistudio/claude-code-router.
    ClaudeCodeRouter,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Whose file it was.
    pub format: Format,
    /// Ours.
    pub yaml: String,
    /// Is there no provider in it?
    pub is_empty: bool,
    /// What is not in it, or otherwise than its user may expect.
    pub remarks: Vec<Remark>,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is neither YAML nor JSON; the parser's reason.
    Syntax(String),
    /// It has the form of no known tool's file.
    Unknown,
    /// It has not the form of that tool's file.
    Other(Format),
    /// It is a configuration of llmgate's already.
    Ours,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(reason) => write!(f, "{reason}"),
            Self::Unknown => {
                let known = Format::ROWS.iter().map(|row| format!("{} ({})", row.name, row.sign));
                let known: Vec<String> = known.collect();
                write!(
                    f,
                    "this is the file of no tool that is known: {}. Name one with --from",
                    known.join(", ")
                )
            }
            Self::Other(format) => {
                write!(f, "this is no file of {}: it has no {}", format.name(), format.row().sign)
            }
            Self::Ours => f.write_str(
                "this is a configuration of llmgate already: check it with `llmgate config validate --config FILE`",
            ),
        }
    }
}

impl std::error::Error for ImportError {}

/// What is known of a format.
struct Row {
    format: Format,
    name: &'static str,
    /// The key by which it is known.
    sign: &'static str,
    is_it: fn(&Map<String, Value>) -> bool,
    read: fn(Section, &mut Ours, &mut Report),
}

impl Format {
    const ROWS: [Row; 7] = [
        Row {
            format: Self::Llmfail,
            name: "llmfail",
            sign: "list `targets`",
            is_it: |root| is_list(root, "targets"),
            read: llmfail::read,
        },
        Row {
            format: Self::Ococl,
            name: "ococl",
            sign: "list `backends`",
            is_it: |root| is_list(root, "backends"),
            read: ococl::read,
        },
        Row {
            format: Self::LlmRouter,
            name: "llm-router",
            sign: "list `providers`, each with an `id`",
            is_it: |root| {
                let list = root.get("providers").and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|one| one.get("id").is_some()))
            },
            read: llm_router::read,
        },
        Row {
            format: Self::Instawork,
            name: "instawork",
            sign: "section `features`",
            is_it: |root| is_map(root, "features"),
            read: instawork::read,
        },
        Row {
            format: Self::Llmup,
            name: "llmup",
            sign: "section `upstreams`",
            is_it: |root| is_map(root, "upstreams"),
            read: llmup::read,
        },
        Row {
            format: Self::Litellm,
            name: "litellm",
            sign: "list `model_list`",
            is_it: |root| is_list(root, "model_list"),
            read: litellm::read,
        },
        Row {
            format: Self::ClaudeCodeRouter,
            name: "claude-code-router",
            sign: "list `Providers`",
            is_it: |root| is_list(root, "Providers"),
            read: claude_code_router::read,
        },
    ];

    /// The names, as `--from` takes them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ROWS.iter().map(|row| row.name)
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ROWS.iter().find(|row| row.name == name).map(|row| row.format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    fn row(self) -> &'static Row {
        let [first, rest @ ..] = &Self::ROWS;
        rest.iter().find(|row| row.format == self).unwrap_or(first)
    }
}

/// Makes our file of another tool's; `None` recognises whose it is.
///
/// # Errors
/// Nothing of it could be read.
pub fn import(text: &str, format: Option<Format>) -> Result<Imported, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let without = text.trim_start().starts_with(['{', '/']).then(|| comments::left_out(text));
    let root = file::parse(without.as_deref().unwrap_or(text));
    let root = root.map_err(|fault| ImportError::Syntax(fault.problem.to_string()))?;
    let Value::Object(root) = root.to_value() else { return Err(ImportError::Unknown) };
    let row = match format {
        Some(format) => format.row(),
        None => Format::ROWS.iter().find(|row| (row.is_it)(&root)).ok_or_else(|| {
            if is_map(&root, "providers") { ImportError::Ours } else { ImportError::Unknown }
        })?,
    };
    if !(row.is_it)(&root) {
        return Err(ImportError::Other(row.format));
    }
    let (mut ours, mut report) = (Ours::default(), Report::default());
    (row.read)(Section::new("", root), &mut ours, &mut report);
    let is_empty = ours.is_empty();
    let yaml = ours.text(row.name, &mut report);
    Ok(Imported { format: row.format, yaml, is_empty, remarks: report.0 })
}

fn is_list(root: &Map<String, Value>, key: &str) -> bool {
    root.get(key).is_some_and(Value::is_array)
}

fn is_map(root: &Map<String, Value>, key: &str) -> bool {
    root.get(key).is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_row() {
        for row in &Format::ROWS {
            assert_eq!(Format::named(row.name), Some(row.format));
            assert_eq!(row.format.name(), row.name);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let refused = |text: &str, format| import(text, format).map(|it| it.yaml).unwrap_err();
        assert!(matches!(refused("a: [", None), ImportError::Syntax(_)));
        assert_eq!(refused("a: 1", None), ImportError::Unknown);
        assert_eq!(refused("[1]", None), ImportError::Unknown);
        assert_eq!(refused("version: 1\nproviders: {a: {}}", None), ImportError::Ours);
        let other = refused("upstreams: {}", Some(Format::Ococl));
        assert_eq!(other.to_string(), "this is no file of ococl: it has no list `backends`");
    }

    #[test]
    fn json_may_have_comments() {
        let text = "\u{feff} \n// mine\n{\"Providers\": [ // all\n  /* one */ {\"name\": \"a\",\n  // where\n\
                    \"api_base_url\": \"https://a.example/v1/chat/completions\", \"models\": [\"m\"],},]}";
        let imported = import(text, None).unwrap();
        assert_eq!(imported.format, Format::ClaudeCodeRouter);
        assert!(imported.yaml.contains("https://a.example/v1"), "{}", imported.yaml);
    }

    #[test]
    fn words_of_others_become_ours() {
        for (word, here) in [
            ("Failover", Some("ordered")),
            ("random", Some("random")),
            ("rr", Some("round-robin")),
            ("weighted_round_robin", Some("weighted-rr")),
            ("quota-aware-weighted-rr", Some("quota-aware-weighted-rr")),
            ("cheapest", None),
        ] {
            assert_eq!(ours::strategy(word), here, "{word}");
        }
    }

    #[test]
    fn no_remark_tells_a_value() {
        let text = "backends: [{name: a, url: 'https://a.example', api_key: {x: k-0123456789}, key: k-0123456789}]\n\
                    proxy_api_key: [k-0123456789]\n";
        let imported = import(text, None).unwrap();
        assert!(imported.remarks.len() >= 3);
        for remark in imported.remarks {
            assert!(!remark.to_string().contains("k-0123456789"), "{remark}");
        }
    }
}

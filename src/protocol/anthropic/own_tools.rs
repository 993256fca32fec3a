//! Tools that are a type of their own in Messages and run at the client: `bash`, the text editor,
//! `memory`. Claude knows their arguments by heart; a model of another protocol is offered functions
//! of the same name, with the documented arguments, and the client sees calls as it knows them.
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>

use crate::base::tree::Tree;
use crate::ir::schema::Schema;

/// A tool that Claude knows by heart.
pub(super) struct OwnTool {
    /// How its types begin; a date follows.
    kind: &'static str,
    /// What it does, in words.
    pub(super) description: &'static str,
    arguments: &'static str,
}

/// The first whose `kind` a type begins with is meant.
static OWN_TOOLS: [OwnTool; 5] = [
    OwnTool {
        kind: "bash_",
        description: "Runs a command in a bash session that lasts from call to call.",
        arguments: BASH,
    },
    OwnTool { kind: "text_editor_20241022", description: EDITOR, arguments: EDIT_AND_UNDO },
    OwnTool { kind: "text_editor_20250124", description: EDITOR, arguments: EDIT_AND_UNDO },
    OwnTool { kind: "text_editor_", description: EDITOR, arguments: EDIT },
    OwnTool {
        kind: "memory_",
        description: "Keeps files below /memories from one conversation to the next. View that folder first.",
        arguments: REMEMBER,
    },
];

const EDITOR: &str = "Views, creates and edits text files.";

const BASH: &str = r#"{"type": "object", "properties": {
    "command": {"type": "string", "description": "Needed unless `restart` is true."},
    "restart": {"type": "boolean", "description": "Begin the session anew."}
}}"#;

/// Arguments of a tool that works on files: its commands, which arguments it always needs, and those that
/// only it has.
macro_rules! on_files {
    ($commands:literal, $needed:literal, $more:literal) => {
        concat!(
            r#"{"type": "object", "properties": {"command": {"type": "string", "enum": ["#,
            $commands,
            r#"]},
    "path": {"type": "string", "description": "The file, or the folder to view."},
    "view_range": {"type": "array", "items": {"type": "integer"}, "description": "First and last line to view, from 1; -1 is the end."},
    "file_text": {"type": "string", "description": "For `create`."},
    "old_str": {"type": "string", "description": "For `str_replace`: it must stand in the file once, exactly so."},
    "insert_line": {"type": "integer", "description": "For `insert`: the line before the new text, 0 for the beginning."},
    "#,
            $more,
            r#"}, "required": ["#,
            $needed,
            "]}"
        )
    };
}

const EDIT: &str = on_files!(
    r#""view", "create", "str_replace", "insert""#,
    r#""command", "path""#,
    r#""new_str": {"type": "string", "description": "For `str_replace`."},
    "insert_text": {"type": "string", "description": "For `insert`."}"#
);

/// These could take back an edit, and called the text of `insert` otherwise.
const EDIT_AND_UNDO: &str = on_files!(
    r#""view", "create", "str_replace", "insert", "undo_edit""#,
    r#""command", "path""#,
    r#""new_str": {"type": "string", "description": "For `str_replace` and `insert`."}"#
);

const REMEMBER: &str = on_files!(
    r#""view", "create", "str_replace", "insert", "delete", "rename""#,
    r#""command""#,
    r#""new_str": {"type": "string", "description": "For `str_replace`."},
    "insert_text": {"type": "string", "description": "For `insert`."},
    "old_path": {"type": "string", "description": "For `rename`."},
    "new_path": {"type": "string", "description": "For `rename`."}"#
);

/// The tool that a type means, if it is one that runs at the client.
pub(super) fn of_kind(kind: &str) -> Option<&'static OwnTool> {
    OWN_TOOLS.iter().find(|tool| kind.starts_with(tool.kind))
}

impl OwnTool {
    /// What its calls take.
    pub(super) fn schema(&self) -> Schema {
        Schema::of(&Tree::read(self.arguments).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_takes_an_object() {
        for tool in &OWN_TOOLS {
            let arguments = Tree::read(tool.arguments).unwrap();
            assert_eq!(arguments.text("type"), Some("object"), "{}", tool.kind);
        }
    }

    #[test]
    fn the_type_tells_the_arguments() {
        for (kind, name_of_text) in
            [("text_editor_20250728", "\"insert_text\""), ("text_editor_20250124", "\"undo_edit\"")]
        {
            assert!(of_kind(kind).unwrap().schema().text().contains(name_of_text), "{kind}");
        }
        for other in ["custom", "code_execution_20260120", "computer_20250124", "web_fetch_20250910"] {
            assert!(of_kind(other).is_none(), "{other}");
        }
    }
}

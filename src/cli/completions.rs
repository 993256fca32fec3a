//! `completions`: scripts for shells, made of the command table.

use std::fmt::Write;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::sort;
use crate::cli::args::{Given, Mistake, first_words};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, COMMANDS, Command, Flag, Row, Takes, Word};

pub(super) static ROW: Row = Row {
    name: "completions",
    aliases: &[],
    summary: "print a script that completes these commands in a shell",
    about: "bash: source it, or put it into ~/.local/share/bash-completion/completions/llmgate. zsh: put it \
            into a folder of $fpath as _llmgate. fish: put it into ~/.config/fish/completions/llmgate.fish.",
    words: &[Word { name: "SHELL", help: "the shell", optional: false, one_of: &["bash", "zsh", "fish"] }],
    rest: None,
    flags: &[],
    codes: CODES,
    command: read,
};

#[derive(Clone, Copy)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(match given.word(0) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        Some(_) | None => Shell::Bash,
    }))
}

impl Command for Shell {
    fn run(self: Box<Self>, _env: Env) -> Result<ExitCode, Refusal> {
        say(match *self {
            Self::Bash => bash(),
            Self::Zsh => zsh(),
            Self::Fish => fish(),
        }
        .trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

fn bash() -> String {
    let mut text = String::from(
        "# bash completion of llmgate\n_llmgate() {\n    local cur=${COMP_WORDS[COMP_CWORD]} \
         prev=${COMP_WORDS[COMP_CWORD-1]} words=\n    COMPREPLY=()\n    # What stands behind -- is another \
         program's.\n    case \" ${COMP_WORDS[*]:1:COMP_CWORD-1} \" in *' -- '*) return ;; esac\n    case $prev \
         in\n",
    );
    for flag in flags_with_values() {
        let names = spellings(flag).join("|");
        let reply = match flag.takes {
            Takes::OneOf(_, words) => {
                format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); ", words.join(" "))
            }
            // Where nothing is offered, bash looks for files, in its own quotes.
            Takes::Path(_) | Takes::Text(_) | Takes::Nothing => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "        {names}) {reply}return ;;");
    }
    text.push_str("    esac\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    for row in COMMANDS {
        let patterns: Vec<String> = row
            .names()
            .map(|name| if name.contains(' ') { format!("\"{name}\"*") } else { format!("\"{name} \"*") })
            .collect();
        let _ = writeln!(text, "        {}) words=\"{}\" ;;", patterns.join("|"), offers(row).join(" "));
    }
    for (group, seconds) in groups() {
        let _ = writeln!(text, "        \"{group} \"*) words=\"{}\" ;;", seconds.join(" "));
    }
    let mut first: Vec<&str> = first_words().collect();
    first.dedup();
    let _ = write!(
        text,
        "    esac\n    [ \"$COMP_CWORD\" -eq 1 ] && words=\"{} --help --version\"\n    COMPREPLY=($(compgen -W \
         \"$words\" -- \"$cur\"))\n}}\ncomplete -o default -F _llmgate llmgate\n",
        first.join(" ")
    );
    text
}

fn zsh() -> String {
    let mut text = String::from("#compdef llmgate\n_llmgate() {\n  local -a commands\n");
    let mut commands = Vec::new();
    for row in COMMANDS.iter().filter(|row| row.group().is_none()) {
        commands
            .extend(row.names().map(|name| format!("'{name}:{}'", quoted(row.summary).replace(':', "\\:"))));
    }
    commands.extend(groups().iter().map(|(group, _)| format!("'{group}:its commands\\: see --help'")));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  commands=({})", commands.join(" "));
    text.push_str("  if (( CURRENT == 2 )); then _describe command commands; return; fi\n");
    for (group, seconds) in groups() {
        let _ = writeln!(
            text,
            "  if (( CURRENT == 3 )) && [[ $words[2] == {group} ]]; then compadd {}; return; fi",
            seconds.join(" ")
        );
    }
    text.push_str("  case \"$words[2] $words[3]\" in\n");
    for row in COMMANDS {
        let patterns: Vec<String> = row.names().map(|name| format!("'{name}'*")).collect();
        let mut specs: Vec<String> = row.flags.iter().flat_map(|flag| zsh_specs(flag)).collect();
        specs.push("'--help[what it takes]'".to_owned());
        specs.extend(row.words.iter().filter_map(zsh_word));
        specs.extend(row.rest.map(|_| "'*:ARGS:_files'".to_owned()));
        // The words of the command's name are no arguments of its.
        let name = row.name.split(' ').count();
        let (patterns, specs) = (patterns.join("|"), specs.join(" "));
        let _ = writeln!(
            text,
            "    {patterns}) shift {name} words; (( CURRENT -= {name} )); _arguments {specs} ;;"
        );
    }
    text.push_str("  esac\n}\n_llmgate \"$@\"\n");
    text
}

/// What a word may be: one of some, or a file.
fn zsh_word(word: &Word) -> Option<String> {
    match word.one_of {
        [] if is_file(word) => Some(format!("'1:{}:_files'", word.name)),
        [] => None,
        words => Some(format!("'1:{}:({})'", word.name, words.join(" "))),
    }
}

fn is_file(word: &Word) -> bool {
    word.name == "FILE"
}

fn zsh_specs(flag: &Flag) -> Vec<String> {
    let value = match flag.takes {
        Takes::Nothing => String::new(),
        Takes::Text(name) => format!(":{name}: "),
        Takes::Path(name) => format!(":{name}:_files"),
        Takes::OneOf(name, words) => format!(":{name}:({})", words.join(" ")),
    };
    let help = quoted(flag.help);
    spellings(flag).iter().map(|name| format!("'{name}[{help}]{value}'")).collect()
}

fn fish() -> String {
    let mut text = String::from("# fish completion of llmgate\ncomplete -c llmgate -f\n");
    for row in COMMANDS.iter().filter(|row| row.group().is_none()) {
        for name in row.names() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "complete -c llmgate -n __fish_use_subcommand -a {name} -d '{}'",
                quoted(row.summary)
            );
        }
    }
    for (group, seconds) in groups() {
        let _ = writeln!(text, "complete -c llmgate -n __fish_use_subcommand -a {group}");
        let _ = writeln!(
            text,
            "complete -c llmgate -n '__fish_seen_subcommand_from {group}; and not __fish_seen_subcommand_from \
             {0}' -a '{0}'",
            seconds.join(" ")
        );
    }
    for row in COMMANDS {
        let names: Vec<&str> = row.names().filter_map(|name| name.split(' ').next_back()).collect();
        // Two groups may have a command of one name.
        let group = row.group().map(|group| format!("__fish_seen_subcommand_from {group}; and "));
        let when = format!("{}__fish_seen_subcommand_from {}", group.unwrap_or_default(), names.join(" "));
        if row.words.iter().any(is_file) {
            let _ = writeln!(text, "complete -c llmgate -n '{when}' -F");
        }
        for word in row.words.iter().filter(|word| !word.one_of.is_empty()) {
            let _ = writeln!(text, "complete -c llmgate -n '{when}' -a '{}'", word.one_of.join(" "));
        }
        for flag in row.flags {
            let value = match flag.takes {
                Takes::Nothing => String::new(),
                Takes::Text(_) => " -x".to_owned(),
                Takes::Path(_) => " -r -F".to_owned(),
                Takes::OneOf(_, words) => format!(" -x -a '{}'", words.join(" ")),
            };
            let help = quoted(flag.help);
            let _ = writeln!(text, "complete -c llmgate -n '{when}' -l {}{value} -d '{help}'", flag.name);
        }
    }
    text
}

/// Groups and the second words in them.
fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (group, second) in COMMANDS.iter().flat_map(|row| row.names()).filter_map(|name| name.split_once(' '))
    {
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, seconds)) => seconds.push(second),
            None => groups.push((group, vec![second])),
        }
    }
    sort::by_key(&mut groups, |(group, _)| *group);
    groups
}

/// Options that take a value; one name means the same everywhere.
fn flags_with_values() -> Vec<&'static Flag> {
    let flags = COMMANDS.iter().flat_map(|row| row.flags).filter(|flag| flag.value().is_some());
    let mut flags: Vec<_> = flags.copied().collect();
    sort::by_key(&mut flags, |flag| flag.name);
    flags.dedup_by_key(|flag| flag.name);
    flags
}

fn spellings(flag: &Flag) -> Vec<String> {
    std::iter::once(flag.name).chain(flag.alias).map(|name| format!("--{name}")).collect()
}

/// What may stand after a command's name.
fn offers(row: &Row) -> Vec<String> {
    let words = row.words.iter().flat_map(|word| word.one_of).map(|word| (*word).to_owned());
    let flags = row.flags.iter().map(|flag| format!("--{}", flag.name));
    words.chain(flags).chain(["--help".to_owned()]).collect()
}

/// Text in single quotes that no shell reads more into.
fn quoted(text: &str) -> String {
    text.replace('\'', "").replace('[', "(").replace(']', ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_every_script() {
        for script in [bash(), zsh(), fish()] {
            for row in COMMANDS {
                assert!(row.name.split(' ').all(|word| script.contains(word)), "{}", row.name);
                assert!(row.flags.iter().all(|flag| script.contains(flag.name)), "{}", row.name);
            }
        }
    }
}

use super::*;

const BLOCK: &str =
    "  new:\n    protocol: openai-chat\n    base_url: https://n/v1\n    api_key_env: NEW_KEY\n";

fn provider(name: &str) -> Entry {
    Entry::provider(name, "https://n/v1", &["openai-chat".to_owned()], Some("NEW_KEY"))
}

fn alias(name: &str, targets: &[&str]) -> Entry {
    let targets: Vec<String> = targets.iter().map(|it| (*it).to_owned()).collect();
    Entry::alias(name, &targets)
}

/// `|` in `text` is where `block` goes, and nothing else changes.
#[track_caller]
fn goes(text: &str, entry: &Entry, block: &str) {
    let (before, after) = text.split_once('|').unwrap();
    let old = format!("{before}{after}");
    let lines = add(&old, entry).unwrap().lines.unwrap_or_else(|| panic!("refused:\n{old}"));
    assert_eq!(lines.text, format!("{before}{block}{after}"));
    let key = lines.text.lines().nth(lines.line - 1).unwrap();
    assert_eq!(yaml::entry(&entry.name, &entry.value).lines().next().unwrap(), key.trim());
}

#[track_caller]
fn is_left_alone(old: &str) {
    let added = add(old, &provider("new")).unwrap();
    assert!(added.lines.is_none(), "{:?}", added.lines);
    let meant = tree(&added.meant).unwrap();
    assert_eq!(meant["providers"]["new"]["api_key_env"], "NEW_KEY", "{old}");
}

#[test]
fn an_entry_comes_last_in_its_section() {
    for text in [
        "providers:\n  a: {x: 1}\n|",
        "providers:\n  a: {x: 1}\n|models:\n  b: a/b\n",
        "version: 1\nproviders:   # all of them\n  a:\n    x: 1\n|\n# Names\nmodels:\n  b: a/b\n",
        "# top\n\nproviders:\n\n  # first\n  a:\n    x: 1   # one\n\n  b:\n    x:\n      - 1\n|\n\n# end\n",
        "providers:\n  a:\n    x: 1\n    # y: 2\n  # b:\n  #   x: 1\n|# Names\nmodels: {b: a/b}\n",
        "\"providers\":\n  \"a\": {x: 1}\n  'b' : {x: 2}\n|log: {level: info}\n",
        "'providers' :\n  a: {x: [1,\n    2]}\n|",
        "---\nproviders:\n  a: &a {x: 1}\n  b: *a\n|...\n",
        "\u{feff}version: 1\nproviders:\n  a:\n    x: >\n      two\n      # lines\n|models:\n  a: b/c\n",
        "providers:\n|",
        "providers:   \n|models:\n  a: b/c\n",
        "providers: # none yet\n  # a:\n  #   x: 1\n|\nmodels:\n  a: b/c\n",
        "models:\n  providers:\n    targets: []\nproviders:\n  a: {x: 1}\n|",
    ] {
        goes(text, &provider("new"), BLOCK);
    }
}

#[test]
fn it_is_indented_as_the_others_and_ends_its_lines_as_they_do() {
    let four = "    new:\n        protocol: openai-chat\n        base_url: https://n/v1\n        api_key_env: NEW_KEY\n";
    goes("providers:\n    a:\n        x: 1\n|models:\n  b: a/b\n", &provider("new"), four);
    goes("providers:\n  # odd\n    a: {x: 1}\n|", &provider("new"), four);
    let one = " new:\n  protocol: openai-chat\n  base_url: https://n/v1\n  api_key_env: NEW_KEY\n";
    goes("providers:\n a:\n  x: 1\n|", &provider("new"), one);
    let windows = BLOCK.replace('\n', "\r\n");
    goes("version: 1\r\nproviders:\r\n  a:\r\n    x: 1\r\n|\r\nlog: {}\r\n", &provider("new"), &windows);
    goes("version: 1\r\nproviders:\r\n  a: 1|", &provider("new"), &format!("\r\n{windows}"));
    goes("providers:\n  a:\n    x: 1|", &provider("new"), &format!("\n{BLOCK}"));
    goes("providers:|", &provider("new"), &format!("\n{BLOCK}"));
}

#[test]
fn a_section_that_is_missing_is_begun_at_the_end() {
    let whole = format!("\nproviders:\n{BLOCK}");
    goes("version: 1\n|", &provider("new"), &whole);
    goes("version: 1|", &provider("new"), &format!("\n{whole}"));
    goes("version: 1\n# providers:\n#   a: {}\n|", &provider("new"), &whole);
    goes("version: 1\r\n|", &provider("new"), &whole.replace('\n', "\r\n"));
}

#[test]
fn a_layout_that_is_not_understood_is_left_alone() {
    for old in [
        "providers: {a: {x: 1}}\n",
        "providers: {}\n",
        "providers: ~\n",
        "providers: null   # none\n",
        "providers: &all\n  a: {x: 1}\nmodels: {}\n",
        "providers:\n  {a: {x: 1}}\n",
        "{\"version\": 1, \"providers\": {\"a\": {\"x\": 1}}}",
        "{\n\"version\": 1,\n\"providers\":\n{\"a\": {\"x\": 1}}\n}\n",
        "{\"version\": 1}\n",
        "  version: 1\n  providers:\n    a: {x: 1}\n",
        "  version: 1\n",
        "version: 1\n...\n",
        "? providers\n: a: {x: 1}\n",
        "providers:\n  a:\n    x: |+\n      kept\n\n\nversion: 1\n",
        "all: &all\n  a: {x: 1}\nproviders: *all\n",
        "\u{feff}providers:\n  a: {x: 1}\n",
    ] {
        is_left_alone(old);
    }
}

#[test]
fn what_is_there_or_no_map_is_refused() {
    for old in ["providers:\n  new: {}\n", "providers:\n  \"new\": ~\n", "{\"providers\": {\"new\": 1}}"] {
        assert_eq!(add(old, &provider("new")).unwrap_err(), Refusal::Exists, "{old}");
    }
    for old in [
        "providers: [a]\n",
        "- a\n",
        "providers:\n\ta: 1\n",
        "providers:\n  a: [\n",
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 2\n",
        "x",
    ] {
        assert_eq!(add(old, &provider("new")).unwrap_err(), Refusal::Unreadable, "{old}");
    }
}

#[test]
fn an_alias_is_short_where_it_can_be() {
    let old = "models:\n  a: p/a\n|";
    goes(old, &alias("b", &["p/b"]), "  b: p/b\n");
    goes(old, &alias("claude-*", &["p/*"]), "  \"claude-*\": \"p/*\"\n");
    goes(old, &alias("*", &["ollama:qwen:30b"]), "  \"*\": ollama:qwen:30b\n");
    goes(old, &alias("1.5", &["p/it's # \"x\": {y}"]), "  \"1.5\": \"p/it's # \\\"x\\\": {y}\"\n");
    let list = "  b:\n    targets:\n      - {to: p/b, priority: 1}\n      - {to: \"q/*\", priority: 2}\n";
    goes(old, &alias("b", &["p/b", "q/*"]), list);
    goes("models:\n    a: p/a\n|", &alias("b", &["p/b", "q/*"]), &list.replace("  ", "    "));
}

#[test]
fn names_that_mean_something_else_in_yaml_are_quoted() {
    goes("providers:\n  a: {x: 1}\n|", &provider("no"), &BLOCK.replace("new", "\"no\""));
    let two = ["anthropic".to_owned(), "openai-chat".to_owned()];
    let entry = Entry::provider("new", "demo:", &two, None);
    goes(
        "providers:\n|",
        &entry,
        "  new:\n    protocol: [anthropic, openai-chat]\n    base_url: \"demo:\"\n",
    );
}

/// Every file that is known to be right takes an entry, or is left alone; both mean the same.
#[test]
fn files_of_all_kinds_are_added_to() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/valid");
    let mut added_to = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let old = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for entry in [provider("new-one"), alias("new-one", &["p/m", "q/m"])] {
            let Ok(added) = add(&old, &entry) else { panic!("{old}") };
            let Some(lines) = added.lines else { continue };
            added_to += 1;
            assert_eq!(tree(&lines.text), tree(&added.meant));
            let mut left = lines.text.lines();
            assert!(old.lines().all(|line| left.any(|it| it == line)), "{}", lines.text);
        }
    }
    assert!(added_to > 10, "{added_to}");
}

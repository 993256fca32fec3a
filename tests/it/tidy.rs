//! The house rules that a machine can see (docs/ARCHITECTURE.md): imports go down only, each
//! outside crate has one room, an error is a type, no file is longer than 500 lines.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, bottom first. Two folders on one floor do not know each other.
const FLOORS: [&[&str]; 8] = [
    &["base"],
    &["ir", "policy"],
    &["protocol"],
    &["config", "translate", "state"],
    &["route", "upstream", "observe"],
    &["gateway"],
    &["server"],
    &["cli"],
];

/// Outside crates and the places that may name them.
const ROOMS: [(&str, &[&str]); 19] = [
    ("base64", &["base/"]),
    ("getrandom", &["base/"]),
    ("httpdate", &["base/"]),
    ("memchr", &["base/"]),
    ("rustix", &["base/"]),
    ("subtle", &["base/"]),
    ("time", &["base/"]),
    ("redis", &["state/redis"]),
    ("serde_yml", &["config/file.rs"]),
    ("ureq", &["upstream/"]),
    ("rustls", &["upstream/"]),
    ("webpki_roots", &["upstream/"]),
    ("httparse", &["server/"]),
    ("flate2", &["server/"]),
    ("ruzstd", &["server/"]),
    ("lexopt", &["cli/"]),
    ("tikv_jemallocator", &["main.rs"]),
    ("env_logger", &["cli/"]),
    ("signal_hook", &["cli/"]),
];

/// Folders from which channels may be used.
const CHANNELS: [&str; 6] = ["route/", "upstream/", "observe/", "gateway/", "server/", "cli/"];
/// Folders that may name `serde_json::Value`.
const VALUES: [&str; 4] = ["base/", "ir/", "protocol/", "config/"];
const MOST_LINES: usize = 500;

#[test]
fn imports_go_down_only() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let Some((own, _)) = name.split_once('/') else { continue };
        for line in code(&text) {
            for other in line.match_indices("crate::").filter_map(|(at, _)| word(&line[at + 7..])) {
                if other != own && floor(other).is_some_and(|floor| floor >= self::floor(own).unwrap()) {
                    faults.push(format!("{name}: {own} may not know {other}: {}", line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_outside_crate_has_one_room() {
    let mut faults = Vec::new();
    let may = |name: &str, rooms: &[&str]| rooms.iter().any(|room| name.starts_with(room));
    for (name, text) in sources() {
        for line in code(&text) {
            let names = |krate: &str| {
                let path = format!("{krate}::");
                line.match_indices(&path).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                })
            };
            for (krate, rooms) in ROOMS {
                if names(krate) && !may(&name, rooms) {
                    faults.push(format!("{name}: {krate} lives in {rooms:?}: {}", line.trim()));
                }
            }
            if line.contains("base::channel") && !may(&name, &CHANNELS) {
                faults.push(format!("{name}: channels begin at floor 4: {}", line.trim()));
            }
            let value = line.contains("serde_json")
                && line.split(|c: char| !c.is_alphanumeric()).any(|w| w == "Value");
            if value && !may(&name, &VALUES) {
                faults.push(format!("{name}: serde_json::Value is for {VALUES:?}: {}", line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_error_is_a_type() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines = code(&text).filter(|line| line.contains("Result<") && line.contains(", String>"));
        faults.extend(lines.map(|line| format!("{name}: {}", line.trim())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_hides_a_second_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "scripts"] {
        rust_files(&root.join(folder), &mut files);
    }
    let long = files.iter().filter_map(|file| {
        let lines = fs::read_to_string(file).unwrap().lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines", file.display()))
    });
    assert_eq!(long.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The number of a folder's floor.
fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|folders| folders.contains(&folder))
}

/// Every file below `src`, by its path there.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 50, "the sources are not where they are looked for");
    let read = |file: &PathBuf| {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        (name, fs::read_to_string(file).unwrap())
    };
    files.iter().map(read).collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
}

/// Lines without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).filter(|line| !line.trim().is_empty())
}

fn word(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

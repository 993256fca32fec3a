//! Other tools' files -> ours: each case, what is dropped of it, and that the result is one.

use std::path::{Path, PathBuf};

use llmgate::base::env::Env;
use llmgate::config::import::{Format, import};
use llmgate::config::{Overrides, from_text};

use super::{KEY, root};
use crate::support::golden;

#[test]
fn every_case_becomes_a_configuration_of_ours() {
    for path in cases() {
        let text = std::fs::read_to_string(&path).unwrap();
        let imported = import(&text, None).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(imported.format.name()), "{name} is taken for {}", imported.format.name());
        assert_eq!(import(&text, Some(imported.format)).as_ref(), Ok(&imported));
        let remarks: String = imported.remarks.iter().map(|remark| format!("{remark}\n")).collect();
        assert!(!remarks.contains("k-test-secret") && !remarks.contains("k$$test"), "{name}:\n{remarks}");
        golden::check(&path.with_extension("expected.yaml"), &imported.yaml);
        golden::check(&path.with_extension("remarks"), &remarks);
        let env = Env::of([
            ("TEST_KEY", KEY),
            ("TEST_PROXY", "http://127.0.0.1:7890"),
            ("OPENAI_API_KEY", KEY),
            ("ANTHROPIC_API_KEY", KEY),
            ("PRESET_ENDPOINT_API_KEY", KEY),
            ("PRESET_ENDPOINT_MODEL", "m"),
            ("PRESET_OPENAI_ENDPOINT_BASE_URL", "https://models.example/v1"),
            ("PRESET_ANTHROPIC_ENDPOINT_BASE_URL", "https://models.example/v1"),
        ]);
        let config = from_text(&imported.yaml, Path::new(name), &env, &Overrides::default())
            .unwrap_or_else(|errors| panic!("{errors}\n{}", imported.yaml));
        for secret in config.secrets().iter().filter(|secret| secret.expose() != KEY) {
            assert!(text.contains(secret.expose()), "{name}: a key was changed");
        }
    }
}

/// Of aliases that each lead on to all the later ones there are more ways than anyone can walk.
#[test]
fn fallbacks_of_many_aliases_are_looked_at_once_each() {
    let names: Vec<String> = (0..60).map(|n| format!("m{n}")).collect();
    let list = |of: &dyn Fn(usize) -> String| (0..60).map(of).collect::<String>();
    let models = list(&|n| format!("  - {{model_name: m{n}, litellm_params: {{model: openai/m{n}}}}}\n"));
    let onward = list(&|n| format!("    - {{m{}: [{}]}}\n", 59 - n, names[60 - n..].join(", ")));
    let text = format!("model_list:\n{models}router_settings:\n  fallbacks:\n{onward}    - {{m59: [m0]}}\n");
    let imported = import(&text, None).unwrap();
    let remarks: Vec<String> = imported.remarks.iter().map(ToString::to_string).collect();
    let circle = "dropped: router_settings.fallbacks[60].m59[0]: this fallback would go in a circle";
    assert_eq!(remarks.last().map(String::as_str), Some(circle), "{remarks:?}");
}

#[test]
fn every_format_has_a_case() {
    for name in Format::names() {
        assert!(cases().iter().any(|path| path.to_str().unwrap().contains(&format!("/{name}-"))), "{name}");
    }
}

#[test]
fn broken_files_never_panic() {
    for path in cases() {
        let text = std::fs::read(&path).unwrap();
        for cut in (0..text.len()).step_by(23) {
            let mut bytes = text.clone();
            bytes[cut] = b"{}[]:,-*&!|>'\"%@`#? \n"[cut % 21];
            for bytes in [&bytes[..], &text[..cut]] {
                let text = String::from_utf8_lossy(bytes);
                for format in Format::names().map(Format::named).chain([None]) {
                    let _ = import(&text, format);
                }
            }
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("fixtures/import")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.to_str().unwrap();
        !name.ends_with(".expected.yaml") && !name.ends_with(".remarks")
    });
    paths.sort();
    assert!(paths.len() >= 5);
    paths
}

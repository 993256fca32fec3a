//! The wrapper scripts, run for real.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BINARY, FAKE, Place, Session};

const SCRIPTS: [&str; 4] = ["codex", "claude", "gemini", "opencode"];

fn script(client: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/run_{client}_proxy.sh"))
}

#[test]
fn they_are_short_and_the_shell_reads_them() {
    for client in SCRIPTS {
        let path = script(client);
        assert!(fs::read_to_string(&path).unwrap().lines().count() < 30, "{client}");
        let output = Command::new("/bin/sh").arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success(), "{client}: {}", super::text(&output.stderr));
    }
}

#[test]
fn they_start_the_client_with_all_options() {
    for client in SCRIPTS {
        let place = Place::new(&format!("run-script-{client}"));
        let words = ["--binary", BINARY, "--demo", "--model", "M", "--", "--binary", "its own"];
        let session = Session::start(&place, place.program(&script(client), &words, &[]));
        let argv = place.argv();
        assert_eq!(argv[argv.len() - 2..], ["--binary", "its own"], "{client}");
        assert_eq!(session.end().code, Some(0));
    }
}

#[test]
fn the_binary_is_found_where_it_may_be() {
    let place = Place::new("run-script-find");
    let copy = place.home.file("checkout/scripts/run.sh");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(script("claude"), &copy).unwrap();
    // One in the working directory is never taken.
    fs::create_dir_all(place.home.file("ws/target/release")).unwrap();
    symlink(FAKE, place.home.file("ws/target/release/llmgate")).unwrap();
    let run_at = |script: &Path, variables: &[(&str, &str)]| {
        let output = place
            .program(Path::new("/bin/sh"), &[script.to_str().unwrap(), "--demo", "--binary-less"], variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        super::text(&output.stderr)
    };
    let run = |variables: &[(&str, &str)]| run_at(&copy, variables);
    assert!(run(&[("LLMGATE_BIN", BINARY)]).contains("unknown: --binary-less"));
    symlink(BINARY, place.home.file("bin/llmgate")).unwrap();
    assert!(run(&[]).contains("unknown: --binary-less"));
    fs::remove_file(place.home.file("bin/llmgate")).unwrap();
    // Beside the scripts' folder, as in an unpacked release.
    symlink(BINARY, place.home.file("checkout/llmgate")).unwrap();
    assert!(run(&[]).contains("unknown: --binary-less"));
    fs::remove_file(place.home.file("checkout/llmgate")).unwrap();
    // With nothing else it is built, in the script's own checkout.
    symlink(FAKE, place.home.file("bin/cargo")).unwrap();
    let said = run(&[]);
    assert!(said.contains("checkout build --locked --release"), "{said}");
    fs::create_dir_all(place.home.file("checkout/target/release")).unwrap();
    symlink(BINARY, place.home.file("checkout/target/release/llmgate")).unwrap();
    assert!(run(&[]).contains("unknown: --binary-less"));
    // Through a link it is still the checkout of the script.
    let link = place.home.file("links/run.sh");
    fs::create_dir(link.parent().unwrap()).unwrap();
    symlink("../checkout/scripts/run.sh", &link).unwrap();
    assert!(run_at(&link, &[]).contains("unknown: --binary-less"));
}

//! The wrapper scripts, run for real.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BINARY, Place, Session};

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
    let trap = place.home.write("ws/target/release/llmgate", "#!/bin/sh\necho trap\n");
    let executable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable(&trap);
    let shim = format!("#!/bin/sh\nexec \"{BINARY}\" \"$@\"\n");
    let run = |variables: &[(&str, &str)]| {
        let output = place
            .program(&copy, &["--demo", "--binary-less"], variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        super::text(&output.stderr)
    };
    assert!(run(&[("LLMGATE_BIN", BINARY)]).contains("unknown: --binary-less"));
    executable(&place.home.write("bin/llmgate", &shim));
    assert!(run(&[]).contains("unknown: --binary-less"));
    fs::remove_file(place.home.file("bin/llmgate")).unwrap();
    // With nothing else it is built, in the script's own checkout.
    executable(&place.home.write("bin/cargo", "#!/bin/sh\necho \"$PWD $*\" >&2; exit 5\n"));
    let said = run(&[]);
    assert!(said.contains("checkout build --locked --release"), "{said}");
    fs::create_dir_all(place.home.file("checkout/target/release")).unwrap();
    executable(&place.home.write("checkout/target/release/llmgate", &shim));
    assert!(run(&[]).contains("unknown: --binary-less"));
}

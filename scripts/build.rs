//! Tells the program which commit and compiler made it (no time: builds are reproducible), and the
//! linker what ring's small form leaves out.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how cargo is spoken to")]

use std::env;
use std::process::Command;

/// What cargo adds to a package.
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    let (packaged, top) = (packaged(), is_top());
    // A path that does not exist would have everything built anew each time.
    println!("cargo:rerun-if-changed=scripts/build.rs");
    // The log of HEAD grows with each commit, of this worktree only.
    for name in ["HEAD", "logs/HEAD"].into_iter().filter(|_| top) {
        if let Some(path) = said("git", &["rev-parse", "--git-path", name]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = packaged.or_else(|| said("git", &["rev-parse", "--short=12", "HEAD"]).filter(|_| top));
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo:rustc-env=LLMGATE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!(
        "cargo:rustc-env=LLMGATE_RUSTC={}",
        said(&compiler, &["--version"]).as_deref().unwrap_or("unknown")
    );
    link_small_ring();
}

/// Where ring's C is compiled in its small form (`.cargo/config.toml`), two names lead elsewhere.
fn link_small_ring() {
    let flags = format!("CFLAGS_{}", env::var("TARGET").unwrap_or_default().replace('-', "_"));
    println!("cargo:rerun-if-env-changed={flags}");
    println!("cargo:rerun-if-changed=scripts/ring.ld");
    if env::var(&flags).is_ok_and(|flags| flags.contains("-DOPENSSL_SMALL")) {
        let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg={here}/scripts/ring.ld");
    }
}

/// The commit that a package was made of.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(PACKAGED).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1)?.get(..12).map(str::to_owned)
}

/// Is this a checkout of its own? Around an unpacked package there may be another one.
fn is_top() -> bool {
    said("git", &["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty())
}

/// The first line that a command prints, when it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

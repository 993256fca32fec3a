//! Tells the program which commit and compiler made it. No time: builds are reproducible.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how cargo is spoken to")]

use std::process::Command;

/// What cargo adds to a package.
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let commit = packaged().or_else(checked_out);
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo:rustc-env=LLMGATE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!(
        "cargo:rustc-env=LLMGATE_RUSTC={}",
        said(&compiler, &["--version"]).as_deref().unwrap_or("unknown")
    );
}

/// The commit that a package was made of.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(PACKAGED).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1)?.get(..12).map(str::to_owned)
}

/// The commit of this checkout; not that of another one around an unpacked package.
fn checked_out() -> Option<String> {
    let top = said("git", &["rev-parse", "--show-prefix"])?.is_empty();
    if top { said("git", &["rev-parse", "--short=12", "HEAD"]) } else { None }
}

/// The first line that a command prints, when it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

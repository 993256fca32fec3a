//! Tells the program which commit and compiler made it. No time: builds are reproducible.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "this is how cargo is spoken to")]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo:rustc-env=LLMGATE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!(
        "cargo:rustc-env=LLMGATE_RUSTC={}",
        said(&compiler, &["--version"]).as_deref().unwrap_or("unknown")
    );
}

/// The first line that a command prints, when it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

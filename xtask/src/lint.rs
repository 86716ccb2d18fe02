//! What can be said of the Rust code without running it: its format, what clippy and rustdoc say, and the order of its layers.

use anyhow::{Context, Result};

use crate::command::{self, program};
use crate::layers;
use crate::paths::Paths;
use crate::report;
use crate::wasm;

/// What everything native is built with, beside the command line: the GPU where it is asked for. wgpu and CubeCL take half of the time that a
/// first run takes, and what they compute is also tested in a browser.
pub fn features(gpu: bool) -> &'static [&'static str] {
    if gpu { &["--features", "adversight/webgpu"] } else { &[] }
}

/// Checks all of it, with the native code for the GPU where it is asked for.
pub fn run(paths: &Paths, gpu: bool) -> Result<()> {
    report::step("Checking the format of the Rust code", || {
        command::run(program("cargo").args(["fmt", "--all", "--check"]).current_dir(&paths.root))
            .context("Run `cargo fmt --all` (and `rustup component add rustfmt` where it is missing)")
    })?;
    report::step("Checking the order of the layers", || layers::check(paths))?;
    report::step("Checking the Rust code with clippy", || {
        let mut clippy = program("cargo");
        clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]).args(features(gpu));
        command::run(clippy.args(["--", "-D", "warnings"]).current_dir(&paths.root))
            .context("Mend what clippy says above (`rustup component add clippy` where it is missing)")
    })?;
    report::step("Checking the documentation of the Rust code", || {
        let mut doc = program("cargo");
        doc.args(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"])
            .args(features(gpu));
        command::run(doc.env("RUSTDOCFLAGS", "-D warnings").current_dir(&paths.root))
            .context("Mend what rustdoc says above")
    })?;
    wasm::lint(paths)
}

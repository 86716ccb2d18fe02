//! What can be said of the Rust code without running it: its format, what clippy and rustdoc say, and the order of its layers.

use anyhow::{Context, Result};

use crate::command::{self, program};
use crate::layers;
use crate::paths::Paths;
use crate::report;
use crate::wasm;

/// The features that everything native is checked and tested with: beside the command line, the GPU.
pub const FEATURES: &str = "adversight/webgpu";

/// Checks all of it.
pub fn run(paths: &Paths) -> Result<()> {
    report::step("Checking the format of the Rust code", || {
        command::run(program("cargo").args(["fmt", "--all", "--check"]).current_dir(&paths.root))
            .context("Run `cargo fmt --all` (and `rustup component add rustfmt` where it is missing)")
    })?;
    report::step("Checking the order of the layers", || layers::check(paths))?;
    report::step("Checking the Rust code with clippy", || {
        let what = ["clippy", "--locked", "--workspace", "--all-targets", "--features", FEATURES];
        command::run(program("cargo").args(what).args(["--", "-D", "warnings"]).current_dir(&paths.root))
            .context("Mend what clippy says above (`rustup component add clippy` where it is missing)")
    })?;
    report::step("Checking the documentation of the Rust code", || {
        let what = [
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--features",
            FEATURES,
        ];
        command::run(program("cargo").args(what).env("RUSTDOCFLAGS", "-D warnings").current_dir(&paths.root))
            .context("Mend what rustdoc says above")
    })?;
    wasm::lint(paths)
}

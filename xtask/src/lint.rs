//! The format of the Rust code, and what clippy says about it.

use anyhow::{Context, Result};

use crate::command::{self, program};
use crate::paths::Paths;
use crate::report;

/// Checks both. The code for WebAssembly is checked by being compiled.
pub fn run(paths: &Paths) -> Result<()> {
    report::step("Checking the format of the Rust code", || {
        command::run(program("cargo").args(["fmt", "--all", "--check"]).current_dir(&paths.root))
            .context("Run `cargo fmt --all` (and `rustup component add rustfmt` where it is missing)")
    })?;
    report::step("Checking the Rust code with clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        command::run(program("cargo").args(arguments).current_dir(&paths.root))
            .context("Mend what clippy says above (`rustup component add clippy` where it is missing)")
    })
}

//! The tests, from the ones that fail soonest to the ones that take longest, and the benchmark.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::command::{self, program};
use crate::lint;
use crate::npm;
use crate::paths::Paths;
use crate::python;
use crate::report;
use crate::setup;
use crate::wasm;

/// A part of the tests that can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Format and clippy
    Lint,
    /// The engine, natively: unit and integration tests of the Rust code
    Engine,
    /// The npm package and the page: types, linter, unit tests
    Pkg,
    /// The engine and the page in a real browser
    Browser,
}

/// Runs these suites, or all of them where none is named.
pub fn run(paths: &Paths, suites: &[Suite], thorough: bool) -> Result<()> {
    let suites = if suites.is_empty() { Suite::value_variants() } else { suites };
    for suite in suites {
        match suite {
            Suite::Lint => lint::run(paths, thorough),
            Suite::Engine => engine(paths, thorough),
            Suite::Pkg => pkg(paths),
            Suite::Browser => browser(paths, thorough),
        }
        .with_context(|| {
            format!("The suite `{suite}` failed. By itself it runs with `cargo xtask test {suite}`")
        })?;
    }
    let names: Vec<_> = suites.iter().map(Suite::to_string).collect();
    report::note(&format!("passed: {}", names.join(", ")));
    Ok(())
}

impl Display for Suite {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no suite is hidden from the command line");
        f.write_str(value.get_name())
    }
}

/// Tries changed inputs for as long as it is told. What fails is kept beside the build, and named.
pub fn fuzz(paths: &Paths, minutes: f64, target: Option<&str>, seed: Option<u64>) -> Result<()> {
    report::step("Fuzzing", || {
        let mut cargo = program("cargo");
        cargo
            .args([
                "test",
                "--locked",
                "--no-default-features",
                "--features",
                "cli",
                "--test",
                "fuzz",
                "--",
                "--nocapture",
            ])
            .env("ADVERSIGHT_FUZZ_MINUTES", minutes.to_string())
            .current_dir(&paths.root);
        if let Some(target) = target {
            cargo.env("ADVERSIGHT_FUZZ_TARGET", target);
        }
        if let Some(seed) = seed {
            cargo.env("ADVERSIGHT_FUZZ_SEED", seed.to_string());
        }
        command::run(&mut cargo)
    })
}

fn engine(paths: &Paths, thorough: bool) -> Result<()> {
    if thorough {
        setup::vulkan()?;
    }
    let [older, newest] = python::onnx_tests(paths)?;
    let folders = [older, newest, python::real_networks(paths)?];
    let environment = thorough.then_some(("ADVERSIGHT_THOROUGH", "1"));
    // All packages at once and with the features of clippy, so that what both need of the compiler is compiled once. The examples are
    // left to clippy: each would link the whole engine to run nothing.
    let shared = ["test", "--locked", "--workspace"];
    for (what, targets) in [
        ("Testing the Rust code natively", &["--lib", "--bins", "--tests"][..]),
        ("Testing the examples in the documentation", &["--doc"]),
    ] {
        report::step(what, || {
            command::run(
                program("cargo")
                    .args(shared)
                    .args(lint::features(thorough))
                    .args(targets)
                    .envs(folders.iter().map(|(variable, folder)| (variable, folder)))
                    .envs(environment)
                    .current_dir(&paths.root),
            )
        })?;
    }
    Ok(())
}

fn pkg(paths: &Paths) -> Result<()> {
    // The package's types are made from the engine.
    wasm::build(paths, &[])?;
    for folder in ["pkg", "www"] {
        npm::install(paths, folder)?;
        npm::script(paths, folder, "check", &format!("Checking and testing {folder}"), &[])?;
        // The page takes the package as it is published: built.
        npm::build(paths, folder)?;
    }
    Ok(())
}

fn browser(paths: &Paths, thorough: bool) -> Result<()> {
    let onnx_tests = python::onnx_tests(paths)?;
    // Without it the slow bundlers are named as left out.
    let thorough: Vec<_> = thorough.then_some(("ADVERSIGHT_THOROUGH", Path::new("1"))).into_iter().collect();
    let mut environment = thorough.clone();
    environment.extend(onnx_tests.iter().map(|(variable, folder)| (*variable, folder.as_path())));
    // Samples in the documents use React, which is there.
    npm::install(paths, "tests/hosts")?;
    in_browser(paths, "tests/browser", "test", "Testing in a browser", &environment, &[])?;
    if !thorough.is_empty() {
        npm::install(paths, "tests/hosts/thorough")?;
    }
    in_browser(paths, "tests/hosts", "test", "Testing the package in bundlers and pages", &thorough, &[])
}

/// Measures the engine in a browser beside other libraries.
pub fn bench(paths: &Paths, arguments: &[String]) -> Result<()> {
    in_browser(paths, "tests/bench", "bench", "Measuring in a browser", &[], arguments)
}

/// Runs a script that drives a browser on what the project has built.
fn in_browser(
    paths: &Paths,
    folder: &str,
    script: &str,
    what: &str,
    more: &[(&str, &Path)],
    arguments: &[String],
) -> Result<()> {
    let browser = setup::browser()?;
    wasm::build(paths, &[])?;
    npm::build_page(paths)?;
    npm::install(paths, folder)?;
    let mut environment = vec![("CHROME", browser.as_path()), ("CHROMIUM", browser.as_path())];
    environment.extend(more);
    npm::run_script(
        paths,
        folder,
        script,
        &format!("{what} ({})", browser.display()),
        &environment,
        arguments,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suites_run_from_the_quickest_to_the_slowest() {
        assert_eq!(Suite::value_variants(), [Suite::Lint, Suite::Engine, Suite::Pkg, Suite::Browser]);
    }

    #[test]
    fn suites_are_named_on_the_command_line() {
        assert_eq!(Suite::from_str("browser", false), Ok(Suite::Browser));
        assert!(Suite::from_str("everything", false).is_err());
        assert_eq!(Suite::Browser.to_string(), "browser");
    }
}

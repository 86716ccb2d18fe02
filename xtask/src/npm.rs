//! The npm package (pkg), the page (www) and whatever else is installed by npm.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::command::{self, program};
use crate::paths::Paths;
use crate::report;
use crate::setup;

/// Where the lock file's hash is kept once its packages are installed.
const STAMP: &str = "node_modules/.installed";

/// Installs a folder's packages as its lock file says, unless that has been done.
pub fn install(paths: &Paths, folder: &str) -> Result<()> {
    setup::node()?;
    let path = folder_of(paths, folder)?;
    let stamp = stamp(&path)?;
    if fs::read_to_string(path.join(STAMP)).is_ok_and(|installed| installed == stamp) {
        return Ok(());
    }
    report::step(&format!("Installing the packages of {folder} with npm"), || {
        command::run(program("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&path))
    })?;
    // A folder without packages has no node_modules.
    fs::create_dir_all(path.join("node_modules"))?;
    fs::write(path.join(STAMP), stamp).context("The installed packages could not be marked as such")
}

/// Runs one of a folder's scripts.
pub fn script(
    paths: &Paths,
    folder: &str,
    script: &str,
    why: &str,
    environment: &[(&str, &Path)],
) -> Result<()> {
    run_script(paths, folder, script, why, environment, &[])
}

/// Runs one of a folder's scripts with arguments.
pub fn run_script(
    paths: &Paths,
    folder: &str,
    script: &str,
    why: &str,
    environment: &[(&str, &Path)],
    arguments: &[String],
) -> Result<()> {
    let path = folder_of(paths, folder)?;
    report::step(why, || {
        let mut command = program("npm");
        command.args(["run", "--silent", script]).current_dir(&path);
        if !arguments.is_empty() {
            command.arg("--").args(arguments);
        }
        command::run(command.envs(environment.iter().copied()))
    })
}

/// Builds the npm package and the page, and returns the folder to serve. The engine must have been built.
pub fn build_page(paths: &Paths) -> Result<PathBuf> {
    for folder in ["pkg", "www"] {
        install(paths, folder)?;
        script(paths, folder, "build", &format!("Building {folder}"), &[])?;
    }
    let page = paths.root.join("www/dist");
    if !page.join("index.html").is_file() {
        bail!("The build of www left no page in {}.", paths.relative(&page));
    }
    Ok(page)
}

fn folder_of(paths: &Paths, folder: &str) -> Result<PathBuf> {
    let path = paths.root.join(folder);
    if !path.join("package.json").is_file() {
        bail!("{folder} has no package.json: is this a whole clone of the project?");
    }
    Ok(path)
}

/// What the installed packages depend on: the manifest, the lock file, and the manifests of packages beside it.
fn stamp(folder: &Path) -> Result<String> {
    let mut files = BTreeSet::from([folder.join("package.json"), folder.join("package-lock.json")]);
    let manifest = fs::read_to_string(folder.join("package.json"))?;
    files.extend(local_packages(&manifest)?.iter().map(|local| folder.join(local).join("package.json")));
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(&file).with_context(|| format!("{} could not be read", file.display()))?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The folders that a manifest names as dependencies ("file:../pkg").
fn local_packages(manifest: &str) -> Result<Vec<String>> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).context("A package.json is not JSON")?;
    let groups =
        ["dependencies", "devDependencies"].into_iter().filter_map(|group| manifest[group].as_object());
    let versions = groups.flat_map(|group| group.values()).filter_map(|version| version.as_str());
    Ok(versions.filter_map(|version| version.strip_prefix("file:")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_packages_are_the_ones_named_by_folder() {
        let manifest = r#"{"dependencies": {"adversight": "file:../pkg", "vite": "^7.0.0"}, "devDependencies": {"x": "file:../x"}}"#;
        assert_eq!(local_packages(manifest).unwrap(), ["../pkg", "../x"]);
        assert!(local_packages("{}").unwrap().is_empty());
        assert!(local_packages("nonsense").is_err());
    }

    #[test]
    fn a_changed_lock_file_changes_the_stamp() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.json"), "{}").unwrap();
        assert!(stamp(folder.path()).is_err());
        fs::write(folder.path().join("package-lock.json"), "1").unwrap();
        let before = stamp(folder.path()).unwrap();
        assert_eq!(before, stamp(folder.path()).unwrap());
        fs::write(folder.path().join("package-lock.json"), "2").unwrap();
        assert_ne!(before, stamp(folder.path()).unwrap());
    }
}

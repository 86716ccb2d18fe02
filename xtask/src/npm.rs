//! The npm package (pkg), the page (www) and whatever else is installed by npm.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{self, program};
use crate::digest::Digest;
use crate::paths::Paths;
use crate::report;
use crate::setup;
use crate::wasm;

/// Where the lock file's hash is kept once its packages are installed.
const STAMP: &str = "node_modules/.installed";

/// Where it is kept what was built last, and of what.
const BUILT: &str = "node_modules/.built";

/// What lies in a package's folder and is no part of what it is built of.
const NO_SOURCES: [&str; 11] = [
    "node_modules",
    "dist",
    "dist.next",
    "dist.old",
    ".test",
    // What packing puts beside the build.
    "LICENSE",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "NOTICE",
    "THIRD-PARTY-LICENSES.txt",
    "CHANGELOG.md",
];

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
        build(paths, folder)?;
    }
    let page = paths.root.join("www/dist");
    if !page.join("index.html").is_file() {
        bail!("The build of www left no page in {}.", paths.relative(&page));
    }
    Ok(page)
}

/// Builds the documentation site, and returns its folder. The API's reference is read from the built package.
pub fn build_docs(paths: &Paths) -> Result<PathBuf> {
    wasm::build(paths, &[])?;
    install(paths, "pkg")?;
    build(paths, "pkg")?;
    report::step("Building the documentation", || {
        command::run(program("node").arg("docs/site/build.mjs").current_dir(&paths.root))
    })?;
    Ok(paths.root.join("docs/site/dist"))
}

/// Runs a folder's build script, unless its output is there and was made of the same files.
///
/// The output takes its place at once when it is whole: somebody may be looking at it.
pub fn build(paths: &Paths, folder: &str) -> Result<()> {
    let path = folder_of(paths, folder)?;
    let [out, next] = ["dist", "dist.next"].map(|name| path.join(name));
    let sources = sources(&path)?;
    if fs::read_to_string(path.join(BUILT))
        .is_ok_and(|built| state(&sources, &out).is_ok_and(|now| now == built))
    {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&next);
    let to_next = ["--outDir", "dist.next"].map(str::to_owned);
    run_script(paths, folder, "build", &format!("Building {folder}"), &[], &to_next)?;
    let old = path.join("dist.old");
    let _ = fs::remove_dir_all(&old);
    if out.exists() {
        fs::rename(&out, &old)?;
    }
    fs::rename(&next, &out).with_context(|| format!("The build of {folder} left nothing"))?;
    let _ = fs::remove_dir_all(&old);
    fs::write(path.join(BUILT), state(&sources, &out)?).context("The build could not be marked as done")
}

/// What a build is made of: the folder's own files, the installed packages, and what the packages beside it have built.
fn sources(folder: &Path) -> Result<String> {
    let mut inputs = Digest::new();
    inputs.add(stamp(folder)?.as_bytes());
    inputs.add_folder(folder, &|name| !NO_SOURCES.contains(&name) && !name.ends_with(".tsbuildinfo"))?;
    let manifest = fs::read_to_string(folder.join("package.json"))?;
    for local in local_packages(&manifest)? {
        inputs.add_folder(&folder.join(local).join("dist"), &|_| true)?;
    }
    Ok(inputs.finish())
}

/// What is noted of a build: what it was made of, and what it has become. Who builds by hand changes the second.
fn state(sources: &str, out: &Path) -> Result<String> {
    let mut output = Digest::new();
    output.add_folder(out, &|_| true)?;
    Ok(format!("{sources} {}", output.finish()))
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
    let mut hash = Digest::new();
    for file in files {
        hash.add(&fs::read(&file).with_context(|| format!("{} could not be read", file.display()))?);
    }
    Ok(hash.finish())
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

    #[test]
    fn a_build_is_stale_when_a_source_a_built_neighbour_or_its_own_output_changes() {
        let root = tempfile::tempdir().unwrap();
        let [pkg, www] = ["pkg", "www"].map(|name| root.path().join(name));
        for folder in [pkg.join("dist"), www.join("src"), www.join("dist"), www.join("node_modules")] {
            fs::create_dir_all(folder).unwrap();
        }
        let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
        write(&pkg.join("package.json"), "{}");
        write(&pkg.join("dist/index.js"), "1");
        write(&www.join("package.json"), r#"{"dependencies": {"adversight": "file:../pkg"}}"#);
        write(&www.join("package-lock.json"), "{}");
        write(&www.join("src/main.ts"), "1");
        write(&www.join("dist/index.html"), "1");
        let now = || state(&sources(&www).unwrap(), &www.join("dist")).unwrap();
        let mut before = now();
        assert_eq!(before, now());
        write(&www.join("node_modules/anything"), "2");
        assert_eq!(before, now());
        for changed in [
            www.join("src/main.ts"),
            pkg.join("dist/index.js"),
            www.join("dist/index.html"),
            www.join("src/new.ts"),
        ] {
            write(&changed, "2");
            assert_ne!(before, now(), "{}", changed.display());
            before = now();
        }
        fs::remove_dir_all(www.join("dist")).unwrap();
        assert!(state(&sources(&www).unwrap(), &www.join("dist")).is_err());
    }
}

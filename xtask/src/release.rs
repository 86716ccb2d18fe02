//! What has to hold before anything is published. Nothing is published here: `npm publish` and `cargo publish` are for whoever holds the keys, or for the
//! forge's own workflow.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::command::{self, program};
use crate::npm;
use crate::paths::Paths;
use crate::report;
use crate::wasm;

/// How large each file may be, compressed by gzip, in bytes.
const BUDGET: &str = "xtask/budget.json";

/// Checks all of it and says everything that is missing at once; a rehearsal does without what comes last.
pub fn run(paths: &Paths, rehearse: bool) -> Result<()> {
    let read = |path: &str| {
        fs::read_to_string(paths.root.join(path)).with_context(|| format!("{path} could not be read"))
    };
    let manifest: Value = serde_json::from_str(&read("pkg/package.json")?)?;
    let version = version_of(&read("Cargo.toml")?).context("Cargo.toml names no version")?;
    let mut faults = Vec::new();
    report::step(&format!("Looking at version {version}"), || {
        faults.extend(versions(&version, &manifest, &read)?);
        faults.extend(fields(&manifest));
        let last = [changelog(&version, &read("CHANGELOG.md")?), tag(paths, &version)?, dirt(paths)?];
        for fault in last.into_iter().flatten() {
            if rehearse { report::note(&format!("before a release: {fault}")) } else { faults.push(fault) }
        }
        Ok(())
    })?;
    wasm::build(paths, &[])?;
    npm::install(paths, "pkg")?;
    npm::build(paths, "pkg")?;
    report::step("Weighing the files", || {
        let budget: BTreeMap<String, u64> =
            serde_json::from_str(&read(BUDGET)?).context("The budget is no list of sizes")?;
        for (path, most) in budget {
            let size = compressed(&paths.root.join(&path))?;
            report::note(&format!("{path}: {} of {}", report::megabytes(size), report::megabytes(most)));
            faults.extend(too_large(&path, size, most));
        }
        Ok(())
    })?;
    // Before it packs, npm looks whether all parts are there and of one build.
    report::step("Packing the npm package", || {
        command::run(
            program("npm").args(["pack", "--dry-run", "--silent"]).current_dir(paths.root.join("pkg")),
        )
    })?;
    npm::script(paths, "pkg", "check:package", "Checking the packed package", &[])?;
    report::step("Packing the crates", || {
        command::run(
            program("cargo")
                .args(["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty"])
                .current_dir(&paths.root),
        )
    })?;
    if faults.is_empty() {
        report::note(&format!(
            "version {version} can be published{}",
            if rehearse { ", as far as a rehearsal tells" } else { "" }
        ));
        return Ok(());
    }
    bail!("Version {version} cannot be published yet:\n- {}", faults.join("\n- "))
}

/// The version that all crates of the workspace have.
fn version_of(manifest: &str) -> Option<String> {
    let table = manifest.split("[workspace.package]").nth(1)?;
    let line = table.lines().find(|line| line.trim_start().starts_with("version"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

/// Where another version stands.
fn versions(version: &str, manifest: &Value, read: &dyn Fn(&str) -> Result<String>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    if manifest["version"] != version {
        faults.push(format!("pkg/package.json has version {}", manifest["version"]));
    }
    let citation = read("CITATION.cff")?;
    if !citation.lines().any(|line| line.trim_start().starts_with("version:") && line.contains(version)) {
        faults.push(format!("CITATION.cff does not name version {version}"));
    }
    for line in read("Cargo.toml")?.lines().filter(|line| line.contains("path = ")) {
        if !line.contains(&format!("version = \"{version}\"")) {
            faults.push(format!("Cargo.toml asks for another version of its own crate: {line}"));
        }
    }
    for path in ["README.md", "pkg/README.md", "docs/guides/first-minute.md"] {
        faults.extend(
            pinned(&read(path)?)
                .into_iter()
                .filter(|pinned| pinned != version)
                .map(|pinned| format!("{path} loads version {pinned} from a content delivery network")),
        );
    }
    Ok(faults)
}

/// The versions of the package that addresses in a document name.
fn pinned(document: &str) -> Vec<String> {
    document
        .split("/adversight@")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect())
        .collect()
}

/// What the npm manifest lacks of what a registry shows and signs: who made the package, from which source.
fn fields(manifest: &Value) -> Vec<String> {
    let mut faults: Vec<_> = [
        "/license",
        "/author",
        "/description",
        "/homepage",
        "/bugs",
        "/repository/url",
        "/repository/directory",
    ]
    .into_iter()
    .filter(|field| manifest.pointer(field).and_then(Value::as_str).is_none_or(str::is_empty))
    .map(|field| format!("pkg/package.json has no {}", field[1..].replace('/', ".")))
    .collect();
    if manifest.pointer("/publishConfig/provenance") != Some(&Value::Bool(true)) {
        faults.push("pkg/package.json does not ask for provenance (publishConfig)".to_owned());
    }
    faults
}

/// What the changelog lacks.
fn changelog(version: &str, text: &str) -> Option<String> {
    let heading = |line: &&str| {
        line.strip_prefix("## ").is_some_and(|rest| {
            let rest = rest.trim_start_matches('[');
            rest.strip_prefix(version).is_some_and(|rest| rest.contains(" - 20"))
        })
    };
    let mut lines = text.lines();
    if lines.find(heading).is_none() {
        return Some(format!(
            "CHANGELOG.md has no section \"## {version} - year-month-day\": give \"Unreleased\" that name"
        ));
    }
    let has_content = lines.take_while(|line| !line.starts_with("## ")).any(|line| line.starts_with("- "));
    (!has_content).then(|| format!("CHANGELOG.md says nothing of version {version}"))
}

/// What is wrong with the version's tag.
fn tag(paths: &Paths, version: &str) -> Result<Option<String>> {
    let here = command::output(git(paths).args(["tag", "--points-at", "HEAD"]))?;
    let tag = format!("v{version}");
    if here.lines().any(|line| line == tag) {
        return Ok(None);
    }
    let anywhere = command::output(git(paths).args(["tag", "--list", &tag]))?;
    Ok(Some(if anywhere.is_empty() {
        format!("this commit has no tag {tag}")
    } else {
        format!("the tag {tag} is another commit's: the version has been published, raise it")
    }))
}

/// What has not been committed.
fn dirt(paths: &Paths) -> Result<Option<String>> {
    let dirty = command::output(git(paths).args(["status", "--porcelain"]))?;
    Ok((!dirty.is_empty()).then(|| format!("{} files are not as they were committed", dirty.lines().count())))
}

fn git(paths: &Paths) -> std::process::Command {
    let mut git = program("git");
    git.current_dir(&paths.root);
    git
}

fn too_large(path: &str, size: u64, most: u64) -> Option<String> {
    (size > most).then(|| {
        format!(
            "{path} has {}, and {BUDGET} allows {}: make it smaller, or say there why it may be larger",
            report::megabytes(size),
            report::megabytes(most)
        )
    })
}

/// The size of a file as a server sends it.
fn compressed(path: &Path) -> Result<u64> {
    let mut file = File::open(path).with_context(|| format!("{} is not there", path.display()))?;
    let mut encoder = GzEncoder::new(Counter(0), Compression::default());
    io::copy(&mut file, &mut encoder)?;
    Ok(encoder.finish()?.0)
}

/// Counts what is written.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_is_the_workspaces() {
        let manifest = "[workspace]\n[workspace.package]\nversion = \"1.2.3\"\n[dependencies]\nx = \"9\"\n";
        assert_eq!(version_of(manifest).as_deref(), Some("1.2.3"));
        assert_eq!(version_of("[package]\nversion = \"1.2.3\""), None);
    }

    #[test]
    fn other_versions_are_named_wherever_they_stand() {
        let read = |path: &str| {
            Ok(match path {
                "CITATION.cff" => "version: 1.2.2".to_owned(),
                "Cargo.toml" => "a = { path = \"a\", version = \"1.2.3\" }\nb = { path = \"b\" }".to_owned(),
                "README.md" => "https://cdn.example/npm/adversight@1.2.1/dist/x.js".to_owned(),
                _ => "https://cdn.example/npm/adversight@1.2.3/dist/x.js".to_owned(),
            })
        };
        let faults = versions("1.2.3", &json!({"version": "1.2.0"}), &read).unwrap();
        assert_eq!(faults.len(), 4, "{faults:?}");
        for (fault, part) in faults.iter().zip(["1.2.0", "CITATION", "path = \"b\"", "1.2.1"]) {
            assert!(fault.contains(part), "{fault}");
        }
    }

    #[test]
    fn the_changelog_needs_a_dated_section_with_something_in_it() {
        let good = "# Changelog\n\n## 1.2.3 - 2026-11-30\n\n### Added\n\n- Much.\n\n## 1.2.2 - 2026-01-01\n";
        assert_eq!(changelog("1.2.3", good), None);
        assert_eq!(changelog("1.2.3", &good.replace("## 1.2.3", "## [1.2.3]")), None);
        assert!(changelog("1.2.4", good).unwrap().contains("no section"));
        assert!(changelog("1.2.2", good).unwrap().contains("says nothing"));
        assert!(changelog("1.2.3", "## Unreleased\n- Much.\n").is_some());
    }

    #[test]
    fn what_a_registry_shows_has_to_be_there() {
        let whole = json!({
            "license": "MIT", "author": "A", "description": "D", "homepage": "H", "bugs": "B",
            "repository": {"url": "U", "directory": "pkg"}, "publishConfig": {"provenance": true},
        });
        assert!(fields(&whole).is_empty());
        assert_eq!(fields(&json!({})).len(), 8);
    }

    #[test]
    fn a_file_above_its_budget_is_named_with_both_sizes() {
        assert_eq!(too_large("a", 5, 5), None);
        let fault = too_large("a", 2_000_000, 1_000_000).unwrap();
        assert!(fault.contains("2.00 MB") && fault.contains("1.00 MB"), "{fault}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zeros");
        fs::write(&file, vec![0; 100_000]).unwrap();
        assert!((1..1000).contains(&compressed(&file).unwrap()));
    }
}

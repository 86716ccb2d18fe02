//! Where things lie.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders that tasks read and write.
pub struct Paths {
    /// The root of the project.
    pub root: PathBuf,
    /// Cargo's build outputs: `CARGO_TARGET_DIR`, or `target` in the root.
    pub target: PathBuf,
    /// What may be fetched or computed again: packages, Python environments, optimised WebAssembly.
    pub cache: PathBuf,
}

impl Paths {
    /// Finds them from the environment.
    pub fn find() -> Result<Self> {
        let root = root_above(&env::current_dir()?)
            .context("This is not a folder of the project: go into its clone and run this command again.")?;
        let target = target_folder(&root, env::var_os("CARGO_TARGET_DIR"));
        let cache = cache_folder(env::var_os("XDG_CACHE_HOME"), env::home_dir()).context(
            "Neither HOME nor XDG_CACHE_HOME is set: set one of them to a folder that may hold a cache.",
        )?;
        Ok(Self { root, target, cache })
    }

    /// Cargo's build outputs for WebAssembly, apart from the rest because another compiler may have made them.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// Where the generated part of the npm package goes.
    pub fn wasm_package(&self) -> PathBuf {
        self.root.join("pkg/src/wasm")
    }

    /// A path as people want to read it.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The root of the project that a folder lies in. Where this program was compiled says nothing about it: clones that
/// share their build outputs may share the program too.
fn root_above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file()).map(Path::to_path_buf)
}

fn target_folder(root: &Path, variable: Option<OsString>) -> PathBuf {
    match variable {
        Some(folder) if !folder.is_empty() => root.join(folder),
        _ => root.join("target"),
    }
}

fn cache_folder(xdg: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let base = xdg.filter(|folder| Path::new(folder).is_absolute()).map(PathBuf::from);
    Some(base.or(home.map(|home| home.join(".cache")))?.join("adversight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_clone_that_one_stands_in() {
        let clone = tempfile::tempdir().unwrap();
        for folder in ["xtask", "www/src"] {
            std::fs::create_dir_all(clone.path().join(folder)).unwrap();
        }
        assert_eq!(root_above(clone.path()), None);
        std::fs::write(clone.path().join("xtask/Cargo.toml"), "").unwrap();
        for folder in ["", "xtask", "www/src"] {
            assert_eq!(root_above(&clone.path().join(folder)), Some(clone.path().to_path_buf()));
        }
    }

    #[test]
    fn the_target_folder_is_cargos() {
        let root = Path::new("/project");
        assert_eq!(target_folder(root, None), Path::new("/project/target"));
        assert_eq!(target_folder(root, Some("".into())), Path::new("/project/target"));
        assert_eq!(target_folder(root, Some("out".into())), Path::new("/project/out"));
        assert_eq!(target_folder(root, Some("/cache/target".into())), Path::new("/cache/target"));
    }

    #[test]
    fn the_cache_folder_follows_the_xdg_rules() {
        let home = || Some(PathBuf::from("/home/a"));
        assert_eq!(cache_folder(None, home()), Some("/home/a/.cache/adversight".into()));
        assert_eq!(cache_folder(Some("/c".into()), home()), Some("/c/adversight".into()));
        assert_eq!(
            cache_folder(Some("not/absolute".into()), home()),
            Some("/home/a/.cache/adversight".into())
        );
        assert_eq!(cache_folder(None, None), None);
    }
}

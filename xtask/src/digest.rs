//! A name for content: the same for the same parts in the same order, and for nothing else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// A SHA-256 of several parts, each with its length, so that no two lists of parts run into the same bytes.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part.
    pub fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds a file, with its name.
    pub fn add_file(&mut self, file: &Path) -> Result<()> {
        self.add(file.file_name().unwrap_or_default().as_encoded_bytes());
        self.add(&fs::read(file).with_context(|| format!("{} could not be read", file.display()))?);
        Ok(())
    }

    /// Adds what lies in a folder and below, in the order of names, where `wanted` is true of the names of the files and folders.
    pub fn add_folder(&mut self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let unreadable = || format!("{} could not be read", folder.display());
        let mut entries = fs::read_dir(folder).with_context(unreadable)?.collect::<Result<Vec<_>, _>>()?;
        entries.retain(|entry| wanted(&entry.file_name().to_string_lossy()));
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if path.is_dir() {
                self.add(entry.file_name().as_encoded_bytes());
                self.add_folder(&path, wanted)?;
            } else {
                self.add_file(&path)?;
            }
        }
        // The end of the folder: what comes next does not lie in it.
        self.add(b"");
        Ok(())
    }

    /// The digest in hexadecimal.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> String {
        let mut digest = Digest::new();
        for part in parts {
            digest.add(part);
        }
        digest.finish()
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"a"]), of(&[b"a", b""]));
    }

    #[test]
    fn a_folder_is_its_names_its_content_and_its_folders() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let now = || {
            let mut digest = Digest::new();
            digest.add_folder(root.path(), &|name| name != "left-out").unwrap();
            digest.finish()
        };
        fs::create_dir(path("a")).unwrap();
        fs::write(path("b"), "1").unwrap();
        let mut seen = vec![now()];
        let mut changed = |what: &str| {
            assert!(!seen.contains(&now()), "{what}");
            seen.push(now());
        };
        fs::write(path("b"), "2").unwrap();
        changed("content");
        fs::rename(path("b"), path("c")).unwrap();
        changed("a name");
        fs::rename(path("c"), path("a/c")).unwrap();
        changed("a place");
        let before = now();
        fs::write(path("left-out"), "3").unwrap();
        assert_eq!(now(), before);
    }
}

//! What the tasks need besides Rust, Node and Python: found where it is, installed where it may be.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{self, Ended, program};
use crate::report;

/// The WebAssembly target of Rust.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's own compiler with the source of its standard library, which is then built as part of the engine. Its
/// programs lie in /usr/bin and leave rustup's alone.
const DEBIAN_RUST: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// How long `rustup target add` may take before it is taken to hang, as it does without a way to the network.
const RUSTUP_LIMIT: Duration = Duration::from_secs(20);

/// Node's oldest version that the page's tools run on.
const NODE: Version = Version(20, 19, 0);

/// A version in three numbers, compared from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl Version {
    /// The first version in a text such as "rustc 1.95.0 (59807616e 2026-04-14)", "v20.20.2" or "wasm-opt version 108".
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches('v');
            let mut numbers = word.split(['.', '-', '+']).map(str::parse::<u64>);
            let first = numbers.next()?.ok()?;
            let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
            Some(Self(first, next(), next()))
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// What builds the engine for WebAssembly.
#[derive(Debug, PartialEq, Eq)]
pub enum WasmCompiler {
    /// The user's own toolchain, which has the target.
    Own,
    /// Debian's compiler, which builds the standard library too.
    Debian,
}

/// Finds a compiler for WebAssembly, or installs one: the user's own target first, then rustup, then Debian.
pub fn wasm_compiler() -> Result<WasmCompiler> {
    if own_target_is_there() {
        return Ok(WasmCompiler::Own);
    }
    if debian_compiler_is_there() {
        return Ok(WasmCompiler::Debian);
    }
    // An automatic run on a fresh machine would wait for the limit each time, where rustup has no way to its server.
    let automatic = env::var("CI").is_ok_and(|value| value == "true");
    if !(automatic && apt_can_install(&DEBIAN_RUST)) {
        let ended = report::step("Adding Rust's target for WebAssembly with rustup", || {
            let ended = command::run_for(program("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT)?;
            if ended == Ended::Late {
                report::note(&format!("rustup did not come to an end in {} s", RUSTUP_LIMIT.as_secs()));
            }
            Ok(ended)
        })?;
        if ended == Ended::Well && own_target_is_there() {
            return Ok(WasmCompiler::Own);
        }
    }
    if apt_can_install(&DEBIAN_RUST) {
        apt_install("Debian's compiler for WebAssembly, since rustup gave none", &DEBIAN_RUST)?;
        if debian_compiler_is_there() {
            return Ok(WasmCompiler::Debian);
        }
    }
    bail!(
        "There is no Rust target {TARGET}. Run `rustup target add {TARGET}`, or on Debian \
         `apt-get install --no-install-recommends {}`, and then this command again.",
        DEBIAN_RUST.join(" ")
    )
}

/// Whether this compiler has the source of its standard library, which rustup adds where it may.
pub fn can_build_the_standard_library(compiler: &WasmCompiler) -> Result<bool> {
    if *compiler == WasmCompiler::Debian || own_source_is_there() {
        return Ok(true);
    }
    report::step("Adding the source of Rust's standard library with rustup, for threads", || {
        command::run_for(program("rustup").args(["component", "add", "rust-src"]), RUSTUP_LIMIT)
    })?;
    Ok(own_source_is_there())
}

/// Where Debian's compiler lies.
pub const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Where Debian's cargo lies.
pub const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Where Debian's clippy lies.
pub const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
/// Where Debian's rustdoc lies.
pub const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";

/// Whether Debian's clippy is here, or could be installed.
pub fn debian_clippy() -> Result<bool> {
    const PACKAGE: &str = "rust-web-clippy";
    Ok(debian_has(&[PACKAGE]) || apt_add("Debian's clippy, for the code for WebAssembly", PACKAGE)?)
}

fn own_target_is_there() -> bool {
    let folder = command::output(program("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| Path::new(&folder).is_dir())
}

fn own_source_is_there() -> bool {
    let sysroot = command::output(program("rustc").args(["--print", "sysroot"]));
    sysroot.is_ok_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir())
}

fn debian_compiler_is_there() -> bool {
    // Its path is not enough: /usr/bin/rustc may be an older compiler, without the source of its library.
    let wanted = Version::parse(env!("CARGO_PKG_RUST_VERSION"));
    let version = command::output(program(DEBIAN_RUSTC).arg("--version"));
    version.is_ok_and(|text| Version::parse(&text) >= wanted) && debian_has(&DEBIAN_RUST)
}

/// Node and npm, in a version that the page's tools run on.
pub fn node() -> Result<()> {
    let version = command::output(program("node").arg("--version"));
    let version = version.ok().and_then(|text| Version::parse(&text));
    if version.is_none_or(|version| version < NODE) || command::find("npm").is_none() {
        let found = version.map_or("it was not found".to_owned(), |version| format!("found {version}"));
        bail!(
            "Node.js {NODE} or newer is needed, with npm ({found}): install it, for example from nodejs.org."
        );
    }
    Ok(())
}

/// A browser of the Chromium family: `CHROME` or `CHROMIUM`, an installed one, or Debian's.
pub fn browser() -> Result<PathBuf> {
    for variable in ["CHROME", "CHROMIUM"] {
        if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) {
            if path.is_file() {
                return Ok(path);
            }
            bail!("{variable} is set to {}, where there is no file: set it to the browser.", path.display());
        }
    }
    if let Some(path) = installed_browser() {
        return Ok(path);
    }
    if apt_can_install(&["chromium"]) {
        apt_install("Chromium, which the page is tested in", &["chromium"])?;
    }
    installed_browser().context(
        "No Chromium or Chrome was found. Install one, or set CHROME to its path, and then run this command again.",
    )
}

fn installed_browser() -> Option<PathBuf> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    const MACOS: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
    let found = NAMES.iter().find_map(|name| command::find(name));
    found.or_else(|| Some(PathBuf::from(MACOS)).filter(|path| path.is_file()))
}

/// Makes a Vulkan device out of the CPU where there is none, for the engine's tests of its native GPU path.
pub fn vulkan() -> Result<()> {
    if !cfg!(target_os = "linux") || vulkan_driver_is_there() {
        return Ok(());
    }
    const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
    if apt_can_install(&PACKAGES) {
        return apt_install("a Vulkan driver that runs on the CPU, for the GPU tests", &PACKAGES);
    }
    report::note("no Vulkan driver was found: the tests that need a GPU will be skipped");
    Ok(())
}

fn vulkan_driver_is_there() -> bool {
    if ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| env::var_os(name).is_some()) {
        return true;
    }
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"].iter().any(|folder| {
        fs::read_dir(folder).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|end| end == "json")))
        })
    })
}

/// The optimiser of WebAssembly: binaryen's `wasm-opt` from the search path, from Debian, or from npm.
pub fn wasm_opt(cache: &Path) -> Result<Command> {
    if let Some(path) = command::find("wasm-opt") {
        return Ok(program(path));
    }
    if apt_can_install(&["binaryen"]) {
        apt_install("binaryen, which makes the WebAssembly smaller and faster", &["binaryen"])?;
        if let Some(path) = command::find("wasm-opt") {
            return Ok(program(path));
        }
    }
    node()?;
    let folder = cache.join("binaryen");
    let script = folder.join("node_modules/binaryen/bin/wasm-opt");
    if !script.is_file() {
        report::step(
            "Installing binaryen from npm, which makes the WebAssembly smaller (and takes its time)",
            || {
                fs::create_dir_all(&folder)?;
                let arguments = ["install", "--no-audit", "--no-fund", "--prefix", "."];
                command::run(program("npm").args(arguments).arg("binaryen@132.0.0").current_dir(&folder))
            },
        )?;
    }
    let mut command = program("node");
    command.arg(script);
    Ok(command)
}

/// Whether all of these Debian packages are installed.
fn debian_has(packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        let status = command::output(program("dpkg-query").args([
            "--show",
            "--showformat=${db:Status-Status}",
            package,
        ]));
        status.is_ok_and(|status| status == "installed")
    })
}

/// Whether apt is here, knows the packages, and may be used without asking for a password.
fn apt_can_install(packages: &[&str]) -> bool {
    if command::find("apt-get").is_none() || !may_become_root() {
        return false;
    }
    apt_update();
    packages.iter().all(|package| command::succeeds(program("apt-cache").args(["show", package])))
}

fn may_become_root() -> bool {
    is_root() || command::succeeds(program("sudo").args(["-n", "true"]))
}

fn is_root() -> bool {
    command::output(program("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// Fetches the lists of packages, once in a run. Old lists will do where that fails.
fn apt_update() {
    static UPDATE: Once = Once::new();
    UPDATE.call_once(|| {
        let _ = report::step("Fetching the lists of packages with apt", || {
            command::run(apt().args(["--quiet", "--quiet", "update"]))
        });
    });
}

fn apt_install(why: &str, packages: &[&str]) -> Result<()> {
    report::step(&format!("Installing {why} ({})", packages.join(" ")), || {
        let arguments = ["--quiet", "--quiet", "--yes", "--no-install-recommends", "install"];
        command::run(apt().args(arguments).args(packages)).with_context(|| {
            format!(
                "Run `apt-get install --no-install-recommends {}` yourself and then this again",
                packages.join(" ")
            )
        })
    })
}

/// `apt-get` as the superuser, without questions, waiting for another run of it.
fn apt() -> Command {
    const SETTINGS: [&str; 4] = [
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--option=DPkg::Lock::Timeout=300",
        "--option=Dpkg::Use-Pty=0",
    ];
    let mut command = if is_root() { program("env") } else { program("sudo") };
    if !is_root() {
        command.args(["-n", "env"]);
    }
    command.args(SETTINGS);
    command
}

/// Installs a Debian package that another tool turned out to lack; false where that cannot be done.
pub fn apt_add(why: &str, package: &str) -> Result<bool> {
    if !apt_can_install(&[package]) {
        return Ok(false);
    }
    apt_install(why, &[package])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        assert_eq!(Version::parse("rustc 1.95.0 (59807616e 2026-04-14)"), Some(Version(1, 95, 0)));
        assert_eq!(Version::parse("v20.20.2"), Some(Version(20, 20, 2)));
        assert_eq!(Version::parse("wasm-opt version 108"), Some(Version(108, 0, 0)));
        assert_eq!(Version::parse("1.97.0-nightly"), Some(Version(1, 97, 0)));
        assert_eq!(Version::parse("1.95"), Some(Version(1, 95, 0)));
        assert_eq!(Version::parse("no number"), None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Version(1, 100, 0) > Version(1, 95, 9));
        assert!(Version(20, 9, 0) < NODE);
        assert!(Version(24, 0, 0) > NODE);
    }

    #[test]
    fn the_oldest_compiler_is_the_one_of_the_manifest() {
        assert!(Version::parse(env!("CARGO_PKG_RUST_VERSION")).is_some());
    }
}

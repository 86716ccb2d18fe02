//! The engine as WebAssembly: compiled, bound to JavaScript, made small, and put into the npm package: once for the CPU, once for the
//! CPU with threads, and once for WebGPU.
//!
//! Cargo itself cannot tell whether one of them is up to date: it names the compiled module `adversight.wasm` whatever it was built
//! with, so that each build overwrites what the others have left and is taken for stale by the next. So what a module is made of is
//! looked at here: its sources, its features, the flags and the compiler.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;
use wasmparser::{ExternalKind, Parser, Payload, RefType, TypeRef};

use crate::command::{self, program};
use crate::digest::Digest;
use crate::module::constructors_run_once;
use crate::order;
use crate::paths::Paths;
use crate::prune::prune;
use crate::report::{self, megabytes};
use crate::setup::{self, DEBIAN_CARGO, DEBIAN_CLIPPY, DEBIAN_RUSTC, DEBIAN_RUSTDOC, TARGET, WasmCompiler};

/// The engine uses the vector instructions that every browser with WebAssembly has had since 2023.
const RUSTFLAGS: &str = "-C target-feature=+simd128";

/// What threads need beside: a standard library that is compiled with it too.
const ATOMICS: &str = ",+atomics";

/// Memory that the page's workers share: made by whoever makes the first instance, with room to grow as far as memory can, and with
/// what wasm-bindgen needs to give each instance a stack and variables of its own.
const SHARED_MEMORY: [&str; 8] = [
    "--shared-memory",
    "--import-memory",
    "--max-memory=4294967296",
    "--export=__heap_base",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];

/// The form of names that `prune` knows. Debian's compiler uses it by itself.
const MANGLING: &str = "-C symbol-mangling-version=v0";

/// One build of the engine.
#[derive(Debug, PartialEq, Eq)]
pub struct Engine {
    /// What the generated files are called: NAME.js, NAME_bg.wasm and their types.
    name: &'static str,
    /// What it is, for people.
    title: &'static str,
    /// The package that it is made of.
    package: &'static str,
    /// What is compiled into it, beside the packages of Cargo.lock.
    sources: &'static [&'static str],
    /// The features of the crate that it is built with.
    features: &'static str,
    /// Whether it computes in threads.
    threads: bool,
    /// What wasm-opt does to it.
    passes: &'static [&'static str],
}

/// Removes what nothing names and what is there twice, and leaves the code as the compiler wrote it: larger by a tenth than
/// rearranged, but smaller by a tenth once it is compressed. Of a GPU's engine little runs but what asks the GPU.
const PRUNING: &[&str] = &[
    "--optimize-level=3",
    "--remove-unused-module-elements",
    "--duplicate-function-elimination",
    "--remove-unused-module-elements",
];

/// The same of a module whose memory threads share.
const THREADED: &[&str] = &[
    "--enable-threads",
    "--optimize-level=3",
    "--remove-unused-module-elements",
    "--duplicate-function-elimination",
    "--remove-unused-module-elements",
];

/// The engine for the CPU alone, which no page can do without: it computes wherever the others are missing.
const CPU: Engine = Engine {
    name: "adversight_cpu",
    title: "the engine for the CPU",
    package: "adversight",
    sources: &SOURCES,
    features: "",
    threads: false,
    passes: PRUNING,
};

/// The same with threads.
const THREADS: Engine = Engine {
    name: "adversight_cpu_threads",
    title: "the engine for the CPU with threads",
    package: "adversight",
    sources: &SOURCES,
    features: "threads",
    threads: true,
    passes: THREADED,
};

/// The engine for WebGPU, which holds the CPU's too and is more than twice as large.
const WEBGPU: Engine = Engine {
    name: "adversight",
    title: "the engine for WebGPU",
    package: "adversight",
    sources: &SOURCES,
    features: "webgpu",
    threads: false,
    passes: PRUNING,
};

/// Modules beside the engines, each a package and a file of its own, which a page fetches only when it is given such an input. What they give
/// is handed to an engine.
const TEXT: Engine = Engine {
    name: "adversight_text",
    title: "the tokenizers of texts",
    package: "adversight-text",
    sources: &[".cargo/config.toml", "Cargo.lock", "Cargo.toml", "text", "rust-toolchain.toml"],
    features: "",
    threads: false,
    passes: PRUNING,
};

/// See [`TEXT`].
const SOUND: Engine = Engine {
    name: "adversight_sound",
    title: "the decoders of sounds",
    package: "adversight-sound",
    sources: &[".cargo/config.toml", "Cargo.lock", "Cargo.toml", "sound", "rust-toolchain.toml"],
    features: "decode",
    threads: false,
    passes: PRUNING,
};

/// All engines and what is beside them, in the order in which they are built: what is compiled soonest comes first.
static ENGINES: [Engine; 5] = [CPU, TEXT, SOUND, THREADS, WEBGPU];

/// What is compiled into the engine, beside the packages of Cargo.lock. The command line, which lies in a folder of `src`, is not.
const SOURCES: [&str; 9] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "kernels/Cargo.toml",
    "kernels/src",
    "sound/Cargo.toml",
    "sound/src",
    "src",
    "rust-toolchain.toml",
];

/// Beside what was found of a compiled module, so many older findings are kept.
const NOTED: usize = 16 * ENGINES.len();

/// The features of WebAssembly that the compiler uses and the optimiser may keep; names and producers go.
const WASM_OPT: [&str; 9] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
    "--strip-debug",
    "--strip-producers",
];

/// How many finished builds stay in the cache.
const KEPT: usize = 4 * ENGINES.len();

/// Builds the engines and what is beside them into the npm package (pkg/src/wasm): all, or those with these names. What has not changed is
/// not built again.
pub fn build(paths: &Paths, names: &[String]) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !ENGINES.iter().any(|engine| engine.name == **name)) {
        let known: Vec<_> = ENGINES.iter().map(|engine| engine.name).collect();
        bail!("There is no module {name}; there are {}.", known.join(", "));
    }
    let builder = Builder::new(paths)?;
    let wanted = |engine: &&Engine| names.is_empty() || names.iter().any(|name| name == engine.name);
    builder.possible()?.into_iter().filter(wanted).try_for_each(|engine| builder.build(engine))
}

/// What engines are built with.
pub struct Builder<'a> {
    paths: &'a Paths,
    compiler: WasmCompiler,
    /// What the compiler and the optimiser say of themselves.
    versions: [String; 2],
}

impl<'a> Builder<'a> {
    /// Finds the compiler and the optimiser, or installs them.
    pub fn new(paths: &'a Paths) -> Result<Self> {
        let compiler = setup::wasm_compiler()?;
        let rustc = match compiler {
            WasmCompiler::Own => "rustc",
            WasmCompiler::Debian => DEBIAN_RUSTC,
        };
        let compiles = command::output(program(rustc).arg("-vV").current_dir(&paths.root))?;
        let optimises = command::output(setup::wasm_opt(&paths.cache)?.arg("--version"))?;
        Ok(Self { paths, compiler, versions: [compiles, optimises] })
    }

    /// The engines that can be built here. Of the others nothing is left in the package.
    fn possible(&self) -> Result<Vec<&'static Engine>> {
        let mut possible = Vec::new();
        for engine in &ENGINES {
            if engine.threads && !setup::can_build_the_standard_library(&self.compiler)? {
                report::note(
                    "without the source of Rust's standard library (`rustup component add rust-src`) there is no engine \
                     with threads: pages use the one without",
                );
                engine.remove(self.paths)?;
            } else {
                possible.push(engine);
            }
        }
        Ok(possible)
    }

    /// Builds what no page can do without, puts beside it what is finished, and returns the engines that are left to be built. Nothing older
    /// than the rest stays in the package.
    pub fn build_what_a_page_needs(&self) -> Result<Vec<&'static Engine>> {
        let mut later = Vec::new();
        for engine in self.possible()? {
            if *engine == CPU || !engine.is_engine() || self.finished(engine)?.is_some() {
                self.build(engine)?;
            } else {
                engine.remove(self.paths)?;
                later.push(engine);
            }
        }
        if later.contains(&&WEBGPU) {
            WEBGPU.stand_in(self.paths)?;
        }
        Ok(later)
    }

    /// Builds an engine into the package, unless it was built of the same before.
    pub fn build(&self, engine: &Engine) -> Result<()> {
        let finished = match self.finished(engine)? {
            Some(finished) => {
                report::note(&format!("{engine} has not changed"));
                finished
            }
            None => self.make(engine)?,
        };
        let sizes = engine.sizes(&finished)?;
        copy_changed(&finished, &self.paths.wasm_package())?;
        report::note(&format!("pkg/src/wasm/{}: {sizes}", engine.file()));
        Ok(())
    }

    /// Where an engine lies in the cache that was made of what is there now.
    fn finished(&self, engine: &Engine) -> Result<Option<PathBuf>> {
        let Ok(compiled) = fs::read_to_string(self.note(engine)?) else { return Ok(None) };
        Ok(Some(self.place(engine, &compiled)).filter(|place| place.is_dir()))
    }

    /// The file that says what was compiled of what is there now.
    fn note(&self, engine: &Engine) -> Result<PathBuf> {
        Ok(self.paths.cache.join("wasm-compiled").join(self.made_of(engine)?))
    }

    /// The place in the cache of what becomes of a compiled module, given its digest.
    fn place(&self, engine: &Engine, compiled: &str) -> PathBuf {
        self.paths.cache.join("wasm").join(engine.key(compiled, &self.versions[1]))
    }

    /// A digest of all that a compiled module depends on.
    fn made_of(&self, engine: &Engine) -> Result<String> {
        let mut digest = Digest::new();
        digest.add(self.versions[0].as_bytes());
        let command = cargo(&self.compiler, self.paths, engine);
        command.get_args().for_each(|argument| digest.add(argument.as_encoded_bytes()));
        // Where the outputs lie does not change them. What the user has set about the profile does.
        for (name, value) in command.get_envs().filter(|(name, _)| *name != "CARGO_TARGET_DIR") {
            digest.add(name.as_encoded_bytes());
            digest.add(value.unwrap_or_default().as_encoded_bytes());
        }
        let mut profile: Vec<_> =
            env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PROFILE_")).collect();
        profile.sort();
        for (name, value) in profile {
            digest.add(name.as_encoded_bytes());
            digest.add(value.as_encoded_bytes());
        }
        for source in engine.sources {
            let path = self.paths.root.join(source);
            digest.add(source.as_bytes());
            if path.is_dir() {
                digest.add_folder(&path, &|name| name != "bin")?;
            } else if path.is_file() {
                digest.add_file(&path)?;
            }
        }
        Ok(digest.finish())
    }

    /// Compiles an engine, binds it and makes it small, and returns its place in the cache.
    fn make(&self, engine: &Engine) -> Result<PathBuf> {
        // Before: a source that is changed meanwhile may have been compiled or not.
        let note = self.note(engine)?;
        let compiled = engine.compile(&self.compiler, self.paths)?;
        let raw = fs::read(&compiled).with_context(|| format!("{} could not be read", compiled.display()))?;
        let mut digest = Digest::new();
        digest.add(&raw);
        let digest = digest.finish();
        let finished = self.place(engine, &digest);
        if finished.is_dir() {
            report::note("the WebAssembly has not changed: its optimised form comes from the cache");
        } else {
            // Made beside its place and then moved there, so that whatever is in the cache is whole.
            let unfinished = finished.with_extension("unfinished");
            let _ = fs::remove_dir_all(&unfinished);
            constructors_run_once(&raw)?;
            // What can be taken out is Burn's and CubeCL's.
            let pruned = if engine.is_engine() { prune(&raw)? } else { raw };
            report::step(&format!("Binding {engine} to JavaScript"), || engine.bind(pruned, &unfinished))?;
            let optimiser = &self.versions[1];
            report::step(&format!("Making the WebAssembly smaller ({optimiser})"), || {
                let mut optimiser = setup::wasm_opt(&self.paths.cache)?;
                optimise(optimiser.args(engine.passes), &unfinished.join(engine.file()))
            })?;
            fs::rename(&unfinished, &finished)?;
            forget_old(&self.paths.cache.join("wasm"), &finished, KEPT)?;
        }
        if self.note(engine)? == note {
            let notes = self.paths.cache.join("wasm-compiled");
            fs::create_dir_all(&notes)?;
            fs::write(&note, digest)?;
            forget_old(&notes, &note, NOTED)?;
        }
        Ok(finished)
    }
}

impl Display for Engine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl Engine {
    /// Removes what an earlier build has put into the package, which would not fit the rest.
    fn remove(&self, paths: &Paths) -> Result<()> {
        for end in [".js", ".d.ts", "_bg.wasm", "_bg.wasm.d.ts"] {
            let file = paths.wasm_package().join(format!("{}{end}", self.name));
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        Ok(())
    }

    /// Lets the package be built without this engine: it names the module and takes its types from there. The WebAssembly stays missing, and so
    /// pages take the CPU and say why (pkg/src/host.ts).
    fn stand_in(&self, paths: &Paths) -> Result<()> {
        for end in [".js", ".d.ts"] {
            let [from, to] =
                [&CPU, self].map(|engine| paths.wasm_package().join(format!("{}{end}", engine.name)));
            fs::copy(from, to).context("The engine for the CPU has no module for JavaScript")?;
        }
        Ok(())
    }

    /// Whether it computes, and is not only beside those that do.
    fn is_engine(&self) -> bool {
        self.package == "adversight"
    }

    /// The name of the WebAssembly file.
    fn file(&self) -> String {
        format!("{}_bg.wasm", self.name)
    }

    /// Compiles it and returns the file.
    fn compile(&self, compiler: &WasmCompiler, paths: &Paths) -> Result<PathBuf> {
        let with = match compiler {
            WasmCompiler::Own => "",
            WasmCompiler::Debian => "with Debian's compiler; ",
        };
        let what = format!(
            "Compiling {self} for WebAssembly ({with}the first time takes many minutes on two cores)"
        );
        report::step(&what, || command::run(&mut cargo(compiler, paths, self)))?;
        Ok(self
            .target(compiler, paths)
            .join(TARGET)
            .join(format!("release/{}.wasm", self.package.replace('-', "_"))))
    }

    /// Where cargo's build outputs go. The build scripts of some packages look at what allows unfinished features: in one folder, builds with
    /// it and without it would have most packages compiled anew by turns.
    fn target(&self, compiler: &WasmCompiler, paths: &Paths) -> PathBuf {
        match compiler {
            WasmCompiler::Own if self.threads => paths.wasm_target().join("threads"),
            WasmCompiler::Own | WasmCompiler::Debian => paths.wasm_target(),
        }
    }

    /// Runs wasm-bindgen, as a library and therefore always in the engine's version.
    fn bind(&self, compiled: Vec<u8>, out: &Path) -> Result<()> {
        let mut bindgen = Bindgen::new();
        bindgen.input_bytes(self.name, compiled).web(true)?.typescript(true);
        bindgen.generate(out).context("wasm-bindgen could not bind the engine")
    }

    /// What the finished files depend on: the digest of the compiler's output, the optimiser, and what this task does to them.
    fn key(&self, compiled: &str, optimiser: &str) -> String {
        let task: [&[u8]; 4] = [
            include_bytes!("wasm.rs"),
            include_bytes!("module.rs"),
            include_bytes!("prune.rs"),
            include_bytes!("order.rs"),
        ];
        let mut digest = Digest::new();
        for part in [self.name, compiled, optimiser].map(str::as_bytes).into_iter().chain(task) {
            digest.add(part);
        }
        digest.finish()[..32].to_owned()
    }

    /// The size of the WebAssembly as it is and as a server sends it, computed once.
    fn sizes(&self, finished: &Path) -> Result<String> {
        let file = finished.join("sizes.txt");
        if let Ok(text) = fs::read_to_string(&file) {
            return Ok(text);
        }
        let wasm = fs::read(finished.join(self.file()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&wasm)?;
        let gzip = gzip.finish()?;
        let mut brotli = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams { quality: 9, lgwin: 24, ..Default::default() };
        brotli::BrotliCompress(&mut wasm.as_slice(), &mut brotli, &parameters)?;
        let [raw, gzip, brotli] = [&wasm, &gzip, &brotli].map(|bytes| megabytes(bytes.len() as u64));
        let text = format!("{raw}, {gzip} with gzip -9, {brotli} with brotli -9");
        fs::write(file, &text)?;
        Ok(text)
    }
}

/// Looks at the code for WebAssembly, which is compiled nowhere else, with clippy and rustdoc: of the engine for the CPU, since what the others
/// have beside is of a few lines and the packages below them would have to be looked at anew.
pub fn lint(paths: &Paths) -> Result<()> {
    let compiler = setup::wasm_compiler()?;
    if compiler == WasmCompiler::Debian && !setup::debian_clippy()? {
        report::note("without Debian's clippy (rust-web-clippy) the code for WebAssembly is only compiled");
        return Ok(());
    }
    report::step("Checking the code for WebAssembly with clippy", || {
        let mut command = call(&compiler, paths, &CPU, &["clippy", "--release", "--lib"]);
        command::run(command.args(["--", "-D", "warnings"])).context("Mend what clippy says above")
    })?;
    report::step("Checking the documentation of the code for WebAssembly", || {
        let what = ["doc", "--release", "--lib", "--no-deps", "--document-private-items"];
        command::run(call(&compiler, paths, &CPU, &what).env("RUSTDOCFLAGS", "-D warnings"))
            .context("Mend what rustdoc says above")
    })
}

/// The call of cargo that compiles an engine.
fn cargo(compiler: &WasmCompiler, paths: &Paths, engine: &Engine) -> Command {
    let mut command =
        call(compiler, paths, engine, &["rustc", "--release", "--lib", "--crate-type", "cdylib"]);
    if engine.threads {
        command
            .arg("--")
            .args(SHARED_MEMORY.iter().flat_map(|flag| ["-C".into(), format!("link-arg={flag}")]));
    }
    command
}

/// A call of cargo for this compiler and the features of an engine.
fn call(compiler: &WasmCompiler, paths: &Paths, engine: &Engine, what: &[&str]) -> Command {
    let mut command = match compiler {
        WasmCompiler::Own => program("cargo"),
        WasmCompiler::Debian => {
            // By its name alone, cargo would find the clippy of rustup.
            let clippy = what.first() == Some(&"clippy");
            let mut command = program(if clippy { DEBIAN_CLIPPY } else { DEBIAN_CARGO });
            // What rustup and the cargo that runs this task have set is meant for their own compiler.
            for variable in ["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "CARGO", "RUSTDOC", "LD_LIBRARY_PATH"] {
                command.env_remove(variable);
            }
            command.env("RUSTC", DEBIAN_RUSTC);
            match what.first() {
                Some(&"clippy") => command.env("CARGO", DEBIAN_CARGO),
                Some(&"doc") => command.env("RUSTDOC", DEBIAN_RUSTDOC),
                _ => &mut command,
            };
            command
        }
    };
    command.args(what).args(["--package", engine.package]);
    command.args(["--no-default-features", "--features", engine.features, "--locked", "--target", TARGET]);
    if engine.threads || *compiler == WasmCompiler::Debian {
        // A compiler that is released lets none of its unfinished features be used, of which this is one.
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    // Flags of the environment are for this machine's processor. The encoded form would win over ours.
    let mut flags = RUSTFLAGS.to_owned();
    if engine.threads {
        flags.push_str(ATOMICS);
    }
    if *compiler == WasmCompiler::Own {
        flags = format!("{flags} {MANGLING}");
    }
    command.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("CARGO_TARGET_DIR", engine.target(compiler, paths)).current_dir(&paths.root);
    command
}

/// Runs wasm-opt on a file, in its place.
fn optimise(optimiser: &mut Command, file: &Path) -> Result<()> {
    let before = order::by_kind(&fs::read(file)?)?;
    fs::write(file, &before)?;
    command::run(optimiser.args(WASM_OPT).arg(file).arg("--output").arg(file))?;
    let mut after = fs::read(file)?;
    restore_table_exports(&before, &mut after)?;
    Ok(fs::write(file, after)?)
}

/// Mends what old versions of wasm-opt break (108 for one, which is Debian 12's): every export of a table becomes one
/// of table 0. Here that is the table of functions, so JavaScript could not keep its values in its own table.
fn restore_table_exports(before: &[u8], after: &mut [u8]) -> Result<()> {
    let intended = Tables::read(before)?;
    let written = Tables::read(after)?;
    for export in &written.exports {
        let original = intended.exports.iter().find(|original| original.name == export.name);
        let original =
            original.with_context(|| format!("wasm-opt added an export of a table, {}", export.name))?;
        let kind = intended.kind(original)?;
        if written.kind(export)? == kind {
            continue;
        }
        let mut alike = (0u8..).zip(&written.kinds).filter(|(_, other)| **other == kind);
        let (Some((index, _)), None) = (alike.next(), alike.next()) else {
            bail!("wasm-opt left it open which table {} is: install a newer one.", export.name);
        };
        if index >= 0x80 || after[export.position] >= 0x80 {
            bail!("wasm-opt exported the wrong table as {}: install a newer one.", export.name);
        }
        after[export.position] = index;
    }
    Ok(())
}

/// The tables of a module.
struct Tables {
    /// What each holds, by index.
    kinds: Vec<RefType>,
    exports: Vec<TableExport>,
}

/// A table that JavaScript can see.
struct TableExport {
    name: String,
    index: u32,
    /// Where in the file the index is written.
    position: usize,
}

impl Tables {
    fn read(module: &[u8]) -> Result<Self> {
        let mut tables = Self { kinds: Vec::new(), exports: Vec::new() };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Table(table) = import?.ty {
                            tables.kinds.push(table.element_type);
                        }
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        tables.kinds.push(table?.ty.element_type);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section.into_iter_with_offsets() {
                        let (start, export) = export?;
                        if export.kind == ExternalKind::Table {
                            // The length of the name, the name, one byte for the kind, and then the index.
                            let position = start + leb128_length(export.name.len()) + export.name.len() + 1;
                            let name = export.name.to_owned();
                            tables.exports.push(TableExport { name, index: export.index, position });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(tables)
    }

    fn kind(&self, export: &TableExport) -> Result<RefType> {
        let kind = self.kinds.get(export.index as usize);
        kind.copied().with_context(|| format!("{} is the export of a table that does not exist", export.name))
    }
}

/// How many bytes a number takes, at seven bits a byte.
fn leb128_length(number: usize) -> usize {
    (number.checked_ilog2().unwrap_or(0) / 7 + 1) as usize
}

/// Copies the generated files that differ from what is there, so that a watching tool sees only real changes.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.file_name() == "sizes.txt" {
            continue;
        }
        let content = fs::read(file.path())?;
        let target = to.join(file.file_name());
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(&target, content)?;
        }
    }
    Ok(())
}

/// Removes all but the newest so many of a folder of the cache.
fn forget_old(folder: &Path, newest: &Path, kept: usize) -> Result<()> {
    let mut builds = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let changed = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        builds.push((changed, entry.path()));
    }
    builds.sort();
    builds.reverse();
    for (_, old) in builds.iter().filter(|(_, path)| path != newest).skip(kept - 1) {
        if old.is_dir() { fs::remove_dir_all(old)? } else { fs::remove_file(old)? }
    }
    if !newest.exists() {
        bail!("{} has gone: run this command again.", newest.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn paths() -> Paths {
        Paths { root: "/project".into(), target: "/target".into(), cache: "/cache".into() }
    }

    fn arguments(command: &Command) -> Vec<String> {
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    fn variable(command: &Command, name: &str) -> Option<String> {
        let mut variables = command.get_envs();
        variables.find(|(key, _)| *key == name)?.1.map(|value| value.to_string_lossy().into_owned())
    }

    #[test]
    fn both_compilers_build_the_same_crate_with_vector_instructions() {
        for compiler in [WasmCompiler::Own, WasmCompiler::Debian] {
            let command = cargo(&compiler, &paths(), &WEBGPU);
            let arguments = arguments(&command).join(" ");
            assert!(arguments.contains("--package adversight --no-default-features --features webgpu"));
            assert!(variable(&command, "RUSTFLAGS").unwrap().starts_with("-C target-feature=+simd128"));
            assert_eq!(variable(&command, "CARGO_TARGET_DIR").as_deref(), Some("/target/wasm"));
        }
    }

    #[test]
    fn what_is_beside_the_engines_is_a_package_of_its_own() {
        let built = |module| arguments(&cargo(&WasmCompiler::Own, &paths(), module)).join(" ");
        assert!(built(&TEXT).contains("--package adversight-text --no-default-features"));
        assert!(!TEXT.is_engine() && CPU.is_engine());
        assert_eq!(TEXT.file(), "adversight_text_bg.wasm");
        assert!(built(&SOUND).contains("--package adversight-sound --no-default-features --features decode"));
        assert!(!SOUND.is_engine() && CPU.is_engine());
        assert_eq!(SOUND.file(), "adversight_sound_bg.wasm");
    }

    #[test]
    fn only_debians_compiler_builds_the_standard_library() {
        let [own, debian] =
            [WasmCompiler::Own, WasmCompiler::Debian].map(|compiler| cargo(&compiler, &paths(), &CPU));
        assert!(!arguments(&own).iter().any(|argument| argument.starts_with("-Z")));
        assert!(arguments(&debian).contains(&"-Zbuild-std=std,panic_abort".to_owned()));
        assert_eq!(variable(&own, "RUSTC_BOOTSTRAP"), None);
        assert_eq!(variable(&debian, "RUSTC_BOOTSTRAP").as_deref(), Some("1"));
        assert_eq!(debian.get_program(), "/usr/bin/cargo");
    }

    #[test]
    fn the_linter_is_the_compilers_own() {
        let lint =
            |compiler: &WasmCompiler| call(compiler, &paths(), &CPU, &["clippy", "--release", "--lib"]);
        let debian = lint(&WasmCompiler::Debian);
        assert_eq!(debian.get_program(), "/usr/bin/cargo-clippy");
        assert_eq!(variable(&debian, "CARGO").as_deref(), Some("/usr/bin/cargo"));
        assert_eq!(arguments(&debian)[0], "clippy");
        assert_eq!(lint(&WasmCompiler::Own).get_program(), "cargo");
        let doc = call(&WasmCompiler::Debian, &paths(), &CPU, &["doc"]);
        assert_eq!(variable(&doc, "RUSTDOC").as_deref(), Some("/usr/bin/rustdoc"));
        assert_eq!(doc.get_program(), "/usr/bin/cargo");
    }

    #[test]
    fn threads_need_atomic_instructions_everywhere_and_memory_that_is_shared() {
        for compiler in [WasmCompiler::Own, WasmCompiler::Debian] {
            let command = cargo(&compiler, &paths(), &THREADS);
            let arguments = arguments(&command);
            assert!(arguments.contains(&"-Zbuild-std=std,panic_abort".to_owned()));
            assert_eq!(variable(&command, "RUSTC_BOOTSTRAP").as_deref(), Some("1"));
            let flags = variable(&command, "RUSTFLAGS").unwrap();
            assert!(flags.starts_with("-C target-feature=+simd128,+atomics"), "{flags}");
            // For the linker alone: as flags of every package they would have all of them compiled anew.
            let separator = arguments.iter().position(|argument| argument == "--").unwrap();
            for flag in ["--shared-memory", "--import-memory", "--export=__wasm_init_tls"] {
                assert!(arguments[separator..].contains(&format!("link-arg={flag}")), "{flag}");
            }
            assert!(THREADS.passes.contains(&"--enable-threads"));
        }
    }

    #[test]
    fn an_engine_that_cannot_be_built_leaves_nothing_old() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), ..paths() };
        fs::create_dir_all(paths.wasm_package()).unwrap();
        for engine in [&CPU, &THREADS] {
            fs::write(paths.wasm_package().join(engine.file()), "").unwrap();
        }
        THREADS.remove(&paths).unwrap();
        assert!(paths.wasm_package().join(CPU.file()).exists());
        assert!(!paths.wasm_package().join(THREADS.file()).exists());
    }

    #[test]
    fn while_an_engine_is_missing_its_module_is_the_cpus_and_its_webassembly_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), ..paths() };
        let package = paths.wasm_package();
        fs::create_dir_all(&package).unwrap();
        for (name, text) in
            [("adversight_cpu.js", "cpu"), ("adversight_cpu.d.ts", "types"), ("adversight_bg.wasm", "old")]
        {
            fs::write(package.join(name), text).unwrap();
        }
        WEBGPU.remove(&paths).unwrap();
        WEBGPU.stand_in(&paths).unwrap();
        assert_eq!(fs::read_to_string(package.join("adversight.js")).unwrap(), "cpu");
        assert_eq!(fs::read_to_string(package.join("adversight.d.ts")).unwrap(), "types");
        assert!(!package.join("adversight_bg.wasm").exists());
    }

    #[test]
    fn an_engine_is_compiled_anew_where_its_sources_or_its_features_change_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for source in [
            "Cargo.toml",
            "Cargo.lock",
            "src/lib.rs",
            "src/bin/adversight.rs",
            "kernels/Cargo.toml",
            "kernels/src/lib.rs",
            "sound/src/lib.rs",
        ] {
            write(source, "1");
        }
        let paths = Paths { root: root.path().into(), ..paths() };
        let builder = |rustc: &str| Builder {
            paths: &paths,
            compiler: WasmCompiler::Debian,
            versions: [rustc.to_owned(), "108".to_owned()],
        };
        let now = |engine: &Engine| builder("1.96").made_of(engine).unwrap();
        let mut seen = vec![now(&CPU), now(&THREADS), now(&WEBGPU)];
        assert!(seen[0] != seen[1] && seen[0] != seen[2] && seen[1] != seen[2]);
        assert_ne!(builder("1.97").made_of(&CPU).unwrap(), seen[0]);
        for source in
            ["Cargo.lock", "src/lib.rs", "src/wasm/new.rs", "kernels/src/lib.rs", "sound/src/lib.rs"]
        {
            write(source, "2");
            let changed = now(&CPU);
            assert!(!seen.contains(&changed), "{source}");
            seen.push(changed);
        }
        let before = now(&CPU);
        for other in ["src/bin/adversight.rs", "tests/it/main.rs", "README.md", "xtask/src/main.rs"] {
            write(other, "2");
            assert_eq!(now(&CPU), before, "{other}");
        }
    }

    #[test]
    fn the_key_depends_on_the_engine_its_content_and_the_optimiser() {
        let base = CPU.key("wasm", "version 108");
        assert_eq!(base, CPU.key("wasm", "version 108"));
        assert_ne!(base, WEBGPU.key("wasm", "version 108"));
        assert_ne!(base, CPU.key("wasn", "version 108"));
        assert_ne!(base, CPU.key("wasm", "version 109"));
    }

    /// A module with a table of functions and one of JavaScript's values, of which it exports the one with this index.
    fn module(exported: u8) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([4, 7, 2, 0x70, 0, 1, 0x6f, 0, 1]);
        bytes.extend([7, 10, 1, 6]);
        bytes.extend(b"values");
        bytes.extend([1, exported]);
        bytes
    }

    #[test]
    fn the_exported_table_is_the_one_of_before() {
        let right = module(1);
        let mut broken = module(0);
        restore_table_exports(&right, &mut broken).unwrap();
        assert_eq!(broken, right);
        let mut sound = module(1);
        restore_table_exports(&right, &mut sound).unwrap();
        assert_eq!(sound, right);
        assert!(restore_table_exports(&right, &mut module(2)).is_err());
    }

    #[test]
    fn numbers_take_a_byte_for_seven_bits() {
        assert_eq!([0, 1, 127, 128, 16_383, 16_384].map(leb128_length), [1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn unchanged_files_keep_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::create_dir(&from).unwrap();
        for (name, text) in [("same.js", "1"), ("changed.js", "2"), ("sizes.txt", "3")] {
            fs::write(from.join(name), text).unwrap();
        }
        copy_changed(&from, &to).unwrap();
        let before = fs::metadata(to.join("same.js")).unwrap().modified().unwrap();
        fs::write(from.join("changed.js"), "20").unwrap();
        copy_changed(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("same.js")).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_to_string(to.join("changed.js")).unwrap(), "20");
        assert!(!to.join("sizes.txt").exists());
    }

    #[test]
    fn the_cache_keeps_the_newest_builds() {
        let folder = tempfile::tempdir().unwrap();
        for number in 10..10 + KEPT + 2 {
            fs::create_dir(folder.path().join(number.to_string())).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let newest = folder.path().join((11 + KEPT).to_string());
        forget_old(folder.path(), &newest, KEPT).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let kept: Vec<_> = (12..12 + KEPT).map(|number| OsString::from(number.to_string())).collect();
        assert_eq!(left, kept);
    }
}

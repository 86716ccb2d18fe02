//! Functions that are compiled although nothing calls them, taken out of a module.
//!
//! The linker keeps whatever some table of functions names. CubeCL can read quantised tensors in every kernel, and compiles
//! the reading for each combination of types; its compiler can read kernels from text (docs/upstream.md); it defines kernels
//! that no browser's GPU can run. The engine does none of it, so these functions become traps, and the optimiser removes what
//! only they have called.

use std::{collections::HashSet, ops::Range};

use anyhow::{Context, Result, bail};
use wasm_encoder::{CodeSection, Function, Module, RawSection, SectionId};
use wasmparser::{KnownCustom, Parser, Payload};

use crate::module::{function_names, imported_functions};

/// What is never called, as the compiler writes it into names (mangling v0): functions of these modules, wherever they are
/// instantiated, and functions with this at any place in their names.
const UNUSED: [Unused; 22] = [
    // The reader of quantised tensors.
    Unused::Module("_10cubecl_std5quant4view"),
    // Sorting on the host what lies on a GPU: the host would have to wait for it, which no page can.
    Unused::Module("_12burn_backend7backend3ops4sort"),
    // Reading kernels from text: `parse` of the compiler's representation, and the library that it uses.
    Unused::Module("_7combine6parser"),
    Unused::Function("_6pliron8parsable8Parsable5parse"),
    // The definitions of kernels that a browser's GPU cannot run or the engine never asks for: products by tensor cores, products
    // on CubeCL's own processor backend, and the quantisation of tensors. Functions below them may be shared with other kernels,
    // whose types are alike: those that are not go with them.
    Unused::Instance("11cmma_kernel", "6define"),
    Unused::Instance("15cpu_gemm_kernel", "6define"),
    Unused::Instance("_11cubek_quant", "6define"),
    // Products on the CPU of any but real numbers of 32 bits, each a crate of its own: every number is computed in 32.
    Unused::Function("_8gemm_f16"),
    Unused::Function("_8gemm_f64"),
    Unused::Function("_8gemm_c32"),
    Unused::Function("_8gemm_c64"),
    // Operators on the CPU of numbers of 16 and 64 bits. Only where they calculate: those that copy may be shared with other types.
    Unused::Ending("_9burn_flex3ops4conv", &["_f16", "_bf16", "_f64"]),
    Unused::Ending("_9burn_flex3ops14conv_transpose", &["_f16", "_bf16", "_f64"]),
    Unused::Ending("_9burn_flex3ops4pool", &["_f16", "_bf16", "_f64"]),
    Unused::Ending("_9burn_flex3ops11interpolate", &["_f16", "_bf16", "_f64"]),
    Unused::Ending("_9burn_flex3ops10cumulative", &["_f16", "_bf16", "_f64"]),
    Unused::Ending("_9burn_flex3ops4mask", &["_f16", "_bf16"]),
    Unused::Function("_9burn_flex3zip7zip_mapddd"),
    Unused::Function("_9burn_flex3zip7zip_mapddh"),
    Unused::Function("_9burn_flex3zip17zip_apply_inplacedd"),
    Unused::Instance("_9burn_flex3zip7zip_mapNtNtCs", "4half"),
    Unused::Instance("_9burn_flex3zip17zip_apply_inplaceNtNtCs", "4half"),
];

enum Unused {
    Module(&'static str),
    Function(&'static str),
    /// Functions with both in their names: a kernel's module and a function of it.
    Instance(&'static str, &'static str),
    /// Functions of a module whose own names end in one of these.
    Ending(&'static str, &'static [&'static str]),
}

/// Bytes up to which a function is left as it is. The compiler keeps one of equal functions, under the name of any of them, and
/// short ones are equal by chance.
const SHORT: usize = 64;

/// Makes traps of the functions that are never called. Needs the names of functions, which the compiler leaves in.
pub fn prune(module: &[u8]) -> Result<Vec<u8>> {
    let parts = Parts::read(module)?;
    if parts.unused.is_empty() {
        bail!(
            "The engine holds nothing that could be taken out: have Burn and CubeCL changed? See UNUSED in prune.rs."
        );
    }
    let mut trap = Function::new([]);
    trap.instructions().unreachable().end();
    let mut code = CodeSection::new();
    for (index, body) in parts.bodies.into_iter().enumerate() {
        if body.len() > SHORT && parts.unused.contains(&(parts.imported + index)) {
            code.function(&trap);
        } else {
            code.raw(&module[body]);
        }
    }
    let mut pruned = Module::new();
    for (id, content) in parts.sections {
        if id == SectionId::Code as u8 {
            pruned.section(&code);
        } else {
            pruned.section(&RawSection { id, data: &module[content] });
        }
    }
    Ok(pruned.finish())
}

/// What of a module matters here.
#[derive(Default)]
struct Parts {
    sections: Vec<(u8, Range<usize>)>,
    /// How many functions are imported: they are counted before the module's own.
    imported: usize,
    bodies: Vec<Range<usize>>,
    /// The functions to take out, by number.
    unused: HashSet<usize>,
}

impl Parts {
    fn read(module: &[u8]) -> Result<Self> {
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.context("the compiler's output is no WebAssembly")?;
            parts.sections.extend(payload.as_section());
            match payload {
                Payload::ImportSection(section) => parts.imported = imported_functions(section)?,
                Payload::CodeSectionEntry(body) => parts.bodies.push(body.range()),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        let mut names = function_names(names)?;
                        names.retain(|_, name| UNUSED.iter().any(|unused| unused.names(name)));
                        parts.unused = names.into_keys().collect();
                    }
                }
                _ => {}
            }
        }
        Ok(parts)
    }
}

impl Unused {
    /// Whether a function with this name is meant. One of a module is written there: what is written elsewhere and only
    /// instantiated for its types may be shared with other types.
    fn names(&self, function: &str) -> bool {
        match self {
            Self::Module(path) => function.find(path).is_some_and(|at| !names_a_crate(&function[1..at])),
            Self::Function(path) => function.contains(path),
            Self::Instance(own, of) => function.contains(own) && function.contains(of),
            Self::Ending(path, ends) => {
                function.contains(path) && ends.iter().any(|end| function.ends_with(end))
            }
        }
    }
}

/// Whether the start of a name holds the name of a crate: an underscore and its length.
fn names_a_crate(start: &str) -> bool {
    start.as_bytes().windows(2).any(|pair| pair[0] == b'_' && pair[1].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        EntityType, FunctionSection, ImportSection, NameMap, NameSection, TypeSection, ValType,
    };

    use super::*;

    const NEVER_CALLED: [&str; 8] = [
        "_RINvNvNtNtCs1a_10cubecl_std5quant4view19run_with_quant_type10run_with_qINtB4_15RegisterDynamicE",
        "_RNvXs2_NtNtCs1a_10cubecl_std5quant4viewINtB5_13QuantizedViewE4readB9_",
        "_RNvXs_NtNtCs3c_9cubecl_ir7dialect3scfNtB4_5ForOpNtNtCs4d_6pliron8parsable8Parsable5parse",
        "_RINvNtCs1a_8gemm_f644gemm10gemm_basicE",
        "_RNvXs5_NtNtCs1a_12cubek_matmul6kernel11cmma_kernelNtB5_10CmmaKernelNtNtCs2b_14cubecl_runtime10CubeKernel6define",
        "_RNvNtNtCs1a_9burn_flex3ops4conv10conv3d_f64",
        "_RINvNtCs1a_9burn_flex3zip7zip_mapdddRINvNtNtB4_3ops5float15remainder_floatdEEB4_",
        "_RINvNtCs1a_9burn_flex3zip7zip_mapNtNtCs2b_4half6bfloat4bf16BZ_BZ_NCNvNtNtB4_3ops4mask9mask_fill0EB4_",
    ];
    const CALLED: [&str; 9] = [
        "_RINvNtCs2b_4core3ptr13drop_in_placeINtNtNtCs1a_10cubecl_std5quant4view13QuantizedViewE",
        "_RNvNtNtCs1a_10cubecl_std6tensor4view3new",
        "_RNvXs_NtNtCs3c_9cubecl_ir7dialect3scfNtB4_5ForOpNtNtCs4d_6pliron9printable9Printable3fmt",
        "_RNvMs5_NtCs1a_12cubek_matmul4baseNtB5_11CmmaRoutine9blueprint",
        "_RNvMs_NtCs2b_4half8binary16NtB4_3f166to_f32",
        "_RNvNtNtCs1a_9burn_flex3ops4conv10conv3d_f32",
        "_RNvNtNtCs1a_9burn_flex3ops4mask14mask_where_f64",
        "_RINvNtCs1a_9burn_flex3zip7zip_mapfffRINvNtNtB4_3ops5float15remainder_floatfEEB4_",
        "main",
    ];

    #[test]
    fn what_is_never_called_is_told_by_its_name() {
        let unused = |name: &str| UNUSED.iter().any(|unused| unused.names(name));
        for name in NEVER_CALLED {
            assert!(unused(name), "{name}");
        }
        for name in CALLED {
            assert!(!unused(name), "{name}");
        }
    }

    /// A function that drops the number 7 some times, and then gives it.
    fn body(drops: usize) -> Vec<u8> {
        let mut function = Function::new([]);
        for _ in 0..drops {
            function.instructions().i32_const(7).drop();
        }
        function.instructions().i32_const(7).end();
        function.into_raw_body()
    }

    /// A module with an imported function and two of its own, with these names and bodies.
    fn module(names: [&str; 2], bodies: [&[u8]; 2]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("m", "f", EntityType::Function(0));
        let (mut functions, mut code, mut map) = (FunctionSection::new(), CodeSection::new(), NameMap::new());
        for ((index, name), body) in (1..).zip(names).zip(bodies) {
            functions.function(0);
            code.raw(body);
            map.append(index, name);
        }
        let mut names = NameSection::new();
        names.functions(&map);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&code).section(&names);
        module.finish()
    }

    #[test]
    fn what_is_never_called_becomes_a_trap_and_the_rest_stays() {
        let (long, short) = (body(30), body(0));
        let before = module([NEVER_CALLED[0], CALLED[0]], [&long, &long]);
        let after = prune(&before).unwrap();
        let bodies = |module: &[u8]| -> Vec<Vec<u8>> {
            let parts = Parts::read(module).unwrap();
            parts.bodies.into_iter().map(|body| module[body].to_vec()).collect()
        };
        assert_eq!(bodies(&before), [long.clone(), long.clone()]);
        assert_eq!(bodies(&after), [vec![0, 0, 0x0b], long.clone()]);
        // Another function may have been merged into a short one.
        let merged = module([NEVER_CALLED[0], NEVER_CALLED[1]], [&short, &long]);
        assert_eq!(bodies(&prune(&merged).unwrap()), [short, vec![0, 0, 0x0b]]);
    }

    #[test]
    fn a_module_without_them_is_an_error() {
        let error = prune(&module([CALLED[0], CALLED[1]], [&body(30), &body(30)])).unwrap_err();
        assert!(error.to_string().contains("nothing that could be taken out"));
    }
}

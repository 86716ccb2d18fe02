//! What is read of a WebAssembly module before it is changed.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasmparser::{ImportSectionReader, KnownCustom, Name, NameSectionReader, Parser, Payload, TypeRef};

/// How many functions are imported: they are counted before the module's own.
pub fn imported_functions(section: ImportSectionReader<'_>) -> Result<usize> {
    let mut count = 0;
    for import in section.into_imports() {
        count += usize::from(matches!(import?.ty, TypeRef::Func(_)));
    }
    Ok(count)
}

/// The names of functions, by number.
pub fn function_names<'a>(section: NameSectionReader<'a>) -> Result<HashMap<usize, &'a str>> {
    let mut found = HashMap::new();
    for names in section {
        if let Name::Function(names) = names? {
            for naming in names {
                let naming = naming?;
                found.insert(naming.index as usize, naming.name);
            }
        }
    }
    Ok(found)
}

/// Refuses a module in which every call from outside runs the constructors first: the linker makes such wrappers where nothing calls
/// the constructors, and in a browser each call, and each value that is handed over, then takes a millisecond.
pub fn constructors_run_once(module: &[u8]) -> Result<()> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload.context("the compiler's output is no WebAssembly")?
            && let KnownCustom::Name(section) = section.as_known()
            && function_names(section)?.values().any(|name| name.ends_with(".command_export"))
        {
            bail!(
                "The linker has put the constructors before every function that JavaScript calls: `start` in src/wasm must run them \
                 in every build that has any."
            );
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Three functions, of which the exported one, the second, calls the other two: the first, which gives 1, and the third, which gives 2;
    /// and the names of all, that of the imported one first.
    pub fn sample(function_names: [&str; 4]) -> Vec<u8> {
        use wasm_encoder::{
            CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
            Module, NameMap, NameSection, TypeSection, ValType,
        };
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("page", "z", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        let mut body = |calls: &[u32], number: i32| {
            functions.function(0);
            let mut function = Function::new([]);
            for &called in calls {
                function.instructions().call(called).drop();
            }
            function.instructions().i32_const(number).end();
            code.function(&function);
        };
        body(&[], 1);
        body(&[0, 1, 3], 0);
        body(&[], 2);
        let mut exports = ExportSection::new();
        exports.export("run", ExportKind::Func, 2);
        let mut map = NameMap::new();
        for (index, name) in function_names.into_iter().enumerate() {
            map.append(index as u32, name);
        }
        let mut names = NameSection::new();
        names.functions(&map);
        module
            .section(&types)
            .section(&imports)
            .section(&functions)
            .section(&exports)
            .section(&code)
            .section(&names);
        module.finish()
    }

    #[test]
    fn constructors_before_every_call_are_refused() {
        assert!(constructors_run_once(&sample(["z", "__wasm_call_ctors", "b", "a"])).is_ok());
        assert!(constructors_run_once(&sample(["z", "c", "b", "run.command_export"])).is_err());
    }
}

//! The functions of a module put in an order that compresses well.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use wasm_encoder::{
    CodeSection, FunctionSection, Module, NameSection,
    reencode::{Error, Reencode},
};
use wasmparser::{CodeSectionReader, FunctionSectionReader, KnownCustom, NameSectionReader, Parser, Payload};

use crate::module::{function_names, imported_functions};

/// Brings functions that are alike together, where wasm-bindgen orders them by length alone: the instances of one generic function, and
/// what different types make of one function of a trait; among them the order is by length. The names, which are of no use any more,
/// are left out.
pub fn by_kind(module: &[u8]) -> Result<Vec<u8>> {
    let mut order = Order::of(module)?;
    let mut ordered = Module::new();
    order
        .parse_core_module(&mut ordered, Parser::new(0), module)
        .map_err(|error| anyhow!("the engine's functions could not be put in order: {error}"))?;
    Ok(ordered.finish())
}

/// Where the functions of a module go.
struct Order {
    /// Functions that are imported keep their places before the others.
    imported: usize,
    /// The module's own functions, in the order in which they are written.
    written: Vec<usize>,
    /// Where each of them is written.
    places: Vec<usize>,
}

impl Order {
    fn of(module: &[u8]) -> Result<Self> {
        let mut imported = 0;
        let mut lengths = Vec::new();
        let mut names = HashMap::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload.context("what wasm-bindgen wrote is no WebAssembly")? {
                Payload::ImportSection(section) => imported = imported_functions(section)?,
                Payload::CodeSectionEntry(body) => lengths.push(body.range().len()),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(section) = section.as_known() {
                        names = function_names(section)?;
                    }
                }
                _ => {}
            }
        }
        let mut written: Vec<usize> = (0..lengths.len()).collect();
        written.sort_by_cached_key(|&index| {
            let name = names.get(&(imported + index)).copied().unwrap_or_default();
            (kind(name), lengths[index])
        });
        let mut places = vec![0; written.len()];
        for (place, &index) in written.iter().enumerate() {
            places[index] = place;
        }
        Ok(Self { imported, written, places })
    }
}

/// What a function is one of many of: its path, or that of the trait's function which it implements, without types and without the
/// numbers of crates. Names are as wasm-bindgen writes them: `<Type as Trait>::function::<Type>`.
fn kind(name: &str) -> String {
    let Some(inside) = name.strip_prefix('<') else { return outside_brackets(name).0 };
    let (own, rest) = outside_brackets(inside);
    let implemented = own.split_once(" as ").map_or(&own[..], |(_, implemented)| implemented);
    format!("{implemented}{}", kind(rest))
}

/// The text outside of brackets, up to one that closes without having been opened, and what follows that.
fn outside_brackets(text: &str) -> (String, &str) {
    let (mut outside, mut open) = (String::new(), 0_usize);
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '[' => open += 1,
            // A function's type holds an arrow.
            '>' if before == '-' => {}
            '>' | ']' if open == 0 => return (outside, &text[at + 1..]),
            '>' | ']' => open -= 1,
            _ if open == 0 => outside.push(letter),
            _ => {}
        }
        before = letter;
    }
    (outside, "")
}

impl Reencode for Order {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Self::Error>> {
        Ok(match (function as usize).checked_sub(self.imported) {
            Some(own) => (self.imported + self.places[own]) as u32,
            None => function,
        })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let types = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for &index in &self.written {
            functions.function(types[index]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        for index in self.written.clone() {
            self.parse_function_body(code, bodies[index].clone())?;
        }
        Ok(())
    }

    fn custom_name_section(&mut self, _: NameSectionReader<'_>) -> Result<NameSection, Error<Self::Error>> {
        Ok(NameSection::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::tests::sample;

    /// What the functions of a module hold, and which of them is exported.
    fn contents(module: &[u8]) -> (Vec<String>, u32) {
        let (mut bodies, mut exported) = (Vec::new(), 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::CodeSectionEntry(body) => {
                    let operators = body.get_operators_reader().unwrap().into_iter();
                    bodies.push(operators.map(|operator| format!("{:?} ", operator.unwrap())).collect());
                }
                Payload::ExportSection(section) => {
                    exported = section.into_iter().next().unwrap().unwrap().index
                }
                _ => {}
            }
        }
        (bodies, exported)
    }

    #[test]
    fn instances_of_a_function_are_of_one_kind() {
        for (name, expected) in [
            ("core[1a]::ptr::drop_in_place::<alloc[2b]::vec::Vec<f32>>", "core::ptr::drop_in_place::"),
            ("<burn[3c]::Flex as burn[3c]::ops::Ops<burn[3c]::Flex>>::add::<f32>", "burn::ops::Ops::add::"),
            ("<std[4d]::map::Map<u32, fn() -> u8>>::insert", "std::map::Map::insert"),
            ("__wasm_call_ctors", "__wasm_call_ctors"),
        ] {
            assert_eq!(kind(name), expected);
        }
    }

    #[test]
    fn functions_are_put_in_order_and_calls_go_with_them() {
        let ordered = by_kind(&sample(["z", "c", "b", "a"])).unwrap();
        wasmparser::validate(&ordered).unwrap();
        let (bodies, exported) = contents(&ordered);
        assert_eq!(exported, 2);
        assert_eq!(bodies[0], "I32Const { value: 2 } End ");
        assert_eq!(bodies[2], "I32Const { value: 1 } End ");
        let calls = [0, 3, 1].map(|called| format!("Call {{ function_index: {called} }} Drop "));
        assert_eq!(bodies[1], format!("{}I32Const {{ value: 0 }} End ", calls.concat()));
    }
}

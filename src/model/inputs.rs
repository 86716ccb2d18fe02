//! The inputs and outputs of a file: which are explained, and what the others hold.

use std::collections::BTreeMap;

use super::{
    HostValue, ModelOptions, ValueInfo,
    file::{self, Parsed},
    graph::{Graph, Slot},
    value::Value,
};
use crate::{Error, Result};

/// The value of an input that is not explained.
#[derive(Clone)]
pub(super) struct Fed {
    pub slot: Slot,
    pub name: String,
    pub value: Value,
    /// Whether nobody has given it and no rule fills it, so that the value only has the right shape.
    pub is_missing: bool,
    /// What was told of the rule that fills it.
    pub note: Option<String>,
}

/// What fills an input that nobody gives, with the end of a sentence that says so.
pub(super) fn filled(info: &ValueInfo) -> Option<(HostValue, &'static str)> {
    let name = info.name.to_lowercase();
    let is_real = info.element_type.contains("float");
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    // A state is of one sample, whichever axis the samples lie along.
    let mut one = info.clone();
    let state = has(&["state", "hidden", "memory", "cache", "past_key", "past_value"])
        || matches!(name.as_str(), "h" | "c" | "h0" | "c0" | "h_0" | "c_0" | "hx" | "cx" | "h_in" | "c_in");
    if state {
        one.shape.iter_mut().for_each(|size| *size = size.or(Some(1)));
    }
    let mut value = blank(&one).ok()?;
    if has(&["attention_mask", "input_mask"]) || name == "mask" {
        match &mut value {
            HostValue::Float { data, .. } => data.fill(1.0),
            HostValue::Int { data, .. } => data.fill(1),
            HostValue::Bool { data, .. } => data.fill(true),
        }
        return Some((value, "ones: every position is looked at"));
    }
    if !is_real && has(&["token_type", "segment_ids"]) {
        return Some((value, "zeros: one sentence"));
    }
    if has(&["position_ids"])
        && let HostValue::Int { data, shape } = &mut value
    {
        let length = shape.last().copied().unwrap_or(1).max(1);
        data.iter_mut().enumerate().for_each(|(index, position)| *position = (index % length) as i64);
        return Some((value, "the numbers of the positions, from 0"));
    }
    (is_real && state).then_some((value, "zeros: the state before the first step"))
}

pub(super) fn infos(inputs: &[(Slot, ValueInfo)]) -> Vec<ValueInfo> {
    inputs.iter().map(|(_, info)| info.clone()).collect()
}

/// The input called `name`.
pub(super) fn named<'i>(inputs: &'i [(Slot, ValueInfo)], name: &str) -> Result<&'i (Slot, ValueInfo)> {
    inputs.iter().find(|(_, info)| info.name == name).ok_or_else(|| {
        let known: Vec<&str> = inputs.iter().map(|(_, info)| info.name.as_str()).collect();
        Error::InputInvalid(format!("There is no input \"{name}\"; the model has {}.", known.join(", ")))
    })
}

/// Whether an input is the explained one, as far as the options say.
fn is_explained(name: &str, element_type: &str, options: &ModelOptions) -> bool {
    match &options.input {
        Some(explained) => explained == name,
        None => element_type.contains("float"),
    }
}

/// The sizes of the file's symbols, as far as the values at hand say them: a mask is as long as the text that it is of.
fn sizes_at_hand(parsed: &Parsed, options: &ModelOptions) -> BTreeMap<String, usize> {
    let mut sizes = BTreeMap::new();
    for info in parsed.inputs().map(file::value_info) {
        let explained = is_explained(&info.name, &info.element_type, options);
        let shape = match options.values.get(&info.name) {
            Some(value) => Some(value.shape()),
            None => options.explained_shape.as_deref().filter(|_| explained && options.at.is_none()),
        };
        for (symbol, &size) in info.symbols.iter().zip(shape.unwrap_or_default()).skip(1) {
            if let Some(symbol) =
                symbol.as_ref().filter(|_| shape.is_some_and(|shape| shape.len() == info.shape.len()))
            {
                sizes.entry(symbol.clone()).or_insert(size);
            }
        }
    }
    sizes
}

/// The inputs that have no value in the file, with the sizes that the caller gives them.
pub(super) fn inputs(
    parsed: &Parsed,
    graph: &mut Graph,
    options: &ModelOptions,
) -> Result<Vec<(Slot, ValueInfo)>> {
    let mut inputs = Vec::new();
    let at_hand = sizes_at_hand(parsed, options);
    for proto in parsed.inputs() {
        let mut info = file::value_info(proto);
        for (axis, (size, symbol)) in info.shape.iter_mut().zip(&info.symbols).enumerate() {
            let placed = options.sizes.get(&format!("{}:{axis}", info.name));
            let named = symbol.as_ref().and_then(|name| options.sizes.get(name));
            if let Some(&given) = placed.or(named) {
                *size = Some(given);
            }
            // The explained input's own sizes are found when its axes are known.
            let beside = symbol.as_ref().and_then(|name| at_hand.get(name));
            if let Some(&given) =
                beside.filter(|_| axis > 0 && !is_explained(&info.name, &info.element_type, options))
            {
                size.get_or_insert(given);
            }
        }
        let given = options.values.get(&info.name).map(HostValue::shape);
        if let Some(shape) = given.filter(|shape| shape.len() == info.shape.len()) {
            // The first axis stays open, for any number of samples.
            for (size, &given) in info.shape.iter_mut().zip(shape).skip(1) {
                size.get_or_insert(given);
            }
        }
        inputs.push((graph.slot(&info.name), info));
    }
    if inputs.is_empty() {
        return Err(Error::invalid_model("it has no input"));
    }
    Ok(inputs)
}

/// Inputs with the sizes that values of some of them say, also by the names that the file gives to sizes; the first axis stays open.
pub(super) fn sized(
    mut inputs: Vec<(Slot, ValueInfo)>,
    values: &BTreeMap<String, HostValue>,
) -> Vec<(Slot, ValueInfo)> {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, info) in &mut inputs {
        let given = values.get(&info.name).map(HostValue::shape);
        let Some(given) = given.filter(|shape| shape.len() == info.shape.len()) else { continue };
        for (axis, &size) in given.iter().enumerate().skip(1) {
            info.shape[axis].get_or_insert(size);
            if let Some(symbol) = &info.symbols[axis] {
                sizes.entry(symbol.clone()).or_insert(size);
            }
        }
    }
    for (_, info) in &mut inputs {
        for (size, symbol) in info.shape.iter_mut().zip(&info.symbols).skip(1) {
            if let Some(&known) = symbol.as_ref().and_then(|symbol| sizes.get(symbol)) {
                size.get_or_insert(known);
            }
        }
    }
    inputs
}

/// The one that is named.
fn find(what: &str, infos: &[ValueInfo], name: &str) -> Result<ValueInfo> {
    let found = infos.iter().find(|info| info.name == name).cloned();
    found.ok_or_else(|| Error::invalid_model(format!("it has no {what} \"{name}\", but {}", names(infos))))
}

fn names(infos: &[ValueInfo]) -> String {
    infos.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The output that is named, or the first that holds real numbers: the network's main one in every known exporter. Labels
/// beside probabilities are integers or texts.
pub(super) fn choose_output(outputs: &[ValueInfo], named: Option<&str>) -> Result<ValueInfo> {
    if let Some(name) = named {
        return find("output", outputs, name);
    }
    let real = outputs.iter().find(|info| info.element_type.contains("float"));
    let first = real.or(outputs.first()).cloned();
    first.ok_or_else(|| Error::invalid_model("it has no output"))
}

/// The input that is named, or the only one of real numbers; where there is none, the only one of integers that the graph
/// makes real numbers of, as it does of pixels.
pub(super) fn choose_input(
    graph: &Graph,
    inputs: &[(Slot, ValueInfo)],
    named: Option<&str>,
) -> Result<ValueInfo> {
    let all = infos(inputs);
    if let Some(name) = named {
        return find("input", &all, name);
    }
    let read = |slot: Slot| graph.steps.iter().any(|step| step.inputs.contains(&Some(slot)));
    let real: Vec<&ValueInfo> = inputs
        .iter()
        .filter(|(slot, info)| info.element_type.contains("float") && read(*slot))
        .map(|(_, info)| info)
        .collect();
    let pixels = || -> Vec<&ValueInfo> {
        inputs.iter().filter(|(slot, _)| graph.reads_as_real(*slot)).map(|(_, info)| info).collect()
    };
    // Token numbers, bytes: what no rule fills.
    let numbers = || -> Vec<&ValueInfo> {
        let open = inputs.iter().filter(|(slot, info)| read(*slot) && filled(info).is_none());
        open.map(|(_, info)| info).filter(|info| !info.shape.is_empty()).collect()
    };
    let fitting = match real.is_empty() {
        false => real,
        true if pixels().is_empty() => numbers(),
        true => pixels(),
    };
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Error::invalid_model(format!(
            "none of its inputs ({}) holds real numbers; name a node to explain instead, an embedding (`at`)",
            names(&all)
        ))),
        several => Err(Error::invalid_model(format!(
            "it has several inputs ({}); name the one to explain (`input`) and give the others values",
            several.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The sizes of an input for one batch: as declared, else those of a shape at hand, and one sample where the file leaves the
/// batch open.
pub(super) fn sizes(info: &ValueInfo, at_hand: Option<&[usize]>) -> Result<Vec<usize>> {
    let at_hand = at_hand.filter(|shape| shape.len() == info.shape.len());
    let size = |(axis, size): (usize, &Option<usize>)| match (size, at_hand) {
        (Some(size), _) => Ok(*size),
        (None, _) if axis == 0 || is_batch(info, axis) => Ok(1),
        (None, Some(shape)) => Ok(shape[axis]),
        (None, None) => Err(open_size(info)),
    };
    info.shape.iter().enumerate().map(size).collect()
}

/// Whether the file calls an open axis the batch.
fn is_batch(info: &ValueInfo, axis: usize) -> bool {
    let name = info.symbols.get(axis).and_then(Option::as_ref);
    name.is_some_and(|name| name.to_lowercase().contains("batch"))
}

/// A blank value of an input's declared form; open sizes other than the batch are errors.
pub(super) fn blank(info: &ValueInfo) -> Result<HostValue> {
    let shape = sizes(info, None)?;
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    if count.is_none_or(|count| count > 1 << 28) {
        return Err(Error::invalid_model(format!(
            "its input \"{}\" of shape {shape:?} is too large",
            info.name
        )));
    }
    Ok(match info.element_type.as_str() {
        "bool" => HostValue::Bool { data: vec![false; shape.iter().product()], shape },
        name => HostValue::blank(name.contains("float"), shape),
    })
}

pub(super) fn open_size(info: &ValueInfo) -> Error {
    Error::invalid_model(format!(
        "its input \"{}\" leaves a size other than the batch open; give it (`sizes`, on the command line `--size`)",
        info.name
    ))
}

/// Checks a shape against an input's declared form; any batch is accepted.
pub(super) fn check_dims(shape: &[usize], info: &ValueInfo) -> Result<()> {
    let fits = shape.len() == info.shape.len()
        && shape.iter().zip(&info.shape).skip(1).all(|(&size, want)| want.is_none_or(|want| want == size));
    if fits { Ok(()) } else { Err(misshapen(shape, info)) }
}

pub(super) fn misshapen(shape: &[usize], info: &ValueInfo) -> Error {
    Error::InputShape { input: info.name.clone(), expected: written_shape(info), actual: shape.to_vec() }
}

pub(super) fn written_shape(info: &ValueInfo) -> String {
    let open = |symbol: &Option<String>| symbol.clone().unwrap_or_else(|| "any".into());
    let sizes = info.shape.iter().zip(&info.symbols).skip(1);
    let sizes = sizes.map(|(size, symbol)| size.map_or_else(|| open(symbol), |size| size.to_string()));
    let shape = std::iter::once("batch".to_owned()).chain(sizes).collect::<Vec<_>>().join(", ");
    format!("[{shape}]")
}

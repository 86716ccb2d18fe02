//! Rectifiers and clips, however a file writes them, as one operator.
//!
//! `Max(x, 0)`, `Where(x > 0, x, 0)`, `x * Cast(x > 0)` and a `Clip` whose bounds are inputs compute what `Relu` and a `Clip`
//! by attributes do. They are brought to the form that the kernels know and that guided backpropagation, DeconvNet, DeepLIFT
//! and LRP have their rules for.

use std::{collections::HashMap, sync::Arc};

use super::makers;
use crate::model::{
    graph::{Graph, Slot},
    operators::{self, Form, Kind},
    value::Value,
};

/// A clamp: what it reads, between which bounds it keeps it, and the shape of the bound, to which the value is repeated.
struct Clamp {
    source: Slot,
    bounds: (f32, f32),
    shape: Vec<usize>,
}

/// Brings every clamp whose bounds the file holds to one form.
pub(in crate::model) fn write_clamps_alike(graph: &mut Graph) {
    let makers = makers(graph);
    for index in 0..graph.steps.len() {
        if let Some(Clamp { source, bounds, shape }) = clamp(graph, &makers, index) {
            let step = &mut graph.steps[index];
            step.inputs = vec![Some(source)];
            step.operator = Arc::new(operators::clamp(bounds, shape));
        }
    }
}

/// What a step clamps, where it does so in another form than the kernels'.
fn clamp(graph: &Graph, makers: &HashMap<Slot, usize>, index: usize) -> Option<Clamp> {
    let step = &graph.steps[index];
    let operator = &step.operator.properties;
    if step.outputs.len() != 1 || operator.clamp.is_some() {
        return None;
    }
    let input = |place: usize| step.inputs.get(place).copied().flatten();
    let above = |source: Slot, (bound, shape): (f32, Vec<usize>)| {
        Some(Clamp { source, bounds: (bound, f32::INFINITY), shape })
    };
    let below = |source: Slot, (bound, shape): (f32, Vec<usize>)| {
        Some(Clamp { source, bounds: (f32::NEG_INFINITY, bound), shape })
    };
    match operator.form {
        Some(Form::Clip) => {
            // A bound that is left out is none.
            let bound = |place: usize, none: f32| match input(place) {
                None => Some(none),
                // A list is no bound.
                Some(slot) => number(graph, slot)
                    .filter(|(_, shape)| shape.iter().product::<usize>() == 1)
                    .map(|(bound, _)| bound),
            };
            let bounds = (bound(1, f32::NEG_INFINITY)?, bound(2, f32::INFINITY)?);
            let source = input(0).filter(|_| bounds.0 <= bounds.1)?;
            Some(Clamp { source, bounds, shape: Vec::new() })
        }
        // A slope of zero below zero.
        Some(Form::Slope) => {
            let (slope, _) = number(graph, input(1)?)?;
            (slope == 0.0).then_some(Clamp {
                source: input(0)?,
                bounds: (0.0, f32::INFINITY),
                shape: Vec::new(),
            })
        }
        Some(form @ (Form::Max | Form::Min)) => {
            let [Some(a), Some(b)] = step.inputs[..] else { return None };
            let (source, bound) = match (number(graph, a), number(graph, b)) {
                (None, Some(bound)) => (a, bound),
                (Some(bound), None) => (b, bound),
                _ => return None,
            };
            if form == Form::Max { above(source, bound) } else { below(source, bound) }
        }
        // x where x > c, else c; or x where x < c, else c; and with the two the other way round.
        Some(Form::Where) => {
            let (condition, yes, no) = (input(0)?, input(1)?, input(2)?);
            let (source, bound, is_above) = compared(graph, makers, condition)?;
            let kept_where_true = yes == source;
            let other = if kept_where_true { no } else { yes };
            let held = number(graph, other).filter(|(value, _)| *value == bound)?;
            if !kept_where_true && no != source {
                return None;
            }
            if is_above == kept_where_true { above(source, held) } else { below(source, held) }
        }
        // x times 1 where x > 0, else 0.
        _ if operator.kind == Kind::Product => {
            let [Some(a), Some(b)] = step.inputs[..] else { return None };
            let gates = |source: Slot, gate: Slot| {
                let cast = makers.get(&gate).map(|&maker| &graph.steps[maker])?;
                let condition = cast.inputs.first().copied().flatten()?;
                let cast = cast.operator.properties.kind == Kind::Reshape;
                let (compared, bound, is_above) = compared(graph, makers, condition).filter(|_| cast)?;
                (compared == source && bound == 0.0 && is_above).then_some(source)
            };
            above(gates(a, b).or_else(|| gates(b, a))?, (0.0, Vec::new()))
        }
        _ => None,
    }
}

/// The value that a condition compares with one number, the number, and whether the condition holds above it.
fn compared(graph: &Graph, makers: &HashMap<Slot, usize>, condition: Slot) -> Option<(Slot, f32, bool)> {
    let step = &graph.steps[*makers.get(&condition)?];
    let above = match step.operator.properties.form? {
        Form::Above => true,
        Form::Below => false,
        _ => return None,
    };
    let [Some(a), Some(b)] = step.inputs[..] else { return None };
    match (number(graph, a), number(graph, b)) {
        (None, Some((bound, _))) => Some((a, bound, above)),
        (Some((bound, _)), None) => Some((b, bound, !above)),
        _ => None,
    }
}

/// The one real number that a constant holds, once or in every place, and the constant's shape.
fn number(graph: &Graph, slot: Slot) -> Option<(f32, Vec<usize>)> {
    let Some(Value::Float(value)) = graph.constant(slot) else { return None };
    if value.device() != burn::tensor::Device::flex() {
        return None;
    }
    let shape = value.dims();
    let values: Vec<f32> = value.clone().flat().into_data().try_into_vec().ok()?;
    let first = *values.first()?;
    (!first.is_nan() && values.iter().all(|&value| value == first)).then_some((first, shape))
}

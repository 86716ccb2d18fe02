//! Batch normalisation as a part of the convolution before it.

use std::collections::HashSet;

use burn::tensor::{Float, Tensor};

use super::{makers, readers};
use crate::model::{
    graph::{Graph, Slot},
    operators::{Inputs, Kind, Lowering},
    value::{Ranked, Value},
};

fn constant(graph: &Graph, slot: Option<&Option<Slot>>) -> Option<Ranked<Float>> {
    match graph.constants[(*slot?)?].value.as_ref()? {
        Value::Float(value) => Some(value.clone()),
        _ => None,
    }
}

/// A batch normalisation after a convolution is part of its weights: `(w x + b) s + t = (s w) x + (s b + t)`. Networks
/// whose shapes do not allow it are left as they are.
pub(in crate::model) fn fold_batch_normalization(graph: &mut Graph, ends: &HashSet<Slot>) {
    let readers = readers(graph, ends);
    let maker = makers(graph);
    let mut gone = HashSet::new();
    for index in 0..graph.steps.len() {
        let step = &graph.steps[index];
        if step.operator.properties.kind != Kind::BatchNormalization
            || step.outputs.iter().skip(1).any(Option::is_some)
        {
            continue;
        }
        let Some(&Some(x)) = step.inputs.first() else { continue };
        let Some(&before) = maker.get(&x).filter(|_| readers.get(&x) == Some(&1)) else { continue };
        if !matches!(graph.steps[before].operator.lowering, Some(Lowering::Convolution { .. }))
            || gone.contains(&before)
        {
            continue;
        }
        if let Some((weight, bias)) = folded(graph, before, index) {
            let name = graph.steps[index].names.clone();
            let output = graph.steps[index].outputs.clone();
            let (weight_slot, bias_slot) = (graph.fresh(), graph.fresh());
            graph.constants[weight_slot] = Value::Float(weight).into();
            graph.constants[bias_slot] = Value::Float(bias).into();
            let conv = &mut graph.steps[before];
            conv.names.extend(name);
            conv.inputs = vec![conv.inputs[0], Some(weight_slot), Some(bias_slot)];
            conv.outputs = vec![output.first().copied().flatten()];
            gone.insert(index);
        }
    }
    let mut index = 0;
    graph.steps.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
}

/// The weights and bias of a convolution with the normalisation in them.
fn folded(graph: &Graph, conv: usize, normalization: usize) -> Option<(Ranked<Float>, Ranked<Float>)> {
    let (conv, normalization) = (&graph.steps[conv], &graph.steps[normalization]);
    let weight = constant(graph, conv.inputs.get(1))?;
    let dims = weight.dims();
    let filters = *dims.first()?;
    let row = |slot: Option<&Option<Slot>>| -> Option<Tensor<1>> {
        constant(graph, slot).filter(|values| values.len() == filters).map(Ranked::flat)
    };
    let bias = match conv.inputs.get(2).copied().flatten() {
        Some(_) => row(conv.inputs.get(2))?,
        None => Tensor::zeros([filters], &burn::tensor::Device::flex()),
    };
    let (scale, shift) = (row(normalization.inputs.get(1))?, row(normalization.inputs.get(2))?);
    let (mean, variance) = (row(normalization.inputs.get(3))?, row(normalization.inputs.get(4))?);
    // The kernel knows its own epsilon: zeros through it give the shift, ones the scale beside it.
    let through = |rows: &[f32]| -> Option<Tensor<2>> {
        let row = |&value: &f32| Tensor::<2>::full([1, filters], value, &burn::tensor::Device::flex());
        let x = Tensor::cat(rows.iter().map(row).collect(), 0);
        let inputs: Vec<Value> = vec![
            x.into(),
            Value::from(scale.clone()),
            Value::from(shift.clone()),
            Value::from(mean.clone()),
            Value::from(variance.clone()),
        ];
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Some).collect();
        let device = burn::tensor::Device::flex();
        let mut outputs = normalization.operator.forward(&Inputs::new(&inputs, &[], &device)).ok()?;
        match outputs.drain(..).next()? {
            Value::Float(y) => y.get(),
            _ => None,
        }
    };
    let both = through(&[0.0, 1.0])?;
    let row = |at: i64| both.clone().slice_dim(0, at..at + 1).reshape([filters]);
    let offset: Tensor<1> = row(0);
    let factor = row(1) - offset.clone();
    let wide: Vec<usize> = std::iter::once(filters).chain(std::iter::repeat_n(1, dims.len() - 1)).collect();
    let spread = Ranked::D1(factor.clone()).reshape(&wide)?.expand(&dims)?;
    Some((weight * spread, Ranked::D1(bias * factor + offset)))
}

//! Networks on the processor: kernels of the engine's own for the operators that convolutional networks are made of.
//!
//! Burn's kernels and its autodiff run any graph on any device. On the processor convolutions take nearly all of the time,
//! and there it pays to lay weights out once, to bound what a convolution computes while it is at hand, to take the
//! gradient of an input alone, and to use the same memory again. [`Program`] does so for whatever it knows
//! ([`operation`]) and leaves the rest to Burn, node by node. The kernels are a package of their own.

mod numbers;
mod operation;
mod parts;

use std::collections::HashMap;

use adversight_kernels as kernels;
use burn::tensor::Float;

pub use self::numbers::{AT_ONCE, Held};
use self::{
    numbers::Pool,
    operation::{Operation, Record},
};
use super::{
    backward::{self, Site},
    graph::{Graph, Slot, Step},
    value::{Ranked, Value},
};
use crate::{Error, Result};

/// Operators that take the time of a run. A graph with one of them that is none of the kernels' is left to Burn, whose
/// autodiff does not compute a node again to differentiate it.
const HEAVY: [&str; 8] = ["Conv", "ConvTranspose", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"];

/// A graph's nodes, prepared for the processor.
pub(super) struct Program {
    /// One place for every step.
    operations: Vec<Option<Operation>>,
    /// The step that bounds the output of a convolution, and nothing else reads it.
    bounded: HashMap<usize, usize>,
    pool: Pool,
}

/// A forward pass.
pub(super) struct Passed {
    /// The values that were asked for.
    pub wanted: Vec<Value>,
    records: Vec<Record>,
    /// The shapes of all values, by slot.
    dims: Vec<Vec<usize>>,
}

impl Program {
    /// Prepares a graph, or leaves it to Burn.
    pub fn new(graph: &Graph) -> Option<Self> {
        if graph.device != burn::tensor::Device::flex() {
            return None;
        }
        let operations: Vec<Option<Operation>> =
            graph.steps.iter().map(|step| Operation::of(graph, step)).collect();
        let left_out = graph
            .steps
            .iter()
            .zip(&operations)
            .any(|(step, operation)| operation.is_none() && HEAVY.contains(&step.operator.as_str()));
        let convolves = operations.iter().flatten().any(Operation::takes_bounds);
        if left_out || !convolves {
            return None;
        }
        let mut readers: HashMap<Slot, Vec<usize>> = HashMap::new();
        for (index, step) in graph.steps.iter().enumerate() {
            for slot in step.inputs.iter().flatten() {
                readers.entry(*slot).or_default().push(index);
            }
        }
        let bounded = (0..operations.len())
            .filter(|&index| operations[index].as_ref().is_some_and(Operation::takes_bounds))
            .filter_map(|index| {
                let output = graph.steps[index].outputs[0]?;
                match readers.get(&output)?[..] {
                    [reader] => {
                        matches!(operations[reader], Some(Operation::Bound { .. })).then_some((index, reader))
                    }
                    _ => None,
                }
            })
            .collect();
        Some(Self { operations, bounded, pool: Pool::default() })
    }

    /// Notes that a step hands its input on as it is.
    pub fn pass_on(&mut self, step: usize) {
        self.operations[step] = Some(Operation::Move);
    }

    /// Passes blank inputs through the steps to find the shapes of all values: what the kernels compute is left out.
    /// `visit` sees the outputs of every step. Returns the value at `wanted`.
    pub fn rehearse(
        &self,
        graph: &Graph,
        given: Vec<(Slot, Value)>,
        wanted: Slot,
        mut visit: impl FnMut(&[Held]),
    ) -> Result<Value> {
        let mut values: Vec<Option<Held>> = vec![None; graph.constants.len()];
        let fixed: Vec<Slot> = given.iter().map(|(slot, _)| *slot).collect();
        for (slot, value) in given {
            values[slot] = Some(value.into());
        }
        for (step, operation) in graph.steps.iter().zip(&self.operations) {
            let inputs = self.read(graph, step, &mut values, &[wanted])?;
            let outputs = match operation.as_ref().and_then(|operation| operation.blank(&inputs)) {
                Some(blank) => vec![blank],
                None => {
                    let inputs = inputs.into_iter().map(|input| input.map(Held::value).transpose());
                    let outputs = graph.apply(step, &inputs.collect::<Result<Vec<_>>>()?)?;
                    outputs.into_iter().map(Held::from).collect()
                }
            };
            visit(&outputs);
            for (slot, value) in step.outputs.iter().zip(outputs) {
                if let Some(slot) = slot.filter(|slot| !fixed.contains(slot)) {
                    values[slot] = Some(value);
                }
            }
        }
        let held = values[wanted].take().or_else(|| graph.constant(wanted).cloned().map(Held::from));
        held.ok_or_else(|| Error::invalid_model("no node computes its output"))?.value()
    }

    /// Runs the steps; the values at `wanted` are given back. What a walk back along `way` needs is kept.
    pub fn forward(
        &self,
        graph: &Graph,
        given: Vec<(Slot, Value)>,
        wanted: &[Slot],
        way: Option<&[Option<Site>]>,
    ) -> Result<Passed> {
        let mut values: Vec<Option<Held>> = vec![None; graph.constants.len()];
        let mut dims = vec![Vec::new(); graph.constants.len()];
        let mut records = vec![Record::default(); graph.steps.len()];
        let mut done = vec![false; graph.steps.len()];
        let fixed: Vec<Slot> = given.iter().map(|(slot, _)| *slot).collect();
        for (slot, value) in given {
            dims[slot] = value.dims();
            values[slot] = Some(value.into());
        }
        for (index, step) in graph.steps.iter().enumerate() {
            if !done[index] {
                let on_the_way = way.is_some_and(|way| way[index].is_some());
                let inputs = self.read(graph, step, &mut values, wanted)?;
                let bounding = self.bounding(graph, index, wanted, &fixed);
                let writer = bounding.map_or(index, |(writer, _)| writer);
                let bounds = bounding.map(|(_, bounds)| bounds);
                let (outputs, record) = self.run(graph, index, inputs, bounds, on_the_way)?;
                done[index] = true;
                done[writer] = true;
                records[index] = record;
                for (slot, value) in graph.steps[writer].outputs.iter().zip(outputs) {
                    let Some(slot) = slot.filter(|slot| !fixed.contains(slot)) else { continue };
                    dims[slot] = value.dims();
                    let fused = bounding.is_some();
                    let operation = self.operations[writer].as_ref();
                    let keeps =
                        on_the_way && operation.is_some_and(|operation| operation.keeps_output(fused));
                    values[slot] = Some(match keeps && value.is_real() {
                        false => value,
                        true => {
                            let kept = value.numbers();
                            records[writer] = Record { kept: kept.clone(), inputs: None, fused };
                            Held::Numbers(kept.ok_or_else(|| Error::Internal("a value was lost".into()))?)
                        }
                    });
                }
                if let Some(output) = bounding.and(step.outputs[0]) {
                    dims[output] = dims[graph.steps[writer].outputs[0].unwrap_or(output)].clone();
                }
            }
            for &slot in step.dead_after.iter().filter(|slot| !wanted.contains(slot)) {
                self.pool.give(values[slot].take());
            }
            if wanted.iter().all(|&slot| values[slot].is_some()) {
                break;
            }
        }
        let found = |&slot: &Slot| match values[slot].take() {
            Some(held) => held.value(),
            None => {
                let constant = graph.constant(slot).cloned();
                constant.ok_or_else(|| Error::invalid_model("no node computes its output"))
            }
        };
        let wanted = wanted.iter().map(found).collect::<Result<_>>()?;
        Ok(Passed { wanted, records, dims })
    }

    /// A step's inputs. Those that no later step reads are taken away from `values`.
    fn read(
        &self,
        graph: &Graph,
        step: &Step,
        values: &mut [Option<Held>],
        wanted: &[Slot],
    ) -> Result<Vec<Option<Held>>> {
        let input = |slot: &Option<Slot>| {
            let Some(slot) = *slot else { return Ok(None) };
            let known = || graph.constant(slot).cloned().map(Held::from);
            let input = values[slot].clone().or_else(known).ok_or_else(|| {
                Error::invalid_node(&step.names[0], "one of its inputs is computed by no node before it")
            })?;
            Ok(Some(input))
        };
        let inputs = step.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
        for &slot in step.dead_after.iter().filter(|slot| !wanted.contains(slot)) {
            values[slot] = None;
        }
        Ok(inputs)
    }

    /// The step that bounds the output of step `index`, and its bounds, where that output itself is not asked for.
    fn bounding(
        &self,
        graph: &Graph,
        index: usize,
        wanted: &[Slot],
        fixed: &[Slot],
    ) -> Option<(usize, (f32, f32))> {
        let &writer = self.bounded.get(&index)?;
        let free = |slot: &Slot| !wanted.contains(slot) && !fixed.contains(slot);
        let apart = graph.steps[index].outputs[0].as_ref().is_some_and(free);
        let apart = apart && graph.steps[writer].outputs[0].is_some_and(|slot| !fixed.contains(&slot));
        match self.operations[writer] {
            Some(Operation::Bound { low, high }) if apart => Some((writer, (low, high))),
            _ => None,
        }
    }

    /// One step, by the engine's own kernel or by Burn's.
    fn run(
        &self,
        graph: &Graph,
        index: usize,
        inputs: Vec<Option<Held>>,
        bounds: Option<(f32, f32)>,
        on_the_way: bool,
    ) -> Result<(Vec<Held>, Record)> {
        let mut inputs = inputs;
        let operation = self.operations[index].as_ref();
        if let Some(operation) = operation.filter(|operation| operation.runs()) {
            // Weights, which come after the first input of a convolution, are laid out already.
            let count = if operation.joins() { inputs.len() } else { 1 };
            let real = inputs.iter().take(count).flatten().all(Held::is_real);
            let mut numbers = Vec::with_capacity(count);
            for input in inputs.iter_mut().take(if real { count } else { 0 }) {
                numbers.extend(input.take().and_then(Held::numbers));
            }
            let record = if on_the_way { operation.record(&numbers) } else { Record::default() };
            if let Some(output) = operation.forward(&mut numbers, bounds, &self.pool) {
                for numbers in numbers {
                    self.pool.give(Some(Held::Numbers(numbers)));
                }
                return Ok((vec![output.into()], record));
            }
            for (input, numbers) in inputs.iter_mut().zip(numbers) {
                *input = Some(Held::Numbers(numbers));
            }
        }
        let step = &graph.steps[index];
        let values: Vec<Option<Value>> =
            inputs.into_iter().map(|input| input.map(Held::value).transpose()).collect::<Result<_>>()?;
        let mut outputs = graph.apply(step, &values)?;
        if let (Some((low, high)), [Value::Float(output)]) = (bounds, &mut outputs[..]) {
            *output = super::value::map_ranked!(output.clone(), x => x.clamp(low, high));
        }
        let by_burn = on_the_way && operation.is_none_or(Operation::runs);
        let record = Record { inputs: by_burn.then_some(values), ..Record::default() };
        Ok((outputs.into_iter().map(Held::from).collect(), record))
    }

    /// Walks back along `way` from `seed` at `output`; what arrives at `source`. The pass may be walked back again.
    pub fn backward(
        &self,
        graph: &Graph,
        way: &[Option<Site>],
        passed: &Passed,
        (source, output): (Slot, Slot),
        seed: Ranked<Float>,
    ) -> Result<Ranked<Float>> {
        let mut gradients: HashMap<Slot, Held> = HashMap::from([(output, Value::from(seed).into())]);
        for index in (0..graph.steps.len()).rev() {
            let (step, Some(site)) = (&graph.steps[index], &way[index]) else { continue };
            let mut reached: Vec<Option<Held>> =
                step.outputs.iter().map(|slot| slot.and_then(|slot| gradients.remove(&slot))).collect();
            if reached.iter().all(Option::is_none) {
                continue;
            }
            let record = &passed.records[index];
            let arrived: Vec<Option<Held>> = match (&self.operations[index], &record.inputs) {
                (Some(operation), None) => {
                    let dims = |slot: &Slot| match &passed.dims[*slot] {
                        dims if dims.is_empty() => graph.constant(*slot).map(Value::dims).unwrap_or_default(),
                        dims => dims.clone(),
                    };
                    let dims: Vec<Vec<usize>> = step.inputs.iter().flatten().map(dims).collect();
                    let Some(gradient) = reached[0].take() else { continue };
                    operation.backward(record, &dims, gradient, &self.pool)?.into_iter().map(Some).collect()
                }
                (_, Some(inputs)) => {
                    let real = |held: Option<Held>| match held.map(Held::value).transpose()? {
                        Some(Value::Float(value)) => Ok(Some(value)),
                        _ => Ok(None),
                    };
                    let gradients = reached.into_iter().map(real).collect::<Result<_>>()?;
                    let flow = backward::product(graph, step, site, inputs.clone(), gradients)?;
                    flow.into_iter().map(|value| value.map(|value| Held::from(Value::from(value)))).collect()
                }
                (None, None) => return Err(Error::Internal(format!("\"{}\" left no record", step.names[0]))),
            };
            for (place, arrived) in arrived.into_iter().enumerate() {
                let (Some(slot), Some(Some(_)), Some(arrived)) =
                    (step.inputs[place], site.computed.get(place), arrived)
                else {
                    continue;
                };
                let sum = match gradients.remove(&slot) {
                    Some(before) => self.sum(before, arrived)?,
                    None => arrived,
                };
                gradients.insert(slot, sum);
            }
        }
        match gradients.remove(&source).map(Held::value).transpose()? {
            Some(Value::Float(found)) => Ok(found),
            _ => Err(Error::invalid_model("its logits do not depend on the value that is differentiated")),
        }
    }

    /// The sum of what two readers of a value hand back.
    fn sum(&self, before: Held, arrived: Held) -> Result<Held> {
        let lost = || Error::Internal("a gradient holds no real numbers".into());
        let (before, arrived) = (before.numbers().ok_or_else(lost)?, arrived.numbers().ok_or_else(lost)?);
        let mut sum = self.pool.own(before);
        kernels::add(&mut sum.data, &arrived.data);
        self.pool.give(Some(Held::Numbers(arrived)));
        Ok(sum.into())
    }
}

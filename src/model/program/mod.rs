//! A graph's nodes as a program of kernels of the engine's own, with a walk back of its own.
//!
//! [`Program`] runs whatever its kernels know ([`plan`]) and leaves the rest to Burn, node by node. There are two sets of
//! kernels, each an [`Operation`]: the processor's and the GPU's.

#![cfg_attr(
    not(feature = "webgpu"),
    allow(dead_code, unused_imports, reason = "some parts are the GPU's alone")
)]

mod plan;
mod rehearsal;

use std::collections::{HashMap, HashSet};

use burn::tensor::Float;

pub(crate) use plan::joined_dims;
pub(in crate::model) use plan::{Bias, Plan, placed, placed_average};

use super::{
    backward::{self, Site},
    graph::{Graph, Slot, Step},
    value::{Ranked, Value},
};
use crate::{Error, Result};

/// Real numbers where a set of kernels has them.
pub(in crate::model) trait Array: Clone {
    /// The numbers of a tensor, or the tensor where they cannot be had. Nothing is copied where no one else holds it.
    #[allow(clippy::result_large_err, reason = "what is handed back is what came")]
    fn of(value: Ranked<Float>) -> std::result::Result<Self, Ranked<Float>>;

    /// As a tensor.
    fn into_ranked(self) -> Option<Ranked<Float>>;

    /// The sizes of all dimensions.
    fn dims(&self) -> Vec<usize>;
}

/// A node whose constants are laid out for a set of kernels.
pub(in crate::model) trait Operation: Sized {
    /// What the kernels work on.
    type Array: Array;
    /// Memory that values leave for the next ones.
    type Pool: Default;

    /// The operation of a node, or nothing where the kernels do not know it.
    fn of(plan: Plan, device: &burn::tensor::Device) -> Option<Self>;

    /// Whether bounds can be applied by this node itself.
    fn takes_bounds(&self) -> bool;

    /// Whether a graph with this node gains by the kernels.
    fn gains(&self) -> bool;

    /// Whether the node is run here; the others are run by Burn and only differentiated here.
    fn runs(&self) -> bool;

    /// Whether the walk back finishes what it hands to the inputs ([`Finish`]).
    fn finishes(&self) -> bool;

    /// The output of the inputs, or nothing where their shapes are not for these kernels. `bounds` are those of the
    /// node after it. An input that no one else holds may be used up.
    fn forward(
        &self,
        inputs: &mut Vec<Self::Array>,
        bounds: Option<(f32, f32)>,
        pool: &Self::Pool,
    ) -> Option<Self::Array>;

    /// The shape of the output of inputs of these shapes, or nothing where it is found by running the node.
    fn shape(&self, _inputs: &[Vec<usize>]) -> Option<Vec<usize>> {
        None
    }

    /// What the inputs of the shapes `dims` get of the output's gradient.
    fn backward(
        &self,
        record: &Record<Self::Array>,
        dims: &[Vec<usize>],
        gradient: Held<Self::Array>,
        finish: &[Finish<Self::Array>],
        pool: &Self::Pool,
    ) -> Result<Vec<Held<Self::Array>>>;

    /// The sum of two arrays of one shape.
    fn sum(before: Self::Array, arrived: Self::Array, pool: &Self::Pool) -> Self::Array;

    /// Takes back what no one else holds.
    fn give(_numbers: Self::Array, _pool: &Self::Pool) {}
}

/// A value during a run: as its last reader or writer had it.
#[derive(Clone)]
pub(in crate::model) enum Held<A> {
    Numbers(A),
    Value(Box<Value>),
}

impl<A> From<Value> for Held<A> {
    fn from(value: Value) -> Self {
        Self::Value(Box::new(value))
    }
}

impl<A: Array> Held<A> {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Numbers(numbers) => numbers.dims(),
            Self::Value(value) => value.dims(),
        }
    }

    /// Whether it holds real numbers.
    pub fn is_real(&self) -> bool {
        match self {
            Self::Numbers(_) => true,
            Self::Value(value) => matches!(**value, Value::Float(_)),
        }
    }

    /// As numbers, or as it is where they cannot be had.
    pub fn numbers(self) -> std::result::Result<A, Self> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Value(value) => match *value {
                Value::Float(value) => A::of(value).map_err(|value| Value::from(value).into()),
                other => Err(other.into()),
            },
        }
    }

    /// As a tensor. Nothing is copied where no one else holds it.
    pub fn value(self) -> Result<Value> {
        match self {
            Self::Value(value) => Ok(*value),
            Self::Numbers(numbers) => {
                let lost = || Error::Internal("an array has too many dimensions".into());
                Ok(Value::Float(numbers.into_ranked().ok_or_else(lost)?))
            }
        }
    }
}

/// What a walk back needs of a node, besides shapes.
#[derive(Clone)]
pub(in crate::model) struct Record<A> {
    /// The values of all inputs, where the node is differentiated by Burn.
    pub inputs: Option<Vec<Option<Value>>>,
    /// The input of a maximum or a clip, the output of a rectifier.
    pub kept: Option<A>,
    /// Whether a bound was applied by the node before it, so that `kept` is its output.
    pub fused: bool,
}

impl<A> Default for Record<A> {
    fn default() -> Self {
        Self { inputs: None, kept: None, fused: false }
    }
}

/// What is done to a gradient as it is written.
#[derive(Clone)]
pub(crate) struct Finish<A> {
    /// What other readers of the value have handed back already, which adds up.
    pub plus: Option<A>,
    /// The value, where it was bounded: the gradient passes where it lies between the bounds.
    pub between: Option<(A, (f32, f32))>,
}

impl<A> Default for Finish<A> {
    fn default() -> Self {
        Self { plus: None, between: None }
    }
}

/// Whether bounds are those of a rectifier, whose output says as much as its input.
pub(in crate::model) fn rectifier(bounds: (f32, f32)) -> bool {
    bounds == (0.0, f32::INFINITY)
}

/// A node that a set of kernels knows, with what holds of it whatever the kernels are.
struct Known<O> {
    operation: O,
    /// See [`Plan::bounds`], [`Plan::joins`] and [`Plan::keeps_input`].
    bounds: Option<(f32, f32)>,
    joins: bool,
    keeps_input: bool,
}

impl<O: Operation> Known<O> {
    fn of(plan: Plan, device: &burn::tensor::Device) -> Option<Self> {
        let (bounds, joins, keeps_input) = (plan.bounds(), plan.joins(), plan.keeps_input());
        Some(Self { operation: O::of(plan, device)?, bounds, joins, keeps_input })
    }
}

/// A graph's nodes, prepared for a set of kernels.
pub(in crate::model) struct Program<O: Operation> {
    /// One place for every step.
    nodes: Vec<Option<Known<O>>>,
    /// The step that bounds the output of a step that can do so itself, where nothing else reads that.
    bounded: HashMap<usize, usize>,
    pool: O::Pool,
}

/// A forward pass.
pub(in crate::model) struct Passed<A> {
    /// The values that were asked for.
    pub wanted: Vec<Value>,
    records: Vec<Record<A>>,
    /// The shapes of all values, by slot.
    dims: Vec<Vec<usize>>,
}

impl<A> Passed<A> {
    /// The shape of a value that was computed.
    pub fn dims(&self, slot: Slot) -> &[usize] {
        &self.dims[slot]
    }
}

/// What a step computed, and what a walk back needs of it.
type Ran<A> = (Vec<Held<A>>, Record<A>);

impl<O: Operation> Program<O> {
    /// Prepares a graph, or leaves it to Burn.
    pub fn new(graph: &Graph) -> Option<Self> {
        let known = |step| Known::of(Plan::of(graph, step)?, &graph.device);
        let nodes: Vec<Option<Known<O>>> = graph.steps.iter().map(known).collect();
        // Burn's autodiff does not compute a node again to differentiate it, as the walk back does.
        let left_out = graph
            .steps
            .iter()
            .zip(&nodes)
            .any(|(step, node)| node.is_none() && step.operator.properties.is_heavy());
        let gains = nodes.iter().flatten().any(|node| node.operation.gains());
        if left_out || !gains {
            return None;
        }
        let mut readers: HashMap<Slot, Vec<usize>> = HashMap::new();
        for (index, step) in graph.steps.iter().enumerate() {
            for slot in step.inputs.iter().flatten() {
                readers.entry(*slot).or_default().push(index);
            }
        }
        let bounded = (0..nodes.len())
            .filter(|&index| nodes[index].as_ref().is_some_and(|node| node.operation.takes_bounds()))
            .filter_map(|index| {
                let output = graph.steps[index].outputs[0]?;
                match readers.get(&output)?[..] {
                    [reader] => {
                        let bounds = nodes[reader].as_ref().and_then(|node| node.bounds);
                        bounds.map(|_| (index, reader))
                    }
                    _ => None,
                }
            })
            .collect();
        Some(Self { nodes, bounded, pool: O::Pool::default() })
    }

    /// Runs the steps; the values at `wanted` are given back. What a walk back along `way` needs is kept.
    pub fn forward(
        &self,
        graph: &Graph,
        given: Vec<(Slot, Value)>,
        wanted: &[Slot],
        way: Option<&[Option<Site>]>,
    ) -> Result<Passed<O::Array>> {
        let mut values: Vec<Option<Held<O::Array>>> = vec![None; graph.constants.len()];
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
                    let bounds = self.bounds(writer);
                    let keeps = on_the_way && bounds.is_some_and(|bounds| fused || rectifier(bounds));
                    values[slot] = Some(match keeps && value.is_real() {
                        false => value,
                        true => match value.numbers() {
                            Ok(kept) => {
                                records[writer] = Record { kept: Some(kept.clone()), inputs: None, fused };
                                Held::Numbers(kept)
                            }
                            // Burn ran the node, and differentiates it.
                            Err(other) => other,
                        },
                    });
                }
                if let Some(output) = bounding.and(step.outputs[0]) {
                    dims[output] = dims[graph.steps[writer].outputs[0].unwrap_or(output)].clone();
                }
            }
            for &slot in step.dead_after.iter().filter(|slot| !wanted.contains(slot)) {
                if let Some(Held::Numbers(numbers)) = values[slot].take() {
                    O::give(numbers, &self.pool);
                }
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

    /// Takes back the memory of what a pass has kept.
    pub fn take_back(&self, passed: &mut Passed<O::Array>) {
        for kept in passed.records.drain(..).filter_map(|record| record.kept) {
            O::give(kept, &self.pool);
        }
    }

    /// A step's inputs. Those that no later step reads are taken away from `values`.
    fn read(
        &self,
        graph: &Graph,
        step: &Step,
        values: &mut [Option<Held<O::Array>>],
        wanted: &[Slot],
    ) -> Result<Vec<Option<Held<O::Array>>>> {
        let inputs = inputs(graph, step, values)?;
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
        self.bounds(writer).filter(|_| apart).map(|bounds| (writer, bounds))
    }

    /// The bounds of a step that is a rectifier or a clip.
    fn bounds(&self, step: usize) -> Option<(f32, f32)> {
        self.nodes[step].as_ref()?.bounds
    }

    /// One step, by the engine's own kernel or by Burn's.
    fn run(
        &self,
        graph: &Graph,
        index: usize,
        mut inputs: Vec<Option<Held<O::Array>>>,
        bounds: Option<(f32, f32)>,
        on_the_way: bool,
    ) -> Result<Ran<O::Array>> {
        let node = self.nodes[index].as_ref();
        if let Some(node) = node.filter(|node| node.operation.runs()) {
            // Weights, which come after the first input of a convolution, are laid out already.
            let count = if node.joins { inputs.len() } else { 1 };
            let mut numbers = Vec::with_capacity(count);
            for input in inputs.iter_mut().take(count) {
                match input.take().map(Held::numbers) {
                    Some(Ok(found)) => numbers.push(found),
                    Some(Err(other)) => {
                        *input = Some(other);
                        break;
                    }
                    None => break,
                }
            }
            if numbers.len() == count {
                let keeps = on_the_way && node.keeps_input;
                let kept = numbers.first().filter(|_| keeps).cloned();
                if let Some(output) = node.operation.forward(&mut numbers, bounds, &self.pool) {
                    for numbers in numbers {
                        O::give(numbers, &self.pool);
                    }
                    return Ok((vec![Held::Numbers(output)], Record { kept, ..Record::default() }));
                }
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
        let by_burn = on_the_way && node.is_none_or(|node| node.operation.runs());
        let record = Record { inputs: by_burn.then_some(values), ..Record::default() };
        Ok((outputs.into_iter().map(Held::from).collect(), record))
    }

    /// Walks back along `way` from `seed` at `output`; what arrives at `source`. The pass may be walked back again.
    pub fn backward(
        &self,
        graph: &Graph,
        way: &[Option<Site>],
        passed: &Passed<O::Array>,
        (source, output): (Slot, Slot),
        seed: Ranked<Float>,
    ) -> Result<Ranked<Float>> {
        type Reached<A> = Vec<Option<Held<A>>>;
        let mut gradients: HashMap<Slot, Held<O::Array>> =
            HashMap::from([(output, Value::from(seed).into())]);
        let bounded = self.bounded_values(graph, way, passed);
        let mut finished: HashSet<Slot> = HashSet::new();
        for index in (0..graph.steps.len()).rev() {
            let (step, Some(site)) = (&graph.steps[index], &way[index]) else { continue };
            let mut reached: Reached<O::Array> =
                step.outputs.iter().map(|slot| slot.and_then(|slot| gradients.remove(&slot))).collect();
            if reached.iter().all(Option::is_none) {
                continue;
            }
            let record = &passed.records[index];
            let arrived: Reached<O::Array> = match (&self.nodes[index], &record.inputs) {
                (Some(Known { operation, .. }), None) => {
                    let Some(gradient) = reached[0].take() else { continue };
                    if step.outputs[0].is_some_and(|slot| finished.remove(&slot)) {
                        vec![Some(gradient)]
                    } else {
                        let dims = |slot: &Slot| match &passed.dims[*slot] {
                            dims if dims.is_empty() => {
                                graph.constant(*slot).map(Value::dims).unwrap_or_default()
                            }
                            dims => dims.clone(),
                        };
                        let dims: Vec<Vec<usize>> = step.inputs.iter().flatten().map(dims).collect();
                        let finish = |(place, dims): (usize, &Vec<usize>)| {
                            let slot = step.inputs[place].filter(|_| {
                                operation.finishes() && matches!(site.computed.get(place), Some(Some(_)))
                            });
                            let Some(slot) = slot else { return Finish::default() };
                            let plus = match gradients.remove(&slot).map(Held::numbers) {
                                Some(Ok(plus)) if plus.dims() == *dims => Some(plus),
                                Some(Ok(other)) => {
                                    gradients.insert(slot, Held::Numbers(other));
                                    None
                                }
                                Some(Err(other)) => {
                                    gradients.insert(slot, other);
                                    None
                                }
                                None => None,
                            };
                            // What is left to be added would have to pass the bounds too.
                            let whole = !gradients.contains_key(&slot);
                            let last =
                                bounded.get(&slot).filter(|bound| bound.first_reader == index && whole);
                            let between = last.map(|bound| (bound.kept.clone(), bound.bounds));
                            if between.is_some() {
                                finished.insert(slot);
                            }
                            Finish { plus, between }
                        };
                        let finish: Vec<Finish<O::Array>> = dims.iter().enumerate().map(finish).collect();
                        let found = operation.backward(record, &dims, gradient, &finish, &self.pool)?;
                        found.into_iter().map(Some).collect()
                    }
                }
                (_, Some(inputs)) => {
                    let real = |held: Option<Held<O::Array>>| match held.map(Held::value).transpose()? {
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

    /// The values that a rectifier or a clip has bounded and that are kept, for the readers that hand gradients back.
    fn bounded_values<'p>(
        &self,
        graph: &Graph,
        way: &[Option<Site>],
        passed: &'p Passed<O::Array>,
    ) -> HashMap<Slot, Bounded<'p, O::Array>> {
        let mut found = HashMap::new();
        for (index, step) in graph.steps.iter().enumerate().filter(|&(index, _)| way[index].is_some()) {
            for slot in step.inputs.iter().flatten() {
                if let Some(Bounded { first_reader, .. }) = found.get_mut(slot)
                    && *first_reader == usize::MAX
                {
                    *first_reader = index;
                }
            }
            let record = &passed.records[index];
            if let (Some(bounds), Some(kept), Some(slot)) =
                (self.bounds(index), &record.kept, step.outputs[0])
                && (record.fused || rectifier(bounds))
            {
                found.insert(slot, Bounded { kept, bounds, first_reader: usize::MAX });
            }
        }
        found
    }

    /// The sum of what two readers of a value hand back.
    fn sum(&self, before: Held<O::Array>, arrived: Held<O::Array>) -> Result<Held<O::Array>> {
        let (Ok(before), Ok(arrived)) = (before.numbers(), arrived.numbers()) else {
            return Err(Error::Internal("a gradient holds no real numbers".into()));
        };
        Ok(Held::Numbers(O::sum(before, arrived, &self.pool)))
    }
}

/// The values of a step's inputs, those of the file among them.
fn inputs<V: Clone + From<Value>>(
    graph: &Graph,
    step: &Step,
    values: &[Option<V>],
) -> Result<Vec<Option<V>>> {
    let input = |slot: &Option<Slot>| {
        let Some(slot) = *slot else { return Ok(None) };
        let known = || graph.constant(slot).cloned().map(V::from);
        let input = values[slot].clone().or_else(known).ok_or_else(|| {
            Error::invalid_node(&step.names[0], "one of its inputs is computed by no node before it")
        })?;
        Ok(Some(input))
    };
    step.inputs.iter().map(input).collect()
}

/// A value between bounds.
struct Bounded<'p, A> {
    kept: &'p A,
    bounds: (f32, f32),
    /// The first step that reads it, which is the last one to hand a gradient back.
    first_reader: usize,
}

//! The one loop forward over the nodes of a graph.

use std::{collections::HashSet, ops::Range};

use burn::tensor::{Float, TensorData};

use super::{
    Operation, Program,
    tape::{Held, Record, Stretch, Tape, Tracked},
};
use crate::{
    Error, Result,
    model::{
        backward::Site,
        graph::{self, Graph, Slot, Step},
        value::{Ranked, Value, map_ranked, map_value, with_ranked},
    },
};

/// What a forward pass keeps besides the values that are asked for.
#[derive(Clone, Copy)]
pub(in crate::model) enum Keep<'w> {
    Nothing,
    /// The shapes of all values. Where a kernel knows the shape of its output, nothing else is computed of it.
    Shapes,
    /// What the gradients of the nodes on this way need.
    Gradients(&'w [Option<Site>]),
    /// All values of the nodes on this way.
    Values(&'w [Option<Site>]),
}

/// A forward pass.
pub(in crate::model) struct Passed<A> {
    /// The values that were asked for.
    pub wanted: Vec<Value>,
    pub tape: Tape<A>,
}

impl<O: Operation> Program<O> {
    /// Runs a graph on the values in `given`.
    pub fn forward(
        &self,
        graph: &Graph,
        given: impl IntoIterator<Item = (Slot, Value)>,
        wanted: &[Slot],
        keep: Keep<'_>,
    ) -> Result<Passed<O::Array>> {
        self.forward_on(&graph.device, graph, 0..graph.steps.len(), given, wanted, keep)
    }

    /// The same for some of its steps, and on another device where the graph is a part of one that runs there.
    pub fn forward_on(
        &self,
        device: &burn::tensor::Device,
        graph: &Graph,
        steps: Range<usize>,
        given: impl IntoIterator<Item = (Slot, Value)>,
        wanted: &[Slot],
        keep: Keep<'_>,
    ) -> Result<Passed<O::Array>> {
        O::begin(&self.pool);
        let mut run = Run::new(self, device, graph, given, wanted, keep);
        for index in steps {
            run.step(index)?;
            // What only a caller wants ends the run.
            if wanted.iter().all(|&slot| run.values[slot].is_some()) {
                break;
            }
        }
        run.finish()
    }
}

/// A forward pass under way.
struct Run<'r, O: Operation> {
    program: &'r Program<O>,
    device: &'r burn::tensor::Device,
    graph: &'r Graph,
    wanted: &'r [Slot],
    keep: Keep<'r>,
    /// The values that were given, which no step overwrites.
    given: Vec<Slot>,
    /// Values that outlive their last reader.
    kept: HashSet<Slot>,
    values: Vec<Option<Held<O::Array>>>,
    /// Steps that ran with the one before them.
    ran: HashSet<usize>,
    open: Option<Open>,
    tape: Tape<O::Array>,
}

/// A stretch under way: its values are leaves of Burn's graph, or follow from them.
struct Open {
    first: usize,
    /// The last step of it that lies on the way.
    last: usize,
    reads: Vec<(Slot, Value)>,
    leaves: Vec<(Slot, Ranked<Float>)>,
    made: HashSet<Slot>,
}

impl<'r, O: Operation> Run<'r, O> {
    fn new(
        program: &'r Program<O>,
        device: &'r burn::tensor::Device,
        graph: &'r Graph,
        given: impl IntoIterator<Item = (Slot, Value)>,
        wanted: &'r [Slot],
        keep: Keep<'r>,
    ) -> Self {
        let mut tape = Tape::default();
        if let Keep::Shapes | Keep::Gradients(_) = keep {
            tape.dims = vec![Vec::new(); graph.constants.len()];
        }
        let mut kept = HashSet::new();
        match keep {
            Keep::Gradients(_) => tape.records = vec![Record::default(); graph.steps.len()],
            Keep::Values(way) => {
                let on_the_way = graph.steps.iter().zip(way).filter(|(_, site)| site.is_some());
                kept.extend(
                    on_the_way.flat_map(|(step, _)| step.inputs.iter().chain(&step.outputs).flatten()),
                );
            }
            Keep::Nothing | Keep::Shapes => {}
        }
        let mut values: Vec<Option<Held<O::Array>>> = vec![None; graph.constants.len()];
        let mut slots = Vec::new();
        for (slot, value) in given {
            if let Some(dims) = tape.dims.get_mut(slot) {
                *dims = value.dims();
            }
            values[slot] = Some(value.into());
            slots.push(slot);
        }
        Self {
            program,
            device,
            graph,
            wanted,
            keep,
            given: slots,
            kept,
            values,
            ran: HashSet::new(),
            open: None,
            tape,
        }
    }

    /// Runs a step, by its kernel or by Burn's.
    fn step(&mut self, index: usize) -> Result<()> {
        let step = &self.graph.steps[index];
        if !self.ran.contains(&index) {
            if !self.stays_in_stretch(index) {
                self.close();
            }
            let mut inputs = self.read(step)?;
            if !self.by_shape(index, &mut inputs)? && !self.by_kernel(index, &mut inputs) {
                let outputs = self.by_burn(index, inputs)?;
                self.write(index, outputs.into_iter().map(Held::from));
            }
        }
        for &slot in &step.dead_after {
            if !self.outlives(slot)
                && let Some(Held::Numbers(numbers)) = self.values[slot].take()
            {
                O::give(numbers, &self.program.pool);
            }
        }
        Ok(())
    }

    /// Whether a value is there after its last reader.
    fn outlives(&self, slot: Slot) -> bool {
        self.wanted.contains(&slot) || self.kept.contains(&slot)
    }

    /// A step's inputs. Those that no later step reads are taken away from the values.
    fn read(&mut self, step: &'r Step) -> Result<Vec<Option<Held<O::Array>>>> {
        let input = |slot: &Option<Slot>| {
            let Some(slot) = *slot else { return Ok(None) };
            let known = || self.graph.constant(slot).cloned().map(Held::from);
            let input = self.values[slot].clone().or_else(known).ok_or_else(|| {
                Error::invalid_node(&step.names[0], "one of its inputs is computed by no node before it")
            })?;
            Ok(Some(input))
        };
        let inputs = step.inputs.iter().map(input).collect::<Result<_>>()?;
        for &slot in &step.dead_after {
            if !self.outlives(slot) {
                self.values[slot] = None;
            }
        }
        Ok(inputs)
    }

    fn write(&mut self, index: usize, outputs: impl IntoIterator<Item = Held<O::Array>>) {
        for (place, value) in outputs.into_iter().enumerate() {
            self.write_at(index, place, value);
        }
    }

    fn write_at(&mut self, index: usize, place: usize, value: Held<O::Array>) {
        let slot = self.graph.steps[index].outputs.get(place).copied().flatten();
        let slot = slot.filter(|slot| !self.given.contains(slot));
        if !self.tape.dims.is_empty() {
            let dims = value.dims();
            self.tape.elements += dims.iter().product::<usize>();
            if let Some(slot) = slot {
                self.tape.dims[slot] = dims;
            }
        }
        if let Some(slot) = slot {
            if let Some(open) = &mut self.open {
                open.made.insert(slot);
            }
            self.values[slot] = Some(value);
        }
    }

    /// Whether a step lies on the way that gradients take.
    fn is_on_the_way(&self, index: usize) -> bool {
        matches!(self.keep, Keep::Gradients(way) if way[index].is_some())
    }

    /// Finds the shape of the output alone, where that is all that is asked for and the kernel knows it.
    fn by_shape(&mut self, index: usize, inputs: &mut [Option<Held<O::Array>>]) -> Result<bool> {
        if !matches!(self.keep, Keep::Shapes) {
            return Ok(false);
        }
        if let Some(node) = self.program.node(index) {
            let count = if node.joins { inputs.len() } else { 1 };
            let real = |input: &Option<Held<O::Array>>| {
                input.as_ref().filter(|value| value.is_real()).map(Held::dims)
            };
            let shapes: Option<Vec<Vec<usize>>> = inputs.iter().take(count).map(real).collect();
            if let Some(dims) = shapes.and_then(|shapes| node.operation.shape(&shapes)) {
                self.write_at(index, node.output, Held::Blank(dims));
                return Ok(true);
            }
        }
        // What nobody has computed is zeros for who reads it.
        for input in inputs.iter_mut().flatten() {
            if let Held::Blank(dims) = input {
                *input = zeros(dims, self.device)?.into();
            }
        }
        Ok(false)
    }

    /// Runs a step by its kernel, and the step that bounds its output with it.
    fn by_kernel(&mut self, index: usize, inputs: &mut [Option<Held<O::Array>>]) -> bool {
        let Some(node) = self.program.node(index).filter(|node| node.operation.runs()) else { return false };
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
        let fused = self.fused(index);
        let on_the_way = self.is_on_the_way(index);
        let kept = numbers.first().filter(|_| on_the_way && node.keeps_input).cloned();
        let output = match numbers.len() == count {
            true => node.operation.forward(&mut numbers, fused.map(|(_, bounds)| bounds), &self.program.pool),
            false => None,
        };
        let Some(output) = output else {
            for (input, numbers) in inputs.iter_mut().zip(numbers) {
                *input = Some(Held::Numbers(numbers));
            }
            return false;
        };
        for numbers in numbers {
            O::give(numbers, &self.program.pool);
        }
        if on_the_way {
            let bounded = node.bounds.is_some().then(|| output.clone());
            self.tape.records[index] = Record::Kernel(kept.or(bounded));
        }
        let (mut writer, place) = (index, node.output);
        if let Some((bounding, _)) = fused {
            self.ran.insert(bounding);
            writer = bounding;
            if on_the_way {
                self.tape.records[bounding] = Record::Kernel(Some(output.clone()));
            }
            if let (false, Some(between)) = (self.tape.dims.is_empty(), self.graph.steps[index].outputs[0]) {
                let dims = super::Array::dims(&output);
                self.tape.elements += dims.iter().product::<usize>();
                self.tape.dims[between] = dims;
            }
        }
        self.write_at(writer, place, Held::Numbers(output));
        true
    }

    /// The step that bounds the output of a step, and its bounds, where that output itself is not asked for.
    fn fused(&self, index: usize) -> Option<(usize, (f32, f32))> {
        let &bounding = self.program.fused.get(&index)?;
        let given =
            |step: usize| self.graph.steps[step].outputs[0].is_none_or(|slot| self.given.contains(&slot));
        let asked = self.graph.steps[index].outputs[0].is_none_or(|slot| self.wanted.contains(&slot));
        let apart = asked || given(index) || given(bounding) || matches!(self.keep, Keep::Values(_));
        self.program.bounds(bounding).filter(|_| !apart).map(|bounds| (bounding, bounds))
    }

    /// Runs a step by Burn's kernels.
    fn by_burn(&mut self, index: usize, inputs: Vec<Option<Held<O::Array>>>) -> Result<Vec<Value>> {
        let mut values: Vec<Option<Value>> =
            inputs.into_iter().map(|input| input.map(Held::value).transpose()).collect::<Result<_>>()?;
        if let Keep::Gradients(way) = self.keep {
            let by_kernel = self.program.node(index).is_some_and(|node| !node.operation.runs());
            if way[index].is_some() && by_kernel && self.open.is_none() {
                self.tape.records[index] = Record::Kernel(None);
            } else if way[index].is_some() || self.open.is_some() {
                self.track(index, way[index].as_ref(), &mut values);
            }
        }
        self.graph.advance(self.device, &self.graph.steps[index], &values)
    }

    /// Whether Burn runs a step and what it computes may be a part of the graph of the steps before it.
    fn stays_in_stretch(&self, index: usize) -> bool {
        self.program.node(index).is_none_or(|node| node.reshapes)
    }

    /// Makes leaves of what a step reads, so that Burn can differentiate it, with those before it that it has run.
    fn track(&mut self, index: usize, site: Option<&Site>, values: &mut [Option<Value>]) {
        let open = self.open.get_or_insert_with(|| Open {
            first: index,
            last: index,
            reads: Vec::new(),
            leaves: Vec::new(),
            made: HashSet::new(),
        });
        for (place, slot) in self.graph.steps[index].inputs.iter().enumerate() {
            let (Some(slot), Some(value)) = (*slot, &mut values[place]) else { continue };
            let fixed = self.graph.constant(slot).is_some() && !self.given.contains(&slot);
            if fixed || open.made.contains(&slot) {
                continue;
            }
            if !open.reads.iter().any(|(read, _)| *read == slot) {
                open.reads.push((slot, value.clone()));
            }
            if let Some((_, leaf)) = open.leaves.iter().find(|(leaf, _)| *leaf == slot) {
                *value = leaf.clone().into();
                continue;
            }
            let follows = site.is_some_and(|site| matches!(site.computed.get(place), Some(Some(_))));
            if let (true, Value::Float(number)) = (follows, &*value) {
                let leaf = graph::leaf(number.clone());
                *value = leaf.clone().into();
                if let Some(held) = &mut self.values[slot] {
                    *held = Value::from(leaf.clone()).into();
                }
                open.leaves.push((slot, leaf));
            }
        }
        if site.is_some() {
            if let Record::Stretch(_) = self.tape.records[open.last] {
                self.tape.records[open.last] = Record::Inside;
            }
            self.tape.records[index] = Record::Stretch(self.tape.stretches.len());
            open.last = index;
        }
    }

    /// Ends a stretch: what comes after it reads bare values.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let steps = open.first..open.last + 1;
        let mut exits: Vec<(Slot, Ranked<Float>)> = Vec::new();
        let made = self.graph.steps[steps.start..].iter().flat_map(|step| step.outputs.iter().flatten());
        for &slot in made.filter(|slot| open.made.contains(slot)) {
            let Some(Held::Value(value)) = &mut self.values[slot] else { continue };
            if let Value::Float(number) = &**value
                && with_ranked!(number, number => number.is_tracked())
            {
                exits.push((slot, number.clone()));
            }
            **value = bare(value);
        }
        for (slot, _) in &open.leaves {
            if let Some(Held::Value(value)) = &mut self.values[*slot] {
                **value = bare(value);
            }
        }
        let heavy = |step: &Step| step.operator.properties.is_heavy();
        let is_heavy = !self.program.has_kernels() || self.graph.steps[steps.clone()].iter().any(heavy);
        let (leaves, tracked_leaves) = open.leaves.into_iter().unzip();
        let (exits, tracked_exits) = exits.into_iter().unzip();
        self.tape.stretches.push(Stretch {
            steps,
            reads: open.reads,
            leaves,
            exits,
            tracked: Some(Tracked { leaves: tracked_leaves, exits: tracked_exits }),
            is_heavy,
        });
    }

    fn finish(mut self) -> Result<Passed<O::Array>> {
        self.close();
        let Self { graph, device, mut values, wanted, keep, mut tape, .. } = self;
        let computed = |held: Held<O::Array>| match held {
            Held::Blank(dims) => zeros(&dims, device),
            held => held.value(),
        };
        if let Keep::Values(_) = keep {
            let kept = values.iter().cloned().map(|held| held.map(computed).transpose());
            tape.values = kept.collect::<Result<_>>()?;
        }
        let found = |(place, &slot): (usize, &Slot)| {
            // Nothing is copied that no one else holds.
            let again = wanted[place + 1..].contains(&slot);
            match if again { values[slot].clone() } else { values[slot].take() } {
                Some(held) => computed(held),
                None => {
                    let constant = graph.constant(slot).cloned();
                    constant.ok_or_else(|| Error::invalid_model("no node computes its output"))
                }
            }
        };
        Ok(Passed { wanted: wanted.iter().enumerate().map(found).collect::<Result<_>>()?, tape })
    }
}

/// A value without the graph that it is a part of.
fn bare(value: &Value) -> Value {
    map_value!(value.clone(), ranked => map_ranked!(ranked, number => number.inner()))
}

fn zeros(dims: &[usize], device: &burn::tensor::Device) -> Result<Value> {
    let blank = TensorData::new(vec![0.0f32; dims.iter().product()], dims.to_vec());
    let lost = || Error::Internal("an array has too many dimensions".into());
    Ok(Value::Float(Ranked::from_data(blank, device).ok_or_else(lost)?))
}

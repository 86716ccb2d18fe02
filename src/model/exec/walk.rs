//! The one walk back through a graph.
//!
//! What reaches a node's outputs is handed to its inputs, and what several readers of a value hand to it adds up. A node hands
//! on the vector-Jacobian product of its kernel or of Burn, or what a rule makes of it.

use std::collections::{HashMap, HashSet};

use burn::tensor::Float;

use super::{
    Array, Finish, Keep, Operation, Program,
    tape::{Held, Record, Stretch, Tape, Tracked},
};
use crate::{
    Error, Result,
    model::{
        backward::{self, Rule, Site, Values, Visit},
        graph::{self, Graph, Slot, Step},
        value::{Ranked, Value},
    },
};

/// Rules for the nodes of a walk back, whose tape must hold values.
pub(in crate::model) struct Rules<'r, A> {
    pub rule: &'r Rule<'r>,
    /// The tape of the reference input, where there is one.
    pub reference: Option<Tape<A>>,
}

/// What a node hands to values.
type Arrived<A> = Vec<(Slot, Held<A>)>;

impl<O: Operation> Program<O> {
    /// Walks back along `way` from `seed` at `output`; what arrives at `source`. Without rules that is the gradient, and the tape
    /// may be walked back again; rules use it up.
    pub fn backward(
        &self,
        graph: &Graph,
        way: &[Option<Site>],
        tape: &mut Tape<O::Array>,
        (source, output): (Slot, Slot),
        seed: Ranked<Float>,
        mut rules: Option<Rules<'_, O::Array>>,
    ) -> Result<Ranked<Float>> {
        let Tape { records, stretches, dims, values, .. } = tape;
        let mut walk = Walk {
            program: self,
            graph,
            way,
            dims,
            bounded: self.bounded(graph, way, records),
            gradients: HashMap::from([(output, Value::from(seed).into())]),
            finished: HashSet::new(),
        };
        for (index, step) in graph.steps.iter().enumerate().rev() {
            let Some(site) = &way[index] else { continue };
            let arrived = match (&mut rules, records.get(index)) {
                (Some(rules), _) => {
                    let arrived = walk.by_rule(step, site, values, rules)?;
                    // Whoever reads these values has been visited.
                    let reference = rules.reference.as_mut().map(|tape| &mut tape.values);
                    for values in std::iter::once(&mut *values).chain(reference) {
                        step.outputs.iter().flatten().for_each(|&slot| values[slot] = None);
                    }
                    arrived
                }
                (None, Some(Record::Kernel(kept))) => walk.by_kernel(index, kept.as_ref())?,
                (None, Some(Record::Stretch(stretch))) => walk.by_burn(&mut stretches[*stretch])?,
                (None, _) => Vec::new(),
            };
            for (slot, gradient) in arrived {
                walk.add(slot, gradient)?;
            }
        }
        match walk.gradients.remove(&source) {
            Some(found) => found.real(),
            None => Err(Error::invalid_model("its logits do not depend on the value that is differentiated")),
        }
    }

    /// The values that a rectifier or a clip has bounded and that are kept, for the readers that hand gradients back.
    fn bounded<'w>(
        &self,
        graph: &Graph,
        way: &[Option<Site>],
        records: &'w [Record<O::Array>],
    ) -> HashMap<Slot, Bounded<'w, O::Array>> {
        let mut found = HashMap::new();
        for (index, record) in records.iter().enumerate().filter(|&(index, _)| way[index].is_some()) {
            let step = &graph.steps[index];
            for slot in step.inputs.iter().flatten() {
                if let Some(Bounded { first_reader, .. }) = found.get_mut(slot)
                    && *first_reader == usize::MAX
                {
                    *first_reader = index;
                }
            }
            if let (Some(bounds), Record::Kernel(Some(value)), Some(slot)) =
                (self.bounds(index), record, step.outputs[0])
            {
                found.insert(slot, Bounded { value, bounds, first_reader: usize::MAX });
            }
        }
        found
    }
}

/// A value between bounds.
struct Bounded<'w, A> {
    value: &'w A,
    bounds: (f32, f32),
    /// The first step that reads it, which is the last one to hand a gradient back.
    first_reader: usize,
}

/// A walk back under way.
struct Walk<'w, O: Operation> {
    program: &'w Program<O>,
    graph: &'w Graph,
    way: &'w [Option<Site>],
    /// The shapes of all values, by slot.
    dims: &'w [Vec<usize>],
    bounded: HashMap<Slot, Bounded<'w, O::Array>>,
    /// What has reached values whose readers have all been visited, or some of them.
    gradients: HashMap<Slot, Held<O::Array>>,
    /// Values whose gradients have passed their bounds already.
    finished: HashSet<Slot>,
}

impl<O: Operation> Walk<'_, O> {
    fn add(&mut self, slot: Slot, arrived: Held<O::Array>) -> Result<()> {
        let sum = match self.gradients.remove(&slot) {
            None => arrived,
            Some(before) => match (before, arrived) {
                (Held::Value(before), Held::Value(arrived)) => {
                    let (before, arrived) =
                        (Held::<O::Array>::Value(before), Held::<O::Array>::Value(arrived));
                    Value::from(before.real()? + arrived.real()?).into()
                }
                (before, arrived) => {
                    let (Ok(before), Ok(arrived)) = (before.numbers(), arrived.numbers()) else {
                        return Err(Error::Internal("a gradient holds no real numbers".into()));
                    };
                    Held::Numbers(O::sum(before, arrived, &self.program.pool))
                }
            },
        };
        self.gradients.insert(slot, sum);
        Ok(())
    }

    /// What reached the outputs of a step.
    fn reached(&mut self, step: &Step) -> Vec<Option<Held<O::Array>>> {
        step.outputs.iter().map(|slot| slot.and_then(|slot| self.gradients.remove(&slot))).collect()
    }

    /// What a rule hands on, or the vector-Jacobian product where it says nothing.
    fn by_rule(
        &mut self,
        step: &Step,
        site: &Site,
        here: &[Option<Value>],
        rules: &Rules<'_, O::Array>,
    ) -> Result<Arrived<O::Array>> {
        let reached = self.reached(step).into_iter().map(|held| held.map(Held::real).transpose());
        let reached = reached.collect::<Result<Vec<_>>>()?;
        if reached.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let there = rules.reference.as_ref().map(|tape| Values::of(self.graph, step, &tape.values));
        let visit = Visit::new(self.graph, step, site, Values::of(self.graph, step, here), there, reached);
        let flow = match (rules.rule)(&visit)? {
            Some(flow) => flow,
            None => visit.plain()?,
        };
        let arrived = flow.into_iter().enumerate().filter_map(|(place, arrived)| {
            Some((self.follower(step, site, place)?, Value::from(arrived?).into()))
        });
        Ok(arrived.collect())
    }

    /// The value at an input that follows from the explained one.
    fn follower(&self, step: &Step, site: &Site, place: usize) -> Option<Slot> {
        step.inputs[place].filter(|_| matches!(site.computed.get(place), Some(Some(_))))
    }

    /// The vector-Jacobian product of a stretch that Burn has run.
    fn by_burn(&mut self, stretch: &mut Stretch) -> Result<Arrived<O::Array>> {
        let reached =
            stretch.exits.iter().map(|slot| self.gradients.remove(slot).map(Held::real).transpose());
        let reached = reached.collect::<Result<Vec<_>>>()?;
        if reached.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let Tracked { leaves, exits } = match stretch.tracked.take() {
            Some(tracked) => tracked,
            None => self.again(stretch)?,
        };
        let found =
            backward::pulled_back(exits.into_iter().zip(reached), leaves.into_iter().map(Some).collect());
        let arrived = stretch.leaves.iter().zip(found);
        Ok(arrived.filter_map(|(&slot, arrived)| Some((slot, Value::from(arrived?).into()))).collect())
    }

    /// Runs a stretch again.
    fn again(&self, stretch: &Stretch) -> Result<Tracked> {
        let mut given = stretch.reads.clone();
        let mut leaves = Vec::with_capacity(stretch.leaves.len());
        for slot in &stretch.leaves {
            let read = given.iter_mut().find(|(read, _)| read == slot);
            let Some((_, value @ Value::Float(_))) = read else {
                return Err(Error::Internal("a value to differentiate was lost".into()));
            };
            if let Value::Float(number) = value {
                let leaf = graph::leaf(number.clone());
                *number = leaf.clone();
                leaves.push(leaf);
            }
        }
        let program = Program::<O>::by_burn();
        let (steps, device) = (stretch.steps.clone(), &self.graph.device);
        let passed = program.forward_on(device, self.graph, steps, given, &stretch.exits, Keep::Nothing)?;
        let exits = passed.wanted.into_iter().map(|value| Held::<O::Array>::from(value).real());
        Ok(Tracked { leaves, exits: exits.collect::<Result<_>>()? })
    }

    /// The vector-Jacobian product of a kernel.
    fn by_kernel(&mut self, index: usize, kept: Option<&O::Array>) -> Result<Arrived<O::Array>> {
        let step = &self.graph.steps[index];
        let (Some(site), Some(node)) = (&self.way[index], self.program.node(index)) else {
            return Err(Error::Internal(format!("\"{}\" has no kernel", step.names[0])));
        };
        let Some(gradient) = self.reached(step).into_iter().nth(node.output).flatten() else {
            return Ok(Vec::new());
        };
        let found = if step.outputs[0].is_some_and(|slot| self.finished.remove(&slot)) {
            vec![gradient]
        } else {
            let shapes: Vec<Vec<usize>> =
                step.inputs.iter().flatten().map(|&slot| self.shape(slot)).collect();
            let mut finish = Vec::with_capacity(shapes.len());
            for (place, dims) in shapes.iter().enumerate() {
                let slot = self.follower(step, site, place).filter(|_| node.operation.finishes());
                finish.push(slot.map(|slot| self.finish_at(index, slot, dims)).unwrap_or_default());
            }
            node.operation.backward(kept, &shapes, gradient, &finish, &self.program.pool)?
        };
        let arrived = found.into_iter().enumerate();
        Ok(arrived.filter_map(|(place, held)| Some((self.follower(step, site, place)?, held))).collect())
    }

    fn shape(&self, slot: Slot) -> Vec<usize> {
        match &self.dims[slot] {
            dims if dims.is_empty() => self.graph.constant(slot).map(Value::dims).unwrap_or_default(),
            dims => dims.clone(),
        }
    }

    /// What a step does to the gradient of a value that it reads, besides its own product.
    fn finish_at(&mut self, index: usize, slot: Slot, dims: &[usize]) -> Finish<O::Array> {
        let plus = match self.gradients.remove(&slot).map(Held::numbers) {
            Some(Ok(plus)) if plus.dims() == dims => Some(plus),
            Some(other) => {
                self.gradients.insert(slot, other.map_or_else(|other| other, Held::Numbers));
                None
            }
            None => None,
        };
        // What is left to be added would have to pass the bounds too.
        let whole = !self.gradients.contains_key(&slot);
        let last = self.bounded.get(&slot).filter(|bound| bound.first_reader == index && whole);
        let between = last.map(|bound| (bound.value.clone(), bound.bounds));
        if between.is_some() {
            self.finished.insert(slot);
        }
        Finish { plus, between }
    }
}

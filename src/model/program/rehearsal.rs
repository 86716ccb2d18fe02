//! The shapes of a network's values, found without computing what costs time.

use burn::tensor::TensorData;

use super::{Known, Operation, Program, inputs};
use crate::{
    Error, Result,
    model::{
        graph::{Graph, Slot},
        value::{Ranked, Value},
    },
};

/// A value of a rehearsal.
#[derive(Clone)]
enum Rehearsed {
    Value(Box<Value>),
    /// Real numbers of this shape that nobody has computed: zeros, where someone reads them.
    Blank(Vec<usize>),
}

impl From<Value> for Rehearsed {
    fn from(value: Value) -> Self {
        Self::Value(Box::new(value))
    }
}

impl Rehearsed {
    fn dims(&self) -> Vec<usize> {
        match self {
            Self::Value(value) => value.dims(),
            Self::Blank(dims) => dims.clone(),
        }
    }

    fn is_real(&self) -> bool {
        match self {
            Self::Value(value) => matches!(**value, Value::Float(_)),
            Self::Blank(_) => true,
        }
    }

    fn value(self, graph: &Graph) -> Result<Value> {
        match self {
            Self::Value(value) => Ok(*value),
            Self::Blank(dims) => {
                let blank = TensorData::new(vec![0.0f32; dims.iter().product()], dims);
                let lost = || Error::Internal("an array has too many dimensions".into());
                Ok(Value::Float(Ranked::from_data(blank, &graph.device).ok_or_else(lost)?))
            }
        }
    }
}

impl<O: Operation> Program<O> {
    /// Passes blank inputs through the steps to find the shapes of all values: what the kernels compute is left out.
    /// `visit` sees the shapes of every step's outputs, and whether the first holds real numbers. Returns the value at `wanted`.
    pub fn rehearse(
        &self,
        graph: &Graph,
        given: Vec<(Slot, Value)>,
        wanted: Slot,
        mut visit: impl FnMut(&[Vec<usize>], bool),
    ) -> Result<Value> {
        let mut values: Vec<Option<Rehearsed>> = vec![None; graph.constants.len()];
        let fixed: Vec<Slot> = given.iter().map(|(slot, _)| *slot).collect();
        for (slot, value) in given {
            values[slot] = Some(value.into());
        }
        for (step, node) in graph.steps.iter().zip(&self.nodes) {
            let inputs = inputs(graph, step, &values)?;
            let outputs = match node.as_ref().and_then(|node| blank(node, &inputs)) {
                Some(blank) => vec![blank],
                None => {
                    let inputs =
                        inputs.into_iter().map(|input| input.map(|input| input.value(graph)).transpose());
                    let outputs = graph.apply(step, &inputs.collect::<Result<Vec<_>>>()?)?;
                    outputs.into_iter().map(Rehearsed::from).collect()
                }
            };
            let shapes: Vec<Vec<usize>> = outputs.iter().map(Rehearsed::dims).collect();
            visit(&shapes, outputs.first().is_some_and(Rehearsed::is_real));
            for (slot, value) in step.outputs.iter().zip(outputs) {
                if let Some(slot) = slot.filter(|slot| !fixed.contains(slot)) {
                    values[slot] = Some(value);
                }
            }
            for &slot in step.dead_after.iter().filter(|&&slot| slot != wanted) {
                values[slot] = None;
            }
        }
        let found = values[wanted].take().or_else(|| graph.constant(wanted).cloned().map(Rehearsed::from));
        found.ok_or_else(|| Error::invalid_model("no node computes its output"))?.value(graph)
    }
}

/// The output of inputs that nobody has computed, for its shape; nothing where they are not for these kernels.
fn blank<O: Operation>(node: &Known<O>, inputs: &[Option<Rehearsed>]) -> Option<Rehearsed> {
    let count = if node.joins { inputs.len() } else { 1 };
    let real =
        |input: &Option<Rehearsed>| input.as_ref().filter(|value| value.is_real()).map(Rehearsed::dims);
    let shapes: Vec<Vec<usize>> = inputs.iter().take(count).map(real).collect::<Option<_>>()?;
    node.operation.shape(&shapes).map(Rehearsed::Blank)
}

//! A forward pass of which gradients are taken afterwards: one, several, or none.

use burn::tensor::{Float, Tensor};

use super::{
    Gradient, Model, Prepared, Score, as_logits,
    backward::{self, Site},
    graph::Slot,
    load::rows_of,
    program::{Operation, Passed, Program},
    value::{self, Ranked, Value},
    with_program,
};
use crate::{Error, Result};

/// A batch that has gone through the network, as a whole.
pub(crate) struct Pass<'a> {
    pass: Box<dyn Differentiable + 'a>,
    /// Samples that were asked for, and those that the file takes at once.
    rows: usize,
    all: usize,
}

impl<'a> Pass<'a> {
    /// Runs the network on `input`, for gradients with respect to the value at `wrt`.
    pub(super) fn new(model: &'a Model, wrt: Slot, input: Ranked<Float>) -> Result<Self> {
        let rows = input.dims()[0];
        let input = model.filled_up(input);
        let all = input.dims()[0];
        let pass: Box<dyn Differentiable + 'a> = match model.program() {
            Some(program) => with_program!(program, program => {
                Box::new(Walkable::new(model, program, wrt, input)?)
            }),
            None => Box::new(Tracked::new(model, wrt, input)?),
        };
        Ok(Self { pass, rows, all })
    }

    /// The logits, `[N, classes]`.
    pub fn logits(&self) -> Tensor<2> {
        self.cut(self.pass.logits())
    }

    fn cut(&self, logits: Tensor<2>) -> Tensor<2> {
        if self.rows == self.all { logits } else { logits.slice_dim(0, 0..self.rows as i64) }
    }

    /// The gradient of each sample's score of its class in `targets`.
    ///
    /// # Errors
    /// [`Error::TargetOutOfRange`].
    pub fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient> {
        if self.rows == self.all {
            return self.pass.gradient(targets, score);
        }
        let mut targets = targets.to_vec();
        targets.resize(self.all, targets.last().copied().unwrap_or(0));
        let found = self.pass.gradient(&targets, score)?;
        let cut = |value: &Ranked<Float>| match value.dims().first() {
            Some(&all) if all == self.all => rows_of(value, 0..self.rows),
            _ => value.clone(),
        };
        Ok(Gradient {
            logits: self.cut(found.logits),
            value: cut(&found.value),
            gradient: cut(&found.gradient),
        })
    }

    /// Whether the next gradient costs a forward pass of its own: Burn's graph serves only one.
    pub fn is_used_up(&self) -> bool {
        self.pass.is_used_up()
    }
}

pub(super) trait Differentiable {
    fn logits(&self) -> Tensor<2>;
    fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient>;
    fn is_used_up(&self) -> bool;
}

/// A pass by the engine's own kernels, which can be walked back again and again.
struct Walkable<'a, O: Operation> {
    model: &'a Model,
    program: &'a Program<O>,
    wrt: Slot,
    way: Vec<Option<Site>>,
    passed: Passed<O::Array>,
    logits: Tensor<2>,
    /// The shape of the network's output.
    dims: Vec<usize>,
    value: Ranked<Float>,
}

impl<'a, O: Operation> Walkable<'a, O> {
    fn new(model: &'a Model, program: &'a Program<O>, wrt: Slot, input: Ranked<Float>) -> Result<Self> {
        let way = backward::way(&model.graph, wrt, model.output);
        let rows = input.dims()[0];
        let mut passed =
            program.forward(&model.graph, model.given(input)?, &[model.output, wrt], Some(&way))?;
        let (Some(value), Some(output)) = (passed.wanted.pop(), passed.wanted.pop()) else {
            return Err(Error::Internal("a value was lost".into()));
        };
        let Value::Float(value) = value else {
            return Err(Error::invalid_model("the watched node holds no real numbers"));
        };
        let (dims, logits) = (output.dims(), as_logits(output, rows)?);
        Ok(Self { model, program, wrt, way, passed, logits, dims, value })
    }
}

impl<O: Operation> Differentiable for Walkable<'_, O> {
    fn logits(&self) -> Tensor<2> {
        self.logits.clone()
    }

    fn is_used_up(&self) -> bool {
        false
    }

    fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient> {
        let Self { model, logits, .. } = self;
        let seed = Ranked::from(model.seed(logits.clone(), targets, score)?).reshape(&self.dims);
        let seed = seed.ok_or_else(|| Error::Internal("logits could not be reshaped".into()))?;
        let ends = (self.wrt, model.output);
        let gradient = self.program.backward(&model.graph, &self.way, &self.passed, ends, seed)?;
        Ok(Gradient { logits: logits.clone(), value: self.value.clone(), gradient })
    }
}

impl<O: Operation> Drop for Walkable<'_, O> {
    fn drop(&mut self) {
        self.program.take_back(&mut self.passed);
    }
}

/// A pass by Burn, whose autodiff uses its graph up.
pub(super) struct Tracked<'a> {
    model: &'a Model,
    wrt: Slot,
    input: Ranked<Float>,
    logits: Tensor<2>,
    /// The logits as they depend on the value that is differentiated.
    graph: Option<(Tensor<2>, Ranked<Float>)>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(model: &'a Model, wrt: Slot, input: Ranked<Float>) -> Result<Self> {
        let graph = Self::run(model, wrt, input.clone())?;
        Ok(Self { model, wrt, input, logits: graph.0.clone().inner(), graph: Some(graph) })
    }

    fn run(model: &Model, wrt: Slot, input: Ranked<Float>) -> Result<(Tensor<2>, Ranked<Float>)> {
        let rows = input.dims()[0];
        let (output, leaf) = model.run_from(wrt, input)?;
        Ok((as_logits(output, rows)?, leaf))
    }
}

impl Differentiable for Tracked<'_> {
    fn logits(&self) -> Tensor<2> {
        self.logits.clone()
    }

    fn is_used_up(&self) -> bool {
        self.graph.is_none()
    }

    fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient> {
        let model = self.model;
        let (logits, leaf) = match self.graph.take() {
            Some(graph) => graph,
            None => Self::run(model, self.wrt, self.input.clone())?,
        };
        let chosen = model.one_hot(targets, logits.dims()[0])?;
        if !logits.is_tracked() {
            return Err(Error::invalid_model("its logits do not depend on the value that is differentiated"));
        }
        // Samples of a batch are independent, so the gradient of the sum holds each sample's own.
        let mut gradients = (model.scored(logits, score) * chosen).sum().backward();
        let gradient = value::map_ranked!(&leaf, leaf => leaf
            .grad_remove(&mut gradients)
            .ok_or_else(|| Error::Internal("the backward pass left no gradient".into()))?);
        let value = value::map_ranked!(leaf, leaf => leaf.inner());
        Ok(Gradient { logits: self.logits.clone(), value, gradient })
    }
}

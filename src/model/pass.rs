//! A forward pass of which gradients are taken afterwards: one, several, or none.

use burn::tensor::{Float, Tensor};

use super::{
    Gradient, Model, Prepared, Score,
    backward::{self, Site},
    exec::{Keep, Operation, Passed, Program, Tape},
    graph::Slot,
    load::rows_of,
    value::{Ranked, Value},
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
        with_program!(model.program(), program => Self::by(program, model, wrt, input))
    }

    /// The same by a program of the caller's.
    pub(super) fn by<O: Operation>(
        program: &'a Program<O>,
        model: &'a Model,
        wrt: Slot,
        input: Ranked<Float>,
    ) -> Result<Self> {
        let rows = input.dims()[0];
        let input = model.filled_up(input);
        let all = input.dims()[0];
        Ok(Self { pass: Box::new(Taped::new(model, program, wrt, input)?), rows, all })
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

/// A pass by a program, whatever its kernels are.
trait Differentiable {
    fn logits(&self) -> Tensor<2>;
    fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient>;
    fn is_used_up(&self) -> bool;
}

/// What a program has kept of a pass.
struct Taped<'a, O: Operation> {
    model: &'a Model,
    program: &'a Program<O>,
    wrt: Slot,
    way: Vec<Option<Site>>,
    tape: Tape<O::Array>,
    logits: Tensor<2>,
    /// The network's output, and the samples in it.
    output: Value,
    rows: usize,
    value: Ranked<Float>,
}

impl<'a, O: Operation> Taped<'a, O> {
    fn new(model: &'a Model, program: &'a Program<O>, wrt: Slot, input: Ranked<Float>) -> Result<Self> {
        let way = backward::way(&model.graph, wrt, model.output);
        let rows = input.dims()[0];
        let (given, wanted) = (model.given(input)?, [model.output, wrt]);
        let Passed { mut wanted, tape } =
            program.forward(&model.graph, given, &wanted, Keep::Gradients(&way))?;
        let (Some(value), Some(output)) = (wanted.pop(), wanted.pop()) else {
            return Err(Error::Internal("a value was lost".into()));
        };
        let Value::Float(value) = value else {
            return Err(Error::invalid_model("the watched node holds no real numbers"));
        };
        let logits = model.logits_of(output.clone(), rows)?;
        Ok(Self { model, program, wrt, way, tape, logits, output, rows, value })
    }
}

impl<O: Operation> Differentiable for Taped<'_, O> {
    fn logits(&self) -> Tensor<2> {
        self.logits.clone()
    }

    fn is_used_up(&self) -> bool {
        self.tape.is_used_up()
    }

    fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Gradient> {
        let Self { model, logits, tape, .. } = self;
        let seed = model.as_output(model.seed(logits.clone(), targets, score)?, &self.output, self.rows)?;
        let ends = (self.wrt, model.output);
        let gradient = self.program.backward(&model.graph, &self.way, tape, ends, seed, None)?;
        Ok(Gradient { logits: logits.clone(), value: self.value.clone(), gradient })
    }
}

impl<O: Operation> Drop for Taped<'_, O> {
    fn drop(&mut self) {
        self.program.take_back(&mut self.tape);
    }
}

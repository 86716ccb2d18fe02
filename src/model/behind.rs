//! The network with another value at one of its layers: what it then answers, and how the answer changes from there.

use burn::tensor::{Float, Tensor};

use super::{
    Model, Prepared, Score, backward,
    exec::{ByBurn, Keep, Rules},
    graph::Slot,
    value::{Ranked, Value},
    with_program,
};
use crate::{Error, Result};

impl Model {
    /// Whether a node or a value has this name.
    pub(crate) fn has_value(&self, name: &str) -> bool {
        self.graph.output_of(name).is_some()
    }

    /// The value of the node called `node`, or of that name, which depends on the input.
    pub(super) fn slot_of(&self, node: &str) -> Result<Slot> {
        let slot = self.graph.output_of(node).filter(|&slot| self.graph.constants[slot].value.is_none());
        slot.ok_or_else(|| {
            Error::invalid_model(format!("it has no node called \"{node}\" that depends on the input"))
        })
    }

    /// The logits `[N, classes]` where the output of `node` is `value` for each sample of `input`, few enough for one batch.
    /// What does not pass that node comes from the input.
    pub(crate) fn logits_with(
        &self,
        node: &str,
        value: Ranked<Float>,
        input: Ranked<Float>,
    ) -> Result<Tensor<2>> {
        self.check_shape(&input.dims())?;
        let slot = self.slot_of(node)?;
        let rows = input.dims()[0];
        let mut given = self.given(self.filled_up(input))?;
        given.push((slot, self.filled_up(value).into()));
        let output = with_program!(self.program(), program => {
            program.forward(&self.graph, given, &[self.output], Keep::Nothing)?.wanted.remove(0)
        });
        let all = self.batch.fixed.unwrap_or(rows);
        let found = self.logits_of(output, all)?;
        Ok(if rows == all { found } else { found.slice_dim(0, 0..rows as i64) })
    }

    /// The gradient of one sample's score with respect to the output of `node`, where that is `value`. What is linear piece
    /// by piece (rectifiers, maxima) stays on the piece on which `around` puts it, so that differences between gradients
    /// show how they bend and not which kinks lie on the way.
    pub(crate) fn gradient_with(
        &self,
        node: &str,
        [value, around]: [Ranked<Float>; 2],
        input: Ranked<Float>,
        target: usize,
        score: Score,
    ) -> Result<Ranked<Float>> {
        self.check_shape(&input.dims())?;
        if self.batch.fixed.is_some_and(|fixed| fixed != 1) {
            return Err(Error::invalid_model("it takes one number of samples alone, and more than one"));
        }
        let slot = self.slot_of(node)?;
        let way = backward::way(&self.graph, slot, self.output);
        let program = ByBurn::by_burn();
        let forward = |value: Ranked<Float>| -> Result<_> {
            let mut given = self.given(input.clone())?;
            given.push((slot, Value::from(value)));
            let mut passed = program.forward(&self.graph, given, &[self.output], Keep::Values(&way))?;
            Ok((passed.tape, passed.wanted.remove(0)))
        };
        let (mut here, output) = forward(value)?;
        let (there, _) = forward(around)?;
        let seed = self.seed(self.logits_of(output.clone(), 1)?, &[target], score)?;
        let seed = self.as_output(seed, &output, 1)?;
        let rule = |node: &backward::Visit<'_>| {
            if !node.site.properties.is_piecewise_linear() {
                return Ok(None);
            }
            node.product(&node.there()?.inputs, node.gradient()?).map(Some)
        };
        let rules = Some(Rules { rule: &rule, reference: Some(there) });
        program.backward(&self.graph, &way, &mut here, (slot, self.output), seed, rules)
    }
}

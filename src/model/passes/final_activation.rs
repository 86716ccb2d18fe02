//! The softmax or sigmoid that a network ends with, found by what it computes.
//!
//! What is explained is the logit before it. So it is taken off, once, whether it stands as one operator, with the axes
//! that its operator set gives it, or is written out: `Exp(x) / ReduceSum(Exp(x))`, `1 / (1 + Exp(-x))`. Numbers that lie
//! between 0 and 1 whatever is computed before (a mean of softmaxes, `[1 - p, p]`) are probabilities already.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use super::makers;
use crate::model::{
    Activation,
    graph::{Graph, Slot, Step},
    operators::{self, Form, Kind},
    value::Value,
};

/// How a network's outputs become probabilities.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Found {
    /// It ends with this activation, or with its logarithm.
    Ends(FinalActivation),
    /// Its outputs lie between 0 and 1 as they are.
    Probabilities,
    /// The graph has nothing to say.
    Nothing,
}

/// A softmax or sigmoid at the end of a graph.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct FinalActivation {
    pub kind: Activation,
    /// The step that makes the result and the logits that it is made of, unless the graph's output are logits in spite of
    /// it: logarithms of probabilities are, their softmax gives the probabilities back.
    strip: Option<(usize, Slot)>,
    /// Where the probabilities lie, or their logarithms, and along which axes they add up to 1.
    pub slot: Slot,
    pub axes: Axes,
}

/// The axes along which a softmax adds up to 1.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Axes {
    Each(Vec<i64>),
    /// This axis and all after it.
    From(i64),
}

/// One sample's scores as `[outer, classes, inner]`: a softmax adds up to 1 along the classes at every other position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Groups {
    pub outer: usize,
    pub classes: usize,
    pub inner: usize,
}

impl Groups {
    /// The same for so many scores: all of them together, where there are others than were found when the file was read.
    pub fn fitted(self, scores: usize) -> Self {
        match self.outer * self.classes * self.inner == scores {
            true => self,
            false => Self { outer: 1, classes: scores, inner: 1 },
        }
    }
}

impl Axes {
    /// The groups of a result of this shape for one sample, or nothing where the axes do not lie side by side or are the batch.
    pub fn groups(&self, dims: &[usize]) -> Option<Groups> {
        let rank = dims.len();
        let counted = |axis: i64| usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok();
        let (first, last) = match self {
            Self::From(axis) => (counted(*axis)?, rank.checked_sub(1)?),
            Self::Each(axes) => {
                let mut axes = axes.iter().map(|&axis| counted(axis)).collect::<Option<Vec<_>>>()?;
                axes.sort_unstable();
                let (&first, &last) = (axes.first()?, axes.last()?);
                if last - first + 1 != axes.len() {
                    return None;
                }
                (first, last)
            }
        };
        if first > last || last >= rank || (first == 0 && rank > 1 && dims[0] == 1) {
            return None;
        }
        let size = |dims: &[usize]| dims.iter().product();
        Some(Groups {
            outer: size(&dims[..first]),
            classes: size(&dims[first..=last]),
            inner: size(&dims[last + 1..]),
        })
    }
}

impl FinalActivation {
    /// Takes it off: what is left are the logits.
    pub fn strip(&self, graph: &mut Graph) {
        if let Some((index, logits)) = self.strip {
            let step = &mut graph.steps[index];
            step.op_type = "Identity".into();
            step.operator = Arc::new(operators::logits_along(step.operator.properties.axis));
            step.inputs = vec![Some(logits)];
        }
    }
}

/// How the values at `output` become probabilities.
pub(in crate::model) fn final_activation(graph: &Graph, output: Slot) -> Found {
    let search = Search::new(graph);
    let mut slot = output;
    // What is behind the activation only changes the shape or the type.
    while let Some((_, step)) = search.maker(slot) {
        if step.operator.properties.kind != Kind::Reshape {
            break;
        }
        let Some(&Some(before)) = step.inputs.first() else { break };
        slot = before;
    }
    if let Some(found) = search.activation(slot) {
        return Found::Ends(found);
    }
    let (low, high) = search.range(output, 64);
    const ROUNDING: f32 = 1e-5;
    match low >= -ROUNDING && high <= 1.0 + ROUNDING {
        true => Found::Probabilities,
        false => Found::Nothing,
    }
}

/// A search for what several nodes compute together.
pub(in crate::model) struct Search<'g> {
    graph: &'g Graph,
    makers: HashMap<Slot, usize>,
    ranges: RefCell<HashMap<Slot, (f32, f32)>>,
}

impl<'g> Search<'g> {
    pub(in crate::model) fn new(graph: &'g Graph) -> Self {
        Self { graph, makers: makers(graph), ranges: RefCell::default() }
    }

    /// The logits and the axes of the softmax, in one node or written out, whose result a step makes.
    pub(in crate::model) fn softmax(&self, index: usize) -> Option<(Slot, Axes)> {
        let step = &self.graph.steps[index];
        let kind = step.operator.properties.kind;
        if !matches!(kind, Kind::Softmax | Kind::Quotient | Kind::Product) {
            return None;
        }
        let found = self.activation(step.outputs.first().copied().flatten()?)?;
        let (_, logits) = found.strip.filter(|_| found.kind == Activation::Softmax)?;
        Some((logits, found.axes))
    }

    pub(in crate::model) fn maker(&self, slot: Slot) -> Option<(usize, &'g Step)> {
        self.makers.get(&slot).map(|&index| (index, &self.graph.steps[index]))
    }

    /// The maker of a value, where its operator is of this form.
    fn formed(&self, slot: Slot, form: Form) -> Option<&'g Step> {
        self.maker(slot).map(|(_, step)| step).filter(|step| step.operator.properties.form == Some(form))
    }

    /// The same for an operator of one input: that input.
    fn inside(&self, slot: Slot, form: Form) -> Option<Slot> {
        self.formed(slot, form)?.inputs.first().copied().flatten()
    }

    fn activation(&self, slot: Slot) -> Option<FinalActivation> {
        let (index, step) = self.maker(slot)?;
        let input = || step.inputs.first().copied().flatten();
        let properties = &step.operator.properties;
        let axes = properties.axis.map(|(axis, with_rest)| match with_rest {
            true => Axes::From(axis),
            false => Axes::Each(vec![axis]),
        });
        let softmax = |axes, strip| Some(FinalActivation { kind: Activation::Softmax, strip, slot, axes });
        match properties.kind {
            Kind::Softmax => return softmax(axes?, Some((index, input()?))),
            Kind::LogSoftmax => return softmax(axes?, None),
            _ => {}
        }
        if properties.sigmoid {
            let (axes, strip) = (Axes::Each(Vec::new()), Some((index, input()?)));
            return Some(FinalActivation { kind: Activation::Sigmoid, strip, slot, axes });
        }
        // ln softmax(x) are logits; e^(ln softmax(x)) is the softmax of them.
        if let Some(probabilities) = self.inside(slot, Form::Log) {
            let inner = self.activation(probabilities).filter(|inner| inner.kind == Activation::Softmax)?;
            return Some(FinalActivation { strip: None, ..inner });
        }
        if let Some(logarithms) = self.inside(slot, Form::Exp) {
            let inner = self.activation(logarithms).filter(|inner| inner.kind == Activation::Softmax)?;
            return (inner.strip.is_none())
                .then_some(FinalActivation { strip: Some((index, logarithms)), ..inner });
        }
        if let [Some(a), Some(b)] = step.inputs[..] {
            let shares = match properties.kind {
                Kind::Quotient => self.written_softmax(a, b),
                Kind::Product => {
                    let times =
                        |above, inverse| self.written_softmax(above, self.inside(inverse, Form::Reciprocal)?);
                    times(a, b).or_else(|| times(b, a))
                }
                _ => None,
            };
            if let Some((logits, axes)) = shares {
                return softmax(axes, Some((index, logits)));
            }
            // x - ln sum e^x
            if properties.kind == Kind::Difference
                && let Some(axes) = self.log_sum_exp(a, b)
            {
                return softmax(axes, None);
            }
        }
        let logit = self.written_sigmoid(step)?;
        let (axes, strip) = (Axes::Each(Vec::new()), Some((index, logit)));
        Some(FinalActivation { kind: Activation::Sigmoid, strip, slot, axes })
    }

    /// The logits and axes of `e^x / sum e^x`, the largest logit subtracted first or not.
    fn written_softmax(&self, above: Slot, below: Slot) -> Option<(Slot, Axes)> {
        let exponent = self.inside(above, Form::Exp)?;
        let (_, sum) = self.maker(self.unspread(below))?;
        if sum.inputs.first() != Some(&Some(above)) {
            return None;
        }
        let axes = match sum.operator.properties.kind {
            Kind::AxisSum => self.graph.reduced_axes(sum)?,
            // The product with a column of ones.
            Kind::Matmul => {
                let ones = sum.inputs.get(1).copied().flatten()?;
                let dims = self.graph.constant(ones)?.dims();
                (dims.len() == 2 && dims[1] == 1 && self.number(ones) == Some(1.0)).then(|| vec![-1])?
            }
            _ => return None,
        };
        let centred = self.maker(exponent).map(|(_, step)| step).and_then(|step| {
            let [Some(x), Some(highest)] = step.inputs[..] else { return None };
            let (_, maximum) = self.maker(self.unspread(highest))?;
            let centres = step.operator.properties.kind == Kind::Difference
                && maximum.operator.properties.kind == Kind::Maximum
                && maximum.inputs.first() == Some(&Some(x));
            centres.then_some(x)
        });
        Some((centred.unwrap_or(exponent), Axes::Each(axes)))
    }

    /// A value before it was brought to another's shape: by reshapes, repetitions, and a maximum with minus infinity.
    fn unspread(&self, mut slot: Slot) -> Slot {
        while let Some((_, step)) = self.maker(slot) {
            let properties = &step.operator.properties;
            let bounded =
                properties.clamp.is_some_and(|(low, high)| low <= f32::MIN && high == f32::INFINITY);
            if properties.kind != Kind::Reshape && properties.form != Some(Form::Expand) && !bounded {
                break;
            }
            let Some(&Some(before)) = step.inputs.first() else { break };
            slot = before;
        }
        slot
    }

    /// The axes along which a value is the logarithm of the sum of the exponentials of another.
    fn log_sum_exp(&self, x: Slot, value: Slot) -> Option<Axes> {
        if let Some(step) = self.formed(value, Form::LogSumExp) {
            return (step.inputs.first() == Some(&Some(x)))
                .then(|| self.graph.reduced_axes(step))
                .flatten()
                .map(Axes::Each);
        }
        let (_, sum) = self.maker(self.inside(value, Form::Log)?)?;
        let powers = sum.inputs.first().copied().flatten()?;
        let sums = sum.operator.properties.kind == Kind::AxisSum && self.inside(powers, Form::Exp) == Some(x);
        sums.then(|| self.graph.reduced_axes(sum)).flatten().map(Axes::Each)
    }

    /// Whether the rows of a value are probabilities that add up to 1.
    fn is_distribution(&self, slot: Slot) -> bool {
        let Some((_, step)) = self.maker(slot) else { return false };
        match step.operator.properties.kind {
            Kind::Softmax => true,
            Kind::Mean => step.inputs.iter().flatten().all(|&slot| self.is_distribution(slot)),
            _ => false,
        }
    }

    /// The logit of `1 / (1 + e^-x)`.
    fn written_sigmoid(&self, step: &Step) -> Option<Slot> {
        let is_one = |slot: Slot| self.number(slot) == Some(1.0);
        let below = match (step.operator.properties.form, step.operator.properties.kind, &step.inputs[..]) {
            (Some(Form::Reciprocal), _, &[Some(below)]) => below,
            (_, Kind::Quotient, &[Some(above), Some(below)]) if is_one(above) => below,
            _ => return None,
        };
        let (_, sum) = self.maker(below).filter(|(_, sum)| sum.operator.properties.kind == Kind::Sum)?;
        let [Some(a), Some(b)] = sum.inputs[..] else { return None };
        let power = if is_one(a) { b } else { Some(a).filter(|_| is_one(b))? };
        self.inside(self.inside(power, Form::Exp)?, Form::Neg)
    }

    /// The one number of a constant.
    fn number(&self, slot: Slot) -> Option<f32> {
        let (low, high) = self.constant_range(slot)?;
        (low == high).then_some(low)
    }

    fn constant_range(&self, slot: Slot) -> Option<(f32, f32)> {
        let Value::Float(value) = self.graph.constant(slot)? else { return None };
        // Weights are no bounds, and lie on the device.
        if value.device() != burn::tensor::Device::flex() || value.len() > 1 << 16 || value.is_empty() {
            return None;
        }
        let values: Vec<f32> = value.clone().flat().into_data().try_into_vec().ok()?;
        let bounds = (f32::INFINITY, f32::NEG_INFINITY);
        Some(values.iter().fold(bounds, |(low, high), &value| (low.min(value), high.max(value))))
    }

    /// Bounds between which every number of a value lies, whatever the input is; `depth` limits the search.
    fn range(&self, slot: Slot, depth: usize) -> (f32, f32) {
        if let Some(&known) = self.ranges.borrow().get(&slot) {
            return known;
        }
        let range = self.range_of(slot, depth);
        self.ranges.borrow_mut().insert(slot, range);
        range
    }

    fn range_of(&self, slot: Slot, depth: usize) -> (f32, f32) {
        const ANY: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);
        if self.graph.constant(slot).is_some() {
            return self.constant_range(slot).unwrap_or(ANY);
        }
        let (Some((_, step)), Some(depth)) = (self.maker(slot), depth.checked_sub(1)) else { return ANY };
        let properties = &step.operator.properties;
        let of = |place: usize| {
            step.inputs.get(place).copied().flatten().map_or(ANY, |slot| self.range(slot, depth))
        };
        let all = || (0..step.inputs.len()).map(of);
        let whole = |a: (f32, f32), b: (f32, f32)| (a.0.min(b.0), a.1.max(b.1));
        if properties.gates || properties.kind == Kind::Softmax {
            return (0.0, 1.0);
        }
        if let Some(range) = properties.range {
            return range;
        }
        if let Some((low, high)) = properties.clamp {
            let (from, to) = of(0);
            return (from.max(low).min(high), to.min(high).max(low));
        }
        match (properties.kind, properties.form) {
            (_, Some(Form::Where)) => whole(of(1), of(2)),
            (_, Some(Form::Max)) => {
                all().fold((f32::NEG_INFINITY, f32::NEG_INFINITY), |a, b| (a.0.max(b.0), a.1.max(b.1)))
            }
            (_, Some(Form::Min)) => {
                all().fold((f32::INFINITY, f32::INFINITY), |a, b| (a.0.min(b.0), a.1.min(b.1)))
            }
            (_, Some(Form::Neg)) => (-of(0).1, -of(0).0),
            (_, Some(Form::Exp)) => (of(0).0.exp(), of(0).1.exp()),
            (Kind::Reshape | Kind::Average | Kind::Maximum, _) => of(0),
            // Padding adds zeros; indices and sizes are no parts.
            (Kind::Move, _) => {
                let real = |slot: &Slot| !matches!(self.graph.constant(*slot), Some(Value::Int(_)));
                let parts = step.inputs.iter().flatten().filter(|slot| real(slot));
                parts.map(|&slot| self.range(slot, depth)).fold((0.0, 0.0), whole)
            }
            // Means of the matrix's entries, weighed by the probabilities.
            (Kind::Matmul, _) => match step.inputs[..] {
                [Some(rows), Some(matrix)] if self.is_distribution(rows) => self.range(matrix, depth),
                _ => ANY,
            },
            (Kind::Sum, _) => all().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (Kind::Mean, _) => {
                let count = step.inputs.len() as f32;
                let (low, high) = all().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
                (low / count, high / count)
            }
            (Kind::Difference, _) => (of(0).0 - of(1).1, of(0).1 - of(1).0),
            (Kind::Product, _) => {
                let (a, b) = (of(0), of(1));
                let products = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
                match products.iter().any(|product| product.is_nan()) {
                    true => ANY,
                    false => products.iter().fold(ANY_REVERSED, |(low, high), &p| (low.min(p), high.max(p))),
                }
            }
            (Kind::Quotient, _) => {
                let (above, below) = (of(0), of(1));
                let shares = step.inputs.get(1).copied().flatten().is_some_and(|slot| {
                    self.maker(slot).is_some_and(|(_, sum)| {
                        sum.operator.properties.kind == Kind::AxisSum
                            && sum.inputs.first() == step.inputs.first()
                    })
                });
                match (shares && above.0 >= 0.0, below.0 > 0.0) {
                    (true, _) => (0.0, 1.0),
                    (_, true) => {
                        let ends =
                            [above.0 / below.0, above.0 / below.1, above.1 / below.0, above.1 / below.1];
                        match ends.iter().any(|end| end.is_nan()) {
                            true => ANY,
                            false => {
                                ends.iter().fold(ANY_REVERSED, |(low, high), &e| (low.min(e), high.max(e)))
                            }
                        }
                    }
                    _ => ANY,
                }
            }
            _ => ANY,
        }
    }
}

const ANY_REVERSED: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

//! The nodes that kernels may know, with their constants as the file has them.

use burn::tensor::Float;

use crate::model::{
    graph::{Graph, Slot, Step},
    operators::{Kind, Lowering, Placed, Properties, Window},
    value::{Ranked, Value},
};

/// A node that kernels may know.
pub(in crate::model) struct Node {
    /// What it is. The window of a convolution holds the size of its kernel.
    pub operator: Lowering,
    /// `[filters, channels of a group, height, width]`, or a matrix of the file, `[inputs, outputs]` or turned.
    pub weights: Option<Ranked<Float>>,
    pub bias: Bias,
    /// The bounds, where it keeps its input between them: a rectifier, or a clip.
    pub bounds: Option<(f32, f32)>,
    /// `[directions, gates * hidden, hidden]`, where it is a recurrent layer; its `weights` and `bias` have all directions too.
    pub recurrent: Option<Ranked<Float>>,
    /// Which of its outputs is read; no other one is.
    pub output: usize,
}

/// What is added to the output.
#[allow(clippy::large_enum_variant, reason = "one at a time, and only while a graph is prepared")]
pub(in crate::model) enum Bias {
    Nothing,
    /// The same to every row, or to every place of a filter.
    Row(Ranked<Float>),
    /// Anything else.
    Other,
}

fn floats(graph: &Graph, step: &Step, index: usize) -> Option<Ranked<Float>> {
    match graph.constant(step.inputs.get(index).copied().flatten()?)? {
        Value::Float(value) => Some(value.clone()),
        _ => None,
    }
}

impl Node {
    /// Whether all inputs are computed; else the first alone is.
    pub fn joins(&self) -> bool {
        matches!(self.operator, Lowering::Add | Lowering::Concat { .. })
    }

    /// Whether the walk back needs the input.
    pub fn keeps_input(&self) -> bool {
        matches!(self.operator, Lowering::MaxPool(_) | Lowering::Recurrent { .. })
    }

    /// The node of a step, or `None` where Burn's kernels run it.
    pub fn of(graph: &Graph, step: &Step) -> Option<Self> {
        let slot = |index: usize| step.inputs.get(index).copied().flatten();
        let constant = |index: usize| slot(index).is_some_and(|slot| graph.constant(slot).is_some());
        let operator = step.operator.lowering.clone()?;
        let output = match &operator {
            Lowering::Recurrent { .. } => only_output(step)?,
            _ => 0,
        };
        if step.outputs.len() != 1 && !matches!(operator, Lowering::Recurrent { .. }) || constant(0) {
            return None;
        }
        let mut node =
            Self { operator, weights: None, bias: Bias::Nothing, bounds: None, recurrent: None, output };
        match &mut node.operator {
            Lowering::Convolution { groups, window } => {
                let mut weights = floats(graph, step, 1)?;
                if let [filters, channels, size] = weights.dims()[..] {
                    weights = weights.reshape(&[filters, channels, 1, size])?;
                    *window = window.as_line();
                }
                let shape: [usize; 4] = weights.dims().try_into().ok()?;
                if slot(2).is_some() {
                    node.bias = Bias::Row(floats(graph, step, 2).filter(|bias| bias.dims() == [shape[0]])?);
                }
                let two = |sizes: &Option<Vec<usize>>| sizes.as_ref().is_none_or(|sizes| sizes.len() == 2);
                let fits = two(&window.strides) && two(&window.dilations);
                let fits = fits && window.kernel.as_ref().is_none_or(|kernel| kernel[..] == shape[2..]);
                if shape.contains(&0) || !shape[0].is_multiple_of(*groups) || !fits {
                    return None;
                }
                window.kernel = Some(shape[2..].to_vec());
                node.weights = Some(weights);
            }
            Lowering::Matmul { transposed, beta, .. } => {
                let matrix = floats(graph, step, 1).filter(|matrix| matrix.rank() == 2)?;
                let outputs = matrix.dims()[usize::from(!*transposed)];
                let row =
                    |bias: &Ranked<Float>| bias.len() == outputs && bias.dims().last() == Some(&outputs);
                if slot(2).is_some() {
                    node.bias = match floats(graph, step, 2).filter(row) {
                        Some(bias) if *beta == 1.0 => Bias::Row(bias),
                        _ => Bias::Other,
                    };
                }
                node.weights = Some(matrix);
            }
            Lowering::MaxPool(window) | Lowering::AveragePool { window, .. }
                if window.kernel.as_ref().is_some_and(|kernel| kernel.len() == 1) =>
            {
                *window = window.as_line();
            }
            Lowering::Recurrent { cell, reversed, .. } => {
                let (weights, recurrent) = (floats(graph, step, 1)?, floats(graph, step, 2)?);
                let (&[directions, rows, _], &[.., hidden]) = (&weights.dims()[..], &recurrent.dims()[..])
                else {
                    return None;
                };
                let fits = directions == reversed.len()
                    && rows == cell.gates() * hidden
                    && recurrent.dims() == [directions, rows, hidden]
                    && !weights.dims().contains(&0);
                // Lengths of the samples, other states than zero, and peepholes are Burn's.
                let plain = slot(4).is_none() && slot(7).is_none();
                let at_rest = [5, 6].into_iter().filter_map(slot).all(|slot| is_zero(graph, slot, 0));
                if !fits || !plain || !at_rest {
                    return None;
                }
                if slot(3).is_some() {
                    let bias = floats(graph, step, 3).filter(|bias| bias.dims() == [directions, 2 * rows])?;
                    node.bias = Bias::Row(bias);
                }
                (node.weights, node.recurrent) = (Some(weights), Some(recurrent));
            }
            Lowering::Clamp => node.bounds = Some(step.operator.properties.clamp?),
            Lowering::Add if step.inputs.len() != 2 || constant(1) => return None,
            Lowering::Concat { .. } if (0..step.inputs.len()).any(constant) => return None,
            _ => {}
        }
        Some(node)
    }
}

/// The one output of a step that any other reads.
fn only_output(step: &Step) -> Option<usize> {
    let is_read = |slot: &Option<Slot>| slot.is_some_and(|slot| !step.dead_after.contains(&slot));
    let mut read = (0..step.outputs.len()).filter(|&output| is_read(&step.outputs[output]));
    read.next().filter(|_| read.next().is_none())
}

/// Whether a value is zero whatever the input is: the state at which a recurrent layer begins, in the sizes that the file computes.
fn is_zero(graph: &Graph, slot: Slot, depth: usize) -> bool {
    /// Steps by which files make such a state at most.
    const DEEP: usize = 16;
    if let Some(value) = graph.constant(slot) {
        let Value::Float(value) = value else { return false };
        let values: Option<Vec<f32>> = value.clone().flat().into_data().try_into_vec().ok();
        return values.is_some_and(|values| values.iter().all(|value| *value == 0.0));
    }
    let Some(step) = graph.steps.iter().find(|step| step.outputs.contains(&Some(slot))) else { return false };
    let Properties { kind, range, .. } = &step.operator.properties;
    let moves = matches!(kind, Kind::Move | Kind::Reshape)
        && !matches!(step.operator.lowering, Some(Lowering::Concat { .. }));
    let first = step.inputs.first().copied().flatten();
    *range == Some((0.0, 0.0))
        || depth < DEEP && moves && first.is_some_and(|first| is_zero(graph, first, depth + 1))
}

/// The axis that a number means which counts from the end where it is negative.
fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// Where arrays of these shapes are joined, and the shape of the whole; nothing where they do not fit together.
pub(crate) fn joined_dims(parts: &[Vec<usize>], axis: i64) -> Option<(usize, Vec<usize>)> {
    let mut dims = parts.first()?.clone();
    let axis = axis_of(axis, dims.len())?;
    dims[axis] = 0;
    for part in parts {
        let fits = part.len() == dims.len() && (0..dims.len()).all(|i| i == axis || part[i] == dims[i]);
        if !fits {
            return None;
        }
        dims[axis] += part[axis];
    }
    Some((axis, dims))
}

/// A window of two dimensions on an input of the shape `dims`, `[samples, channels, height, width]`, or one of one dimension on
/// `[samples, channels, length]`.
pub(in crate::model) fn placed(
    window: &Window,
    dims: &[usize],
) -> Option<(Placed, adversight_kernels::Shape)> {
    let spatial = match *dims {
        [_, _, length] if window.line => [1, length],
        [_, _, height, width] if !window.line => [height, width],
        _ => return None,
    };
    if dims.contains(&0) {
        return None;
    }
    let placed = window.on(&spatial, None).ok()?;
    let pair = |values: &[usize]| values.try_into().ok();
    let shape = adversight_kernels::Shape {
        kernel: pair(&placed.kernel)?,
        strides: pair(&placed.strides)?,
        dilations: pair(&placed.dilations)?,
        before: [placed.pads[0].0, placed.pads[1].0],
        input: spatial,
        output: pair(&placed.output)?,
    };
    Some((placed, shape))
}

/// A window whose averages all are of as many values; nothing for others.
pub(in crate::model) fn placed_average(
    window: &Window,
    with_padding: bool,
    dims: &[usize],
) -> Option<adversight_kernels::Shape> {
    let (placed, shape) = placed(window, dims)?;
    let padded = placed.pads.iter().any(|&pads| pads != (0, 0));
    (placed.beyond == [0, 0] && (!padded || with_padding)).then_some(shape)
}

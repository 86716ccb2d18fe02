//! The nodes that kernels may know, with their constants as the file has them.

use burn::tensor::Float;

use crate::model::{
    graph::{Graph, Step},
    operators::{Lowering, Placed, Window},
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
        matches!(self.operator, Lowering::MaxPool(_))
    }

    /// The node of a step, or `None` where Burn's kernels run it.
    pub fn of(graph: &Graph, step: &Step) -> Option<Self> {
        let slot = |index: usize| step.inputs.get(index).copied().flatten();
        let constant = |index: usize| slot(index).is_some_and(|slot| graph.constant(slot).is_some());
        if step.outputs.len() != 1 || constant(0) {
            return None;
        }
        let operator = step.operator.lowering.clone()?;
        let mut node = Self { operator, weights: None, bias: Bias::Nothing, bounds: None };
        match &mut node.operator {
            Lowering::Convolution { groups, window } => {
                let weights = floats(graph, step, 1)?;
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
            Lowering::Clamp => node.bounds = Some(step.operator.properties.clamp?),
            Lowering::Add if step.inputs.len() != 2 || constant(1) => return None,
            Lowering::Concat { .. } if (0..step.inputs.len()).any(constant) => return None,
            _ => {}
        }
        Some(node)
    }
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

/// A window of two dimensions on an input of the shape `dims`, `[samples, channels, height, width]`.
pub(in crate::model) fn placed(
    window: &Window,
    dims: &[usize],
) -> Option<(Placed, adversight_kernels::Shape)> {
    if dims.len() != 4 || dims.contains(&0) {
        return None;
    }
    let placed = window.on(&dims[2..], None).ok()?;
    let pair = |values: &[usize]| values.try_into().ok();
    let shape = adversight_kernels::Shape {
        kernel: pair(&placed.kernel)?,
        strides: pair(&placed.strides)?,
        dilations: pair(&placed.dilations)?,
        before: [placed.pads[0].0, placed.pads[1].0],
        input: pair(&dims[2..])?,
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

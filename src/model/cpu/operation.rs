//! The operators that the processor runs by kernels of the engine's own, each with its vector-Jacobian product.

use std::sync::Arc;

use adversight_kernels::{self as kernels, Dense, Depthwise, Grid, Shape};

use super::{
    numbers::{Held, Numbers, Pool},
    parts,
};
use crate::{
    Error, Result,
    model::{
        graph::{Graph, Step},
        node::Node,
        operators::{Placed, Window},
        prepare,
        value::{Ranked, Value},
    },
};

/// A node whose constants are laid out for the processor.
pub enum Operation {
    Dense {
        weights: Dense,
        window: Window,
        kernel: [usize; 2],
        filters: usize,
    },
    Depthwise {
        weights: Depthwise,
        window: Window,
        kernel: [usize; 2],
    },
    MaxPool(Window),
    AveragePool {
        window: Window,
        with_padding: bool,
    },
    GlobalAverage,
    /// A value kept between bounds: a rectifier, or a clip.
    Bound {
        low: f32,
        high: f32,
    },
    Add,
    Concat {
        axis: i64,
    },
    /// The input in another shape.
    Move,
    /// A product with a matrix of the file, `[inputs, outputs]` or turned.
    Linear {
        matrix: Box<Ranked<burn::tensor::Float>>,
        turned: bool,
        alpha: f32,
    },
}

/// What a walk back needs of a node, besides shapes.
#[derive(Default, Clone)]
pub struct Record {
    /// The values of all inputs, where the node is differentiated by Burn.
    pub inputs: Option<Vec<Option<Value>>>,
    /// The input of a maximum or a clip, the output of a rectifier.
    pub kept: Option<Arc<Numbers>>,
    /// Whether a bound was applied by the convolution before it, so that `kept` is its output.
    pub fused: bool,
}

fn floats(graph: &Graph, step: &Step, index: usize) -> Option<Ranked<burn::tensor::Float>> {
    match graph.constant(step.inputs.get(index).copied().flatten()?)? {
        Value::Float(value) => Some(value.clone()),
        _ => None,
    }
}

fn read(value: Ranked<burn::tensor::Float>) -> Option<Vec<f32>> {
    value.flat().into_data().try_into_vec().ok()
}

/// The one element of an optional input or attribute; nothing where it is computed.
fn limit(graph: &Graph, step: &Step, node: &Node, name: &str, index: usize, default: f32) -> Option<f32> {
    if node.has(name) {
        return node.float(name, default).ok();
    }
    match step.inputs.get(index).copied().flatten() {
        None => Some(default),
        Some(_) => match *read(floats(graph, step, index)?)? {
            [value] => Some(value),
            _ => None,
        },
    }
}

impl Operation {
    /// The operation of a step, or `None` where Burn's kernels run it.
    pub fn of(graph: &Graph, step: &Step) -> Option<Self> {
        let node = Node { proto: &step.proto, opset: 0, types: Vec::new() };
        let constant = |index: usize| {
            step.inputs.get(index).copied().flatten().is_some_and(|slot| graph.constant(slot).is_some())
        };
        if step.outputs.len() != 1 || constant(0) {
            return None;
        }
        match step.operator.as_str() {
            "Conv" => Self::convolution(graph, step, &node),
            "MaxPool" => Some(Self::MaxPool(Window::of(&node).ok()?)),
            "AveragePool" => Some(Self::AveragePool {
                window: Window::of(&node).ok()?,
                with_padding: node.flag("count_include_pad", false).ok()?,
            }),
            "GlobalAveragePool" => Some(Self::GlobalAverage),
            "Relu" => Some(Self::Bound { low: 0.0, high: f32::INFINITY }),
            "Clip" => {
                let low = limit(graph, step, &node, "min", 1, f32::NEG_INFINITY)?;
                let high = limit(graph, step, &node, "max", 2, f32::INFINITY)?;
                (low <= high).then_some(Self::Bound { low, high })
            }
            "Add" if step.inputs.len() == 2 && !constant(1) => Some(Self::Add),
            "Concat" if !(0..step.inputs.len()).any(constant) => {
                Some(Self::Concat { axis: node.int("axis", 1).ok()? })
            }
            operator if prepare::MOVES_ONLY.contains(&operator) && operator != "Cast" => Some(Self::Move),
            "Gemm" if !node.flag("transA", false).ok()? => Some(Self::Linear {
                matrix: floats(graph, step, 1).filter(|matrix| matrix.rank() == 2).map(Box::new)?,
                turned: node.flag("transB", false).ok()?,
                alpha: node.float("alpha", 1.0).ok()?,
            }),
            "MatMul" => Some(Self::Linear {
                matrix: floats(graph, step, 1).filter(|matrix| matrix.rank() == 2).map(Box::new)?,
                turned: false,
                alpha: 1.0,
            }),
            _ => None,
        }
    }

    fn convolution(graph: &Graph, step: &Step, node: &Node) -> Option<Self> {
        let window = Window::of(node).ok()?;
        let groups = node.positive("group", 1).ok()?;
        let weights = floats(graph, step, 1)?;
        let shape: [usize; 4] = weights.dims().try_into().ok()?;
        let [filters, channels, height, width] = shape;
        let bias = match step.inputs.get(2).copied().flatten() {
            Some(_) => Some(read(floats(graph, step, 2)?)?),
            None => None,
        };
        let fits = bias.as_ref().is_none_or(|bias| bias.len() == filters);
        if shape.contains(&0) || filters % groups != 0 || !fits {
            return None;
        }
        let pair = |given: &Option<Vec<usize>>| match given {
            None => Some([1; 2]),
            Some(given) => given[..].try_into().ok(),
        };
        let (strides, dilations) = (pair(&window.strides)?, pair(&window.dilations)?);
        let (kernel, weights) = ([height, width], read(weights)?);
        if channels == 1 && filters == groups && groups > 1 {
            return Some(Self::Depthwise { weights: Depthwise::new(weights, bias), window, kernel });
        }
        let weights = Dense::new(&weights, shape, groups, strides, dilations, bias);
        Some(Self::Dense { weights, window, kernel, filters })
    }

    /// The channels that a convolution takes and gives.
    fn channels(&self) -> Option<(usize, usize)> {
        match self {
            Self::Dense { weights, filters, .. } => Some((weights.inputs(), *filters)),
            Self::Depthwise { weights, kernel, .. } => {
                let channels = weights.channels(kernel[0] * kernel[1]);
                Some((channels, channels))
            }
            _ => None,
        }
    }

    /// The window of a node of two spatial dimensions on an input of this shape.
    fn placed(&self, dims: &[usize]) -> Option<(Placed, Shape)> {
        let (window, kernel) = match self {
            Self::Dense { window, kernel, .. } | Self::Depthwise { window, kernel, .. } => {
                (window, Some(&kernel[..]))
            }
            Self::MaxPool(window) | Self::AveragePool { window, .. } => (window, None),
            _ => return None,
        };
        if dims.len() != 4 || dims.contains(&0) || self.channels().is_some_and(|(c, _)| c != dims[1]) {
            return None;
        }
        let placed = window.on(&dims[2..], kernel).ok()?;
        let pair = |values: &[usize]| values.try_into().ok();
        let shape = Shape {
            kernel: pair(&placed.kernel)?,
            strides: pair(&placed.strides)?,
            dilations: pair(&placed.dilations)?,
            before: [placed.pads[0].0, placed.pads[1].0],
            input: pair(&dims[2..])?,
            output: pair(&placed.output)?,
        };
        Some((placed, shape))
    }

    /// The grid of an average whose windows all have as many values; nothing for others.
    fn average(&self, dims: &[usize]) -> Option<(Grid, Depthwise)> {
        let Self::AveragePool { with_padding, .. } = self else { return None };
        let (placed, shape) = self.placed(dims)?;
        let padded = placed.pads.iter().any(|&pads| pads != (0, 0));
        if placed.beyond != [0, 0] || (padded && !with_padding) {
            return None;
        }
        let taps = shape.kernel[0] * shape.kernel[1];
        Some((Grid::new(shape), Depthwise::uniform(dims[1], taps, 1.0 / taps as f32)))
    }

    /// Whether bounds can be applied by this node itself.
    pub fn takes_bounds(&self) -> bool {
        matches!(self, Self::Dense { .. } | Self::Depthwise { .. })
    }

    /// Whether the node is run here; the others are run by Burn and only differentiated here.
    pub fn runs(&self) -> bool {
        !matches!(self, Self::Move | Self::Linear { .. })
    }

    /// Whether all inputs are computed; else the first alone is.
    pub fn joins(&self) -> bool {
        matches!(self, Self::Add | Self::Concat { .. })
    }

    /// The output of the inputs, or nothing where their shapes are not for these kernels. `bounds` are those of the
    /// node after it. An input that no one else holds may be used up.
    pub fn forward(
        &self,
        inputs: &mut Vec<Arc<Numbers>>,
        bounds: Option<(f32, f32)>,
        pool: &Pool,
    ) -> Option<Numbers> {
        match self {
            Self::Bound { low, high } => {
                let mut x = pool.own(inputs.pop()?);
                kernels::bound(&mut x.data, *low, *high);
                return Some(x);
            }
            Self::Add => {
                let [a, b] = &inputs[..] else { return None };
                if a.dims != b.dims {
                    return None;
                }
                let mut sum = pool.own(inputs.swap_remove(0));
                kernels::add(&mut sum.data, &inputs[0].data);
                return Some(sum);
            }
            Self::Concat { axis } => return parts::joined(inputs, *axis, pool),
            _ => {}
        }
        let x = inputs.first()?;
        let [samples, channels, spatial @ ..] = &x.dims[..] else { return None };
        let output = |channels: usize, size: &[usize]| {
            let dims = [&[*samples, channels], size].concat();
            Numbers { data: pool.take(dims.iter().product()), dims }
        };
        Some(match self {
            Self::Dense { weights, filters, .. } => {
                let (_, shape) = self.placed(&x.dims)?;
                let place = weights.on(shape.before, shape.input, shape.output);
                let mut y = output(*filters, &shape.output);
                weights.forward(&place, *samples, &x.data, bounds, &mut y.data);
                y
            }
            Self::Depthwise { weights, .. } => {
                let grid = Grid::new(self.placed(&x.dims)?.1);
                let mut y = output(*channels, &grid.output);
                weights.forward(&grid, &x.data, bounds, &mut y.data);
                y
            }
            Self::MaxPool(_) => {
                let grid = Grid::new(self.placed(&x.dims)?.1);
                let mut y = output(*channels, &grid.output);
                kernels::maximum(&grid, &x.data, &mut y.data);
                y
            }
            Self::AveragePool { .. } => {
                let (grid, weights) = self.average(&x.dims)?;
                let mut y = output(*channels, &grid.output);
                weights.forward(&grid, &x.data, None, &mut y.data);
                y
            }
            Self::GlobalAverage => {
                let size: usize = spatial.iter().product();
                if spatial.is_empty() || size == 0 {
                    return None;
                }
                let mut y = output(*channels, &vec![1; spatial.len()]);
                kernels::mean(&x.data, size, &mut y.data);
                y
            }
            _ => return None,
        })
    }

    /// The output of inputs that nobody has computed, for their shapes; nothing where they are not for these kernels.
    pub fn blank(&self, inputs: &[Option<Held>]) -> Option<Held> {
        let count = if self.joins() { inputs.len() } else { 1 };
        let real = |input: &Option<Held>| input.as_ref().filter(|held| held.is_real()).map(Held::dims);
        let shapes: Vec<Vec<usize>> = inputs.iter().take(count).map(real).collect::<Option<_>>()?;
        self.shape(&shapes).map(Held::Blank)
    }

    /// The shape of the output of inputs of these shapes, or nothing where they are not for these kernels.
    fn shape(&self, inputs: &[Vec<usize>]) -> Option<Vec<usize>> {
        let x = inputs.first()?;
        let output = |channels: usize, size: &[usize]| Some([&[x[0], channels], size].concat());
        match self {
            Self::Bound { .. } => Some(x.clone()),
            Self::Add => (inputs[1..] == [x.clone()]).then(|| x.clone()),
            Self::Concat { axis } => parts::joined_shape(inputs, *axis),
            Self::Dense { filters, .. } => output(*filters, &self.placed(x)?.1.output),
            Self::Depthwise { .. } | Self::MaxPool(_) => output(x[1], &self.placed(x)?.1.output),
            Self::AveragePool { .. } => output(x[1], &self.average(x)?.0.output),
            Self::GlobalAverage if x.len() > 2 && !x[2..].contains(&0) => output(x[1], &vec![1; x.len() - 2]),
            Self::GlobalAverage | Self::Move | Self::Linear { .. } => None,
        }
    }

    /// What the walk back needs, of a node that ran here.
    pub fn record(&self, inputs: &[Arc<Numbers>]) -> Record {
        let kept = match self {
            Self::MaxPool(_) => inputs.first().cloned(),
            // A rectifier's output says as much as its input, and is there anyway.
            Self::Bound { low, high } if !rectifier(*low, *high) => inputs.first().cloned(),
            _ => None,
        };
        Record { kept, ..Record::default() }
    }

    /// Whether the walk back needs the output.
    pub fn keeps_output(&self, fused: bool) -> bool {
        matches!(self, Self::Bound { low, high } if fused || rectifier(*low, *high))
    }

    /// What the inputs of the shapes `dims` get of the output's gradient.
    pub fn backward(
        &self,
        record: &Record,
        dims: &[Vec<usize>],
        gradient: Held,
        pool: &Pool,
    ) -> Result<Vec<Held>> {
        let lost = || Error::Internal("a gradient does not fit its node".into());
        if let Self::Linear { matrix, turned, alpha } = self {
            return linear_backward(matrix, *turned, *alpha, &dims[0], gradient).map(|found| vec![found]);
        }
        if let (Self::Move, Held::Value(_)) = (self, &gradient) {
            let moved = gradient.value()?.reshape(&dims[0]).map_err(|_| lost())?;
            return Ok(vec![moved.into()]);
        }
        let g = gradient.numbers().ok_or_else(lost)?;
        let x = &dims[0];
        let fresh = || Numbers { dims: x.clone(), data: pool.take(x.iter().product()) };
        let samples = x.first().copied().unwrap_or(1);
        let found = match self {
            Self::Dense { weights, .. } => {
                let (_, shape) = self.placed(x).ok_or_else(lost)?;
                let place = weights.on(shape.before, shape.input, shape.output);
                let mut found = fresh();
                weights.backward(&place, samples, &g.data, &mut found.data);
                found
            }
            Self::Depthwise { weights, .. } => {
                let (_, shape) = self.placed(x).ok_or_else(lost)?;
                let mut found = fresh();
                weights.backward(&Grid::new(shape), &g.data, &mut found.data);
                found
            }
            Self::MaxPool(_) => {
                let (_, shape) = self.placed(x).ok_or_else(lost)?;
                let kept = record.kept.as_ref().ok_or_else(lost)?;
                let mut found = fresh();
                kernels::maximum_backward(&Grid::new(shape), &kept.data, &g.data, &mut found.data);
                found
            }
            Self::AveragePool { .. } => {
                let (grid, weights) = self.average(x).ok_or_else(lost)?;
                let mut found = fresh();
                weights.backward(&grid, &g.data, &mut found.data);
                found
            }
            Self::GlobalAverage => {
                let mut found = fresh();
                let size: usize = x[2..].iter().product();
                for (plane, g) in found.data.chunks_exact_mut(size).zip(&g.data) {
                    plane.fill(g / size as f32);
                }
                found
            }
            Self::Bound { low, high } => {
                let kept = record.kept.as_ref().ok_or_else(lost)?;
                let mut g = pool.own(g);
                match record.fused || rectifier(*low, *high) {
                    true => kernels::pass_between(&mut g.data, &kept.data, *low, *high),
                    false => kernels::pass_within(&mut g.data, &kept.data, *low, *high),
                }
                return Ok(vec![g.into()]);
            }
            Self::Add => return Ok(vec![Held::Numbers(g.clone()), Held::Numbers(g)]),
            Self::Concat { axis } => {
                let parts = parts::parted(&g, dims, *axis, pool);
                pool.give(Some(Held::Numbers(g)));
                return Ok(parts.into_iter().map(Held::from).collect());
            }
            Self::Move => {
                let mut g = pool.own(g);
                g.dims = x.clone();
                return Ok(vec![g.into()]);
            }
            Self::Linear { .. } => return Err(lost()),
        };
        pool.give(Some(Held::Numbers(g)));
        Ok(vec![found.into()])
    }
}

fn rectifier(low: f32, high: f32) -> bool {
    low == 0.0 && high == f32::INFINITY
}

/// The gradient of the rows of `x` from that of `alpha x matrix`.
fn linear_backward(
    matrix: &Ranked<burn::tensor::Float>,
    turned: bool,
    alpha: f32,
    dims: &[usize],
    gradient: Held,
) -> Result<Held> {
    let lost = || Error::Internal("a gradient does not fit its node".into());
    let matrix = matrix.get::<2>().ok_or_else(lost)?;
    let back = if turned { matrix } else { matrix.transpose() };
    let Value::Float(gradient) = gradient.value()? else { return Err(lost()) };
    let columns = back.dims()[0];
    let rows = gradient.len() / columns.max(1);
    let gradient = gradient.reshape(&[rows, columns]).and_then(|g| g.get::<2>()).ok_or_else(lost)?;
    let found = gradient.matmul(back);
    let found = if alpha == 1.0 { found } else { found * alpha };
    Ok(Value::from(Ranked::from(found).reshape(dims).ok_or_else(lost)?).into())
}

//! The operators that the processor runs by kernels of the engine's own, each with its vector-Jacobian product.

use std::sync::Arc;

use adversight_kernels::{
    self as kernels, Cell, Dense, Depthwise, Gate, Output, Place, Recurrent, Sequence, Shape,
};

use super::{
    numbers::{Numbers, Pool},
    parts,
};
use crate::{
    Error, Result,
    model::{
        exec::{self, Bias, Finish, Node, joined_dims, placed, placed_average},
        operators::{Lowering, Window},
        value::{Ranked, Value},
    },
};

type Held = exec::Held<Arc<Numbers>>;

/// Elements of a matrix up to which it is laid out for the kernels, which takes its room twice more. The first layers of old networks
/// have a hundred times as many, and are limited by the memory whoever multiplies.
const LAID_OUT: usize = 1 << 22;

impl From<Numbers> for Held {
    fn from(numbers: Numbers) -> Self {
        Self::Numbers(Arc::new(numbers))
    }
}

/// A node whose constants are laid out for the processor. A [`Self::Product`] is left to Burn, and only differentiated here.
pub enum Operation {
    Dense {
        weights: Dense,
        window: Window,
        filters: usize,
    },
    Depthwise {
        weights: Depthwise,
        window: Window,
        channels: usize,
    },
    MaxPool(Window),
    AveragePool {
        window: Window,
        with_padding: bool,
    },
    GlobalAverage,
    Bound {
        low: f32,
        high: f32,
    },
    Add,
    Concat {
        axis: i64,
    },
    Move,
    /// Of `inputs` channels.
    Recurrent {
        layer: Recurrent,
        batch_first: bool,
        output: Output,
    },
    Linear {
        weights: Dense,
        sizes: [usize; 2],
    },
    Product {
        matrix: Box<Ranked<burn::tensor::Float>>,
        turned: bool,
        alpha: f32,
    },
}

fn read(value: Ranked<burn::tensor::Float>) -> Option<Vec<f32>> {
    value.flat().into_data().try_into_vec().ok()
}

/// What is added to each filter, if anything; nothing where it is another kind of bias.
fn bias_of(bias: Bias) -> Option<Option<Vec<f32>>> {
    match bias {
        Bias::Nothing => Some(None),
        Bias::Row(bias) => read(bias).map(Some),
        Bias::Other => None,
    }
}

impl Operation {
    fn convolution(
        weights: Ranked<burn::tensor::Float>,
        bias: Bias,
        groups: usize,
        window: Window,
    ) -> Option<Self> {
        let shape: [usize; 4] = weights.dims().try_into().ok()?;
        let bias = bias_of(bias)?;
        let pair = |given: &Option<Vec<usize>>| match given {
            None => Some([1; 2]),
            Some(given) => given[..].try_into().ok(),
        };
        let (strides, dilations) = (pair(&window.strides)?, pair(&window.dilations)?);
        let (filters, weights) = (shape[0], read(weights)?);
        if shape[1] == 1 && filters == groups && groups > 1 {
            let weights = Depthwise::new(&weights, shape[2] * shape[3], bias.as_deref());
            return Some(Self::Depthwise { weights, window, channels: filters });
        }
        let weights = Dense::new(&weights, shape, groups, strides, dilations, bias);
        Some(Self::Dense { weights, window, filters })
    }

    /// A product with a matrix as a convolution of planes of one place.
    fn linear(matrix: &Ranked<burn::tensor::Float>, turned: bool, bias: Bias) -> Option<Self> {
        let bias = bias_of(bias)?;
        let matrix = matrix.get::<2>()?;
        let matrix = if turned { matrix } else { matrix.transpose() };
        let [outputs, inputs] = matrix.dims();
        if outputs == 0 || inputs == 0 {
            return None;
        }
        let shape = [outputs, inputs, 1, 1];
        let weights = Dense::new(&read(matrix.into())?, shape, 1, [1; 2], [1; 2], bias);
        Some(Self::Linear { weights, sizes: [inputs, outputs] })
    }

    /// A recurrent layer, of which output 0 is each state and output 1 the last one.
    fn recurrent(
        (cell, reversed, batch_first): (Cell, &[bool], bool),
        weights: [Ranked<burn::tensor::Float>; 2],
        bias: Bias,
        output: usize,
    ) -> Option<Self> {
        let output = match output {
            0 => Output::Each,
            1 => Output::Last,
            _ => return None,
        };
        let sizes = [*weights[0].dims().last()?, *weights[1].dims().last()?];
        let bias = bias_of(bias)?;
        let [weights, recurrent] = weights.map(read);
        let layer = Recurrent::new(cell, reversed, sizes, [&weights?, &recurrent?], bias.as_deref());
        Some(Self::Recurrent { layer, batch_first, output })
    }

    /// The steps and samples of an input of a recurrent layer.
    fn sequence(layer: &Recurrent, batch_first: bool, dims: &[usize]) -> Option<Sequence> {
        let &[first, second, inputs] = dims else { return None };
        let (batch, length) = if batch_first { (first, second) } else { (second, first) };
        let fits = inputs == layer.inputs() && !dims.contains(&0);
        fits.then_some(Sequence { length, batch, batch_first })
    }

    /// The channels that a convolution takes.
    fn channels(&self) -> Option<usize> {
        match self {
            Self::Dense { weights, .. } => Some(weights.inputs()),
            Self::Depthwise { channels, .. } => Some(*channels),
            _ => None,
        }
    }

    /// The window of a node of two spatial dimensions on an input of this shape.
    fn placed(&self, dims: &[usize]) -> Option<Shape> {
        let (Self::Dense { window, .. } | Self::Depthwise { window, .. } | Self::MaxPool(window)) = self
        else {
            return None;
        };
        let (_, shape) = placed(window, dims)?;
        self.channels().is_none_or(|channels| channels == dims[1]).then_some(shape)
    }

    /// The windows of an average that all have as many values; nothing for others.
    fn average(&self, dims: &[usize]) -> Option<(Shape, Depthwise)> {
        let Self::AveragePool { window, with_padding } = self else { return None };
        let shape = placed_average(window, *with_padding, dims)?;
        let taps = shape.kernel[0] * shape.kernel[1];
        Some((shape, Depthwise::uniform(taps, 1.0 / taps as f32)))
    }
}

impl exec::Operation for Operation {
    type Array = Arc<Numbers>;
    type Pool = Pool;

    fn of(node: Node, device: &burn::tensor::Device) -> Option<Self> {
        if *device != burn::tensor::Device::flex() {
            return None;
        }
        let Node { operator, weights, bias, bounds, recurrent, output } = node;
        Some(match operator {
            Lowering::Recurrent { cell, reversed, batch_first } => {
                let kind = (cell, &reversed[..], batch_first);
                return Self::recurrent(kind, [weights?, recurrent?], bias, output);
            }
            Lowering::Convolution { groups, window } => {
                return Self::convolution(weights?, bias, groups, window);
            }
            Lowering::MaxPool(window) => Self::MaxPool(window),
            Lowering::AveragePool { window, with_padding } => Self::AveragePool { window, with_padding },
            Lowering::GlobalAverage => Self::GlobalAverage,
            Lowering::Clamp => {
                let (low, high) = bounds?;
                Self::Bound { low, high }
            }
            Lowering::Add => Self::Add,
            Lowering::Concat { axis } => Self::Concat { axis },
            Lowering::Reshape => Self::Move,
            Lowering::Matmul { transposed, alpha, .. } => {
                let matrix = weights?;
                let known = alpha == 1.0 && matrix.len() <= LAID_OUT;
                match known.then(|| Self::linear(&matrix, transposed, bias)).flatten() {
                    Some(linear) => linear,
                    None => Self::Product { matrix: Box::new(matrix), turned: transposed, alpha },
                }
            }
        })
    }

    fn takes_bounds(&self) -> bool {
        matches!(self, Self::Dense { .. } | Self::Depthwise { .. } | Self::Linear { .. })
    }

    fn gains(node: &Node) -> bool {
        matches!(node.operator, Lowering::Convolution { .. } | Lowering::Recurrent { .. })
    }

    fn runs(&self) -> bool {
        !matches!(self, Self::Move | Self::Product { .. })
    }

    fn finishes(&self) -> bool {
        // The others would gain nothing.
        matches!(self, Self::Dense { .. } | Self::Linear { .. })
    }

    fn forward(
        &self,
        inputs: &mut Vec<Arc<Numbers>>,
        bounds: Option<(f32, f32)>,
        pool: &Pool,
    ) -> Option<Arc<Numbers>> {
        match self {
            Self::Bound { low, high } => {
                let mut x = pool.own(inputs.pop()?);
                kernels::bound(&mut x.data, *low, *high);
                return Some(Arc::new(x));
            }
            Self::Add => {
                let [a, b] = &inputs[..] else { return None };
                if a.dims != b.dims {
                    return None;
                }
                let mut sum = pool.own(inputs.swap_remove(0));
                kernels::add(&mut sum.data, &inputs[0].data);
                return Some(Arc::new(sum));
            }
            Self::Concat { axis } => return parts::joined(inputs, *axis, pool).map(Arc::new),
            _ => {}
        }
        let x = inputs.first()?;
        if let Self::Linear { weights, .. } = self {
            let dims = self.shape(std::slice::from_ref(&x.dims))?;
            let mut y = Numbers { data: pool.take(dims.iter().product()), dims };
            weights.forward(&points(weights), x.data.len() / weights.inputs(), &x.data, bounds, &mut y.data);
            return Some(Arc::new(y));
        }
        if let Self::Recurrent { layer, batch_first, output } = self {
            let sequence = Self::sequence(layer, *batch_first, &x.dims)?;
            let dims = layer.shape(sequence, *output);
            let mut y = Numbers { data: pool.take(dims.iter().product()), dims };
            layer.forward(&x.data, sequence, *output, &mut y.data);
            return Some(Arc::new(y));
        }
        let [samples, channels, spatial @ ..] = &x.dims[..] else { return None };
        let output = |channels: usize, size: &[usize]| {
            let dims = window_dims(&x.dims, *samples, channels, size);
            Numbers { data: pool.take(dims.iter().product()), dims }
        };
        Some(Arc::new(match self {
            Self::Dense { weights, filters, .. } => {
                let shape = self.placed(&x.dims)?;
                let place = weights.on(shape.before, shape.input, shape.output);
                let mut y = output(*filters, &shape.output);
                weights.forward(&place, *samples, &x.data, bounds, &mut y.data);
                y
            }
            Self::Depthwise { weights, .. } => {
                let shape = self.placed(&x.dims)?;
                let mut y = output(*channels, &shape.output);
                weights.forward(&shape, &x.data, bounds, &mut y.data);
                y
            }
            Self::MaxPool(_) => {
                let shape = self.placed(&x.dims)?;
                let mut y = output(*channels, &shape.output);
                kernels::maximum(&shape, &x.data, &mut y.data);
                y
            }
            Self::AveragePool { .. } => {
                let (shape, weights) = self.average(&x.dims)?;
                let mut y = output(*channels, &shape.output);
                weights.forward(&shape, &x.data, None, &mut y.data);
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
        }))
    }

    fn shape(&self, inputs: &[Vec<usize>]) -> Option<Vec<usize>> {
        let x = inputs.first()?;
        let output = |channels: usize, size: &[usize]| Some(window_dims(x, x[0], channels, size));
        match self {
            Self::Recurrent { layer, batch_first, output } => {
                Some(layer.shape(Self::sequence(layer, *batch_first, x)?, *output))
            }
            Self::Bound { .. } => Some(x.clone()),
            Self::Add => (inputs[1..] == [x.clone()]).then(|| x.clone()),
            Self::Concat { axis } => joined_dims(inputs, *axis).map(|(_, dims)| dims),
            Self::Dense { filters, .. } => output(*filters, &self.placed(x)?.output),
            Self::Depthwise { .. } | Self::MaxPool(_) => output(x[1], &self.placed(x)?.output),
            Self::AveragePool { window, with_padding } => {
                output(x[1], &placed_average(window, *with_padding, x)?.output)
            }
            Self::GlobalAverage if x.len() > 2 && !x[2..].contains(&0) => output(x[1], &vec![1; x.len() - 2]),
            Self::Linear { sizes: [from, to], .. } => {
                let (last, rest) = x.split_last()?;
                (last == from && !rest.contains(&0)).then(|| [rest, &[*to]].concat())
            }
            Self::GlobalAverage | Self::Move | Self::Product { .. } => None,
        }
    }

    fn backward(
        &self,
        kept: Option<&Arc<Numbers>>,
        dims: &[Vec<usize>],
        gradient: Held,
        finish: &[Finish<Arc<Numbers>>],
        pool: &Pool,
    ) -> Result<Vec<Held>> {
        let lost = || Error::Internal("a gradient does not fit its node".into());
        if let Self::Product { matrix, turned, alpha } = self {
            return linear_backward(matrix, *turned, *alpha, &dims[0], gradient).map(|found| vec![found]);
        }
        if let (Self::Move, Held::Value(_)) = (self, &gradient) {
            let moved = gradient.value()?.reshape(&dims[0]).map_err(|_| lost())?;
            return Ok(vec![moved.into()]);
        }
        let g = gradient.numbers().map_err(|_| lost())?;
        let x = &dims[0];
        let fresh = || Numbers { dims: x.clone(), data: pool.take(x.iter().product()) };
        let samples = x.first().copied().unwrap_or(1);
        let found = match self {
            Self::Dense { weights, .. } => {
                let shape = self.placed(x).ok_or_else(lost)?;
                let place = weights.on(shape.before, shape.input, shape.output);
                finished((weights, &place, samples), &g, finish, fresh(), pool)
            }
            Self::Linear { weights, .. } => {
                let found = fresh();
                let samples = found.data.len() / weights.inputs();
                finished((weights, &points(weights), samples), &g, finish, found, pool)
            }
            Self::Depthwise { weights, .. } => {
                let shape = self.placed(x).ok_or_else(lost)?;
                let mut found = fresh();
                weights.backward(&shape, &g.data, &mut found.data);
                found
            }
            Self::MaxPool(_) => {
                let shape = self.placed(x).ok_or_else(lost)?;
                let kept = kept.ok_or_else(lost)?;
                let mut found = fresh();
                kernels::maximum_backward(&shape, &kept.data, &g.data, &mut found.data);
                found
            }
            Self::AveragePool { .. } => {
                let (shape, weights) = self.average(x).ok_or_else(lost)?;
                let mut found = fresh();
                weights.backward(&shape, &g.data, &mut found.data);
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
                let mut g = pool.own(g);
                kernels::pass_between(&mut g.data, gate(kept.ok_or_else(lost)?, *low, *high));
                return Ok(vec![g.into()]);
            }
            Self::Add => return Ok(vec![Held::Numbers(g.clone()), Held::Numbers(g)]),
            Self::Concat { axis } => {
                let parts = parts::parted(&g, dims, *axis, pool).ok_or_else(lost)?;
                pool.give(g);
                return Ok(parts.into_iter().map(Held::from).collect());
            }
            Self::Move => {
                let mut g = pool.own(g);
                g.dims = x.clone();
                return Ok(vec![g.into()]);
            }
            Self::Recurrent { layer, batch_first, output } => {
                let sequence = Self::sequence(layer, *batch_first, x).ok_or_else(lost)?;
                let kept = kept.ok_or_else(lost)?;
                let mut found = fresh();
                layer.backward(&kept.data, &g.data, sequence, *output, &mut found.data);
                found
            }
            Self::Product { .. } => return Err(lost()),
        };
        pool.give(g);
        Ok(vec![found.into()])
    }

    fn sum(before: Arc<Numbers>, arrived: Arc<Numbers>, pool: &Pool) -> Arc<Numbers> {
        let mut sum = pool.own(before);
        kernels::add(&mut sum.data, &arrived.data);
        pool.give(arrived);
        Arc::new(sum)
    }

    fn begin(pool: &Pool) {
        pool.begin();
    }

    fn give(numbers: Arc<Numbers>, pool: &Pool) {
        pool.give(numbers);
    }
}

/// The shape of an output of windows: of one dimension where the input has one.
fn window_dims(input: &[usize], samples: usize, channels: usize, size: &[usize]) -> Vec<usize> {
    let size = match size {
        [1, length] if input.len() == 3 => &[*length],
        size => size,
    };
    [&[samples, channels], size].concat()
}

/// A convolution on planes of one place.
fn points(weights: &Dense) -> Place {
    weights.on([0; 2], [1; 2], [1; 2])
}

/// The gradient of the input of a convolution of some samples, with what is to be done to it; `found` is room for it.
fn finished(
    (weights, place, samples): (&Dense, &Place, usize),
    gradient: &Numbers,
    finish: &[Finish<Arc<Numbers>>],
    mut found: Numbers,
    pool: &Pool,
) -> Numbers {
    let Finish { plus, between } = finish.first().cloned().unwrap_or_default();
    let gate = between.as_ref().map(|(y, (low, high))| gate(y, *low, *high));
    let Some(plus) = plus else {
        weights.backward(place, samples, &gradient.data, gate, &mut found.data);
        return found;
    };
    weights.backward(place, samples, &gradient.data, None, &mut found.data);
    kernels::add(&mut found.data, &plus.data);
    pool.give(plus);
    // What was added has to pass the bounds too.
    if let Some(gate) = gate {
        kernels::pass_between(&mut found.data, gate);
    }
    found
}

/// Lets a gradient pass where the bounded value `y` lies between its bounds.
fn gate(y: &Numbers, low: f32, high: f32) -> Gate<'_> {
    Gate { values: &y.data, low, high }
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
